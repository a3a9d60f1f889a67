"""The periodic jobs of notifications, where the database lets them wait."""

from datetime import timedelta

from alertgate.metric_labels import LabelValues
from alertgate.metrics import Metrics
from alertgate.model import ChannelName, NotificationStatus
from alertgate.notify.channels.base import Reason
from alertgate.notify.channels.registry import targets
from alertgate.notify.directory import Directory
from alertgate.notify.upkeep import NotificationUpkeep
from alertgate.store import alerts, incidents, notifications
from alertgate.store.engine import Store
from tests.builders import new_alert, new_incident, new_notification
from tests.fakes import START, FakeClock


class WaitingStore(Store):
    """A store whose writes wait for two minutes, as those of a process that is suspended before them."""

    clock: FakeClock

    async def write(self, act):
        self.clock.move(minutes=2)
        return await super().write(act)


async def test_what_was_claimed_while_a_release_waited_is_left_alone(make_settings):
    """Another process is sending it. It isn't from the future, as it would be to a clock that was set back."""
    settings, clock = make_settings(), FakeClock()
    store = WaitingStore(settings)
    store.clock = clock
    store.open(exclusive=True)
    incident, at = new_incident(), START + timedelta(seconds=110)
    lease = {"lease_owner": "other", "claimed_at": at, "lease_until": at + timedelta(minutes=1)}
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        alerts.add(connection, [new_alert(incident_id=incident.id)])
        notifications.add(connection, [new_notification(incident, status=NotificationStatus.SENDING, **lease)])
    metrics = Metrics("test", clock, LabelValues([ChannelName.EMAIL], (), Reason, (), (), ()))
    directory = Directory.of(targets(settings))
    upkeep = NotificationUpkeep(
        store, settings, clock, metrics, channels=[ChannelName.EMAIL], directory=directory, owner="me"
    )
    await upkeep.release_expired(frozenset())
    [stored] = store.read_now(lambda connection: notifications.of_incident(connection, incident.id))
    store.close()
    assert (stored.status, stored.lease_owner) == (NotificationStatus.SENDING, "other")
