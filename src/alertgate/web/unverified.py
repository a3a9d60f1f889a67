"""Bodies that are read before their signature can be checked: few at once, so that strangers can't fill the memory."""

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from weakref import WeakValueDictionary

from alertgate.errors import TooManyUnfinished
from alertgate.metrics import Metrics
from alertgate.web.limits import RateBudget
from alertgate.web.network import network_of

MOST_LARGE = 20
"""Large bodies of one network that are read at once; others wait."""
MOST_UNFINISHED = 500
"""Bodies of any size, and of all callers, that are read or wait at once."""

_TOO_MANY = (
    "Too many unfinished requests are being read, most of them of this address; nothing was stored. Send fewer at "
    "once, and send each of them whole."
)


class UnverifiedBodies:
    """Bounds what unverified bodies hold. `patience`: seconds that a large one waits for its turn.

    Beyond `most` a new body isn't refused, or whoever keeps many unfinished would keep others' alerts out: the network
    that has the most of them loses the one that it began first. A body that is sent whole is read in no time.
    """

    def __init__(self, metrics: Metrics, patience: float, *, most: int = MOST_UNFINISHED) -> None:
        self._metrics = metrics
        self._patience = patience
        self._most = most
        self._reading: dict[asyncio.Timeout, str] = {}
        """The network of each, by what ends it; those that began first stand first."""
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        """Kept only while somebody uses them."""

    def __len__(self) -> int:
        """Return how many are being read, or wait."""
        return len(self._reading)

    @asynccontextmanager
    async def reading(self, address: str) -> AsyncIterator[AbstractAsyncContextManager[None]]:
        """Read a body of an address; yields the turn to take once it is large. Raises TooManyUnfinished."""
        network = network_of(address)
        if len(self._reading) >= self._most:
            self._end_one()
        try:
            async with asyncio.timeout(None) as end:
                self._reading[end] = network
                try:
                    yield self._turn(network)
                finally:
                    self._reading.pop(end, None)
        except TimeoutError:
            raise self._refusal(_TOO_MANY) from None

    def _end_one(self) -> None:
        [(crowded, _)] = Counter(self._reading.values()).most_common(1)
        first = next(end for end, network in self._reading.items() if network == crowded)
        del self._reading[first]
        first.reschedule(0)

    @asynccontextmanager
    async def _turn(self, network: str) -> AsyncIterator[None]:
        turns = self._turns.setdefault(network, asyncio.Semaphore(MOST_LARGE))
        try:
            async with asyncio.timeout(self._patience):
                await turns.acquire()
        except TimeoutError:
            raise self._refusal(
                f"{MOST_LARGE} unfinished large requests of this address are being read; nothing was stored. "
                "Send fewer at once, and send each of them whole."
            ) from None
        try:
            yield
        finally:
            turns.release()

    def _refusal(self, detail: str) -> TooManyUnfinished:
        self._metrics.rate_limited(RateBudget.GENERIC)
        return TooManyUnfinished(detail, retry_after=math.ceil(self._patience))
