"""Health checks. None looks at mail servers: a restart of alertgate wouldn't fix them."""

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType

import structlog

from alertgate.clock import Clock
from alertgate.errors import StoreUnavailable
from alertgate.store.engine import Store
from alertgate.store.write_probe import probe

WRITE_TIMEOUT = 3.0
"""Seconds within which the store must take a write."""
FRESH_FOR = 2.0
"""Seconds to reuse a result: the endpoint is public, and each check writes to the disk."""
STALE_LOOP = 30.0
"""Seconds without a round after which the delivery loop counts as stuck."""

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
        self.draining = False

    async def can_store(self) -> str:
        """Return `ok`, or why the store can't write."""
        async with self._checking:
            if self._stored_at is None or self._clock.monotonic() - self._stored_at > FRESH_FOR:
                self._stored = await self._write()
                self._stored_at = self._clock.monotonic()
        return self._stored

    async def ready(self) -> Mapping[str, str]:
        """Return every check with `ok` or what is wrong."""
        return MappingProxyType(
            {"store": await self.can_store(), "delivery": self._delivery(), "draining": self._drain()}
        )

    async def _write(self) -> str:
        try:
            async with asyncio.timeout(WRITE_TIMEOUT):
                now = self._clock.now()
                await self._store.write(lambda connection: probe(connection, now))
        except TimeoutError:
            log.error("store.unwritable", detail="no alert can be stored", error=f"no write in {WRITE_TIMEOUT:g} s")  # noqa: TRY400
            return f"the database accepted no write within {WRITE_TIMEOUT:g} s; it may be locked, or its disk slow"
        except StoreUnavailable as error:
            log.error("store.unwritable", detail="no alert can be stored", error=str(error))  # noqa: TRY400
            return f"the database can't be used{f': {error.cause}' if error.cause else ''}; the log says why"
        return OK

    def _delivery(self) -> str:
        last = self._last_round()
        if last is None:
            return "the delivery loop hasn't started"
        age = self._clock.monotonic() - last
        return OK if age < STALE_LOOP else f"the delivery loop hasn't run for {age:.0f} s; restart the service"

    def _drain(self) -> str:
        return "the service is stopping" if self.draining else OK
