"""Queries of the lists and of manual retries, the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from alertgate.credential import Credential
from alertgate.ids import new_id
from alertgate.model import AlertStatus, IncidentStatus, NotificationStatus, Severity, Source
from alertgate.store import alerts, failures, incidents, notifications
from alertgate.store.engine import Store
from alertgate.store.pages import Wanted
from tests import builders
from tests.fakes import START

SECOND = timedelta(seconds=1)


def put_alert(store: Store, number: int, **changes) -> str:
    """Store an alert received `number` seconds after the start; return its id."""
    at = START + number * SECOND
    alert = builders.alert(id=new_id(at), received_at=at, **changes)
    with store.transaction() as connection:
        alerts.add(connection, [alert])
    return alert.id


def put_incident(store: Store, number: int, **changes) -> str:
    """Store an incident opened `number` seconds after the start; return its id."""
    at = START + number * SECOND
    incident = builders.incident(id=new_id(at), opened_at=at, key=f"key-{number}", **changes)
    with store.transaction() as connection:
        incidents.add(connection, [incident])
    return incident.id


def put_notification(store: Store, incident_id: str, **changes) -> str:
    """Store a notification, failed unless changed; return its id."""
    changes = {"status": NotificationStatus.FAILED, "lease_owner": None, "lease_until": None, **changes}
    notification = builders.notification(id=new_id(START), incident_id=incident_id, **changes)
    with store.transaction() as connection:
        notifications.add(connection, [notification])
    return notification.id


def ids(store: Store, wanted: Wanted, before: str | None = None, limit: int = 50) -> list[str]:
    """Return the ids of a page of alerts."""
    return store.read_now(lambda c: [alert.id for alert in alerts.page(c, wanted, before, limit)])


def test_pages_of_alerts_are_ordered_from_newest_to_oldest(store: Store):
    """Each page continues where the one before ended, whatever arrived meanwhile."""
    first, second, third = (put_alert(store, number) for number in range(3))
    assert ids(store, Wanted(), limit=2) == [third, second]
    put_alert(store, 3)
    assert ids(store, Wanted(), before=second, limit=2) == [first]


@pytest.mark.parametrize(
    ("wanted", "other"),
    [
        (Wanted(device="one"), {"device": "two"}),
        (Wanted(device="one"), {"device": None}),
        (Wanted(event="one"), {"event": "two"}),
        (Wanted(severity=Severity.INFO), {"severity": Severity.CRITICAL}),
        (Wanted(status=AlertStatus.QUARANTINED), {"status": AlertStatus.ACCEPTED}),
        (Wanted(source=Source.GENERIC), {"source": Source.PARTICLE}),
    ],
)
def test_alerts_are_filtered_by_each_column(store: Store, wanted, other):
    """Only alerts with the value are returned."""
    name = next(iter(other))
    good = put_alert(store, 0, **{name: getattr(wanted, name)})
    put_alert(store, 1, **other)
    assert ids(store, wanted) == [good]


def test_a_time_range_includes_its_start_and_excludes_its_end(store: Store):
    """To the microsecond, and also for times far outside those of any alert."""
    first, second, third = (put_alert(store, number) for number in range(3))
    at = START + SECOND
    assert ids(store, Wanted(since=at)) == [third, second]
    assert ids(store, Wanted(since=at + timedelta(microseconds=1))) == [third]
    assert ids(store, Wanted(until=at)) == [first]
    assert ids(store, Wanted(until=at + timedelta(microseconds=1))) == [second, first]
    assert ids(store, Wanted(since=datetime.min.replace(tzinfo=UTC))) == [third, second, first]
    assert ids(store, Wanted(until=datetime.max.replace(tzinfo=UTC))) == [third, second, first]
    assert ids(store, Wanted(until=datetime.min.replace(tzinfo=UTC))) == []


def test_incidents_have_the_same_pages_and_filters(store: Store):
    """Newest first, filtered by status and time of opening."""
    first, second = put_incident(store, 0), put_incident(store, 1, status=IncidentStatus.RESOLVED)

    def found(wanted: Wanted, before: str | None = None) -> list[str]:
        return [incident.id for incident in store.read_now(lambda c: incidents.page(c, wanted, before, 50))]

    assert found(Wanted()) == [second, first]
    assert found(Wanted(), before=second) == [first]
    assert found(Wanted(status=IncidentStatus.OPEN)) == [first]
    assert found(Wanted(since=START + SECOND)) == [second]


def test_sqlite_reads_a_page_from_an_index_without_sorting(make_settings):
    """By device, by event, by status and by time."""
    opened = Store(make_settings())
    opened.open(exclusive=True)
    for query in (
        "SELECT * FROM alerts ORDER BY id DESC LIMIT 50",
        "SELECT * FROM alerts WHERE device = 'd' AND id < 'x' ORDER BY id DESC LIMIT 50",
        "SELECT * FROM alerts WHERE event = 'e' ORDER BY id DESC LIMIT 50",
        "SELECT * FROM alerts WHERE id >= 'a' AND id < 'x' ORDER BY id DESC LIMIT 50",
        "SELECT * FROM incidents WHERE status = 'open' ORDER BY id DESC LIMIT 50",
    ):
        plan = opened.read_now(
            lambda connection, query=query: " ".join(
                row.detail for row in connection.execute(text(f"EXPLAIN QUERY PLAN {query}"))
            )
        )
        assert ("USING INDEX" in plan, "TEMP B-TREE" in plan) == (True, False), plan
    opened.close()


def test_a_failed_notification_can_be_restarted(store: Store):
    """It is pending, due now and without attempts; only a failed one can be restarted."""
    incident = put_incident(store, 0)
    failed = put_notification(store, incident, attempts=9, finished_at=START)
    assert store.read_now(failures.ids) == [failed]
    now = START + SECOND
    with store.transaction() as connection:
        before = notifications.get(connection, failed)
        after = notifications.restart(connection, before, Credential.API_TOKEN, now)
        assert notifications.get(connection, failed) == after
    assert (after.status, after.due_at, after.retry_since) == (NotificationStatus.PENDING, now, now)
    assert (after.attempts, after.finished_at, after.created_at) == (0, None, START)
    assert store.read_now(failures.ids) == []
    with store.transaction() as connection, pytest.raises(ValueError, match="that is pending"):
        notifications.restart(connection, after, Credential.API_TOKEN, now)


def test_cancelling_affects_only_pending_notifications_of_one_incident(store: Store):
    """Those of other incidents, and those that are sent or being sent, don't change."""
    one, other = put_incident(store, 0), put_incident(store, 1)
    pending = put_notification(store, one, status=NotificationStatus.PENDING)
    kept = [
        put_notification(store, one, status=NotificationStatus.SENDING),
        put_notification(store, one, status=NotificationStatus.SENT),
        put_notification(store, other, status=NotificationStatus.PENDING),
    ]
    target = (builders.notification().channel, builders.notification().address)
    assert store.read_now(lambda c: notifications.pending_to(c, one, target)) == pending
    with store.transaction() as connection:
        assert notifications.cancel(connection, one, "acknowledged by Anna", START) == 1
        after = notifications.get(connection, pending)
        assert (after.status, after.reason, after.finished_at) == (
            NotificationStatus.CANCELLED,
            "acknowledged by Anna",
            START,
        )
        assert NotificationStatus.CANCELLED not in {notifications.get(connection, each).status for each in kept}
        assert notifications.pending_to(connection, one, target) is None
