"""Queries on escalations: how far that of each incident is, and which have something to do now."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, exists, func, literal_column, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from alertgate.model import IncidentStatus, NotificationStatus, Target
from alertgate.store.notifications import IS_FAILED, IS_HELD, IS_PENDING, IS_RELEASED, IS_SENDING, IS_SENT
from alertgate.store.rows import portions
from alertgate.store.tables import constant, escalations, incidents, notifications

_e, _n = escalations.c, notifications.c
_UPSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@dataclass(frozen=True, slots=True)
class StoredRun:
    """One row: how far the escalation of an incident is. `notify.escalate.Run` says what its fields mean."""

    incident_id: str
    escalation: str
    route: str
    """Why the incident goes to this escalation, as a sentence."""
    begun_at: datetime
    wait: int
    """Microseconds."""
    step: int
    step_at: datetime | None
    reminders: int
    reminded_at: datetime | None
    first_sent_at: datetime | None
    gave_up: bool
    told: Sequence[str]
    reason: str | None = None
    """What it does until `next_at`, or why it does nothing more."""
    next_at: datetime | None = None
    """When it is to be looked at again; None unless something is due without a change."""


_NAMES = [field.name for field in fields(StoredRun)]
_COLUMNS = [_e[name] for name in _NAMES]
_OF = select(*_COLUMNS).where(_e.incident_id.in_(bindparam("ids", expanding=True)))
_DUE = select(*_COLUMNS).where(_e.next_at <= bindparam("now", type_=_e.next_at.type)).order_by(_e.next_at)
_HELD_DUE = (IS_PENDING, _n.hold.is_not(None), IS_HELD, _n.due_at <= bindparam("now", type_=_n.due_at.type))
_ANY_DUE = select(
    exists().where(_e.next_at.is_not(None), _e.next_at <= bindparam("now", type_=_e.next_at.type)),
    exists().where(*_HELD_DUE),
)
_IS_ON_ITS_WAY = or_(IS_SENDING, and_(IS_PENDING, IS_RELEASED))
_FIRST_SENT = (
    select(
        _n.incident_id,
        func.min(case((and_(IS_SENT, _n.finished_at >= _e.begun_at), _n.finished_at))),
        func.min(case((and_(IS_FAILED, _n.finished_at >= _e.begun_at), _n.finished_at))),
        func.max(case((_IS_ON_ITS_WAY, literal_column("1")), else_=literal_column("0"))),
    )
    .join(escalations, _e.incident_id == _n.incident_id)
    .where(_n.incident_id.in_(bindparam("ids", expanding=True)))
    .group_by(_n.incident_id)
)
_PEOPLE = (
    select(
        _n.incident_id,
        _n.person,
        func.min(_n.id),
        func.max(case((IS_SENT, literal_column("1")), else_=literal_column("0"))),
    )
    .where(
        _n.incident_id.in_(bindparam("ids", expanding=True)),
        _n.person.is_not(None),
        _n.status != constant(NotificationStatus.CANCELLED),
    )
    .group_by(_n.incident_id, _n.person)
    .order_by(func.min(_n.id))
)


def of_incidents(connection: Connection, incident_ids: Collection[str]) -> dict[str, StoredRun]:
    """Return the escalations of these incidents, by incident; those that have none are left out."""
    rows = (row for some in portions(incident_ids) for row in connection.execute(_OF, {"ids": some}).all())
    return {row.incident_id: StoredRun(*row) for row in rows}


def get(connection: Connection, incident_id: str) -> StoredRun | None:
    """Return the escalation of an incident, or None."""
    return of_incidents(connection, [incident_id]).get(incident_id)


def save(connection: Connection, runs: Sequence[StoredRun]) -> None:
    """Store escalations, new or not. Their incidents must be stored."""
    if not runs:
        return
    connection.execute(_upsert(connection.dialect.name), [{n: getattr(run, n) for n in _NAMES} for run in runs])


@cache
def _upsert(dialect: str) -> Any:
    """Return the statement, which takes longer to build than to run."""
    statement: Any = _UPSERTS[dialect](escalations)
    new = {name: statement.excluded[name] for name in _NAMES if name != "incident_id"}
    return statement.on_conflict_do_update(index_elements=["incident_id"], set_=new).returning(_e.incident_id)


def any_due(connection: Connection, now: datetime) -> bool:
    """Return whether an escalation or a hold is due."""
    return any(connection.execute(_ANY_DUE, {"now": now}).one())


def due(connection: Connection, now: datetime, most: int) -> list[StoredRun]:
    """Return the escalations that are due, the longest due first, at most this many."""
    return [StoredRun(*row) for row in connection.execute(_DUE.limit(most), {"now": now})]


def postpone(connection: Connection, incident_id: str, now: datetime, until: datetime) -> None:
    """Have what is due now about an incident, of its escalation and of what is held, decided later."""
    due_now = (_e.incident_id == incident_id, _e.next_at <= now)
    connection.execute(update(escalations).where(*due_now).values(next_at=until))
    held_now = (_n.incident_id == incident_id, IS_PENDING, IS_HELD, _n.due_at <= now)
    connection.execute(update(notifications).where(*held_now).values(due_at=until))


_later = bindparam("latest", type_=_e.next_at.type)
_FROM_FUTURE = (
    select(*_COLUMNS)
    .join(incidents, incidents.c.id == _e.incident_id)
    .where(
        _e.next_at.is_not(None),
        _e.next_at > bindparam("now", type_=_e.next_at.type),
        or_(
            _e.begun_at > _later,
            incidents.c.last_alert_at > _later,
            incidents.c.acknowledged_at > _later,
            exists().where(_n.incident_id == _e.incident_id, _n.created_at > _later),
        ),
    )
)


def from_future(connection: Connection, now: datetime, latest: datetime) -> list[StoredRun]:
    """Return the escalations that wait and whose incident was told, acknowledged, or had an alert after `latest`."""
    return [StoredRun(*row) for row in connection.execute(_FROM_FUTURE, {"now": now, "latest": latest})]


def held_due(connection: Connection, now: datetime, most: int) -> list[str]:
    """Return the incidents with notifications whose hold ends now, at most this many."""
    query = select(_n.incident_id).where(*_HELD_DUE).distinct().limit(most)
    return list(connection.execute(query, {"now": now}).scalars())


def all_due(connection: Connection, now: datetime) -> list[str]:
    """Return all incidents about which an escalation or a hold is due."""
    turns = select(_e.incident_id).where(_e.next_at.is_not(None), _e.next_at <= bindparam("now", type_=_e.next_at.type))
    held = select(_n.incident_id).where(*_HELD_DUE)
    found = (row for query in (turns, held) for row in connection.execute(query, {"now": now}).scalars())
    return sorted(set(found))


def first_sent(connection: Connection, incident_ids: Collection[str]) -> dict[str, datetime]:
    """Return when the first notification of each of these escalations was sent, by incident.

    Once all have failed that weren't held, it is when the first one failed: nothing is on its way that a reminder would
    only say again.
    """
    rows = (row for some in portions(incident_ids) for row in connection.execute(_FIRST_SENT, {"ids": some}).all())
    found = ((id_, sent_at or (None if on_its_way else failed_at)) for id_, sent_at, failed_at, on_its_way in rows)
    return {id_: at for id_, at in found if at}


def people_told(connection: Connection, incident_ids: Collection[str]) -> dict[str, list[tuple[str, bool]]]:
    """Return the people whom each incident was told, in order, and whether anything was sent to them yet."""
    found: dict[str, list[tuple[str, bool]]] = {}
    for some in portions(incident_ids):
        for incident_id, person, _, is_sent in connection.execute(_PEOPLE, {"ids": some}):
            found.setdefault(incident_id, []).append((person, bool(is_sent)))
    return found


def look_again(connection: Connection, now: datetime) -> int:
    """Have all escalations that go on decided anew now, because the policy has changed; return how many."""
    going_on = (_e.next_at.is_not(None), _e.next_at > now)
    return connection.execute(update(escalations).where(*going_on).values(next_at=now)).rowcount


def route_anew(connection: Connection, targets: Collection[Target], reason: str, now: datetime) -> int:
    """Have the escalations of the open incidents decided anew of which none of these contacts knows; return how many.

    An incident without an escalation of its own gets one without a name, which no policy has.
    """
    # As in `ContactState.knows`: told, about to be told, or not reached.
    knows = and_(
        _n.incident_id == incidents.c.id,
        _n.status != constant(NotificationStatus.CANCELLED),
        tuple_(_n.channel, _n.address).in_(sorted(targets)),
    )
    unknown = select(incidents.c.id).where(incidents.c.status == constant(IncidentStatus.OPEN), ~exists().where(knows))
    ids = connection.execute(unknown).scalars().all()
    known = of_incidents(connection, ids)
    runs = (known.get(each) or StoredRun(each, "", "", now, 0, 0, None, 0, None, None, False, ()) for each in ids)
    save(connection, [replace(run, reason=reason, next_at=now) for run in runs])
    return len(ids)


def end(connection: Connection, incident_id: str, reason: str, next_at: datetime | None = None) -> None:
    """Have an escalation do nothing before `next_at`, because somebody has acknowledged or resolved its incident."""
    of_incident = update(escalations).where(_e.incident_id == incident_id)
    connection.execute(of_incident.values(reason=reason, next_at=next_at))
