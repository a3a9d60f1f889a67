"""The conformance suite of the store: the same on SQLite and PostgreSQL."""

import asyncio
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from alertgate.app import new_id
from alertgate.errors import StoreInUse, StoreTooNew, StoreUnavailable
from alertgate.model import (
    Alert,
    AlertStatus,
    Attempt,
    ChannelName,
    ContactState,
    Incident,
    IncidentStatus,
    Kind,
    Notification,
    NotificationStatus,
    Severity,
    Signal,
    Source,
)
from alertgate.store import alerts, incidents, notifications
from alertgate.store.engine import VERSIONS, Store
from alertgate.store.notifications import Claim, Expedited, Finish
from alertgate.store.tables import metadata
from alertgate.store.write_probe import beat
from tests.fakes import START

EMAIL = (ChannelName.EMAIL, "me@example.com")


def an_incident(**changes) -> Incident:
    """An open incident, changed as asked."""
    incident = Incident(
        id=new_id(START),
        key="particle:d:e",
        status=IncidentStatus.OPEN,
        source=Source.PARTICLE,
        event="e",
        device="d",
        severity=Severity.WARNING,
        opened_at=START,
        last_alert_at=START,
        alert_count=1,
    )
    return replace(incident, **changes)


def an_alert(**changes) -> Alert:
    """An alert, changed as asked."""
    alert = Alert(
        id=new_id(START),
        received_at=START,
        source=Source.PARTICLE,
        status=AlertStatus.ACCEPTED,
        signal=Signal.FIRING,
        event="e",
        severity=Severity.WARNING,
        key="particle:d:e",
        device="d",
    )
    return replace(alert, **changes)


def a_notification(incident: Incident, **changes) -> Notification:
    """A pending notification, changed as asked."""
    notification = Notification(
        id=new_id(START),
        incident_id=incident.id,
        channel=EMAIL[0],
        address=EMAIL[1],
        kind=Kind.OPENING,
        status=NotificationStatus.PENDING,
        severity=incident.severity,
        reason="because",
        created_at=START,
        retry_since=START,
        due_at=START,
    )
    return replace(notification, **changes)


def test_the_migrations_make_the_schema_that_the_tables_describe(store: Store):
    """Alembic finds nothing to change between the migrated database and the tables."""

    def comparable(_, name, kind, *__):
        # SQLite doesn't tell that an index's column is descending, so this one would always differ there.
        return not (store.dialect == "sqlite" and kind == "index" and name == "notifications_due")

    def differences(connection):
        options = {"compare_type": True, "compare_server_default": True, "include_object": comparable}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    assert store.read_now(differences) == []


NASTY = "NUL \x00, escape \x1a and \x1a0000, lone surrogates \ud800 \udcff, emoji 🚪, bidi \u202e, quote ' \" \\"


def test_any_text_survives_the_round_trip(store: Store):
    """Text that PostgreSQL or UTF-8 can't hold comes back as it went in, in columns and inside JSON."""
    alert = an_alert(
        event=NASTY,
        key=NASTY,
        device=NASTY,
        message=NASTY,
        data={NASTY: [NASTY, 1.5, None, True, 10**30]},
        fields={"x": NASTY},
        dedup=NASTY,
        errors=(NASTY,),
        raw=b"\x00\xff raw",
        request_id=NASTY,
        published_at=START - timedelta(microseconds=1),
        grouping=NASTY,
        status=AlertStatus.QUARANTINED,
    )
    with store.transaction() as connection:
        alerts.add(connection, [alert])
    assert store.read_now(lambda c: alerts.get(c, alert.id)) == alert
    assert store.read_now(lambda c: alerts.known(c, {NASTY, "other"})) == {NASTY: alerts.Known(alert.id, None)}


def test_a_dedup_key_is_stored_once(store: Store):
    """The database itself refuses a second alert with the same dedup key, and takes any number without one."""
    with store.transaction() as connection:
        alerts.add(connection, [an_alert(dedup="x"), an_alert(), an_alert()])
    with pytest.raises(IntegrityError), store.transaction() as connection:
        alerts.add(connection, [an_alert(dedup="x")])


