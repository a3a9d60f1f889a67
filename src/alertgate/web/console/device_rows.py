"""Devices as the console's pages say them: clean texts and small pictures for the templates. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from urllib.parse import quote, urlencode

from markupsafe import Markup

from alertgate.device import DeviceState
from alertgate.model import Alert, Incident, IncidentStatus
from alertgate.notify.context import duration
from alertgate.notify.names import event_name, part_name
from alertgate.notify.render.content import essence
from alertgate.notify.render.reading import reading
from alertgate.notify.render.text import one_line
from alertgate.policy.devices import Expected
from alertgate.prove.device_list import KnownDevice
from alertgate.prove.device_overview import SPARK_DAYS, STRETCHES, Overview
from alertgate.store.device_pages import Numbers, Spark
from alertgate.web.console import svg

LONGEST_NAME = 80
LONGEST_WORDS = 120
LOW = 20
"""Per cent under which a battery is shown as low, as in `store.device_tables.LOW`."""
DOTS = frozenset({".", ".."})
COLORS: Mapping[DeviceState, str] = MappingProxyType(
    {
        DeviceState.SILENT: "critical",
        DeviceState.LATE: "warning",
        DeviceState.UNKNOWN: "",
        DeviceState.FINE: "over",
    }
)
MEANINGS: Mapping[DeviceState, str] = MappingProxyType(
    {
        DeviceState.SILENT: "its grace is over: an incident says so",
        DeviceState.LATE: "expected by now; its grace isn't over",
        DeviceState.UNKNOWN: "never heard",
        DeviceState.FINE: "heard in time, or not watched",
    }
)


@dataclass(frozen=True, slots=True)
class Gauge:
    """A reading in per cent: how it is now, and how it was."""

    text: str
    is_low: bool
    picture: Markup


@dataclass(frozen=True, slots=True)
class Said:
    """What a device reported last, as far as an incident knows it."""

    words: str
    is_open: bool
    at: datetime
    path: str


@dataclass(frozen=True, slots=True)
class Row:
    """One device of the list."""

    path: str
    name: str
    id: str
    state: DeviceState
    color: str
    last_seen_at: datetime | None
    expected: str
    offline_at: datetime | None
    battery: Gauge | None
    signal: Gauge | None
    said: Said | None
    unresolved: int
    incidents_path: str


@dataclass(frozen=True, slots=True)
class Count:
    """How many devices are of one kind, and the list of them."""

    words: str
    color: str
    path: str


def device_path(device: str) -> str:
    """Return the address of a device's page. Any text is an id; a browser drops a dot, whichever way it is written."""
    if device in DOTS:
        return f"/devices/?{urlencode({'id': device})}"
    return f"/devices/{quote(device, safe='', errors='surrogatepass')}"


def row(known: KnownDevice, page: Overview) -> Row:
    """Return a device as the list shows it."""
    device, sparks = known.device, page.sparks.get(known.device.id, ())
    unresolved, latest = page.unresolved.get(device.id), page.latest.get(device.id)
    return Row(
        path=device_path(device.id),
        name=shown_name(known),
        id=one_line(device.id, LONGEST_NAME),
        state=device.state,
        color=COLORS[device.state],
        last_seen_at=device.last_seen_at,
        expected=expected_words(known.expected),
        offline_at=device.offline_at,
        battery=gauge("Battery", device.battery, _filled(sparks, "battery"), low=is_low(known)),
        signal=gauge("Signal", device.strength, _filled(sparks, "strength")),
        said=said(*latest) if latest else None,
        unresolved=unresolved.number if unresolved else 0,
        incidents_path=of_device("/incidents", device.id),
    )


def of_device(path: str, device: str) -> str:
    """Return the address of another list, of this device alone."""
    return f"{path}?{urlencode({'device': device}, errors='surrogatepass')}"


def shown_name(known: KnownDevice) -> str:
    """Return what a device is called, else its id."""
    return one_line(known.name or known.device.id, LONGEST_NAME)


def is_low(known: KnownDevice) -> bool:
    """Return whether its battery is low: by an incident, by what is expected of it, or by itself."""
    device = known.device
    return device.battery_low or (device.battery is not None and device.battery < (known.expected.battery or LOW))


def expected_words(expected: Expected) -> str:
    """Return how often a device is expected to say something."""
    return f"expected every {duration(expected.every)}" if expected.every else "not watched"


def gauge(name: str, value: float | None, values: Sequence[float | None], *, low: bool = False) -> Gauge | None:
    """Return a reading with its last days; None if it was never known."""
    seen = [each for each in values if each is not None]
    if value is None and not seen:
        return None
    now = f"{value:.0f} %" if value is not None else "unknown"
    spread = f", between {min(seen):.0f} % and {max(seen):.0f} % in the last {SPARK_DAYS} days" if seen else ""
    css = "critical" if low else "info"
    return Gauge(now, low, svg.sparkline(values, css, f"{name}: {now}{spread}"))


def _filled(sparks: Sequence[Spark], name: str) -> list[float | None]:
    """Return a value for each stretch of time; None where the device said nothing."""
    by_stretch = {each.stretch: getattr(each, name) for each in sparks}
    return [by_stretch.get(stretch) for stretch in range(STRETCHES)]


def said(incident: Incident, alert: Alert | None) -> Said:
    """Return what a device reported last: a door that is open, or was."""
    is_open = incident.status is not IncidentStatus.RESOLVED
    at = incident.last_alert_at if is_open else incident.resolved_at or incident.last_alert_at
    return Said(said_words(incident, alert), is_open, at, f"/incidents/{incident.id}")


def said_words(incident: Incident, alert: Alert | None) -> str:
    """Return an incident's event, with its part and the value or the words of an alert."""
    event, part = event_name(incident), part_name(incident.key)
    found = reading(alert, incident.event, part) if alert and alert.event == incident.event else None
    said = essence(alert) if alert and not found else ""
    words = found.after(event) if found else ": ".join(filter(None, (event, said)))
    return one_line(f"{part}: {words}" if part else words, LONGEST_WORDS)


def counts(numbers: Numbers) -> list[Count]:
    """Return how many devices are of each kind, the worst first; of kinds without any, the states alone."""
    by_state = [
        Count(f"{numbers.by_state[state]:,} {state}", COLORS[state], f"/devices?state={state}") for state in COLORS
    ]
    others = [
        Count(f"{numbers.offline:,} offline", "warning", "/devices?state=offline") if numbers.offline else None,
        Count(f"{numbers.low:,} with a low battery", "warning", "/devices?low=yes") if numbers.low else None,
    ]
    return [*by_state, *filter(None, others)]
