"""The files of an SQLite database: private, and locked by the process that serves it, which writes its id there."""

import fcntl
import os
from pathlib import Path
from typing import IO

from alertgate.errors import StoreInUse, StoreUnavailable


def make_private(file: Path) -> None:
    """Make a file readable for its owner only; SQLite gives its database's mode to the files beside it.

    Raises StoreUnavailable.
    """
    try:
        if not file.exists():
            file.touch(mode=0o600)
        elif file.stat().st_mode & 0o077 and file.stat().st_uid == os.getuid():
            file.chmod(0o600)
    except OSError as error:
        raise StoreUnavailable(f"{file} can't be opened: {error}. Make this user its owner.") from None


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
