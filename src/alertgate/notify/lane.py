"""The lane of one channel: its queue of claimed messages, the tasks that send them, and the channel's state."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from alertgate.clock import Clock
from alertgate.model import ChannelName
from alertgate.notify.attempt import Attempted, Sender
from alertgate.notify.breaker import ChannelState, Room, after, rehearsed, trusted
from alertgate.notify.channels.base import SEND_TIMEOUT, Channel, Outcome, Reason, Transient
from alertgate.notify.context import Outgoing
from alertgate.notify.evidence import weigh

AHEAD = 4
"""Messages claimed ahead for each slot of the channel, so that a sender never waits for a claim."""

SENDERS = 2
"""Sender tasks for each slot of the channel: while one records an attempt, another sends."""

log = structlog.stdlib.get_logger("alertgate.deliver")


@dataclass(frozen=True, slots=True)
class DeliveryTimes:
    """Times of delivery, in seconds. A limit counts from before the claim, so that it ends while the lease is ours."""

    poll_every: float = 1.0
    """Between two looks for due notifications, if nothing wakes the loop. It finds what other replicas released."""
    queued_within: float = 5.0
    """A notification queued for longer is given back, to be claimed again here or by another process."""
    send_within: float = SEND_TIMEOUT
    """The limit for all attempts under one lease."""


@dataclass(frozen=True, slots=True, eq=False)
class Claimed:
    """A message whose notifications this process holds the lease of.

    Each is itself alone: the same message may be claimed again while it isn't known yet that its lease has ended,
    because the reply to that commit was lost.
    """

    outgoing: Outgoing
    at: float
    """Event loop time, read before the claim."""
    probe: bool = False
    """Whether it probes a paused channel."""

    @property
    def id(self) -> str:
        """The id of its first notification."""
        return self.outgoing.first.id


class Lane:
    """Sends queued messages, as many at a time as the channel allows.

    `on_change` is called after each attempt, with the channel's states before and after it; `on_free` is called when
    there is room again and more may be due. `chance` returns a random number from 0 to 1.
    """

    def __init__(
        self,
        channel: Channel,
        sender: Sender,
        clock: Clock,
        times: DeliveryTimes,
        *,
        chance: Callable[[], float],
        on_change: Callable[[ChannelName, ChannelState, ChannelState], None],
        on_free: Callable[[], None],
    ) -> None:
        self.channel = channel
        self.state = ChannelState()
        self.more_is_due = False
        """Whether more may be due: the last claim used all free slots, or there were too few to claim."""
        self.cut_off: set[str] = set()
        """The ids of notifications that a stop cut off while they were sent, and whose repeats aren't recognised."""
        self._sender = sender
        self._clock = clock
        self._times = times
        self._chance = chance
        self._on_change = on_change
        self._on_free = on_free
        self._capacity = channel.capacity * (1 + AHEAD)
        self._slots = asyncio.Semaphore(channel.capacity)
        self._queue: asyncio.Queue[Claimed | None] = asyncio.Queue(self._capacity)
        self._here: set[Claimed] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._rehearsal: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def here(self) -> frozenset[str]:
        """The ids of the notifications that are queued or being sent."""
        return frozenset(each.id for claimed in self._here for each in claimed.outgoing.notifications)

    def room(self, now: datetime) -> Room:
        """Return what to claim now: nothing until half of the slots are free, unless the channel is paused."""
        room = self.state.room(self._capacity, len(self._here) + (self._rehearsal is not None), now)
        return room if room.slots * 2 >= self._capacity or not self.state.up else Room(0)

    def put(self, claimed: Claimed) -> None:
        """Queue a message. There must be a free slot."""
        self._queue.put_nowait(claimed)
        self._here.add(claimed)

    def start(self) -> None:
        """Start the senders."""
        self._tasks = [
            asyncio.create_task(self._send_all(), name=f"send-{self.channel.name}-{number}")
            for number in range(self.channel.capacity * SENDERS)
        ]

    async def stop(self, timeout: float) -> None:  # noqa: ASYNC109  (a grace period, not a cancellation)
        """Let running sends finish. The caller releases what is still queued, and closes the channel."""
        self._stopping = True
        while not self._queue.empty():
            self._queue.get_nowait()
        for _ in self._tasks:
            self._queue.put_nowait(None)
        if self._rehearsal:
            self._rehearsal.cancel()
            await asyncio.gather(self._rehearsal, return_exceptions=True)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=timeout)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _send_all(self) -> None:
        while (claimed := await self._queue.get()) is not None:
            attempted = False
            try:
                attempted = await self._deliver(claimed)
            except Exception:
                log.exception(
                    "notification.defect",
                    detail="it becomes pending again with its lease's release; this is a defect in alertgate",
                    notification_id=claimed.id,
                )
            finally:
                self._here.discard(claimed)
            # What was given back is left to the next poll, so that another process can take it first.
            if attempted and (self.more_is_due or not self.state.up):
                self._on_free()

    async def _deliver(self, claimed: Claimed) -> bool:
        """Attempt one message and record that, or give it back; return whether it was attempted."""
        attempted = None
        if await self._slot_for(claimed):
            try:
                if self._may_send(claimed):
                    attempted = await self._sender.send(
                        self.channel, claimed.outgoing, claimed.at + self._times.send_within
                    )
                    attempted = self._weigh(claimed, attempted)
            except asyncio.CancelledError:
                if not self.channel.repeats_safely:
                    self.cut_off.update(each.id for each in claimed.outgoing.notifications)
                raise
            finally:
                self._slots.release()
        if attempted is None:
            await self._sender.give_back(claimed.outgoing)
            return False
        await self._sender.record(self.channel, claimed.outgoing, attempted)
        return True

    async def _slot_for(self, claimed: Claimed) -> bool:
        """Wait for a slot, but no longer than a notification may be queued: another process may have a free one."""
        try:
            async with asyncio.timeout_at(claimed.at + self._times.queued_within):
                return await self._slots.acquire()
        except TimeoutError:
            return False

    def _may_send(self, claimed: Claimed) -> bool:
        """Return whether the lease is still ours by both clocks, and the lane may send (a paused one only probes).

        If this process was suspended, another one may hold the notification by now.
        """
        if self._stopping or not (claimed.probe or self.state.admits(claimed.outgoing.first.address)):
            return False
        claimed_at = claimed.outgoing.first.claimed_at or self._clock.now()
        age, limit = self._clock.now() - claimed_at, timedelta(seconds=self._times.queued_within)
        waited = asyncio.get_running_loop().time() - claimed.at
        return waited <= self._times.queued_within and timedelta(0) <= age <= limit

    def trust(self, now: datetime) -> None:
        """Trust the paused channel, because another process has sent something on it."""
        self._become(trusted(self.state, now))

    def rehearse(self) -> None:
        """Begin to probe the paused channel without a message, because none waits."""
        self._rehearsal = asyncio.create_task(self._rehearse(), name=f"rehearse-{self.channel.name}")

    async def _rehearse(self) -> None:
        deadline = asyncio.get_running_loop().time() + self._times.send_within
        outcome: Outcome
        try:
            outcome = await self.channel.rehearse(self.state.suspect(self._clock.now()), deadline)
        except Exception as error:
            log.exception("delivery.defect", detail="a rehearsal raised an exception; this is a defect in alertgate")
            outcome = Transient(Reason.INTERNAL, f"{type(error).__name__}: {error}")
        finally:
            self._rehearsal = None
        self._become(rehearsed(self.state, outcome, self._clock.now(), self._chance()))

    def _weigh(self, claimed: Claimed, attempted: Attempted) -> Attempted:
        """Return the attempt as it is judged beside what the server said to others, and update the state."""
        now = self._clock.now()
        weighed = weigh(self.state.evidence, claimed.outgoing.tried, attempted.outcome, now)
        self._become(after(self.state, weighed, now, self._chance()))
        return attempted.judged(weighed.outcome)

    def _become(self, state: ChannelState) -> None:
        before, self.state = self.state, state
        self._on_change(self.channel.name, before, state)
