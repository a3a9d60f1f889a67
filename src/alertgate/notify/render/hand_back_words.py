"""What is said of incidents that were handed back, so that nobody has them. Pure."""

from collections.abc import Sequence

from alertgate.model import Incident, IncidentStatus
from alertgate.notify.course import listed
from alertgate.notify.render.text import one_line


def is_handed_back(incident: Incident) -> bool:
    """Return whether nobody has it because whoever had it can't after all."""
    return incident.status is IncidentStatus.OPEN and incident.handed_back_at is not None


def handed_back(incident: Incident) -> str | None:
    """Say who can't after all, and by whose word if it isn't their own; None if it wasn't handed back."""
    if not is_handed_back(incident):
        return None
    had, by = (one_line(name or "somebody", 60) for name in (incident.acknowledged_by, incident.handed_back_by))
    return f"{cannot([incident])}{'' if had.casefold() == by.casefold() else f', says {by}'}: nobody has it."


def all_handed_back(incidents: Sequence[Incident]) -> str | None:
    """Say the same of all of these; None if one of them wasn't handed back."""
    return f"{cannot(incidents)}: nobody has them." if all(map(is_handed_back, incidents)) else None


def cannot(incidents: Sequence[Incident]) -> str:
    """Say that those who had these incidents, or still have them, can't after all."""
    names = sorted({one_line(each.acknowledged_by or "somebody", 60) for each in incidents})
    return f"{listed(tuple(names))} can't after all"