def test_one_unresolved_incident_per_key(store: Store):
    """The database itself refuses a second unresolved incident with a key; a resolved one makes room."""
    first = an_incident()
    with store.transaction() as connection:
        incidents.add(connection, [first])
    with pytest.raises(IntegrityError), store.transaction() as connection:
        incidents.add(connection, [an_incident(status=IncidentStatus.ACKNOWLEDGED)])
    second = an_incident()
    with store.transaction() as connection:
        incidents.save(connection, [replace(first, status=IncidentStatus.RESOLVED, alert_count=7)])
        incidents.add(connection, [second])
    assert store.read_now(lambda c: incidents.unresolved(c, {first.key, "other"})) == {first.key: second}
    assert store.read_now(lambda c: incidents.get(c, first.id)) == replace(
        first, status=IncidentStatus.RESOLVED, alert_count=7
    )


def test_one_pending_notification_per_incident_and_address(store: Store):
    """The database itself refuses a second pending message to one address about one incident."""
    incident = an_incident()
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        notifications.add(connection, [a_notification(incident), a_notification(incident, address="b@example.com")])
    with pytest.raises(IntegrityError), store.transaction() as connection:
        notifications.add(connection, [a_notification(incident)])


def test_the_most_severe_is_claimed_first_then_the_oldest(store: Store):
    """A claim takes critical before warning, older before newer, no more than asked, and nothing that isn't due."""
    incident = an_incident()
    wanted = [
        a_notification(incident, address="critical-old@x.y", severity=Severity.CRITICAL),
        a_notification(incident, address="critical-new@x.y", severity=Severity.CRITICAL, due_at=START + timedelta(1)),
        a_notification(incident, address="warning-older@x.y", due_at=START - timedelta(1)),
        a_notification(incident, address="warning-old@x.y"),
    ]
    now = START + timedelta(2)
    later = a_notification(incident, address="not-due@x.y", due_at=now + timedelta(seconds=1))
    other = a_notification(incident, channel=ChannelName.SMS)
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        notifications.add(connection, [other, later, *reversed(wanted)])
    until = now + timedelta(seconds=60)
    with store.transaction() as connection:
        claimed = notifications.claim(connection, Claim(ChannelName.EMAIL, 3, "me", now, until))
    leased = {"status": NotificationStatus.SENDING, "lease_owner": "me", "lease_until": until, "claimed_at": now}
    assert claimed == [replace(n, **leased) for n in wanted[:3]]
    with store.transaction() as connection:
        rest = notifications.claim(connection, Claim(ChannelName.EMAIL, 9, "you", now, until))
    assert [n.id for n in rest] == [wanted[3].id]
    assert store.read_now(lambda c: notifications.of_incident(c, incident.id))[0].lease_owner in {None, "me", "you"}


@pytest.fixture
def leased(store: Store) -> Notification:
    """A notification that `me` has leased for a minute."""
    incident = an_incident()
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        alerts.add(connection, [an_alert(incident_id=incident.id)])
        notifications.add(connection, [a_notification(incident)])
        [claimed] = notifications.claim(
            connection, Claim(ChannelName.EMAIL, 1, "me", START, START + timedelta(seconds=60))
        )
    return claimed


def test_only_the_owner_of_a_lease_ends_it(store: Store, leased: Notification):
    """Another's end changes nothing; the owner's is recorded, once."""
    end = Finish(leased, NotificationStatus.SENT, START + timedelta(seconds=1))
    with store.transaction() as connection:
        assert notifications.finish(connection, [replace(end, leased=replace(leased, lease_owner="you"))]) == [False]
        earlier = replace(leased, claimed_at=START - timedelta(seconds=1))
        assert notifications.finish(connection, [replace(end, leased=earlier)]) == [False]
        assert notifications.finish(connection, [end]) == [True]
        assert notifications.finish(connection, [end]) == [False]
    [stored] = store.read_now(lambda c: notifications.of_incident(c, leased.incident_id))
    assert (stored.status, stored.attempts, stored.lease_owner) == (NotificationStatus.SENT, 1, None)
    assert stored.finished_at == START + timedelta(seconds=1)


def test_only_the_very_lease_that_a_message_shows_is_held(store: Store, leased: Notification):
    """Whoever lost its lease doesn't take a later one of the same process for it, nor one that has run out."""
    soon = START + timedelta(seconds=1)
    with store.transaction() as connection:
        assert notifications.held(connection, [leased], soon) == {leased.id}
        assert notifications.held(connection, [replace(leased, claimed_at=soon)], soon) == set()
        assert notifications.held(connection, [replace(leased, lease_owner="you")], soon) == set()
        assert notifications.held(connection, [leased], START + timedelta(seconds=60)) == set()


def test_a_query_sees_one_state_of_the_database(store: Store):
    """What is committed between two of its statements is in neither."""

    def query(connection) -> list[bool]:
        before = alerts.known(connection, ["event"])
        with store.transaction() as writing:
            alerts.add(writing, [an_alert(dedup="event")])
        return [bool(before), bool(alerts.known(connection, ["event"]))]

    assert store.read_now(query) == [False, False]
    assert store.read_now(lambda c: alerts.known(c, ["event"]))


