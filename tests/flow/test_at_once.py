"""What is due the moment it is planned goes out without being claimed first, and what is taken up ahead isn't lost."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from alertgate.model import ChannelName, Notification, NotificationStatus
from alertgate.notify import deliver
from alertgate.notify.channels.base import Outcome, Reason, Sent, Transient
from alertgate.notify.context import Snapshot
from alertgate.notify.lease import LEASE
from alertgate.store import alerts, incidents, notifications
from tests.conftest import Running, serving
from tests.fakes import until
from tests.flow.test_nothing_is_lost import mail_settings
from tests.store.test_store import a_notification, an_alert, an_incident


@dataclass
class Gated:
    """A channel for one message at a time, that waits while its door is shut."""

    outcome: Outcome = field(default_factory=lambda: Sent("250 OK"))
    sent: list[str] = field(default_factory=list)
    door: asyncio.Event = field(default_factory=asyncio.Event)
    name: ChannelName = ChannelName.EMAIL
    capacity: int = 1

    async def send(self, message, _deadline):
        self.sent.append(message.message_id)
        await self.door.wait()
        return self.outcome

    async def close(self) -> None:
        """Nothing is open."""


def taken_up(service: Running) -> int:
    """Return how many messages are being sent, or wait for their turn."""
    return len(service.gate.deliverer._lanes[ChannelName.EMAIL].sending)


def stored(service: Running) -> list[Notification]:
    """Return all messages, oldest first."""

    def query(connection):
        ids = connection.exec_driver_sql("SELECT id FROM notifications ORDER BY id").scalars()
        return [notifications.get(connection, id_) for id_ in ids.all()]

    return service.gate.store.read_now(query)


async def quick(service: Running, channel: Gated) -> None:
    """Let the channel turn out to be quick, so that messages are taken up ahead; then shut its door."""
    channel.door.set()
    for number in range(3):
        await service.particle(coreid=f"quick-{number}")
        await until(lambda number=number: asyncio.sleep(0, len(channel.sent) == number + 1 and not taken_up(service)))
    channel.door.clear()


async def test_a_first_message_is_stored_as_being_sent(make_settings):
    """No transaction comes between the alert's and the sending."""
    channel = Gated()
    async with serving(make_settings(**mail_settings(1)), channels=[channel]) as service:
        answer = await service.particle()
        [message] = stored(service)
        assert (message.status, message.attempts) == (NotificationStatus.SENDING, 0)
        assert message.claimed_at is not None
        assert message.incident_id == answer.json()["incident"]
        channel.door.set()
        await until(lambda: asyncio.sleep(0, stored(service)[0].status is NotificationStatus.SENT))
    assert len(channel.sent) == 1


async def test_what_waits_for_its_turn_goes_back_when_the_channel_pauses(make_settings):
    """A server that refuses the login is asked once, not by everything that was taken up ahead of it."""
    channel = Gated()
    async with serving(make_settings(**mail_settings(1)), channels=[channel]) as service:
        await quick(service, channel)
        for number in range(20):
            await service.particle(coreid=f"device-{number}")
        await until(lambda: asyncio.sleep(0, taken_up(service) == 20))
        channel.outcome = Transient(Reason.CREDENTIALS, "535 5.7.8 credentials refused")
        channel.door.set()
        await until(lambda: asyncio.sleep(0, not taken_up(service)))
        waiting = [each for each in stored(service) if each.status is NotificationStatus.PENDING]
    assert len(channel.sent) == 4
    assert sorted(each.attempts for each in waiting) == [0] * 19 + [1]
    assert {each.lease_owner for each in waiting} == {None}


async def test_what_waited_too_long_for_its_turn_is_sent_under_a_fresh_lease(make_settings, monkeypatch):
    """A server becomes slow: what was taken up ahead is given back and claimed again, and nobody hears it twice."""
    monkeypatch.setattr(deliver, "QUEUED_WITHIN", 0.1)
    channel = Gated()
    async with serving(make_settings(**mail_settings(1)), channels=[channel]) as service:
        await quick(service, channel)
        for number in range(3):
            await service.particle(coreid=f"device-{number}")
        first = {each.id: each.claimed_at for each in stored(service) if each.status is NotificationStatus.SENDING}
        asyncio.get_running_loop().call_later(0.15, channel.door.set)
        await until(
            lambda: asyncio.sleep(0, {each.status for each in stored(service)} == {NotificationStatus.SENT}), 20
        )
        last = {each.id: each.claimed_at for each in stored(service) if each.id in first}
    assert len(channel.sent) == len(set(channel.sent)) == 6
    assert sum(last[id_] != at for id_, at in first.items()) == 2


async def test_more_is_never_granted_than_there_is_room_for(make_settings):
    """Transactions that follow each other quickly, or are tried again, don't each get the whole room."""
    channel = Gated(capacity=3)
    async with serving(make_settings(**mail_settings(1)), channels=[channel]) as service:
        deliverer = service.gate.deliverer
        planned = [due_now(service) for _ in range(2)]
        statuses = [[each.status for each in deliverer.grant(planned)] for _ in range(3)]
    pending, sending = NotificationStatus.PENDING, NotificationStatus.SENDING
    assert statuses == [[sending, sending], [sending, pending], [pending, pending]]


async def test_what_comes_while_others_wait_takes_its_place_among_them(make_settings):
    """Nothing is sent at once while more is due than there is room for: the most severe goes first, then the oldest."""
    channel = Gated()
    async with serving(make_settings(**mail_settings(1)), channels=[channel]) as service:
        lane = service.gate.deliverer._lanes[ChannelName.EMAIL]
        for number in range(2):
            await service.particle(coreid=f"device-{number}")
        await until(lambda: asyncio.sleep(0, lane.hungry))
        channel.capacity = 9
        planned = [due_now(service)]
        assert service.gate.deliverer.grant(planned) == planned
        channel.door.set()
        await until(lambda: asyncio.sleep(0, not lane.hungry))
        assert service.gate.deliverer.grant(planned) != planned


def due_now(service: Running) -> Notification:
    """Return a message that is due the moment it is planned."""
    now = service.gate.clock.now()
    return a_notification(an_incident(), created_at=now, due_at=now)


@pytest.mark.parametrize("ours", [True, False])
async def test_a_lease_that_is_old_isnt_relied_on(make_settings, ours):
    """A process that slept between its commit and the sending leaves the message to whoever has it by then."""
    channel = Gated()
    channel.door.set()
    async with serving(make_settings(**mail_settings(1)), channels=[channel]) as service:
        gate = service.gate
        now = gate.clock.now() - timedelta(seconds=20)
        incident = an_incident(opened_at=now, last_alert_at=now)
        alert = an_alert(incident_id=incident.id, received_at=now)
        message = replace(
            a_notification(incident),
            status=NotificationStatus.SENDING,
            lease_owner=gate.deliverer._owner if ours else "other",
            lease_until=now + LEASE,
            claimed_at=now,
        )
        with gate.store.transaction() as connection:
            incidents.add(connection, [incident])
            alerts.add(connection, [alert])
            notifications.add(connection, [message])
        gate.deliverer.take_up([Snapshot(message, incident, (alert,))])
        assert not taken_up(service)
        if ours:
            await until(lambda: asyncio.sleep(0, channel.sent))
        else:
            gate.deliverer._swept = float("-inf")
            await gate.deliverer._sweep()
            assert stored(service) == [message]
    assert len(channel.sent) == ours
