"""Whether and when to notify a contact, and why. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from alertgate.model import ContactState, Incident, IncidentStatus, Kind


class PlanReason(StrEnum):
    """Why a contact is told now, later, or not about this alert."""

    FIRST = "first"  # the contact wasn't told about this incident yet
    FIRST_AFTER_FAILURE = "first_after_failure"  # the same, but a notification failed within the group interval
    UPDATE = "update"  # the contact was last told longer ago than the group interval
    UPDATE_LATER = "update_later"  # the contact was told within the group interval: the update waits for its end
    ROSE = "rose"  # the severity rose
    RESOLVED = "resolved"  # the incident is resolved
    ACKNOWLEDGED = "acknowledged"  # somebody acknowledged the incident
    PENDING_SAYS_IT = "pending_says_it"  # a pending notification will report it
    NEVER_TOLD = "never_told"  # the contact was never told about this incident, so not about its end either


@dataclass(frozen=True, slots=True)
class Plan:
    """Plan a new notification."""

    kind: Kind
    due_at: datetime
    reason: PlanReason


@dataclass(frozen=True, slots=True)
class Expedite:
    """Send the pending notification at `due_at`; None keeps its time, because it waits for a retry."""

    due_at: datetime | None
    kind: Kind
    """The new kind of the pending notification, if it is an update."""
    reason: PlanReason


@dataclass(frozen=True, slots=True)
class Skip:
    """Plan nothing new."""

    reason: PlanReason


Choice = Plan | Expedite | Skip


def is_due(choice: Choice, now: datetime) -> bool:
    """Return whether a choice makes a notification due now."""
    return not isinstance(choice, Skip) and choice.due_at is not None and choice.due_at <= now


def on_alert(incident: Incident, state: ContactState, now: datetime, interval: timedelta) -> Choice:
    """Decide whether and when one contact is told about an alert that opened or joined `incident`."""
    if incident.status is IncidentStatus.ACKNOWLEDGED:
        return Skip(PlanReason.ACKNOWLEDGED)
    if state.pending_id:
        return Skip(PlanReason.PENDING_SAYS_IT)
    if state.told_at is None:
        return _first(state, now, interval)
    if state.told_at + interval <= now:
        return Plan(Kind.UPDATE, now, PlanReason.UPDATE)
    return Plan(Kind.UPDATE, state.told_at + interval, PlanReason.UPDATE_LATER)


def on_rise(state: ContactState, now: datetime) -> Choice:
    """Decide how one contact is told about a rise in severity: always at once."""
    if state.pending_id:
        return _expedite(state, Kind.ESCALATION, now, PlanReason.ROSE)
    return Plan(Kind.ESCALATION, now, PlanReason.ROSE)


def on_resolution(state: ContactState, now: datetime) -> Choice:
    """Decide whether one contact is told about the end: once, and only if it was or will be told of the beginning."""
    if state.pending_id:
        return _expedite(state, Kind.RESOLUTION, now, PlanReason.RESOLVED)
    if state.told_at is None:
        return Skip(PlanReason.NEVER_TOLD)
    return Plan(Kind.RESOLUTION, now, PlanReason.RESOLVED)


def _first(state: ContactState, now: datetime, interval: timedelta) -> Plan:
    """Plan the first notification. After a failure it waits, so that not every alert attempts a failing contact."""
    if state.failed_at is None or state.failed_at + interval <= now:
        return Plan(Kind.OPENING, now, PlanReason.FIRST)
    return Plan(Kind.OPENING, state.failed_at + interval, PlanReason.FIRST_AFTER_FAILURE)


def _expedite(state: ContactState, kind: Kind, now: datetime, reason: PlanReason) -> Expedite:
    # A notification that waits for a retry keeps its time, so that a failing server isn't hammered.
    return Expedite(None if state.pending_attempts else now, kind, reason)


def sentence(choice: Choice, incident: Incident, state: ContactState) -> str:
    """Return a choice as a sentence for the trail; times are in UTC."""
    match choice:
        case Plan(_, due_at, PlanReason.FIRST_AFTER_FAILURE):
            return f"due at {due_at:%H:%M:%S}, because a notification failed at {state.failed_at:%H:%M:%S} UTC"
        case Plan(_, due_at, PlanReason.UPDATE_LATER):
            return f"update due at {due_at:%H:%M:%S}, because told at {state.told_at:%H:%M:%S} UTC"
        case Plan(reason=PlanReason.UPDATE):
            return f"last told at {state.told_at:%H:%M:%S} UTC, longer ago than the group interval"
        case Expedite(reason=PlanReason.RESOLVED):
            return "resolved; the pending notification will say it"
    return _SENTENCES[choice.reason].format(incident=incident)


_SENTENCES = {
    PlanReason.ROSE: "severity rose to {incident.severity}",
    PlanReason.ACKNOWLEDGED: "acknowledged by {incident.acknowledged_by}",
    PlanReason.FIRST: "nothing was said about this incident yet",
    PlanReason.PENDING_SAYS_IT: "the pending notification will say it",
    PlanReason.RESOLVED: "resolved",
    PlanReason.NEVER_TOLD: "never told about this incident",
}