def test_an_expired_lease_is_released_and_a_living_one_is_not(store: Store, leased: Notification):
    """A message whose process is gone is pending again after its lease; one that is being sent right here isn't."""
    with store.transaction() as connection:
        assert notifications.release_expired(connection, START + timedelta(seconds=59), set()) == []
        assert notifications.release_expired(connection, START + timedelta(seconds=60), {leased.id}) == []
        assert notifications.release_expired(connection, START + timedelta(seconds=60), set()) == [leased.id]
    [stored] = store.read_now(lambda c: notifications.of_incident(c, leased.incident_id))
    assert (stored.status, stored.attempts, stored.due_at) == (NotificationStatus.PENDING, 0, leased.due_at)


def test_a_lease_whose_claim_was_never_heard_of_is_released(store: Store, leased: Notification):
    """The answer to a claim was lost with its connection: who holds the lease and isn't sending gives it back."""
    soon = START + timedelta(seconds=10)
    with store.transaction() as connection:
        assert notifications.release_expired(connection, START + timedelta(seconds=9), set(), "me") == []
        assert notifications.release_expired(connection, soon, {leased.id}, "me") == []
        assert notifications.release_expired(connection, soon, set(), "you") == []
        assert notifications.release_expired(connection, soon, set(), "me") == [leased.id]


def test_a_lease_from_the_future_is_released(store: Store, leased: Notification):
    """Its process is gone, and the clock was set back by an hour since: nobody waits an hour for it."""
    with store.transaction() as connection:
        assert notifications.release_expired(connection, START - timedelta(hours=1), set()) == [leased.id]


def test_what_is_due_later_than_any_wait_comes_forward(store: Store):
    """After the clock was set back, a message waits as long as it would have, and not for the clock."""
    incident = an_incident()
    waiting = [
        a_notification(incident, due_at=START + timedelta(hours=1)),
        a_notification(incident, address="b@example.com", due_at=START + timedelta(hours=1), attempts=1),
        a_notification(incident, address="c@example.com", due_at=START + timedelta(hours=1), attempts=7),
        a_notification(incident, address="d@example.com", due_at=START + timedelta(minutes=4)),
    ]
    latest = [START + timedelta(minutes=wait) for wait in (5, 1, 15)]
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        notifications.add(connection, waiting)
        assert notifications.clamp_due_times(connection, latest) == 3
    stored = store.read_now(lambda c: notifications.of_incident(c, incident.id))
    due = {n.address[0]: (n.due_at - START).total_seconds() / 60 for n in stored}
    assert due == {"m": 5, "b": 1, "c": 15, "d": 4}


def test_attempts_are_stored_once(store: Store, leased: Notification):
    """The answer to a commit was lost, and the same attempts come again: that isn't an error."""
    attempt = Attempt("a" * 36, leased.id, START, 0.1, "sent", "sent", "250 OK", None)
    with store.transaction() as connection:
        assert notifications.add_attempts(connection, [attempt]) == set()
        assert notifications.add_attempts(connection, [attempt]) == {attempt.id}
    assert store.read_now(lambda c: notifications.attempts_of(c, [leased.id])) == [attempt]


def test_a_process_releases_its_own_leases(store: Store, leased: Notification):
    """At its end a process gives back what it holds, and nothing else."""
    with store.transaction() as connection:
        assert notifications.release_owned(connection, "you", START) == []
        assert notifications.release_owned(connection, "me", START) == [leased.id]


def test_a_message_that_returns_takes_over_what_was_planned_meanwhile(store: Store, leased: Notification):
    """When a try fails while an update is pending, one of the two remains: the returning one says it all."""
    incident = store.read_now(lambda c: incidents.get(c, leased.incident_id))
    assert incident is not None
    update = a_notification(incident, id=new_id(START + timedelta(seconds=1)), kind=Kind.UPDATE)
    again = START + timedelta(seconds=5)
    with store.transaction() as connection:
        notifications.add(connection, [update])
        end = Finish(leased, NotificationStatus.PENDING, START, due_at=again)
        assert notifications.finish(connection, [end]) == [True]
    first, second = store.read_now(lambda c: notifications.of_incident(c, leased.incident_id))
    assert (first.id, first.status, first.due_at, first.attempts) == (leased.id, NotificationStatus.PENDING, again, 1)
    assert (second.status, second.reason) == (
        NotificationStatus.CANCELLED,
        f"said by {leased.id}, which is tried again",
    )


