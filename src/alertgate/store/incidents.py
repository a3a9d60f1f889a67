"""Queries on incidents."""

from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import datetime

from sqlalchemy import Connection, Row, bindparam, exists, insert, select, update

from alertgate.model import Incident, IncidentStatus, NotificationStatus
from alertgate.store.pages import Wanted, select_page
from alertgate.store.tables import columns, constant, incidents, notifications

# Statements on the path of every request are built once: building one costs as much as running it.
_UNRESOLVED = select(incidents).where(
    incidents.c.key.in_(bindparam("keys", expanding=True)), incidents.c.status != constant(IncidentStatus.RESOLVED)
)
_INSERT = insert(incidents)
_SAVE = (
    update(incidents)
    .where(incidents.c.id == bindparam("b_id"))
    .values({field.name: bindparam(f"b_{field.name}") for field in fields(Incident) if field.name != "id"})
)


def _incident(row: Row[tuple[object, ...]]) -> Incident:
    return Incident(**row._asdict())


def unresolved(connection: Connection, keys: Collection[str]) -> dict[str, Incident]:
    """Return the unresolved incidents with one of these keys, by key."""
    found = connection.execute(_UNRESOLVED, {"keys": list(keys)})
    return {incident.key: incident for incident in map(_incident, found)}


def add(connection: Connection, new: Sequence[Incident]) -> None:
    """Store new incidents. Raises IntegrityError when one with the same key is unresolved."""
    if new:
        connection.execute(_INSERT, [columns(incident) for incident in new])


def save(connection: Connection, changed: Sequence[Incident]) -> None:
    """Store what became of incidents that are there already."""
    if changed:
        connection.execute(_SAVE, [{f"b_{name}": value for name, value in columns(i).items()} for i in changed])


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
