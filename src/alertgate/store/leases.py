"""Leases: which process is sending a notification, until when, and with what result.

A lease is identified by its owner *and* the time of its claim, so that a process that lost a lease doesn't end a later
one of its own by mistake.
"""

import itertools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, or_, select, true, update

from alertgate.model import ChannelName, IncidentStatus, Notification, NotificationStatus, states_before
from alertgate.store.notifications import (
    COLUMNS,
    IS_PENDING,
    IS_PRESSING,
    IS_SENDING,
    cancel_superseded,
    notification_of,
    superseded_by,
)
from alertgate.store.rows import update_rows
from alertgate.store.tables import constant, incidents, notifications

_n = notifications.c
CLOCK_SKEW = timedelta(minutes=1)
"""How far another process's clock may be ahead of ours."""
SENT_WITHIN = timedelta(seconds=10)
"""Sending starts this soon after a claim. A process that holds an older lease and isn't sending doesn't know of it."""
_CHANGED = tuple(field.name for field in fields(Notification) if field.name != "id")


_LEASE = (
    update(notifications)
    .where(_n.id.in_(bindparam("ids", expanding=True)))
    .values({name: bindparam(f"b_{name}") for name in ("status", "lease_owner", "lease_until", "claimed_at")})
)
_SENDING = select(*COLUMNS).where(_n.id.in_(bindparam("ids", expanding=True)), IS_SENDING)


@cache
def _due(*, probe: bool, pressing_only: bool) -> Select[Any]:
    """Select what may be claimed on `channel` at `now`, at most `most`."""
    is_due = _n.due_at <= bindparam("now", type_=_n.due_at.type)
    return (
        select(*COLUMNS)
        .where(
            _n.channel == bindparam("channel", type_=_n.channel.type),
            IS_PENDING,
            or_(is_due, _n.attempts > 0) if probe else is_due,
            IS_PRESSING if pressing_only else true(),
        )
        .order_by(_n.severity.desc(), _n.due_at)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)  # SQLite has one writer at a time and ignores it
    )


@dataclass(frozen=True, slots=True)
class Claim:
    """What one process claims on one channel."""

    channel: ChannelName
    limit: int
    owner: str
    now: datetime
    lease_until: datetime
    probe: bool = False
    """Also claim what waits for a retry: the channel is paused, and one notification probes it."""
    pressing_only: bool = False
    """Leave out updates that aren't critical, because the daily limit is near."""


def claim(connection: Connection, wanted: Claim) -> list[Notification]:
    """Lease what is due on a channel: most severe first, then oldest. Replicas share the work."""
    due = _due(probe=wanted.probe, pressing_only=wanted.pressing_only)
    bound = {"channel": wanted.channel, "now": wanted.now, "most": wanted.limit}
    lease: dict[str, Any] = {
        "status": NotificationStatus.SENDING,
        "lease_owner": wanted.owner,
        "lease_until": wanted.lease_until,
        "claimed_at": wanted.now,
    }
    claimed = [replace(notification_of(row), **lease) for row in connection.execute(due, bound)]
    if claimed:
        ids = [notification.id for notification in claimed]
        connection.execute(_LEASE, {"ids": ids, **{f"b_{name}": value for name, value in lease.items()}})
    return claimed


def release_expired(
    connection: Connection, now: datetime, sending_here: Collection[str], owner: str | None = None
) -> list[str]:
    """Make notifications with an expired lease pending again; return their ids.

    What this process, `owner`, is sending right now (`sending_here`) keeps its lease, however the clock jumped. What it
    claimed at least SENT_WITHIN ago and isn't sending is released: the reply to the claim's commit was lost. So is a
    claim that lies in the future, because the clock was set back.
    """
    reply_lost = and_(_n.lease_owner == owner, _n.claimed_at <= now - SENT_WITHIN)
    expired = or_(_n.lease_until <= now, reply_lost, _n.claimed_at > now + CLOCK_SKEW)
    return _release(connection, and_(expired, _n.id.not_in(sending_here)), now)


def release_owned(connection: Connection, owner: str, now: datetime) -> list[str]:
    """Make pending again what `owner` has claimed; return the ids."""
    return _release(connection, _n.lease_owner == owner, now)


