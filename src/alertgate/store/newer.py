"""What is left to be said of an incident that is over, while the same thing fires again as a newer incident.

Sent after the news of the newer one it would say "over" of what is open. So it is cancelled to each contact that hears
of the newer one, which says what wasn't told before; to others, whom that doesn't concern, it is told all the same.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, FromClause, and_, bindparam, exists, func, or_, select, update

from alertgate.model import Hold, IncidentStatus, NotificationStatus
from alertgate.store.notifications import IS_PENDING, IS_RELEASED, superseded_by
from alertgate.store.rows import portions
from alertgate.store.tables import constant, incidents, notifications

_n = notifications.c
_PENDING, _SENDING, _SENT, _FAILED, _ = (constant(status) for status in NotificationStatus)
Place = tuple[str, str, str]
"""An incident, a channel and an address."""


def is_given_up(table: FromClause) -> ColumnElement[bool]:
    """Return the condition that a notification failed because its channel was away, and is told once that works.

    Unless somebody has dismissed it, or a later one counts instead.
    """
    return and_(
        table.c.status == _FAILED,
        table.c.missed_since.is_not(None),
        table.c.dismissed_at.is_(None),
        table.c.superseded_by.is_(None),
    )


def to_same_contact(one: FromClause, other: FromClause) -> ColumnElement[bool]:
    """Return the condition that two notifications are for the same channel and address."""
    return and_(one.c.channel == other.c.channel, one.c.address == other.c.address)


def _tells(table: FromClause) -> ColumnElement[bool]:
    """Return the condition that a notification was sent, or is about to be: one that is held may wait for days."""
    is_released = or_(table.c.hold.is_(None), table.c.hold == constant(Hold.DELAYED))
    return or_(table.c.status.in_([_SENDING, _SENT]), and_(table.c.status == _PENDING, is_released), is_given_up(table))


_own, _newer, _telling = incidents.alias(), incidents.alias(), notifications.alias()
IS_REPLACED = exists().where(
    _newer.c.key == incidents.c.key,
    _newer.c.id > incidents.c.id,
    _telling.c.incident_id == _newer.c.id,
    to_same_contact(_telling, notifications),
    _tells(_telling),
)
"""Whether a newer incident tells the contact of a notification. For a query of notifications with their incidents."""
_TOLD_BY_NEWER = (
    select(_own.c.id, _telling.c.channel, _telling.c.address, func.max(_newer.c.id))
    .join_from(_own, _newer, and_(_newer.c.key == _own.c.key, _newer.c.id > _own.c.id))
    .join(_telling, _telling.c.incident_id == _newer.c.id)
    .where(
        _own.c.id.in_(bindparam("ids", expanding=True)),
        _own.c.status == constant(IncidentStatus.RESOLVED),
        _tells(_telling),
    )
    .group_by(_own.c.id, _telling.c.channel, _telling.c.address)
)


def told_by_newer(connection: Connection, incident_ids: Collection[str]) -> dict[Place, str]:
    """Return which contacts of these incidents, if they are over, hear of a newer one instead, and of which."""
    rows = (row for some in portions(incident_ids) for row in connection.execute(_TOLD_BY_NEWER, {"ids": some}).all())
    return {(incident_id, channel, address): newer_id for incident_id, channel, address, newer_id in rows}


def cancel_older(connection: Connection, key: str, incident_id: str, now: datetime) -> None:
    """Cancel what is pending about older incidents with a key, to the contacts that hear of this one.

    What is held is judged at the hold's end.
    """
    older = select(incidents.c.id).where(incidents.c.key == key, incidents.c.id < incident_id)
    told = exists().where(
        _telling.c.incident_id == incident_id, to_same_contact(_telling, notifications), _tells(_telling)
    )
    cancelled = {"status": NotificationStatus.CANCELLED, "finished_at": now, "reason": superseded_by(incident_id)}
    which = (_n.incident_id.in_(older), IS_PENDING, IS_RELEASED, told)
    connection.execute(update(notifications).where(*which).values(**cancelled))
