"""How many lines of the log strangers can cause: a burst of each kind, then one a second. Pure."""

from collections.abc import Hashable
from dataclasses import dataclass

BURST = 600
"""Lines of one kind at once: enough to see what somebody tries, before there is nothing new to see."""
EVERY = 1.0
"""Seconds for each further line."""


@dataclass(slots=True)
class _Kind:
    """What became of the lines of one kind: how many may be written at a time, and how many were left out since."""

    room: float
    at: float
    left_out: int = 0


class LineBudget:
    """A token bucket for each kind of line. Kinds must be few: each is remembered."""

    def __init__(self, burst: int = BURST) -> None:
        self._burst = burst
        self._kinds: dict[Hashable, _Kind] = {}

    def take(self, kind: Hashable, now: float) -> int | None:
        """Return how many lines of this kind were left out before this one, or None if this one is left out too.

        `now` is a monotonic time in seconds.
        """
        known = self._kinds.setdefault(kind, _Kind(self._burst, now))
        known.room = min(known.room + (now - known.at) / EVERY, self._burst)
        known.at = now
        if known.room < 1:
            known.left_out += 1
            return None
        known.room -= 1
        before, known.left_out = known.left_out, 0
        return before
