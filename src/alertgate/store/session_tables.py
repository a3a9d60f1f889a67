"""The part of the schema that is about who may look at the console."""

from sqlalchemy import Column, Index, String, Table

from alertgate.credential import Credential
from alertgate.store.column_types import AnyText, Instant
from alertgate.store.tables import enum_type, metadata

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("person", AnyText),
    Column("name", AnyText, nullable=False),
    Column("credential", enum_type(Credential), nullable=False),
    Column("token_mark", String(32)),
    Column("zone", AnyText),
    Column("agent", AnyText, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Index("sessions_hash", "hash", unique=True),
    Index("sessions_ends_at", "ends_at"),
)

sign_ins = Table(
    "sign_ins",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("person", AnyText, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Index("sign_ins_hash", "hash", unique=True),
    Index("sign_ins_ends_at", "ends_at"),
)
