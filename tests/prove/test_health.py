"""What `/health` says about a store that refused an alert."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from alertgate.errors import StoreUnavailable
from alertgate.prove.health import FRESH_FOR, MOST_TRIED, OK, WITH_AN_ALERT, Health
from alertgate.store.engine import Store
from alertgate.store.tables import write_probe
from alertgate.store.write_probe import BYTES_OF_A_ROW
from tests.fakes import FakeClock

FULL = "the database can't be used; the log says why"


@dataclass
class Small:
    """A store that commits a transaction only if the probe's table has at most `room` bytes after it."""

    store: Store
    room: int
    written: int = 0

    async def write(self, act: Callable[[Connection], object]) -> object:
        def bounded(connection: Connection) -> object:
            result = act(connection)
            self.written = connection.execute(select(func.count()).select_from(write_probe)).scalar_one()
            if self.written * BYTES_OF_A_ROW > self.room:
                raise StoreUnavailable("The database can't be used: database or disk is full. Nothing was stored.")
            return result

        return await self.store.write(bounded)


async def test_what_was_refused_must_fit_before_it_is_well_again(store: Store):
    """Not only a row; and it needs no new alert to see that there is room."""
    small, clock = Small(store, room=5000), FakeClock()
    health = Health(small, clock, lambda: None)
    assert await health.can_store() == OK
    health.refused(1000)
    assert await health.can_store() == FULL, "at once, although the last good result is fresh"
    clock.move(seconds=FRESH_FOR + 1)
    assert await health.can_store() == FULL
    small.room = WITH_AN_ALERT + 2000
    assert await health.can_store() == FULL, "a bad result is kept for a while: each check writes"
    clock.move(seconds=FRESH_FOR + 1)
    assert await health.can_store() == OK
    clock.move(seconds=FRESH_FOR + 1)
    small.room = 5000
    assert await health.can_store() == OK, "then a row is enough again"


async def test_the_largest_that_was_refused_counts(store: Store):
    """A smaller one that is refused later doesn't hide it; what is tried has a limit."""
    small, clock = Small(store, room=WITH_AN_ALERT + 1000), FakeClock()
    health = Health(small, clock, lambda: None)
    health.refused(50_000)
    health.refused(10)
    assert await health.can_store() == FULL
    small.room = 2 * MOST_TRIED
    health.refused(10**9)
    clock.move(seconds=FRESH_FOR + 1)
    assert await health.can_store() == OK
