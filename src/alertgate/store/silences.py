"""Queries on silences."""

from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, func, not_, or_, select, update

from alertgate.credential import Credential
from alertgate.model import Hold
from alertgate.silence import Silence
from alertgate.store.incidents import Alike
from alertgate.store.notifications import IS_PENDING
from alertgate.store.rows import insert_rows
from alertgate.store.tables import constant, escalations, incidents, notifications, silences

_s, _n = silences.c, notifications.c
_NAMES = [field.name for field in fields(Silence)]
_COLUMNS = [_s[name] for name in _NAMES]


def _over_after(at: str) -> tuple[ColumnElement[bool], ...]:
    """Return the condition that a silence is over after a time, or not at all yet."""
    moment = bindparam(at, type_=_s.ends_at.type)
    return _s.ends_at > moment, or_(_s.removed_at.is_(None), _s.removed_at > moment)


_OVER_AFTER = select(*_COLUMNS).where(*_over_after("at")).order_by(_s.id)
_NOT_OVER = select(func.count()).select_from(silences).where(*_over_after("at"))
_LASTING = _NOT_OVER.where(_s.begins_at <= bindparam("at"))

_IS_OVER = not_(and_(*_over_after("at")))


def add(connection: Connection, new: Silence) -> None:
    """Store a new silence."""
    insert_rows(connection, silences, [new])


def get(connection: Connection, silence_id: str) -> Silence | None:
    """Return one silence, or None."""
    row = connection.execute(select(*_COLUMNS).where(_s.id == silence_id)).one_or_none()
    return Silence(*row) if row else None


def over_after(connection: Connection, at: datetime) -> list[Silence]:
    """Return the silences that aren't over at a time, also those that begin later, oldest first."""
    return [Silence(*row) for row in connection.execute(_OVER_AFTER, {"at": at})]


def by_link(connection: Connection, since: datetime) -> list[Silence]:
    """Return the silences that people began by link and that would have lasted until after a time, oldest first."""
    since_then = (_s.ends_at > since, _s.credential == constant(Credential.LINK))
    return [Silence(*row) for row in connection.execute(select(*_COLUMNS).where(*since_then).order_by(_s.id))]


def number_lasting(connection: Connection, now: datetime) -> int:
    """Return how many silences hold what they match now."""
    return int(connection.execute(_LASTING, {"at": now}).scalar_one())


def number_not_over(connection: Connection, now: datetime) -> int:
    """Return how many silences aren't over, also those that begin later."""
    return int(connection.execute(_NOT_OVER, {"at": now}).scalar_one())


def number_held(connection: Connection) -> int:
    """Return how many notifications silences hold; incidents that haven't spoken yet have none."""
    held = (IS_PENDING, _n.hold.is_not(None), _n.hold == constant(Hold.SILENCED))
    return connection.execute(select(func.count()).select_from(notifications).where(*held)).scalar_one()


def pending_alike(connection: Connection, *, silenced: bool) -> list[tuple[Alike, int]]:
    """Return how many notifications wait about incidents that are alike; `silenced`: only what silences hold."""
    alike = [incidents.c[name] for name in Alike._fields]
    query = select(*alike, func.count()).join_from(notifications, incidents).where(IS_PENDING).group_by(*alike)
    if silenced:
        query = query.where(_n.hold.is_not(None), _n.hold == constant(Hold.SILENCED))
    return [(Alike(*row[:-1]), row[-1]) for row in connection.execute(query)]


def over(connection: Connection, now: datetime, before: str | None, limit: int) -> list[Silence]:
    """Return the newest `limit` silences that are over, newest first; with `before`, those older than that id."""
    query = select(*_COLUMNS).where(_IS_OVER).order_by(_s.id.desc()).limit(limit)
    if before:
        query = query.where(_s.id < before)
    return [Silence(*row) for row in connection.execute(query, {"at": now})]


def page(connection: Connection, over_after: datetime | None, before: str | None, limit: int) -> list[Silence]:
    """Return the newest `limit` silences, newest first; with `before`, those older than that id.

    With `over_after`, those that aren't over at that time.
    """
    query = select(*_COLUMNS).order_by(_s.id.desc()).limit(limit)
    bound: dict[str, Any] = {}
    if over_after:
        query, bound = query.where(*_over_after("at")), {"at": over_after}
    if before:
        query = query.where(_s.id < before)
    return [Silence(*row) for row in connection.execute(query, bound)]


def extend(connection: Connection, silence_id: str, ends_at: datetime) -> None:
    """Have a silence end later."""
    connection.execute(update(silences).where(_s.id == silence_id).values(ends_at=ends_at))


def remove(connection: Connection, silence_id: str, by: str, credential: Credential, now: datetime) -> None:
    """Note who ended a silence before its end."""
    removed = update(silences).where(_s.id == silence_id, _s.removed_at.is_(None))
    connection.execute(removed.values(removed_at=now, removed_by=by, removed_with=credential))


def look_again(connection: Connection, now: datetime) -> int:
    """Have everything decided anew now that silences hold; return how many notifications and escalations that is."""
    held = (IS_PENDING, _n.hold.is_not(None), _n.hold == constant(Hold.SILENCED), _n.due_at > now)
    released = connection.execute(update(notifications).where(*held).values(due_at=now)).rowcount
    waiting = (escalations.c.next_at.is_not(None), escalations.c.next_at > now, escalations.c.reason == "silenced")
    return released + connection.execute(update(escalations).where(*waiting).values(next_at=now)).rowcount


def delete_old(connection: Connection, before: datetime) -> int:
    """Delete the silences that were over before a time; return how many."""
    return connection.execute(delete(silences).where(_s.ends_at < before)).rowcount
