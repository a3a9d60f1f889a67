"""Translates the errors of the database drivers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from alertgate.errors import StoreUnavailable


@contextmanager
def translated() -> Iterator[None]:
    """Turn failures of the database into StoreUnavailable; errors that a single row caused pass unchanged."""
    try:
        yield
    except (IntegrityError, DataError):
        raise
    except (DBAPIError, PoolTimeoutError) as error:
        problem = _first_line(error.orig if isinstance(error, DBAPIError) else error)
        raise StoreUnavailable(f"The database can't be used: {problem}. Nothing was stored.") from error


def _first_line(error: Any) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
