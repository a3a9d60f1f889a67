"""The log's lines about what people did, whichever way they came."""

from collections.abc import Iterable

import structlog

from alertgate.addresses import mask, mask_all
from alertgate.credential import Credential
from alertgate.group.actions import Action, Applied
from alertgate.group.transitions import TransitionResult
from alertgate.model import Incident, IncidentStatus
from alertgate.notify.test_send import TestSend
from alertgate.silence import Silence

EVENTS = {
    IncidentStatus.ACKNOWLEDGED: "incident.acknowledged",
    "snoozed": "incident.snoozed",
    IncidentStatus.OPEN: "incident.handed_back",
    IncidentStatus.RESOLVED: "incident.resolved",
}
"""The log's event for what a person did with an incident."""

log = structlog.stdlib.get_logger("alertgate.acts")


def log_act(action: Action, applied: Applied) -> None:
    """Log an act, if it changed something."""
    transition = applied.transition
    if transition.result is not TransitionResult.CHANGED:
        return
    if applied.silence:
        log_silence(applied.silence)
        return
    if applied.ended:
        for each in applied.ended:
            log_silence_end(each)
        return
    log.info(
        EVENTS[_what(transition.incident)],
        detail=transition.reason,
        incident_id=action.incident_id,
        by=action.by,
        credential=action.credential,
        cancelled=applied.cancelled,
        due=applied.due,
    )


def _what(incident: Incident) -> str:
    return "snoozed" if incident.is_snoozed else incident.status


def log_silence(new: Silence) -> None:
    """Log a new silence; its texts are people's own."""
    log.info(
        "silence.begun",
        detail="what is to be said of what it matches is held until its end",
        id=new.id,
        event_glob=new.event,
        device_glob=new.device,
        source_glob=new.source,
        begins_at=str(new.begins_at),
        ends_at=str(new.ends_at),
        by=new.author,
        credential=new.credential,
    )


def log_silence_end(ended: Silence) -> None:
    """Log that somebody has ended a silence."""
    log.info("silence.ended", detail="what it held is released", id=ended.id, by=ended.removed_by)


def log_tests(sent: Iterable[TestSend], by: str, credential: Credential) -> None:
    """Log the test messages that somebody has sent."""
    for one in sent:
        facts = {"to": mask(one.address), "sent": one.sent, "reply": mask_all(one.text)}
        log.info("test.sent", channel=one.channel, by=by, credential=credential, **facts)
