"""One channel at work: the notifications claimed for it, the tasks that send them, and how it is doing."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from alertgate.clock import Clock
from alertgate.model import ChannelName
from alertgate.notify.attempt import Attempted, Sender
from alertgate.notify.breaker import ChannelState, after
from alertgate.notify.channels.base import SEND_TIMEOUT, Channel
from alertgate.notify.context import MessageContext, Snapshot

AHEAD = 4
"""How many notifications are claimed for each that can be sent at the same time: a sender never waits for a claim."""

SENDERS = 2
"""How many tasks there are for each slot of the channel: while one records, another one sends."""

log = structlog.stdlib.get_logger("alertgate.deliver")


@dataclass(frozen=True, slots=True)
class DeliveryTimes:
    """In seconds. All count from before a claim, so that they end while the lease is surely ours."""

    queued_within: float = 5.0
    """A notification that waited longer for its turn is given back, for others or for a fresh lease."""
    send_within: float = SEND_TIMEOUT
    """For all attempts under one lease."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A notification that this process holds a lease of, with what it says."""

    snapshot: Snapshot
    at: float
    """By the event loop's clock, from before the claim."""
    probe: bool = False
    """Whether it is to find out if a paused channel works again."""

    @property
    def id(self) -> str:
        """The notification's id."""
        return self.snapshot.notification.id


class Lane:
    """Sends what is put in, as many at a time as the channel takes.

    `on_change` is told of each new state of the channel with the one before; `on_free` is called when there is room
    again and more may be due. `chance` gives a number from 0 to 1.
    """

    def __init__(
        self,
        channel: Channel,
        sender: Sender,
        clock: Clock,
        times: DeliveryTimes,
        *,
        chance: Callable[[], float],
        on_change: Callable[[ChannelName, ChannelState, ChannelState], Awaitable[None]],
        on_free: Callable[[], None],
    ) -> None:
        self.channel = channel
        self.state = ChannelState()
        self.more_is_due = False
        """Whether the last claim took all that there was room for."""
        self._sender = sender
        self._clock = clock
        self._times = times
        self._chance = chance
        self._on_change = on_change
        self._on_free = on_free
        self._capacity = channel.capacity * (1 + AHEAD)
        self._slots = asyncio.Semaphore(channel.capacity)
        self._queue: asyncio.Queue[Claimed | None] = asyncio.Queue(self._capacity)
        self._here: dict[str, Claimed] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    @property
    def here(self) -> frozenset[str]:
        """The ids of the notifications that wait here or are being sent."""
        return frozenset(self._here)

    def free_slots(self, now: datetime) -> int:
        """Return how many to claim now: none until half of the places are free, one to probe a paused channel."""
        free = self.state.free_slots(self._capacity, len(self._here), now)
        return free if free * 2 >= self._capacity or not self.state.up else 0

    def put(self, claimed: Claimed) -> None:
        """Take a notification for which there is a free slot."""
        self._here[claimed.id] = claimed
        self._queue.put_nowait(claimed)

    def start(self) -> None:
        """Start the senders."""
        self._tasks = [
            asyncio.create_task(self._send_all(), name=f"send-{self.channel.name}-{number}")
            for number in range(self.channel.capacity * SENDERS)
        ]

    async def stop(self, timeout: float) -> None:  # noqa: ASYNC109  (a grace period, not a cancellation)
        """Let what is being sent come to its end, and close the channel. What waits is left to be released."""
        self._stopping = True
        while not self._queue.empty():
            self._queue.get_nowait()
        for _ in self._tasks:
            self._queue.put_nowait(None)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=timeout)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self.channel.close()

    async def _send_all(self) -> None:
        while (claimed := await self._queue.get()) is not None:
            try:
                await self._deliver(claimed)
            except Exception:
                log.exception(
                    "notification.defect",
                    detail="it is left to its lease; this is a defect in alertgate",
                    notification_id=claimed.id,
                )
            finally:
                self._here.pop(claimed.id, None)
            if self.more_is_due or not self.state.up:
                self._on_free()

    async def _deliver(self, claimed: Claimed) -> None:
        """Send one notification, learn from it how the channel is doing, and record it."""
        async with self._slots:
            context, attempted = await self._send(claimed)
            before, self.state = self.state, self._state_after(attempted)
        if attempted is None:
            await self._sender.give_back(claimed.snapshot.notification)
            return
        await self._sender.record(self.channel, context, attempted)
        await self._on_change(self.channel.name, before, self.state)

    async def _send(self, claimed: Claimed) -> tuple[MessageContext, Attempted | None]:
        """Attempt a notification, unless it may not be sent any more."""
        context = self._sender.context(claimed.snapshot)
        if not self._may_send(claimed):
            return context, None
        return context, await self._sender.send(self.channel, context, claimed.at + self._times.send_within)

    def _may_send(self, claimed: Claimed) -> bool:
        """Tell whether the lease is surely still ours by both clocks, and the channel takes notifications.

        A process that slept can't know who has the notification by now.
        """
        if self._stopping or not (claimed.probe or self.state.up):
            return False
        claimed_at = claimed.snapshot.notification.claimed_at or self._clock.now()
        age, patience = self._clock.now() - claimed_at, timedelta(seconds=self._times.queued_within)
        waited = asyncio.get_running_loop().time() - claimed.at
        return waited <= self._times.queued_within and timedelta(0) <= age <= patience

    def _state_after(self, attempted: Attempted | None) -> ChannelState:
        if attempted is None:
            return self.state
        return after(self.state, attempted.outcome, self._clock.now(), self._chance())
