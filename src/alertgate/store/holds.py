"""Queries on held notifications: those whose quiet hours, hours of an escalation, or silences come to their end."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, or_, select, update

from alertgate.model import ChannelName, Hold, Notification, Target
from alertgate.store.notifications import COLUMNS, IS_HELD, IS_PENDING, IS_RELEASED, notification_of
from alertgate.store.rows import portions, update_rows
from alertgate.store.tables import constant, notifications

_n = notifications.c
_CHANGED = ("status", "reason", "due_at", "hold", "released_at", "digest_id", "finished_at")


_NOW = bindparam("now", type_=_n.due_at.type)
_DUE = (
    select(*COLUMNS)
    .where(
        IS_PENDING,
        _n.hold.is_not(None),
        IS_HELD,
        _n.due_at <= _NOW,
        _n.incident_id.in_(bindparam("ids", expanding=True)),
    )
    .order_by(_n.id)
)


def due(connection: Connection, incident_ids: Collection[str], now: datetime) -> list[Notification]:
    """Return the notifications about these incidents whose hold ends now, oldest first."""
    some = portions(incident_ids)
    return [notification_of(row) for ids in some for row in connection.execute(_DUE, {"ids": ids, "now": now})]


_INCIDENTS_OF = select(_n.id, _n.incident_id).where(_n.id.in_(bindparam("ids", expanding=True)))


def incidents_of(connection: Connection, notification_ids: Collection[str]) -> dict[str, str]:
    """Return the ids of the incidents that these notifications are about, by notification."""
    some = portions(notification_ids)
    return {row[0]: row[1] for ids in some for row in connection.execute(_INCIDENTS_OF, {"ids": ids}).all()}


class Addressed(NamedTuple):
    """Whom a notification is for, and about what."""

    incident_id: str
    channel: ChannelName
    person: str | None
    via: str | None


_ADDRESSED = select(_n.id, *(_n[name] for name in Addressed._fields)).where(_n.id.in_(bindparam("ids", expanding=True)))


def addressed(connection: Connection, notification_ids: Collection[str]) -> dict[str, Addressed]:
    """Return whom these notifications are for, by notification."""
    rows = (row for ids in portions(notification_ids) for row in connection.execute(_ADDRESSED, {"ids": ids}).all())
    return {id_: Addressed(*to) for id_, *to in rows}


class Caught(NamedTuple):
    """What holds a notification that became due, until when, and by which name it is looked up then who is told."""

    until: datetime
    hold: Hold
    person: str
    via: str
    said: str
    """Why, for its trail."""


def hold(connection: Connection, notification_ids: Collection[str], by: Caught) -> int:
    """Hold those of these notifications that are pending; return how many. Each leaves its digest, as in `silence`."""
    held = {"hold": by.hold, "due_at": by.until, "digest_id": None, "person": by.person, "via": by.via}
    reason = _n.reason.concat(f"; {by.said}")
    return sum(
        connection.execute(
            update(notifications).where(_n.id.in_(ids), IS_PENDING).values(**held, reason=reason)
        ).rowcount
        for ids in portions(notification_ids)
    )


def silence(connection: Connection, notification_ids: Collection[str], until: datetime) -> int:
    """Hold those of these notifications that are pending until a silence ends; return how many.

    Each goes by itself then, or in another digest: what remains of its own digest doesn't wait for it.
    """
    held = {"hold": Hold.SILENCED, "due_at": until, "digest_id": None}
    return sum(
        connection.execute(update(notifications).where(_n.id.in_(ids), IS_PENDING).values(**held)).rowcount
        for ids in portions(notification_ids)
    )


_UNSENT_SINCE = or_(_n.claimed_at.is_(None), _n.claimed_at < _n.released_at)
_RELEASED = (
    select(*COLUMNS)
    .where(IS_PENDING, _n.hold.is_(None), _n.released_at.is_not(None), _n.digest_id.is_(None), _UNSENT_SINCE)
    .where(_n.due_at > _NOW)
    .order_by(_n.id)
)


def released(connection: Connection, now: datetime) -> list[Notification]:
    """Return what was released, by any process, and waits for the rest that goes to the same contact, oldest first."""
    return [notification_of(row) for row in connection.execute(_RELEASED, {"now": now})]


def planned(connection: Connection, targets: Collection[Target], now: datetime) -> list[Notification]:
    """Return what was planned at this moment for this moment to these contacts, by the turn of an escalation."""
    query = select(*COLUMNS).where(IS_PENDING, _n.hold.is_(None), _n.due_at == now, _n.created_at == now)
    found = map(notification_of, connection.execute(query.order_by(_n.id)))
    return [each for each in found if (each.channel, each.address) in targets]


class Going(NamedTuple):
    """A notification that goes at a time, and to which contact."""

    id: str
    channel: ChannelName
    address: str


def going_about(connection: Connection, incident_ids: Collection[str], at: Collection[datetime]) -> list[Going]:
    """Return what goes at one of these times about these incidents, oldest first.

    One act of many gives all that it tells its own time to the microsecond, also what was planned before and waited.
    """
    columns = [_n[name] for name in Going._fields]
    query = select(*columns).where(IS_PENDING, _n.hold.is_(None), _n.due_at.in_(list(at)))
    some = (query.where(_n.incident_id.in_(ids)).order_by(_n.id) for ids in portions(incident_ids))
    return [Going(*row) for each in some for row in connection.execute(each)]


def send_at(
    connection: Connection, notification_ids: Collection[str], at: datetime, digest_id: str | None = None
) -> None:
    """Have notifications that nothing holds go at a time, as one digest if it has an id."""
    for ids in portions(notification_ids):
        going = update(notifications).where(_n.id.in_(ids), IS_PENDING)
        connection.execute(going.values(due_at=at, digest_id=digest_id))


def save(connection: Connection, decided: Sequence[Notification]) -> None:
    """Store what was decided about held notifications."""
    update_rows(connection, notifications, decided, _CHANGED)


_WAITS = (IS_PENDING, IS_RELEASED, _n.channel != constant(ChannelName.OUTBOX))


def waited_for(connection: Connection, planned_before: datetime) -> set[str]:
    """Return the addresses for which something waits that nothing holds and was planned before a time.

    Those of the outbox are left out.
    """
    query = select(_n.address).where(*_WAITS, _n.created_at < planned_before)
    return set(connection.execute(query.distinct()).scalars())


def waiting_for(connection: Connection, addresses: Collection[str], planned_before: datetime) -> list[str]:
    """Return the ids of what waits for these so, oldest first."""
    query = select(_n.id).where(*_WAITS, _n.created_at < planned_before)
    found = (connection.execute(query.where(_n.address.in_(some))).scalars() for some in portions(addresses))
    return sorted(id_ for some in found for id_ in some)


def still_waiting(connection: Connection, notification_ids: Collection[str]) -> list[Notification]:
    """Return those of these that still wait; nobody sends them before this transaction has ended."""
    query = select(*COLUMNS).where(*_WAITS, _n.id.in_(notification_ids)).order_by(_n.id)
    return [notification_of(row) for row in connection.execute(query.with_for_update())]


def look_again(connection: Connection, now: datetime) -> int:
    """Have all holds decided anew now, because the policy has changed; return how many."""
    held = (IS_PENDING, _n.hold.is_not(None), IS_HELD, _n.due_at > now)
    return connection.execute(update(notifications).where(*held).values(due_at=now)).rowcount
