"""Record one report about a trouble of the gate, in a transaction."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from alertgate.accept.keys import incident_key
from alertgate.accept.record import Recorded, Recorder
from alertgate.accept.rulings import Understood
from alertgate.model import Alert, AlertStatus, Incident, Severity, Signal, Source, worst
from alertgate.prove.trouble_words import message
from alertgate.prove.troubles import (
    BEGIN_ONCE,
    CONFIRMED,
    DAILY,
    ENDS,
    NEEDLESS_ONCE_OVER,
    SILENT,
    Known,
    Step,
    Subject,
    Tally,
    Trouble,
    add_up,
    is_news,
    read_tally,
)
from alertgate.store import Connection, alerts, incidents, notifications

OVER_UNTOLD = "over before it could be told; what it held up says so itself"
"""Why a notification about an own trouble was cancelled."""


class Open(NamedTuple):
    """The incident of a subject, and what was last reported of it."""

    incident: Incident
    said: Tally | None


class Report(NamedTuple):
    """The step that was taken, with the alert, if it is told."""

    step: Step
    alert: Alert | None = None
    recorded: Recorded | None = None


class Reporter:
    """Records reports. `new_id` returns an id for a time; `zone` returns the time zone of the readers."""

    def __init__(self, recorder: Recorder, new_id: Callable[[datetime], str], zone: Callable[[], ZoneInfo]) -> None:
        self._recorder = recorder
        self._new_id = new_id
        self._zone = zone

    def record(
        self,
        subject: Subject,
        known: Known | None,
        judge: Callable[[Open | None], Step],
        now: datetime,
        connection: Connection,
    ) -> Report:
        """Judge again, with the incident as it is in this transaction, and record the alert."""
        found = _judged_by(connection, subject)
        step = judge(found)
        if step in SILENT:
            return Report(step)
        tally, severity = (known.unsaid, known.severity) if known else (None, Severity.INFO)
        incident, said = found or (None, None)
        if incident and step is not Step.OPEN:
            is_old = subject.trouble in CONFIRMED and said and tally and not is_news(said, tally)
            if step is Step.CONFIRM or (step is Step.GO_ON and is_old):
                incidents.confirm(connection, incident.id, now)
                return Report(Step.CONFIRM)
            severity = worst(severity, incident.severity)
            tally = add_up(subject.trouble, said, tally)
        if tally and subject.trouble in BEGIN_ONCE:
            tally = replace(tally, last=_lasted_until(subject, known, incident if step in ENDS else None, now))
        if incident and step in ENDS and subject.trouble in NEEDLESS_ONCE_OVER:
            notifications.cancel_untold(connection, incident.id, OVER_UNTOLD, now)
        alert = self._alert(subject, severity, tally, now, over=step in ENDS)
        [recorded] = self._recorder.record(connection, [Understood(alert)])
        return Report(step, alert, recorded)

    def _alert(self, subject: Subject, severity: Severity, tally: Tally | None, now: datetime, *, over: bool) -> Alert:
        return Alert(
            id=self._new_id(now),
            received_at=now,
            source=Source.ALERTGATE,
            status=AlertStatus.ACCEPTED,
            signal=Signal.RESOLVED if over else Signal.FIRING,
            event=subject.trouble,
            severity=severity,
            incident_key=_key(subject),
            device=subject.about,
            message=message(subject, tally, now.astimezone(self._zone()), over=over),
            data=tally.as_json() if tally else None,
        )


def open_incidents(connection: Connection) -> dict[Subject, Open]:
    """Return the open incidents of the troubles that this version knows."""
    known = frozenset(Trouble)
    return {
        Subject(Trouble(incident.event), incident.device or ""): Open(incident, _said(connection, incident))
        for incident in incidents.own_unresolved(connection)
        if incident.event in known
    }


def _judged_by(connection: Connection, subject: Subject) -> Open | None:
    """Return the open incident of a subject; of one that is said once a day the newest, open or not."""
    if subject.trouble not in DAILY:
        return open_incidents(connection).get(subject)
    key = _key(subject)
    newest = incidents.last(connection, [key]).get(key)
    return Open(newest, _said(connection, newest)) if newest else None


def _lasted_until(subject: Subject, known: Known | None, ended: Incident | None, now: datetime) -> datetime:
    """Return until when a trouble lasts, or lasted: until a process last confirmed that, for those of CONFIRMED."""
    if ended is None or subject.trouble not in CONFIRMED:
        return now
    return max(ended.last_alert_at, known.last_at) if known else ended.last_alert_at


def _key(subject: Subject) -> str:
    return incident_key(Source.ALERTGATE, *subject)


def _said(connection: Connection, incident: Incident) -> Tally | None:
    """Return what was reported of an incident so far."""
    latest = alerts.latest(connection, incident.id, 1)
    return read_tally(latest[0].data) if latest else None
