"""Store alerts, their incidents and their notifications in one commit.

This is the I/O around the pure decisions: read the current state, let `group` and `notify.plan` decide about each
alert, write the results.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from alertgate.group import decide as grouping
from alertgate.group.decide import Decision, GroupReason, decide
from alertgate.model import Alert, AlertStatus, Incident, IncidentStatus, Target
from alertgate.notify import plan
from alertgate.notify.batch import NotificationBatch
from alertgate.notify.plan import Choice, is_due, on_alert, on_resolution, on_rise
from alertgate.rules import GroupingRules
from alertgate.store import Connection
from alertgate.store import alerts as alert_rows
from alertgate.store import incidents as incident_rows
from alertgate.store import notifications as notification_rows


class Result(StrEnum):
    """The result of recording an alert; also a metric label."""

    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The result for one alert; `alert_id` is the id of the earlier alert if this one is a duplicate."""

    result: Result
    alert_id: str
    incident_id: str | None
    due: int = 0
    """How many notifications it made due."""
    reason: str | None = None
    """What it did to its incident, and who is notified when, as a sentence."""


@dataclass(slots=True)
class AlertBatch:
    """What one transaction has read, and what it will write."""

    unresolved: dict[str, Incident]
    """The unresolved incidents, by key."""
    notifications: NotificationBatch
    opened: dict[str, Incident] = field(default_factory=dict)
    joined: dict[str, Incident] = field(default_factory=dict)
    changed: dict[str, Incident] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)

    def put(self, decision: Decision) -> None:
        """Add the incidents that a decision changed."""
        if decision.ended:
            self._replace(decision.ended)
        if decision.incident is None:
            return
        if decision.reason is GroupReason.JOINED:
            self._join(decision.incident)
        elif decision.incident.alert_count == 1:
            self.opened[decision.incident.id] = decision.incident
        else:
            self._replace(decision.incident)
        self._remember(decision.incident)

    def _join(self, incident: Incident) -> None:
        """Add an incident that only gained an alert, which is cheaper to write than other changes."""
        for others in (self.opened, self.changed):
            if incident.id in others:
                others[incident.id] = incident
                return
        self.joined[incident.id] = incident

    def _replace(self, incident: Incident) -> None:
        if incident.id in self.opened:
            self.opened[incident.id] = incident
        else:
            self.joined.pop(incident.id, None)
            self.changed[incident.id] = incident

    def _remember(self, incident: Incident) -> None:
        if incident.status is IncidentStatus.RESOLVED:
            self.unresolved.pop(incident.key, None)
        else:
            self.unresolved[incident.key] = incident

    def write(self, connection: Connection) -> None:
        """Write the batch to the store."""
        incident_rows.join(connection, list(self.joined.values()))
        incident_rows.save(connection, list(self.changed.values()))
        incident_rows.add(connection, list(self.opened.values()))
        alert_rows.add(connection, self.alerts)
        self.notifications.write(connection)


class Recorder:
    """Records alerts and plans notifications to `targets`. `new_id` returns an id for a time."""

    def __init__(self, rules: GroupingRules, targets: Sequence[Target], new_id: Callable[[datetime], str]) -> None:
        self._rules = rules
        self._targets = targets
        self._new_id = new_id

    def record(self, connection: Connection, alerts: Sequence[Alert]) -> list[Recorded]:
        """Store alerts in the open transaction; `Store.write_batch` calls it."""
        known = alert_rows.known(connection, {alert.repeat_key for alert in alerts if alert.repeat_key})
        batch = self.read(connection, alerts)
        results = []
        for alert in alerts:
            if alert.repeat_key and (first := known.get(alert.repeat_key)):
                results.append(Recorded(Result.DUPLICATE, first.id, first.incident_id))
                continue
            recorded = self.add(batch, alert)
            if alert.repeat_key:
                known[alert.repeat_key] = alert_rows.Known(recorded.alert_id, recorded.incident_id)
            results.append(recorded)
        batch.write(connection)
        return results

    def read(self, connection: Connection, alerts: Sequence[Alert]) -> AlertBatch:
        """Read the unresolved incidents of these alerts and the state of their contacts."""
        unresolved = incident_rows.unresolved(connection, {alert.incident_key for alert in alerts})
        states = notification_rows.contact_states(connection, [incident.id for incident in unresolved.values()])
        return AlertBatch(unresolved, NotificationBatch(states, self._new_id))

    def add(self, batch: AlertBatch, alert: Alert) -> Recorded:
        """Decide about one alert, and add the results to the batch."""
        now = alert.received_at
        current = batch.unresolved.get(alert.incident_key)
        waiting = current is not None and batch.notifications.is_waiting(current)
        decision = decide(current, alert, self._rules, new_id=self._new_id(now), waiting=waiting)
        batch.put(decision)
        planned = list(self._plan(batch.notifications, decision, now))
        sentences = [alert.reason, grouping.sentence(decision, self._rules), *(sentence for _, sentence in planned)]
        reason = "; ".join(dict.fromkeys(filter(None, sentences)))
        incident_id = decision.incident.id if decision.incident else None
        batch.alerts.append(replace(alert, incident_id=incident_id, reason=reason))
        result = Result.QUARANTINED if alert.status is AlertStatus.QUARANTINED else Result.ACCEPTED
        return Recorded(result, alert.id, incident_id, sum(is_due(choice, now) for choice, _ in planned), reason)

    def _plan(
        self, notifications: NotificationBatch, decision: Decision, now: datetime
    ) -> Iterator[tuple[Choice, str]]:
        """Decide what each contact is sent, and add it; yield each choice with its reason as a sentence."""
        incident = decision.incident
        if incident is None:
            return
        for target in self._targets:
            state = notifications.state(incident, target)
            if decision.reason is GroupReason.RESOLVED:
                choice = on_resolution(state, now)
            elif decision.reason is GroupReason.ROSE:
                choice = on_rise(state, now)
            else:
                choice = on_alert(incident, state, now, self._rules.interval)
            notifications.add(incident, target, choice, now)
            yield choice, plan.sentence(choice, incident, state)
