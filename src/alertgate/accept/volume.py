"""How much of what alerts say a webhook may store, so that a flood with a right credential doesn't fill the disk.

Counted for each webhook as a whole, because whoever has its credential can invent devices, addresses and sources. No
alert is refused for the size of its content: what is too much is shortened, and told all the same.
"""

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import NamedTuple

from alertgate.accept.fields import as_text
from alertgate.clock import Clock
from alertgate.errors import TooMuchStored
from alertgate.model import Alert, Incident, Json, Source
from alertgate.notify.plan import Choice, Plan

HOUR = 3600.0
KEPT = 2048
"""Bytes that are always kept of an alert's message, data, other fields, and unreadable body, of each."""
CONTENT = 16 * 2**20
"""Bytes beyond KEPT that a webhook may store within an hour: of 1,000 devices 16 KiB each, which is Particle's most."""
MOST_FIELDS = 200
"""How many fields are tried for whether they fit, so that many small ones take no time."""
STORED = 2**30
"""Bytes that a webhook may store within an hour in all: about 100 alerts a second of new devices, to one recipient."""
A_ROW = 640
"""Bytes that an alert or an incident takes with its indexes, besides its content and its names."""
A_NOTIFICATION = 1280
"""Bytes that a notification and the attempt that sends it take with their indexes."""
HALF_A_PAGE = 2048
"""Bytes of the last page of a large content that stay empty."""
IN_PAGES = 2
"""How much more of the file names take than they have bytes: pages are half full, and what is longer than a quarter of
a page takes another one in each index. Measured on SQLite (`tests/hostile/test_disk.py`)."""

_ESCAPED = re.compile("[\0\x1a\ud800-\udfff]")


class Shortening(StrEnum):
    """Why an alert's content was shortened."""

    BUDGET = "budget"  # the webhook has stored CONTENT within an hour
    DISK = "disk"  # the disk is almost full


class Fitted(NamedTuple):
    """An alert as it may be stored; `why` it was shortened, or None; and what it was counted as."""

    alert: Alert
    why: Shortening | None = None
    content: int = 0
    """Bytes that are counted for it under CONTENT."""
    stored: int = 0
    """Bytes that are counted for it under STORED."""


@dataclass(slots=True)
class _Allowance:
    """Bytes that may be stored: an hour's at once, and then as many in each hour."""

    hourly: int
    used: float = 0.0
    at: float = 0.0

    def take(self, size: int, now: float) -> bool:
        """Use so many bytes, if as many are left."""
        self.used = max(0.0, self.used - (now - self.at) * self.hourly / HOUR)
        self.at = now
        if self.used + size > self.hourly:
            return False
        self.used += size
        return True

    def give_back(self, size: int) -> None:
        """Take so many bytes for not used after all."""
        self.used = max(0.0, self.used - size)

    def wait(self, size: int) -> int:
        """Return the whole seconds, one at least, after which so many bytes will be left."""
        return max(1, math.ceil((self.used + size - self.hourly) * HOUR / self.hourly))


class Volume:
    """Counts what each webhook stores, in this process. `is_low` returns whether the disk is almost full."""

    def __init__(
        self, clock: Clock, is_low: Callable[[], bool], *, content: int = CONTENT, stored: int = STORED
    ) -> None:
        self._clock = clock
        self._is_low = is_low
        self._content = {source: _Allowance(content) for source in Source}
        self._stored = {source: _Allowance(stored) for source in Source}

    def fit(self, alert: Alert) -> Fitted:
        """Return an alert as it may be stored, and count it, unless it is given back. Raises TooMuchStored."""
        now, size = self._clock.monotonic(), size_of(alert)
        fitted = self._shortened_if_needed(alert, size - KEPT, now)
        size = bytes_of(fitted.alert, size_of(fitted.alert) if fitted.why else size)
        stored = self._stored[alert.source]
        if not stored.take(size, now):
            self._content[alert.source].give_back(fitted.content)
            wait = stored.wait(size)
            raise TooMuchStored(
                f"This webhook has stored {stored.hourly:,} bytes within an hour, so this alert wasn't stored. "
                f"Find out what sends so much; try again in {wait} s.",
                retry_after=wait,
            )
        return fitted._replace(stored=size)

    def count(self, source: Source, size: int) -> None:
        """Count what was stored beside an alert, which is known only then."""
        self._stored[source].used += size

    def give_back(self, fitted: Fitted) -> None:
        """Count an alert no longer: it is a repeat, or it couldn't be stored."""
        self._content[fitted.alert.source].give_back(fitted.content)
        self._stored[fitted.alert.source].give_back(fitted.stored)

    def _shortened_if_needed(self, alert: Alert, beyond: int, now: float) -> Fitted:
        if beyond <= 0:
            return Fitted(alert)
        if self._is_low():
            return Fitted(shorten(alert, Shortening.DISK), Shortening.DISK)
        if self._content[alert.source].take(beyond, now):
            return Fitted(alert, content=beyond)
        return Fitted(shorten(alert, Shortening.BUDGET), Shortening.BUDGET)


