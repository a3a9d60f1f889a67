"""Pages of the lists of alerts, incidents and notifications: newest first, by id."""

from dataclasses import dataclass, fields
from datetime import UTC, datetime

from sqlalchemy import Select, Table, select

from alertgate.model import AlertStatus, ChannelName, IncidentStatus, NotificationStatus, Severity, Source
from alertgate.uuid7 import uuid7

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """Limits, inclusive and exclusive, of when an alert was received, an incident opened, or a notification planned."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted(Between):
    """The filters of a list of alerts or incidents; None means any."""

    device: str | None = None
    event: str | None = None
    severity: Severity | None = None
    status: AlertStatus | IncidentStatus | None = None
    source: Source | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedNotifications(Between):
    """The filters of a list of notifications; None means any."""

    incident_id: str | None = None
    channel: ChannelName | None = None
    severity: Severity | None = None
    status: NotificationStatus | None = None


def select_page(table: Table, wanted: Between, before: str | None, limit: int) -> Select[tuple[object, ...]]:
    """Return the query for one page of `table`.

    An id contains the time that `Between` limits, and sorts by it. So the index on ids also finds times, and rows that
    arrive between two pages change neither.
    """
    columns, limits = table.c, {field.name for field in fields(Between)}
    equal = ((field.name, getattr(wanted, field.name)) for field in fields(wanted) if field.name not in limits)
    query = select(table).where(*(columns[name] == value for name, value in equal if value is not None))
    if wanted.since:
        query = query.where(columns.id >= first_id(wanted.since))
    if wanted.until:
        query = query.where(columns.id < first_id(wanted.until))
    if before:
        query = query.where(columns.id < before)
    return query.order_by(columns.id.desc()).limit(limit)


def first_id(at: datetime) -> str:
    """Return the lowest id that can be made for a time."""
    return uuid7(max(at, _EPOCH), bytes(8))
