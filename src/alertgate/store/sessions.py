"""Queries on the sessions of the console, and on the links that begin one."""

from collections.abc import Collection
from dataclasses import fields
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, or_, select, update

from alertgate.session import Session, SignIn
from alertgate.store.rows import insert_rows
from alertgate.store.session_tables import sessions, sign_ins

_s, _l = sessions.c, sign_ins.c
_COLUMNS = [_s[field.name] for field in fields(Session)]
_LINK_COLUMNS = [_l[field.name] for field in fields(SignIn)]
_LASTING = select(*_COLUMNS).where(_s.hash == bindparam("hash"), _s.ends_at > bindparam("now", type_=_s.ends_at.type))


def add(connection: Connection, new: Session) -> None:
    """Store a new session."""
    insert_rows(connection, sessions, [new])


def find(connection: Connection, hash_: str, now: datetime) -> Session | None:
    """Return the session of a cookie with this hash, if there is one that lasts."""
    row = connection.execute(_LASTING, {"hash": hash_, "now": now}).one_or_none()
    return Session(*row) if row else None


def lasting(connection: Connection, ids: Collection[str], now: datetime) -> set[str]:
    """Return which of these sessions last."""
    query = select(_s.id).where(_s.id.in_(ids), _s.ends_at > now)
    return set(connection.execute(query).scalars())


def see(connection: Connection, session_id: str, now: datetime) -> None:
    """Note that a session is used."""
    connection.execute(update(sessions).where(_s.id == session_id, _s.seen_at < now).values(seen_at=now))


def page(
    connection: Connection,
    now: datetime,
    people: Collection[str],
    token_marks: Collection[str],
    before: str | None,
    limit: int,
) -> list[Session]:
    """Return the newest `limit` sessions that last and that `people` or these tokens began, newest first.

    With `before`, those older than that id.
    """
    query = select(*_COLUMNS).where(_s.ends_at > now, _counts(people, token_marks)).order_by(_s.id.desc()).limit(limit)
    if before:
        query = query.where(_s.id < before)
    return [Session(*row) for row in connection.execute(query)]


def end(connection: Connection, session_id: str, person: str | None = None) -> bool:
    """End a session, with `person` only one of theirs; return whether there was one."""
    return bool(connection.execute(delete(sessions).where(_s.id == session_id, *_of(person))).rowcount)


def end_by_hash(connection: Connection, hash_: str) -> None:
    """End the session of a cookie with this hash, if there is one."""
    connection.execute(delete(sessions).where(_s.hash == hash_))


def end_all(connection: Connection, person: str | None = None) -> int:
    """End all sessions, and links that would begin one; with `person` only theirs. Return how many sessions."""
    connection.execute(delete(sign_ins).where(*((_l.person == person,) if person is not None else ())))
    return connection.execute(delete(sessions).where(*_of(person))).rowcount


def delete_over(connection: Connection, now: datetime, people: Collection[str]) -> int:
    """Delete the sessions and links that are over, and those of persons who aren't among `people`; return how many."""
    gone = and_(_s.person.is_not(None), _s.person.not_in(list(people)))
    over = connection.execute(delete(sessions).where(or_(_s.ends_at <= now, gone))).rowcount
    links = delete(sign_ins).where(or_(_l.ends_at <= now, _l.person.not_in(list(people))))
    return over + connection.execute(links).rowcount


def add_link(connection: Connection, new: SignIn) -> None:
    """Store a new link."""
    insert_rows(connection, sign_ins, [new])


def find_link(connection: Connection, hash_: str, now: datetime) -> SignIn | None:
    """Return the link of a token with this hash, if there is one that still counts."""
    row = connection.execute(select(*_LINK_COLUMNS).where(_l.hash == hash_, _l.ends_at > now)).one_or_none()
    return SignIn(*row) if row else None


def use_up(connection: Connection, link_id: str) -> bool:
    """Delete a link that is used; return whether it was still there: it counts once."""
    return bool(connection.execute(delete(sign_ins).where(_l.id == link_id)).rowcount)


def _of(person: str | None) -> tuple[ColumnElement[bool], ...]:
    return (_s.person == person,) if person is not None else ()


def _counts(people: Collection[str], token_marks: Collection[str]) -> ColumnElement[bool]:
    """Return the condition that what began a session still counts, as `Session.counts` says it."""
    by_token = and_(_s.person.is_(None), _s.token_mark.in_(list(token_marks)))
    return or_(by_token, _s.person.in_(list(people)))
