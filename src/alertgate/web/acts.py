"""The log's line about what a person did, whichever way they came."""

import structlog

from alertgate.group.actions import Action, Applied
from alertgate.group.transitions import TransitionResult
from alertgate.model import IncidentStatus

EVENTS = {IncidentStatus.ACKNOWLEDGED: "incident.acknowledged", IncidentStatus.RESOLVED: "incident.resolved"}
"""The log's event for the status that a person gave an incident."""

log = structlog.stdlib.get_logger("alertgate.acts")


def log_act(action: Action, applied: Applied) -> None:
    """Log an act, if it changed something."""
    transition = applied.transition
    if transition.result is not TransitionResult.CHANGED:
        return
    log.info(
        EVENTS[transition.incident.status],
        detail=transition.reason,
        incident_id=action.incident_id,
        by=action.by,
        credential=action.credential,
        cancelled=applied.cancelled,
        due=applied.due,
    )
