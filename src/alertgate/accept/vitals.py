"""What a device says of itself: which events do, where that goes, and the readings in them. Pure.

Source: Particle's "Firmware update events" page (`spark/device/diagnostics/update`, `spark/device/last_reset`), its API
reference (`spark/status`), and its Tracker's `loc` (`batt`, `cell`).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum

from alertgate.accept.fields import shortened
from alertgate.model import Json, Signal
from alertgate.policy.devices import DIAGNOSTICS, LAST_RESET, OF_THE_CLOUD, STATUS
from alertgate.policy.events import Ruling
from alertgate.words import is_absent, read_word, values_by_name

LARGEST = 32 * 1024
"""Characters that are kept of the latest vitals, as JSON: Particle's events have 16 KiB."""
LONGEST_WORD = 64
MOST_PLACES = 50
"""Objects within an event's data that are looked into."""
BAD_RESETS = ("power_brownout", "brownout", "brown_out", "watchdog")
"""How the reasons begin of the resets that nobody wanted."""
_NAMES: Mapping[str, tuple[str, ...]] = {
    "battery": ("batt", "battery", "battery_level", "battery_percent", "soc", "charge"),
    "strength": ("cell", "strength", "signal_strength", "signal"),
    "quality": ("quality", "signal_quality"),
    "uptime": ("uptime",),
}
_WORDS: Mapping[str, tuple[str, ...]] = {"power": ("power_source", "power", "pwr")}
_BOUNDS: Mapping[str, float] = {"uptime": 1e10}
"""The largest value that counts, where it isn't 100 per cent."""
_VOLTS = (2.5, 5.0)
"""A fraction between these may be a battery's volts."""


class VitalsReason(StrEnum):
    """Where an event goes, as far as it is about its device."""

    NONE = "none"  # it is an alert as any other
    ALARM = "alarm"  # its rule says that it is an alarm as well, or the end of one
    MARKED = "marked"  # its rule says `vitals`: it goes to the device alone
    NAMED = "named"  # Particle's cloud says it of a device that [devices] names: it goes to the device alone


SENTENCES: Mapping[VitalsReason, str] = {
    VitalsReason.MARKED: "vitals of its device: kept there, and part of no incident",
    VitalsReason.NAMED: "what Particle's cloud says of a device that [devices] names: kept there, and part of no "
    "incident",
}
"""Why an event goes to its device alone."""


def decide_vitals(event: str, device: str | None, ruling: Ruling | None, *, named: bool) -> VitalsReason:
    """Decide where an event of Particle's goes; `named`: [devices] has its device's id.

    Without a device it is an alert. Where its rule has an `alarm`, what that makes an alarm is one as well, and so is
    what `resolved` makes its end. An `alarm` that fails is one: nobody knows that it isn't.
    """
    marked = ruling is not None and ruling.rule.vitals
    if not device or not (marked or (named and event in OF_THE_CLOUD)):
        return VitalsReason.NONE
    if ruling is not None and ruling.rule.alarm is not None:
        over = ruling.rule.resolved is not None and ruling.signal is Signal.RESOLVED
        if ruling.alarm or ruling.failed("alarm") or over:
            return VitalsReason.ALARM
    return VitalsReason.MARKED if marked else VitalsReason.NAMED


@dataclass(frozen=True, slots=True)
class Vitals:
    """What an event says of its device; None where it doesn't, or where the device itself didn't know."""

    battery: float | None = None
    """Per cent."""
    power: str | None = None
    """Where its power comes from."""
    strength: float | None = None
    """Of its signal, per cent."""
    quality: float | None = None
    """The same."""
    uptime: float | None = None
    """Seconds."""
    memory: float | None = None
    """Per cent of its memory that is used."""
    reset: str | None = None
    """Why it was reset last."""

    @property
    def was_bad_reset(self) -> bool:
        """Whether it was reset by a brown-out or a watchdog."""
        return self.reset is not None and self.reset.startswith(BAD_RESETS)

    @property
    def is_read(self) -> bool:
        """Whether it has a reading for the device's history."""
        return any(value is not None for value in (self.battery, self.strength, self.quality, self.uptime, self.memory))


def read_vitals(event: str, data: Json) -> Vitals | None:
    """Return what an event of vitals says, or None if that is nothing: a status, or data that isn't an object."""
    if event == LAST_RESET:
        word = read_word(data)
        return Vitals(reset=shortened(word, LONGEST_WORD)) if word else None
    if event == STATUS or not isinstance(data, dict):
        return None
    found = _diagnostics(data)
    if event == DIAGNOSTICS:
        return found
    by_name = _by_name(data)
    merged = {each.name: getattr(found, each.name) for each in fields(Vitals)}
    return Vitals(**{name: by_name.get(name) if value is None else value for name, value in merged.items()})


def whole(event: str, data: Json) -> Json:
    """Return what is kept of the latest vitals: all of it, or only which event it was if that is too large."""
    kept = {"event": event, "data": data}
    return kept if len(json.dumps(kept)) <= LARGEST else {"event": event, "too_large": True}


def _diagnostics(data: Json) -> Vitals:
    power, signal, system = (_at(data, "device", *path) for path in (("power",), ("network", "signal"), ("system",)))
    return Vitals(
        battery=_number(_at(power, "battery", "charge")),
        power=_word(_at(power, "source")),
        strength=_number(_at(signal, "strength")),
        quality=_number(_at(signal, "quality")),
        uptime=_number(_at(system, "uptime"), _BOUNDS["uptime"]),
        memory=_used(_at(system, "memory")),
    )


def _by_name(data: dict[str, Json]) -> dict[str, Json]:
    """Return the readings in an object of a maker's own form, or in one of the objects in it."""
    found: dict[str, Json] = {}
    for place in _places(data):
        for name, names in _NAMES.items():
            largest = _BOUNDS.get(name, 100)
            read = (_number(value, largest) for value in _values(place, names) if not _may_be_volts(name, value))
            found[name] = _first(found.get(name), *read)
        for name, names in _WORDS.items():
            found[name] = _first(found.get(name), *map(_word, _values(place, names)))
        found["memory"] = _first(found.get("memory"), *map(_used, _values(place, ("memory",))))
    return found


def _places(data: dict[str, Json]) -> Iterator[dict[str, Json]]:
    yield data
    yield from [each for each in data.values() if isinstance(each, dict)][:MOST_PLACES]


def _values(place: dict[str, Json], names: tuple[str, ...]) -> Iterator[Json]:
    by_name = values_by_name(place, names)
    for name in names:
        yield from by_name.get(name, ())


def _first(*values: Json) -> Json:
    return next((value for value in values if value is not None), None)


def _at(value: Json, *path: str) -> Json:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _number(value: Json, largest: float = 100) -> float | None:
    """Return a number from 0 on, also one in a text; None for all else, such as `{"err": -210}`."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value.strip().removesuffix("%")) if isinstance(value, str) else float(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number <= largest else None


def _may_be_volts(name: str, value: Json) -> bool:
    number = _number(value) if name == "battery" else None
    return number is not None and _VOLTS[0] <= number <= _VOLTS[1] and not number.is_integer()


def _used(memory: Json) -> float | None:
    """Return how many per cent of its memory a device uses."""
    used, total = (_number(_at(memory, name), 1e15) for name in ("used", "total"))
    if used is None or not total or used > total:
        return None
    return round(100 * used / total, 1)


def _word(value: Json) -> str | None:
    return shortened(value.strip(), LONGEST_WORD) if isinstance(value, str) and not is_absent(value) else None
