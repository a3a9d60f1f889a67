"""The delivery loop: it claims what is due as soon as there is room, also after a claim failed, and stops in order."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import structlog
from sqlalchemy import Engine, event

from alertgate.errors import StoreTooSlow, StoreUnavailable
from alertgate.ids import new_id
from alertgate.metric_labels import LabelValues
from alertgate.metrics import Metrics
from alertgate.model import ChannelName, Notification, NotificationStatus, Severity
from alertgate.notify.attempt import Sender
from alertgate.notify.budget import daily_limits
from alertgate.notify.channels.base import Outcome, Reason, Sent, Transient
from alertgate.notify.channels.registry import targets
from alertgate.notify.claim import Claimer
from alertgate.notify.deliver import Deliverer
from alertgate.notify.directory import Directory
from alertgate.notify.flood import FloodRules
from alertgate.notify.lane import DeliveryTimes
from alertgate.notify.upkeep import NotificationUpkeep
from alertgate.store import alerts, incidents, notifications
from alertgate.store.engine import Store
from tests.builders import new_alert, new_incident, new_notification
from tests.fakes import START, FakeClock, until

NEVER = 3600.0
LOOKS = "what is due on each channel"
NO_FLOODS = FloodRules(0, timedelta(minutes=5))


@dataclass
class Counted:
    """A channel that sends one at a time, and as many as `allowed` says; `taken` is what it began to send."""

    name: ChannelName = ChannelName.EMAIL
    outcome: Outcome = field(default_factory=lambda: Sent("250 OK"))
    taken: list[str] = field(default_factory=list)
    allowed: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    capacity: int = 1
    repeats_safely: bool = True
    on_close: Callable[[], None] = lambda: None

    async def send(self, message, _deadline):
        self.taken.append(message.message_id.partition(".")[0])
        await self.allowed.acquire()
        return self.outcome

    async def rehearse(self, _to, _deadline):
        return self.outcome

    async def close(self) -> None:
        self.on_close()

    def allow(self, count: int) -> None:
        for _ in range(count):
            self.allowed.release()


class FailingStore(Store):
    """A store whose next write by the function named in `fails` fails, and the one after it waits for `reached`.

    With `in_doubt` the next record of an attempt is stored, and fails all the same; what comes after it waits too.
    `meanwhile` is awaited once, while the loop looks what is due on each channel.
    """

    def __init__(self, settings) -> None:
        super().__init__(settings)
        self.fails = ""
        self.failed = 0
        self.in_doubt = False
        self.recorded = 0
        self.reached = asyncio.Event()
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    async def write_batch(self, act, item):
        if self.in_doubt and self.failed:
            await self.reached.wait()
        done = await super().write_batch(act, item)
        if self.in_doubt and not self.failed:
            self.failed += 1
            raise StoreTooSlow("the connection was lost during a commit")
        self.recorded += 1
        return done

    async def read(self, act):
        meanwhile = self.meanwhile
        if meanwhile and "with_due" in repr(act):
            self.meanwhile = None
            await meanwhile()
        return await super().read(act)

    async def write(self, act):
        if self.fails and self.fails in repr(act):
            self.failed += 1
            if self.failed == 1:
                raise StoreUnavailable("the database is restarting")
            await self.reached.wait()
        return await super().write(act)


@dataclass
class Loop:
    """A delivery loop with its store."""

    deliverer: Deliverer
    store: FailingStore
    clock: FakeClock

    def plan(
        self, channel: ChannelName, count: int, before: timedelta = timedelta(seconds=1), **fields: Any
    ) -> list[str]:
        """Plan `count` notifications that were due before now, each of an incident of its own; return their ids."""
        planned = []
        with self.store.transaction() as connection:
            for _ in range(count):
                incident = new_incident(key=new_id(START))
                due = new_notification(incident, channel=channel, due_at=self.clock.now() - before, **fields)
                incidents.add(connection, [incident])
                alerts.add(connection, [new_alert(incident_id=incident.id)])
                notifications.add(connection, [due])
                planned.append(due.id)
        return planned

    def stored(self, ids: list[str]) -> list[Notification]:
        found = [self.store.read_now(lambda c, id_=id_: notifications.get(c, id_)) for id_ in ids]
        return [each for each in found if each]

    def statuses(self, ids: list[str]) -> set[NotificationStatus]:
        return {each.status for each in self.stored(ids)}


@pytest.fixture
async def make_loop(make_settings):
    """Return a function that starts a delivery loop for some channels."""

    @asynccontextmanager
    async def loop_of(channels: list[Counted], times: DeliveryTimes, rules: FloodRules) -> AsyncIterator[Loop]:
        settings, clock, names = make_settings(), FakeClock(), [each.name for each in channels]
        store = FailingStore(settings)
        store.open(exclusive=True)
        directory = Directory.of(targets(settings))
        metrics = Metrics("test", clock, LabelValues(names, (), Reason, (), (), ()))
        deliverer = Deliverer(
            store,
            channels,
            Claimer(rules, daily_limits(settings), directory, owner="me", new_id=new_id),
            Sender(store, settings, clock, metrics, new_id=new_id, chance=lambda: 0.5, zone=lambda: ZoneInfo("UTC")),
            NotificationUpkeep(store, settings, clock, metrics, channels=names, directory=directory, owner="me"),
            clock,
            metrics,
            owner="me",
            chance=lambda: 0.5,
            times=times,
        )
        try:
            yield Loop(deliverer, store, clock)
        finally:
            for channel in channels:
                channel.allow(100)
            await deliverer.stop(5)
            store.close()

    async with AsyncExitStack() as stack:

        async def start(*channels: Counted, times: DeliveryTimes | None = None, rules: FloodRules = NO_FLOODS) -> Loop:
            return await stack.enter_async_context(loop_of(list(channels), times or DeliveryTimes(), rules))

        yield start


async def test_a_wake_is_remembered_while_the_lane_is_half_full(make_loop):
    """What became due while there was no room is claimed as soon as there is, without waiting for the next poll."""
    channel = Counted()
    loop = await make_loop(channel, times=DeliveryTimes(poll_every=NEVER))
    first = loop.plan(channel.name, 3)
    await loop.deliverer.start()
    await until(lambda: asyncio.sleep(0, channel.taken))
    later = loop.plan(channel.name, 1)
    loop.clock.move(seconds=1)
    loop.deliverer.wake()
    await until(lambda: asyncio.sleep(0, loop.deliverer.last_round == loop.clock.monotonic()))
    channel.allow(10)
    await until(lambda: asyncio.sleep(0, set(channel.taken) == {*first, *later}))


async def test_a_failed_claim_leaves_nothing_behind(make_loop):
    """One channel's claim fails while the other's is slow; then everything is claimed once, sent and finished."""
    email, sms = Counted(ChannelName.EMAIL), Counted(ChannelName.SMS)
    loop = await make_loop(email, sms)
    planned = [*loop.plan(email.name, 1), *loop.plan(sms.name, 12)]
    loop.store.fails = "_fill"
    await loop.deliverer.start()
    await until(lambda: asyncio.sleep(0, loop.store.failed))
    loop.deliverer.wake()  # with the claims side by side, a second one for the same room would begin here
    await until(lambda: asyncio.sleep(0, loop.store.failed > 1))
    loop.store.reached.set()
    email.allow(1)
    sms.allow(12)
    await until(lambda: asyncio.sleep(0, loop.statuses(planned) == {NotificationStatus.SENT}))
    await until(lambda: asyncio.sleep(0, not loop.deliverer.here))
    assert sorted([*email.taken, *sms.taken]) == sorted(planned)


SILENT = Transient(Reason.TIMEOUT, "no answer", is_unanswered=True)
BROKEN = Transient(Reason.CONNECTION, "the connection broke", is_unanswered=True)


@pytest.mark.parametrize(
    ("outcome", "repeats_safely", "twice"),
    [
        (SILENT, False, True),
        (SILENT, True, False),
        (Transient(Reason.TIMEOUT, "there was no time left"), False, False),
        (BROKEN, False, True),
        (BROKEN, True, False),
        (Transient(Reason.CONNECTION, "refused"), False, False),
    ],
)
async def test_what_had_no_answer_may_come_twice_where_a_repeat_is_not_recognised(
    make_loop, outcome, repeats_safely, twice
):
    """It is sent again all the same, and the trail says so."""
    channel = Counted(ChannelName.TELEGRAM, outcome, repeats_safely=repeats_safely)
    loop = await make_loop(channel)
    [planned] = loop.plan(channel.name, 1)
    channel.allow(1)
    await loop.deliverer.start()
    await until(lambda: asyncio.sleep(0, loop.stored([planned])[0].attempts))
    [waiting] = loop.stored([planned])
    assert waiting.status is NotificationStatus.PENDING
    assert ("may have come twice" in waiting.reason) is twice


async def test_channels_on_which_nothing_is_due_cost_one_query_a_round(make_loop):
    """However many they are: with every channel that there is, an idle round reads once and writes nothing."""
    loop = await make_loop(*(Counted(name) for name in ChannelName), times=DeliveryTimes(poll_every=NEVER))
    loop.plan(ChannelName.NTFY, 3, before=timedelta(minutes=-1))  # not due yet
    with statements() as said:
        await loop.deliverer.start()
        await until(lambda: asyncio.sleep(0, LOOKS in said[-1:]))
        before = len(said)
        for number in range(1, 4):
            await a_round(loop)
            await until(lambda number=number: asyncio.sleep(0, said[before:].count(LOOKS) == number))
    assert said[before:] == [LOOKS] * 3


async def test_what_becomes_due_on_one_of_many_channels_is_claimed_there_alone(make_loop):
    """The others aren't asked: one claim in the round in which it is due."""
    channels = [Counted(name) for name in ChannelName]
    loop = await make_loop(*channels, times=DeliveryTimes(poll_every=NEVER))
    [planned] = loop.plan(ChannelName.NTFY, 1, before=timedelta(seconds=-1))
    await loop.deliverer.start()
    with statements() as said:
        await a_round(loop, seconds=1)
        await until(lambda: asyncio.sleep(0, any(each.taken for each in channels)))
    assert {each.name: each.taken for each in channels if each.taken} == {ChannelName.NTFY: [planned]}
    assert len([each for each in said if "RETURNING" in each]) == 1  # a lease


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect what any database is asked meanwhile; the look for what is due on each channel as LOOKS."""
    said: list[str] = []

    def note(_connection, _cursor, statement, *_):
        if statement != "BEGIN":
            said.append(LOOKS if "AS ntfy" in statement else statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def a_round(loop: Loop, seconds: float = 0.5) -> None:
    """Let time pass, and have the loop begin one more round."""
    loop.clock.move(seconds=seconds)
    loop.deliverer.wake()
    await until(lambda: asyncio.sleep(0, loop.deliverer.last_round == loop.clock.monotonic()))


async def test_what_waits_behind_a_hanging_server_is_given_back(make_loop):
    """Another process, whose mail server answers, can send it: only the one that is being sent keeps its lease."""
    channel = Counted()
    loop = await make_loop(channel, times=DeliveryTimes(queued_within=2.0, poll_every=NEVER))
    planned = loop.plan(channel.name, 5)
    await loop.deliverer.start()
    await until(lambda: asyncio.sleep(0, channel.taken))

    def sending() -> list[str]:
        return [each.id for each in loop.stored(planned) if each.status is NotificationStatus.SENDING]

    await until(lambda: asyncio.sleep(0, len(sending()) == 1))
    assert (sending(), loop.deliverer.here) == (channel.taken, frozenset(channel.taken))


async def test_retries_are_made_due_when_a_channel_resumes(make_loop):
    """They are brought forward also if the database fails just then, and each change is logged once."""
    channel = Counted(outcome=Transient(Reason.CREDENTIALS, "535 5.7.8 credentials refused"))
    loop = await make_loop(channel, times=DeliveryTimes(poll_every=0.05))
    with structlog.testing.capture_logs() as logs:
        await loop.deliverer.start()
        first = loop.plan(channel.name, 1)
        loop.deliverer.wake()
        channel.allow(1)
        await until(lambda: asyncio.sleep(0, not loop.deliverer.states[channel.name].up))
        await until(lambda: asyncio.sleep(0, loop.statuses(first) == {NotificationStatus.PENDING}))
        channel.outcome = Sent("250 OK")
        loop.store.fails = "bring_forward"
        loop.store.reached.set()
        loop.clock.move(minutes=2)
        channel.allow(10)
        await until(lambda: asyncio.sleep(0, loop.statuses(first) == {NotificationStatus.SENT}))
        await until(lambda: asyncio.sleep(0, loop.store.failed > 1))
    events = [each["event"] for each in logs if each["event"].startswith("channel.")]
    assert events == ["channel.paused", "channel.resumed"]
    assert not [each for each in logs if each["event"].endswith("defect")]


async def test_what_was_missed_is_one_message_whenever_the_channel_resumes(make_loop):
    """Also if that is just before a claim: what waits for a retry doesn't come as a second message."""
    channel = Counted(outcome=Transient(Reason.CREDENTIALS, "535 5.7.8 credentials refused"))
    loop = await make_loop(channel, times=DeliveryTimes(poll_every=NEVER))
    loop.plan(channel.name, 1, address="ada@example.com")
    channel.allow(1)
    await loop.deliverer.start()
    await until(lambda: asyncio.sleep(0, not (loop.deliverer.states[channel.name].up or loop.deliverer.here)))
    missed = {"address": "bob@example.com", "missed_since": loop.clock.now()}
    loop.clock.move(minutes=2)
    due = loop.plan(channel.name, 1, **missed)
    retried = loop.plan(channel.name, 1, before=timedelta(minutes=-15), attempts=1, **missed)
    probe = loop.plan(channel.name, 1, severity=Severity.CRITICAL)
    channel.outcome = Sent("250 OK")
    loop.deliverer.wake()
    await until(lambda: asyncio.sleep(0, channel.taken[1:] == probe))

    async def resume() -> None:
        channel.allow(10)
        await until(lambda: asyncio.sleep(0, loop.deliverer.states[channel.name].up))

    loop.store.meanwhile = resume
    await a_round(loop)
    await until(lambda: asyncio.sleep(0, loop.statuses(due + retried) == {NotificationStatus.SENT}))
    [digest_id] = {each.digest_id for each in loop.stored(due + retried)}
    assert digest_id in channel.taken


