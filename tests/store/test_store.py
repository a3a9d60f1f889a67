"""The conformance suite of the store: the same on SQLite and PostgreSQL."""

import asyncio
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from alertgate.errors import StoreInUse, StoreRefused, StoreTooSlow, StoreUnavailable
from alertgate.group.decide import is_quiet
from alertgate.ids import new_id
from alertgate.model import AlertStatus, IncidentStatus, Resolution, Severity, Signal
from alertgate.rules import GroupingRules
from alertgate.seen import Seen
from alertgate.store import alerts, incidents, notifications
from alertgate.store.engine import Store
from alertgate.store.write_probe import probe
from alertgate.store.writer import Writer
from tests.builders import incompressible, new_alert, new_incident, new_notification
from tests.fakes import START

NASTY = "NUL \x00, escape \x1a and \x1a0000, lone surrogates \ud800 \udcff, emoji 🚪, bidi \u202e, quote ' \" \\"


NO_ROOM = incompressible(5000)
"""A text that an index of PostgreSQL has no room for."""


def test_any_text_survives_the_round_trip(store: Store):
    """Text that PostgreSQL or UTF-8 can't store is read back unchanged, in columns and inside JSON."""
    alert = new_alert(
        event=NASTY,
        incident_key=NASTY,
        device=NASTY,
        message=NASTY,
        data={NASTY: [NASTY, 1.5, None, True, 10**30]},
        fields={"x": NASTY},
        repeat_key=NASTY,
        errors=(NASTY,),
        raw=b"\x00\xff raw",
        request_id=NASTY,
        published_at=START - timedelta(microseconds=1),
        reason=NASTY,
        status=AlertStatus.QUARANTINED,
    )
    with store.transaction() as connection:
        alerts.add(connection, [alert])
    assert store.read_now(lambda c: alerts.get(c, alert.id)) == alert
    known = store.read_now(lambda c: alerts.with_same_id(c, [alert, new_alert()], START - timedelta(days=1)))
    assert known == {NASTY: [Seen.of(alert)]}
    cleared = replace(alert, id=new_id(START), signal=Signal.RESOLVED)
    with store.transaction() as connection:
        alerts.add(connection, [cleared])
    assert store.read_now(lambda c: alerts.all_clears(c, {NASTY}, START)) == {NASTY: [Seen.of(cleared)]}


def test_one_unresolved_incident_per_key(store: Store):
    """The database refuses a second unresolved incident with the same key, until the first is resolved."""
    first = new_incident()
    with store.transaction() as connection:
        incidents.add(connection, [first])
    with pytest.raises(StoreRefused), store.transaction() as connection:
        incidents.add(connection, [new_incident(status=IncidentStatus.ACKNOWLEDGED)])
    second = new_incident()
    with store.transaction() as connection:
        incidents.save(connection, [replace(first, status=IncidentStatus.RESOLVED, alert_count=7)])
        incidents.add(connection, [second])
    assert store.read_now(lambda c: incidents.last(c, {first.key, "other"})) == {first.key: second}
    assert store.read_now(lambda c: incidents.get(c, first.id)) == replace(
        first, status=IncidentStatus.RESOLVED, alert_count=7
    )


def test_one_pending_notification_per_incident_and_address(store: Store):
    """The database refuses a second pending notification to one address about one incident."""
    incident = new_incident()
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        notifications.add(connection, [new_notification(incident), new_notification(incident, address="b@example.com")])
    with pytest.raises(StoreRefused), store.transaction() as connection:
        notifications.add(connection, [new_notification(incident)])


def test_a_read_sees_one_snapshot_of_the_database(store: Store):
    """A commit between two statements of a read is visible to neither."""

    def query(connection) -> list[bool]:
        before = alerts.with_same_id(connection, [new_alert(repeat_key="event")], START)
        with store.transaction() as writing:
            alerts.add(writing, [new_alert(repeat_key="event")])
        return [bool(before), bool(alerts.with_same_id(connection, [new_alert(repeat_key="event")], START))]

    assert store.read_now(query) == [False, False]
    assert store.read_now(lambda c: alerts.with_same_id(c, [new_alert(repeat_key="event")], START))


def test_quiet_incidents_are_resolved(store: Store):
    """Only one that `is_quiet` calls quiet is resolved, and its resolution is `silence`."""
    rules = GroupingRules(timedelta(minutes=5), timedelta(minutes=30))
    now = START + timedelta(hours=4, minutes=10)
    acknowledged = {"status": IncidentStatus.ACKNOWLEDGED, "acknowledged_by": "Ada"}
    every = [
        new_incident(key="quiet"),
        new_incident(key="loud", last_alert_at=now - timedelta(minutes=29)),
        new_incident(key="forgotten", acknowledged_at=now - timedelta(hours=4), **acknowledged),
        new_incident(key="known", acknowledged_at=now - timedelta(hours=3), **acknowledged),
        new_incident(key="reopened", acknowledged_at=now - timedelta(hours=3)),
        new_incident(key="over", status=IncidentStatus.RESOLVED),
    ]
    quiet = every[0]
    with store.transaction() as connection:
        incidents.add(connection, every)
        resolved = incidents.resolve_quiet(connection, rules, now)
    assert set(resolved) == {each.id for each in every if is_quiet(each, now, rules)}
    assert len(resolved) == 3
    resolved = store.read_now(lambda c: incidents.get(c, quiet.id))
    assert resolved == replace(quiet, status=IncidentStatus.RESOLVED, resolved_at=now, resolution=Resolution.SILENCE)


