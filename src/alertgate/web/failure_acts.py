"""Retry and dismiss failed notifications, whoever asks: the API, or a button of the console."""

import structlog

from alertgate.addresses import mask
from alertgate.credential import Credential
from alertgate.model import Notification
from alertgate.notify.dismiss import Dismissal, Dismissed, DismissResult, dismiss
from alertgate.notify.replay import Replay, Replayed, ReplayResult, replay
from alertgate.web.dependencies import Gate

log = structlog.stdlib.get_logger("alertgate.api")


async def retry(gate: Gate, notification_id: str, credential: Credential, by: str = "api") -> Replayed:
    """Send a failed notification again: it is due now, and GIVE_UP_AFTER counts from now."""
    told = gate.directory
    wanted = Replay(notification_id, credential, gate.clock.now(), told.targets, told.meant)
    done = await gate.store.write(lambda connection: replay(connection, wanted))
    if done.notification and done.result is ReplayResult.PENDING:
        gate.deliverer.wake()
        log.info("notification.retried", by=by, credential=credential, **_facts(done.notification))
        await gate.failures.look()  # so that /health knows of it too
    return done


async def dismiss_one(gate: Gate, notification_id: str, by: str, credential: Credential) -> Dismissed:
    """Note that nothing more need be done about a failed notification: it is no longer outstanding."""
    wanted = Dismissal(notification_id, by, credential, gate.clock.now())
    done = await gate.store.write(lambda connection: dismiss(connection, wanted))
    if done.notification and done.result is DismissResult.DISMISSED:
        log.info("notification.dismissed", by=by, credential=credential, **_facts(done.notification))
        await gate.failures.look()
    return done


def _facts(about: Notification) -> dict[str, str]:
    return {"notification_id": about.id, "incident_id": about.incident_id, "to": mask(about.address)}
