"""The periodic jobs that run beside requests and delivery."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from alertgate.accept import device_register, device_watch_job, own
from alertgate.group import sweep
from alertgate.periodic import Job, Periodic
from alertgate.policy import device_names
from alertgate.policy.keeper import FOLLOW_EVERY
from alertgate.prove import audit as auditing
from alertgate.prove import hourly, housekeeping
from alertgate.web.console import lookout
from alertgate.web.dependencies import Gate


@asynccontextmanager
async def background(gate: Gate) -> AsyncIterator[list[Job]]:
    """Yield the jobs, which the caller starts and stops."""
    async with _beats(gate) as beats:
        yield [*_always(gate), *gate.listeners, *beats]


@asynccontextmanager
async def _beats(gate: Gate) -> AsyncIterator[list[Periodic]]:
    """Yield the heartbeat job, if HEARTBEAT_URL is set."""
    settings = gate.settings
    if not settings.heartbeat_url:
        yield []
        return
    from alertgate.prove.heartbeat import Heartbeat, open_client  # noqa: PLC0415  (slow, and few installations need it)

    urls = [url.get_secret_value() for url in (settings.heartbeat_url, settings.heartbeat_fail_url) if url]
    async with open_client(*urls) as client:
        beat = Heartbeat(client, gate.auditor, *urls).beat
        yield [Periodic("heartbeat", settings.heartbeat_interval, beat)]


def _always(gate: Gate) -> list[Periodic]:
    settings, store, clock = gate.settings, gate.store, gate.clock

    retention = housekeeping.Retention(
        store,
        clock,
        settings.retention_days,
        lambda: gate.watch.is_disk_low,
        lambda: gate.directory.policy.people,
    )

    async def audit() -> None:
        await gate.auditor.run()

    async def escalate() -> None:
        if await gate.escalations.run():
            gate.deliverer.wake()

    return [
        Periodic("escalations", gate.poll_every, escalate),
        Periodic("follow", gate.poll_every, gate.follower.run),
        Periodic("sweep", sweep.EVERY, lambda: sweep.resolve_quiet(store, settings.grouping, clock)),
        Periodic("watch", own.EVERY, gate.watch.run),
        Periodic("device watch", device_watch_job.EVERY, gate.device_watch.run),
        Periodic("own alerts", own.EVERY, gate.own_alerts.run),
        Periodic("audit", auditing.EVERY, audit),
        Periodic("policy", FOLLOW_EVERY, gate.policies.follow),
        Periodic("device register", device_register.SETTLE_EVERY, lambda: gate.recorder.devices.settle(store, clock)),
        Periodic("device names", device_names.FOLLOW_EVERY, lambda: gate.device_names.follow(store)),
        Periodic("checkpoint", housekeeping.CHECKPOINT_EVERY, store.checkpoint),
        Periodic("retention", housekeeping.LOOK_EVERY, retention.run),
        *(_of_console(gate) if settings.console_enabled else ()),
    ]


def _of_console(gate: Gate) -> list[Periodic]:
    return [
        Periodic("console", lookout.EVERY, gate.lookout.look),
        Periodic("hourly", hourly.EVERY, gate.hourly.run),
    ]
