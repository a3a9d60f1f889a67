"""Alerts, their incidents and their notifications go to the store in one commit.

The shell around the pure decisions: fetch what is known, let `group` and `notify.plan` decide alert by alert, write.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from alertgate.config import GroupingRules
from alertgate.group.decide import Step, decide, is_quiet
from alertgate.model import Alert, AlertStatus, Incident, IncidentStatus, Notification, Target
from alertgate.notify.batch import NotificationBatch, snapshots_of
from alertgate.notify.context import Snapshot
from alertgate.notify.lease import Grant
from alertgate.notify.plan import Choice, Skip, on_alert, on_escalation, on_resolution
from alertgate.store import Connection
from alertgate.store import alerts as alert_rows
from alertgate.store import incidents as incident_rows
from alertgate.store import notifications as notification_rows


class Result(StrEnum):
    """What became of a webhook request that was stored; also a metric's label."""

    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The answer to one alert: the stored one's id, which is an earlier one's when it is a duplicate."""

    result: Result
    alert_id: str
    incident_id: str | None
    due: int = 0
    """How many messages became due with it."""
    leased: tuple[Snapshot, ...] = ()
    """Those of them that are leased, and that this process has to send now."""
    because: str | None = None
    """What it did to its incident, and who hears of it when, in words."""


@dataclass(slots=True)
class AlertBatch:
    """What one transaction has read, and what it will write."""

    open: dict[str, Incident]
    messages: NotificationBatch
    opened: dict[str, Incident] = field(default_factory=dict)
    joined: dict[str, Incident] = field(default_factory=dict)
    changed: dict[str, Incident] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)

    def put(self, incident: Incident, *, joined: bool = False) -> None:
        """Take over an incident's new state; `joined` where an alert joined it, and that is all."""
        if incident.id in self.opened:
            self.opened[incident.id] = incident
        elif joined and incident.id not in self.changed:
            self.joined[incident.id] = incident
        else:
            self.joined.pop(incident.id, None)
            self.changed[incident.id] = incident
        if incident.status is IncidentStatus.RESOLVED:
            self.open.pop(incident.key, None)
        else:
            self.open[incident.key] = incident


