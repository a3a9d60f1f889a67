"""Signals that ask a running service for something: SIGHUP reads the policy again, SIGUSR1 logs the state."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

Act = Callable[[], Coroutine[Any, Any, None]]


class Signals:
    """Runs an act in the event loop at each SIGHUP and SIGUSR1; those that come before `attach` wait for it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: list[int] = []
        self._arrived: Callable[[int], object] = self._waiting.append
        for number in (signal.SIGHUP, signal.SIGUSR1):
            signal.signal(number, lambda number, _: self._arrived(number))

    def attach(self, acts: Mapping[int, Act]) -> None:
        """Run acts in the running event loop from now on."""
        loop = asyncio.get_running_loop()
        self._arrived = lambda number: loop.call_soon_threadsafe(self._begin, acts[number])
        for number in self._waiting:
            self._arrived(number)

    def detach(self) -> None:
        """Run no more acts: the service is stopping."""
        self._arrived = lambda _: None

    def _begin(self, act: Act) -> None:
        task = asyncio.get_running_loop().create_task(act())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
