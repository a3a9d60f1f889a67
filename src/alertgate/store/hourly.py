"""What the console's plots show, hour by hour: counted once for each hour, as a month of alerts takes long to count."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select

from alertgate.model import FIRST_NEWS, Json, NotificationStatus
from alertgate.store.hourly_tables import hourly
from alertgate.store.pages import first_id
from alertgate.store.rows import update_rows
from alertgate.store.tables import alerts, attempts, constant, notifications

HOUR = timedelta(hours=1)
MOST_FIRST = 20_000
"""First notifications of one hour whose delay is counted."""

_a, _n = alerts.c, notifications.c
_IS_SENT = _n.status == constant(NotificationStatus.SENT)


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour that was counted."""

    id: str
    """When it began, as `2026-11-25T03` in UTC."""
    counts: Json
    counted_at: datetime


def of_hours(connection: Connection, ids: Collection[str]) -> dict[str, Hour]:
    """Return the hours with these ids that were counted, by id; the ids are those of all hours of a range."""
    query = select(hourly).where(hourly.c.id.between(min(ids), max(ids)))
    return {row.id: Hour(*row) for row in connection.execute(query)}


def first_alert_at(connection: Connection) -> datetime | None:
    """Return when the oldest alert was received; None if there is none."""
    return connection.execute(select(_a.received_at).order_by(_a.received_at).limit(1)).scalar()


def save(connection: Connection, counted: Sequence[Hour], oldest: str) -> None:
    """Store hours, counted for the first time or again, and delete those before the oldest one."""
    update_rows(connection, hourly, counted, ("counts", "counted_at"))
    connection.execute(delete(hourly).where(hourly.c.id < oldest))


def by_severity(connection: Connection, begins: datetime) -> dict[str, int]:
    """Return how many alerts an hour had, by severity; by an index alone."""
    query = select(_a.severity, func.count()).where(_a.received_at >= begins, _a.received_at < begins + HOUR)
    return {str(severity): number for severity, number in connection.execute(query.group_by(_a.severity))}


def by_outcome(connection: Connection, begins: datetime) -> dict[str, dict[str, int]]:
    """Return how many attempts an hour had, by channel and outcome. An id says when its attempt began."""
    of_hour = (attempts.c.id >= first_id(begins), attempts.c.id < first_id(begins + HOUR))
    query = select(_n.channel, attempts.c.outcome, func.count()).join_from(attempts, notifications).where(*of_hour)
    found: dict[str, dict[str, int]] = {}
    for channel, outcome, number in connection.execute(query.group_by(_n.channel, attempts.c.outcome)):
        found.setdefault(str(channel), {})[outcome] = number
    return found


def first_delays(connection: Connection, begins: datetime) -> list[timedelta]:
    """Return how long the first notification of each incident took that was sent in an hour.

    It counts from when it was planned, which an alert does as it is stored, or from the end of its last hold: what
    alertgate.toml waits for on purpose is no delay.
    """
    of_hour = (_IS_SENT, _n.finished_at >= begins, _n.finished_at < begins + HOUR)
    earlier = notifications.alias()
    before = (
        select(earlier.c.id)
        .where(
            earlier.c.incident_id == _n.incident_id,
            earlier.c.status == constant(NotificationStatus.SENT),
            earlier.c.finished_at < begins,
        )
        .exists()
    )
    query = (
        select(_n.incident_id, _n.finished_at, func.coalesce(_n.released_at, _n.created_at, type_=_n.created_at.type))
        .where(*of_hour, _n.kind.in_([constant(kind) for kind in sorted(FIRST_NEWS)]), ~before)
        .order_by(_n.finished_at)
        .limit(MOST_FIRST)
    )
    first: dict[str, timedelta] = {}
    for incident, finished, planned in connection.execute(query):
        first.setdefault(incident, max(finished - planned, timedelta(0)))
    return list(first.values())