class Recorder:
    """Records alerts for `targets`. `new_id` makes an id for a time; `grant` leases what can be sent at once."""

    def __init__(
        self,
        rules: GroupingRules,
        targets: Sequence[Target],
        new_id: Callable[[datetime], str],
        grant: Grant | None = None,
    ) -> None:
        self._rules = rules
        self._targets = targets
        self._new_id = new_id
        self._grant = grant

    def record(self, connection: Connection, batch: Sequence[Alert]) -> list[Recorded]:
        """Store a batch in the open transaction; a kind of work for the store's writer."""
        known = alert_rows.known(connection, {alert.dedup for alert in batch if alert.dedup})
        draft = self._read(connection, batch)
        results = []
        for alert in batch:
            if alert.dedup and (first := known.get(alert.dedup)):
                results.append(Recorded(Result.DUPLICATE, first.id, first.incident_id))
                continue
            stored, due = self._add(draft, alert)
            if stored.dedup:
                known[stored.dedup] = alert_rows.Known(stored.id, stored.incident_id)
            result = Result.QUARANTINED if stored.status is AlertStatus.QUARANTINED else Result.ACCEPTED
            results.append(Recorded(result, stored.id, stored.incident_id, due, because=stored.grouping))
        leased = _write(connection, draft, self._grant)
        if not leased:
            return results
        about = {**draft.joined, **draft.changed, **draft.opened}
        return _handed_out(results, snapshots_of(connection, leased, about))

    def _read(self, connection: Connection, batch: Sequence[Alert]) -> AlertBatch:
        open_ = incident_rows.unresolved(connection, {alert.key for alert in batch})
        heard = notification_rows.heard(connection, [incident.id for incident in open_.values()])
        return AlertBatch(open_, NotificationBatch(heard, self._new_id))

    def _add(self, draft: AlertBatch, alert: Alert) -> tuple[Alert, int]:
        """Let one alert take its place in the draft; tell how many messages became due."""
        now = alert.received_at
        before = draft.open.get(alert.key)
        waiting = before is not None and is_quiet(before, now, self._rules) and draft.messages.waiting(before)
        decision = decide(before, alert, now, self._rules, waiting=waiting)
        incident = self._incident(draft, before, alert, decision.step)
        choices = (
            [self._speak(draft, incident, target, decision.step, now) for target in self._targets] if incident else []
        )
        because = "; ".join(dict.fromkeys([decision.because, *(choice.because for choice in choices)]))
        stored = replace(alert, incident_id=incident.id if incident else None, grouping=because)
        draft.alerts.append(stored)
        return stored, sum(
            choice.due_at is None or choice.due_at <= now for choice in choices if not isinstance(choice, Skip)
        )

    def _incident(self, draft: AlertBatch, before: Incident | None, alert: Alert, step: Step) -> Incident | None:
        """Bring the incident to its state after the step."""
        now = alert.received_at
        if step is Step.NOTHING_TO_RESOLVE:
            return None
        if before is None or step is Step.REOPENED:
            if before:
                draft.put(replace(before, status=IncidentStatus.RESOLVED, resolved_at=now, resolved_by="silence"))
            after = self._open(alert)
            draft.opened[after.id] = after
        else:
            after = _joined(before, alert, step)
        draft.put(after, joined=step is Step.JOINED)
        return after

    def _open(self, alert: Alert) -> Incident:
        return Incident(
            id=self._new_id(alert.received_at),
            key=alert.key,
            status=IncidentStatus.OPEN,
            source=alert.source,
            event=alert.event,
            device=alert.device,
            severity=alert.severity,
            opened_at=alert.received_at,
            last_alert_at=alert.received_at,
            alert_count=1,
        )

    def _speak(self, draft: AlertBatch, incident: Incident, target: Target, step: Step, now: datetime) -> Choice:
        """Decide what one address hears, and draft it."""
        heard = draft.messages.heard(incident, target)
        if step is Step.RESOLVED:
            choice: Choice = on_resolution(heard, now)
        elif step is Step.ESCALATED:
            choice = on_escalation(incident, heard, now)
        else:
            choice = on_alert(incident, heard, now, self._rules.interval)
        draft.messages.take(incident, target, choice, now)
        return choice


def _joined(before: Incident, alert: Alert, step: Step) -> Incident:
    """Return the incident with one more alert."""
    after = replace(
        before,
        alert_count=before.alert_count + 1,
        last_alert_at=max(before.last_alert_at, alert.received_at),
        severity=max(before.severity, alert.severity, key=lambda severity: severity.rank),
    )
    if step is Step.ESCALATED:
        return replace(after, status=IncidentStatus.OPEN)  # worse than what was acknowledged
    if step is Step.RESOLVED:
        return replace(
            after, status=IncidentStatus.RESOLVED, resolved_at=alert.received_at, resolved_by=f"alert {alert.id}"
        )
    return after


def _handed_out(results: list[Recorded], leased: list[Snapshot]) -> list[Recorded]:
    """Give the leased messages of an incident to its first alert."""
    waiting: dict[str | None, list[Snapshot]] = {}
    for facts in leased:
        waiting.setdefault(facts.incident.id, []).append(facts)
    return [replace(result, leased=tuple(waiting.pop(result.incident_id, ()))) for result in results]


def _write(connection: Connection, draft: AlertBatch, grant: Grant | None) -> list[Notification]:
    incident_rows.join(connection, list(draft.joined.values()))
    incident_rows.save(connection, list(draft.changed.values()))
    incident_rows.add(connection, list(draft.opened.values()))
    alert_rows.add(connection, draft.alerts)
    return draft.messages.write(connection, grant)
