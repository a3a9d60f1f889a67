"""Rate limits: slowapi's limiter over a bounded memory.

The guards call the limiter's `hit`: slowapi's decorator costs a third of a small service's throughput, and can't count
failures alone.
"""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from typing import Any, cast
from weakref import WeakValueDictionary

from limits import RateLimitItem, parse_many
from slowapi import Limiter

from alertgate.clock import Clock
from alertgate.config import Settings
from alertgate.errors import RateLimited
from alertgate.metrics import Metrics
from alertgate.web.limit_storage import MOST_KEYS, BoundedMemory

LONGEST_ADDRESS = 64
MOST_UNVERIFIED = 20
"""Large bodies of one address that are read at once before their signature can be checked; others wait."""
LINK_ADDRESS_LIMIT = "120/minute"
"""A whole office, and its mail scanner, may share an address. A token can't be guessed at any rate."""
LINK_LIMIT = "30/minute"


class RateBudget(StrEnum):
    """What is limited; also a metric's label."""

    FAILED = "failed"  # failed authentication, by client address
    GENERIC = "generic"  # the generic webhook, by client address
    DEVICE = "device"  # the Particle webhook, by device
    STORED = "stored"  # the bytes that a webhook stores (accept/volume.py)
    LINK_ADDRESS = "link_address"  # links of messages, by client address
    LINK = "link"  # the same, by link


class Limits:
    """The budgets: of a client address for failures and for the generic webhook, and of a Particle device."""

    def __init__(self, settings: Settings, clock: Clock, metrics: Metrics, *, most_keys: int = MOST_KEYS) -> None:
        storage_options: dict[str, Any] = {"clock": clock, "most_keys": most_keys}
        limiter = Limiter(
            key_func=lambda: "",  # the guards name the key
            strategy="moving-window",
            storage_uri="bounded-memory://",
            storage_options=storage_options,
        )
        self._limiter = limiter.limiter
        self.storage = cast("BoundedMemory", self._limiter.storage)
        self._now = clock.monotonic
        self._metrics = metrics
        self._address = parse_many(settings.rate_limit)
        self._device = parse_many(settings.particle_rate_limit)
        self._link_address, self._link = parse_many(LINK_ADDRESS_LIMIT), parse_many(LINK_LIMIT)
        self._places: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        """Kept only while somebody uses them."""

    def check_failures(self, address: str) -> None:
        """Raise RateLimited when an address has failed too often lately."""
        self._check(self._address, RateBudget.FAILED, _network(address), "Too many failed requests from this address.")

    def count_failure(self, address: str) -> None:
        """Count a failed authentication of an address."""
        for item in self._address:
            self._limiter.hit(item, RateBudget.FAILED, _network(address))

    def count_generic(self, address: str) -> None:
        """Count a request to the generic webhook whose credential is right. Raises RateLimited."""
        self._spend(self._address, RateBudget.GENERIC, _network(address), "Too many requests from this address.")

    @asynccontextmanager
    async def unverified(self, address: str, patience: float) -> AsyncIterator[None]:
        """Hold a place of an address for a large body that is read before its signature can be checked.

        Without places, one address could fill the memory with bodies. Raises RateLimited after `patience` seconds
        without a free place.
        """
        network = _network(address)
        places = self._places.setdefault(network, asyncio.Semaphore(MOST_UNVERIFIED))
        try:
            async with asyncio.timeout(patience):
                await places.acquire()
        except TimeoutError:
            self._metrics.rate_limited(RateBudget.GENERIC)
            raise RateLimited(
                f"{MOST_UNVERIFIED} unfinished large requests of this address are being read; nothing was stored. "
                "Send fewer at once, and send each of them whole.",
                retry_after=math.ceil(patience),
            ) from None
        try:
            yield
        finally:
            places.release()

    def count_device(self, device: str) -> None:
        """Count an authenticated request of a device. Raises RateLimited."""
        self._spend(self._device, RateBudget.DEVICE, device, "Too many requests of this device.")

    def count_link(self, address: str, link_hash: str) -> None:
        """Count a request with the link of a message, right or wrong. Raises RateLimited."""
        self._spend(self._link_address, RateBudget.LINK_ADDRESS, _network(address), "Too many requests.")
        self._spend(self._link, RateBudget.LINK, link_hash, "Too many requests with this link.")

    def _spend(self, items: list[RateLimitItem], budget: RateBudget, key: str, detail: str) -> None:
        if len(items) > 1:
            self._check(items, budget, key, detail)  # a request that one of them refuses doesn't count for the others
        for item in items:
            if not self._limiter.hit(item, budget, key):
                raise self._refusal(item, budget, key, detail)

    def _check(self, items: list[RateLimitItem], budget: RateBudget, key: str, detail: str) -> None:
        for item in items:
            if not self._limiter.test(item, budget, key):
                raise self._refusal(item, budget, key, detail)

    def _refusal(self, item: RateLimitItem, budget: RateBudget, key: str, detail: str) -> RateLimited:
        self._metrics.rate_limited(budget)
        reset = self._limiter.get_window_stats(item, budget, key).reset_time
        wait = max(1, math.ceil(reset - self._now()))
        return RateLimited(f"{detail} The limit is {item}; try again in {wait} s.", retry_after=wait)


def _network(address: str) -> str:
    """Return the IPv4 address, or the IPv6 /64, which a single machine may own as a whole."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:LONGEST_ADDRESS]  # a proxy may forward any text
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))
    return address
