"""PostgreSQL through a real PgBouncer: nothing is kept in a session, and what breaks recovers by itself."""

import asyncio
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import text
from torture.pgbouncer import pgbouncer

from alertgate.errors import StoreTooSlow, StoreUnavailable
from alertgate.store import alerts, incidents, schema
from alertgate.store.engine import Store
from alertgate.store.outages import Outage
from tests.builders import new_alert, new_incident
from tests.conftest import needs_pgbouncer, serving
from tests.fakes import until

pytestmark = [pytest.mark.postgres, needs_pgbouncer]


def opened(settings) -> Store:
    """Return an open store."""
    store = Store(settings)
    store.open(exclusive=True)
    return store


def write_often(store: Store, times: int = 12) -> list[str]:
    """Run the same statements more often than psycopg does before it prepares them; return the alerts' ids."""
    new = [new_alert() for _ in range(times)]
    for alert in new:
        with store.transaction() as connection:
            alerts.add(connection, [alert])
        assert store.read_now(lambda c, alert=alert: alerts.get(c, alert.id)) == alert
    return [alert.id for alert in new]


def test_check_says_which_database_it_reached_and_through_what(make_settings, postgres_url, postgres_database):
    """It names the database and the pooler, and no user and no password."""
    direct = Store(make_settings(database_url=postgres_database)).look()
    with pgbouncer(postgres_url) as pooler:
        pooled = Store(make_settings(database_url=pooler.url(postgres_database))).look()
        name = postgres_database.partition("@/")[2].partition("?")[0]
        assert (
            pooled == f"PostgreSQL database {name} at 127.0.0.1:{pooler.port} through a connection pooler is writable"
        )
    assert direct.startswith(f"PostgreSQL database {name} at /")
    assert "pooler" not in direct


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_replicas_that_share_one_session_take_turns(make_settings, postgres_url, postgres_database, mode):
    """Two replicas of two engines each, on fewer sessions than they have connections; none of their alerts is lost."""
    size = 1 if mode == "transaction" else 4
    with pgbouncer(postgres_url, pool_mode=mode, default_pool_size=size) as pooler:
        settings = make_settings(database_url=pooler.url(postgres_database))
        stores = [opened(settings), opened(settings)]
        with ThreadPoolExecutor(2) as threads:
            stored = [each for ids in threads.map(write_often, stores) for each in ids]
        found = [stores[0].read_now(lambda c, id_=id_: alerts.get(c, id_)) for id_ in stored]
        for store in stores:
            store.close()
    assert len(stored) == 24
    assert None not in found


KEPT = ("FROM pg_prepared_statements", "FROM pg_locks WHERE locktype = 'advisory'")
"""What a session could keep."""


def test_nothing_stays_in_the_sessions_that_others_get_next(make_settings, postgres_url, postgres_database):
    """Settings, locks and prepared statements end with the transaction; within it the settings hold."""
    with pgbouncer(postgres_url, default_pool_size=1) as pooler:
        address = pooler.url(postgres_database)
        store = opened(make_settings(database_url=address))
        write_often(store)
        names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "enable_seqscan")
        within = [show(store, name) for name in names]
        with psycopg.connect(address, autocommit=True) as other:
            after = [one(other, f"SHOW {name}") for name in names]
            kept = [one(other, f"SELECT count(*) {what}") for what in KEPT]
        store.close()
    assert within == ["8s", "30s", "5s", "off"]
    assert after == ["0", "0", "0", "on"]
    assert kept == [0, 0]


def show(store: Store, name: str) -> str:
    """Return a setting within a write."""
    with store.transaction() as connection:
        return str(connection.execute(text(f"SHOW {name}")).scalar_one())


def one(connection: psycopg.Connection, query: str) -> object:
    """Return a query's only value."""
    row = connection.execute(query.encode(), prepare=False).fetchone()
    assert row
    return row[0]


