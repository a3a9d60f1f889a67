"""A channel's lane: what it sends, what it gives back, and what it does after the process was suspended."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from alertgate.ids import new_id
from alertgate.metric_labels import LabelValues
from alertgate.metrics import Metrics
from alertgate.model import ChannelName, Notification, NotificationStatus
from alertgate.notify.attempt import Sender
from alertgate.notify.channels.base import Outcome, Reason, Sent, Transient
from alertgate.notify.context import Outgoing, Snapshot
from alertgate.notify.lane import AHEAD, Claimed, DeliveryTimes, Lane
from alertgate.store import alerts, incidents, notifications
from alertgate.store.engine import Store
from tests.builders import new_alert, new_incident, new_notification
from tests.fakes import START, FakeClock, until

LEASE = timedelta(seconds=60)


@dataclass
class Gated:
    """A channel for one notification at a time, which blocks until `door` is set."""

    outcome: Outcome = field(default_factory=lambda: Sent("250 OK"))
    sent: list[str] = field(default_factory=list)
    rehearsed: list[str | None] = field(default_factory=list)
    door: asyncio.Event = field(default_factory=asyncio.Event)
    name: ChannelName = ChannelName.EMAIL
    capacity: int = 1
    repeats_safely: bool = True

    async def send(self, message, _deadline):
        self.sent.append(message.message_id.partition(".")[0])
        await self.door.wait()
        return self.outcome

    async def rehearse(self, to, _deadline):
        self.rehearsed.append(to)
        await self.door.wait()
        return self.outcome

    async def close(self) -> None:
        pass


@dataclass
class Running:
    """A running lane with its own store."""

    lane: Lane
    channel: Gated
    store: Store
    clock: FakeClock
    freed: int = 0
    changes: list[tuple[bool, bool]] = field(default_factory=list)

    def claim(self, count: int = 1, *, probe: bool = False, slept: float = 0.0, clock_ahead: float = 0.0) -> list[str]:
        """Claim `count` due notifications, `slept` seconds ago in event loop time, and put them in the lane."""
        claimed_at = self.clock.now() - timedelta(seconds=clock_ahead)
        made = []
        for _ in range(count):
            incident = new_incident(key=new_id(START))
            alert = new_alert(incident_id=incident.id)
            lease = {"lease_owner": "me", "claimed_at": claimed_at, "lease_until": claimed_at + LEASE}
            leased = new_notification(incident, status=NotificationStatus.SENDING, **lease)
            with self.store.transaction() as connection:
                incidents.add(connection, [incident])
                alerts.add(connection, [alert])
                notifications.add(connection, [leased])
            made.append(Snapshot(leased, incident, (alert,)))
        at = asyncio.get_running_loop().time() - slept
        for snapshot in made:
            self.lane.put(Claimed(Outgoing((snapshot,)), at, probe))
        return [snapshot.notification.id for snapshot in made]

    def stored(self, ids: list[str]) -> list[Notification]:
        found = [self.store.read_now(lambda c, id_=id_: notifications.get(c, id_)) for id_ in ids]
        return [each for each in found if each]

    async def idle(self) -> None:
        await until(lambda: asyncio.sleep(0, not self.lane.here))


@pytest.fixture
async def running(make_settings):
    """A running lane whose channel blocks."""
    settings, clock, channel = make_settings(), FakeClock(), Gated()
    store = Store(settings)
    store.open(exclusive=True)
    metrics = Metrics("test", clock, LabelValues([channel.name], (), Reason, (), (), ()))
    sender = Sender(store, settings, clock, metrics, new_id=new_id, chance=lambda: 0.5, zone=lambda: ZoneInfo("UTC"))

    def on_change(_name, before, after):
        found.changes.append((before.up, after.up))

    def on_free():
        found.freed += 1

    lane = Lane(
        channel,
        sender,
        clock,
        DeliveryTimes(queued_within=5),
        chance=lambda: 0.5,
        on_change=on_change,
        on_free=on_free,
    )
    found = Running(lane, channel, store, clock)
    lane.start()
    yield found
    channel.door.set()
    await lane.stop(5)
    store.close()


async def test_queued_notifications_are_sent_and_recorded(running: Running):
    """They are sent in the order of the claim, one at a time, and their leases end."""
    ids = running.claim(3)
    running.channel.door.set()
    await running.idle()
    assert running.channel.sent == ids
    assert [(each.status, each.lease_owner) for each in running.stored(ids)] == [(NotificationStatus.SENT, None)] * 3


async def test_more_are_claimed_than_can_be_sent_at_once(running: Running):
    """A sender never waits for a claim; the next claim comes when half of the slots are free."""
    most = 1 + AHEAD
    assert running.lane.room(START).slots == most
    running.claim(most // 2)
    assert running.lane.room(START).slots == most - most // 2
    running.claim(1)
    assert running.lane.room(START).slots == 0


async def test_room_is_reported_while_more_is_due(running: Running):
    """A claim that used all free slots may have left due notifications behind."""
    running.channel.door.set()
    running.claim(1)
    await running.idle()
    assert running.freed == 0
    running.lane.more_is_due = True
    running.claim(2)
    await running.idle()
    await until(lambda: asyncio.sleep(0, running.freed == 2))


async def test_queued_notifications_are_given_back_when_the_channel_pauses(running: Running):
    """A server that refuses the login gets one attempt, not one per claimed notification."""
    running.channel.outcome = Transient(Reason.CREDENTIALS, "535 5.7.8 credentials refused")
    ids = running.claim(5)
    running.channel.door.set()
    await running.idle()
    stored = running.stored(ids)
    assert running.channel.sent == ids[:1]
    assert [(each.status, each.attempts, each.lease_owner) for each in stored] == [
        (NotificationStatus.PENDING, 1, None),
        *[(NotificationStatus.PENDING, 0, None)] * 4,
    ]
    assert running.changes == [(True, False)]


async def test_a_paused_channel_is_probed_with_one(running: Running):
    """When the probe is due, one notification is claimed for it and sent, although the channel is paused."""
    running.channel.outcome = Transient(Reason.CREDENTIALS, "535 5.7.8 credentials refused")
    running.channel.door.set()
    running.claim(1)
    await running.idle()
    assert running.lane.room(running.clock.now()).slots == 0
    running.clock.move(hours=1)
    assert running.lane.room(running.clock.now()).slots == 1
    running.channel.outcome = Sent("250 OK")
    [probe] = running.claim(1, probe=True)
    await running.idle()
    assert (running.channel.sent[1:], running.lane.state.up) == ([probe], True)


@pytest.mark.parametrize(
    "times",
    [{"slept": 6.0}, {"clock_ahead": 6.0}, {"clock_ahead": -3600.0}],
    ids=["by the loop's clock", "by the wall clock", "the clock was set back"],
)
async def test_nothing_is_sent_if_the_process_was_suspended_since_the_claim(running: Running, times):
    """Another process may hold the notification by now, so it is given back and claimed again."""
    ids = running.claim(1, **times)
    running.channel.door.set()
    await running.idle()
    assert running.channel.sent == []
    assert [(each.status, each.attempts) for each in running.stored(ids)] == [(NotificationStatus.PENDING, 0)]


async def test_a_lease_that_another_took_over_is_left_alone(running: Running):
    """After this process was suspended past its lease, it doesn't end the lease of the next owner."""
    ids = running.claim(1, slept=90)
    with running.store.transaction() as connection:
        connection.exec_driver_sql("UPDATE notifications SET lease_owner = 'other'")
    running.channel.door.set()
    await running.idle()
    assert running.channel.sent == []
    assert [(each.status, each.lease_owner) for each in running.stored(ids)] == [(NotificationStatus.SENDING, "other")]


async def test_stop_finishes_running_sends_and_leaves_the_rest_to_be_released(running: Running):
    """No new send starts, and the notification next in turn is given back."""
    ids = running.claim(3)
    await until(lambda: asyncio.sleep(0, running.channel.sent))
    asyncio.get_running_loop().call_soon(running.channel.door.set)
    await running.lane.stop(5)
    assert running.channel.sent == ids[:1]
    statuses = [each.status for each in running.stored(ids)]
    assert statuses == [NotificationStatus.SENT, NotificationStatus.PENDING, NotificationStatus.SENDING]
