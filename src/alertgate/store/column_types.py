"""Column types that store values the same way in SQLite and PostgreSQL."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

from sqlalchemy import BigInteger, Dialect, SmallInteger, Text, TypeDecorator

from alertgate.model import Severity

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
_UNSTORABLE = re.compile("[\x00\x1a\ud800-\udfff]")
_ESCAPED = re.compile("\x1a([0-9a-f]{4})")
_SEVERITIES = tuple(sorted(Severity, key=lambda severity: severity.rank))


class PortableType(TypeDecorator[Any]):
    """A type that both databases store the same way. Subclasses convert values, which are never None."""

    impl: Any = Text
    cache_ok = True
    to_database: Callable[[Any], Any]
    from_database: Callable[[Any], Any]

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        """Return a value as it is stored."""
        return None if value is None else type(self).to_database(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        """Return a stored value as it is used."""
        return None if value is None else type(self).from_database(value)


class Instant(PortableType):
    """An aware time, stored as microseconds since 1970 in UTC: exact, sortable, and the same in both databases."""

    impl = BigInteger
    cache_ok = True

    @staticmethod
    def to_database(value: datetime) -> int:
        """Turn a time into microseconds."""
        return (value - _EPOCH) // MICROSECOND

    @staticmethod
    def from_database(value: int) -> datetime:
        """Turn microseconds into a time."""
        return _EPOCH + value * MICROSECOND


class AnyText(PortableType):
    r"""Any Python text. PostgreSQL stores no NUL and UTF-8 no lone surrogate: both become \x1a and four hex digits."""

    cache_ok = True

    @staticmethod
    def to_database(value: str) -> str:
        """Escape what can't be stored."""
        return _UNSTORABLE.sub(lambda match: f"\x1a{ord(match[0]):04x}", value)

    @staticmethod
    def from_database(value: str) -> str:
        """Undo the escapes."""
        return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), value) if "\x1a" in value else value


class JsonText(PortableType):
    """A JSON value as ASCII text, in which JSON escapes all other characters."""

    cache_ok = True
    to_database = staticmethod(json.JSONEncoder(separators=(",", ":")).encode)
    from_database = staticmethod(json.loads)


class Times(PortableType):
    """A few times as ISO texts: a tuple, which is NULL while it is empty, and then read as None."""

    cache_ok = True
    from_database = staticmethod(lambda value: tuple(json.loads(value)))

    @staticmethod
    def to_database(value: tuple[str, ...]) -> str | None:
        """Turn times into a JSON list."""
        return json.dumps(value) if value else None


class Rank(PortableType):
    """A severity as its rank, so that the database can order by it."""

    impl = SmallInteger
    cache_ok = True
    to_database = staticmethod(attrgetter("rank"))
    from_database = staticmethod(_SEVERITIES.__getitem__)
