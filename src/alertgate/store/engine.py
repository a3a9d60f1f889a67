"""The store: engines, opening and closing, and the differences between SQLite and PostgreSQL."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from sqlalchemy import Connection, Engine, RootTransaction, create_engine, event, text
from sqlalchemy.pool import QueuePool

from alertgate import database_url
from alertgate.config import Settings
from alertgate.errors import StoreError, StoreMissing, StoreTooSlow, StoreUnavailable
from alertgate.store import changes, lock, schema
from alertgate.store.backup import back_up
from alertgate.store.errors import committing, translated
from alertgate.store.postgresql import postgresql_engine, through_pooler
from alertgate.store.private import make_private, make_private_dir
from alertgate.store.undo import undone
from alertgate.store.writer import In, Out, Writer

READERS = 4
SEARCHERS = 1
"""Beside them: a search may read much, and what is to be told mustn't wait until a few of them are through."""
ANSWER_WITHIN = 45.0
"""Seconds to wait for a read or a write. The server gives up sooner; a pooler without a free connection may not."""
RESTART_WITHIN = 200
"""Milliseconds that a restart of the log waits for readers, and the writer with it; the next checkpoint tries again."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LogLimits:
    """Limits of the size of SQLite's write-ahead log."""

    restart_from: int = 8192
    """Pages (32 MiB): at this length the log is restarted from its beginning."""
    kept: int = 64 * 2**20
    """Bytes of the log's file that a restart keeps: overwriting a file is faster than growing it."""


