"""Queries on devices, and on what they said of themselves."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Insert, Row, and_, bindparam, delete, func, or_, select

from alertgate.device import Device, DeviceState, VitalsHour
from alertgate.store.device_tables import devices, vitals
from alertgate.store.rows import UPSERTS, parameters, portions, update_rows

AT_A_TIME = 500
"""How many old rows are deleted in one transaction."""
LEARNED = (
    "first_seen_at",
    "last_seen_at",
    "last_published_at",
    "last_event",
    "events",
    "offline_at",
    "product",
    "firmware",
    "state",
    "state_at",
    "due_at",
    "battery",
    "battery_at",
    "strength",
    "quality",
    "vitals_at",
    "outages",
    "resets",
    "gaps",
)
"""The columns that an event of a device may change, but for `vitals`, which is large: it is written where it changes,
and never read for that."""
_LEARNED = select(devices.c.id, *(devices.c[name] for name in LEARNED)).where(
    devices.c.id.in_(bindparam("ids", expanding=True))
)
_READINGS = ("battery", "strength", "quality", "uptime", "memory")


def device_of(row: Row[Any]) -> Device:
    """Return a row as a device: empty lists are NULL in the store."""
    values = row._asdict()
    values["outages"], values["resets"] = values["outages"] or (), values["resets"] or ()
    return Device(**values)


def learned(connection: Connection, ids: Collection[str]) -> dict[str, Device]:
    """Return what events taught of devices, by id: all but what LEARNED hasn't."""
    found = (row for some in portions(ids) for row in connection.execute(_LEARNED, {"ids": some}).all())
    return {device.id: device for device in map(device_of, found)}


def learn(connection: Connection, changed: Sequence[Device]) -> None:
    """Store what events taught of devices, known ones or new ones; nothing else of them changes."""
    with_vitals = [device for device in changed if device.vitals is not None]
    update_rows(connection, devices, [device for device in changed if device.vitals is None], LEARNED)
    update_rows(connection, devices, with_vitals, (*LEARNED, "vitals"))


def add_hours(connection: Connection, hours: Iterable[VitalsHour]) -> None:
    """Store the last that devices said of themselves in an hour; what is older than what is stored changes nothing."""
    by_id: dict[str, VitalsHour] = {}
    for hour in sorted(hours, key=lambda each: each.at):
        by_id[hour.id] = _filled(hour, by_id.get(hour.id))
    if by_id:
        connection.execute(_hours(connection.dialect.name), parameters([*by_id.values()]))


def _filled(hour: VitalsHour, before: VitalsHour | None) -> VitalsHour:
    """Return an hour with the readings of an earlier one where it has none."""
    readings = {n: getattr(before, n) if (v := getattr(hour, n)) is None and before else v for n in _READINGS}
    return VitalsHour(hour.id, hour.device, hour.at, **readings)


@cache
def _hours(dialect: str) -> Insert:
    statement = UPSERTS[dialect](vitals)
    new = {name: func.coalesce(statement.excluded[name], vitals.c[name]) for name in _READINGS}
    later = statement.excluded.at >= vitals.c.at
    upsert: Insert = statement.on_conflict_do_update(
        index_elements=["id"], set_={"at": statement.excluded.at, **new}, where=later
    ).returning(vitals.c.id)
    return upsert


def delete_old(connection: Connection, before: datetime) -> int:
    """Delete a batch of hours that are older than that, and of devices that spoke once, before then; return how many.

    A device that spoke more often is kept however long ago that was, and so is one that is watched or has a name: it
    may be the one that died. What spoke once is most likely an id that a template got wrong; what was never heard, and
    isn't expected any more, one that alertgate.toml got wrong.
    """
    hours = select(vitals.c.id).where(vitals.c.at < before).limit(AT_A_TIME)
    spoke_once = and_(devices.c.last_seen_at < before, devices.c.events <= 1, devices.c.state == DeviceState.FINE)
    never_spoke = and_(devices.c.last_seen_at.is_(None), devices.c.first_seen_at.is_(None), devices.c.due_at.is_(None))
    once = (
        select(devices.c.id)
        .where(
            or_(spoke_once, never_spoke),
            devices.c.watched_since.is_(None),
            devices.c.name.is_(None),
        )
        .limit(AT_A_TIME)
    )
    deleted = 0
    for table, old in ((vitals, hours), (devices, once)):
        ids = connection.execute(old).scalars().all()
        deleted += connection.execute(delete(table).where(table.c.id.in_(ids))).rowcount if ids else 0
    return deleted
