"""Background jobs that keep the store small and its write-ahead log short."""

from collections.abc import Callable, Collection
from datetime import timedelta

import structlog

from alertgate.clock import Clock
from alertgate.store import sessions
from alertgate.store.engine import Store
from alertgate.store.retention import delete_old

LOOK_EVERY = 1.0
"""Seconds between two looks at whether old rows are to be deleted."""
RETENTION_EVERY = 600.0
EARLY_EVERY = 60.0
"""Seconds between two deletions, and while the disk is almost full."""
EARLY_PART = 4
LEAST_DAYS = 2
"""Repeats are recognised for a day, and whoever was away for one still sees what happened."""
CHECKPOINT_EVERY = 1.0
"""Seconds. A checkpoint moves SQLite's write-ahead log into the database file. Commits wait for it: tens of
milliseconds if the log holds five seconds of heavy load (docs/benchmarks.md)."""

log = structlog.stdlib.get_logger("alertgate.housekeeping")


class Retention:
    """Deletes what ended `days` ago (0: nothing); sooner and more while `is_low` says that the disk is almost full.

    Sessions of the console are deleted once they are over, or their person isn't one of `people` any more.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        days: int,
        is_low: Callable[[], bool],
        people: Callable[[], Collection[str]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._days = days
        self._is_low = is_low
        self._people = people
        self._last_run = float("-inf")

    async def run(self) -> None:
        """Delete what is due, if the last run was long enough ago. Raises StoreUnavailable."""
        moment, low = self._clock.monotonic(), self._is_low()
        if moment - self._last_run >= (EARLY_EVERY if low else RETENTION_EVERY):
            self._last_run = moment
            people, now = self._people(), self._clock.now()
            await self._store.write(lambda connection: sessions.delete_over(connection, now, people))
            await delete_expired(self._store, self._clock, fewer(self._days) if low else self._days)


def fewer(retention_days: int) -> int:
    """Return how many days are kept while the disk is almost full: a quarter, two at least; 0 is still forever."""
    return min(retention_days, max(LEAST_DAYS, retention_days // EARLY_PART))


async def delete_expired(store: Store, clock: Clock, days: int) -> None:
    """Delete what is older than `days` (0: nothing), in batches, so that others can write in between."""
    if not days:
        return
    before = clock.now() - timedelta(days=days)
    total = 0
    while deleted := await store.write(lambda connection: delete_old(connection, before)):
        total += deleted
    if total:
        log.info("retention.deleted", detail="rows that ended more than `days` ago were deleted", rows=total, days=days)
