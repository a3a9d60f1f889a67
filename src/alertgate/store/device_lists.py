"""Queries that list devices, and the names that people gave them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Select, func, select, update

from alertgate.device import Device, DeviceState, VitalsHour
from alertgate.store.device_tables import devices, vitals
from alertgate.store.devices import device_of

AT_ONCE = 1000
"""Rows that are fetched at a time while names are compared."""

_d, _v = devices.c, vitals.c
_COLUMNS = [_d[field.name] for field in fields(Device)]
_OF_LISTS = [column for column in _COLUMNS if column.name != "vitals"]
"""What a device said of itself is large, and of no use in a list."""
_HOURS = [_v[field.name] for field in fields(VitalsHour)]


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedDevices:
    """The filters of a list of devices; None means any."""

    state: DeviceState | None = None
    silent_since: datetime | None = None
    """Not heard since then; one that never was counts from when it was first expected to."""
    battery_below: float | None = None
    product: str | None = None


Matches = Callable[[str], bool]
"""Whether the device with an id is wanted."""


def get(connection: Connection, device_id: str) -> Device | None:
    """Return one device, or None."""
    row = connection.execute(select(*_COLUMNS).where(_d.id == device_id)).one_or_none()
    return device_of(row) if row else None


def page(
    connection: Connection, wanted: WantedDevices, after: str | None, limit: int, matches: Matches | None = None
) -> list[Device]:
    """Return the first `limit` devices in the order of their ids, or those after an id."""
    if matches is None:
        return [device_of(row) for row in connection.execute(_wanted(select(*_OF_LISTS), wanted, after).limit(limit))]
    return of_ids(connection, _matching(connection, wanted, after, limit, matches))


def _matching(
    connection: Connection, wanted: WantedDevices, after: str | None, limit: int, matches: Matches
) -> list[str]:
    """Return the ids of devices that are wanted by their names too, which only the caller knows."""
    query = _wanted(select(_d.id), wanted, after)
    with connection.execute(query, execution_options={"yield_per": AT_ONCE}) as rows:
        return list(islice((row.id for row in rows if matches(row.id)), limit))


def _wanted(query: Select[Any], wanted: WantedDevices, after: str | None) -> Select[Any]:
    query = query.order_by(_d.id)
    if after is not None:
        query = query.where(_d.id > after)
    if wanted.state:
        query = query.where(_d.state == wanted.state)
    if wanted.product is not None:
        query = query.where(_d.product == wanted.product)
    if wanted.battery_below is not None:
        query = query.where(_d.battery < wanted.battery_below)
    if wanted.silent_since:
        query = query.where(func.coalesce(_d.last_seen_at, _d.watched_since) <= wanted.silent_since)
    return query


def of_ids(connection: Connection, ids: Sequence[str]) -> list[Device]:
    """Return the devices with these ids, in their order."""
    rows = connection.execute(select(*_OF_LISTS).where(_d.id.in_(ids)).order_by(_d.id)) if ids else ()
    return [device_of(row) for row in rows]


def hours(connection: Connection, device_id: str, since: datetime, most: int) -> list[VitalsHour]:
    """Return what a device said of itself hour by hour since then, newest first."""
    query = select(*_HOURS).where(_v.device == device_id, _v.at >= since).order_by(_v.at.desc()).limit(most)
    return [VitalsHour(*row) for row in connection.execute(query)]


def numbers(connection: Connection) -> dict[DeviceState, int]:
    """Return how many devices are in each state."""
    found = connection.execute(select(_d.state, func.count()).group_by(_d.state))
    return {DeviceState(state): number for state, number in found}


def last_seen(connection: Connection) -> dict[str, datetime]:
    """Return when each device was last heard."""
    query = select(_d.id, _d.last_seen_at).where(_d.last_seen_at.is_not(None))
    return {row.id: row.last_seen_at for row in connection.execute(query)}


def known(connection: Connection) -> list[tuple[str, str | None]]:
    """Return the ids of all devices, each with the name that somebody gave it by the API."""
    return [(row.id, row.name) for row in connection.execute(select(_d.id, _d.name).order_by(_d.id))]


def given_names(connection: Connection) -> dict[str, str]:
    """Return the names that were given by the API, by the devices' ids."""
    query = select(_d.id, _d.name).where(_d.name.is_not(None)).order_by(_d.id)
    return {row.id: row.name for row in connection.execute(query)}


def give_name(connection: Connection, device_id: str, name: str | None, now: datetime) -> None:
    """Name a device, or end that. The watch looks at it: what is expected of it may depend on its name."""
    connection.execute(update(devices).where(_d.id == device_id).values(name=name, due_at=now))
