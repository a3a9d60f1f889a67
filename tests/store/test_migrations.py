"""The schema: its migrations, from each released version with data in it."""

import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, text

from alertgate.accept import generic, particle
from alertgate.accept.intake import IntakeContext
from alertgate.accept.keys import incident_key
from alertgate.accept.record import Recorder
from alertgate.accept.rulings import Understood
from alertgate.config import Settings
from alertgate.credential import Credential
from alertgate.errors import StoreTooNew
from alertgate.group.silencing import Wanted
from alertgate.group.transitions import hand_back
from alertgate.ids import new_id
from alertgate.model import ChannelName, Hold, IncidentStatus, Resolution, Severity, Signal, Source
from alertgate.notify.directory import Directory
from alertgate.proof import Proof
from alertgate.rules import SeverityRules
from alertgate.session import Session, SignIn
from alertgate.silence import Silence
from alertgate.store import (
    alerts,
    claims,
    failures,
    follow,
    incidents,
    links,
    notifications,
    policies,
    schema,
    sessions,
    silences,
)
from alertgate.store.engine import Store
from alertgate.store.policies import StoredPolicy
from alertgate.store.postgresql import postgresql_engine
from alertgate.store.tables import metadata
from tests.builders import new_alert, new_incident, new_notification
from tests.fakes import START


def test_the_migrations_create_the_schema_of_the_tables(store: Store):
    """Alembic finds nothing to change between the migrated database and the tables."""

    def comparable(_, name, kind, *__):
        # SQLite doesn't report that an index's column is descending, so these always differ there.
        return not (store.dialect == "sqlite" and kind == "index" and name in ("notifications_due", "incidents_worst"))

    def differences(connection):
        options = {"compare_type": True, "compare_server_default": True, "include_object": comparable}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    assert store.read_now(differences) == []


def test_the_versions_are_those_of_the_migrations():
    """The store lists all versions without loading the migrations, so that a start without one is fast."""
    config = Config()
    config.set_main_option("script_location", "alertgate:store/migrations")
    assert [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1] == list(
        schema.VERSIONS
    )


def test_a_database_from_a_newer_version_is_refused(store: Store, make_settings, database):
    """An older alertgate doesn't touch an unknown schema."""
    with store.transaction() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreTooNew, match="9999"):
        Store(make_settings(**database)).open(exclusive=False)


ALERT_ID = "01900000-0000-7000-8000-000000000001"
ENDED = {
    "quiet": ("resolved", "silence"),
    "by sender": ("resolved", f"alert {ALERT_ID}"),
    "by Anna": ("resolved", "Anna"),
    "by somebody called alert": ("resolved", "alert Anna"),
    "open": ("open", None),
}
"""Incidents of the first schema, by key: status and `resolved_by`."""


def migrate(connection: Connection, direction: Callable[[Config, str], None], version: str) -> None:
    """Bring a schema to a version, by Alembic's `upgrade` or `downgrade`."""
    config = Config()
    config.set_main_option("script_location", "alertgate:store/migrations")
    config.attributes["connection"] = connection
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = '10min'"))  # as `schema.py` does
    direction(config, version)


@contextmanager
def connected(settings: Settings, database: dict[str, str]) -> Iterator[Connection]:
    """Connect to a database without opening the store, which would migrate it."""
    url = database.get("database_url")
    engine = postgresql_engine(url, writing=True) if url else create_engine(f"sqlite:///{settings.sqlite_file}")
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


