"""Rate limits: slowapi's limiter, asked directly, over a memory that stays bounded.

slowapi's decorator costs about a third of a small service's throughput, and limits' own memory storage keeps a key for
every address that it ever saw; so the limiter's `hit` is called by the guards, on the storage below.
"""

import math
from collections import OrderedDict, deque
from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from typing import Any

from limits import RateLimitItem, parse_many
from limits.storage import MovingWindowSupport, Storage
from slowapi import Limiter

from alertgate.clock import Clock
from alertgate.config import Settings
from alertgate.errors import RateLimited
from alertgate.metrics import Metrics

MOST_KEYS = 20_000
"""Addresses and devices that are remembered at a time; the one that was quiet longest is forgotten first."""

LONGEST_ADDRESS = 64


class BoundedMemory(Storage, MovingWindowSupport):
    """The times of the latest requests of at most MOST_KEYS callers. `clock` tells the time."""

    STORAGE_SCHEME = ["bounded-memory"]  # noqa: RUF012  (the base class's name and type)

    def __init__(self, uri: str | None = None, *, clock: Clock, wrap_exceptions: bool = False) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions)
        self._now = clock.monotonic
        self._times: OrderedDict[str, deque[float]] = OrderedDict()
        self._longest = 0
        """Seconds of the longest limit: who has been quiet for that long counts nowhere any more."""

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count a request, unless `limit` in the last `expiry` seconds are reached."""
        times = self._recent(key, expiry)
        if len(times) + amount > limit:
            return False
        times.extend([self._now()] * amount)
        self._times[key] = times
        self._times.move_to_end(key)
        self._longest = max(self._longest, expiry)
        for _ in range(2):  # for each that comes, up to two may go
            self._forget_quietest()
        return True

    def _forget_quietest(self) -> None:
        """Forget who was quiet longest, if that is long enough, or there are too many."""
        times = next(iter(self._times.values()))
        if len(self._times) > MOST_KEYS or not times or times[-1] <= self._now() - self._longest:
            self._times.popitem(last=False)

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:  # noqa: ARG002
        """Return the start of the window and how many requests are in it."""
        times = self._recent(key, expiry)
        return (times[0] if times else self._now(), len(times))

    def _recent(self, key: str, expiry: int) -> deque[float]:
        times = self._times.get(key) or deque()
        while times and times[0] <= self._now() - expiry:
            times.popleft()
        return times

    @property
    def base_exceptions(self) -> type[Exception]:
        """What the storage raises: nothing of its own."""
        return ValueError

    def check(self) -> bool:
        """Tell that the storage works."""
        return True

    def reset(self) -> int | None:
        """Forget everything."""
        count = len(self._times)
        self._times.clear()
        return count

    def clear(self, key: str) -> None:
        """Forget one key."""
        self._times.pop(key, None)

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Fixed windows aren't used here."""
        raise NotImplementedError

    def get(self, key: str) -> int:
        """Fixed windows aren't used here."""
        raise NotImplementedError

    def get_expiry(self, key: str) -> float:
        """Fixed windows aren't used here."""
        raise NotImplementedError


class RateBudget(StrEnum):
    """What is limited; also a metric's label."""

    FAILED = "failed"  # failed authentication, by client address
    GENERIC = "generic"  # the generic webhook, by client address
    DEVICE = "device"  # the Particle webhook, by device


class Limits:
    """The budgets: of a client address for failures and for the generic webhook, and of a Particle device."""

    def __init__(self, settings: Settings, clock: Clock, metrics: Metrics) -> None:
        storage_options: dict[str, Any] = {"clock": clock}
        limiter = Limiter(
            key_func=lambda: "",  # the guards name the key
            strategy="moving-window",
            storage_uri="bounded-memory://",
            storage_options=storage_options,
        )
        self._limiter = limiter.limiter
        self._now = clock.monotonic
        self._metrics = metrics
        self._address = parse_many(settings.rate_limit)
        self._device = parse_many(settings.particle_rate_limit)

    def check_failures(self, address: str) -> None:
        """Raise RateLimited when an address has failed too often lately."""
        self._check(self._address, RateBudget.FAILED, _network(address), "Too many failed requests from this address.")

    def count_failure(self, address: str) -> None:
        """Count a failed authentication of an address."""
        for item in self._address:
            self._limiter.hit(item, RateBudget.FAILED, _network(address))

    def count_generic(self, address: str) -> None:
        """Count a request to the generic webhook. Raises RateLimited."""
        self._spend(self._address, RateBudget.GENERIC, _network(address), "Too many requests from this address.")

    def count_device(self, device: str) -> None:
        """Count an authenticated request of a device. Raises RateLimited."""
        self._spend(self._device, RateBudget.DEVICE, device, "Too many requests of this device.")

    def _spend(self, items: list[RateLimitItem], budget: RateBudget, key: str, detail: str) -> None:
        if len(items) > 1:
            self._check(items, budget, key, detail)  # what one of them refuses doesn't count for the others
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
    """One caller is one IPv4 address, or one IPv6 /64: a single machine may own all of that."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:LONGEST_ADDRESS]  # a proxy may forward anything
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))
    return address
