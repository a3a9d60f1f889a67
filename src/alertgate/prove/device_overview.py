"""What the console shows of devices, read at once: a page of them with what goes with each, or all about one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alertgate.model import Alert, Incident, IncidentStatus
from alertgate.prove.device_list import DeviceFinder, DeviceStory, KnownDevice
from alertgate.store import Connection, alerts, device_pages, incidents
from alertgate.store.device_pages import Numbers, Place, Shown, Spark, Unresolved
from alertgate.store.pages import Wanted

A_PAGE = 30
MICROSECOND = timedelta(microseconds=1)
SPARK_DAYS = 7
STRETCH = timedelta(hours=6)
STRETCHES = timedelta(days=SPARK_DAYS) // STRETCH
HISTORY = timedelta(days=30)
"""How far back a device's own page goes."""
MOST = 20
"""Of a device's incidents and alerts, the newest."""


@dataclass(frozen=True, slots=True)
class Overview:
    """A page of devices, with what goes with each, by id."""

    devices: Sequence[KnownDevice]
    is_last: bool
    numbers: Numbers
    sparks: Mapping[str, Sequence[Spark]]
    unresolved: Mapping[str, Unresolved]
    latest: Mapping[str, tuple[Incident, Alert | None]]


@dataclass(frozen=True, slots=True)
class History:
    """All that is known of one device, each newest first."""

    story: DeviceStory
    open: Sequence[Incident]
    over: Sequence[Incident]
    unresolved: int
    alerts: Sequence[Alert]
    latest: tuple[Incident, Alert | None] | None


def overview(
    connection: Connection, finder: DeviceFinder, shown: Shown, after: Place | None, text: str, now: datetime
) -> Overview:
    """Return a page of devices, the silent ones first; `text` is a part of an id or a name."""
    sought = finder.containing(text) if text else None
    found = device_pages.worst_first(connection, shown, after, A_PAGE + 1, sought)
    page = found[:A_PAGE]
    ids = [device.id for device in page]
    return Overview(
        devices=[finder.known(device) for device in page],
        is_last=len(found) <= A_PAGE,
        numbers=device_pages.numbers(connection),
        sparks=device_pages.sparks(connection, ids, since(now), STRETCH),
        unresolved=device_pages.unresolved(connection, ids),
        latest=device_pages.latest(connection, ids),
    )


def since(now: datetime) -> datetime:
    """Return when the stretches of a sparkline begin: the last of them ends now, and has what was said just now."""
    return now - STRETCH * STRETCHES + MICROSECOND


def history(connection: Connection, finder: DeviceFinder, device_id: str, now: datetime) -> History | None:
    """Return one device with its history; None if it isn't known."""
    story = finder.story(connection, device_id, now - HISTORY)
    if story is None:
        return None
    over = Wanted(device=device_id, status=IncidentStatus.RESOLVED)
    number = device_pages.unresolved(connection, [device_id]).get(device_id)
    return History(
        story=story,
        open=device_pages.unresolved_of(connection, device_id, MOST),
        over=incidents.page(connection, over, None, MOST),
        unresolved=number.number if number else 0,
        alerts=list(alerts.page(connection, Wanted(device=device_id), None, MOST)),
        latest=device_pages.latest(connection, [device_id]).get(device_id),
    )
