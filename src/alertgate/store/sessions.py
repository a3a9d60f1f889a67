"""Queries on the sessions of the console."""

from collections.abc import Collection
from dataclasses import fields
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select

from alertgate.session import Session
from alertgate.store.rows import insert_rows
from alertgate.store.session_tables import sessions

_s = sessions.c
_COLUMNS = [_s[field.name] for field in fields(Session)]
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


def end(connection: Connection, session_id: str) -> bool:
    """End a session; return whether it was there."""
    return bool(connection.execute(delete(sessions).where(_s.id == session_id)).rowcount)
