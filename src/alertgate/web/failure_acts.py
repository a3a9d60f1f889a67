"""What people do about failed notifications, by the API and in the console: retry one, dismiss one, dismiss all."""

from datetime import datetime
from functools import partial

import structlog

from alertgate.addresses import mask
from alertgate.credential import Credential
from alertgate.notify.dismiss import AT_A_TIME, Dismissal, Dismissed, DismissResult, dismiss
from alertgate.notify.replay import Replay, Replayed, ReplayResult, replay
from alertgate.store import failures
from alertgate.web.dependencies import Gate

log = structlog.stdlib.get_logger("alertgate.acts")


async def retry(gate: Gate, notification_id: str, by: str, credential: Credential) -> Replayed:
    """Send a failed notification again, if that can be."""
    told = gate.directory
    wanted = Replay(notification_id, credential, gate.clock.now(), told.targets, told.meant)
    done = await gate.store.write(lambda connection: replay(connection, wanted))
    if done.result is ReplayResult.PENDING and (again := done.notification):
        gate.deliverer.wake()
        facts = {"notification_id": again.id, "incident_id": again.incident_id, "to": mask(again.address)}
        log.info("notification.retried", by=by, credential=credential, **facts)
        await gate.failures.look()
    return done


async def dismiss_one(gate: Gate, notification_id: str, by: str, credential: Credential) -> Dismissed:
    """Say that nothing more need be done about a failed notification."""
    wanted = Dismissal(notification_id, by, credential, gate.clock.now())
    done = await gate.store.write(lambda connection: dismiss(connection, wanted))
    if done.result is DismissResult.DISMISSED and (one := done.notification):
        facts = {"notification_id": one.id, "incident_id": one.incident_id, "to": mask(one.address)}
        log.info("notification.dismissed", by=by, credential=credential, **facts)
        await gate.failures.look()
    return done


async def dismiss_all(gate: Gate, by: str, credential: Credential, until: datetime | None = None) -> int:
    """Dismiss all failures that are outstanding, or were at a time; return how many."""
    now, number = gate.clock.now(), 0
    ids = await gate.store.read(partial(failures.ids, until=until))
    for start in range(0, len(ids), AT_A_TIME):
        some = ids[start : start + AT_A_TIME]
        number += await gate.store.write(partial(failures.dismiss, which=some, by=by, credential=credential, now=now))
    if number:
        log.info("notifications.dismissed", by=by, credential=credential, number=number)
    await gate.failures.look()
    return number
