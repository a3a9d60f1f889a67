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
from alertgate.notify.budget import daily_limits
from alertgate.web.limit_storage import MOST_KEYS, BoundedMemory
from alertgate.web.network import network_of

ALL = "all"
"""The key of what is counted for all callers together."""
LINK_ADDRESS_LIMIT = "120/minute"
"""Of tokens that lead nowhere. A whole office may share an address, so the right ones pass all the same; none can be
guessed at any rate."""
LINK_LIMIT = "30/minute"
REPLY_LIMIT = "20/hour"
"""Of answers to the text messages of one number: a phone that answers by itself would go on for ever."""

SIGN_IN_LIMIT = "300/10 minutes"
"""Of failed tries to sign in to the console, of all addresses. A right token gets in all the same (docs/adr/0006)."""
ASKER_LIMIT = "10/hour"
"""Of requests for a link to sign in by, by client address, whomever they name."""
PERSON_LIMIT = "3/hour;10/day"
ALL_LINKS_LIMIT = "20/hour;60/day"
"""Of links that are sent, to one person and in all: anybody may ask for one, and each is a message to a phone."""
ACCOUNT_PART = 20
"""The part of an account's daily limit that links may use: a twentieth, apart from what alerts use."""


class RateBudget(StrEnum):
    """What is limited; also a metric's label."""

    FAILED = "failed"  # failed authentication, by client address
    GENERIC = "generic"  # the generic webhook, by client address
    DEVICE = "device"  # the Particle webhook, by device
    STORED = "stored"  # the bytes that a webhook stores (accept/volume.py)
    LINK_ADDRESS = "link_address"  # links of messages that lead nowhere, by client address
    LINK = "link"  # those of messages, by link
    REPLY = "reply"  # answers to text messages, by number
    SIGN_IN = "sign_in"  # failed tries to sign in to the console, of all addresses
    SIGN_IN_ASKER = "sign_in_asker"  # requests for a link to sign in by, by client address
    SIGN_IN_LINK = "sign_in_link"  # those links, by person and in all
    SIGN_IN_ACCOUNT = "sign_in_account"  # messages with one, of an account with a daily limit


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
        self._sign_in, self._asker = parse_many(SIGN_IN_LIMIT), parse_many(ASKER_LIMIT)
        self._person, self._all_links = parse_many(PERSON_LIMIT), parse_many(ALL_LINKS_LIMIT)
        self._accounts = {
            each.account: parse_many(f"{max(1, each.limit // ACCOUNT_PART)}/day")
            for each in daily_limits(settings)
            if each.limit
        }

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

    def count_failed_sign_in(self, address: str) -> None:
        """Count a failed try to sign in. Raises RateLimited when its address, or all of them, failed too often."""
        self.check_failures(address)
        self._spend(self._sign_in, RateBudget.SIGN_IN, ALL, "Too many failed tries to sign in.")
        self.count_failure(address)

    def count_asker(self, address: str) -> None:
        """Count a request for a link to sign in by, whomever it names. Raises RateLimited."""
        self._spend(self._asker, RateBudget.SIGN_IN_ASKER, network_of(address), "Too many links were asked for.")

    def count_sign_in_link(self, person: str) -> None:
        """Count a link that is to be sent to a person. Raises RateLimited."""
        self._check(self._all_links, RateBudget.SIGN_IN_LINK, ALL, "Too many links were asked for.")
        self._spend(self._person, RateBudget.SIGN_IN_LINK, f"of {person}", "Too many links of this person.")
        self._spend(self._all_links, RateBudget.SIGN_IN_LINK, ALL, "Too many links were asked for.")

    def count_link_message(self, account: str) -> None:
        """Count a message with such a link that an account is to send. Raises RateLimited."""
        if account in self._accounts:
            detail = "Links have used their part of the account's daily limit."
            self._spend(self._accounts[account], RateBudget.SIGN_IN_ACCOUNT, account, detail)

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
