"""The delivery loop: claim what is due, a few more than can be sent at once, and put it in its channel's lane.

A notification is claimed with a lease first, so that no other process sends it too; the lane's senders attempt it and
record what became of it.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import Protocol

import structlog

from alertgate.addresses import mask_all
from alertgate.clock import Clock
from alertgate.errors import StoreUnavailable
from alertgate.metrics import Metrics
from alertgate.model import ChannelName
from alertgate.notify.attempt import Sender
from alertgate.notify.breaker import ChannelState
from alertgate.notify.budget import MAIL, Budget
from alertgate.notify.channels.base import Channel
from alertgate.notify.context import SHOWN_ALERTS, Snapshot
from alertgate.notify.lane import Claimed, DeliveryTimes, Lane
from alertgate.store import Connection, alerts, incidents, leases, upkeep
from alertgate.store.engine import Store
from alertgate.store.leases import Claim

LEASE = timedelta(seconds=60)
POLL = 1.0
"""Seconds between two looks when nothing wakes the loop: for what is due later, and what other replicas left."""

log = structlog.stdlib.get_logger("alertgate.deliver")


class Upkeep(Protocol):
    """What the loop does now and then before it claims."""

    async def run_if_due(self, here: frozenset[str]) -> Budget:
        """Do what is due, given the notifications in this process; return how much of the mail limit is used."""


class Deliverer:
    """Delivers what is due, on each channel as many at a time as the channel takes.

    `owner` names this process in leases; `chance` gives a number from 0 to 1.
    """

    def __init__(
        self,
        store: Store,
        channels: Iterable[Channel],
        sender: Sender,
        upkeep: Upkeep,
        clock: Clock,
        metrics: Metrics,
        *,
        owner: str,
        chance: Callable[[], float],
        times: DeliveryTimes,
    ) -> None:
        self._store = store
        self._upkeep = upkeep
        self._clock = clock
        self._metrics = metrics
        self._owner = owner
        self._wake = asyncio.Event()
        lane = partial(
            Lane,
            sender=sender,
            clock=clock,
            times=times,
            chance=chance,
            on_change=self._on_change,
            on_free=self._wake.set,
        )
        self._lanes = {channel.name: lane(channel) for channel in channels}
        for name in self._lanes:
            metrics.channel_state(name, up=True)
        self._budget = Budget.PLENTY
        self._stopping = False
        self._loop: asyncio.Task[None] | None = None
        self.last_round: float | None = None
        """When the loop last came round, by the monotonic clock: health looks at it."""

    @property
    def states(self) -> Mapping[ChannelName, ChannelState]:
        """How each channel is doing."""
        return MappingProxyType({name: lane.state for name, lane in self._lanes.items()})

    @property
    def budget(self) -> Budget:
        """How much of the mail account's daily limit is used."""
        return self._budget

    @property
    def here(self) -> frozenset[str]:
        """The ids of the notifications that are claimed by this process and not finished."""
        return frozenset().union(*(lane.here for lane in self._lanes.values()))

    async def start(self) -> None:
        """Release what an earlier run of this process left behind, then start the loop."""
        if self._store.dialect == "sqlite":  # nobody else can hold a lease on this file
            now = self._clock.now()
            left = await self._store.write(lambda connection: leases.release_all(connection, now))
            if left:
                log.info(
                    "notifications.released", detail="they were being sent when the service ended", number=len(left)
                )
        for lane in self._lanes.values():
            lane.start()
        self._loop = asyncio.create_task(self._run(), name="deliver")

    async def stop(self, timeout: float) -> None:  # noqa: ASYNC109  (a grace period, not a cancellation)
        """Claim nothing more, let what is being sent come to its end, and release the rest."""
        self._stopping = True
        self._wake.set()
        if self._loop:
            await asyncio.wait([self._loop], timeout=timeout)  # it may be waiting for a database that hangs
            self._loop.cancel()
        await asyncio.gather(*(lane.stop(timeout) for lane in self._lanes.values()))
        owner, now = self._owner, self._clock.now()
        try:
            async with asyncio.timeout(timeout):
                await self._store.write(lambda connection: leases.release_owned(connection, owner, now))
        except (StoreUnavailable, TimeoutError):
            log.warning("notifications.unreleased", detail="leases couldn't be released; they end within a minute")

    def wake(self) -> None:
        """Look at once: something became due."""
        self._wake.set()

    async def _run(self) -> None:
        while not self._stopping:
            self.last_round = self._clock.monotonic()
            self._wake.clear()
            try:
                self._budget = await self._upkeep.run_if_due(self.here)
                await asyncio.gather(*map(self._fill, self._lanes.values()))
            except StoreUnavailable as error:
                log.error("delivery.waits", detail="can't look for what is due; trying again", error=str(error))  # noqa: TRY400
            except Exception:
                log.exception("delivery.defect", detail="this is a defect in alertgate; the loop goes on")
            try:
                await asyncio.wait_for(self._wake.wait(), POLL)
            except TimeoutError:
                continue

    async def _fill(self, lane: Lane) -> None:
        """Claim what is due on a channel, as much as there is room for."""
        now = self._clock.now()
        free = lane.free_slots(now)
        if not free or self._stopping:
            return
        name = lane.channel.name
        wanted = Claim(
            name,
            free,
            self._owner,
            now,
            now + LEASE,
            probe=not lane.state.up,
            pressing_only=name in MAIL and self._budget is Budget.RESERVE,
        )
        claimed_at = asyncio.get_running_loop().time()
        claimed = await self._store.write(lambda connection: _claim(connection, wanted))
        lane.more_is_due = len(claimed) == free
        for snapshot in claimed:
            lane.put(Claimed(snapshot, claimed_at, wanted.probe))

    async def _on_change(self, name: ChannelName, before: ChannelState, state: ChannelState) -> None:
        """Log once that a channel is paused or works again; then what waited for a retry goes at once."""
        if before.up == state.up:
            return
        self._metrics.channel_state(name, up=state.up)
        if state.up:
            now = self._clock.now()
            waited = await self._store.write(lambda connection: upkeep.bring_forward(connection, name, now))
            log.warning(
                "channel.resumed",
                detail="it works again; what waited for a retry is due now",
                channel=name,
                paused_at=str(before.paused_at),
                number=waited,
            )
            self._wake.set()
        else:
            log.error(
                "channel.paused",
                detail="its notifications wait, and one is tried now and then",
                channel=name,
                reason=state.reason,
                reply=mask_all(state.reply),
                probe_at=str(state.probe_at),
            )


def _claim(connection: Connection, wanted: Claim) -> list[Snapshot]:
    """Lease what is due, and read what it says in the same transaction."""
    claimed = leases.claim(connection, wanted)
    ids = {notification.incident_id for notification in claimed}
    about = incidents.by_id(connection, ids)
    latest = {id_: tuple(alerts.latest(connection, id_, SHOWN_ALERTS)) for id_ in ids}
    return [Snapshot(each, about[each.incident_id], latest[each.incident_id]) for each in claimed]
