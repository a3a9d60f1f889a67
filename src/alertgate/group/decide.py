"""Decide which incident an alert belongs to, and how it changes that incident. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from alertgate.model import Alert, Incident, IncidentStatus, Resolution, Signal
from alertgate.rules import GroupingRules


class GroupReason(StrEnum):
    """What an alert did to the incidents with its key, and why."""

    OPENED = "opened"  # no incident was open
    OPENED_AFTER_SILENCE = "opened_after_silence"  # the open one had no alert for RESOLVE_AFTER, so it is resolved
    JOINED = "joined"  # one is open, and this alert is part of it
    ROSE = "rose"  # one is open, and this alert is more severe than all before
    RESOLVED = "resolved"  # this alert resolves the open one
    NOTHING_TO_RESOLVE = "nothing_to_resolve"  # it says "resolved", and none is open


@dataclass(frozen=True, slots=True)
class Decision:
    """The incident after an alert, and why; `incident` is None if the alert belongs to none.

    `ended` is the previous incident, if the decision resolved it because it had no alert for RESOLVE_AFTER.
    """

    reason: GroupReason
    incident: Incident | None
    ended: Incident | None = None


def decide(
    current: Incident | None, alert: Alert, rules: GroupingRules, *, new_id: str, waiting: bool = False
) -> Decision:
    """Decide what `alert` does to `current`, the unresolved incident with its key, if there is one.

    `new_id` is the id of the incident that it may open. `waiting`: a notification about `current` isn't sent yet, so
    `current` stays open even after RESOLVE_AFTER without an alert.
    """
    now = alert.received_at
    if current is None and alert.signal is Signal.RESOLVED:
        # A late or repeated all-clear, or a state that a device reports at its start: an alarm would be wrong.
        return Decision(GroupReason.NOTHING_TO_RESOLVE, None)
    if current is None:
        return Decision(GroupReason.OPENED, _opened(alert, new_id))
    if alert.signal is Signal.RESOLVED:
        return Decision(GroupReason.RESOLVED, _resolved(_joined(current, alert), alert))
    if is_quiet(current, now, rules) and not waiting:
        ended = replace(current, status=IncidentStatus.RESOLVED, resolved_at=now, resolution=Resolution.SILENCE)
        return Decision(GroupReason.OPENED_AFTER_SILENCE, _opened(alert, new_id), ended)
    if alert.severity.rank > current.severity.rank:
        # An acknowledged incident is open again: this is worse than what was acknowledged.
        return Decision(GroupReason.ROSE, replace(_joined(current, alert), status=IncidentStatus.OPEN))
    return Decision(GroupReason.JOINED, _joined(current, alert))


def is_quiet(incident: Incident, now: datetime, rules: GroupingRules) -> bool:
    """Tell whether an unresolved incident has had no alert for RESOLVE_AFTER."""
    return incident.status is not IncidentStatus.RESOLVED and now - incident.last_alert_at >= rules.resolve_after


def sentence(decision: Decision, rules: GroupingRules) -> str:
    """Return a sentence about a decision, for an alert's trail."""
    match decision:
        case Decision(GroupReason.OPENED_AFTER_SILENCE, _, Incident() as ended):
            minutes = rules.resolve_after.total_seconds() / 60
            return f"opened a new incident, because {ended.id} had no alert for {minutes:g} min"
        case Decision(GroupReason.JOINED, Incident() as incident):
            return f"joined incident {incident.id}"
        case Decision(GroupReason.ROSE, Incident() as incident):
            return f"joined incident {incident.id} and raised it to {incident.severity}"
        case Decision(GroupReason.RESOLVED, Incident() as incident):
            return f"resolved incident {incident.id}"
    return _SENTENCES[decision.reason]


_SENTENCES = {
    GroupReason.OPENED: "opened the incident, because none was open for it",
    GroupReason.NOTHING_TO_RESOLVE: "says resolved, but no incident is open for it; nobody is told",
}


def _opened(alert: Alert, new_id: str) -> Incident:
    return Incident(
        id=new_id,
        key=alert.incident_key,
        status=IncidentStatus.OPEN,
        source=alert.source,
        event=alert.event,
        device=alert.device,
        severity=alert.severity,
        opened_at=alert.received_at,
        last_alert_at=alert.received_at,
        alert_count=1,
    )


def _joined(current: Incident, alert: Alert) -> Incident:
    """Return the incident with one more alert."""
    return replace(
        current,
        alert_count=current.alert_count + 1,
        last_alert_at=max(current.last_alert_at, alert.received_at),
        severity=max(current.severity, alert.severity, key=lambda severity: severity.rank),
    )


def _resolved(incident: Incident, alert: Alert) -> Incident:
    return replace(
        incident,
        status=IncidentStatus.RESOLVED,
        resolved_at=alert.received_at,
        resolution=Resolution.ALERT,
        resolved_by=alert.id,
    )
