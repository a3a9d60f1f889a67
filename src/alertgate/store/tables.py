"""The schema, and how its values are kept alike in SQLite and PostgreSQL."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Dialect,
    Enum,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    literal_column,
    text,
)

from alertgate.model import (
    AlertStatus,
    ChannelName,
    IncidentStatus,
    Kind,
    NotificationStatus,
    Severity,
    Signal,
    Source,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UNSTORABLE = re.compile("[\x00\x1a\ud800-\udfff]")
_ESCAPED = re.compile("\x1a([0-9a-f]{4})")
_SEVERITIES = tuple(sorted(Severity, key=lambda severity: severity.rank))


Convert = Callable[[Any], Any]


class PortableType(TypeDecorator[Any]):
    """A type whose values are kept by `keep` and read by `read`, neither of which is given None, in both databases.

    The two take the place of SQLAlchemy's own converters, which cost two calls more for each value.
    """

    impl: Any = Text
    cache_ok = True
    keep: Convert
    read: Convert

    def bind_processor(self, dialect: Dialect) -> Convert:  # noqa: ARG002
        """Return how a value is kept."""
        keep = type(self).keep
        return lambda value: None if value is None else keep(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Convert:  # noqa: ARG002
        """Return how a kept value is read."""
        read = type(self).read
        return lambda value: None if value is None else read(value)


class Instant(PortableType):
    """An aware time, kept as microseconds since 1970 in UTC: exact, sortable, and the same in both databases."""

    impl = BigInteger
    cache_ok = True

    @staticmethod
    def keep(value: datetime) -> int:
        """Turn a time into microseconds."""
        return (value - _EPOCH) // _MICROSECOND

    @staticmethod
    def read(value: int) -> datetime:
        """Turn microseconds into a time."""
        return _EPOCH + value * _MICROSECOND


class AnyText(PortableType):
    r"""Any Python text. PostgreSQL holds no NUL, UTF-8 no lone surrogate: they become \x1a and four hex digits."""

    cache_ok = True

    @staticmethod
    def keep(value: str) -> str:
        """Escape what can't be stored."""
        return _UNSTORABLE.sub(lambda match: f"\x1a{ord(match[0]):04x}", value)

    @staticmethod
    def read(value: str) -> str:
        """Undo the escapes."""
        return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), value) if "\x1a" in value else value


class JsonText(PortableType):
    """A JSON value as ASCII text, in which every odd character is escaped by JSON itself."""

    cache_ok = True
    keep = staticmethod(json.JSONEncoder(separators=(",", ":")).encode)
    read = staticmethod(json.loads)


class Rank(PortableType):
    """A severity as its rank, so that the database can order by it."""

    impl = SmallInteger
    cache_ok = True
    keep = staticmethod(attrgetter("rank"))
    read = staticmethod(_SEVERITIES.__getitem__)


def _word(enum: type[StrEnum]) -> Enum:
    """A word of a closed list, as text."""
    return Enum(
        enum, native_enum=False, create_constraint=False, length=16, values_callable=lambda e: [m.value for m in e]
    )


def constant(word: StrEnum) -> ColumnElement[Any]:
    """Return a word as part of the SQL itself: only so does a database see that a partial index fits."""
    return literal_column(f"'{word.value}'")


_ID = String(36)

metadata = MetaData()

alerts = Table(
    "alerts",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("received_at", Instant, nullable=False, index=True),
    Column("source", _word(Source), nullable=False),
    Column("status", _word(AlertStatus), nullable=False),
    Column("signal", _word(Signal), nullable=False),
    Column("event", AnyText, nullable=False),
    Column("severity", Rank, nullable=False),
    Column("key", AnyText, nullable=False),
    Column("device", AnyText),
    Column("message", AnyText),
    Column("data", JsonText),
    Column("fields", JsonText, nullable=False),
    Column("published_at", Instant),
    Column("dedup", AnyText),
    Column("errors", JsonText, nullable=False),
    Column("raw", LargeBinary),
    Column("request_id", AnyText),
    Column("incident_id", _ID, ForeignKey("incidents.id")),
    Column("grouping", AnyText),
    Index("alerts_dedup", "dedup", unique=True),
    Index("alerts_incident", "incident_id", "id"),
    Index("alerts_device", "device", "id"),
    Index("alerts_event", "event", "id"),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("key", AnyText, nullable=False),
    Column("status", _word(IncidentStatus), nullable=False),
    Column("source", _word(Source), nullable=False),
    Column("event", AnyText, nullable=False),
    Column("device", AnyText),
    Column("severity", Rank, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("last_alert_at", Instant, nullable=False),
    Column("alert_count", Integer, nullable=False),
    Column("acknowledged_at", Instant),
    Column("acknowledged_by", AnyText),
    Column("resolved_at", Instant),
    Column("resolved_by", AnyText),
    Index("incidents_status", "status", "id"),
    Index(
        "incidents_unresolved",
        "key",
        unique=True,
        sqlite_where=text("status <> 'resolved'"),
        postgresql_where=text("status <> 'resolved'"),
    ),
    Index(
        "incidents_ended",
        "last_alert_at",
        sqlite_where=text("status = 'resolved'"),
        postgresql_where=text("status = 'resolved'"),
    ),
    Index(
        "incidents_quiet",
        "last_alert_at",
        sqlite_where=text("status <> 'resolved'"),
        postgresql_where=text("status <> 'resolved'"),
    ),
)

notifications = Table(
    "notifications",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("incident_id", _ID, ForeignKey("incidents.id"), nullable=False, index=True),
    Column("channel", _word(ChannelName), nullable=False),
    Column("address", AnyText, nullable=False),
    Column("kind", _word(Kind), nullable=False),
    Column("status", _word(NotificationStatus), nullable=False),
    Column("severity", Rank, nullable=False),
    Column("reason", AnyText, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("retry_since", Instant, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lease_owner", AnyText),
    Column("lease_until", Instant),
    Column("claimed_at", Instant),
    Column("finished_at", Instant),
    Index(
        "notifications_one_pending",
        "incident_id",
        "channel",
        "address",
        unique=True,
        sqlite_where=text("status = 'pending'"),
        postgresql_where=text("status = 'pending'"),
    ),
    Index(
        "notifications_due",
        "channel",
        text("severity DESC"),
        "due_at",
        sqlite_where=text("status = 'pending'"),
        postgresql_where=text("status = 'pending'"),
    ),
    Index(
        "notifications_sent",
        "finished_at",
        sqlite_where=text("status = 'sent'"),
        postgresql_where=text("status = 'sent'"),
    ),
    Index(
        "notifications_leased",
        "lease_until",
        sqlite_where=text("status = 'sending'"),
        postgresql_where=text("status = 'sending'"),
    ),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("notification_id", _ID, ForeignKey("notifications.id"), nullable=False, index=True),
    Column("started_at", Instant, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("reply", AnyText, nullable=False),
    Column("queue_id", AnyText),
)

pulse = Table(
    "pulse",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
)
"""One row, written to learn whether the store can write."""
