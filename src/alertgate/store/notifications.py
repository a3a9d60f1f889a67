"""Queries on notifications and their attempts."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, func, insert, select, true, update

from alertgate.model import (
    Attempt,
    ChannelName,
    Heard,
    Notification,
    NotificationStatus,
    Severity,
    Target,
    states_before,
)
from alertgate.store.tables import attempts, notifications

_n = notifications.c


def _notification(row: Row[tuple[object, ...]]) -> Notification:
    return Notification(**row._asdict())


def heard(connection: Connection, incident_ids: Collection[str]) -> dict[tuple[str, Target], Heard]:
    """Return, for each incident and each address that was ever planned for it, what it has heard."""
    if not incident_ids:
        return {}
    pending, sending, sent = NotificationStatus.PENDING, NotificationStatus.SENDING, NotificationStatus.SENT
    told_at = case((_n.status == sent, _n.finished_at), (_n.status == sending, _n.due_at))
    query = (
        select(
            _n.incident_id,
            _n.channel,
            _n.address,
            func.max(case((_n.status == pending, _n.id))).label("pending_id"),
            func.max(case((_n.status == pending, _n.attempts), else_=0)).label("pending_tries"),
            func.max(told_at).label("told_at"),
        )
        .where(_n.incident_id.in_(incident_ids))
        .group_by(_n.incident_id, _n.channel, _n.address)
    )
    return {
        (row.incident_id, (row.channel, row.address)): Heard(row.pending_id, row.pending_tries, row.told_at)
        for row in connection.execute(query)
    }


def add(connection: Connection, new: Sequence[Notification]) -> None:
    """Store new notifications. Raises IntegrityError where one is pending for the same incident and address."""
    if new:
        connection.execute(insert(notifications), [asdict(notification) for notification in new])


@dataclass(frozen=True, slots=True)
class Raise:
    """A pending notification that has become more pressing."""

    id: str
    severity: Severity
    due_at: datetime | None = None
    """When to try it now; None leaves the time as it is."""


def hurry(connection: Connection, raises: Sequence[Raise]) -> None:
    """Give pending notifications a new severity and, where one is given, an earlier time."""
    for raise_ in raises:
        values: dict[str, Any] = {"severity": raise_.severity}
        if raise_.due_at:
            values["due_at"] = raise_.due_at
        connection.execute(
            update(notifications).where(_n.id == raise_.id, _n.status == NotificationStatus.PENDING).values(**values)
        )


def claim(
    connection: Connection, channel: ChannelName, limit: int, *, owner: str, now: datetime, lease_until: datetime
) -> list[Notification]:
    """Lease what is due on a channel to `owner`: most severe first, then oldest. Replicas share the work."""
    due = (
        select(notifications)
        .where(_n.channel == channel, _n.status == NotificationStatus.PENDING, _n.due_at <= now)
        .order_by(_n.severity.desc(), _n.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)  # SQLite, with its one writer, has nothing to skip and ignores it
    )
    lease: dict[str, Any] = {
        "status": NotificationStatus.SENDING,
        "lease_owner": owner,
        "lease_until": lease_until,
    }
    claimed = [replace(_notification(row), **lease) for row in connection.execute(due)]
    if claimed:
        ids = [notification.id for notification in claimed]
        connection.execute(update(notifications).where(_n.id.in_(ids)).values(**lease))
    return claimed


def release_expired(connection: Connection, now: datetime) -> list[str]:
    """Make pending again what a process leased and didn't finish in time; return the ids."""
    return _release(connection, _n.lease_until <= now, now)


def release_owned(connection: Connection, owner: str, now: datetime) -> list[str]:
    """Make pending again what `owner` has leased; return the ids."""
    return _release(connection, _n.lease_owner == owner, now)


def release_all(connection: Connection, now: datetime) -> list[str]:
    """Make pending again all that is leased: right where no other process can hold a lease, on SQLite at start."""
    return _release(connection, true(), now)


def _release(connection: Connection, which: ColumnElement[bool], now: datetime) -> list[str]:
    query = select(notifications).where(_n.status == NotificationStatus.SENDING, which)
    leased = [_notification(row) for row in connection.execute(query)]
    for each in leased:
        _end(connection, each, Finish(each.id, "", NotificationStatus.PENDING, now, due_at=each.due_at, tried=False))
    return [each.id for each in leased]


@dataclass(frozen=True, slots=True)
class Finish:
    """What becomes of a leased notification."""

    id: str
    owner: str
    status: NotificationStatus
    now: datetime
    due_at: datetime | None = None
    """When it is tried again, if it is pending again."""
    tried: bool = True


def finish(connection: Connection, end: Finish) -> bool:
    """Record the end of a lease; False where it was no longer the owner's, and nothing was changed."""
    row = connection.execute(
        select(notifications).where(
            _n.id == end.id, _n.status == NotificationStatus.SENDING, _n.lease_owner == end.owner
        )
    ).one_or_none()
    if row is None:
        return False
    _end(connection, _notification(row), end)
    return True


def _end(connection: Connection, leased: Notification, end: Finish) -> None:
    if leased.status not in states_before(end.status):
        raise ValueError(f"a notification can't go from {leased.status} to {end.status}")
    values: dict[str, Any] = {"status": end.status, "lease_owner": None, "lease_until": None}
    values["attempts"] = leased.attempts + end.tried
    if end.status is NotificationStatus.PENDING:
        _give_way(connection, leased, end.now)
        values["due_at"] = end.due_at
    else:
        values["finished_at"] = end.now
    connection.execute(update(notifications).where(_n.id == leased.id).values(**values))


def _give_way(connection: Connection, returning: Notification, now: datetime) -> None:
    """Cancel the message that was planned meanwhile: the returning one is rendered anew and says it all."""
    connection.execute(
        update(notifications)
        .where(
            _n.incident_id == returning.incident_id,
            _n.channel == returning.channel,
            _n.address == returning.address,
            _n.status == NotificationStatus.PENDING,
        )
        .values(
            status=NotificationStatus.CANCELLED,
            finished_at=now,
            reason=f"said by {returning.id}, which is tried again",
        )
    )


def add_attempts(connection: Connection, new: Sequence[Attempt]) -> None:
    """Store attempts."""
    if new:
        connection.execute(insert(attempts), [asdict(attempt) for attempt in new])


def of_incident(connection: Connection, incident_id: str) -> list[Notification]:
    """Return an incident's notifications, oldest first."""
    query = select(notifications).where(_n.incident_id == incident_id).order_by(_n.id)
    return [_notification(row) for row in connection.execute(query)]


def attempts_of(connection: Connection, notification_ids: Collection[str]) -> list[Attempt]:
    """Return the attempts of these notifications, oldest first."""
    query = select(attempts).where(attempts.c.notification_id.in_(notification_ids)).order_by(attempts.c.id)
    return [Attempt(**row._asdict()) for row in connection.execute(query)] if notification_ids else []


def next_due(connection: Connection) -> datetime | None:
    """Return when the next pending notification is due, or None."""
    return connection.execute(select(func.min(_n.due_at)).where(_n.status == NotificationStatus.PENDING)).scalar()
