"""What the watch of the devices reads and writes. Devices are read without what they said of themselves, for speed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    type_coerce,
    update,
)

from alertgate.device import Device, DeviceState, Downtime, VitalsHour
from alertgate.model import Incident, IncidentStatus, Json, Source
from alertgate.own_events import WatchEvent
from alertgate.store import incidents as incident_rows
from alertgate.store.column_types import MICROSECOND
from alertgate.store.device_tables import devices, downtimes, vitals, watch
from alertgate.store.rows import insert_new_rows, insert_rows, portions, update_rows
from alertgate.store.tables import constant, incidents

_d = devices.c
_UNREAD = frozenset({"vitals", "gaps"})
_COLUMNS = [_d[field.name] for field in fields(Device) if field.name not in _UNREAD]
WRITTEN = (
    *("state", "state_at", "watched_since", "due_at", "silent_since", "told_at"),
    *("flapping", "resetting", "battery_low", "outages"),
)
"""What the watch decides about a device; all else is written by whoever stores what it says."""
_TIMES = ("last_seen_at", "offline_at", "state_at", "watched_since", "due_at", "silent_since", "told_at")
"""Times of this machine's clock, by which the watch decides."""
_IS_OVERDUE = _d.state.in_([constant(DeviceState.LATE), constant(DeviceState.SILENT)])
_ONE = "devices"
_FRESH = timedelta(seconds=30)
"""What was stamped so lately by the new clock, after it was set back, is left as it is."""


@dataclass(frozen=True, slots=True)
class Watching:
    """Which replica watches, when it last did, and the wide silence that lasts."""

    owner: str | None = None
    lease_until: datetime | None = None
    ran_at: datetime | None = None
    wide: Json = None


def _device(row: Row[Any]) -> Device:
    # Lists come back from JSON; a device that nothing was stored of has None.
    found = row._asdict()
    return Device(**{**found, "outages": tuple(found["outages"] or ()), "resets": tuple(found["resets"] or ())})


def watching(connection: Connection) -> Watching:
    """Return who watches."""
    row = connection.execute(select(*(watch.c[each.name] for each in fields(Watching)))).one_or_none()
    return Watching(*row) if row else Watching()


def save_watching(connection: Connection, now: Watching) -> None:
    """Store who watches."""
    values = {each.name: getattr(now, each.name) for each in fields(Watching)}
    if connection.execute(update(watch).values(**values)).rowcount == 0:
        connection.execute(insert(watch).values(id=_ONE, **values))


_DUE = (
    select(*_COLUMNS)
    .where(_d.due_at <= bindparam("now", type_=_d.due_at.type), _d.due_at.is_not(None), _d.id > bindparam("after"))
    .order_by(_d.id)
    .limit(bindparam("most"))
)


def is_due(connection: Connection, now: datetime) -> bool:
    """Return whether there is a device to decide about."""
    query = select(literal(1)).where(_d.due_at.is_not(None), _d.due_at <= now).limit(1)
    return connection.execute(query).scalar() is not None


def unwatched(connection: Connection, due_before: datetime, most: int) -> Sequence[str]:
    """Return devices of which something is expected, and at which nobody looked though they were due by then."""
    late = and_(_d.due_at.is_not(None), _d.due_at <= due_before, _d.watched_since.is_not(None))
    return connection.execute(select(_d.id).where(late).order_by(_d.due_at).limit(most)).scalars().all()


def due(connection: Connection, now: datetime, after: str, most: int) -> list[Device]:
    """Return devices to decide about now, with higher ids than `after`, in their order."""
    return [_device(row) for row in connection.execute(_DUE, {"now": now, "after": after, "most": most})]


def page(connection: Connection, after: str, most: int) -> list[Device]:
    """Return devices with higher ids, in their order."""
    query = select(*_COLUMNS).where(_d.id > after).order_by(_d.id).limit(most)
    return [_device(row) for row in connection.execute(query)]


def by_id(connection: Connection, ids: Collection[str]) -> list[Device]:
    """Return these devices."""
    queries = (select(*_COLUMNS).where(_d.id.in_(some)) for some in portions(ids))
    return [_device(row) for query in queries for row in connection.execute(query)]


def overdue(connection: Connection, told_since: datetime) -> list[Device]:
    """Return late and silent devices, without those whose silence was told before that."""
    lately = or_(_d.told_at.is_(None), _d.told_at >= told_since)
    return [_device(row) for row in connection.execute(select(*_COLUMNS).where(_IS_OVERDUE, lately))]


def has_overdue(connection: Connection) -> bool:
    """Return whether a device is late or silent whose silence wasn't told by itself."""
    query = select(literal(1)).where(_IS_OVERDUE, _d.told_at.is_(None)).limit(1)
    return connection.execute(query).scalar() is not None


