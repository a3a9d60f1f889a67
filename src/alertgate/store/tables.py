"""The schema."""

from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Enum,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TextClause,
    literal_column,
    text,
)

from alertgate.clock import AHEAD
from alertgate.credential import Credential
from alertgate.id_kind import IdKind
from alertgate.model import (
    AlertStatus,
    ChannelName,
    Hold,
    IncidentStatus,
    Kind,
    NotificationStatus,
    Resolution,
    Signal,
    Source,
)
from alertgate.proof import Proof
from alertgate.store.column_types import MICROSECOND, AnyText, Instant, JsonText, Rank
from alertgate.topic import Topic


def enum_type(enum: type[StrEnum]) -> Enum:
    """An enum, stored as text."""
    return Enum(
        enum, native_enum=False, create_constraint=False, length=16, values_callable=lambda e: [m.value for m in e]
    )


def constant(value: StrEnum) -> ColumnElement[Any]:
    """Return a value as literal SQL: a database uses a partial index only if it sees the condition."""
    return literal_column(f"'{value.value}'")


def partial_index(name: str, *columns: str | TextClause, where: str, unique: bool = False) -> Index:
    """An index of the rows that fulfil a condition."""
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


_ID = String(36)
BELIEVABLE = text(f"published_at <= received_at + {AHEAD // MICROSECOND}")
"""An alert's clock isn't too far ahead. Migration 0003 has the same text in an index."""

metadata = MetaData()

alerts = Table(
    "alerts",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("received_at", Instant, nullable=False),
    Column("source", enum_type(Source), nullable=False),
    Column("status", enum_type(AlertStatus), nullable=False),
    Column("signal", enum_type(Signal), nullable=False),
    Column("event", AnyText, nullable=False),
    Column("severity", Rank, nullable=False),
    Column("incident_key", AnyText, nullable=False),
    Column("device", AnyText),
    Column("message", AnyText),
    Column("data", JsonText),
    Column("fields", JsonText, nullable=False),
    Column("published_at", Instant),
    Column("repeat_key", AnyText),
    Column("id_kind", enum_type(IdKind)),
    Column("content", String(32)),
    Column("errors", JsonText, nullable=False),
    Column("raw", LargeBinary),
    Column("request_id", AnyText),
    Column("credential", enum_type(Credential)),
    Column("incident_id", _ID, ForeignKey("incidents.id")),
    Column("reason", AnyText),
    Index("alerts_received_at", "received_at", "severity"),
    Index("alerts_repeat_key", "repeat_key", "id"),
    Index("alerts_same_event", "repeat_key", "content", "published_at", "id"),
    Index("alerts_incident", "incident_id", "id"),
    partial_index("alerts_without_incident", "incident_key", "id", where="incident_id IS NULL"),
    partial_index(
        "alerts_without_incident_published",
        "incident_key",
        "published_at",
        where=f"incident_id IS NULL AND {BELIEVABLE}",
    ),
    Index("alerts_device", "device", "id"),
    Index("alerts_event", "event", "id"),
    partial_index("alerts_quarantined", "id", where="status = 'quarantined'"),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("key", AnyText, nullable=False),
    Column("status", enum_type(IncidentStatus), nullable=False),
    Column("source", enum_type(Source), nullable=False),
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
    Column("first_firing_at", Instant),
    Column("acknowledged_at", Instant),
    Column("acknowledged_by", AnyText),
    Column("acknowledged_with", enum_type(Credential)),
    Column("acknowledged_changes", Integer),
    Column("snoozed_until", Instant),
    Column("handed_back_at", Instant),
    Column("handed_back_by", AnyText),
    Column("handed_back_with", enum_type(Credential)),
    Column("resolved_at", Instant),
    Column("ended_at", Instant),
    Column("resolution", enum_type(Resolution)),
    Column("resolved_by", AnyText),
    Column("resolved_with", enum_type(Credential)),
    Index("incidents_status", "status", "id"),
    Index("incidents_key", "key", "id"),
    Index("incidents_device", "device", "id"),
    partial_index("incidents_unresolved", "key", where="status <> 'resolved'", unique=True),
    partial_index("incidents_unresolved_device", "device", "id", where="status <> 'resolved'"),
    partial_index("incidents_worst", text("severity DESC"), text("status DESC"), "id", where="status <> 'resolved'"),
    # No index on last_alert_at: each alert that joins changes it, and would rewrite all indexes of its incident.
    partial_index("incidents_resolved_at", "resolved_at", where="resolved_at IS NOT NULL"),
)