async def test_the_writer_commits_many_at_once_and_answers_each(store: Store):
    """A hundred concurrent writes each return their own result, in fewer transactions than writes."""
    batches: list[int] = []

    def work(connection, items):
        batches.append(len(items))
        alerts.add(connection, items)
        return [alert.id for alert in items]

    new = [new_alert() for _ in range(100)]
    ids = await asyncio.gather(*(store.write_batch(work, alert) for alert in new))
    assert ids == [alert.id for alert in new]
    assert sum(batches) == 100
    assert len(batches) < 100


async def test_one_bad_row_does_not_fail_the_others(store: Store):
    """If a batch fails, its items are written one by one: the good ones are stored, the bad one raises."""
    bad = new_alert()
    with store.transaction() as connection:
        alerts.add(connection, [bad])

    def work(connection, items):
        alerts.add(connection, items)
        return [alert.id for alert in items]

    new = [new_alert(), replace(new_alert(), id=bad.id), new_alert()]
    results = await asyncio.gather(*(store.write_batch(work, alert) for alert in new), return_exceptions=True)
    assert [results[0], results[2]] == [new[0].id, new[2].id]
    assert isinstance(results[1], StoreRefused)
    assert await store.read(lambda c: alerts.get(c, new[2].id)) == new[2]


@pytest.mark.postgres
@pytest.mark.parametrize(
    "bad", [{"event": NO_ROOM}, {"device": NO_ROOM}, {"content": "x" * 33}], ids=["event", "device", "content"]
)
async def test_a_row_that_postgresql_has_no_room_for_does_not_fail_the_others(make_settings, postgres_database, bad):
    """The driver calls some of these errors operational, as it does a lost connection."""
    store = Store(make_settings(database_url=postgres_database))
    store.open(exclusive=True)

    def work(connection, items):
        alerts.add(connection, items)
        return [alert.id for alert in items]

    new = [new_alert(), new_alert(**bad), new_alert()]
    results = await asyncio.gather(*(store.write_batch(work, alert) for alert in new), return_exceptions=True)
    store.close()
    assert [results[0], results[2]] == [new[0].id, new[2].id]
    assert isinstance(results[1], StoreRefused)
    assert "The database refuses what was to be stored" in str(results[1])
    assert NO_ROOM[:20] not in str(results[1])


async def test_a_batch_that_fails_stops_when_the_database_is_gone(store: Store):
    """Its members run one by one; each of the rest would only wait for the same time-out again."""
    tried = []

    def work(_, items):
        tried.append(items)
        if len(items) > 1 or items == ["bad"]:
            raise StoreRefused("a bad row")
        if items == ["gone"]:
            raise StoreUnavailable("the database is gone")
        return items

    writer = Writer(store.transaction)
    waiting = [asyncio.ensure_future(writer.do(work, item)) for item in ("good", "bad", "gone", "x", "y")]
    await asyncio.sleep(0)  # each has queued its item
    writer.start()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    writer.stop()
    assert results[0] == "good"
    assert [type(each) for each in results[1:]] == [StoreRefused, *[StoreUnavailable] * 3]
    assert tried == [["good", "bad", "gone", "x", "y"], ["good"], ["bad"], ["gone"]]


async def test_a_stopped_writer_refuses_work(store: Store):
    """A write after the stop raises, and isn't dropped silently."""
    store.writer.stop()
    with pytest.raises(StoreUnavailable):
        await store.write(lambda connection: probe(connection, START))


async def test_a_failing_write_raises_its_own_error_and_does_not_affect_others(store: Store):
    """Single writes share a commit with other queued work; only the failing one is rolled back."""

    def fail(connection):
        probe(connection, START)
        raise LookupError("no such thing")

    good = new_alert()
    results = await asyncio.gather(
        store.write(fail), store.write(lambda connection: alerts.add(connection, [good])), return_exceptions=True
    )
    assert [type(result) for result in results] == [LookupError, type(None)]
    assert store.read_now(lambda c: alerts.get(c, good.id)) == good
    assert store.read_now(lambda c: c.execute(text("SELECT count(*) FROM write_probe")).scalar()) == 0


async def test_the_write_probe_is_one_row(store: Store):
    """Each probe overwrites the one before."""
    for at in (START, START + timedelta(seconds=1)):
        await store.write(lambda connection, at=at: probe(connection, at))
    rows = store.read_now(lambda c: c.execute(text("SELECT id, at FROM write_probe")).all())
    assert [(row.id, row.at) for row in rows] == [(1, int(START.timestamp() * 1_000_000) + 1_000_000)]