async def test_what_is_sent_again_keeps_its_lease_though_its_last_end_was_in_doubt(make_loop, monkeypatch):
    """The end of the first attempt was stored, which this process doesn't know before the second has begun."""
    monkeypatch.setattr("alertgate.notify.attempt.RECORD_AGAIN", 0.0)
    channel = Counted(outcome=Transient(Reason.RECIPIENT_BUSY, "450 4.2.1 receiving too fast"))
    loop = await make_loop(channel, times=DeliveryTimes(poll_every=NEVER))
    planned = loop.plan(channel.name, 1)
    loop.store.in_doubt = True
    await loop.deliverer.start()
    channel.allow(1)
    await until(lambda: asyncio.sleep(0, loop.stored(planned)[0].attempts))
    channel.outcome = Sent("250 OK")
    await a_round(loop, seconds=10)
    await until(lambda: asyncio.sleep(0, len(channel.taken) == 2))
    loop.store.reached.set()
    await until(lambda: asyncio.sleep(0, loop.store.recorded))
    await a_round(loop, seconds=11)
    await a_round(loop)
    assert loop.deliverer.here == frozenset(planned)
    assert loop.statuses(planned) == {NotificationStatus.SENDING}
    channel.allow(1)
    await until(lambda: asyncio.sleep(0, loop.statuses(planned) == {NotificationStatus.SENT}))
    assert channel.taken == planned * 2