def test_a_message_that_did_not_get_out_is_not_tried_again_once_somebody_knows(store: Store, leased: Notification):
    """Acknowledging cancels what is pending; what was just being sent, and failed, is cancelled on its return."""
    incident = store.read_now(lambda c: incidents.get(c, leased.incident_id))
    assert incident is not None
    with store.transaction() as connection:
        incidents.save(connection, [replace(incident, status=IncidentStatus.ACKNOWLEDGED, acknowledged_by="Ada")])
        notifications.finish(connection, [Finish(leased, NotificationStatus.PENDING, START, due_at=START)])
    [after] = store.read_now(lambda c: notifications.of_incident(c, leased.incident_id))
    assert (after.status, after.reason) == (NotificationStatus.CANCELLED, "acknowledged by Ada")


def test_an_illegal_change_of_state_is_refused(store: Store, leased: Notification):
    """No code path can take a notification from sending back to a state that the table doesn't allow."""
    with pytest.raises(ValueError, match="can't go from sending to lost"), store.transaction() as connection:
        notifications.finish(connection, [Finish(leased, "lost", START)])  # type: ignore[arg-type]


def test_what_an_address_has_heard(store: Store, leased: Notification):
    """An address that is being told counts as told; a pending message and its tries are known."""
    incident_id = leased.incident_id
    heard = store.read_now(lambda c: notifications.heard(c, [incident_id]))
    assert heard == {(incident_id, EMAIL): ContactState(None, 0, START)}
    with store.transaction() as connection:
        notifications.finish(connection, [Finish(leased, NotificationStatus.PENDING, START, due_at=START)])
    heard = store.read_now(lambda c: notifications.heard(c, [incident_id]))
    assert heard == {(incident_id, EMAIL): ContactState(leased.id, 1, None)}
    assert store.read_now(lambda c: notifications.heard(c, [])) == {}


def test_a_pending_message_can_be_hurried(store: Store):
    """A pending message takes a new severity and an earlier time; one that is being sent is left alone."""
    incident = an_incident()
    planned = a_notification(incident, due_at=START + timedelta(minutes=5))
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        notifications.add(connection, [planned])
        notifications.expedite(connection, [Expedited(planned.id, Severity.CRITICAL, START)])
    [stored] = store.read_now(lambda c: notifications.of_incident(c, incident.id))
    assert (stored.severity, stored.due_at) == (Severity.CRITICAL, START)


def test_attempts_are_kept_in_order(store: Store, leased: Notification):
    """Every attempt comes back as it was recorded, oldest first."""
    made = [
        Attempt(new_id(START + timedelta(seconds=n)), leased.id, START, 0.25, "transient", "timeout", f"reply {n}\x00")
        for n in range(3)
    ]
    with store.transaction() as connection:
        notifications.add_attempts(connection, list(reversed(made)))
    assert store.read_now(lambda c: notifications.attempts_of(c, [leased.id])) == made
    assert store.read_now(lambda c: notifications.attempts_of(c, [])) == []


def test_quiet_incidents_are_resolved_in_silence(store: Store):
    """Only an incident without a recent alert is resolved, and it says by what."""
    quiet = an_incident(key="quiet")
    loud = an_incident(key="loud", last_alert_at=START + timedelta(minutes=20))
    now = START + timedelta(minutes=30)
    with store.transaction() as connection:
        incidents.add(connection, [quiet, loud])
        assert incidents.resolve_quiet(connection, START, now) == [quiet.id]
    resolved = store.read_now(lambda c: incidents.get(c, quiet.id))
    assert resolved == replace(quiet, status=IncidentStatus.RESOLVED, resolved_at=now, resolved_by="silence")


async def test_the_writer_commits_many_at_once_and_answers_each(store: Store):
    """A hundred concurrent writes come back each with its own result, in fewer transactions than writes."""
    batches: list[int] = []

    def work(connection, items):
        batches.append(len(items))
        alerts.add(connection, items)
        return [alert.id for alert in items]

    new = [an_alert() for _ in range(100)]
    ids = await asyncio.gather(*(store.writer.do(work, alert) for alert in new))
    assert ids == [alert.id for alert in new]
    assert sum(batches) == 100
    assert len(batches) < 100


