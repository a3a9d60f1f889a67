"""The background loop: who is due, on which channel there is room, and how each channel is doing.

A notification is leased first, so that no other process sends it too; `handover` does the rest. Most are leased by the
transaction that plans them, others are claimed here.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from threading import Lock
from types import MappingProxyType

import structlog

from alertgate.addresses import mask, mask_all
from alertgate.clock import Clock
from alertgate.config import Settings
from alertgate.errors import StoreUnavailable
from alertgate.metrics import Metrics
from alertgate.model import ChannelName, Notification, NotificationStatus, Target
from alertgate.notify.attempt import HandedOver, HandOver
from alertgate.notify.breaker import ChannelState, after
from alertgate.notify.budget import Budget, budget
from alertgate.notify.channels.base import Channel, Sent
from alertgate.notify.context import MessageContext, Snapshot
from alertgate.notify.lease import LEASE, Leases, ahead, pace_after
from alertgate.notify.plan import targets
from alertgate.notify.retry import DELAYS, LAST_DELAY, spread
from alertgate.store import Connection, notifications
from alertgate.store.engine import Store
from alertgate.store.notifications import Claim

QUEUED_WITHIN = 5.0
"""Seconds that a message waits for its turn; then it is given back, for others to send it, or for a fresh lease."""
FRESH = timedelta(seconds=5)
"""For so long what a transaction saw is taken for true, and its leases for held."""
POLL = 1.0
"""Seconds between two looks when nothing wakes the loop: what is due later, and what other replicas left."""
SWEEP = 5.0
"""Seconds between two looks for leases that ran out and messages that waited too long."""
MAIL = (ChannelName.EMAIL, ChannelName.SMS)
"""The channels that go through the mail account, and share its daily limit."""

log = structlog.stdlib.get_logger("alertgate.deliver")


@dataclass(slots=True)
class _Lane:
    """One channel, how it is doing, and what it is sending."""

    channel: Channel
    slots: asyncio.Semaphore
    """One for each message that the channel takes at the same time."""
    state: ChannelState = field(default_factory=ChannelState)
    pace: float | None = None
    """Seconds that it takes for a message; None while that isn't known."""
    hungry: bool = False
    """Whether more may be due than was taken up."""
    granted: int = 0
    """How many messages were granted leases and aren't taken up yet."""
    sending: dict[asyncio.Task[None], str] = field(default_factory=dict)
    """The tasks that send, with the ids of their notifications."""

    @property
    def capacity(self) -> int:
        """How many messages may be taken up, those that wait for a slot included."""
        return self.channel.capacity + ahead(self.channel.capacity, self.pace)

    def room(self, now: datetime) -> int:
        """Return how many more messages may be taken up."""
        return self.state.room(self.capacity, len(self.sending), now)


