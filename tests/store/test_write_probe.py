"""The write probe's rows."""

import pytest
from sqlalchemy import func, select

from alertgate.store.engine import Store
from alertgate.store.tables import write_probe
from alertgate.store.write_probe import BYTES_OF_A_ROW, probe, probe_done, probe_room
from tests.fakes import START


def rows(store: Store) -> int:
    """Return how many rows there are."""
    return store.read_now(lambda connection: connection.execute(select(func.count()).select_from(write_probe)).scalar())


@pytest.mark.parametrize("size", [0, 1, 200_000])
async def test_as_much_as_was_refused_is_written_and_taken_away(store: Store, size):
    """At least that many bytes, and again after a try whose end was not reached."""
    await store.write(lambda connection: probe(connection, START))
    for _ in range(2):
        await store.write(lambda connection: probe_room(connection, START, size))
        assert (rows(store) - 1) * BYTES_OF_A_ROW >= size
    await store.write(probe_done)
    assert rows(store) == 1


async def test_a_database_writes_what_the_probe_says(make_settings, tmp_path):
    """SQLite's log grows by as much."""
    store = Store(make_settings())
    store.open(exclusive=True)
    log = tmp_path / "data" / "alertgate.db-wal"
    before = log.stat().st_size
    await store.write(lambda connection: probe_room(connection, START, 300_000))
    assert log.stat().st_size - before >= 300_000
    store.close()
