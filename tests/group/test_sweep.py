"""The background job that resolves quiet incidents."""

from dataclasses import replace
from datetime import timedelta

import pytest
import structlog

from alertgate.group.sweep import resolve_quiet
from alertgate.model import IncidentStatus, NotificationStatus, Source
from alertgate.own_events import Hint
from alertgate.rules import GroupingRules
from alertgate.store import incidents, notifications
from alertgate.store.engine import Store
from tests import builders
from tests.fakes import FakeClock


@pytest.mark.parametrize(
    ("notified", "expected"),
    [
        (NotificationStatus.SENT, IncidentStatus.RESOLVED),
        (NotificationStatus.FAILED, IncidentStatus.RESOLVED),
        (NotificationStatus.PENDING, IncidentStatus.OPEN),
        (NotificationStatus.SENDING, IncidentStatus.OPEN),
    ],
)
async def test_a_quiet_incident_is_resolved_unless_a_notification_waits(make_settings, database, notified, expected):
    """After RESOLVE_AFTER it is resolved, unless a notification about it isn't sent yet."""
    settings = make_settings(**database)
    store = Store(settings)
    store.open(exclusive=True)
    incident = builders.incident()
    waits = notified in (NotificationStatus.PENDING, NotificationStatus.SENDING)
    finished_at = None if waits else incident.last_alert_at
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        told = replace(builders.notification(), incident_id=incident.id, status=notified, finished_at=finished_at)
        notifications.add(connection, [told])
    clock = FakeClock(incident.last_alert_at)
    clock.move(seconds=settings.resolve_after - 1)
    await resolve_quiet(store, settings.grouping, clock)
    before = store.read_now(lambda c: incidents.get(c, incident.id))
    clock.move(seconds=1)
    with structlog.testing.capture_logs() as lines:
        await resolve_quiet(store, settings.grouping, clock)
    after = store.read_now(lambda c: incidents.get(c, incident.id))
    store.close()
    assert before
    assert after
    assert (before.status, after.status) == (IncidentStatus.OPEN, expected)
    assert [line["incident_id"] for line in lines] == ([incident.id] if expected is IncidentStatus.RESOLVED else [])


@pytest.mark.parametrize("hint", list(Hint))
def test_hints_end_in_silence(store: Store, hint):
    """Nobody says that they are over; a device's own event of that name is no hint, but ends so too."""
    said = [builders.new_incident(source=source, key=source, event=hint.value) for source in Source]
    with store.transaction() as connection:
        incidents.add(connection, said)
        at_once = GroupingRules(interval=timedelta(0), resolve_after=timedelta(0))
        ended = incidents.resolve_quiet(connection, at_once, said[0].last_alert_at)
    assert sorted(ended) == sorted(each.id for each in said)


def test_alertgates_own_troubles_never_end_in_silence(store: Store):
    """It watches them itself, and says when they are over."""
    own = builders.incident(source=Source.ALERTGATE)
    with store.transaction() as connection:
        incidents.add(connection, [own])
        at_once = GroupingRules(interval=timedelta(0), resolve_after=timedelta(0))
        assert incidents.resolve_quiet(connection, at_once, own.last_alert_at) == []
        assert incidents.own_unresolved(connection) == [own]
