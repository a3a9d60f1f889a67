"""What the console asks of devices: the worst first, and what goes with a page of them, each in one statement."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import nsmallest
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    String,
    func,
    literal,
    literal_column,
    or_,
    select,
    type_coerce,
    union_all,
)

from alertgate.device import Device, DeviceState
from alertgate.model import Alert, Incident, IncidentStatus, Source
from alertgate.store import alerts
from alertgate.store import incidents as stored
from alertgate.store.column_types import MICROSECOND, AnyText, Instant
from alertgate.store.contains import contains
from alertgate.store.device_lists import of_ids
from alertgate.store.device_tables import LOW, devices, vitals
from alertgate.store.lookups import find_ids, first_of_each, newest_of
from alertgate.store.rows import AT_ONCE
from alertgate.store.tables import constant, incidents

WORST_FIRST = (DeviceState.SILENT, DeviceState.LATE, DeviceState.UNKNOWN, DeviceState.FINE)
_RANKS: Mapping[str, int] = MappingProxyType({state: rank for rank, state in enumerate(WORST_FIRST)})

_d, _v, _i = devices.c, vitals.c, incidents.c
_IS_OFFLINE = _d.offline_at.is_not(None)
_IS_LOW: ColumnElement[bool] = literal_column(LOW, Boolean)
_IS_UNRESOLVED = _i.status != constant(IncidentStatus.RESOLVED)
_OF_DEVICES = or_(*(_i.source == constant(each) for each in (Source.PARTICLE, Source.GENERIC)))
_NEWEST = first_of_each(newest_of(_i.device, _i.id).where(_OF_DEVICES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Which devices a page shows; None and False mean any."""

    state: DeviceState | None = None
    offline: bool = False
    low: bool = False


class Place(NamedTuple):
    """Where a page begins: after this device, among those of its state."""

    state: DeviceState
    id: str


class Sought(NamedTuple):
    """A part of an id, and the devices whose names have it."""

    text: str
    named: frozenset[str]


class Numbers(NamedTuple):
    """How many devices there are: of each state, offline ones, and those whose battery is low."""

    by_state: Mapping[DeviceState, int]
    offline: int
    low: int


class Spark(NamedTuple):
    """The lowest battery and signal that a device had in a stretch of time, which is counted from the first one."""

    stretch: int
    battery: float | None
    strength: float | None


class Unresolved(NamedTuple):
    """How many incidents of a device aren't over, and the newest of them."""

    number: int
    newest: str


def numbers(connection: Connection) -> Numbers:
    """Return how many devices there are of each kind, by indexes alone."""
    by_state = select(type_coerce(_d.state, String), func.count()).group_by(_d.state)
    offline = select(literal("offline"), func.count()).where(_IS_OFFLINE)
    low = select(literal("low"), func.count()).select_from(devices).where(_IS_LOW)
    rows = connection.execute(union_all(by_state, offline, low)).all()
    found = {row[0]: row[1] for row in rows}
    return Numbers({state: found.get(str(state), 0) for state in DeviceState}, found["offline"], found["low"])


def worst_first(
    connection: Connection, shown: Shown, after: Place | None, limit: int, sought: Sought | None = None
) -> list[Device]:
    """Return the first `limit` devices of those that are shown, the silent ones first, then by id."""
    states = [state for state in WORST_FIRST if shown.state in (None, state)]
    if after:
        states = [state for state in states if _RANKS[state] >= _RANKS[after.state]]
    many = sought is not None and len(sought.named) > AT_ONCE
    found = _among_many if many else _first_of_each_state
    ids = [device for _, device in nsmallest(limit, found(connection, shown, states, after, limit, sought))]
    by_id = {each.id: each for each in of_ids(connection, ids)}
    return [by_id[each] for each in ids]


