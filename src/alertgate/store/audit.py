"""Queries of the audit: notifications and incidents that make no progress."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, case, exists, literal, or_, select

from alertgate.model import ChannelName, IncidentStatus, NotificationStatus, Resolution, Severity, Source
from alertgate.store.claims import WAITS_FOR_ITS_CHANNEL
from alertgate.store.notifications import IS_OUTSTANDING
from alertgate.store.rows import portions
from alertgate.store.tables import constant, escalations, incidents, notifications

_n = notifications.c
MOST = 20
"""Ids that each query returns at most."""


@dataclass(frozen=True, slots=True)
class MayWait:
    """How long notifications may wait without being stuck."""

    held: Collection[ChannelName]
    """Channels on which the daily limit holds back what isn't critical."""
    stopped: Collection[ChannelName]
    """Channels on which it holds back everything."""
    critical_since: datetime
    """A contact to whom something was claimed since then may be in a flood: what is critical waits for its digest."""
    others_since: datetime
    """The same for what isn't critical."""


def overdue(
    connection: Connection, due_before: datetime, channels: Collection[ChannelName], waits: MayWait
) -> Sequence[str]:
    """Return notifications on these channels that were due at `due_before`, aren't claimed, and aren't held back."""
    is_critical = _n.severity == Severity.CRITICAL
    since = case(
        (is_critical, literal(waits.critical_since, _n.claimed_at.type)),
        else_=literal(waits.others_since, _n.claimed_at.type),
    )
    lately = notifications.alias().c
    in_a_flood = exists().where(
        lately.channel == _n.channel,
        lately.address == _n.address,
        lately.claimed_at.is_not(None),
        lately.claimed_at > since,
    )
    query = (
        select(_n.id)
        .join_from(notifications, incidents)
        .where(
            _n.status == constant(NotificationStatus.PENDING),
            _n.due_at <= due_before,
            _n.channel.in_(set(channels) - set(waits.stopped)),
            or_(is_critical, _n.channel.not_in(waits.held)),
            ~in_a_flood,
            ~WAITS_FOR_ITS_CHANNEL,
        )
        .order_by(_n.severity.desc())
        .limit(MOST)
    )
    return connection.execute(query).scalars().all()


def expired(connection: Connection, lease_before: datetime) -> Sequence[str]:
    """Return notifications whose lease expired at `lease_before` or earlier and wasn't released."""
    query = (
        select(_n.id)
        .where(_n.status == constant(NotificationStatus.SENDING), _n.lease_until <= lease_before)
        .order_by(_n.severity.desc())
        .limit(MOST)
    )
    return connection.execute(query).scalars().all()


def untold(connection: Connection, before: datetime) -> Sequence[str]:
    """Return incidents about which nobody was or will be notified, and of which no person is known to know.

    They have been open since `before` or earlier, and no escalation will tell anybody; or they ended without a person's
    act, and a failure is outstanding.
    """
    # What was given up on and is being sent now has a time of failure: while its channel is away that is only a probe.
    is_sending = and_(_n.status == NotificationStatus.SENDING, _n.finished_at.is_(None))
    told = or_(is_sending, _n.status.in_((NotificationStatus.PENDING, NotificationStatus.SENT)))
    somebody_knows = exists().where(_n.incident_id == incidents.c.id, or_(told, _n.dismissed_at.is_not(None)))
    waits = exists().where(escalations.c.incident_id == incidents.c.id, escalations.c.next_at.is_not(None))
    still_open = (incidents.c.status == constant(IncidentStatus.OPEN), incidents.c.opened_at <= before, ~waits)
    ended_unseen = (
        incidents.c.id.in_(select(_n.incident_id).where(IS_OUTSTANDING)),
        incidents.c.status == constant(IncidentStatus.RESOLVED),
        incidents.c.acknowledged_at.is_(None),
        incidents.c.resolution != Resolution.PERSON,
    )
    found: list[str] = []
    for which in (still_open, ended_unseen):  # each has its own index
        query = select(incidents.c.id).where(*which, ~somebody_knows).order_by(incidents.c.severity.desc())
        found += connection.execute(query.limit(MOST - len(found))).scalars()
    return found


def concern(connection: Connection, ids: Collection[str]) -> dict[str, Severity]:
    """Return the severity of each of these notifications or incidents that isn't about alertgate itself.

    Nor about outstanding failures, of which another own incident tells: one cause isn't told twice.
    """
    not_own = incidents.c.source != constant(Source.ALERTGATE)
    is_told = exists().where(_n.incident_id == incidents.c.id, IS_OUTSTANDING)
    found: dict[str, Severity] = {}
    for some in portions(ids):
        of_notifications = select(_n.id, _n.severity).join_from(notifications, incidents).where(_n.id.in_(some))
        of_incidents = select(incidents.c.id, incidents.c.severity).where(incidents.c.id.in_(some), ~is_told)
        for query in (of_notifications, of_incidents):
            found |= {row.id: row.severity for row in connection.execute(query.where(not_own))}
    return found
