"""Queries on incidents."""

from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import datetime

from sqlalchemy import Connection, Row, bindparam, exists, select, update

from alertgate.model import Incident, IncidentStatus, NotificationStatus, Resolution
from alertgate.store.pages import Wanted, select_page
from alertgate.store.rows import insert_rows, update_rows
from alertgate.store.tables import constant, incidents, notifications

_COLUMNS = [incidents.c[field.name] for field in fields(Incident)]
_UNRESOLVED = select(*_COLUMNS).where(
    incidents.c.key.in_(bindparam("keys", expanding=True)), incidents.c.status != constant(IncidentStatus.RESOLVED)
)
_BY_ID = select(*_COLUMNS).where(incidents.c.id.in_(bindparam("ids", expanding=True)))
JOINED = ("alert_count", "last_alert_at", "severity")
"""The columns that a joining alert changes; no index has them, so none is rewritten."""
CHANGED = tuple(field.name for field in fields(Incident) if field.name != "id")


def _incident(row: Row[tuple[object, ...]]) -> Incident:
    return Incident(**row._asdict())


def unresolved(connection: Connection, keys: Collection[str]) -> dict[str, Incident]:
    """Return the unresolved incidents with one of these keys, by key."""
    found = (Incident(*row) for row in connection.execute(_UNRESOLVED, {"keys": list(keys)}))
    return {incident.key: incident for incident in found}


def by_id(connection: Connection, ids: Collection[str]) -> dict[str, Incident]:
    """Return the incidents with these ids, by id."""
    if not ids:
        return {}
    found = (Incident(*row) for row in connection.execute(_BY_ID, {"ids": list(ids)}))
    return {incident.id: incident for incident in found}


def add(connection: Connection, new: Sequence[Incident]) -> None:
    """Store new incidents. Raises IntegrityError when one with the same key is unresolved."""
    insert_rows(connection, incidents, new)


def save(connection: Connection, changed: Sequence[Incident]) -> None:
    """Update incidents that are already stored."""
    update_rows(connection, incidents, changed, CHANGED)


def join(connection: Connection, joined: Sequence[Incident]) -> None:
    """Update incidents that alerts joined without any other change."""
    update_rows(connection, incidents, joined, JOINED)


def get(connection: Connection, incident_id: str) -> Incident | None:
    """Return one incident, or None."""
    row = connection.execute(select(incidents).where(incidents.c.id == incident_id)).one_or_none()
    return _incident(row) if row else None


def resolve_quiet(connection: Connection, last_alert_before: datetime, now: datetime) -> list[str]:
    """Resolve every incident without an alert after `last_alert_before`; return their ids.

    An incident with a notification that isn't sent yet stays open: it must not end before people hear of it.
    """
    not_sent_yet = (NotificationStatus.PENDING, NotificationStatus.SENDING)
    waiting = exists().where(notifications.c.incident_id == incidents.c.id, notifications.c.status.in_(not_sent_yet))
    statement = (
        update(incidents)
        .where(
            incidents.c.status != constant(IncidentStatus.RESOLVED),
            incidents.c.last_alert_at <= last_alert_before,
            ~waiting,
        )
        .values(status=IncidentStatus.RESOLVED, resolved_at=now, resolution=Resolution.SILENCE)
        .returning(incidents.c.id)
    )
    return list(connection.execute(statement).scalars())


def page(connection: Connection, wanted: Wanted, before: str | None, limit: int) -> list[Incident]:
    """Return the newest `limit` incidents that match, newest first; with `before`, those older than that id."""
    return [_incident(row) for row in connection.execute(select_page(incidents, wanted, before, limit))]