def _first_of_each_state(
    connection: Connection,
    shown: Shown,
    states: Sequence[DeviceState],
    after: Place | None,
    limit: int,
    sought: Sought | None,
) -> list[tuple[int, str]]:
    """Return more than enough, in one statement: of each state so many as a page has. Each has the state's rank."""
    is_sought = [_is_sought(sought)] if sought else []
    parts = [
        select(
            select(_d.state, _d.id)
            .where(*_is_shown(shown, state, after), *is_sought)
            .order_by(_d.id)
            .limit(limit)
            .subquery()
        )
        for state in states
    ]
    return [(_RANKS[state], device) for state, device in connection.execute(union_all(*parts))]


def _is_sought(sought: Sought) -> ColumnElement[bool]:
    return or_(contains(_d.id, sought.text, AnyText.to_database), _d.id.in_(sorted(sought.named)))


def _among_many(
    connection: Connection,
    shown: Shown,
    states: Sequence[DeviceState],
    after: Place | None,
    limit: int,
    sought: Sought | None,
) -> Iterator[tuple[int, str]]:
    """Yield the first ones where more names are sought than a statement takes: such a page is soon full."""
    for state in states:
        query = select(_d.id).where(*_is_shown(shown, state, after)).order_by(_d.id)
        with connection.execute(query, execution_options={"yield_per": AT_ONCE}) as rows:
            found = (row.id for row in rows if sought is None or sought.text in row.id or row.id in sought.named)
            yield from ((_RANKS[state], device) for device in islice(found, limit))


def _is_shown(shown: Shown, state: DeviceState, after: Place | None) -> list[ColumnElement[Any]]:
    conditions: list[ColumnElement[Any]] = [_d.state == constant(state)]
    if after and after.state is state:
        conditions.append(_d.id > after.id)
    if shown.offline:
        conditions.append(_IS_OFFLINE)
    return [*conditions, _IS_LOW] if shown.low else conditions


def sparks(connection: Connection, ids: Collection[str], since: datetime, stretch: timedelta) -> dict[str, list[Spark]]:
    """Return what devices said of themselves since then, by stretches of time: far fewer rows than hours."""
    if not ids:
        return {}
    began, length = Instant.to_database(since), stretch // MICROSECOND
    number = (type_coerce(_v.at, BigInteger) - began) // length
    query = (
        select(_v.device, number, func.min(_v.battery), func.min(_v.strength))
        .where(_v.device.in_(ids), _v.at >= since)
        .group_by(_v.device, number)
    )
    found: dict[str, list[Spark]] = {}
    for device, *values in connection.execute(query):
        found.setdefault(device, []).append(Spark(*values))
    return found


def unresolved(connection: Connection, ids: Collection[str]) -> dict[str, Unresolved]:
    """Return how many incidents of these devices aren't over, of those that have some; by an index alone."""
    query = select(_i.device, func.count(), func.max(_i.id)).where(_i.device.in_(ids), _IS_UNRESOLVED)
    rows = connection.execute(query.group_by(_i.device)) if ids else ()
    return {device: Unresolved(*values) for device, *values in rows}


def latest(connection: Connection, ids: Collection[str]) -> dict[str, tuple[Incident, Alert | None]]:
    """Return the newest incident that each of these devices reported, with its last alert.

    What the watch says of a device isn't what the device says.
    """
    newest = find_ids(connection, _NEWEST, [[AnyText.to_database(each)] for each in ids])
    found = stored.by_id(connection, newest).values()
    last = [each.last_alert_id for each in found if each.last_alert_id]
    by_id = alerts.by_id(connection, last)
    return {each.device: (each, by_id.get(each.last_alert_id or "")) for each in found if each.device}


def unresolved_of(connection: Connection, device: str, most: int) -> list[Incident]:
    """Return the newest incidents of a device that aren't over."""
    query = select(_i.id).where(_i.device == device, _IS_UNRESOLVED).order_by(_i.id.desc()).limit(most)
    return sorted(stored.by_id(connection, connection.execute(query).scalars().all()).values(), key=_id, reverse=True)


def _id(incident: Incident) -> str:
    return incident.id
