"""Incidents that are open when escalations come are told as before, and nothing about them is told again."""

from datetime import timedelta

import pytest
from alembic import command
from sqlalchemy import text

from alertgate.accept.record import Recorder
from alertgate.accept.rulings import Understood
from alertgate.ids import new_id
from alertgate.model import ChannelName, Kind, NotificationStatus, Signal
from alertgate.notify.directory import Directory
from alertgate.store import escalations, incidents, notifications
from alertgate.store.engine import Store
from tests.builders import new_alert
from tests.fakes import START
from tests.store.test_migrations import connected, migrate

ME = (ChannelName.EMAIL, "me@example.com")
BEFORE = "0007"


@pytest.fixture
def before(make_settings, database):
    """Settings of a database without escalations: an open incident that got worse, which was told, and a wait."""
    settings = make_settings(**database)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with connected(settings, database) as connection:
        migrate(connection, command.downgrade if settings.database_url else command.upgrade, BEFORE)
        at = int(START.timestamp() * 1_000_000)
        connection.execute(
            text(
                "INSERT INTO incidents (id, key, status, source, event, device, severity, opened_at, last_alert_at,"
                " alert_count, changed_at) VALUES ('old', 'particle:d:e', 'open', 'particle', 'e', 'd', 2, :at, :at,"
                " 2, :at)"
            ),
            {"at": at},
        )
        for number, (kind, status) in enumerate((("opening", "sent"), ("escalation", "sent"), ("update", "pending"))):
            connection.execute(
                text(
                    "INSERT INTO notifications (id, incident_id, channel, address, kind, status, severity, reason,"
                    " created_at, due_at, retry_since, attempts, claimed_at, finished_at, told) VALUES (:id, 'old',"
                    " 'email', 'me@example.com', :kind, :status, 2, 'r', :at, :due, :at, 0, :sent, :sent, :told)"
                ),
                {
                    "id": f"n{number}",
                    "kind": kind,
                    "status": status,
                    "at": at,
                    "due": at + 300_000_000,
                    "sent": at if status == "sent" else None,
                    "told": "open" if status == "sent" else None,
                },
            )
    return settings


def test_open_incidents_keep_what_was_told_and_what_waits(before):
    """The old kind has its new name; nothing is held, nothing runs, and nobody is told again."""
    store = Store(before)
    store.open(exclusive=True)
    found = store.read_now(lambda c: notifications.of_incident(c, "old"))
    assert [each.kind for each in found] == [Kind.OPENING, Kind.RISE, Kind.UPDATE]
    assert {(each.person, each.hold, each.released_at) for each in found} == {(None, None, None)}
    assert not store.read_now(lambda c: escalations.any_due(c, START + timedelta(days=9)))
    store.close()


def test_the_next_alerts_go_on_with_them(before):
    """One joins in silence, because an update waits; the all-clear is told in its place."""
    store = Store(before)
    store.open(exclusive=True)
    recorder = Recorder(before.grouping, Directory.of([ME]), new_id)
    told = []
    for seconds, said in ((10, {}), (20, {"signal": Signal.RESOLVED})):
        at = START + timedelta(seconds=seconds)
        alert = new_alert(id=new_id(at), received_at=at, **said)
        with store.transaction() as connection:
            [recorded] = recorder.record(connection, [Understood(alert)])
        assert recorded.incident_id == "old"
        waiting = store.read_now(lambda c: notifications.of_incident(c, "old"))
        told.append([(each.kind, each.severity) for each in waiting if each.status is NotificationStatus.PENDING])
    incident = store.read_now(lambda c: incidents.get(c, "old"))
    store.close()
    assert [[kind for kind, _ in each] for each in told] == [[Kind.UPDATE], [Kind.RESOLUTION]]
    assert incident is not None
    assert (incident.first_firing_at, incident.snoozed_until) == (None, None)


def test_the_schema_before_can_be_restored(before, database):
    """A downgrade gives the old kind its name again, and new kinds one that the older version knows."""
    store = Store(before)
    store.open(exclusive=True)
    with store.transaction() as connection:
        connection.execute(text("UPDATE notifications SET kind = 'handoff' WHERE id = 'n0'"))
    store.close()
    with connected(before, database) as connection:
        migrate(connection, command.downgrade, BEFORE)
        kinds = connection.execute(text("SELECT kind FROM notifications ORDER BY id")).scalars().all()
    assert kinds == ["update", "escalation", "update"]