class Store:
    """One database: a writer thread and a few reader threads.

    `open` raises StoreInUse, StoreTooNew or StoreUnavailable; `exclusive` claims an SQLite file for one process.
    `open_existing` raises StoreMissing, StoreOutdated, StoreTooNew or StoreUnavailable.
    """

    def __init__(
        self, settings: Settings, log_limits: LogLimits | None = None, *, answer_within: float = ANSWER_WITHIN
    ) -> None:
        self._answer_within = answer_within
        self._file = settings.sqlite_file
        self._log_limits = log_limits or LogLimits()
        self._url = settings.database_url.get_secret_value() if settings.database_url else f"sqlite:///{self._file}"
        self._lock: IO[str] | None = None
        self._write_engine = _engine(self._url, self._log_limits, writing=True)  # connects when first used
        self._read_engine = _engine(self._url, self._log_limits, writing=False)
        self._own_changes = changes.OwnChanges()
        changes.watch(self._write_engine)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._searchers = ThreadPoolExecutor(SEARCHERS, thread_name_prefix="store-searcher")

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return "sqlite" if self._file else "postgresql"

    @property
    def name(self) -> str:
        """Which database it is, for people: its file, or its place on a server; without credentials."""
        if self._file:
            return str(self._file.resolve())
        return f"PostgreSQL database {database_url.place(database_url.parse(self._url))}"

    def open(self, *, exclusive: bool) -> None:
        """Connect, migrate to the newest schema, and start the writer thread."""
        if self._file:
            make_private_dir(self._file.parent)
            make_private(self._file)
            if exclusive:
                self._lock = lock.claim(self._file)
        try:
            schema.migrate(self._write_engine)
        except BaseException:
            self._disconnect()
            raise
        self._start_writer()

    def open_existing(self) -> None:
        """Connect to a database that was made before, whether or not a service uses it; never make or migrate one."""
        if self._file:
            self._require_file(self._file)
        try:
            with translated(), self._read_engine.begin() as connection:
                schema.require_newest(connection, self.name)
        except BaseException:
            self._disconnect()
            raise
        self._start_writer()

    def _require_file(self, file: Path) -> None:
        try:
            size = file.stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            size = 0
        except OSError as error:
            raise StoreUnavailable(f"{file} can't be opened: {error.strerror}. Make this user its owner.") from None
        if not size:
            raise StoreMissing(f"There is no database at {self.name}, and none was made.")

    def _start_writer(self) -> None:
        self.writer = Writer(self.transaction)
        self.writer.start()

    def look(self) -> str:
        """Return the state of the store, without changing it. Raises StoreInUse, StoreTooNew, StoreUnavailable."""
        if self._file and not self._file.exists():
            return f"{self.name} doesn't exist yet; `alertgate serve` creates it"
        if self._file:
            lock.claim(self._file).close()
        try:
            with translated(), self._write_engine.begin() as connection:
                newest = schema.is_newest(connection)
                connection.execute(text("CREATE TABLE alertgate_check (id INTEGER)"))  # is it writable?
                through = "" if self._file else through_pooler(connection)
                connection.rollback()
        finally:
            self._disconnect()
        return f"{self.name}{through} is writable" + ("" if newest else "; `alertgate serve` will migrate its schema")

    def close(self) -> None:
        """Finish the queued writes, then disconnect."""
        self.writer.stop()
        self._readers.shutdown()
        self._searchers.shutdown()
        self._disconnect()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open the only write transaction; commits on exit. Raises StoreUnavailable or StoreRefused."""
        with translated(), self._write_engine.connect() as connection, undone(connection), connection.begin() as change:
            if self.dialect == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": schema.WRITE_LOCK})
            changes.begin(connection)
            yield connection
            if change.is_active:  # else it was rolled back on purpose
                self._commit(connection, change)

    def _commit(self, connection: Connection, change: RootTransaction) -> None:
        changed = changes.made(connection)
        if self.dialect == "postgresql":
            changes.count(connection, changed)
        with committing():
            change.commit()
        self._own_changes.count(changed)

    async def read(self, act: Callable[[Connection], T]) -> T:
        """Run `act` with a read connection in another thread; return its result. Raises StoreUnavailable."""
        return await self._read_by(self._readers, act)

    async def search(self, act: Callable[[Connection], T]) -> T:
        """Do the same with what may take long, one after the other: nobody else waits for it."""
        return await self._read_by(self._searchers, act)

    async def _read_by(self, threads: ThreadPoolExecutor, act: Callable[[Connection], T]) -> T:
        async with self._in_time():
            return await asyncio.get_running_loop().run_in_executor(threads, self.read_now, act)

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._answer_within):
                yield
        except TimeoutError:
            raise StoreTooSlow(
                f"The database didn't answer within {self._answer_within:g} s; what was to be stored may still be."
            ) from None

    def read_now(self, act: Callable[[Connection], T]) -> T:
        """Run `act` in this thread, on one snapshot of the database; return its result. Raises StoreUnavailable."""
        with translated(), self._read_engine.begin() as connection:
            return act(connection)

    async def write(self, act: Callable[[Connection], T]) -> T:
        """Run `act` in a write transaction; return its result after the commit.

        Raises StoreUnavailable, StoreRefused, or what `act` raises. Cancelling the caller doesn't cancel the write.
        """
        async with self._in_time():
            return await self.writer.do(_each, act)

    async def write_batch(self, act: Callable[[Connection, Sequence[In]], Sequence[Out]], item: In) -> Out:
        """Run `act` for `item` and all else that waits for the same `act`; return the item's result after the commit.

        `act` takes many items at once and returns one result for each, in order. Raises as `write` does; its callers
        know best how long to wait.
        """
        return await self.writer.do(act, item)

    async def marks(self) -> changes.Marks:
        """Return marks that differ from those of before for each topic that was changed, by any process.

        Where SQLite's file was changed by another one, all topics are.
        """
        if self.dialect == "postgresql":
            return await self.read(changes.counted)
        return self._own_changes.marks(elsewhere=await self.write(changes.version))

    async def checkpoint(self) -> None:
        """Move SQLite's write-ahead log into the database file, in another thread; PostgreSQL does it itself."""
        if self._file:
            await asyncio.get_running_loop().run_in_executor(self._readers, self._checkpoint)

    def _checkpoint(self) -> None:
        with translated(), self._bare() as cursor:
            _, frames, _ = cursor.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if frames < self._log_limits.restart_from:
                return
            # Under a steady load a passive checkpoint never moves all frames, so the log would grow forever. Few frames
            # came since the line above: moving them too, while the writer waits, takes milliseconds.
            cursor.execute(f"PRAGMA busy_timeout={RESTART_WITHIN}")
            try:
                cursor.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
            finally:
                cursor.execute("PRAGMA busy_timeout=5000")

    def backup(self, target: Path) -> Mapping[str, int]:
        """Write a copy of an SQLite store, opened or not; return how many rows each table has. Raises StoreError."""
        if not self._file:
            raise StoreError("DATABASE_URL is PostgreSQL; back it up with pg_dump, which makes a consistent copy.")
        self._require_file(self._file)
        return back_up(self._file, target)

    @contextmanager
    def _bare(self) -> Iterator[Any]:
        """Yield a cursor outside a transaction, as checkpoints need."""
        connection = self._read_engine.raw_connection()
        try:
            yield connection.cursor()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"The database can't be used: {error}.") from error
        finally:
            connection.close()

    def _disconnect(self) -> None:
        self._read_engine.dispose()
        self._write_engine.dispose()
        if self._lock:
            self._lock.close()
            self._lock = None


def _each(connection: Connection, acts: Sequence[Callable[[Connection], Any]]) -> list[Any]:
    return [act(connection) for act in acts]


def _engine(url: str, log_limits: LogLimits, *, writing: bool) -> Engine:
    connections = 1 if writing else READERS + SEARCHERS
    if url.startswith("sqlite"):
        return _sqlite(url, log_limits, connections, writing=writing)
    return postgresql_engine(url, connections=connections, writing=writing)


def _sqlite(url: str, log_limits: LogLimits, connections: int, *, writing: bool) -> Engine:
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,  # errors would show the content of alerts
        connect_args={"check_same_thread": False, "timeout": 5},
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # otherwise the driver begins late and commits early
        for pragma in (
            "journal_mode=WAL",  # readers never wait for the writer
            "synchronous=FULL",  # a commit is on disk when it returns: what a 2xx answer promises
            "foreign_keys=ON",
            "busy_timeout=5000",  # command-line tools write while the service runs
            "temp_store=MEMORY",
            f"journal_size_limit={log_limits.kept}",
            "wal_autocheckpoint=0",  # a request would have to wait for it; `checkpoint` runs in the background
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # IMMEDIATE takes the write lock at once; a transaction that reads first could fail to get it later.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine
