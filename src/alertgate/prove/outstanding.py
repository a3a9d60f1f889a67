"""Watch the outstanding failures: failed notifications with which nobody has dealt (`store/failures.py` says more).

They are read from the store, so that restarts hide none, and all replicas say the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from alertgate.clock import Clock
from alertgate.errors import StoreUnavailable
from alertgate.metrics import Metrics
from alertgate.model import ChannelName
from alertgate.store import Connection, failures
from alertgate.store.engine import Store
from alertgate.store.failures import ContactFailures, Count

EVERY = 15.0
"""Seconds after which everything is read again, whether or not the counts have changed."""
ADVICE = "`alertgate failures` lists them; retry or dismiss them"

log = structlog.stdlib.get_logger("alertgate.outstanding")


@dataclass(frozen=True, slots=True)
class Outstanding:
    """The outstanding failures at one time."""

    counts: Mapping[ChannelName, Count]
    contacts: Sequence[ContactFailures]
    """The contacts that weren't told of something other than alertgate's own troubles."""
    retrying: bool
    """Whether one of the latter kind is being retried: it isn't outstanding now, but isn't delivered either."""

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(count.number for count in self.counts.values())

    def say(self) -> list[str]:
        """Return a line about them for everybody, or none."""
        by_channel = ", ".join(f"{channel} {count.number:,}" for channel, count in sorted(self.counts.items()))
        return [f"outstanding failures: {self.total:,} ({by_channel}): {ADVICE}"] if self.counts else []


class FailureWatch:
    """Reads the outstanding failures again and again, and knows them as they were last."""

    def __init__(self, store: Store, clock: Clock, metrics: Metrics) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._read_at = float("-inf")
        self.latest: Outstanding | None = None
        """None until the store could be read."""

    async def look(self) -> None:
        """Read them. What was known stays while the store can't be read, which others report."""
        before, moment = self.latest, self._clock.monotonic()
        known = before if moment - self._read_at < EVERY else None
        try:
            now = await self._store.read(lambda connection: _read(connection, known))
        except StoreUnavailable:
            return
        self._metrics.outstanding({channel: count.number for channel, count in now.counts.items()})
        if before is None and now.counts:
            log.warning(
                "failures.outstanding",
                detail=f"notifications have failed for good, and nobody has dealt with them: {ADVICE}",
                number=now.total,
                channels={str(channel): count.number for channel, count in now.counts.items()},
            )
        self.latest = now
        if now is not known:
            self._read_at = moment


def _read(connection: Connection, known: Outstanding | None) -> Outstanding:
    """Read the counts, and all else only if they have changed: there may be very many."""
    counts = failures.counts(connection)
    if known and counts == known.counts and not known.retrying:
        return known
    contacts = failures.by_contact(connection) if counts else []
    return Outstanding(counts, contacts, not contacts and failures.is_retrying(connection))