class Deliverer:
    """Hands over what is due, on every channel as many at a time as the channel takes.

    `owner` names this process in leases; `new_id` makes an id for a time; `chance` gives a number from 0 to 1.
    """

    def __init__(
        self,
        store: Store,
        channels: Iterable[Channel],
        settings: Settings,
        clock: Clock,
        metrics: Metrics,
        *,
        owner: str,
        new_id: Callable[[datetime], str],
        chance: Callable[[], float],
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._owner = owner
        self._chance = chance
        self._hand_over = HandOver(store, settings, clock, metrics, new_id=new_id, chance=chance)
        self._lanes = {channel.name: _Lane(channel, asyncio.Semaphore(channel.capacity)) for channel in channels}
        for name in self._lanes:
            metrics.channel_state(name, up=True)
        self._granting = Lock()
        self._budget = Budget.PLENTY
        self._wake = asyncio.Event()
        self._stopping = False
        self._loop: asyncio.Task[None] | None = None
        self._swept = float("-inf")
        self.last_round: float | None = None
        """When the loop last came round, by the monotonic clock: what health looks at."""

    @property
    def states(self) -> Mapping[ChannelName, ChannelState]:
        """How each channel is doing."""
        return MappingProxyType({name: lane.state for name, lane in self._lanes.items()})

    @property
    def budget(self) -> Budget:
        """How much of the mail account's daily limit is used."""
        return self._budget

    async def start(self) -> None:
        """Take back what an earlier run of this process left behind, then start the loop."""
        if self._store.dialect == "sqlite":  # nobody else can hold a lease on this file
            left = await self._store.writer.do(_release_all, self._clock.now())
            if left:
                log.info("took back what was being sent when the service ended", notifications=len(left))
        self._loop = asyncio.create_task(self._run(), name="deliver")

    async def stop(self, timeout: float) -> None:  # noqa: ASYNC109  (a grace period, not a cancellation)
        """Claim nothing more, let what is being sent come to its end, and release the rest."""
        self._stopping = True
        self._wake.set()
        if self._loop:
            await asyncio.wait([self._loop], timeout=timeout)  # it may be waiting for a database that hangs
            self._loop.cancel()
        sending = {task for lane in self._lanes.values() for task in lane.sending}
        if sending:
            _, late = await asyncio.wait(sending, timeout=timeout)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        try:
            async with asyncio.timeout(timeout):
                await self._store.writer.do(_release_owned, (self._owner, self._clock.now()))
        except (StoreUnavailable, TimeoutError):
            log.warning("leases couldn't be released; they run out within a minute")
        for lane in self._lanes.values():
            await lane.channel.close()

    def grant(self, planned: Sequence[Notification]) -> list[Notification]:
        """Return planned messages, those leased that can be sent at once. Called in the store's writing thread.

        While more is due than is taken up, nothing is: the claims keep the order.
        """
        now = self._clock.now()
        with self._granting:
            room = {
                name: lane.room(now) - lane.granted
                for name, lane in self._lanes.items()
                if lane.state.up and not lane.hungry and not self._stopping
            }
            granted = Leases(self._owner, now, room, MAIL if self._budget is Budget.RESERVE else ()).grant(planned)
            for each in granted:
                if each.status is NotificationStatus.SENDING:
                    self._lanes[each.channel].granted += 1
        return granted

    def take_up(self, leased: Sequence[Snapshot]) -> None:
        """Send what was granted a lease just now."""
        now = self._clock.now()
        for facts in leased:
            notification = facts.notification
            lane = self._lanes[notification.channel]
            with self._granting:
                lane.granted = max(0, lane.granted - 1)
            if notification.claimed_at and timedelta(0) <= now - notification.claimed_at < FRESH:
                self._start(lane, [notification], {notification.id: self._hand_over.story(facts)})
            else:
                # A process that slept since then can't know whose it is by now. If its own, the sweep finds it.
                log.warning(
                    "a message waits for seconds, because its lease wasn't taken up in time; did the process sleep?",
                    notification_id=notification.id,
                )

    def wake(self) -> None:
        """Look at once: something became due."""
        self._wake.set()

    async def _run(self) -> None:
        while not self._stopping:
            self.last_round = self._clock.monotonic()
            self._wake.clear()
            try:
                await self._sweep()
                for lane in self._lanes.values():
                    await self._fill(lane)
            except StoreUnavailable as error:
                log.error("can't look for messages to send; trying again", error=str(error))  # noqa: TRY400
            except Exception:
                log.exception("the delivery loop stumbled; it goes on")
            try:
                await asyncio.wait_for(self._wake.wait(), POLL)
            except TimeoutError:
                continue

    async def _reassign_orphaned(self) -> None:
        """Hand what waits on a channel that isn't configured any more to the one that now reaches its address."""
        moved, failed = await self._store.writer.do(
            _reassign, (frozenset(self._lanes), tuple(targets(self._settings)), self._clock.now())
        )
        if moved:
            log.info("messages go by another channel than when they were planned", notifications=moved)
        if failed:
            log.error(
                "messages failed for good: their recipients aren't in the settings any more", notifications=failed
            )

    async def _sweep(self) -> None:
        """Now and then, take over from processes that are gone, and fail what has waited for too long."""
        now, moment = self._clock.now(), self._clock.monotonic()
        if moment - self._swept < SWEEP:
            return
        self._swept = moment
        with self._granting:
            for lane in self._lanes.values():
                lane.granted = 0  # whose transaction was undone is never taken up
        here = frozenset(lane_id for lane in self._lanes.values() for lane_id in lane.sending.values())
        expired = await self._store.writer.do(_release_expired, (now, here, self._owner))
        if expired:
            log.warning("took over messages whose sender is gone", notifications=expired)
        waits = (self._settings.grouping.interval, *(spread(delay, 1.0) for delay in (*DELAYS, LAST_DELAY)))
        if early := await self._store.writer.do(_clamp_due_times, tuple(now + wait for wait in waits)):
            log.warning("messages were due later than any wait can be; was the clock set back?", notifications=early)
        patience = timedelta(seconds=self._settings.give_up_after)
        for failed in await self._store.writer.do(_give_up, (now - patience, now)):
            self._metrics.failed(failed.channel)
            log.error(
                "failed for good; this recipient was not told",
                notification_id=failed.id,
                incident_id=failed.incident_id,
                channel=failed.channel,
                to=mask(failed.address),
                reason="gave up",
            )
        await self._reassign_orphaned()
        await self._look_at_budget(now)

    async def _look_at_budget(self, now: datetime) -> None:
        """Count what the mail account has sent in a day, and say when that comes near its limit."""
        if not self._settings.smtp_daily_limit or ChannelName.EMAIL not in self._lanes:
            return
        sent = await self._store.read(
            lambda connection: notifications.sent_since(connection, MAIL, now - timedelta(hours=24))
        )
        level = budget(sent, self._settings.smtp_daily_limit)
        if level is not self._budget:
            say = log.info if level is Budget.PLENTY else log.warning
            say("mail account's daily limit", used=sent, limit=self._settings.smtp_daily_limit, level=level)
        self._budget = level

    async def _fill(self, lane: _Lane) -> None:
        """Claim what is due and fits, once a good part of the channel is free."""
        now = self._clock.now()
        room = lane.room(now)
        if room < (max(1, lane.capacity // 2) if lane.state.up else 1):
            lane.hungry = True
            return
        name = lane.channel.name
        wanted = Claim(
            name,
            room,
            self._owner,
            now,
            now + LEASE,
            probe=not lane.state.up,
            pressing_only=name in MAIL and self._budget is Budget.RESERVE,
        )
        claimed = await self._store.writer.do(_claim, wanted)
        lane.hungry = len(claimed) == room
        self._start(lane, claimed, probe=wanted.probe)

    def _start(
        self,
        lane: _Lane,
        leased: Sequence[Notification],
        stories: Mapping[str, MessageContext] | None = None,
        *,
        probe: bool = False,
    ) -> None:
        """Send what is leased, each message in a task of its own; what they say is read for all at once."""
        if not leased:
            return
        loop = asyncio.get_running_loop()
        # From before the leases are looked at: a process that sleeps in between must not send when it wakes.
        now = loop.time()
        known: asyncio.Future[Mapping[str, MessageContext]] = loop.create_future()
        if stories is None:
            known = loop.create_task(self._hand_over.read(leased))
        else:
            known.set_result(stories)
        for notification in leased:
            sending = self._deliver(lane, notification, known, now, probe=probe)
            task = asyncio.create_task(sending, name=f"send-{notification.id}")
            lane.sending[task] = notification.id
            task.add_done_callback(partial(self._done, lane))

    async def _deliver(
        self,
        lane: _Lane,
        notification: Notification,
        stories: asyncio.Future[Mapping[str, MessageContext]],
        leased_at: float,
        *,
        probe: bool,
    ) -> None:
        """Hand one message over, learn from it how the channel is doing, and make room for the next."""
        try:
            story = (await stories).get(notification.id)
            if story is None:
                return
            done = await self._send(lane, story, leased_at, probe=probe)
            if done is None:
                await self._hand_over.give_back(notification)
                return
            before, now = lane.state, self._clock.now()
            lane.state = after(before, done.outcome, now, self._chance())
            await self._hand_over.record(lane.channel, story, done)
            await self._say_change(lane.channel.name, before, lane.state, now)
        except Exception:
            log.exception("a message is left to its lease; this is a defect", notification_id=notification.id)

    async def _send(self, lane: _Lane, story: MessageContext, leased_at: float, *, probe: bool) -> HandedOver | None:
        """Send a message in its turn; None where that doesn't come in time, or the channel is paused by then."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(leased_at + QUEUED_WITHIN):
                await lane.slots.acquire()
        except TimeoutError:
            lane.pace = None  # it isn't quick any more
            return None
        try:
            start = loop.time()
            if self._stopping or start > leased_at + QUEUED_WITHIN or not (probe or lane.state.up):
                return None
            done = await self._hand_over.send(lane.channel, story, leased_at)
            lane.pace = pace_after(lane.pace, loop.time() - start) if isinstance(done.outcome, Sent) else None
            return done
        finally:
            lane.slots.release()

    def _done(self, lane: _Lane, task: asyncio.Task[None]) -> None:
        del lane.sending[task]
        if lane.hungry or not lane.state.up:
            self._wake.set()

    async def _say_change(self, name: ChannelName, before: ChannelState, state: ChannelState, now: datetime) -> None:
        """Say once that a channel is paused or works again; then what waited for a retry goes at once."""
        if before.up == state.up:
            return
        self._metrics.channel_state(name, up=state.up)
        if state.up:
            waited = await self._store.writer.do(_bring_forward, (name, now))
            log.warning("channel works again", channel=name, paused_at=str(before.paused_at), hurried=waited)
            self._wake.set()
        else:
            log.error(
                "channel paused: its messages wait, and one is tried now and then",
                channel=name,
                reason=state.reason,
                reply=mask_all(state.reply),
                probe_at=str(state.probe_at),
            )


def _claim(connection: Connection, claims: Sequence[Claim]) -> list[list[Notification]]:
    return [notifications.claim(connection, wanted) for wanted in claims]


def _release_all(connection: Connection, times: Sequence[datetime]) -> list[list[str]]:
    return [notifications.release_all(connection, now) for now in times]


def _release_owned(connection: Connection, items: Sequence[tuple[str, datetime]]) -> list[list[str]]:
    return [notifications.release_owned(connection, owner, now) for owner, now in items]


def _release_expired(connection: Connection, items: Sequence[tuple[datetime, frozenset[str], str]]) -> list[list[str]]:
    return [notifications.release_expired(connection, now, here, owner) for now, here, owner in items]


def _clamp_due_times(connection: Connection, items: Sequence[tuple[datetime, ...]]) -> list[int]:
    return [notifications.clamp_due_times(connection, latest_due) for latest_due in items]


def _reassign(
    connection: Connection, items: Sequence[tuple[frozenset[ChannelName], tuple[Target, ...], datetime]]
) -> list[tuple[list[str], list[str]]]:
    return [notifications.reassign_orphaned(connection, channels, now_by, now) for channels, now_by, now in items]


def _give_up(connection: Connection, items: Sequence[tuple[datetime, datetime]]) -> list[list[Notification]]:
    return [notifications.give_up(connection, since_before, now) for since_before, now in items]


def _bring_forward(connection: Connection, items: Sequence[tuple[ChannelName, datetime]]) -> list[int]:
    return [notifications.bring_forward(connection, name, now) for name, now in items]
