"""The background loop: who is due, on which channel there is room, and how each channel is doing.

A notification is leased first, so that no other process sends it too; `handover` does the rest.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

import structlog

from alertgate.clock import Clock
from alertgate.config import Settings, mask, mask_all
from alertgate.errors import StoreUnavailable
from alertgate.metrics import Metrics
from alertgate.model import ChannelName, Notification, Target
from alertgate.notify.breaker import ChannelState, after
from alertgate.notify.budget import Budget, budget
from alertgate.notify.channels.base import Channel
from alertgate.notify.handover import HandOver
from alertgate.notify.plan import targets
from alertgate.notify.retry import DELAYS, LAST_DELAY, spread
from alertgate.store import Connection, notifications
from alertgate.store.engine import Store
from alertgate.store.notifications import Claim

LEASE = timedelta(seconds=60)
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
    state: ChannelState = field(default_factory=ChannelState)
    sending: dict[asyncio.Task[None], str] = field(default_factory=dict)
    """The tasks that send, with the ids of their notifications."""


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
        self._hand_over = HandOver(store, settings, clock, metrics, owner=owner, new_id=new_id, chance=chance)
        self._lanes = {channel.name: _Lane(channel) for channel in channels}
        for name in self._lanes:
            metrics.channel_state(name, up=True)
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

    async def _take_in_stranded(self) -> None:
        """Hand what waits on a channel that isn't configured any more to the one that now reaches its address."""
        moved, failed = await self._store.writer.do(
            _take_in, (frozenset(self._lanes), tuple(targets(self._settings)), self._clock.now())
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
        here = frozenset(lane_id for lane in self._lanes.values() for lane_id in lane.sending.values())
        expired = await self._store.writer.do(_release_expired, (now, here, self._owner))
        if expired:
            log.warning("took over messages whose sender is gone", notifications=expired)
        waits = (self._settings.grouping.interval, *(spread(delay, 1.0) for delay in (*DELAYS, LAST_DELAY)))
        if early := await self._store.writer.do(_heed_clock, tuple(now + wait for wait in waits)):
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
        await self._take_in_stranded()
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
        """Start to send what is due and fits."""
        now = self._clock.now()
        room = lane.state.room(lane.channel.capacity, len(lane.sending), now)
        if not room:
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
        for notification in await self._store.writer.do(_claim, wanted):
            task = asyncio.create_task(self._deliver(lane, notification), name=f"send-{notification.id}")
            lane.sending[task] = notification.id
            task.add_done_callback(lane.sending.pop)

    async def _deliver(self, lane: _Lane, notification: Notification) -> None:
        """Hand one message over, learn from it how the channel is doing, and make room for the next."""
        try:
            outcome = await self._hand_over.hand_over(lane.channel, notification)
            if outcome is None:
                return
            before, now = lane.state, self._clock.now()
            lane.state = after(before, outcome, now, self._chance())
            await self._say_change(lane.channel.name, before, lane.state, now)
        except Exception:
            log.exception("a message is left to its lease; this is a defect", notification_id=notification.id)
        finally:
            self._wake.set()

    async def _say_change(self, name: ChannelName, before: ChannelState, state: ChannelState, now: datetime) -> None:
        """Say once that a channel is paused or works again; then what waited for a retry goes at once."""
        if before.up == state.up:
            return
        self._metrics.channel_state(name, up=state.up)
        if state.up:
            waited = await self._store.writer.do(_bring_forward, (name, now))
            log.warning("channel works again", channel=name, paused_at=str(before.paused_at), hurried=waited)
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


def _heed_clock(connection: Connection, items: Sequence[tuple[datetime, ...]]) -> list[int]:
    return [notifications.heed_clock(connection, latest_due) for latest_due in items]


def _take_in(
    connection: Connection, items: Sequence[tuple[frozenset[ChannelName], tuple[Target, ...], datetime]]
) -> list[tuple[list[str], list[str]]]:
    return [notifications.take_in_stranded(connection, channels, now_by, now) for channels, now_by, now in items]


def _give_up(connection: Connection, items: Sequence[tuple[datetime, datetime]]) -> list[list[Notification]]:
    return [notifications.give_up(connection, since_before, now) for since_before, now in items]


def _bring_forward(connection: Connection, items: Sequence[tuple[ChannelName, datetime]]) -> list[int]:
    return [notifications.bring_forward(connection, name, now) for name, now in items]