def test_a_reopened_store_has_its_data(make_settings, database):
    """A closed store opens again without a migration, and still has its data."""
    settings = make_settings(**database)
    first = Store(settings)
    first.open(exclusive=True)
    alert = new_alert()
    with first.transaction() as connection:
        alerts.add(connection, [alert])
    first.close()
    second = Store(settings)
    second.open(exclusive=True)
    assert second.read_now(lambda c: alerts.get(c, alert.id)) == alert
    second.close()


def test_joining_updates_only_its_columns(store: Store):
    """Several incidents are updated at once, and no column that joining doesn't change."""
    first, second = new_incident(), new_incident(key="another")
    later = START + timedelta(minutes=1)
    with store.transaction() as connection:
        incidents.add(connection, [first, second])
    joined = [replace(each, alert_count=7, last_alert_at=later, severity=Severity.CRITICAL) for each in (first, second)]
    with store.transaction() as connection:
        incidents.join(connection, [replace(each, event="not written") for each in joined])
    with store.transaction() as connection:
        assert [incidents.get(connection, each.id) for each in joined] == joined


def test_incidents_are_found_by_any_number_of_keys(store: Store):
    """Each list of keys finds exactly its incidents."""
    many = [new_incident(key=f"key {number}") for number in range(9)]
    with store.transaction() as connection:
        incidents.add(connection, many)
        for length in range(len(many) + 1):
            keys = [incident.key for incident in many[:length]]
            found = incidents.last(connection, keys)
            assert [found[key] for key in keys] == many[:length]
            assert len(found) == length


@pytest.mark.postgres
def test_a_writer_that_freezes_is_ended_after_writing_many_rows(make_settings, postgres_database):
    """PostgreSQL ends its session, which releases the lock for other replicas, wherever it froze.

    A driver that sends many rows at once may disable the server's timeout of idle transactions.
    """
    store = Store(make_settings(database_url=postgres_database))
    store.open(exclusive=True)
    first, second = new_incident(), new_incident(key="another")
    with store.transaction() as connection:
        incidents.add(connection, [first, second])

    def freeze() -> None:
        with store.transaction() as connection:
            pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            incidents.join(connection, [first, second])
            end = time.monotonic() + 20
            while store.read_now(lambda other: _is_alive(other, pid)):
                assert time.monotonic() < end, "the frozen session holds the lock"
                time.sleep(0.1)

    with pytest.raises(StoreUnavailable):
        freeze()
    store.close()


def _is_alive(connection, pid: int) -> bool:
    return connection.execute(text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid"), {"pid": pid}).scalar() > 0


DIES = """
CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER die AFTER INSERT ON write_probe DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION die();
"""
"""Lets the server's session die within the commit."""


@pytest.mark.postgres
def test_a_connection_that_is_lost_in_a_commit_may_have_stored_it(make_settings, postgres_database):
    """Nobody knows whether it did, so the error doesn't say that nothing was stored; the next write works."""
    store = Store(make_settings(database_url=postgres_database))
    store.open(exclusive=True)
    with store.transaction() as connection:
        connection.exec_driver_sql(DIES)
    with (
        pytest.raises(StoreTooSlow, match=r"lost during a commit .*: it may be stored, or not"),
        store.transaction() as c,
    ):
        probe(c, START)
    with store.transaction() as connection:
        alerts.add(connection, [new_alert()])
    store.close()


def test_a_second_service_on_one_sqlite_file_is_refused(make_settings):
    """The message names the file and both solutions."""
    settings = make_settings()
    first = Store(settings)
    first.open(exclusive=True)
    with pytest.raises(StoreInUse, match="Stop the other one, or set DATABASE_URL"):
        Store(settings).open(exclusive=True)
    first.close()
    again = Store(settings)
    again.open(exclusive=True)
    again.close()


def test_sqlite_commits_are_on_disk_when_they_return(make_settings):
    """The pragmas for durable commits are set on the write connection."""
    store = Store(make_settings())
    store.open(exclusive=True)
    with store.transaction() as connection:
        pragmas = [connection.exec_driver_sql(f"PRAGMA {p}").scalar() for p in ("journal_mode", "synchronous")]
    store.close()
    assert pragmas == ["wal", 2]


def test_the_data_directory_is_private(make_settings):
    """Only its owner can enter the data directory."""
    settings = make_settings()
    store = Store(settings)
    store.open(exclusive=True)
    store.close()
    assert settings.data_dir.stat().st_mode & 0o777 == 0o700


def test_a_data_directory_that_cannot_be_created_is_reported(make_settings, tmp_path):
    """The error names the path that is in the way."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match=r"DATA_DIR .*file/data can't be used"):
        Store(make_settings(data_dir=tmp_path / "file" / "data")).open(exclusive=True)


def test_an_unreachable_postgresql_is_reported(make_settings):
    """A failed connection is a clear error, without the password."""
    url = "postgresql+psycopg://user:hunter2-hunter2@127.0.0.1:1/none"
    with pytest.raises(StoreUnavailable, match="The database can't be used") as caught:
        Store(make_settings(database_url=url)).open(exclusive=True)
    assert "hunter2" not in str(caught.value)
