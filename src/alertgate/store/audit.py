"""Queries of the audit: notifications and incidents that make no progress."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, exists, or_, select

from alertgate.model import ChannelName, IncidentStatus, Kind, NotificationStatus, Severity
from alertgate.store.tables import constant, incidents, notifications

_n = notifications.c
MOST = 20
"""Ids that each query returns at most."""


def overdue(
    connection: Connection,
    due_before: datetime,
    channels: Collection[ChannelName],
    holding_back: Collection[ChannelName],
) -> Sequence[str]:
    """Return notifications on these channels that were due at `due_before` and aren't claimed.

    On the channels in `holding_back`, updates that are held back don't count.
    """
    not_held_back = or_(_n.channel.not_in(holding_back), _n.kind == Kind.OPENING, _n.severity == Severity.CRITICAL)
    query = (
        select(_n.id)
        .where(
            _n.status == constant(NotificationStatus.PENDING),
            _n.due_at <= due_before,
            _n.channel.in_(channels),
            not_held_back,
        )
        .limit(MOST)
    )
    return connection.execute(query).scalars().all()


def expired(connection: Connection, lease_before: datetime) -> Sequence[str]:
    """Return notifications whose lease expired at `lease_before` or earlier and wasn't released."""
    query = (
        select(_n.id)
        .where(_n.status == constant(NotificationStatus.SENDING), _n.lease_until <= lease_before)
        .limit(MOST)
    )
    return connection.execute(query).scalars().all()


def untold(connection: Connection, opened_before: datetime) -> Sequence[str]:
    """Return incidents, open since `opened_before` or earlier, about which nobody was or will be notified."""
    sent_or_waiting = (NotificationStatus.PENDING, NotificationStatus.SENDING, NotificationStatus.SENT)
    told = exists().where(_n.incident_id == incidents.c.id, _n.status.in_(sent_or_waiting))
    query = (
        select(incidents.c.id)
        .where(incidents.c.status == constant(IncidentStatus.OPEN), incidents.c.opened_at <= opened_before, ~told)
        .limit(MOST)
    )
    return connection.execute(query).scalars().all()
