"""The part of the schema that is about devices."""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, String, Table

from alertgate.device import DeviceState
from alertgate.store.column_types import AnyText, Instant, JsonText, Times
from alertgate.store.tables import enum_type, metadata, partial_index

LOW = "(battery_low OR battery < 20)"
"""A battery of which an incident says that it is low, or that is low by itself, whatever is expected of it. Migration
0015 has the same text in an index."""

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
    Column("state", enum_type(DeviceState), nullable=False),
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
    Column("vitals_at", Instant),
    Column("outages", Times),
    Column("resets", Times),
    Column("gaps", JsonText),
    Column("vitals", JsonText),  # large, and so the last: SQLite needn't read its pages for the others
    partial_index("devices_due", "due_at", where="due_at IS NOT NULL"),
    partial_index("devices_overdue", "state", where="state IN ('late', 'silent')"),
    partial_index("devices_watched", "last_seen_at", where="watched_since IS NOT NULL"),
    Index("devices_seen", "last_seen_at"),
    Index("devices_state", "state", "id"),
    partial_index("devices_offline", "id", where="offline_at IS NOT NULL"),
    partial_index("devices_low", "id", where=LOW),
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
    Column("id", String(36), primary_key=True),
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
