"""What keeps the store small and its log short, off the path of requests."""

from datetime import timedelta

import structlog

from alertgate.clock import Clock
from alertgate.store.engine import Store
from alertgate.store.retention import delete_old

RETENTION_EVERY = 600.0
CHECKPOINT_EVERY = 1.0
"""Seconds. A checkpoint moves what SQLite's write-ahead log holds into the database file. Commits wait for it:
for tens of milliseconds, if the log is of five seconds of a heavy load (docs/benchmarks.md)."""

log = structlog.stdlib.get_logger("alertgate.housekeeping")


async def delete_expired(store: Store, clock: Clock, retention_days: int) -> None:
    """Delete what is older than `retention_days`, batch by batch, letting others write in between."""
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
