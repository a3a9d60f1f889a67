"""What a person does to an incident. Pure: the incident, a name and a time in, the transition out."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from alertgate.model import TRANSITIONS, Incident, IncidentStatus, Resolution


class TransitionResult(StrEnum):
    """Whether the incident has the new state."""

    CHANGED = "changed"  # it has the new state
    ALREADY = "already"  # it had it before; the first person to say so stays on record
    REFUSED = "refused"  # the new state can't be reached from the present one


@dataclass(frozen=True, slots=True)
class Transition:
    """A result with its reason in words, and the incident afterwards."""

    result: TransitionResult
    incident: Incident
    reason: str


def acknowledge(incident: Incident, by: str, now: datetime) -> Transition:
    """Decide what it does that `by` acknowledges the incident."""
    after = replace(incident, status=IncidentStatus.ACKNOWLEDGED, acknowledged_at=now, acknowledged_by=by)
    return _transition(incident, after, f"acknowledged by {by}")


def resolve(incident: Incident, by: str, now: datetime) -> Transition:
    """Decide what it does that `by` says that the incident is over."""
    after = replace(
        incident, status=IncidentStatus.RESOLVED, resolved_at=now, resolution=Resolution.PERSON, resolved_by=by
    )
    return _transition(incident, after, f"resolved by {by}")


def _transition(before: Incident, after: Incident, reason: str) -> Transition:
    if before.status is after.status:
        return Transition(TransitionResult.ALREADY, before, f"it is {before.status} already")
    if after.status not in TRANSITIONS[before.status]:
        reason = f"it is {before.status}, and can't become {after.status} any more"
        return Transition(TransitionResult.REFUSED, before, reason)
    return Transition(TransitionResult.CHANGED, after, reason)