OUTSTANDING = (
    "(status = 'failed' OR status = 'sending' AND finished_at IS NOT NULL)"
    " AND dismissed_at IS NULL AND superseded_by IS NULL"
)
"""As `Notification.is_outstanding`. Migration 0006 has the same text in an index."""

HELD = "status = 'pending' AND hold IS NOT NULL"
"""Migration 0009 has the same text in an index."""

notifications = Table(
    "notifications",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("incident_id", _ID, ForeignKey("incidents.id"), nullable=False),
    Column("channel", enum_type(ChannelName), nullable=False),
    Column("address", AnyText, nullable=False),
    Column("kind", enum_type(Kind), nullable=False),
    Column("status", enum_type(NotificationStatus), nullable=False),
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
    Column("told", enum_type(IncidentStatus)),
    Column("digest_id", _ID),
    Column("held_until", Instant),
    Column("dismissed_at", Instant),
    Column("dismissed_by", AnyText),
    Column("dismissed_with", enum_type(Credential)),
    Column("retried_with", enum_type(Credential)),
    Column("superseded_by", _ID),
    Column("missed_since", Instant),
    Column("person", AnyText),
    Column("via", AnyText),
    Column("hold", enum_type(Hold)),
    Column("released_at", Instant),
    Column("link_hash", String(64)),
    Column("receipt", AnyText),
    Column("proof", enum_type(Proof)),
    Column("proved_at", Instant),
    Column("proved_by", AnyText),
    Column("shown", String(16)),
    Column("follow_at", Instant),
    Column("follow_owner", AnyText),
    Index("notifications_incident", "incident_id", "id"),
    partial_index(
        "notifications_one_pending", "incident_id", "channel", "address", where="status = 'pending'", unique=True
    ),
    partial_index("notifications_due", "channel", text("severity DESC"), "due_at", where="status = 'pending'"),
    partial_index("notifications_sent", "finished_at", where="status = 'sent'"),
    partial_index(
        "notifications_outstanding",
        "channel",
        "id",
        where=OUTSTANDING,
    ),
    partial_index("notifications_leased", "lease_until", where="status = 'sending'"),
    partial_index("notifications_claimed", "channel", "address", "claimed_at", where="claimed_at IS NOT NULL"),
    partial_index("notifications_link", "link_hash", where="link_hash IS NOT NULL"),
    partial_index("notifications_missed", "channel", "status", where="missed_since IS NOT NULL"),
    partial_index("notifications_held", "due_at", where=HELD),
    partial_index("notifications_followed", "follow_at", where="follow_at IS NOT NULL"),
    partial_index("notifications_receipt", "channel", "receipt", where="receipt IS NOT NULL"),
)

escalations = Table(
    "escalations",
    metadata,
    Column("incident_id", _ID, ForeignKey("incidents.id"), primary_key=True),
    Column("escalation", AnyText, nullable=False),
    Column("route", AnyText, nullable=False),
    Column("begun_at", Instant, nullable=False),
    Column("wait", BigInteger, nullable=False),
    Column("step", Integer, nullable=False),
    Column("step_at", Instant),
    Column("reminders", Integer, nullable=False),
    Column("reminded_at", Instant),
    Column("first_sent_at", Instant),
    Column("gave_up", Boolean, nullable=False),
    Column("told", JsonText, nullable=False),
    Column("reason", String(32)),
    Column("next_at", Instant),
    partial_index("escalations_running", "next_at", where="next_at IS NOT NULL"),
)
"""How far the escalation of each incident is that goes on, or went on, after its first notifications."""

silences = Table(
    "silences",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("event", AnyText),
    Column("device", AnyText),
    Column("source", AnyText),
    Column("min_severity", Rank),
    Column("unless", Rank),
    Column("begins_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("author", AnyText, nullable=False),
    Column("credential", enum_type(Credential), nullable=False),
    Column("note", AnyText),
    Column("created_at", Instant, nullable=False),
    Column("removed_at", Instant),
    Column("removed_by", AnyText),
    Column("removed_with", enum_type(Credential)),
    Index("silences_ends_at", "ends_at"),
)
"""Each holds what is to be said of the incidents that it matches, until `ends_at` or `removed_at`."""

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

polls = Table(
    "polls",
    metadata,
    Column("name", AnyText, primary_key=True),
    Column("owner", AnyText),
    Column("until", Instant),
    Column("position", AnyText),
)
"""Who polls a service for answers, until when, and up to where all was done."""

changes = Table(
    "changes",
    metadata,
    Column("topic", enum_type(Topic), primary_key=True),
    Column("number", BigInteger, nullable=False),
)
"""How often each topic was changed, on PostgreSQL."""

write_probe = Table(
    "write_probe",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
)
"""One row, written to check whether the store accepts writes."""
