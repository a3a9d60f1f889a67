"""Queries on alerts."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CompoundSelect, Connection, and_, bindparam, func, select

from alertgate.model import Alert, Signal
from alertgate.seen import Seen
from alertgate.store.column_types import AnyText, Instant
from alertgate.store.lookups import Row, find_ids, first_of_each, newest_of, number_at, text_at
from alertgate.store.pages import Wanted, first_id, select_page
from alertgate.store.rows import insert_rows, portions
from alertgate.store.tables import BELIEVABLE, alerts, constant

_COLUMNS = [alerts.c[field.name] for field in fields(Alert)]
_SEEN = [alerts.c[name] for name in Seen._fields]
_SAME_EVENT = (
    select(alerts.c.id)
    .where(alerts.c.repeat_key == text_at(0), alerts.c.content == text_at(1))
    .order_by(alerts.c.published_at.desc(), alerts.c.id.desc())
)
_SAME_ID = first_of_each(
    newest_of(alerts.c.repeat_key, alerts.c.id),
    _SAME_EVENT.where(alerts.c.published_at.is_(None)),
    _SAME_EVENT.where(alerts.c.published_at.between(number_at(2), number_at(2))),
    _SAME_EVENT.where(alerts.c.published_at.between(number_at(3), number_at(4))),
)
_BY_ID = select(*_SEEN).where(alerts.c.id.in_(bindparam("ids", expanding=True)))
_IS_UNHEEDED = and_(alerts.c.incident_id.is_(None), alerts.c.signal == constant(Signal.RESOLVED))
_ALL_CLEARS = first_of_each(
    newest_of(alerts.c.incident_key, alerts.c.id).where(_IS_UNHEEDED),
    select(alerts.c.id)
    .where(
        alerts.c.incident_key == text_at(0),
        _IS_UNHEEDED,
        BELIEVABLE,
        alerts.c.published_at > bindparam("since", type_=alerts.c.published_at.type),
    )
    .order_by(alerts.c.published_at.desc()),
)
_LATEST = (
    select(*_COLUMNS)
    .where(alerts.c.incident_id == bindparam("incident_id"))
    .order_by(alerts.c.id.desc())
    .limit(bindparam("most"))
)
_OF_IDS = select(*_COLUMNS).where(alerts.c.id.in_(bindparam("ids", expanding=True)))
_FIRST = select(*_COLUMNS).where(alerts.c.incident_id == bindparam("incident_id")).order_by(alerts.c.id).limit(1)


def _alert(values: Mapping[str, Any]) -> Alert:
    return Alert(**{**values, "errors": tuple(values["errors"])})


def with_same_id(connection: Connection, new: Iterable[Alert], since: datetime) -> dict[str, list[Seen]]:
    """Return what new alerts may repeat by their ids, of what was received since then: newest first, by repeat key.

    For each alert that is four at most, however many have its key: the newest, and of those with the same content the
    newest without a time of publication, and the newest with the same one in all of its digits or in its seconds alone.
    """
    rows = {_sought(alert, alert.repeat_key) for alert in new if alert.repeat_key}
    return _grouped(connection, _SAME_ID, rows, "repeat_key", since) if rows else {}


def _sought(alert: Alert, repeat_key: str) -> Row:
    """Return what a stored alert with the same id and content may have as its time of publication."""
    same = (AnyText.to_database(repeat_key), alert.content)
    at = alert.published_at
    if at is None:
        return (*same, None, None, None)
    second = at.replace(microsecond=0)
    # In its digits: one that was sent without milliseconds may be any of its second.
    first = at.replace(microsecond=at.microsecond // 1000 * 1000)
    last = first + timedelta(microseconds=999 if at.microsecond else 999_999)
    return (*same, *map(Instant.to_database, (second, first, last)))


def seen(connection: Connection, ids: Collection[str]) -> dict[str, Seen]:
    """Return what is kept in mind of the alerts with these ids, by id."""
    return {row.id: Seen(*row) for row in connection.execute(_BY_ID, {"ids": list(ids)}).all()} if ids else {}


def all_clears(connection: Connection, keys: Collection[str], since: datetime) -> dict[str, list[Seen]]:
    """Return the all-clears received since then that belong to no incident, newest first, by incident key.

    For each key they are two at most: the one that was received last, and of those that were published since then the
    one that was published last, unless that is later than its receipt.
    """
    rows = [(AnyText.to_database(key),) for key in keys]
    return _grouped(connection, _ALL_CLEARS, rows, "incident_key", since)


def _grouped(
    connection: Connection, query: CompoundSelect[str], rows: Collection[Row], by: str, since: datetime
) -> dict[str, list[Seen]]:
    """Return the alerts that a query of `first_of_each` finds, if they were received since then, newest first."""
    first = first_id(since)
    ids = {each for each in find_ids(connection, query, rows, since=since) if each >= first}
    found: dict[str, list[Seen]] = {}
    for each in sorted(seen(connection, ids).values(), reverse=True):  # by their ids
        found.setdefault(getattr(each, by), []).append(each)
    return found


def add(connection: Connection, new: Sequence[Alert]) -> None:
    """Store alerts; their incidents must be stored. Raises IntegrityError for a known id."""
    insert_rows(connection, alerts, new)


def get(connection: Connection, alert_id: str) -> Alert | None:
    """Return one alert, or None."""
    row = connection.execute(select(alerts).where(alerts.c.id == alert_id)).one_or_none()
    return _alert(row._asdict()) if row else None


def by_id(connection: Connection, ids: Collection[str]) -> dict[str, Alert]:
    """Return the alerts with these ids, by id."""
    rows = (row for some in portions(ids) for row in connection.execute(_OF_IDS, {"ids": some}))
    return {row.id: _alert(row._asdict()) for row in rows}


def newest_id(connection: Connection) -> str | None:
    """Return the id of the newest alert, or None."""
    return connection.execute(select(func.max(alerts.c.id))).scalar()


def latest(connection: Connection, incident_id: str, limit: int) -> list[Alert]:
    """Return an incident's newest alerts, newest first."""
    rows = connection.execute(_LATEST, {"incident_id": incident_id, "most": limit})
    return [_alert(row._asdict()) for row in rows]


def first(connection: Connection, incident_id: str) -> Alert | None:
    """Return an incident's first alert, or None."""
    row = connection.execute(_FIRST, {"incident_id": incident_id}).one_or_none()
    return _alert(row._asdict()) if row else None


def page(connection: Connection, wanted: Wanted, before: str | None, limit: int) -> Iterator[Alert]:
    """Yield the newest `limit` alerts that match, newest first; with `before`, those older than that id."""
    return (_alert(row._asdict()) for row in connection.execute(select_page(alerts, wanted, before, limit)))
