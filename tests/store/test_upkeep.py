"""Retention, backup, checkpoints, and notifications on removed channels."""

import asyncio
import sqlite3
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alertgate.credential import Credential
from alertgate.errors import StoreError, StoreUnavailable
from alertgate.ids import new_id
from alertgate.model import AlertStatus, Attempt, ChannelName, IncidentStatus, NotificationStatus, Severity
from alertgate.prove.housekeeping import delete_expired
from alertgate.store import (
    alerts,
    attempts,
    audit,
    failures,
    incidents,
    leases,
    notifications,
    retention,
    untold,
    upkeep,
)
from alertgate.store.engine import LogLimits, Store
from alertgate.store.rows import AT_ONCE
from tests import builders
from tests.fakes import START, FakeClock

OLD = START - timedelta(days=91)


@pytest.fixture
def store(make_settings, database):
    """An open store on each database."""
    opened = Store(make_settings(**database))
    opened.open(exclusive=True)
    yield opened
    opened.close()


def plant(store: Store, *, ended, status=IncidentStatus.RESOLVED, notified=NotificationStatus.SENT, alerts_=1) -> str:
    """Store an incident with its last alert at `ended`, its alerts, a notification and an attempt."""
    over = ended if status is IncidentStatus.RESOLVED else None
    own = {"id": new_id(ended), "key": new_id(ended)}
    incident = builders.incident(**own, status=status, last_alert_at=ended, resolved_at=over)
    told = replace(builders.notification(), id=new_id(ended), incident_id=incident.id, status=notified)
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        new = [
            replace(builders.alert(), id=new_id(ended), incident_id=incident.id, repeat_key=None, received_at=ended)
            for _ in range(alerts_)
        ]
        alerts.add(connection, new)
        notifications.add(connection, [told])
        attempts.add(
            connection,
            [Attempt(new_id(ended), told.id, ended, 0.1, "sent", "sent", "250 ok")],
        )
    return incident.id


async def test_old_resolved_incidents_are_deleted(store: Store):
    """They go with their alerts, notifications and attempts; recent, open and pending ones stay."""
    gone = plant(store, ended=OLD, alerts_=retention.ALERTS_AT_A_TIME + 1)
    kept = [
        plant(store, ended=START - timedelta(days=89)),
        plant(store, ended=OLD, status=IncidentStatus.OPEN),
        plant(store, ended=OLD, status=IncidentStatus.ACKNOWLEDGED),
        plant(store, ended=OLD, notified=NotificationStatus.PENDING),
        plant(store, ended=OLD, notified=NotificationStatus.SENDING),
    ]
    orphan = replace(builders.alert(), id=new_id(OLD), received_at=OLD, incident_id=None, repeat_key=None)
    with store.transaction() as connection:
        alerts.add(connection, [orphan])
    await delete_expired(store, FakeClock(), 90)
    assert store.read_now(lambda c: incidents.get(c, gone)) is None
    assert store.read_now(lambda c: alerts.latest(c, gone, 9)) == []
    assert store.read_now(lambda c: notifications.of_incident(c, gone)) == []
    assert store.read_now(lambda c: alerts.get(c, orphan.id)) is None
    for incident_id in kept:
        assert store.read_now(lambda c, i=incident_id: incidents.get(c, i)) is not None
        assert len(store.read_now(lambda c, i=incident_id: alerts.latest(c, i, 9))) == 1


async def test_what_nobody_has_dealt_with_is_not_deleted(store: Store):
    """An old incident with an outstanding failure stays until it is dismissed, and is deleted then."""
    incident_id = plant(store, ended=OLD, notified=NotificationStatus.FAILED)
    await delete_expired(store, FakeClock(), 90)
    [failed] = store.read_now(failures.ids)
    with store.transaction() as connection:
        failures.dismiss(connection, [failed], "Anna", Credential.API_TOKEN, START)
    assert store.read_now(lambda c: incidents.get(c, incident_id)) is not None
    await delete_expired(store, FakeClock(), 90)
    assert store.read_now(lambda c: incidents.get(c, incident_id)) is None


async def test_zero_days_keep_everything(store: Store):
    """RETENTION_DAYS=0 means forever."""
    incident_id = plant(store, ended=START - timedelta(days=9999))
    await delete_expired(store, FakeClock(), 0)
    assert store.read_now(lambda c: incidents.get(c, incident_id)) is not None


def test_notifications_on_a_removed_channel_are_reassigned(store: Store):
    """A configured address gets its notification by another channel; for other addresses it fails."""
    incident = replace(builders.incident(), key="k")
    message = replace(
        builders.notification(), incident_id=incident.id, status=NotificationStatus.PENDING, channel=ChannelName.EMAIL
    )
    known = replace(message, id=new_id(START), address="me@example.com")
    unknown = replace(message, id=new_id(START), address="gone@example.com")
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        notifications.add(connection, [known, unknown])
        moved, failed = upkeep.reassign_orphaned(
            connection, {ChannelName.OUTBOX}, [(ChannelName.OUTBOX, "me@example.com")], START
        )
    assert (moved, failed) == ([known.id], [unknown.id])
    after = {n.id: n for n in store.read_now(lambda c: notifications.of_incident(c, incident.id))}
    assert (after[known.id].channel, after[known.id].status) == (ChannelName.OUTBOX, NotificationStatus.PENDING)
    assert after[unknown.id].status is NotificationStatus.FAILED


