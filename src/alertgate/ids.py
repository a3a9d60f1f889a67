"""The ids of alerts, incidents and notifications."""

import random
from datetime import UTC, datetime, timedelta
from threading import Lock

from alertgate.uuid7 import time_of, uuid7

MICROSECOND = timedelta(microseconds=1)
MILLISECOND = timedelta(milliseconds=1)


def new_id(at: datetime) -> str:
    """Return a fresh UUIDv7."""
    return uuid7(at, random.randbytes(8))  # noqa: S311  (ids aren't secret: reading what they name requires a token)


class Ids:
    """Makes ever-increasing UUIDv7s, even after the clock was set back: the newest must sort last.

    `newest` is the newest id that an earlier run stored.
    """

    def __init__(self, newest: str | None) -> None:
        self._last = time_of(newest) + MILLISECOND if newest else datetime.min.replace(tzinfo=UTC)
        self._lock = Lock()

    def __call__(self, at: datetime) -> str:
        """Return a fresh id for `at`, or for a microsecond after the previous one if that is later."""
        with self._lock:
            self._last = at if at > self._last else self._last + MICROSECOND
            return new_id(self._last)
