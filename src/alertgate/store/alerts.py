"""Queries on alerts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from alertgate.model import Alert
from alertgate.store.pages import Wanted, select_page
from alertgate.store.rows import insert_rows
from alertgate.store.tables import alerts

_COLUMNS = [alerts.c[field.name] for field in fields(Alert)]
_KNOWN = select(alerts.c.repeat_key, alerts.c.id, alerts.c.incident_id).where(
    alerts.c.repeat_key.in_(bindparam("repeat_keys", expanding=True))
)
_LATEST = (
    select(*_COLUMNS)
    .where(alerts.c.incident_id == bindparam("incident_id"))
    .order_by(alerts.c.id.desc())
    .limit(bindparam("most"))
)


class Known(NamedTuple):
    """An alert that is already stored."""

    id: str
    incident_id: str | None


def _alert(values: Mapping[str, Any]) -> Alert:
    return Alert(**{**values, "errors": tuple(values["errors"])})


def known(connection: Connection, repeat_keys: Collection[str]) -> dict[str, Known]:
    """Return the stored alerts with one of these repeat keys, by key."""
    if not repeat_keys:
        return {}
    rows = connection.execute(_KNOWN, {"repeat_keys": list(repeat_keys)})
    return {repeat_key: Known(id_, incident_id) for repeat_key, id_, incident_id in rows}


def add(connection: Connection, new: Sequence[Alert]) -> None:
    """Store alerts; their incidents must be stored. Raises IntegrityError for a known id or repeat key."""
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