def size_of(alert: Alert) -> int:
    """Return about how many bytes the content of an alert takes in the store."""
    return len(json.dumps([alert.message, alert.data, alert.fields])) + len(alert.raw or b"")


def bytes_of(alert: Alert, content: int | None = None) -> int:
    """Return about how many bytes an alert takes in the store; `content` is its `size_of`, if that is known."""
    content = size_of(alert) if content is None else content
    errors = sum(map(_bytes, alert.errors))
    twice = _bytes(alert.event) + _bytes(alert.device)  # in its row and in an index
    thrice = _bytes(alert.incident_key) + _bytes(alert.repeat_key)  # in two
    return A_ROW + content + min(content, HALF_A_PAGE) + errors + IN_PAGES * (2 * twice + 3 * thrice)


def bytes_beside(reason: str, incident: Incident | None, choices: Sequence[Choice]) -> int:
    """Return about how many bytes an alert's reason, its incident if that is new, and its notifications take."""
    planned = sum(isinstance(choice, Plan) for choice in choices)
    opened = incident is not None and incident.alert_count == 1
    return _bytes(reason) + planned * A_NOTIFICATION + (_bytes_of_incident(incident) if incident and opened else 0)


def _bytes_of_incident(incident: Incident) -> int:
    names = _bytes(incident.event) + 2 * _bytes(incident.device) + 3 * _bytes(incident.key)
    return A_ROW + IN_PAGES * names


def _bytes(text: str | None) -> int:
    """Return how many bytes a text takes, where the store escapes what it can't hold."""
    return len(text.encode(errors="surrogatepass")) + 4 * len(_ESCAPED.findall(text)) if text else 0


def shorten(alert: Alert, why: Shortening) -> Alert:
    """Return an alert with the beginning of its content, and with the reason for its trail."""
    message = alert.message and _beginning(alert.message)
    return replace(
        alert,
        message=message if isinstance(message, str) else None,
        data=_beginning(alert.data),
        fields=_that_fit(alert.fields),
        raw=alert.raw[:KEPT] if alert.raw is not None else None,
        reason="; ".join(filter(None, (alert.reason, SENTENCES[why]))),
    )


def _beginning(value: Json) -> Json:
    """Return a value of up to KEPT bytes as it is, a larger one as the beginning of its text."""
    text = (as_text(value) or "").encode()
    return value if len(text) <= KEPT else f"{text[: KEPT - 3].decode(errors='ignore')}…"


def _that_fit(fields: dict[str, Json]) -> dict[str, Json]:
    """Return the fields that fit into KEPT bytes together, of the first MOST_FIELDS."""
    kept, room = {}, KEPT
    for name, value in islice(fields.items(), MOST_FIELDS):
        size = len((as_text({name: value}) or "").encode())
        if size <= room:
            kept[name] = value
            room -= size
    return kept


SENTENCES = {
    Shortening.BUDGET: f"only the beginning was stored: its webhook stored {CONTENT // 2**20} MiB of large content "
    "within an hour",
    Shortening.DISK: "only the beginning was stored: the disk is almost full",
}
