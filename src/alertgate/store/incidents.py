"""Queries on incidents."""

from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Row, and_, bindparam, exists, func, literal, or_, select, update

from alertgate.model import Incident, IncidentStatus, NotificationStatus, Resolution, Severity, Source
from alertgate.own_events import UNWATCHED
from alertgate.rules import GroupingRules
from alertgate.store.column_types import AnyText
from alertgate.store.lookups import find_ids, first_of_each, newest_of
from alertgate.store.pages import Wanted, first_id, select_page
from alertgate.store.rows import insert_rows, portions, update_rows
from alertgate.store.tables import constant, escalations, incidents, notifications

_COLUMNS = [incidents.c[field.name] for field in fields(Incident)]
_OF_KEYS = incidents.c.key.in_(bindparam("keys", expanding=True))
_UNRESOLVED = select(*_COLUMNS).where(_OF_KEYS, incidents.c.status != constant(IncidentStatus.RESOLVED))
_NEWEST = first_of_each(newest_of(incidents.c.key, incidents.c.id))
_OWN_UNRESOLVED = select(*_COLUMNS).where(
    incidents.c.source == constant(Source.ALERTGATE), incidents.c.status != constant(IncidentStatus.RESOLVED)
)
_BY_ID = select(*_COLUMNS).where(incidents.c.id.in_(bindparam("ids", expanding=True)))
JOINED = ("alert_count", "last_alert_at", "severity", "began_at", "last_firing_at", "last_alert_id")
"""The columns that a joining alert changes; no index has them, so none is rewritten."""
CHANGED = tuple(field.name for field in fields(Incident) if field.name != "id")


def _incident(row: Row[tuple[object, ...]]) -> Incident:
    return Incident(**row._asdict())


def last(connection: Connection, keys: Collection[str]) -> dict[str, Incident]:
    """Return the unresolved incident of each of these keys, or else the newest one, by key."""
    unresolved = [Incident(*row) for row in connection.execute(_UNRESOLVED, {"keys": list(keys)}).all()]
    found = {incident.key: incident for incident in unresolved}
    # The unresolved one needn't have the highest id: a clock may have been set back.
    if over := [key for key in keys if key not in found]:
        newest = find_ids(connection, _NEWEST, [[AnyText.to_database(key)] for key in over])
        found |= {incident.key: incident for incident in by_id(connection, newest).values()}
    return found


def by_id(connection: Connection, ids: Collection[str]) -> dict[str, Incident]:
    """Return the incidents with these ids, by id."""
    found = (Incident(*row) for some in portions(ids) for row in connection.execute(_BY_ID, {"ids": some}).all())
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


def confirm(connection: Connection, incident_id: str, at: datetime) -> None:
    """Note that an own trouble lasts: for its incident that counts like another alert, but nobody is told."""
    confirmed = update(incidents).where(incidents.c.id == incident_id, incidents.c.last_alert_at < at)
    connection.execute(confirmed.values(last_alert_at=at))


def get(connection: Connection, incident_id: str) -> Incident | None:
    """Return one incident, or None."""
    row = connection.execute(select(incidents).where(incidents.c.id == incident_id)).one_or_none()
    return _incident(row) if row else None


def own_unresolved(connection: Connection) -> list[Incident]:
    """Return alertgate's own unresolved incidents."""
    return [Incident(*row) for row in connection.execute(_OWN_UNRESOLVED)]


class Alike(NamedTuple):
    """What matchers look at of some incidents."""

    event: str
    severity: Severity
    source: Source
    device: str | None


def unresolved_alike(connection: Connection) -> list[tuple[Alike, int]]:
    """Return how many incidents that aren't over are alike for a matcher."""
    alike = [incidents.c[name] for name in Alike._fields]
    query = select(*alike, func.count()).where(incidents.c.status != constant(IncidentStatus.RESOLVED)).group_by(*alike)
    return [(Alike(*row[:-1]), row[-1]) for row in connection.execute(query)]


def resolve_quiet(connection: Connection, rules: GroupingRules, now: datetime) -> list[str]:
    """Resolve every incident that `group.decide.is_quiet` calls quiet and nobody is to be told of; return their ids.

    Nor one whose escalation goes on.
    One with a notification that isn't sent yet, or was sent within RESOLVE_AFTER, stays: it must not end before people
    hear of it, nor just afterwards.
    """
    before = literal(now - rules.resolve_after, incidents.c.last_alert_at.type)
    not_sent_yet = notifications.c.status.in_((NotificationStatus.PENDING, NotificationStatus.SENDING))
    just_sent = and_(notifications.c.status == NotificationStatus.SENT, notifications.c.finished_at > before)
    telling = exists().where(notifications.c.incident_id == incidents.c.id, or_(not_sent_yet, just_sent))
    running = exists().where(escalations.c.incident_id == incidents.c.id, escalations.c.next_at.is_not(None))
    acknowledged_at = func.coalesce(incidents.c.acknowledged_at, incidents.c.last_alert_at)
    forgotten = acknowledged_at <= literal(
        min(now - rules.again_after_ack, now - rules.resolve_after), incidents.c.acknowledged_at.type
    )
    statement = (
        update(incidents)
        .where(
            incidents.c.status != constant(IncidentStatus.RESOLVED),
            or_(
                incidents.c.source.not_in([constant(Source.ALERTGATE), constant(Source.WATCH)]),
                incidents.c.event.in_([str(event) for event in UNWATCHED]),
            ),
            incidents.c.last_alert_at <= before,
            or_(incidents.c.status != constant(IncidentStatus.ACKNOWLEDGED), forgotten),
            ~telling,
            ~running,
        )
        .values(status=IncidentStatus.RESOLVED, resolved_at=now, resolution=Resolution.SILENCE)
        .returning(incidents.c.id)
    )
    return list(connection.execute(statement).scalars())


def keys_since(connection: Connection, device: str | None, prefix: str, since: datetime, most: int) -> set[str]:
    """Return the keys with a prefix under which a device's incidents were opened since then; `most` are enough."""
    of_device = incidents.c.device.is_(None) if device is None else incidents.c.device == device
    # Not LIKE, which ignores case on SQLite.
    begins = func.substr(incidents.c.key, 1, len(prefix)) == prefix
    query = select(incidents.c.key).where(of_device, incidents.c.id >= first_id(since), begins).distinct().limit(most)
    return set(connection.execute(query).scalars())


def page(connection: Connection, wanted: Wanted, before: str | None, limit: int) -> list[Incident]:
    """Return the newest `limit` incidents that match, newest first; with `before`, those older than that id."""
    return [_incident(row) for row in connection.execute(select_page(incidents, wanted, before, limit))]
