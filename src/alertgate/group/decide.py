"""Which incident an alert belongs to, and what that changes. Pure: facts and a time in, a named decision out."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from alertgate.config import GroupingRules
from alertgate.model import Alert, Incident, IncidentStatus, Signal, Source


class Step(StrEnum):
    """What an alert does to the incidents with its key."""

    OPENED = "opened"  # none was open: a new incident
    REOPENED = "reopened"  # one was open, but quiet for too long: it resolves in silence, and a new one opens
    JOINED = "joined"  # one is open: this alert is part of it
    ESCALATED = "escalated"  # one is open, and this alert is worse than all before
    RESOLVED = "resolved"  # this alert ends the open one
    NOTHING_TO_RESOLVE = "nothing-to-resolve"  # it says "resolved", and nothing is open


@dataclass(frozen=True, slots=True)
class Decision:
    """A step with its reason in words, for the alert's trail."""

    step: Step
    because: str


def decide(
    incident: Incident | None, alert: Alert, now: datetime, rules: GroupingRules, *, waiting: bool = False
) -> Decision:
    """Decide what `alert` does to `incident`, the unresolved one with its key, if there is one.

    `waiting`: somebody is still to be told of the incident, so it can't be over in silence.
    """
    if incident is None:
        return _first(alert)
    if alert.signal is Signal.RESOLVED:
        return Decision(Step.RESOLVED, f"resolved incident {incident.id}")
    if is_quiet(incident, now, rules) and not waiting:
        minutes = rules.resolve_after.total_seconds() / 60
        return Decision(
            Step.REOPENED, f"opened a new incident, because {incident.id} was quiet for over {minutes:g} min"
        )
    if alert.severity.rank > incident.severity.rank:
        return Decision(
            Step.ESCALATED, f"joined incident {incident.id} and raised it from {incident.severity} to {alert.severity}"
        )
    return Decision(Step.JOINED, f"joined incident {incident.id}")


def _first(alert: Alert) -> Decision:
    """Decide about an alert for which no incident is open."""
    if alert.signal is not Signal.RESOLVED:
        return Decision(Step.OPENED, "opened the incident, because none was open for it")
    if alert.source is Source.PARTICLE:
        # A device's data is its own affair: what looks like an end must not make an alert vanish.
        return Decision(Step.OPENED, "says resolved, but no incident was open for it: told like any other")
    return Decision(Step.NOTHING_TO_RESOLVE, "says resolved, but no incident is open for it")


def is_quiet(incident: Incident, now: datetime, rules: GroupingRules) -> bool:
    """Tell whether an unresolved incident has had no alert for RESOLVE_AFTER."""
    return incident.status is not IncidentStatus.RESOLVED and now - incident.last_alert_at >= rules.resolve_after
