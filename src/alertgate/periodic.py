"""A periodic background job, which survives its failures."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from alertgate.errors import AlertgateError

log = structlog.stdlib.get_logger("alertgate.periodic")


class Job(Protocol):
    """Something that goes on in the background."""

    def start(self) -> None:
        """Start the task."""

    async def stop(self) -> None:
        """End it."""


class Periodic:
    """Runs `job` at once, and again `interval` seconds after each run, until stopped."""

    def __init__(self, name: str, interval: float, job: Callable[[], Awaitable[None]]) -> None:
        self._name = name
        self._interval = interval
        self._job = job
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the task."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """Wait for the current run, and start no other."""
        self._stop.set()
        if self._task:
            await self._task

    async def _run(self) -> None:
        while not self._stop.is_set():
            try:
                await self._job()
            except AlertgateError as error:
                log.error("job.failed", detail="it runs again after its interval", job=self._name, error=str(error))  # noqa: TRY400
            except Exception:
                log.exception("job.defect", detail="a defect in alertgate; the job runs again", job=self._name)
            try:
                await asyncio.wait_for(self._stop.wait(), self._interval)
            except TimeoutError:
                continue