def release_all(connection: Connection, now: datetime) -> list[str]:
    """Make pending again all that is claimed. Only for SQLite at start, where no other process can hold a lease."""
    return _release(connection, true(), now)


def _release(connection: Connection, which: ColumnElement[bool], now: datetime) -> list[str]:
    query = select(*COLUMNS).where(IS_SENDING, which)
    leased = [notification_of(row) for row in connection.execute(query)]
    ends = [Finish(each, NotificationStatus.PENDING, now, due_at=each.due_at, attempted=False) for each in leased]
    _end(connection, zip(ends, leased, strict=True))
    return [each.id for each in leased]


@dataclass(frozen=True, slots=True)
class Finish:
    """The end of a lease: the notification as it was leased, and its new status."""

    leased: Notification
    status: NotificationStatus
    now: datetime
    due_at: datetime | None = None
    """The time of the next attempt, if it is pending again."""
    attempted: bool = True
    told: IncidentStatus | None = None
    """The state of the incident that the message told, if it was sent."""


def finish(connection: Connection, ends: Sequence[Finish]) -> list[bool]:
    """Record the ends of leases; False for each that had already ended, which changes nothing."""
    rows = connection.execute(_SENDING, {"ids": [end.leased.id for end in ends]})
    sending = {row.id: notification_of(row) for row in rows}
    ours = [_same_lease(end.leased, sending.get(end.leased.id)) for end in ends]
    _end(connection, ((end, sending[end.leased.id]) for end in itertools.compress(ends, ours)))
    return ours


def _same_lease(leased: Notification, stored: Notification | None) -> bool:
    return stored is not None and (stored.lease_owner, stored.claimed_at) == (leased.lease_owner, leased.claimed_at)


def _end(connection: Connection, ends: Iterable[tuple[Finish, Notification]]) -> None:
    """End leases; each comes with its notification as it is stored."""
    finished = []
    for end, stored in ends:
        after = _after(connection, end, stored)
        if after.status is NotificationStatus.PENDING:
            _save(connection, [after])  # at once, so that the next one to the same contact can supersede it
        else:
            finished.append(after)
    _save(connection, finished)


def _after(connection: Connection, end: Finish, stored: Notification) -> Notification:
    """Return the notification after its lease; if it is pending again, cancel what it supersedes."""
    if stored.status not in states_before(end.status):
        raise ValueError(f"a notification can't go from {stored.status} to {end.status}")
    attempts = stored.attempts + end.attempted
    after = replace(stored, status=end.status, attempts=attempts, lease_owner=None, lease_until=None)
    if end.status is not NotificationStatus.PENDING:
        return replace(after, finished_at=end.now, told=end.told)
    if reason := _needless(connection, stored):
        return replace(after, status=NotificationStatus.CANCELLED, finished_at=end.now, reason=reason)
    cancel_superseded(connection, stored, end.now)
    return replace(after, due_at=end.due_at or stored.due_at)


def _needless(connection: Connection, stored: Notification) -> str | None:
    """Return why a notification needn't be sent any more, as a sentence, or None.

    Its incident was acknowledged since it was planned; or that is over, and a newer one with the same key is open, so
    that this one would say "over" of what is open.
    """
    own, newer = incidents.alias(), incidents.alias()
    is_newer = and_(
        newer.c.key == own.c.key, newer.c.id != own.c.id, newer.c.status != constant(IncidentStatus.RESOLVED)
    )
    query = (
        select(own.c.status, own.c.acknowledged_at, own.c.acknowledged_by, newer.c.id.label("newer_id"))
        .join_from(own, newer, is_newer, isouter=True)
        .where(own.c.id == stored.incident_id)
    )
    found = connection.execute(query).one()
    if (
        found.status is IncidentStatus.ACKNOWLEDGED
        and found.acknowledged_at
        and found.acknowledged_at >= stored.created_at
    ):
        return f"acknowledged by {found.acknowledged_by}"
    return superseded_by(found.newer_id) if found.newer_id else None


def _save(connection: Connection, changed: Sequence[Notification]) -> None:
    update_rows(connection, notifications, changed, _CHANGED)