def test_what_nothing_reaches_any_more_fails_though_the_policy_names_it(store: Store):
    """The channel's token was taken out, and the contact stays: nobody hears, so that must be seen."""
    incident = builders.new_incident()
    push = builders.new_notification(incident, channel=ChannelName.PUSHOVER, address="u")
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        notifications.add(connection, [push])
        targets = [(ChannelName.PUSHOVER, "u")]
        assert upkeep.reassign_orphaned(connection, {ChannelName.EMAIL}, targets, START) == ([], [push.id])
        assert notifications.get(connection, push.id).status is NotificationStatus.FAILED
        assert failures.ids(connection) == [push.id]


def test_giving_up_goes_on_until_all_is_given_up(store: Store):
    """A thousand at a time: one statement can't name them all."""
    incident = builders.new_incident()
    made = [builders.new_notification(incident, address=f"{number}@x.y") for number in range(AT_ONCE + 1)]
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        notifications.add(connection, made)
        later = START + timedelta(hours=25)
        given_up = [upkeep.give_up(connection, START + timedelta(hours=1), later) for _ in range(3)]
    assert [len(each) for each in given_up] == [AT_ONCE, 1, 0]
    assert {each.id for some in given_up for each in some} == {each.id for each in made}


def test_no_list_of_ids_is_too_long(make_settings):
    """After a week of an outage there may be more than one statement takes: 32,766 in SQLite, 65,535 in PostgreSQL."""
    many = [f"id{number}" for number in range(33_000)]
    store = Store(make_settings())
    store.open(exclusive=True)
    with store.transaction() as c:
        assert failures.dismiss(c, many, "Ada", Credential.COMMAND_LINE, START) == 0
        assert (incidents.by_id(c, many), attempts.last(c, many), attempts.of_notifications(c, many)) == ({}, {}, [])
        assert (audit.concern(c, many), untold.news(c, many), untold.earlier(c, many)) == ({}, {}, {})
        assert untold.included(c, many) == leases.lease(c, many, leases.Lease("me", START, START)) == []
        assert leases.release_expired(c, START, many) == []
        later = [builders.new_notification(builders.new_incident(id=each)) for each in many]
        failures.supersede(c, later)
        assert leases.finish(c, [leases.unattempted(each, START) for each in later]) == [False] * len(many)
    store.close()


def test_what_was_for_the_outbox_is_ended_once_mail_is_set(store: Store):
    """It never was for a person, so nothing of it fails or stays to be dealt with; what a recipient gets stays."""
    incident = builders.new_incident()
    nobody, somebody = "operator@localhost", "me@example.com"
    pending, failed = NotificationStatus.PENDING, NotificationStatus.FAILED
    made = {
        "waits": builders.new_notification(incident, channel=ChannelName.OUTBOX, address=nobody),
        "failed": builders.new_notification(incident, channel=ChannelName.OUTBOX, address=nobody, status=failed),
        "due": builders.new_notification(incident, channel=ChannelName.OUTBOX, address=somebody),
        "mail": builders.new_notification(
            incident, channel=ChannelName.EMAIL, address="gone@example.com", status=failed
        ),
    }
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        notifications.add(connection, list(made.values()))
        assert upkeep.leave_outbox(connection, [somebody], START) == 2
        assert upkeep.leave_outbox(connection, [somebody], START) == 0
    stored = {each.id: each for each in store.read_now(lambda c: notifications.of_incident(c, incident.id))}
    after = {name: stored[each.id] for name, each in made.items()}
    assert (after["waits"].status, after["waits"].reason) == (NotificationStatus.CANCELLED, upkeep.LEFT_IN_OUTBOX)
    assert after["due"].status is pending
    assert {name for name, each in after.items() if each.is_outstanding} == {"mail"}


