"""Rate limits: slowapi's limiter over a bounded memory.

The guards call the limiter's `hit`: slowapi's decorator costs a third of a small service's throughput, and can't count
failures alone.
"""

import math
from enum import StrEnum
from typing import Any, cast

from limits import RateLimitItem, parse_many
from slowapi import Limiter

from alertgate.clock import Clock
from alertgate.config import Settings
from alertgate.errors import RateLimited
from alertgate.metrics import Metrics
from alertgate.web.limit_storage import MOST_KEYS, BoundedMemory
from alertgate.web.network import network_of

LINK_ADDRESS_LIMIT = "120/minute"
"""Of tokens that lead nowhere. A whole office may share an address, so the right ones pass all the same; none can be
guessed at any rate."""
LINK_LIMIT = "30/minute"
REPLY_LIMIT = "20/hour"
"""Of answers to the text messages of one number: a phone that answers by itself would go on for ever."""


class RateBudget(StrEnum):
    """What is limited; also a metric's label."""

    FAILED = "failed"  # failed authentication, by client address
    GENERIC = "generic"  # the generic webhook, by client address
    DEVICE = "device"  # the Particle webhook, by device
    STORED = "stored"  # the bytes that a webhook stores (accept/volume.py)
    LINK_ADDRESS = "link_address"  # links of messages that lead nowhere, by client address
    LINK = "link"  # those of messages, by link
    REPLY = "reply"  # answers to text messages, by number


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
        self._reply = parse_many(REPLY_LIMIT)

    def check_failures(self, address: str) -> None:
        """Raise RateLimited when an address has failed too often lately."""
        self._check(
            self._address, RateBudget.FAILED, network_of(address), "Too many failed requests from this address."
        )

    def count_failure(self, address: str) -> None:
        """Count a failed authentication of an address."""
        for item in self._address:
            self._limiter.hit(item, RateBudget.FAILED, network_of(address))

    def count_generic(self, address: str) -> None:
        """Count a request to the generic webhook whose credential is right. Raises RateLimited."""
        self._spend(self._address, RateBudget.GENERIC, network_of(address), "Too many requests from this address.")

    def count_device(self, device: str) -> None:
        """Count an authenticated request of a device. Raises RateLimited."""
        self._spend(self._device, RateBudget.DEVICE, device, "Too many requests of this device.")

    def count_wrong_link(self, address: str) -> None:
        """Count a request with a link that leads nowhere. Raises RateLimited."""
        self._spend(self._link_address, RateBudget.LINK_ADDRESS, network_of(address), "Too many requests.")

    def count_link(self, link_hash: str) -> None:
        """Count a request with the link of a message. Raises RateLimited."""
        self._spend(self._link, RateBudget.LINK, link_hash, "Too many requests with this link.")

    def count_reply(self, number: str) -> None:
        """Count an answer to a text message of a number. Raises RateLimited."""
        self._spend(self._reply, RateBudget.REPLY, number, "Too many text messages of this number.")

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
