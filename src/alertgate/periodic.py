"""A job that runs now and then beside everything else, and whose failures never end it."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from alertgate.errors import AlertgateError

log = structlog.stdlib.get_logger("alertgate.periodic")


class Periodic:
    """Runs `job` at once and then every `interval` seconds, until stopped."""

    def __init__(self, name: str, interval: float, job: Callable[[], Awaitable[None]]) -> None:
        self._name = name
        self._interval = interval
        self._job = job
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """Let a run that has begun come to its end, and start no other."""
        self._stop.set()
        if self._task:
            await self._task

    async def _run(self) -> None:
        while not self._stop.is_set():
            try:
                await self._job()
            except AlertgateError as error:
                log.error("job.failed", detail="it runs again", job=self._name, error=str(error))  # noqa: TRY400
            except Exception:
                log.exception("job.defect", detail="this is a defect in alertgate; it runs again", job=self._name)
            try:
                await asyncio.wait_for(self._stop.wait(), self._interval)
            except TimeoutError:
                continue
