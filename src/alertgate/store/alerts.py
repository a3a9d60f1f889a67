"""Queries on alerts."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, Row, bindparam, func, insert, select

from alertgate.model import Alert
from alertgate.store.pages import Wanted, select_page
from alertgate.store.tables import alerts, columns

# Statements on the path of every request are built once: building one costs as much as running it.
_KNOWN = select(alerts).where(alerts.c.dedup.in_(bindparam("dedups", expanding=True)))
_INSERT = insert(alerts)


def _alert(row: Row[tuple[object, ...]]) -> Alert:
    values = row._asdict()
    return Alert(**{**values, "errors": tuple(values["errors"])})


def known(connection: Connection, dedups: Collection[str]) -> dict[str, Alert]:
    """Return the stored alerts with one of these dedup keys, by key."""
    rows = connection.execute(_KNOWN, {"dedups": list(dedups)}) if dedups else ()
    return {str(row.dedup): _alert(row) for row in rows}


def add(connection: Connection, new: Sequence[Alert]) -> None:
    """Store alerts; their incidents must be there. Raises IntegrityError for a known id or dedup key."""
    if new:
        connection.execute(_INSERT, [columns(alert) for alert in new])


def get(connection: Connection, alert_id: str) -> Alert | None:
    """Return one alert, or None."""
    row = connection.execute(select(alerts).where(alerts.c.id == alert_id)).one_or_none()
    return _alert(row) if row else None


def newest_id(connection: Connection) -> str | None:
    """Return the id of the newest alert, or None."""
    return connection.execute(select(func.max(alerts.c.id))).scalar()


def latest(connection: Connection, incident_id: str, limit: int) -> list[Alert]:
    """Return an incident's newest alerts, newest first."""
    query = select(alerts).where(alerts.c.incident_id == incident_id).order_by(alerts.c.id.desc()).limit(limit)
    return [_alert(row) for row in connection.execute(query)]


def page(connection: Connection, wanted: Wanted, before: str | None, limit: int) -> list[Alert]:
    """Return the newest `limit` alerts that are wanted, newest first; with `before`, those older than that id."""
    return [_alert(row) for row in connection.execute(select_page(alerts, wanted, before, limit))]
