"""Queries on alerts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, literal_column, select

from alertgate.model import Alert
from alertgate.store.pages import Wanted, select_page
from alertgate.store.ready import ReadyQuery, ReadyWrite
from alertgate.store.tables import alerts

_KNOWN = ReadyQuery(
    select(alerts.c.dedup, alerts.c.id, alerts.c.incident_id).where(
        alerts.c.dedup.in_(bindparam("these", expanding=True))
    )
)
_INSERT = ReadyWrite(insert(alerts))
_FIELDS = [field.name for field in fields(Alert)]


class Known(NamedTuple):
    """An alert that is stored already."""

    id: str
    incident_id: str | None


def _alert(values: Mapping[str, Any]) -> Alert:
    return Alert(**{**values, "errors": tuple(values["errors"])})


def known(connection: Connection, dedups: Collection[str]) -> dict[str, Known]:
    """Return the stored alerts with one of these dedup keys, by key."""
    return {dedup: Known(id_, incident_id) for dedup, id_, incident_id in _KNOWN.rows(connection, dedups)}


def add(connection: Connection, new: Sequence[Alert]) -> None:
    """Store alerts; their incidents must be there. Raises IntegrityError for a known id or dedup key."""
    _INSERT.run(connection, new)


def get(connection: Connection, alert_id: str) -> Alert | None:
    """Return one alert, or None."""
    row = connection.execute(select(alerts).where(alerts.c.id == alert_id)).one_or_none()
    return _alert(row._asdict()) if row else None


def newest_id(connection: Connection) -> str | None:
    """Return the id of the newest alert, or None."""
    return connection.execute(select(func.max(alerts.c.id))).scalar()


def latest(connection: Connection, incident_id: str, limit: int) -> list[Alert]:
    """Return an incident's newest alerts, newest first."""
    rows = _latest(limit).rows(connection, [incident_id])
    return [_alert(dict(zip(_FIELDS, row, strict=True))) for row in rows]


@cache
def _latest(limit: int) -> ReadyQuery:
    return ReadyQuery(
        select(*(alerts.c[name] for name in _FIELDS))
        .where(alerts.c.incident_id.in_(bindparam("these", expanding=True)))
        .order_by(alerts.c.id.desc())
        .limit(literal_column(str(limit)))
        .offset(literal_column("0"))  # or SQLite gets one as a parameter
    )


def page(connection: Connection, wanted: Wanted, before: str | None, limit: int) -> list[Alert]:
    """Return the newest `limit` alerts that are wanted, newest first; with `before`, those older than that id."""
    return [_alert(row._asdict()) for row in connection.execute(select_page(alerts, wanted, before, limit))]
