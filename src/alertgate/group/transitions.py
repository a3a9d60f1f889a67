"""What a person's word does to an incident. Pure: the incident, a name and a time in, a named decision out."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from alertgate.model import TRANSITIONS, Incident, IncidentStatus


class Verdict(StrEnum):
    """What came of it."""

    CHANGED = "changed"  # the incident has the new state
    ALREADY = "already"  # it had it before; the first one to say so stays on record
    REFUSED = "refused"  # the new state can't be reached from the present one


@dataclass(frozen=True, slots=True)
class Transition:
    """A verdict with its reason in words, and the incident as it stands afterwards."""

    verdict: Verdict
    incident: Incident
    because: str


def acknowledge(incident: Incident, by: str, now: datetime) -> Transition:
    """Decide what it does that `by` knows of the incident."""
    after = replace(incident, status=IncidentStatus.ACKNOWLEDGED, acknowledged_at=now, acknowledged_by=by)
    return _rule(incident, after, f"acknowledged by {by}")


def resolve(incident: Incident, by: str, now: datetime) -> Transition:
    """Decide what it does that `by` calls the incident over."""
    after = replace(incident, status=IncidentStatus.RESOLVED, resolved_at=now, resolved_by=by)
    return _rule(incident, after, f"resolved by {by}")


def _rule(before: Incident, after: Incident, because: str) -> Transition:
    if before.status is after.status:
        return Transition(Verdict.ALREADY, before, f"it is {before.status} already")
    if after.status not in TRANSITIONS[before.status]:
        return Transition(Verdict.REFUSED, before, f"it is {before.status}, and can't become {after.status} any more")
    return Transition(Verdict.CHANGED, after, because)
