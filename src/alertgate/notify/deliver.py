"""The delivery loop: claim what is due, a few more messages than can be sent at once, and queue them in their lanes.

A claim takes a lease, so that no other process sends the same. The lane's senders attempt a message and record the
outcome.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from types import MappingProxyType

import structlog

from alertgate.clock import Clock
from alertgate.errors import StoreUnavailable
from alertgate.metrics import Metrics
from alertgate.model import ChannelName
from alertgate.notify.attempt import Sender
from alertgate.notify.breaker import ChannelState
from alertgate.notify.budget import Budget, Usage
from alertgate.notify.channels.base import Channel, Reason, Transient
from alertgate.notify.claim import Claim, Claimer
from alertgate.notify.delivery_log import LONGEST, cut
from alertgate.notify.lane import Claimed, DeliveryTimes, Lane
from alertgate.notify.upkeep import NotificationUpkeep
from alertgate.store import leases, untold, upkeep
from alertgate.store.engine import Store

SHORTEST_PAUSE = 0.05
"""Seconds between two rounds that nothing woke."""

log = structlog.stdlib.get_logger("alertgate.deliver")


class Deliverer:
    """Delivers due notifications, on each channel as many at a time as the channel allows.

    `owner` identifies this process in leases; `chance` returns a random number from 0 to 1.
    """

    def __init__(
        self,
        store: Store,
        channels: Iterable[Channel],
        claimer: Claimer,
        sender: Sender,
        upkeep: NotificationUpkeep,
        clock: Clock,
        metrics: Metrics,
        *,
        owner: str,
        chance: Callable[[], float],
        times: DeliveryTimes,
    ) -> None:
        self._store = store
        self._claimer = claimer
        self._upkeep = upkeep
        self._clock = clock
        self._metrics = metrics
        self._owner = owner
        self._advise = sender.advise
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
        self._poll_every = times.poll_every
        self._again_at: list[datetime] = []
        """When something that waits in a flood may go, as the last round found."""
        self._resumed: dict[ChannelName, frozenset[str]] = dict.fromkeys(self._lanes, frozenset())
        """Channels whose waiting retries are to be made due, but for these recipients, whose services asked to wait.

        All, at the start: it may be that of an operator who has mended what was wrong, and no pause is known whose end
        would make them due.
        """
        self._stopping = False
        self._loop: asyncio.Task[None] | None = None
        self.last_round: float | None = None
        """When the last round began, by the monotonic clock; the health check reads it."""

    @property
    def states(self) -> Mapping[ChannelName, ChannelState]:
        """The state of each channel."""
        return MappingProxyType({name: lane.state for name, lane in self._lanes.items()})

    @property
    def budgets(self) -> Mapping[str, Budget]:
        """How much of each account's daily limit is used."""
        return self._upkeep.budgets

    @property
    def usage(self) -> Mapping[str, Usage]:
        """How many messages that is; of no account before the first measurement."""
        return self._upkeep.usage

    @property
    def here(self) -> frozenset[str]:
        """The ids of the notifications that this process has claimed and not finished."""
        return frozenset().union(*(lane.here for lane in self._lanes.values()))

    async def start(self) -> None:
        """Release what an earlier run of this process left behind, then start the loop."""
        if self._store.dialect == "sqlite":  # nobody else can hold a lease on this file
            now = self._clock.now()
            unsure = [name for name, lane in self._lanes.items() if not lane.channel.repeats_safely]
            released = await self._store.write(partial(leases.release_all, now=now, unsure=unsure))
            if released:
                log.info(
                    "notifications.released",
                    detail="the service ended while they were being sent; pending again",
                    number=len(released),
                )
        for lane in self._lanes.values():
            lane.start()
        self._loop = asyncio.create_task(self._run(), name="deliver")

    async def stop(self, timeout: float) -> None:  # noqa: ASYNC109  (a grace period, not a cancellation)
        """Stop claiming, let running sends finish, and release the remaining leases."""
        self._stopping = True
        self._wake.set()
        if self._loop:
            await asyncio.wait([self._loop], timeout=timeout)  # it may be blocked on a database that hangs
            self._loop.cancel()
        await asyncio.gather(*(lane.stop(timeout) for lane in self._lanes.values()))
        owner, now = self._owner, self._clock.now()
        unsure = {id_ for lane in self._lanes.values() for id_ in lane.cut_off}
        try:
            async with asyncio.timeout(timeout):
                await self._store.write(partial(leases.release_owned, owner=owner, now=now, unsure=unsure))
        except (StoreUnavailable, TimeoutError):
            log.warning("notifications.unreleased", detail="leases couldn't be released; they expire within a minute")
        await asyncio.gather(*(lane.channel.close() for lane in self._lanes.values()))

    def wake(self) -> None:
        """Start the next round at once, because something became due."""
        self._wake.set()

    async def _run(self) -> None:
        while not self._stopping:
            self.last_round = self._clock.monotonic()
            self._wake.clear()
            try:
                await self._upkeep.run_if_due(self.here, self.states)
                await self._bring_forward()
                self._again_at = []
                due = await self._store.read(partial(untold.with_due, channels=self._lanes, now=self._clock.now()))
                for lane in self._lanes.values():
                    await self._fill(lane, is_due=lane.channel.name in due)
            except StoreUnavailable as error:
                log.error("delivery.waits", detail="due notifications can't be claimed; retrying", error=str(error))  # noqa: TRY400
            except Exception:
                log.exception("delivery.defect", detail="this is a defect in alertgate; the loop continues")
            try:
                await asyncio.wait_for(self._wake.wait(), self._pause())
            except TimeoutError:
                continue

    def _pause(self) -> float:
        """Return for how many seconds to wait if nothing wakes the loop."""
        now = self._clock.now()
        return min([self._poll_every, *(max((at - now).total_seconds(), SHORTEST_PAUSE) for at in self._again_at)])

    async def _fill(self, lane: Lane, *, is_due: bool) -> None:
        """Claim due messages for a lane, as many as it has room for. A probe is tried also where nothing is due."""
        now = self._clock.now()
        room = lane.room(now)
        # What a contact missed goes as one message, so not before all of it is due.
        resumed = lane.channel.name in self._resumed
        if not room.slots or resumed or self._stopping:
            lane.more_is_due = True  # whatever woke this round is still waiting
            return
        if not (is_due or room.probe):
            lane.more_is_due = False
            return
        state = lane.state
        wanted = Claim(
            lane.channel.name,
            room.slots,
            now,
            probe=room.probe,
            without=room.without,
            paused_at=state.paused_at,
            holds_own=state.holds_own(now),
            in_doubt=state.in_doubt,
            tried=state.tried,
        )
        claimed_at = asyncio.get_running_loop().time()
        claimed = await self._store.write(lambda connection: self._claimer.claim(connection, wanted))
        lane.more_is_due = len(claimed.messages) == room.slots
        for outgoing in claimed.messages:
            lane.put(Claimed(outgoing, claimed_at, wanted.probe))
        if claimed.again_at:
            self._again_at.append(claimed.again_at)
        if claimed.works_elsewhere:
            lane.trust(now)
        elif room.probe and claimed.nothing_to_probe_with:
            lane.rehearse()

    async def _bring_forward(self) -> None:
        """Make the waiting retries of channels that work again, or may do so, due now."""
        for name, without in tuple(self._resumed.items()):
            await self._store.write(partial(upkeep.bring_forward, channel=name, without=without, now=self._clock.now()))
            del self._resumed[name]

    def _on_change(self, name: ChannelName, before: ChannelState, state: ChannelState) -> None:
        """Log that a channel was paused or resumed. On a resume, have its waiting retries made due."""
        if (before.up, before.in_doubt) == (state.up, state.in_doubt):
            return
        self._metrics.channel_state(name, up=state.up)
        if state.up:
            log.warning(
                "channel.resumed",
                detail="it works again; what waits is due now, with what was given up on meanwhile",
                channel=name,
                paused_at=str(before.paused_at),
            )
            self._resumed[name] = before.asked_to_be_left(self._clock.now()).difference(state.evidence.accepted)
            self._wake.set()
        else:
            remedy = self._advise(name, Transient(state.reason or Reason.UNCLEAR, state.reply))
            detail = f"{_IN_DOUBT if state.in_doubt else _PAUSED}: {remedy}"
            log.error(
                "channel.paused",
                detail=detail,
                channel=name,
                reason=state.reason,
                reply=cut(state.reply, LONGEST - len(detail)),
                probe_at=state.probe_at.isoformat(timespec="seconds") if state.probe_at else None,
            )


_PAUSED = "its notifications wait; one at a time is tried"
_IN_DOUBT = "this recipient's notifications wait, others are sent"
