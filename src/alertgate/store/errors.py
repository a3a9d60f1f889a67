"""Translates the errors of the database drivers."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from alertgate.errors import StoreRefused, StoreUnavailable, first_line

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
        raise StoreUnavailable(f"The database can't be used: {problem}. Nothing was stored.") from error


def _is_of_the_row(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None) or ""  # SQLite's errors have none
    return isinstance(error, IntegrityError | DataError) or state[:2] in _OF_THE_ROW
