"""Translates the errors of the database drivers."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from alertgate.errors import StoreRefused, StoreTooSlow, StoreUnavailable, first_line
from alertgate.store.outages import REMEDIES, Outage, recognise

_OF_THE_ROW = frozenset({"21", "22", "23", "44", "54"})
"""Classes of PostgreSQL's SQLSTATE for what is wrong with a row, such as 54: a text that is too long for an index.

The driver raises some of them as OperationalError, like a lost connection. Source: PostgreSQL's manual, appendix A.
"""


@contextmanager
def translated() -> Iterator[None]:
    """Turn failures of the database into StoreUnavailable, and what a single row causes into StoreRefused."""
    try:
        yield
    except PoolTimeoutError as error:
        raise StoreUnavailable(f"The database can't be used: {first_line(error)}. Nothing was stored.") from error
    except DBAPIError as error:
        problem = first_line(error.orig)
        if _is_of_the_row(error):
            raise StoreRefused(f"The database refuses what was to be stored: {problem}.") from error
        outage = recognise(str(error.orig), _state(error))
        remedy = f" {REMEDIES[outage]}" if outage else _DAMAGED if _is_damaged(error) else ""
        raise StoreUnavailable(
            f"The database can't be used: {problem}.{remedy} Nothing was stored.", cause=outage
        ) from error


@contextmanager
def committing() -> Iterator[None]:
    """Turn a connection that is lost during a commit into StoreTooSlow: nobody knows whether it was done."""
    try:
        yield
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise StoreTooSlow(
            f"The connection to the database was lost during a commit ({first_line(error.orig)}): it may be stored, or "
            "not.",
            cause=Outage.LOST,
        ) from error


def _is_of_the_row(error: DBAPIError) -> bool:
    return isinstance(error, IntegrityError | DataError) or (_state(error) or "")[:2] in _OF_THE_ROW


_DAMAGED = " Move the file away and start afresh, or restore a backup."


def _is_damaged(error: DBAPIError) -> bool:
    """Return whether SQLite finds that its file isn't one, or is corrupt."""
    return getattr(error.orig, "sqlite_errorcode", None) in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}


def _state(error: DBAPIError) -> str | None:
    """Return an error's SQLSTATE; SQLite's errors have none."""
    state: str | None = getattr(error.orig, "sqlstate", None)
    return state
