"""Queries on incidents."""

from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import datetime

from sqlalchemy import Connection, Row, bindparam, exists, insert, select, update

from alertgate.model import Incident, IncidentStatus, NotificationStatus
from alertgate.store.pages import Wanted, select_page
from alertgate.store.ready import ReadyQuery, ReadyWrite
from alertgate.store.tables import constant, incidents, notifications

_COLUMNS = [incidents.c[field.name] for field in fields(Incident)]
_UNRESOLVED = ReadyQuery(
    select(*_COLUMNS).where(
        incidents.c.key.in_(bindparam("these", expanding=True)), incidents.c.status != constant(IncidentStatus.RESOLVED)
    )
)
_BY_ID = ReadyQuery(select(*_COLUMNS).where(incidents.c.id.in_(bindparam("these", expanding=True))))
_INSERT = ReadyWrite(insert(incidents))
_SAVE = ReadyWrite(
    update(incidents)
    .where(incidents.c.id == bindparam("b_id"))
    .values({field.name: bindparam(f"b_{field.name}") for field in fields(Incident) if field.name != "id"})
)


_JOIN = ReadyWrite(
    update(incidents)
    .where(incidents.c.id == bindparam("b_id"))
    .values({name: bindparam(f"b_{name}") for name in ("alert_count", "last_alert_at", "severity")})
)


def _incident(row: Row[tuple[object, ...]]) -> Incident:
    return Incident(**row._asdict())


def unresolved(connection: Connection, keys: Collection[str]) -> dict[str, Incident]:
    """Return the unresolved incidents with one of these keys, by key."""
    found = (Incident(*row) for row in _UNRESOLVED.rows(connection, keys))
    return {incident.key: incident for incident in found}


def by_id(connection: Connection, ids: Collection[str]) -> dict[str, Incident]:
    """Return the incidents with these ids, by id."""
    found = (Incident(*row) for row in _BY_ID.rows(connection, ids))
    return {incident.id: incident for incident in found}


def add(connection: Connection, new: Sequence[Incident]) -> None:
    """Store new incidents. Raises IntegrityError when one with the same key is unresolved."""
    _INSERT.run(connection, new)


def save(connection: Connection, changed: Sequence[Incident]) -> None:
    """Store what became of incidents that are there already."""
    _SAVE.run(connection, changed)


def join(connection: Connection, joined: Sequence[Incident]) -> None:
    """Store that alerts joined incidents and changed nothing else of them: what isn't written touches no index."""
    _JOIN.run(connection, joined)


def get(connection: Connection, incident_id: str) -> Incident | None:
    """Return one incident, or None."""
    row = connection.execute(select(incidents).where(incidents.c.id == incident_id)).one_or_none()
    return _incident(row) if row else None


def resolve_quiet(connection: Connection, last_alert_before: datetime, now: datetime) -> list[str]:
    """Resolve every incident whose last alert is that old, in silence; return their ids.

    One that somebody is still to be told of stays open: the gate was silent about it, not the device.
    """
    coming = (NotificationStatus.PENDING, NotificationStatus.SENDING)
    waiting = exists().where(notifications.c.incident_id == incidents.c.id, notifications.c.status.in_(coming))
    statement = (
        update(incidents)
        .where(
            incidents.c.status != constant(IncidentStatus.RESOLVED),
            incidents.c.last_alert_at <= last_alert_before,
            ~waiting,
        )
        .values(status=IncidentStatus.RESOLVED, resolved_at=now, resolved_by="silence")
        .returning(incidents.c.id)
    )
    return list(connection.execute(statement).scalars())


def page(connection: Connection, wanted: Wanted, before: str | None, limit: int) -> list[Incident]:
    """Return the newest `limit` incidents that are wanted, newest first; with `before`, those older than that id."""
    return [_incident(row) for row in connection.execute(select_page(incidents, wanted, before, limit))]
