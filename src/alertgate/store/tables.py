"""The schema, with types that store values the same way in SQLite and PostgreSQL."""

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
    TextClause,
    TypeDecorator,
    literal_column,
    text,
)

from alertgate.clock import AHEAD
from alertgate.credential import Credential
from alertgate.model import (
    AlertStatus,
    ChannelName,
    IdKind,
    IncidentStatus,
    Kind,
    NotificationStatus,
    Resolution,
    Severity,
    Signal,
    Source,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
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
        return (value - _EPOCH) // _MICROSECOND

    @staticmethod
    def from_database(value: int) -> datetime:
        """Turn microseconds into a time."""
        return _EPOCH + value * _MICROSECOND


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


class Rank(PortableType):
    """A severity as its rank, so that the database can order by it."""

    impl = SmallInteger
    cache_ok = True
    to_database = staticmethod(attrgetter("rank"))
    from_database = staticmethod(_SEVERITIES.__getitem__)


def _enum(enum: type[StrEnum]) -> Enum:
    """An enum, stored as text."""
    return Enum(
        enum, native_enum=False, create_constraint=False, length=16, values_callable=lambda e: [m.value for m in e]
    )


def constant(value: StrEnum) -> ColumnElement[Any]:
    """Return a value as literal SQL: a database uses a partial index only if it sees the condition."""
    return literal_column(f"'{value.value}'")


def _partial_index(name: str, *columns: str | TextClause, where: str, unique: bool = False) -> Index:
    """An index of the rows that fulfil a condition."""
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


_ID = String(36)
BELIEVABLE = text(f"published_at <= received_at + {AHEAD // _MICROSECOND}")
"""An alert's clock isn't too far ahead. Migration 0003 has the same text in an index."""

metadata = MetaData()

alerts = Table(
    "alerts",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("received_at", Instant, nullable=False, index=True),
    Column("source", _enum(Source), nullable=False),
    Column("status", _enum(AlertStatus), nullable=False),
    Column("signal", _enum(Signal), nullable=False),
    Column("event", AnyText, nullable=False),
    Column("severity", Rank, nullable=False),
    Column("incident_key", AnyText, nullable=False),
    Column("device", AnyText),
    Column("message", AnyText),
    Column("data", JsonText),
    Column("fields", JsonText, nullable=False),
    Column("published_at", Instant),
    Column("repeat_key", AnyText),
    Column("id_kind", _enum(IdKind)),
    Column("content", String(32)),
    Column("errors", JsonText, nullable=False),
    Column("raw", LargeBinary),
    Column("request_id", AnyText),
    Column("credential", _enum(Credential)),
    Column("incident_id", _ID, ForeignKey("incidents.id")),
    Column("reason", AnyText),
    Index("alerts_repeat_key", "repeat_key", "id"),
    Index("alerts_same_event", "repeat_key", "content", "published_at", "id"),
    Index("alerts_incident", "incident_id", "id"),
    _partial_index("alerts_without_incident", "incident_key", "id", where="incident_id IS NULL"),
    _partial_index(
        "alerts_without_incident_published",
        "incident_key",
        "published_at",
        where=f"incident_id IS NULL AND {BELIEVABLE}",
    ),
    Index("alerts_device", "device", "id"),
    Index("alerts_event", "event", "id"),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("key", AnyText, nullable=False),
    Column("status", _enum(IncidentStatus), nullable=False),
    Column("source", _enum(Source), nullable=False),
    Column("event", AnyText, nullable=False),
    Column("device", AnyText),
    Column("severity", Rank, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("last_alert_at", Instant, nullable=False),
    Column("alert_count", Integer, nullable=False),
    Column("began_at", Instant),
    Column("last_firing_at", Instant),
    Column("last_alert_id", _ID),
    Column("changes", Integer, nullable=False, server_default="1"),
    Column("changed_at", Instant),
    Column("acknowledged_at", Instant),
    Column("acknowledged_by", AnyText),
    Column("acknowledged_with", _enum(Credential)),
    Column("acknowledged_changes", Integer),
    Column("resolved_at", Instant),
    Column("ended_at", Instant),
    Column("resolution", _enum(Resolution)),
    Column("resolved_by", AnyText),
    Column("resolved_with", _enum(Credential)),
    Index("incidents_status", "status", "id"),
    Index("incidents_key", "key", "id"),
    Index("incidents_device", "device", "id"),
    _partial_index("incidents_unresolved", "key", where="status <> 'resolved'", unique=True),
    # No index on last_alert_at: each alert that joins changes it, and would rewrite all indexes of its incident.
    _partial_index("incidents_resolved_at", "resolved_at", where="resolved_at IS NOT NULL"),
)

OUTSTANDING = (
    "(status = 'failed' OR status = 'sending' AND finished_at IS NOT NULL)"
    " AND dismissed_at IS NULL AND superseded_by IS NULL"
)
"""As `Notification.is_outstanding`. Migration 0006 has the same text in an index."""

notifications = Table(
    "notifications",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("incident_id", _ID, ForeignKey("incidents.id"), nullable=False, index=True),
    Column("channel", _enum(ChannelName), nullable=False),
    Column("address", AnyText, nullable=False),
    Column("kind", _enum(Kind), nullable=False),
    Column("status", _enum(NotificationStatus), nullable=False),
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
    Column("told", _enum(IncidentStatus)),
    Column("digest_id", _ID),
    Column("held_until", Instant),
    Column("dismissed_at", Instant),
    Column("dismissed_by", AnyText),
    Column("dismissed_with", _enum(Credential)),
    Column("retried_with", _enum(Credential)),
    Column("superseded_by", _ID),
    Column("missed_since", Instant),
    _partial_index(
        "notifications_one_pending", "incident_id", "channel", "address", where="status = 'pending'", unique=True
    ),
    _partial_index("notifications_due", "channel", text("severity DESC"), "due_at", where="status = 'pending'"),
    _partial_index("notifications_sent", "finished_at", where="status = 'sent'"),
    _partial_index(
        "notifications_outstanding",
        "channel",
        "id",
        where=OUTSTANDING,
    ),
    _partial_index("notifications_leased", "lease_until", where="status = 'sending'"),
    _partial_index("notifications_claimed", "channel", "address", "claimed_at", where="claimed_at IS NOT NULL"),
    _partial_index("notifications_missed", "channel", "status", where="missed_since IS NOT NULL"),
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

policy = Table(
    "policy",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("text", AnyText, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("stored_at", Instant, nullable=False),
)
"""One row, the last good policy; with an empty text once it is forgotten on purpose."""

write_probe = Table(
    "write_probe",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
)
"""One row, written to check whether the store accepts writes."""