async def test_leases_are_released_before_channels_close(make_loop):
    """A server that is slow to say goodbye must not keep what another process could send."""
    channel = Counted()
    loop = await make_loop(channel)
    planned, at_close = loop.plan(channel.name, 4), []
    channel.on_close = lambda: at_close.append(loop.statuses(planned[1:]))
    await loop.deliverer.start()
    await until(lambda: asyncio.sleep(0, channel.taken))
    channel.allow(1)
    await loop.deliverer.stop(5)
    assert at_close == [{NotificationStatus.PENDING}]


async def test_a_digest_is_given_back_whole_while_its_channel_is_paused(make_loop):
    """Its members are pending again together, and go with everything else as one digest when the channel works."""
    channel = Counted(outcome=Transient(Reason.CREDENTIALS, "535 5.7.8 credentials refused"))
    loop = await make_loop(channel, times=DeliveryTimes(poll_every=0.05), rules=FloodRules(2, timedelta(minutes=5)))
    planned = loop.plan(channel.name, 9, before=timedelta(minutes=1))
    await loop.deliverer.start()
    await until(lambda: asyncio.sleep(0, channel.taken))
    assert loop.deliverer.here == frozenset(planned)
    channel.allow(1)
    await until(lambda: asyncio.sleep(0, not loop.deliverer.here))
    assert loop.statuses(planned) == {NotificationStatus.PENDING}
    attempts = [each.attempts for each in loop.stored(planned)]
    assert sorted(attempts) == [*[0] * 8, 1]
    [digest] = {each.digest_id for each in loop.stored(planned)} - {None}
    channel.outcome = Sent("250 OK")
    channel.allow(9)
    loop.clock.move(minutes=2)
    await until(lambda: asyncio.sleep(0, loop.statuses(planned) == {NotificationStatus.SENT}))
    first, all_of_them = (each.partition(".")[0] for each in channel.taken)
    assert first in planned
    assert {each.digest_id for each in loop.stored(planned)} == {all_of_them}
    assert all_of_them != digest


async def test_a_stop_releases_a_digest_that_was_not_sent(make_loop):
    """Another process sends it as it is."""
    channel = Counted()
    loop = await make_loop(channel, rules=FloodRules(1, timedelta(minutes=5)))
    planned = loop.plan(channel.name, 5, before=timedelta(minutes=1))
    await loop.deliverer.start()
    await until(lambda: asyncio.sleep(0, channel.taken))
    channel.allow(1)
    await loop.deliverer.stop(5)
    stored = loop.stored(planned)
    digests = Counter((each.status, each.digest_id is not None, each.lease_owner) for each in stored)
    assert digests == {(NotificationStatus.SENT, False, None): 1, (NotificationStatus.PENDING, True, None): 4}
