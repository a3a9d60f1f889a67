"""A consistent copy of an SQLite database, which is checked before it gets its name."""

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from tempfile import mkstemp
from urllib.parse import quote

from alertgate.errors import StoreError, StoreMissing, StoreUnavailable


def back_up(source: Path, target: Path) -> Mapping[str, int]:
    """Copy `source`, which may be in use meanwhile, to `target`; return how many rows each table of the copy has.

    Raises StoreError if `target` exists or the copy isn't sound, StoreMissing if `source` isn't alertgate's, and
    StoreUnavailable if one of them can't be read or written. A copy that failed leaves no file.
    """
    if target.exists():
        raise StoreError(f"{target} already exists; nothing was written. Name a new file.")
    partial = _new_file(target)
    try:
        rows = _copy(source, partial)
        _verify(partial, rows)
        _flush(partial)
        partial.rename(target)
        with suppress(OSError):  # some network file systems can't
            _flush(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise _unwritable(target, error) from None
    finally:
        _remove(partial)
    return rows


def _new_file(target: Path) -> Path:
    """Make an empty file beside `target`, for its owner alone; no other backup has its name, not even a killed one."""
    try:
        descriptor, name = mkstemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent)
    except OSError as error:
        raise _unwritable(target, error) from None
    os.close(descriptor)
    return Path(name)


def _unwritable(target: Path, error: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"{target} can't be written: {error}. No copy was made.")


def _copy(source: Path, partial: Path) -> Mapping[str, int]:
    """Copy one snapshot, and return its rows. Writers go on; `mode=rw` never makes a database."""
    address = f"file:{quote(str(source))}?mode=rw"
    with (
        closing(sqlite3.connect(address, uri=True, isolation_level=None)) as opened,
        closing(sqlite3.connect(partial, isolation_level=None)) as copy,
    ):
        opened.execute("BEGIN")
        rows = _rows(opened)
        if "alembic_version" not in rows:
            raise StoreMissing(f"{source} isn't a database of alertgate, so no copy was made.")
        opened.backup(copy)  # of the snapshot that the transaction has begun
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
    return rows


def _verify(partial: Path, rows: Mapping[str, int]) -> None:
    """Open the copy as a restore would. Raises StoreError if it isn't sound or lacks rows."""
    with closing(sqlite3.connect(partial, isolation_level=None)) as copy:
        [(found,), *more] = copy.execute("PRAGMA integrity_check").fetchall()
        if found != "ok":
            also = f", and {len(more)} more" if more else ""
            raise StoreError(
                f"The copy isn't sound ({found.splitlines()[-1]}{also}), so it was removed. The database is probably "
                "damaged itself: keep the backups that you have, and check its disk."
            )
        if (copied := _rows(copy)) != rows:
            tables = ", ".join(name for name in rows if rows[name] != copied.get(name))
            raise StoreError(f"The copy lacks rows of {tables}, so it was removed. Check the disks, then try again.")


def _rows(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how many rows each table has."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    names = [name for (name,) in connection.execute(query).fetchall()]
    # NOT INDEXED counts the table itself; an index of it may be damaged without it.
    count = 'SELECT count(*) FROM "{}" NOT INDEXED'
    return {name: connection.execute(count.format(name)).fetchone()[0] for name in names}


def _flush(path: Path) -> None:
    """Bring a file, or a directory's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(partial: Path) -> None:
    for suffix in ("", "-journal", "-wal", "-shm"):
        with suppress(OSError):
            partial.with_name(partial.name + suffix).unlink()
