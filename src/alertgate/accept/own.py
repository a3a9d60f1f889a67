"""Report alertgate's own troubles as alerts of its own, so that people are told of them like of any other.

A trouble is raised in memory, which can't fail and takes no time; a background job reports it to the store, and tries
again while that is away. What is raised meanwhile is one report. Totals are kept in the incident's alerts, so that
restarts and other replicas continue them.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

import structlog

from alertgate.accept.keys import incident_key
from alertgate.accept.record import Recorded, Recorder
from alertgate.accept.rulings import Understood
from alertgate.clock import Clock
from alertgate.errors import StoreError
from alertgate.metrics import Metrics
from alertgate.model import Alert, AlertStatus, Incident, Severity, Signal, Source, worst
from alertgate.notify.render.text import one_line
from alertgate.prove.trouble_words import message, title
from alertgate.prove.troubles import (
    ENDS,
    LASTING,
    SILENT,
    Cause,
    Known,
    Step,
    Subject,
    Tally,
    Trouble,
    add_up,
    decide,
    is_news,
    once,
    read_tally,
)
from alertgate.store import Connection, alerts, incidents
from alertgate.store.engine import Store

EVERY = 1.0
"""Seconds between two runs of the job: what is raised within one is told in one message."""
LOOK_EVERY = 15.0
"""Seconds between two looks at the store while nothing was raised here: another process may have left an incident."""
RETRY_AFTER = 10.0
"""Seconds before a report that the store didn't accept is tried again."""
CLOSE_WITHIN = 5.0
"""Seconds for the last report when the service stops."""
LONGEST_SENDER = 60

log = structlog.stdlib.get_logger("alertgate.own")


@dataclass(slots=True)
class _Heard:
    """What was raised about a subject in this process."""

    trouble: Trouble
    last_at: datetime
    unsaid: Tally | None = None
    severity: Severity = Severity.INFO
    raised: int = 0
    covered: int = 0
    """How many of `raised` had occurred when the incident was last seen open."""
    cleared: bool = False

    @property
    def is_said(self) -> bool:
        """Whether it lasts, and there is nothing to report until it changes."""
        return self.trouble in LASTING and not self.unsaid and not self.cleared

    def take(self) -> Known:
        """Return what is known; what is unsaid counts as said, unless it is put back."""
        known = Known(self.last_at, self.unsaid, self.severity, self.raised > self.covered, self.cleared)
        self.unsaid, self.severity = None, Severity.INFO
        return known

    def put_back(self, known: Known) -> None:
        """Take back that it was said."""
        if known.unsaid:
            self.unsaid = add_up(self.trouble, known.unsaid, self.unsaid)
            self.severity = worst(known.severity, self.severity)


class _Open(NamedTuple):
    """The open incident of a subject, and what was last reported of it."""

    incident: Incident
    said: Tally | None


class _Report(NamedTuple):
    step: Step
    alert: Alert
    recorded: Recorded


@dataclass(frozen=True, slots=True)
class OwnRules:
    """How own troubles are reported: GROUP_INTERVAL, and the time zone of the readers."""

    interval: timedelta
    zone: ZoneInfo


@dataclass(slots=True)
class _Pace:
    """When the job works next, in monotonic seconds."""

    looked_at: float = field(default=float("-inf"))
    again_at: float = field(default=float("-inf"))
    failing: bool = False


