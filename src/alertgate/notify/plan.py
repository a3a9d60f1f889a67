"""Whom to tell, how, and when, with the reason. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from alertgate.model import ContactState, Incident, IncidentStatus, Kind


class PlanReason(StrEnum):
    """Why a contact is told now, later, or not by this alert."""

    FIRST = "first"  # it was told nothing about this incident yet
    FIRST_AFTER_FAILURE = "first_after_failure"  # the same, but a notification to it failed within the group interval
    UPDATE = "update"  # it was last told longer ago than the group interval
    UPDATE_LATER = "update_later"  # it was told within the group interval: the update waits for its end
    ROSE = "rose"  # the severity rose
    RESOLVED = "resolved"  # the incident is over
    ACKNOWLEDGED = "acknowledged"  # somebody has acknowledged the incident
    PENDING_SAYS_IT = "pending_says_it"  # a notification is pending, and will say it
    NEVER_TOLD = "never_told"  # it was told nothing about this incident, and so needn't hear of its end


@dataclass(frozen=True, slots=True)
class Plan:
    """Plan a new notification."""

    kind: Kind
    due_at: datetime
    reason: PlanReason


@dataclass(frozen=True, slots=True)
class Expedite:
    """Send the pending notification at `due_at`; None leaves its time, because it waits for a retry."""

    due_at: datetime | None
    kind: Kind
    """What an update becomes by it."""
    reason: PlanReason


@dataclass(frozen=True, slots=True)
class Skip:
    """Say no more than is planned already."""

    reason: PlanReason


Choice = Plan | Expedite | Skip


def is_due(choice: Choice, now: datetime) -> bool:
    """Tell whether a choice makes a notification due now."""
    return not isinstance(choice, Skip) and (choice.due_at is None or choice.due_at <= now)


def on_alert(incident: Incident, state: ContactState, now: datetime, interval: timedelta) -> Choice:
    """Decide what one contact hears of an alert that joined, or opened, `incident`."""
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
    """Decide what one contact hears of an alert that raised the severity: it is told at once."""
    if state.pending_id:
        return _expedite(state, Kind.ESCALATION, now, PlanReason.ROSE)
    return Plan(Kind.ESCALATION, now, PlanReason.ROSE)


def on_resolution(state: ContactState, now: datetime) -> Choice:
    """Decide what one contact hears of the end: once, and only if it was told, or will be, of the beginning."""
    if state.pending_id:
        return _expedite(state, Kind.RESOLUTION, now, PlanReason.RESOLVED)
    if state.told_at is None:
        return Skip(PlanReason.NEVER_TOLD)
    return Plan(Kind.RESOLUTION, now, PlanReason.RESOLVED)


def _first(state: ContactState, now: datetime, interval: timedelta) -> Plan:
    """Tell a contact for the first time; one that refused a notification isn't tried for every alert."""
    if state.failed_at is None or state.failed_at + interval <= now:
        return Plan(Kind.OPENING, now, PlanReason.FIRST)
    return Plan(Kind.OPENING, state.failed_at + interval, PlanReason.FIRST_AFTER_FAILURE)


def _expedite(state: ContactState, kind: Kind, now: datetime, reason: PlanReason) -> Expedite:
    # A notification that waits for a retry keeps its time: its server is in trouble, and hammering it helps nobody.
    return Expedite(None if state.pending_attempts else now, kind, reason)


def sentence(choice: Choice, incident: Incident, state: ContactState) -> str:
    """Say a choice in words, for the trail; times are in UTC."""
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