@pytest.fixture
def first_schema(make_settings, database):
    """Settings of a database that the first release filled; PostgreSQL's comes migrated, so it goes back first."""
    settings = make_settings(**database)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with connected(settings, database) as connection:
        migrate(connection, command.downgrade if settings.database_url else command.upgrade, "0001")
        at = int(START.timestamp() * 1_000_000)
        for number, (key, (status, by)) in enumerate(ENDED.items()):
            row = {"id": f"incident-{number}", "key": key, "status": status, "by": by, "at": at}
            connection.execute(
                text(
                    "INSERT INTO incidents (id, key, status, source, event, severity, opened_at, last_alert_at,"
                    " alert_count, resolved_at, resolved_by) VALUES (:id, :key, :status, 'particle', 'e', 1, :at, :at,"
                    " 2, :at, :by)"
                ),
                row,
            )
        connection.execute(
            text(
                "INSERT INTO alerts (id, received_at, source, status, signal, event, severity, key, fields, dedup,"
                " errors, incident_id, grouping) VALUES (:id, :at, 'particle', 'accepted', 'firing', 'e', 1, 'k', '{}',"
                " 'once', '[]', 'incident-0', 'opened')"
            ),
            {"id": ALERT_ID, "at": at},
        )
        connection.execute(text("INSERT INTO pulse (id, at) VALUES (1, :at)"), {"at": at})
    return settings


def test_migrating_the_first_schema_splits_resolved_by(first_schema):
    """The old text becomes `resolution` and `resolved_by`; alerts keep keys and reasons in renamed columns."""
    store = Store(first_schema)
    store.open(exclusive=True)
    found = {
        key: store.read_now(lambda c, number=number: incidents.get(c, f"incident-{number}"))
        for number, key in enumerate(ENDED)
    }
    alert = store.read_now(lambda c: alerts.get(c, ALERT_ID))
    store.close()
    assert {key: (incident.resolution, incident.resolved_by) for key, incident in found.items() if incident} == {
        "quiet": (Resolution.SILENCE, None),
        "by sender": (Resolution.ALERT, ALERT_ID),
        "by Anna": (Resolution.PERSON, "Anna"),
        "by somebody called alert": (Resolution.PERSON, "alert Anna"),
        "open": (None, None),
    }
    assert alert is not None
    assert (alert.incident_key, alert.repeat_key, alert.reason) == ("k", "once", "opened")


