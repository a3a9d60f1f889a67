"""The auditor's questions: which notifications and incidents aren't where they should be."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, exists, or_, select

from alertgate.model import ChannelName, IncidentStatus, Kind, NotificationStatus, Severity
from alertgate.store.tables import constant, incidents, notifications

_n = notifications.c
MOST = 20
"""Ids that are named at the most."""


def overdue(
    connection: Connection,
    due_before: datetime,
    channels: Collection[ChannelName],
    holding_back: Collection[ChannelName],
) -> Sequence[str]:
    """Return notifications on these channels that were due before then and nobody has claimed.

    On a channel that holds updates back, only what isn't held back counts.
    """
    goes_now = or_(_n.channel.not_in(holding_back), _n.kind == Kind.OPENING, _n.severity == Severity.CRITICAL)
    query = (
        select(_n.id)
        .where(
            _n.status == constant(NotificationStatus.PENDING),
            _n.due_at <= due_before,
            _n.channel.in_(channels),
            goes_now,
        )
        .limit(MOST)
    )
    return connection.execute(query).scalars().all()


def expired(connection: Connection, lease_before: datetime) -> Sequence[str]:
    """Return notifications whose lease ran out before then and that nobody has taken over."""
    query = (
        select(_n.id)
        .where(_n.status == constant(NotificationStatus.SENDING), _n.lease_until <= lease_before)
        .limit(MOST)
    )
    return connection.execute(query).scalars().all()


def untold(connection: Connection, opened_before: datetime) -> Sequence[str]:
    """Return open incidents from before then of which nobody was told or will be."""
    alive = (NotificationStatus.PENDING, NotificationStatus.SENDING, NotificationStatus.SENT)
    told = exists().where(_n.incident_id == incidents.c.id, _n.status.in_(alive))
    query = (
        select(incidents.c.id)
        .where(incidents.c.status == constant(IncidentStatus.OPEN), incidents.c.opened_at <= opened_before, ~told)
        .limit(MOST)
    )
    return connection.execute(query).scalars().all()