@pytest.mark.parametrize("size", [1, 4])
def test_replicas_that_start_at_once_on_an_empty_database_migrate_once(make_settings, postgres_url, size):
    """One makes the schema, the others wait for it, however few sessions the pooler has."""
    name = f"empty_{os.getpid()}_{size}"
    with pgbouncer(postgres_url, default_pool_size=size) as pooler:
        with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as server:
            server.execute(f"CREATE DATABASE {name}".encode())
        settings = make_settings(database_url=pooler.url(f"/{name}"))
        with ThreadPoolExecutor(3) as threads:
            stores = list(threads.map(lambda _: opened(settings), range(3)))
        assert [store.read_now(schema.is_newest) for store in stores] == [True] * 3
        for store in stores:
            store.close()
        with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as server:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_a_replica_waits_for_the_migration_of_another(make_settings, postgres_url, postgres_database):
    """It starts once that one's transaction has ended."""
    with pgbouncer(postgres_url) as pooler, psycopg.connect(postgres_database.replace("+psycopg", "")) as migrating:
        migrating.execute("SELECT pg_advisory_xact_lock(%s)", [schema.MIGRATE_LOCK])
        settings = make_settings(database_url=pooler.url(postgres_database))
        with ThreadPoolExecutor(1) as threads:
            starting = threads.submit(opened, settings)
            while not one(migrating, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
                assert not starting.done()
            migrating.commit()
            starting.result().close()


def test_a_pooler_that_was_restarted_is_used_again(make_settings, postgres_url, postgres_database):
    """Broken connections are replaced; while it is away each write fails, and none is stored twice."""
    with pgbouncer(postgres_url) as pooler:
        store = opened(make_settings(database_url=pooler.url(postgres_database)))
        before = write_often(store, 2)
        pooler.stop()
        with pytest.raises(StoreUnavailable) as caught:
            write_often(store, 1)
        pooler.start()
        after = write_often(store, 2)
        count = store.read_now(lambda c: c.execute(text("SELECT count(*) FROM alerts")).scalar())
        store.close()
    assert caught.value.cause is Outage.CLOSED
    assert count == len(before + after)


def test_sessions_that_the_server_ends_are_replaced(make_settings, postgres_url, postgres_database):
    """PostgreSQL restarts behind the pooler, for example: the next tries work."""
    with pgbouncer(postgres_url, default_pool_size=2) as pooler:
        store = opened(make_settings(database_url=pooler.url(postgres_database)))
        write_often(store, 1)
        with psycopg.connect(postgres_database.replace("+psycopg", ""), autocommit=True) as server:
            ended = one(
                server,
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
        tries = 0
        end = time.monotonic() + 30
        while tries < 3:
            try:
                tries += len(write_often(store, 1))
            except StoreUnavailable as error:
                assert error.cause in (Outage.STARTING, Outage.LOST, Outage.POOLER), error  # noqa: PT017
                assert time.monotonic() < end
        store.close()
    assert ended


def test_a_writer_that_freezes_is_ended_behind_a_pooler(make_settings, postgres_url, postgres_database):
    """The server ends its session within the transaction that set the time-out, and others can write."""
    incident = new_incident()
    with pgbouncer(postgres_url, default_pool_size=3) as pooler:
        frozen = opened(make_settings(database_url=pooler.url(postgres_database)))
        other = opened(make_settings(database_url=postgres_database))

        def freeze() -> None:
            with frozen.transaction() as connection:
                incidents.add(connection, [incident])
                with other.transaction() as writing:  # waits until the frozen one's lock is released
                    incidents.add(writing, [replace(incident, event="of the other")])

        with pytest.raises(StoreUnavailable):
            freeze()
        found = other.read_now(lambda c: incidents.get(c, incident.id))
        frozen.close()
        other.close()
    assert found
    assert found.event == "of the other"


async def test_a_pooler_that_hangs_does_not_hang_a_request(make_settings, postgres_url, postgres_database):
    """It answers neither a read nor a write: both end with StoreTooSlow, and work when it goes on."""
    with pgbouncer(postgres_url) as pooler:
        store = Store(make_settings(database_url=pooler.url(postgres_database)), answer_within=0.3)
        await asyncio.to_thread(store.open, exclusive=True)
        assert pooler.process
        pooler.process.send_signal(signal.SIGSTOP)
        with pytest.raises(StoreTooSlow, match=r"didn't answer within 0\.3 s"):
            await store.read(lambda c: c.execute(text("SELECT 1")).scalar())
        with pytest.raises(StoreTooSlow):
            await store.write(lambda c: c.execute(text("SELECT 1")).scalar())
        pooler.process.send_signal(signal.SIGCONT)

        async def works() -> bool:
            try:
                return await store.write(lambda c: c.execute(text("SELECT 1")).scalar()) == 1
            except StoreTooSlow:
                return False

        await until(works)
        await asyncio.to_thread(store.close)


async def test_health_says_in_a_few_words_why(make_settings, postgres_url, postgres_database):
    """Anybody may read it, so it names no host and no user; it recovers with the pooler."""
    with pgbouncer(postgres_url) as pooler:
        settings = make_settings(database_url=pooler.url(postgres_database))
        async with serving(settings, template=False) as service:
            await asyncio.to_thread(pooler.stop)

            async def says() -> str:
                return (await service.client.get("/health/ready")).json()["checks"]["store"]

            async def is_down() -> bool:
                return await says() != "ok"

            await until(is_down)
            assert await says() == "the database can't be used: nothing listens at its address; the log says why"
            await asyncio.to_thread(pooler.start)

            async def is_up() -> bool:
                return await says() == "ok"

            await until(is_up)