def test_what_the_daily_limit_holds_back_is_not_given_up(store: Store):
    """The time of the hold doesn't count for GIVE_UP_AFTER; what is critical is held only when nothing goes."""
    mail, every, day = (ChannelName.EMAIL, ChannelName.SMS), timedelta(minutes=1), timedelta(hours=24)
    incident = builders.new_incident()
    made = [
        builders.new_notification(incident, address="warning@x.y"),
        builders.new_notification(incident, address="critical@x.y", severity=Severity.CRITICAL),
        builders.new_notification(incident, address="later@x.y", due_at=START + timedelta(hours=1)),
        builders.new_notification(incident, address="file@x.y", channel=ChannelName.OUTBOX),
    ]
    now = START + timedelta(minutes=9)

    def held() -> dict[str, datetime | None]:
        stored = store.read_now(lambda c: notifications.of_incident(c, incident.id))
        return {each.address.partition("@")[0]: each.held_until for each in stored}

    with store.transaction() as connection:
        incidents.add(connection, [incident])
        notifications.add(connection, made)
        assert upkeep.hold(connection, mail, now, critical=False, every=every) == 1
    assert held() == {"warning": now, "critical": None, "later": None, "file": None}
    with store.transaction() as connection:
        assert upkeep.hold(connection, mail, now + timedelta(seconds=59), critical=True, every=every) == 1
        assert upkeep.hold(connection, mail, now - timedelta(hours=9), critical=True, every=every) == 0
        assert upkeep.hold(connection, mail, now + every, critical=False, every=every) == 1
        given_up = upkeep.give_up(connection, START, START + day)
        assert {each.address for each in given_up} == {"later@x.y", "file@x.y"}
        given_up = upkeep.give_up(connection, now + every, START + 2 * day)
        assert {each.address for each in given_up} == {"warning@x.y", "critical@x.y"}


def test_a_backup_is_a_complete_copy(make_settings, tmp_path):
    """The copy has all commits, is private, passes SQLite's integrity check, and opens as a store."""
    settings = make_settings()
    store = Store(settings)
    store.open(exclusive=True)
    alert = replace(builders.alert(), incident_id=None, status=AlertStatus.ACCEPTED)
    with store.transaction() as connection:
        alerts.add(connection, [alert])
    copy = tmp_path / "restored" / "alertgate.db"
    copy.parent.mkdir()
    rows = store.backup(copy)
    assert {name: number for name, number in rows.items() if number} == {"alembic_version": 1, "alerts": 1}
    with pytest.raises(StoreError, match="already exists"):
        store.backup(copy)
    with pytest.raises(StoreUnavailable, match="can't be written"):
        store.backup(tmp_path / "no" / "such" / "place.db")
    store.close()
    assert copy.stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(copy) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    restored = Store(make_settings(data_dir=copy.parent))
    restored.open(exclusive=True)
    assert restored.read_now(lambda c: alerts.get(c, alert.id)) == alert
    restored.close()


def test_a_backup_of_postgresql_is_refused(make_settings, postgres_database, tmp_path):
    """The message names pg_dump."""
    store = Store(make_settings(database_url=postgres_database))
    store.open(exclusive=True)
    with pytest.raises(StoreError, match="pg_dump"):
        store.backup(tmp_path / "copy.db")
    store.close()


async def test_a_checkpoint_moves_the_log_into_the_database(make_settings):
    """Afterwards the database file has the alert without the write-ahead log; requests don't wait for that."""
    settings = make_settings()
    store = Store(settings)
    store.open(exclusive=True)
    alert = replace(builders.alert(), incident_id=None)
    with store.transaction() as connection:
        assert connection.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar() == 0
        alerts.add(connection, [alert])
    assert settings.sqlite_file
    before = settings.sqlite_file.read_bytes()
    await store.checkpoint()
    after = settings.sqlite_file.read_bytes()
    assert (alert.id.encode() in before, alert.id.encode() in after) == (False, True)
    store.close()


def _write(store: Store, times: int) -> None:
    for _ in range(times):
        with store.transaction() as connection:
            alerts.add(connection, [replace(builders.alert(), id=new_id(START), incident_id=None, repeat_key=None)])


async def test_a_long_log_is_restarted_while_others_read_and_write(make_settings):
    """The log doesn't grow without limit under a steady load, and nothing in it is lost."""
    settings = make_settings()
    store = Store(settings, LogLimits(restart_from=50))
    store.open(exclusive=True)
    log = settings.data_dir / "alertgate.db-wal"
    sizes = []
    for _ in range(3):
        _write(store, 20)
        reader = sqlite3.connect(settings.data_dir / "alertgate.db")
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM alerts").fetchone()
        _write(store, 20)  # can't be moved until the reader, which doesn't see it, ends
        sizes.append(log.stat().st_size)
        asyncio.get_running_loop().call_later(0.05, reader.close)
        await store.checkpoint()
    assert (sizes[0] > 200_000, max(sizes) < 1.2 * sizes[0]) == (True, True)
    assert store.read_now(lambda c: c.exec_driver_sql("SELECT count(*) FROM alerts").scalar()) == 120
    store.close()


async def test_a_restart_shrinks_the_log_to_its_limit(make_settings):
    """A burst of alerts doesn't take disk space forever."""
    settings = make_settings()
    store = Store(settings, LogLimits(restart_from=50, kept=100_000))
    store.open(exclusive=True)
    log = settings.data_dir / "alertgate.db-wal"
    _write(store, 40)
    grown = log.stat().st_size
    await store.checkpoint()
    _write(store, 1)
    assert (grown > 200_000, log.stat().st_size <= 100_000) == (True, True)
    store.close()