async def test_one_bad_row_does_not_fail_its_neighbours(store: Store):
    """When a batch fails, its members are tried one by one: the good ones are stored, the bad one says why."""
    bad = an_alert(dedup="taken")
    with store.transaction() as connection:
        alerts.add(connection, [bad])

    def work(connection, items):
        alerts.add(connection, items)
        return [alert.id for alert in items]

    new = [an_alert(), an_alert(dedup="taken"), an_alert()]
    results = await asyncio.gather(*(store.writer.do(work, alert) for alert in new), return_exceptions=True)
    assert [results[0], results[2]] == [new[0].id, new[2].id]
    assert isinstance(results[1], IntegrityError)
    assert await store.read(lambda c: alerts.get(c, new[2].id)) == new[2]


async def test_a_stopped_writer_takes_nothing_more(store: Store):
    """What comes after the stop is refused, not forgotten."""
    store.writer.stop()
    with pytest.raises(StoreUnavailable):
        await store.writer.do(beat, START)


async def test_the_pulse_is_one_row(store: Store):
    """Each beat overwrites the one before."""
    await store.writer.do(beat, START)
    await store.writer.do(beat, START + timedelta(seconds=1))
    rows = store.read_now(lambda c: c.execute(text("SELECT id, at FROM pulse")).all())
    assert [(row.id, row.at) for row in rows] == [(1, int(START.timestamp() * 1_000_000) + 1_000_000)]


def test_opening_again_finds_everything(make_settings, database):
    """A store that was closed opens again without migrating anew, and holds what it held."""
    settings = make_settings(**database)
    first = Store(settings)
    first.open(exclusive=True)
    alert = an_alert()
    with first.transaction() as connection:
        alerts.add(connection, [alert])
    first.close()
    second = Store(settings)
    second.open(exclusive=True)
    assert second.read_now(lambda c: alerts.get(c, alert.id)) == alert
    second.close()


def test_the_versions_are_those_of_the_migrations():
    """The store knows every migration without loading them, so that a start that needs none is quick."""
    config = Config()
    config.set_main_option("script_location", "alertgate:store/migrations")
    assert [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1] == list(VERSIONS)


def test_what_joins_an_incident_is_stored(store: Store):
    """Several at a time, and nothing but what joining changes."""
    first, second = an_incident(), an_incident(key="another")
    later = START + timedelta(minutes=1)
    with store.transaction() as connection:
        incidents.add(connection, [first, second])
    joined = [replace(each, alert_count=7, last_alert_at=later, severity=Severity.CRITICAL) for each in (first, second)]
    with store.transaction() as connection:
        incidents.join(connection, [replace(each, event="not written") for each in joined])
    with store.transaction() as connection:
        assert [incidents.get(connection, each.id) for each in joined] == joined


def test_a_list_of_any_length_is_looked_up(store: Store):
    """Lists are filled up inside; each one finds just what it names."""
    many = [an_incident(key=f"key {number}") for number in range(9)]
    with store.transaction() as connection:
        incidents.add(connection, many)
        for length in range(len(many) + 1):
            keys = [incident.key for incident in many[:length]]
            assert list(incidents.unresolved(connection, keys).values()) == many[:length]


@pytest.mark.postgres
def test_a_writer_that_freezes_is_ended_after_writing_many_rows(make_settings, postgres_database):
    """PostgreSQL ends its session, and so frees the lock for other replicas, wherever it froze.

    A driver that sends many rows at once may leave the server without its watch over idle transactions.
    """
    store = Store(make_settings(database_url=postgres_database))
    store.open(exclusive=True)
    first, second = an_incident(), an_incident(key="another")
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


def test_a_database_from_a_newer_version_is_refused(store: Store, make_settings, database):
    """An older alertgate doesn't touch a schema that it doesn't know."""
    with store.transaction() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreTooNew, match="9999"):
        Store(make_settings(**database)).open(exclusive=False)


def test_a_second_service_on_one_sqlite_file_is_refused(make_settings):
    """The message names the file and both ways out."""
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
    """The pragmas that the promise rests on are in force on the writing connection."""
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


def test_a_data_directory_that_cannot_be_made_says_so(make_settings, tmp_path):
    """A file in the way is named, with what to do."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match=r"DATA_DIR .*file/data can't be used"):
        Store(make_settings(data_dir=tmp_path / "file" / "data")).open(exclusive=True)


def test_a_postgresql_that_is_not_there_says_so(make_settings):
    """No connection is a clear error, without the password."""
    url = "postgresql+psycopg://user:hunter2-hunter2@127.0.0.1:1/none"
    with pytest.raises(StoreUnavailable, match="The database can't be used") as caught:
        Store(make_settings(database_url=url)).open(exclusive=True)
    assert "hunter2" not in str(caught.value)