class OwnAlerts:
    """Raises, reports and clears troubles. Only for the thread of the event loop.

    `wake` is called when a report has made a notification due.
    """

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        clock: Clock,
        metrics: Metrics,
        new_id: Callable[[datetime], str],
        rules: OwnRules,
        *,
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._metrics = metrics
        self._new_id = new_id
        self._rules = rules
        self._wake = wake
        self._heard: dict[Subject, _Heard] = {}
        self._lasting: dict[Subject, tuple[Tally, Severity] | None] = {}
        self._open: dict[Subject, _Open] = {}
        self._pace = _Pace()

    def raise_(self, trouble: Trouble, about: str, *, cause: Cause, severity: Severity, sender: str = "") -> None:
        """Note that a trouble occurred once: `about` is the part of the gate that has it, one incident each.

        `sender` names whose alert it affected; it may be any text.
        """
        occurred = once(self._clock.now(), cause, one_line(sender, LONGEST_SENDER))
        self._hear(Subject(trouble, about), occurred, severity)

    def _hear(self, subject: Subject, occurred: Tally, severity: Severity) -> None:
        now = self._clock.now()
        heard = self._heard.setdefault(subject, _Heard(subject.trouble, now))
        heard.unsaid = add_up(subject.trouble, heard.unsaid, occurred)
        heard.severity = worst(heard.severity, severity)
        heard.last_at = now
        heard.raised += 1
        heard.cleared = False

    def clear(self, trouble: Trouble, about: str) -> None:
        """Note that a trouble is over, rather than wait until it hasn't occurred for GROUP_INTERVAL."""
        self._heard.setdefault(Subject(trouble, about), _Heard(trouble, self._clock.now())).cleared = True

    def lasts(self, trouble: Trouble, about: str, cause: Cause | None, severity: Severity) -> None:
        """Note why a trouble of LASTING lasts, or with None that it doesn't; to be called again and again."""
        self.stands(trouble, about, once(self._clock.now(), cause, "") if cause else None, severity)

    def stands(self, trouble: Trouble, about: str, tally: Tally | None, severity: Severity) -> None:
        """Note how a trouble of LASTING stands, or with None that it is over; to be called again and again.

        Only news are raised, and only the end is cleared. The first call clears what an earlier process may have left
        open.
        """
        subject = Subject(trouble, about)
        noted = self._lasting.get(subject)
        if tally is None:
            if noted or subject not in self._lasting:
                self.clear(trouble, about)
            self._lasting[subject] = None
        elif noted is None or is_news(noted[0], tally) or severity.rank > noted[1].rank:
            self._lasting[subject] = tally, severity
            self._hear(subject, tally, severity)

    def degraded(self) -> list[str]:
        """Return a line for each trouble that occurs again and again, without names: anybody may read it.

        One of LASTING is shown by the part of the gate that has it, which knows more.
        """
        return [
            f"{title(*subject)}: since {self._since(subject):%Y-%m-%d %H:%M} UTC; its incident says why and what to do"
            for subject in sorted({*self._heard, *self._open})
            if subject.trouble not in LASTING
        ]

    def _since(self, subject: Subject) -> datetime:
        if found := self._open.get(subject):
            return found.incident.opened_at
        heard = self._heard[subject]
        return heard.unsaid.first if heard.unsaid else heard.last_at

    async def run(self) -> None:
        """Report what is due, if the store accepts it."""
        moment = self._clock.monotonic()
        idle = all(heard.is_said for heard in self._heard.values()) and moment - self._pace.looked_at < LOOK_EVERY
        if idle or moment < self._pace.again_at:
            return
        self._pace.again_at = moment + RETRY_AFTER  # also after a defect
        try:
            await self._report_due()
        except StoreError as error:
            if not self._pace.failing:
                log.warning("trouble.waits", detail="retried until the database accepts it", error=str(error))
            self._pace.failing = True
        else:
            self._pace = _Pace(looked_at=moment)

    async def close(self) -> None:
        """Report what is unsaid, because this process ends. What the store doesn't accept in time is logged."""
        try:
            async with asyncio.timeout(CLOSE_WITHIN):
                await self._report_due(closing=True)
        except (StoreError, TimeoutError) as error:
            unsaid = {title(*subject): heard.unsaid.count for subject, heard in self._heard.items() if heard.unsaid}
            if unsaid:
                log.error("trouble.unsaid", detail="nobody was told of these", counts=unsaid, error=str(error))  # noqa: TRY400

    async def _report_due(self, *, closing: bool = False) -> None:
        """Look at the open incidents, and take each subject's next step. Raises StoreUnavailable."""
        raised = {subject: heard.raised for subject, heard in self._heard.items()}
        self._open = await self._store.read(_open_incidents)
        for subject in {*raised, *self._open}:
            heard = self._heard.get(subject)
            if heard and subject in self._open:
                heard.covered = raised.get(subject, heard.covered)
            await self._take_step(subject, heard, closing=closing)

    async def _take_step(self, subject: Subject, heard: _Heard | None, *, closing: bool) -> None:
        now = self._clock.now()
        known = heard.take() if heard else None
        lasting = subject.trouble in LASTING

        def judge(found: _Open | None) -> Step:
            incident, said = found or (None, None)
            return decide(known, incident, now, self._rules.interval, said=said, closing=closing, lasting=lasting)

        step, report = judge(self._open.get(subject)), None
        try:
            if step not in SILENT:
                report = await self._store.write(partial(self._record, subject, known, judge, now))
        finally:
            if heard and known and report is None and step is not Step.SAID:
                heard.put_back(known)
        if step is Step.FORGET:
            self._heard.pop(subject, None)
        if step is Step.SAID and (found := self._open.get(subject)) and found.said:
            self._lasting[subject] = found.said, found.incident.severity  # what is news counts from there
        if report:
            self._after(subject, report)

    def _after(self, subject: Subject, report: _Report) -> None:
        """Count and log a report. Forget a trouble whose end was reported, unless it occurred again meanwhile."""
        if report.step in ENDS:
            self._open.pop(subject, None)
            if subject in self._heard and not self._heard[subject].unsaid:
                del self._heard[subject]
        self._metrics.own_alert_recorded()
        if report.recorded.due:
            self._wake()
        log.warning(
            "trouble.reported",
            detail=one_line(report.alert.message or "", 200),
            alert_id=report.alert.id,
            incident_id=report.recorded.incident_id,
            event_name=report.alert.event,
            severity=report.alert.severity,
            why=report.step,
        )

    def _record(
        self,
        subject: Subject,
        known: Known | None,
        judge: Callable[[_Open | None], Step],
        now: datetime,
        connection: Connection,
    ) -> _Report | None:
        """Judge again, with the incident as it is in this transaction, and record the alert."""
        found = _open_incidents(connection).get(subject)
        step = judge(found)
        if step in SILENT:
            return None
        severity = known.severity if known else Severity.INFO
        tally = known.unsaid if known else None
        if found:
            severity = worst(severity, found.incident.severity)
            tally = add_up(subject.trouble, found.said, tally)
        if tally and subject.trouble in LASTING:
            tally = replace(tally, last=now)
        alert = self._alert(subject, severity, tally, now, over=step in ENDS)
        [recorded] = self._recorder.record(connection, [Understood(alert)])
        return _Report(step, alert, recorded)

    def _alert(self, subject: Subject, severity: Severity, tally: Tally | None, now: datetime, *, over: bool) -> Alert:
        return Alert(
            id=self._new_id(now),
            received_at=now,
            source=Source.ALERTGATE,
            status=AlertStatus.ACCEPTED,
            signal=Signal.RESOLVED if over else Signal.FIRING,
            event=subject.trouble,
            severity=severity,
            incident_key=incident_key(Source.ALERTGATE, *subject),
            device=subject.about,
            message=message(subject, tally, now.astimezone(self._rules.zone), over=over),
            data=tally.as_json() if tally else None,
        )


def _open_incidents(connection: Connection) -> dict[Subject, _Open]:
    """Return the open incidents of the troubles that this version knows."""
    known = frozenset(Trouble)
    return {
        Subject(Trouble(incident.event), incident.device or ""): _Open(incident, _said(connection, incident))
        for incident in incidents.own_unresolved(connection)
        if incident.event in known
    }


def _said(connection: Connection, incident: Incident) -> Tally | None:
    """Return what was reported of an incident so far."""
    latest = alerts.latest(connection, incident.id, 1)
    return read_tally(latest[0].data) if latest else None
