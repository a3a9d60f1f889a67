"""Pages of the lists of alerts and incidents: newest first, by id."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Select, Table, select

from alertgate.model import AlertStatus, IncidentStatus, Severity, Source
from alertgate.uuid7 import uuid7

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters of a list; None means any.

    `since` (inclusive) and `until` (exclusive) limit when an alert was received or an incident was opened.
    """

    device: str | None = None
    event: str | None = None
    severity: Severity | None = None
    status: AlertStatus | IncidentStatus | None = None
    source: Source | None = None
    since: datetime | None = None
    until: datetime | None = None


def select_page(table: Table, wanted: Wanted, before: str | None, limit: int) -> Select[tuple[object, ...]]:
    """Return the query for one page of `table`, alerts or incidents.

    An id contains the time at which its alert was received or its incident opened, and sorts by it. So the index on
    ids also finds times, and rows that arrive between two pages change neither.
    """
    columns = table.c
    equal = ((name, getattr(wanted, name)) for name in ("device", "event", "severity", "status", "source"))
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
