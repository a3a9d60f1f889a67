"""The clock, which is passed in wherever the time is needed."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

AHEAD = timedelta(minutes=1)
"""A sender's clock may be ahead of ours by this much; one that is further ahead is wrong."""


class Clock(Protocol):
    """A source of time. Tests pass one that they control."""

    def now(self) -> datetime:
        """Return the wall-clock time, aware and in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never go back; only differences have a meaning."""


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """Return the wall-clock time, aware and in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back; only differences have a meaning."""
        return time.monotonic()
