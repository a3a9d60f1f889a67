"""The lock of an SQLite database, by the process that serves it, which writes its id there."""

import fcntl
import os
from pathlib import Path
from typing import IO

from alertgate.errors import StoreInUse, StoreUnavailable
from alertgate.store.private import make_private

_PROCESSES = Path("/proc")


def claim(file: Path) -> IO[str]:
    """Lock an SQLite file for this process, until it exits or crashes. Raises StoreInUse, StoreUnavailable."""
    make_private(_beside(file))
    try:
        lock = _beside(file).open("a+")  # unlike "w" it leaves the process id of whoever has the lock
    except OSError as error:
        raise StoreUnavailable(
            f"The lock file beside {file} can't be opened: {error}. Remove it, or make this user its owner."
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise StoreInUse(
            f"Another alertgate is serving {file}; two on one SQLite file would notify people twice. "
            "Stop the other one, or set DATABASE_URL to a PostgreSQL database, which several can share."
        ) from None
    _sign(lock)
    return lock


def holder(file: Path) -> int | None:
    """Return the process id of whoever serves an SQLite file; None if nobody does, or if it can't be known."""
    try:
        with _beside(file).open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                text = lock.read(20).strip()
                return int(text) if text.isascii() and text.isdecimal() else None
    except (OSError, UnicodeDecodeError):
        pass
    return None


def holds(process: int, file: Path) -> bool:
    """Return whether a process has the lock's file open, as whoever serves has; true where that can't be known.

    A process id that a container wrote means another process here, or none. Raises OSError for one of another user.
    """
    if not _PROCESSES.is_dir():
        return True
    lock = _beside(file).stat()
    return any(_is_same(opened, lock) for opened in (_PROCESSES / str(process) / "fd").iterdir())


def _is_same(opened: Path, file: os.stat_result) -> bool:
    try:
        return os.path.samestat(opened.stat(), file)
    except OSError:  # closed meanwhile
        return False


def _beside(file: Path) -> Path:
    return file.with_suffix(".lock")


def _sign(lock: IO[str]) -> None:
    """Write the process id. A full disk keeps nobody from serving: the lock holds without it."""
    try:
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
    except OSError:
        pass
