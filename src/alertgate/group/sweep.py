"""Resolve incidents that have had no alert for a while, without a notification."""

import structlog

from alertgate.clock import Clock
from alertgate.rules import GroupingRules
from alertgate.store import incidents
from alertgate.store.engine import Store

EVERY = 30.0
"""Seconds between two sweeps."""

log = structlog.stdlib.get_logger("alertgate.group")


async def resolve_quiet(store: Store, rules: GroupingRules, clock: Clock) -> None:
    """Resolve every incident without an alert for RESOLVE_AFTER. Raises StoreUnavailable."""
    now = clock.now()
    for incident_id in await store.write(lambda connection: incidents.resolve_quiet(connection, rules, now)):
        log.info(
            "incident.resolved",
            detail="there was no alert for RESOLVE_AFTER",
            incident_id=incident_id,
            resolution="silence",
            after=str(rules.resolve_after),
        )
