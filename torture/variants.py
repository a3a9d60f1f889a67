"""Variants of alertgate that differ in one thing.

Two cheats that the harness must catch, one with a clock that can be set, and one with short days.

`python -m torture.variants early|behind|clock:FILE|brisk:SECONDS serve …`
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from alertgate import app, cli
from alertgate.accept.record import Recorded, Result
from alertgate.accept.rulings import Understood
from alertgate.prove import housekeeping
from alertgate.store import engine
from alertgate.store.writer import Writer


class EarlyWriter(Writer):
    """A cheat: answers an alert before its commit."""

    hold_back = 0.0

    async def do(self, work: Any, item: Any) -> Any:
        """Report an alert as stored at once, and store it afterwards."""
        if not isinstance(item, Understood):
            return await super().do(work, item)
        task = asyncio.create_task(self._later(work, item))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
        return Recorded(Result.ACCEPTED, item.alert.id, item.alert.id)

    async def _later(self, work: Any, item: Any) -> None:
        await asyncio.sleep(self.hold_back)
        await super().do(work, item)


class BehindWriter(EarlyWriter):
    """A cheat: stores alerts a little later, as a cache would."""

    hold_back = 0.3


class WrongClock:
    """The machine's clock plus the seconds that a file holds."""

    file: Path

    def now(self) -> datetime:
        """Return the wall-clock time."""
        return datetime.now(UTC) + timedelta(seconds=float(self.file.read_text() or 0))

    def monotonic(self) -> float:
        """Return the machine's monotonic time, which jumps don't affect."""
        return time.monotonic()


_tasks: set[asyncio.Task[None]] = set()


def main(arguments: Sequence[str]) -> None:
    """Patch one thing, then run the command line."""
    variant, _, value = arguments[0].partition(":")
    if variant == "early":
        engine.Writer = EarlyWriter  # type: ignore[misc]
    elif variant == "behind":
        engine.Writer = BehindWriter  # type: ignore[misc]
    elif variant == "clock":
        WrongClock.file = Path(value)
        app.SystemClock = WrongClock  # type: ignore[misc,assignment]
    elif variant == "brisk":
        day = float(value)
        housekeeping.RETENTION_EVERY = 10.0  # type: ignore[misc]
        housekeeping.timedelta = lambda days: timedelta(seconds=day * days)  # type: ignore[misc,assignment]
    else:
        raise SystemExit(f"no such variant: {variant}")
    sys.argv = ["alertgate", *arguments[1:]]
    cli.main()


if __name__ == "__main__":
    main(sys.argv[1:])
