"""Test messages at somebody's request: a few a minute, and to no contact twice because a button was pressed twice."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from alertgate.clock import Clock
from alertgate.model import Target
from alertgate.notify.test_send import TestSend

MOST = 10
"""Messages within PERIOD: each costs money or goodwill, and a server bans who logs in too often."""
PERIOD = 60.0
"""Seconds."""
PRESSED_TWICE = timedelta(seconds=30)
"""A contact that was tested this short a time ago isn't tested again: its result is the answer."""
MOST_KEPT = 1000
"""Contacts whose last result is known."""

Send = Callable[[Sequence[Target]], Awaitable[Sequence[TestSend]]]
"""Sends a test message to each of these, and returns each server's answer."""


class Tested(NamedTuple):
    """The last test of a contact."""

    at: datetime
    result: TestSend


class Tests(NamedTuple):
    """What became of a request."""

    sent: tuple[Tested, ...]
    """The tests that were sent for it."""
    left: int
    """How many contacts have to wait, because there were too many tests within the last minute."""
    wait: float
    """After how many seconds there is room for the next."""


class Tester:
    """Sends tests one after the other, and remembers the last result of each contact while this process lives."""

    def __init__(self, send: Send, clock: Clock) -> None:
        self._send = send
        self._clock = clock
        self._busy = asyncio.Lock()
        self._sent_at: deque[float] = deque(maxlen=MOST)
        self._last: dict[Target, Tested] = {}

    def last(self, target: Target) -> Tested | None:
        """Return the last test of a contact since this process started."""
        return self._last.get(target)

    async def test(self, targets: Sequence[Target]) -> Tests:
        """Send a test to each that wasn't tested just now, as far as there is room."""
        async with self._busy:  # whoever presses twice waits for the first answer, and finds it
            untested = [target for target in dict.fromkeys(targets) if not self._is_fresh(target)]
            room = MOST - sum(1 for _ in self._recent())
            now_sent = untested[:room]
            self._sent_at.extend([self._clock.monotonic()] * len(now_sent))
            results = await self._send(now_sent) if now_sent else ()
            sent = tuple(self._note(target, result) for target, result in zip(now_sent, results, strict=True))
            return Tests(sent, len(untested) - len(now_sent), self._wait())

    def _recent(self) -> Iterator[float]:
        now = self._clock.monotonic()
        return (at for at in self._sent_at if now - at < PERIOD)

    def _wait(self) -> float:
        return max(PERIOD - (self._clock.monotonic() - min(self._recent(), default=float("-inf"))), 0.0)

    def _is_fresh(self, target: Target) -> bool:
        last = self._last.get(target)
        return last is not None and timedelta(0) <= self._clock.now() - last.at < PRESSED_TWICE

    def _note(self, target: Target, result: TestSend) -> Tested:
        self._last.pop(target, None)
        while len(self._last) >= MOST_KEPT:
            del self._last[next(iter(self._last))]
        self._last[target] = Tested(self._clock.now(), result)
        return self._last[target]