def test_a_migration_waits_for_a_write_of_another_replica(first_schema, database):
    """Both would wait for a table of the other's, and the database would break one of them off."""
    if not database:
        pytest.skip("SQLite has one writer")
    url = database["database_url"].replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(url, connect_args={"prepare_threshold": None})  # it may lead through a pooler
    store, key = Store(first_schema), {"key": schema.WRITE_LOCK}
    with engine.begin() as old, ThreadPoolExecutor(1) as pool:
        old.execute(text("SELECT pg_advisory_xact_lock(:key)"), key)
        old.execute(text("SELECT id FROM alerts"))
        opening = pool.submit(store.open, exclusive=False)
        waiting = text("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as watch:
            while not watch.execute(waiting).scalar():
                assert not opening.done()
        old.execute(text("DELETE FROM incidents WHERE id = 'incident-1'"))
        old.commit()
        opening.result()
    assert store.read_now(schema.is_newest)
    assert store.read_now(lambda c: incidents.get(c, "incident-1")) is None
    store.close()
    engine.dispose()


def test_a_migration_may_rest_between_two_statements(first_schema, database):
    """For longer than a write: a small machine turns many rows into others, and loads alembic for seconds."""
    if not database:
        pytest.skip("SQLite ends no transaction that rests")
    found = []

    def note(connection, _cursor, statement, *_):
        if "CREATE TABLE silences" in statement:
            raw = connection.connection.driver_connection
            found.extend(raw.execute("SHOW idle_in_transaction_session_timeout").fetchone())

    event.listen(Engine, "before_cursor_execute", note)
    try:
        store = Store(first_schema)
        store.open(exclusive=True)
        store.close()
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert found == ["10min"]


def test_the_first_schema_can_be_restored(first_schema, database):
    """A downgrade keeps the data."""
    store = Store(first_schema)
    store.open(exclusive=True)
    store.close()
    with connected(first_schema, database) as connection:
        migrate(connection, command.downgrade, "0001")
        rows = connection.execute(text("SELECT key, status, resolved_by FROM incidents ORDER BY id")).all()
    assert {row.key: (row.status, row.resolved_by) for row in rows} == ENDED


@pytest.fixture
def second_schema(first_schema, database):
    """Settings of a database of the second schema: open and resolved incidents, with and without a `dedup_key`."""
    with connected(first_schema, database) as connection:
        migrate(connection, command.upgrade, "0002")
        for number, (key, device, status) in enumerate(SECOND):
            put_second(connection, f"second-{number}", key, device, status)
    return first_schema


def put_second(connection: Connection, id_: str, key: str, device: str | None, status: str) -> None:
    """Store an incident of the second schema, with an alert whose fields hold its whole source, as they always do."""
    row = {"id": id_, "key": key, "device": device, "status": status, "at": int(START.timestamp() * 1_000_000)}
    connection.execute(
        text(
            "INSERT INTO incidents (id, key, status, source, event, device, severity, opened_at, last_alert_at,"
            " alert_count) VALUES (:id, :key, :status, 'generic', 'e', :device, 1, :at, :at, 2)"
        ),
        row,
    )
    source = {"source": FULL.get(device, device)} if device else {}
    connection.execute(
        text(
            "INSERT INTO alerts (id, received_at, source, status, signal, event, severity, incident_key, fields,"
            " errors, incident_id) VALUES (:alert, :at, 'generic', 'accepted', 'firing', 'e', 1, :key, :fields,"
            " '[]', :id)"
        ),
        {**row, "alert": f"alert of {id_}", "fields": json.dumps(source)},
    )


def incident_key_before(kind: str, *parts: str) -> str:
    """Return a key as the second schema has it: of any length."""
    return f"{kind}:{json.dumps(parts, separators=(',', ':'))}"


LONG_SOURCE = "rack " * 40
SHORTENED = f"{LONG_SOURCE[:127]}…"
FULL = {SHORTENED: LONG_SOURCE, "n\x1a0000s": "n\x00s"}
"""Sources that aren't stored in full as an incident's `device`, by what is stored."""
OLD_DOOR = ('particle:["3f01","door"]', "3f01", "open")
SECOND = [
    ('key:["nas-backup"]', "nas", "resolved"),
    ('key:["nas-backup"]', "nas", "open"),
    ('key:["disk \\"1\\""]', None, "open"),
    ('generic:["nas","backup"]', "nas", "open"),
    ('key:["raid"]', SHORTENED, "open"),
    ('key:["raid"]', "r" * 127 + "…", "resolved"),
    ('key:["raid"]', "n\x1a0000s", "resolved"),
    OLD_DOOR,
    (incident_key_before("particle", "d" * 128, "e" * 1500), "d" * 128, "open"),
    (incident_key_before("key", "k" * 1200), "nas", "open"),
    (f"particle:{'d' * 1100}:e", "d", "resolved"),
]
"""Incidents of the second schema: key, source and status."""


def generic_key(**fields: str) -> str:
    """Return the key that a generic alert has now."""
    body = json.dumps({"event": "e", "message": "m", **fields}).encode()
    return generic.understand(body, None, intake(START)).alert.incident_key


def intake(at: datetime) -> IntakeContext:
    """Return the context of an alert that comes at a time."""
    return IntakeContext(new_id(at), at, SeverityRules((), Severity.WARNING))


def test_keys_name_their_source_since_the_third_schema(second_schema):
    """The next alerts find their incidents, open or resolved, also by a long key; each is as complete as it was."""
    store = Store(second_schema)
    store.open(exclusive=True)
    found = [
        store.read_now(lambda c, number=number: incidents.get(c, f"second-{number}")) for number in range(len(SECOND))
    ]
    store.close()
    assert [incident.key for incident in found if incident] == [
        'key:["nas","nas-backup"]',
        'key:["nas","nas-backup"]',
        'key:["generic","disk \\"1\\""]',
        'generic:["nas","backup"]',
        generic_key(source=LONG_SOURCE, dedup_key="raid"),
        generic_key(source="r" * 127 + "…", dedup_key="raid"),
        generic_key(source="n\x00s", dedup_key="raid"),
        'particle:["3f01","door"]',
        incident_key("particle", "d" * 128, "e" * 1500),
        incident_key("key", "nas", "k" * 1200),
        f'particle:["#{hashlib.sha256(SECOND[10][0].encode()).hexdigest()}"]',
    ]
    assert {(incident.changes, incident.began_at, incident.changed_at) for incident in found if incident} == {
        (1, None, None)
    }


def test_alerts_go_on_with_the_incidents_of_the_second_schema(second_schema):
    """One joins, an all-clear resolves it, and the next reopens it, though some of its times are unknown."""
    store = Store(second_schema)
    store.open(exclusive=True)
    recorder = Recorder(second_schema.grouping, Directory.of([(ChannelName.EMAIL, "me@example.com")]), new_id)
    done = []
    for seconds, signal in enumerate((Signal.FIRING, Signal.RESOLVED, Signal.FIRING), start=1):
        at = START + timedelta(seconds=seconds)
        came = new_alert(
            id=new_id(at), received_at=at, source=Source.GENERIC, signal=signal, incident_key='key:["nas","nas-backup"]'
        )
        with store.transaction() as connection:
            [recorded] = recorder.record(connection, [Understood(came)])
        incident = store.read_now(lambda c: incidents.get(c, "second-1"))
        assert incident
        done.append((recorded.incident_id, incident.status, incident.alert_count))
    store.close()
    assert done == [
        ("second-1", IncidentStatus.OPEN, 3),
        ("second-1", IncidentStatus.RESOLVED, 4),
        ("second-1", IncidentStatus.OPEN, 5),
    ]


@pytest.mark.parametrize(
    ("number", "fields"),
    [
        (1, {"source": "nas", "dedup_key": "nas-backup"}),
        (2, {"dedup_key": 'disk "1"'}),
        (3, {"source": "nas", "event": "backup"}),
        (4, {"source": LONG_SOURCE, "dedup_key": "raid"}),
    ],
)
def test_generic_all_clears_end_the_incidents_of_the_second_schema(second_schema, number, fields):
    """As the webhook reads them, whatever their source is called."""
    store = Store(second_schema)
    store.open(exclusive=True)
    body = json.dumps({"event": "e", "message": "m", "status": "ok", **fields}).encode()
    recorder = Recorder(second_schema.grouping, Directory.of([(ChannelName.EMAIL, "me@example.com")]), new_id)
    at = START + timedelta(seconds=1)
    with store.transaction() as connection:
        [recorded] = recorder.record(connection, [generic.understand(body, None, intake(at))])
    ended = store.read_now(lambda c: incidents.get(c, f"second-{number}"))
    store.close()
    assert ended is not None
    assert (recorded.incident_id, ended.status) == (f"second-{number}", IncidentStatus.RESOLVED)


def test_an_incident_of_the_second_schema_ends_by_no_all_clear_of_one_part(second_schema):
    """It may be about several doors: it joins what names none, and else it ends by a person, or in silence."""
    store = Store(second_schema)
    store.open(exclusive=True)
    recorder = Recorder(second_schema.grouping, Directory.of([(ChannelName.EMAIL, "me@example.com")]), new_id)
    old_id = f"second-{SECOND.index(OLD_DOOR)}"

    def door(seconds: int, **data: str) -> tuple[str | None, str]:
        at = START + timedelta(seconds=seconds)
        body = json.dumps({"event": "door", "coreid": "3f01", "data": data}).encode()
        with store.transaction() as connection:
            [recorded] = recorder.record(connection, [particle.understand(body, "application/json", intake(at))])
        old = store.read_now(lambda c: incidents.get(c, old_id))
        assert old is not None
        return recorded.incident_id, old.status

    assert door(1, door="front", status="ok") == (None, IncidentStatus.OPEN)
    front, status = door(2, door="front", status="firing")
    assert (front in (None, old_id), status) == (False, IncidentStatus.OPEN)
    assert door(3, door="front", status="ok") == (front, IncidentStatus.OPEN)
    assert door(4, status="firing") == (old_id, IncidentStatus.OPEN)
    assert door(5, status="ok") == (old_id, IncidentStatus.RESOLVED)
    store.close()


def test_keys_that_a_downgrade_left_apart_stay_apart(second_schema, database):
    """What the older version opened beside a named one keeps its key: two can't have one, and it must start."""
    store = Store(second_schema)
    store.open(exclusive=True)
    store.close()
    with connected(second_schema, database) as connection:
        migrate(connection, command.downgrade, "0002")
        put_second(connection, "beside", 'key:["nas-backup"]', "nas", "open")
    again = Store(second_schema)
    again.open(exclusive=True)
    keys = [again.read_now(lambda c, id_=id_: incidents.get(c, id_)).key for id_ in ("second-1", "beside")]
    again.close()
    assert keys == ['key:["nas","nas-backup"]', 'key:["nas-backup"]']


def test_the_second_schema_can_be_restored_and_migrated_again(second_schema, database):
    """Alerts with one repeat key, which the older version can't have, lose it; keys aren't named twice."""
    store = Store(second_schema)
    store.open(exclusive=True)
    twice = [new_alert(repeat_key="once", incident_id=None) for _ in range(2)]
    with store.transaction() as connection:
        alerts.add(connection, twice)
    store.close()
    with connected(second_schema, database) as connection:
        migrate(connection, command.downgrade, "0002")
        assert connection.execute(text("SELECT count(*) FROM alerts WHERE repeat_key IS NOT NULL")).scalar() == 0
    again = Store(second_schema)
    again.open(exclusive=True)
    assert again.read_now(lambda c: incidents.get(c, "second-1")).key == 'key:["nas","nas-backup"]'
    assert again.read_now(lambda c: alerts.get(c, twice[0].id)) is not None
    again.close()


def test_the_policy_comes_and_goes_without_touching_the_alerts(first_schema, database):
    """A database of an older release has no policy yet; the migration before it can be restored."""
    stored = StoredPolicy("events = []", "d" * 64, START)
    store = Store(first_schema)
    store.open(exclusive=True)
    assert store.read_now(policies.get) is None
    with store.transaction() as connection:
        policies.save(connection, stored)
    assert store.read_now(policies.get) == stored
    store.close()
    with connected(first_schema, database) as connection:
        migrate(connection, command.downgrade, schema.VERSIONS[schema.VERSIONS.index("0005") - 1])
    again = Store(first_schema)
    again.open(exclusive=True)
    assert again.read_now(policies.get) is None
    assert again.read_now(lambda c: alerts.get(c, ALERT_ID)) is not None
    again.close()


def test_migrating_keeps_what_waits_and_what_was_sent(first_schema, database):
    """Notifications of the older schema are in no digest, were never held back or missed, and are claimed as before."""
    at = int(START.timestamp() * 1_000_000)
    with connected(first_schema, database) as connection:
        migrate(connection, command.upgrade, "0002")
        for number, status in enumerate(("pending", "sent", "failed")):
            connection.execute(
                text(
                    "INSERT INTO notifications (id, incident_id, channel, address, kind, status, severity, reason,"
                    " created_at, due_at, retry_since, attempts, claimed_at) VALUES (:id, 'incident-4', 'email',"
                    " :address, 'opening', :status, 1, 'r', :at, :at, :at, 1, :at)"
                ),
                {"id": f"n{number}", "address": f"{number}@x.y", "status": status, "at": at},
            )
    store = Store(first_schema)
    store.open(exclusive=True)
    stored = store.read_now(lambda c: notifications.of_incident(c, "incident-4"))
    due = store.read_now(lambda c: claims.due(c, ChannelName.EMAIL, START, probe=False, most=None))
    store.close()
    assert [(each.id, each.digest_id, each.held_until, each.missed_since) for each in stored] == [
        (f"n{number}", None, None, None) for number in range(3)
    ]
    assert [each.id for each in due] == ["n0"]


def test_what_silences_hold_is_let_go_by_a_downgrade(first_schema, database):
    """An older version knows of no such hold: it is due; after the next upgrade there are no silences."""
    store = Store(first_schema)
    store.open(exclusive=True)
    incident = new_incident()
    held = new_notification(incident, hold=Hold.SILENCED, due_at=START + timedelta(hours=8))
    asked = Wanted("Anna \u202e<b>", Credential.API_TOKEN, lasting=timedelta(hours=8), event="*", note="\x00\ud800")
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        notifications.add(connection, [held])
        silences.add(connection, _silence(asked))
    assert store.read_now(lambda c: silences.over_after(c, START)) == [_silence(asked)]
    assert store.read_now(silences.number_held) == 1
    store.close()
    with connected(first_schema, database) as connection:
        migrate(connection, command.downgrade, "0009")
        due = connection.execute(text(f"SELECT hold, due_at - created_at FROM notifications WHERE id = '{held.id}'"))  # noqa: S608
        assert tuple(due.one()) == (None, 0)
    again = Store(first_schema)
    again.open(exclusive=True)
    assert again.read_now(lambda c: silences.page(c, None, None, 10)) == []
    again.close()


def _silence(asked: Wanted) -> Silence:
    begins_at, ends_at = asked.span(START)
    return Silence(
        *("01890000-0000-7000-8000-000000000001", asked.event, None, None, None, Severity.CRITICAL),
        *(begins_at, ends_at, asked.by, asked.credential, asked.note, START, None, None, None),
    )


PLACES = [
    ("n1", "a@x.y", "failed", 1, "n3"),
    ("n2", "a@x.y", "failed", 2, "n3"),
    ("n3", "a@x.y", "failed", 3, None),
    ("n4", "b@x.y", "failed", 1, "n5"),
    ("n5", "b@x.y", "sent", 2, None),
    ("n6", "c@x.y", "sent", 9, None),
    ("n7", "c@x.y", "failed", 5, "n6"),
    ("n8", "d@x.y", "sent", 1, None),
    ("n9", "d@x.y", "failed", 2, None),
]
"""Notifications before 0006: id, address, status, when it ended, and which other one makes it needless."""


@pytest.mark.parametrize("version", schema.VERSIONS[: schema.VERSIONS.index("0006")])
def test_failures_of_every_older_schema_are_outstanding(first_schema, database, version):
    """But not where the contact was told later, even by an older one that was retried; a downgrade keeps the rest."""
    at = int(START.timestamp() * 1_000_000)
    with connected(first_schema, database) as connection:
        migrate(connection, command.upgrade, version)
        for id_, address, status, ended, _ in PLACES:
            connection.execute(
                text(
                    "INSERT INTO notifications (id, incident_id, channel, address, kind, status, severity, reason,"
                    " created_at, due_at, retry_since, attempts, finished_at) VALUES (:id, 'incident-4', 'email',"
                    " :address, 'opening', :status, 1, 'r', :at, :at, :at, 1, :ended)"
                ),
                {"id": id_, "address": address, "status": status, "at": at, "ended": at + ended},
            )
    for _ in range(2):
        store = Store(first_schema)
        store.open(exclusive=True)
        stored = store.read_now(lambda c: notifications.of_incident(c, "incident-4"))
        outstanding = store.read_now(failures.ids)
        with store.transaction() as connection:
            failures.dismiss(connection, ["n3"], "Anna", Credential.API_TOKEN, START)
        left = store.read_now(failures.ids)
        store.close()
        assert [(each.id, each.superseded_by) for each in stored] == [(id_, by) for id_, *_, by in PLACES]
        assert (sorted(outstanding), left) == (["n3", "n9"], ["n9"])
        with connected(first_schema, database) as connection:
            migrate(connection, command.downgrade, version)


def test_what_was_done_before_has_no_credential(first_schema, database):
    """Alerts, acknowledgements, ends and dismissals stay as they were; the migration before it can be restored."""
    at = int(START.timestamp() * 1_000_000)
    said = "UPDATE incidents SET acknowledged_at = :at, acknowledged_by = 'Anna' WHERE id = 'incident-4'"
    failed = (
        "INSERT INTO notifications (id, incident_id, channel, address, kind, status, severity, reason, created_at,"
        " due_at, retry_since, attempts, finished_at, dismissed_at, dismissed_by) VALUES ('n1', 'incident-4', 'email',"
        " 'a@x.y', 'opening', 'failed', 1, 'r', :at, :at, :at, 1, :at, :at, 'Bea')"
    )
    with connected(first_schema, database) as connection:
        migrate(connection, command.upgrade, "0007")
        for statement in (said, failed):
            connection.execute(text(statement), {"at": at})
    for _ in range(2):
        store = Store(first_schema)
        store.open(exclusive=True)
        alert = store.read_now(lambda c: alerts.get(c, ALERT_ID))
        ended = store.read_now(lambda c: incidents.get(c, "incident-2"))
        known = store.read_now(lambda c: incidents.get(c, "incident-4"))
        [told] = store.read_now(lambda c: notifications.of_incident(c, "incident-4"))
        with store.transaction() as connection:
            failures.dismiss(connection, ["n1"], "Cleo", Credential.COMMAND_LINE, START)
        store.close()
        assert alert
        assert ended
        assert known
        assert (alert.credential, ended.resolved_by, ended.resolved_with) == (None, "Anna", None)
        assert (known.acknowledged_by, known.acknowledged_with) == ("Anna", None)
        assert (told.dismissed_by, told.dismissed_with, told.retried_with) == ("Bea", None, None)
        with connected(first_schema, database) as connection:
            migrate(connection, command.downgrade, "0007")


def test_messages_of_an_older_schema_have_no_link_and_can_get_one(first_schema, database):
    """What was sent before is found by no link; a downgrade takes the links away, and leaves what was sent."""
    at = int(START.timestamp() * 1_000_000)
    with connected(first_schema, database) as connection:
        migrate(connection, command.upgrade, schema.VERSIONS[schema.VERSIONS.index("0009") - 1])
        connection.execute(
            text(
                "INSERT INTO notifications (id, incident_id, channel, address, kind, status, severity, reason,"
                " created_at, due_at, retry_since, attempts, finished_at) VALUES ('n1', 'incident-4', 'email',"
                " 'a@x.y', 'opening', 'sent', 1, 'r', :at, :at, :at, 1, :at)"
            ),
            {"at": at},
        )
    store = Store(first_schema)
    store.open(exclusive=True)
    assert store.read_now(lambda c: links.find(c, "0" * 64)) is None
    with store.transaction() as connection:
        links.keep(connection, {"n1": "0" * 64})
    found = store.read_now(lambda c: links.find(c, "0" * 64))
    store.close()
    assert found is not None
    assert found.id == "n1"
    with connected(first_schema, database) as connection:
        migrate(connection, command.downgrade, schema.VERSIONS[schema.VERSIONS.index("0009") - 1])
    again = Store(first_schema)
    again.open(exclusive=True)
    assert [each.id for each in again.read_now(lambda c: notifications.of_incident(c, "incident-4"))] == ["n1"]
    assert again.read_now(lambda c: links.find(c, "0" * 64)) is None
    again.close()


def test_messages_of_an_older_schema_are_not_followed_and_can_be(first_schema, database):
    """What was sent before has no proof, and isn't asked about; a downgrade forgets what is known alone."""
    at, before = int(START.timestamp() * 1_000_000), schema.VERSIONS[schema.VERSIONS.index("0012") - 1]
    with connected(first_schema, database) as connection:
        migrate(connection, command.upgrade, before)
        for id_, status in (("n1", "sent"), ("n2", "pending")):
            connection.execute(
                text(
                    "INSERT INTO notifications (id, incident_id, channel, address, kind, status, severity, reason,"
                    " created_at, due_at, retry_since, attempts, finished_at) VALUES (:id, 'incident-4', 'email',"
                    " :address, 'opening', :status, 1, 'r', :at, :at, :at, 1, :at)"
                ),
                {"id": id_, "address": f"{id_}@x.y", "status": status, "at": at},
            )
    store = Store(first_schema)
    store.open(exclusive=True)
    [old, waiting] = store.read_now(lambda c: notifications.of_incident(c, "incident-4"))
    assert {(each.proof, each.receipt, each.shown, each.follow_at) for each in (old, waiting)} == {(None,) * 4}
    later = START + timedelta(days=9)
    assert store.read_now(lambda c: follow.due(c, later, 10, list(ChannelName), list(ChannelName))) == []
    with store.transaction() as connection:
        assert [each.id for each in follow.prove(connection, [old, waiting], Proof.SEEN, START, "Anna")] == ["n1"]
        links.keep_shown(connection, {"n1": "0123456789"})
    [old, _] = store.read_now(lambda c: notifications.of_incident(c, "incident-4"))
    assert (old.proof, old.proved_at, old.proved_by, old.shown) == (Proof.SEEN, START, "Anna", "0123456789")
    store.close()
    with connected(first_schema, database) as connection:
        migrate(connection, command.downgrade, before)
        assert connection.execute(text("SELECT count(*) FROM notifications")).scalar() == 2
    again = Store(first_schema)
    again.open(exclusive=True)
    found = again.read_now(lambda c: notifications.of_incident(c, "incident-4"))
    assert [(each.id, each.status, each.proof) for each in found] == [("n1", "sent", None), ("n2", "pending", None)]
    again.close()


def test_sessions_come_and_go_without_touching_the_alerts(first_schema, database):
    """A database of an older release has none; a downgrade signs everybody out, and takes their links back."""
    before = schema.VERSIONS[schema.VERSIONS.index("0015") - 1]
    later = START + timedelta(days=30)
    stored = Session(
        *("s-1", "0" * 64, None, "Anna \u202e<b>\x00\ud800", Credential.CONSOLE_TOKEN, "f" * 32, "Europe/Berlin"),
        *("agent \x00", START, later, START),
    )
    link = SignIn("l-1", "1" * 64, "Bea", START, later)
    for _ in range(2):
        store = Store(first_schema)
        store.open(exclusive=True)
        assert store.read_now(lambda c: sessions.find(c, stored.hash, START)) is None
        assert store.read_now(lambda c: sessions.find_link(c, link.hash, START)) is None
        with store.transaction() as connection:
            sessions.add(connection, stored)
            sessions.add_link(connection, link)
        assert store.read_now(lambda c: sessions.find(c, stored.hash, START)) == stored
        assert store.read_now(lambda c: sessions.find_link(c, link.hash, START)) == link
        store.close()
        with connected(first_schema, database) as connection:
            migrate(connection, command.downgrade, before)
            assert connection.execute(text("SELECT count(*) FROM alerts")).scalar() == 1
            assert connection.execute(text("SELECT count(*) FROM incidents")).scalar() == len(ENDED)


def test_who_handed_it_back_is_kept_and_an_older_version_finds_all_else(make_settings, database):
    """An acknowledgement from before was never handed back; a downgrade forgets who did that, and nothing else."""
    before, settings = schema.VERSIONS[schema.VERSIONS.index("0016") - 1], make_settings(**database)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with connected(settings, database) as connection:
        migrate(connection, command.downgrade if settings.database_url else command.upgrade, before)
        connection.execute(
            text(
                "INSERT INTO incidents (id, key, status, source, event, severity, opened_at, last_alert_at,"
                " alert_count, changes, acknowledged_at, acknowledged_by, acknowledged_with) VALUES ('taken', 'k',"
                " 'acknowledged', 'particle', 'e', 1, :at, :at, 2, 1, :at, 'Anna', 'link')"
            ),
            {"at": int(START.timestamp() * 1_000_000)},
        )
    store = Store(settings)
    store.open(exclusive=True)
    taken = store.read_now(lambda c: incidents.get(c, "taken"))
    assert taken is not None
    assert (taken.acknowledged_by, taken.handed_back_at, taken.handed_back_by, taken.handed_back_with) == (
        *("Anna", None),
        *(None, None),
    )
    back = hand_back(taken, "Bea \u202e<b>\x00", Credential.CONSOLE_TOKEN, START + timedelta(minutes=5)).incident
    with store.transaction() as connection:
        incidents.save(connection, [back])
    assert store.read_now(lambda c: incidents.get(c, "taken")) == back
    store.close()
    with connected(settings, database) as connection:
        migrate(connection, command.downgrade, before)
        left = connection.execute(text("SELECT status, acknowledged_by FROM incidents")).all()
    assert left == [("open", "Anna")]
