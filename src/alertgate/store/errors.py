"""The database's errors, translated once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from alertgate.errors import StoreUnavailable


@contextmanager
def translated() -> Iterator[None]:
    """Turn a database in trouble into StoreUnavailable; errors that one row made pass as they are."""
    try:
        yield
    except (IntegrityError, DataError):
        raise
    except (DBAPIError, PoolTimeoutError) as error:
        words = _first_line(error.orig if isinstance(error, DBAPIError) else error)
        raise StoreUnavailable(f"The database can't be used: {words}. Nothing was stored.") from error


def _first_line(error: Any) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
