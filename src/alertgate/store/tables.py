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
from alertgate.device import DeviceState
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
BELIEVABLE = text(f"published_at <= received_at + {AHEAD // MICROSECOND}")
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
    Column("first_firing_at", Instant),
    Column("acknowledged_at", Instant),
    Column("acknowledged_by", AnyText),
    Column("acknowledged_with", _enum(Credential)),
    Column("acknowledged_changes", Integer),
    Column("snoozed_until", Instant),
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

HELD = "status = 'pending' AND hold IS NOT NULL"
"""Migration 0009 has the same text in an index."""

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
    Column("person", AnyText),
    Column("via", AnyText),
    Column("hold", _enum(Hold)),
    Column("released_at", Instant),
    Column("link_hash", String(64)),
    Column("receipt", AnyText),
    Column("proof", _enum(Proof)),
    Column("proved_at", Instant),
    Column("proved_by", AnyText),
    Column("shown", String(16)),
    Column("follow_at", Instant),
    Column("follow_owner", AnyText),
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
    _partial_index("notifications_link", "link_hash", where="link_hash IS NOT NULL"),
    _partial_index("notifications_missed", "channel", "status", where="missed_since IS NOT NULL"),
    _partial_index("notifications_held", "due_at", where=HELD),
    _partial_index("notifications_followed", "follow_at", where="follow_at IS NOT NULL"),
    _partial_index("notifications_receipt", "channel", "receipt", where="receipt IS NOT NULL"),
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
    _partial_index("escalations_running", "next_at", where="next_at IS NOT NULL"),
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
    Column("credential", _enum(Credential), nullable=False),
    Column("note", AnyText),
    Column("created_at", Instant, nullable=False),
    Column("removed_at", Instant),
    Column("removed_by", AnyText),
    Column("removed_with", _enum(Credential)),
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

write_probe = Table(
    "write_probe",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
)
"""One row, written to check whether the store accepts writes."""

devices = Table(
    "devices",
    metadata,
    Column("id", AnyText, primary_key=True),
    Column("first_seen_at", Instant),
    Column("last_seen_at", Instant),
    Column("last_published_at", Instant),
    Column("last_event", AnyText),
    Column("events", BigInteger, nullable=False),
    Column("offline_at", Instant),
    Column("name", AnyText),
    Column("product", AnyText),
    Column("firmware", AnyText),
    Column("state", _enum(DeviceState), nullable=False),
    Column("state_at", Instant),
    Column("watched_since", Instant),
    Column("due_at", Instant),
    Column("silent_since", Instant),
    Column("told_at", Instant),
    Column("flapping", Boolean, nullable=False),
    Column("resetting", Boolean, nullable=False),
    Column("battery", Float),
    Column("battery_at", Instant),
    Column("battery_low", Boolean, nullable=False),
    Column("strength", Float),
    Column("quality", Float),
    Column("vitals", JsonText),
    Column("vitals_at", Instant),
    Column("outages", JsonText),
    Column("resets", JsonText),
    Column("gaps", JsonText),
    _partial_index("devices_due", "due_at", where="due_at IS NOT NULL"),
    _partial_index("devices_overdue", "state", where="state IN ('late', 'silent')"),
    _partial_index("devices_watched", "last_seen_at", where="watched_since IS NOT NULL"),
    Index("devices_seen", "last_seen_at"),
)

vitals = Table(
    "vitals",
    metadata,
    Column("id", AnyText, primary_key=True),
    Column("device", AnyText, nullable=False),
    Column("at", Instant, nullable=False),
    Column("battery", Float),
    Column("strength", Float),
    Column("quality", Float),
    Column("uptime", Float),
    Column("memory", Float),
    Index("vitals_of_device", "device", "at"),
    Index("vitals_at", "at"),
)

downtimes = Table(
    "downtimes",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("began_at", Instant, nullable=False),
    Column("ended_at", Instant, nullable=False),
)

watch = Table(
    "watch",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("owner", AnyText),
    Column("lease_until", Instant),
    Column("ran_at", Instant),
    Column("wide", JsonText),
)
"""One row: which replica watches, when it last did, and the wide silence that lasts, if one does."""
