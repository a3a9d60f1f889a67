"""The part of the schema that is about plots."""

from sqlalchemy import Column, String, Table

from alertgate.store.column_types import Instant, JsonText
from alertgate.store.tables import metadata

hourly = Table(
    "hourly",
    metadata,
    Column("id", String(13), primary_key=True),
    Column("counts", JsonText, nullable=False),
    Column("counted_at", Instant, nullable=False),
)
"""What each hour of the last month had, as `store.hourly.Hour` says. Retention doesn't change it."""
