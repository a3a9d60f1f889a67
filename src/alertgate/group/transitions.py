"""Decide how a person's action changes an incident. Pure."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from alertgate.credential import Credential
from alertgate.local_time import zone_name
from alertgate.model import Incident, IncidentStatus, Resolution
from alertgate.states import TRANSITIONS


class TransitionResult(StrEnum):
    """Whether the action changed the incident."""

    CHANGED = "changed"  # it has the new state
    ALREADY = "already"  # it had that state before; the first person stays on record
    REFUSED = "refused"  # there is no transition from its state to the new one


@dataclass(frozen=True, slots=True)
class Transition:
    """A result with its reason as a sentence, and the incident afterwards."""

    result: TransitionResult
    incident: Incident
    reason: str


def acknowledge(incident: Incident, by: str, credential: Credential, now: datetime) -> Transition:
    """Decide how `incident` changes when `by` acknowledges it, with `credential`, also if it was snoozed."""
    return _transition(incident, _acknowledged(incident, by, credential, now, None), f"acknowledged by {by}")


def snooze(incident: Incident, by: str, credential: Credential, until: datetime, now: datetime) -> Transition:
    """Decide how `incident` changes when `by` acknowledges it until a time, in the readers' zone.

    Another snooze replaces one.
    """
    after = _acknowledged(incident, by, credential, now, until.astimezone(UTC))
    return _transition(incident, after, f"snoozed by {by} until {until:%Y-%m-%d %H:%M} {zone_name(until)}")


def _acknowledged(
    incident: Incident, by: str, credential: Credential, now: datetime, until: datetime | None
) -> Incident:
    return replace(
        incident,
        status=IncidentStatus.ACKNOWLEDGED,
        acknowledged_at=now,
        acknowledged_by=by,
        acknowledged_with=credential,
        acknowledged_changes=incident.changes,
        snoozed_until=until,
        handed_back_at=None,
        handed_back_by=None,
        handed_back_with=None,
    )


def hand_back(incident: Incident, by: str, credential: Credential, now: datetime) -> Transition:
    """Decide how `incident` changes when `by` says, with `credential`, that whoever has it can't do it after all.

    It is open as once a snooze is over: who had it stays on record.
    """
    after = replace(
        incident,
        status=IncidentStatus.OPEN,
        acknowledged_changes=None,
        handed_back_at=now,
        handed_back_by=by,
        handed_back_with=credential,
    )
    return _transition(incident, after, f"handed back by {by}")


def resolve(incident: Incident, by: str, credential: Credential, now: datetime) -> Transition:
    """Decide how `incident` changes when `by` resolves it, with `credential`."""
    after = replace(
        incident,
        status=IncidentStatus.RESOLVED,
        resolved_at=now,
        resolution=Resolution.PERSON,
        resolved_by=by,
        resolved_with=credential,
    )
    return _transition(incident, after, f"resolved by {by}")


def _transition(before: Incident, after: Incident, reason: str) -> Transition:
    if before.status is after.status and before.snoozed_until == after.snoozed_until:
        return Transition(TransitionResult.ALREADY, before, f"it is already {before.status}")
    # Alerts alone reopen an incident that is over, so a person's act on a resolved one is refused.
    legal = {before.status, *TRANSITIONS[before.status]}
    if before.status is IncidentStatus.RESOLVED or after.status not in legal:
        reason = f"it is {before.status}, and can no longer become {after.status}"
        return Transition(TransitionResult.REFUSED, before, reason)
    return Transition(TransitionResult.CHANGED, after, reason)
