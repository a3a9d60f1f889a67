"""Background jobs that keep the store small and its write-ahead log short."""

from datetime import timedelta

import structlog

from alertgate.clock import Clock
from alertgate.store.engine import Store
from alertgate.store.retention import delete_old

RETENTION_EVERY = 600.0
CHECKPOINT_EVERY = 1.0
"""Seconds. A checkpoint moves SQLite's write-ahead log into the database file. Commits wait for it: tens of
milliseconds if the log holds five seconds of heavy load (docs/benchmarks.md)."""

log = structlog.stdlib.get_logger("alertgate.housekeeping")


async def delete_expired(store: Store, clock: Clock, retention_days: int) -> None:
    """Delete what is older than `retention_days` (0: nothing), in batches, so that others can write in between."""
    if not retention_days:
        return
    before = clock.now() - timedelta(days=retention_days)
    total = 0
    while deleted := await store.write(lambda connection: delete_old(connection, before)):
        total += deleted
    if total:
        log.info(
            "retention.deleted", detail="rows older than RETENTION_DAYS were deleted", rows=total, days=retention_days
        )
