"""The only writer thread, with group commit.

Requests queue work and await a future. The thread takes all queued work, runs each kind once as a bulk operation in one
transaction, commits, and only then resolves the futures: one fsync serves many requests.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection

from alertgate.errors import StoreUnavailable

MOST_IN_A_BATCH = 500
STOP_WITHIN = 10.0
"""Seconds to wait for the thread to end."""

In = TypeVar("In")
Out = TypeVar("Out")


class _Job(NamedTuple):
    work: Callable[[Connection, Sequence[Any]], Sequence[Any]]
    item: Any
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class Writer:
    """The thread that owns the write connection. `transaction` opens one that commits on exit."""

    on_commit: Callable[[int, float], None] | None = None
    """Called after each commit, in the writer thread, with the number of jobs and the seconds that it took."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._transaction = transaction
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="store-writer", daemon=True)
        self._stopped = False

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the queued work, then end the thread."""
        self._stopped = True
        self._queue.put(None)
        self._thread.join(STOP_WITHIN)  # a database that hangs must not keep the process from ending

    @property
    def waiting(self) -> int:
        """How many jobs wait for the next batch."""
        return self._queue.qsize()

    async def do(self, work: Callable[[Connection, Sequence[In]], Sequence[Out]], item: In) -> Out:
        """Run `work` for `item`; return its result after the commit.

        `work` takes many items of one kind at once, and returns one result for each, in order.

        Raises StoreUnavailable, or what the work raised for this item alone, such as StoreRefused. Cancelling the
        caller doesn't cancel the work.
        """
        if self._stopped:
            raise StoreUnavailable("The service is stopping; nothing was stored.")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Out] = loop.create_future()
        self._queue.put(_Job(work, item, future, loop))
        return await future

    def _run(self) -> None:
        open_ = True
        while open_:
            batch, open_ = self._next_batch()
            if batch:
                _resolve(self._commit(batch))

    def _next_batch(self) -> tuple[list[_Job], bool]:
        """Wait for a job, then take all others that are queued."""
        batch: list[_Job] = []
        job = self._queue.get()
        while job is not None:
            batch.append(job)
            if len(batch) == MOST_IN_A_BATCH:
                return batch, True
            try:
                job = self._queue.get_nowait()
            except Empty:
                return batch, True
        return batch, False

    def _commit(self, batch: list[_Job]) -> list[tuple[_Job, Any]]:
        """Pair every job with its result or its exception."""
        try:
            start = time.monotonic()
            with self._transaction() as connection:
                done = _work(connection, batch)
        except StoreUnavailable as error:
            return [(job, error) for job in batch]  # each would only fail the same way again
        except Exception as error:  # noqa: BLE001  (one bad item must not fail the others)
            if len(batch) == 1:
                return [(batch[0], error)]
            return self._commit_singly(batch)
        if self.on_commit:
            self.on_commit(len(batch), time.monotonic() - start)
        return done

    def _commit_singly(self, batch: list[_Job]) -> list[tuple[_Job, Any]]:
        """Commit the jobs one by one, until the database can't be used any more."""
        done: list[tuple[_Job, Any]] = []
        for place, job in enumerate(batch):
            done += self._commit([job])
            if isinstance(error := done[-1][1], StoreUnavailable):
                return done + [(other, error) for other in batch[place + 1 :]]
        return done


def _work(connection: Connection, batch: list[_Job]) -> list[tuple[_Job, Any]]:
    kinds: dict[Any, list[_Job]] = {}
    for job in batch:
        kinds.setdefault(job.work, []).append(job)
    return [
        pair
        for work, jobs in kinds.items()
        for pair in zip(jobs, work(connection, [job.item for job in jobs]), strict=True)
    ]


def _resolve(done: list[tuple[_Job, Any]]) -> None:
    """Return the results, with one wake-up for each event loop."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[_Job, Any]]] = {}
    for pair in done:
        loops.setdefault(pair[0].loop, []).append(pair)
    for loop, pairs in loops.items():
        try:
            loop.call_soon_threadsafe(_set, pairs)
        except RuntimeError:
            continue  # the loop is closed, so nobody waits for these


def _set(pairs: list[tuple[_Job, Any]]) -> None:
    for job, result in pairs:
        if job.future.done():
            continue  # its caller was cancelled
        if isinstance(result, Exception):
            job.future.set_exception(result)
        else:
            job.future.set_result(result)