def untold(connection: Connection, now: datetime) -> list[Device]:
    """Return silent devices of which it is to be decided how they are told."""
    silent = and_(_IS_OVERDUE, _d.state == constant(DeviceState.SILENT))
    query = select(*_COLUMNS).where(silent, _d.told_at.is_(None), _d.due_at.is_not(None), _d.due_at <= now)
    return [_device(row) for row in connection.execute(query)]


def late_soon(connection: Connection, now: datetime, until: datetime) -> int:
    """Return about how many devices become late until then unless they speak."""
    soon = and_(_d.due_at.is_not(None), _d.due_at > now, _d.due_at <= until)
    fine = _d.state.in_([constant(DeviceState.FINE), constant(DeviceState.UNKNOWN)])
    return connection.execute(select(func.count()).where(soon, fine, _d.watched_since.is_not(None))).scalar_one()


def count_watched(connection: Connection) -> int:
    """Return of how many devices something is expected."""
    query = select(func.count()).select_from(devices).where(_d.watched_since.is_not(None))
    return connection.execute(query).scalar_one()


def count_silent(connection: Connection) -> int:
    """Return how many devices are silent, however that was told."""
    silent = and_(_IS_OVERDUE, _d.state == constant(DeviceState.SILENT))
    return connection.execute(select(func.count()).select_from(devices).where(silent)).scalar_one()


def count_unheard(connection: Connection, since: datetime | None) -> int:
    """Return of how many devices something is expected that weren't heard after that; None: that were never heard."""
    never = _d.last_seen_at.is_(None)
    unheard = never if since is None else or_(never, _d.last_seen_at <= since)
    query = select(func.count()).select_from(devices).where(_d.watched_since.is_not(None), unheard)
    return connection.execute(query).scalar_one()


def last_heard(connection: Connection) -> datetime | None:
    """Return when any device was last heard."""
    return connection.execute(select(func.max(_d.last_seen_at))).scalar()


def watched_heard(connection: Connection) -> datetime | None:
    """Return when any device was last heard of which something is expected."""
    return connection.execute(select(func.max(_d.last_seen_at)).where(_d.watched_since.is_not(None))).scalar()


def add(connection: Connection, new: Sequence[Device]) -> None:
    """Store devices that may never have been heard; those that are stored already stay as they are."""
    insert_new_rows(connection, devices, new)


def save(connection: Connection, changed: Sequence[Device]) -> None:
    """Store what was decided about devices."""
    for start in range(0, len(changed), _AT_ONCE):
        update_rows(connection, devices, changed[start : start + _AT_ONCE], WRITTEN)


_AT_ONCE = 1000


def look_again(connection: Connection, ids: Collection[str], now: datetime) -> None:
    """Have these devices decided about now."""
    for some in portions(ids):
        connection.execute(update(devices).where(_d.id.in_(some)).values(due_at=now))


def set_back(connection: Connection, by: timedelta, now: datetime) -> None:
    """Move the times of an earlier clock, because it was set back; what its new time has stamped stays."""

    def moved(column: ColumnElement[datetime]) -> Any:
        fresh = column.between(now - _FRESH, now)
        return case(
            (fresh, column), else_=type_coerce(type_coerce(column, BigInteger) - by // MICROSECOND, column.type)
        )

    connection.execute(update(devices).values({name: moved(_d[name]) for name in _TIMES}))
    connection.execute(update(downtimes).values({name: moved(downtimes.c[name]) for name in ("began_at", "ended_at")}))


def add_downtime(connection: Connection, new: Downtime) -> None:
    """Store a time in which nobody watched, or in which nobody could be heard."""
    insert_rows(connection, downtimes, [new])


def forget_downtimes(connection: Connection, before: datetime) -> None:
    """Delete those that were over before that."""
    connection.execute(delete(downtimes).where(downtimes.c.ended_at < before))


def known_downtimes(connection: Connection) -> list[Downtime]:
    """Return all of them, in their order."""
    return [Downtime(*row) for row in connection.execute(select(downtimes).order_by(downtimes.c.began_at))]


def vitals_since(connection: Connection, device: str, since: datetime) -> list[VitalsHour]:
    """Return what a device said of itself in each hour, in their order."""
    query = select(vitals).where(vitals.c.device == device, vitals.c.at >= since).order_by(vitals.c.at)
    return [VitalsHour(*row) for row in connection.execute(query)]


def open_wide(connection: Connection) -> list[Incident]:
    """Return the open incidents of a wide silence: one for each escalation that was told."""
    i = incidents.c
    mine = and_(i.source == constant(Source.WATCH), i.event == WatchEvent.NO_WEBHOOKS.value)
    query = select(i.id).where(mine, i.status != constant(IncidentStatus.RESOLVED))
    return list(incident_rows.by_id(connection, connection.execute(query).scalars().all()).values())
