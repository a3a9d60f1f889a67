"""Queries on alerts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from alertgate.model import Alert, Seen, Signal
from alertgate.store.pages import Wanted, first_id, select_page
from alertgate.store.rows import insert_rows
from alertgate.store.tables import alerts, constant

_COLUMNS = [alerts.c[field.name] for field in fields(Alert)]
_SEEN = [alerts.c[name] for name in Seen._fields]
MOST_WITH_ONE_ID = 10_000
"""How many alerts are looked through for repeats: a sender may give all its alerts one and the same id."""
_SAME_ID = (
    select(*_SEEN)
    .where(alerts.c.repeat_key.in_(bindparam("repeat_keys", expanding=True)), alerts.c.id >= bindparam("first_id"))
    .order_by(alerts.c.id.desc())
    .limit(MOST_WITH_ONE_ID)
)
_BY_ID = select(*_SEEN).where(alerts.c.id.in_(bindparam("ids", expanding=True)))
_ALL_CLEARS = (
    select(*_SEEN)
    .where(
        alerts.c.incident_key.in_(bindparam("keys", expanding=True)),
        alerts.c.incident_id.is_(None),
        alerts.c.signal == constant(Signal.RESOLVED),
        alerts.c.id >= bindparam("first_id"),
    )
    .order_by(alerts.c.id)
)
_LATEST = (
    select(*_COLUMNS)
    .where(alerts.c.incident_id == bindparam("incident_id"))
    .order_by(alerts.c.id.desc())
    .limit(bindparam("most"))
)


def _alert(values: Mapping[str, Any]) -> Alert:
    return Alert(**{**values, "errors": tuple(values["errors"])})


def with_repeat_keys(connection: Connection, repeat_keys: Collection[str], since: datetime) -> dict[str, list[Seen]]:
    """Return the alerts with one of these repeat keys that were received since then, by that key."""
    found: dict[str, list[Seen]] = {}
    if repeat_keys:
        for row in connection.execute(_SAME_ID, {"repeat_keys": list(repeat_keys), "first_id": first_id(since)}):
            found.setdefault(row.repeat_key, []).append(Seen(*row))
    return found


def seen(connection: Connection, ids: Collection[str]) -> dict[str, Seen]:
    """Return what is kept in mind of the alerts with these ids, by id."""
    return {row.id: Seen(*row) for row in connection.execute(_BY_ID, {"ids": list(ids)})} if ids else {}


def all_clears(connection: Connection, keys: Collection[str], since: datetime) -> dict[str, list[Seen]]:
    """Return the all-clears received since then that belong to no incident, oldest first, by incident key."""
    found: dict[str, list[Seen]] = {}
    for row in connection.execute(_ALL_CLEARS, {"keys": list(keys), "first_id": first_id(since)}):
        found.setdefault(row.incident_key, []).append(Seen(*row))
    return found


def add(connection: Connection, new: Sequence[Alert]) -> None:
    """Store alerts; their incidents must be stored. Raises IntegrityError for a known id."""
    insert_rows(connection, alerts, new)


def get(connection: Connection, alert_id: str) -> Alert | None:
    """Return one alert, or None."""
    row = connection.execute(select(alerts).where(alerts.c.id == alert_id)).one_or_none()
    return _alert(row._asdict()) if row else None


def newest_id(connection: Connection) -> str | None:
    """Return the id of the newest alert, or None."""
    return connection.execute(select(func.max(alerts.c.id))).scalar()


def latest(connection: Connection, incident_id: str, limit: int) -> list[Alert]:
    """Return an incident's newest alerts, newest first."""
    rows = connection.execute(_LATEST, {"incident_id": incident_id, "most": limit})
    return [_alert(row._asdict()) for row in rows]


def page(connection: Connection, wanted: Wanted, before: str | None, limit: int) -> list[Alert]:
    """Return the newest `limit` alerts that match, newest first; with `before`, those older than that id."""
    return [_alert(row._asdict()) for row in connection.execute(select_page(alerts, wanted, before, limit))]
