"""Incidents that went quiet resolve in silence."""

import structlog

from alertgate.clock import Clock
from alertgate.config import GroupingRules
from alertgate.store import Connection, incidents
from alertgate.store.engine import Store

EVERY = 30.0
"""Seconds between two sweeps."""

log = structlog.stdlib.get_logger("alertgate.group")


async def resolve_quiet(store: Store, rules: GroupingRules, clock: Clock) -> None:
    """Resolve every incident that had no alert for RESOLVE_AFTER. Raises StoreUnavailable."""
    now = clock.now()

    def work(connection: Connection, items: object) -> list[list[str]]:
        del items  # one sweep does for all
        return [incidents.resolve_quiet(connection, now - rules.resolve_after, now)]

    for incident_id in await store.writer.do(work, None):
        log.info("incident resolved in silence", incident_id=incident_id, after=str(rules.resolve_after))
