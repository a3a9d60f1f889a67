"""Health checks. None looks at mail servers: a restart of alertgate wouldn't fix them."""

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType

import structlog

from alertgate.clock import Clock
from alertgate.errors import StoreUnavailable
from alertgate.store.engine import Store
from alertgate.store.write_probe import probe, probe_done, probe_room

WRITE_TIMEOUT = 3.0
"""Seconds within which the store must take a write."""
FRESH_FOR = 2.0
"""Seconds to reuse a result: the endpoint is public, and each check writes to the disk."""
STALE_LOOP = 30.0
"""Seconds without a round after which the delivery loop counts as stuck."""
WITH_AN_ALERT = 2**17
"""Bytes that the store writes for an alert besides its content: a page of each table and of each index."""
MOST_TRIED = 2**20
"""The most that is written after a refusal, however large the alert was: each check takes the time of that."""

OK = "ok"

log = structlog.stdlib.get_logger("alertgate.health")


class Health:
    """Checks the store and the delivery loop. `last_round` returns when the loop last ran (monotonic), or None."""

    def __init__(self, store: Store, clock: Clock, last_round: Callable[[], float | None]) -> None:
        self._store = store
        self._clock = clock
        self._last_round = last_round
        self._checking = asyncio.Lock()
        self._stored = OK
        self._stored_at: float | None = None
        self._refused = 0
        self.draining = False

    def refused(self, size: int) -> None:
        """Note that the store didn't take an alert of that many bytes: it can't store until it takes as much."""
        self._refused = max(self._refused, min(size + WITH_AN_ALERT, MOST_TRIED))

    async def can_store(self) -> str:
        """Return `ok`, or why the store can't write."""
        async with self._checking:
            if not self._is_fresh():
                self._stored = await self._write()
                self._stored_at = self._clock.monotonic()
        return self._stored

    def _is_fresh(self) -> bool:
        """Return whether the last result holds: not if it was good, and an alert was refused since."""
        if self._stored_at is None or (self._refused and self._stored == OK):
            return False
        return self._clock.monotonic() - self._stored_at <= FRESH_FOR

    async def ready(self) -> Mapping[str, str]:
        """Return every check with `ok` or what is wrong."""
        return MappingProxyType(
            {"store": await self.can_store(), "delivery": self._delivery(), "draining": self._drain()}
        )

    async def _write(self) -> str:
        try:
            async with asyncio.timeout(WRITE_TIMEOUT):
                await self._probe()
        except TimeoutError:
            log.error("store.unwritable", detail="no alert can be stored", error=f"no write in {WRITE_TIMEOUT:g} s")  # noqa: TRY400
            return f"the database accepted no write within {WRITE_TIMEOUT:g} s; it may be locked, or its disk slow"
        except StoreUnavailable as error:
            log.error("store.unwritable", detail="no alert can be stored", error=str(error))  # noqa: TRY400
            return f"the database can't be used{f': {error.cause}' if error.cause else ''}; the log says why"
        return OK

    async def _probe(self) -> None:
        """Write a little; after a refusal as much as was refused, because a little may fit where an alert doesn't."""
        now = self._clock.now()
        size, self._refused = self._refused, 0
        try:
            await self._store.write(lambda connection: probe(connection, now))
            if size:
                await self._store.write(lambda connection: probe_room(connection, now, size))
                await self._store.write(probe_done)
        except BaseException:
            self._refused = max(self._refused, size)
            raise

    def _delivery(self) -> str:
        last = self._last_round()
        if last is None:
            return "the delivery loop hasn't started"
        age = self._clock.monotonic() - last
        return OK if age < STALE_LOOP else f"the delivery loop hasn't run for {age:.0f} s; restart the service"

    def _drain(self) -> str:
        return "the service is stopping" if self.draining else OK
