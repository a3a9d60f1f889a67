"""Choose the one value of an alert that its headline shows: a number or a word that the data itself names. Pure.

A wrong value in a subject is worse than none. So a field counts only if *all* of its name is known: a kind of
measurement (`temperature`), its unit (`celsius`), or both (`temp_c`). What any other word stands beside (`temp_max`,
`last_temp`) is a limit, an older value or something else. What counts but can't be shown, such as null, still keeps
others from being shown.
"""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from alertgate.model import Alert, AlertStatus, Json, Source
from alertgate.notify.render.text import unescaped
from alertgate.words import RESOLVED_WORDS, SEVERITY_WORDS, folded

MOST_FIELDS = 64
"""An object with more fields has too many values for one to stand for it."""
LONGEST = 24
"""Characters of a value. What is longer isn't shown, because half of a number is another number."""
LARGEST = 10**7
"""Whole numbers from here on are times, ids or telephone numbers."""
SWITCH = frozenset({"0", "1"})
"""Without a unit they may be the state of a switch."""

_OWN = frozenset({Source.ALERTGATE, Source.WATCH})
_SPELLINGS = (
    *("°C c celsius centigrade °c ºc degc", "°F f fahrenheit °f ºf degf", "K k kelvin", "% % percent pct percentage"),
    *(
        "V v volt volts",
        "mV mv millivolts",
        "A a amp amps ampere amperes",
        "mA ma",
        "W w watt watts",
        "kW kw",
        "kWh kwh",
    ),
    *("lx lx lux", "dBm dbm", "dB db", "Hz hz", "hPa hpa", "kPa kpa", "mbar mbar", "bar bar", "psi psi", "rpm rpm"),
    *("mm mm", "cm cm", "m m", "ppm ppm", "ppb ppb", "µg/m³ µg/m³ μg/m³ ug/m3", "ml ml", "l l", "g g", "kg kg"),
    *("m/s m/s", "km/h km/h", "MB mb", "GB gb", "TB tb"),
)
UNITS: Mapping[str, str] = MappingProxyType(
    {spelling: unit for unit, *spellings in map(str.split, _SPELLINGS) for spelling in spellings}
)
"""Units by their spellings in lower case. There are no others: `"unit": "metric"` is none."""
_MEASUREMENTS = {
    "temperature": ("temperature temp", {"°C", "°F", "K"}),
    "humidity": ("humidity relativehumidity rh", {"%"}),
    "moisture": ("moisture soilmoisture", {"%"}),
    "pressure": ("pressure", {"hPa", "kPa", "mbar", "bar", "psi"}),
    "CO2": ("co2", {"ppm"}),
    "pH": ("ph", {"pH"}),
    "voltage": ("voltage", {"V", "mV"}),
    "distance": ("distance", {"mm", "cm", "m"}),
    "level": ("level waterlevel tanklevel", {"%", "mm", "cm", "m"}),
    "battery": ("battery batterylevel batt soc", {"%", "V", "mV"}),
    "signal": ("rssi", {"dBm", "dB"}),
}
KINDS: Mapping[str, str] = MappingProxyType(
    {name: kind for kind, (names, _) in _MEASUREMENTS.items() for name in names.split()}
)
"""Kinds of measurement by their names, without separators and in lower case."""
ONLY_IF_NAMED = frozenset({"level", "battery", "signal"})
"""They are about the device, or a level of urgency, unless the event names them."""
VALUE = frozenset({"value", "reading"})
STATE = frozenset({"state", "status"})
"""Names of fields that say nothing beside the event's."""
STATES = frozenset(
    (
        *("open", "opened", "closed", "shut", "ajar", "locked", "unlocked", "on", "off", "up", "down", "wet", "dry"),
        *("warm", "cold", "hot", "frozen", "full", "empty", "flooded", "leaking", "jammed", "stuck", "running"),
        *("stopped", "online", "offline", "lost", "present", "absent", "occupied", "vacant", "broken"),
    )
)
"""Words that say how a thing is. Others may be names, or secrets."""
_CONDITIONS = (
    STATES | RESOLVED_WORDS | frozenset(SEVERITY_WORDS) | {"alarm", "firing", "active", "triggered", "problem"}
)
SECRET = ("pass", "pwd", "psk", "pin", "code", "key", "apikey", "token", "secret", "otp", "ssid", "imei", "iccid")
"""How words begin or end that name a secret or an id. A phone shows subjects while it is locked."""

_WORDS = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])")
_MEASURED = re.compile(r"([+\-\u2212]?)((?:(?!0[0-9])[0-9]{1,12})?(?:([.,])([0-9]{1,9}))?)(\s?)([^\s\d.,+-]\S{0,11})?")


class Reading(NamedTuple):
    """A value as a headline shows it. `name` is empty if the event or the unit says it already."""

    name: str
    value: str
    is_number: bool
    field: str = ""
    """Its field in the data; empty if it is all of the data."""

    def __str__(self) -> str:
        """Return the name and the value."""
        return f"{self.name} {self.value}".strip()

    def after(self, event: str) -> str:
        """Return what a headline says: the event, and the value."""
        if self.is_number:
            return f"{event}, {self}" if self.name else f"{event} {self.value}"
        return event if folded(self.value) in words_of(event) else f"{event}, {self.value}"


class _Shown(NamedTuple):
    """A number or a word as a headline shows it."""

    text: str
    is_number: bool
    has_unit: bool = False
    is_whole: bool = False
    """A whole number without a unit: where nothing says what it measures, it may be a count or a code."""


class _Field(NamedTuple):
    """A field that says how a thing is. `shown` is None where that can't be shown."""

    name: str
    shown: _Shown | None
    is_named: bool
    """Whether the event names it."""
    stands_alone: bool = True
    """Whether it counts if the event doesn't name it."""
    kind: str = ""
    unit: str = ""


class _Event(NamedTuple):
    """What an event's name says."""

    words: frozenset[str]
    kinds: frozenset[str]
    is_measurement: bool
    """Whether it ends with one: `temperature/high` may be a switch, `fridge/temperature` isn't."""


def reading(alert: Alert, event: str, part: str | None = None) -> Reading | None:
    """Return the value that stands for an alert about `event`, or None if there is none or several could be meant.

    `part` is what a headline says of the device already, such as a door. Beside its sender's own words, a value counts
    only if the event names it.
    """
    words = words_of(event)
    if alert.status is AlertStatus.QUARANTINED or alert.source in _OWN or any(map(_is_secret, words)):
        return None
    data = alert.data if isinstance(alert.data, dict) else {"value": alert.data}
    if len(data) > MOST_FIELDS:
        return None
    fields = list(_fields(data, _read(event, words), folded(part or "").split(", ")))
    named = [field for field in fields if field.is_named]
    chosen = named or [field for field in fields if field.stands_alone and alert.message is None]
    if len(chosen) != 1 or not (shown := chosen[0].shown):
        return None
    name, _, is_named, _, kind, unit = chosen[0]
    value = f"{shown.text} {unit}" if unit and not shown.has_unit else shown.text
    return Reading("" if is_named else kind, value, shown.is_number, name if data is alert.data else "")


def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a name such as `tempC`, `freezer/temperature` or `DOOR_STATE`, in lower case."""
    return tuple(word.casefold() for word in _WORDS.findall(_HUMP.sub(" ", name[:256])))


def _is_secret(word: str) -> bool:
    return word.startswith(SECRET) or word.endswith(SECRET)


def _read(event: str, words: tuple[str, ...]) -> _Event:
    joined = ["".join(words_of(segment)) for segment in event[:256].split("/")]
    known = frozenset((*words, *joined))
    kinds = frozenset(KINDS[word] for word in known if word in KINDS)
    return _Event(known - _CONDITIONS, kinds, is_measurement=not KINDS.keys().isdisjoint((*words[-1:], joined[-1])))


def _fields(data: dict[str, Json], event: _Event, parts: list[str]) -> Iterator[_Field]:
    """Yield the fields that say how a thing is."""
    for name, value in data.items():
        words = words_of(name[: 2 * LONGEST])
        joined, shown = "".join(words), _shown(value.get("value") if isinstance(value, dict) else value)
        is_state = shown is not None and not shown.is_number
        if joined in VALUE:
            yield _value(name, shown, data, event, parts)
        elif measured := _measured(words):
            yield _measurement(name, None if is_state else shown, data, event, *measured)
        elif is_state and (joined in STATE or joined in event.words):
            yield _Field(name, shown, is_named=joined in event.words)


def _value(name: str, shown: _Shown | None, data: dict[str, Json], event: _Event, parts: list[str]) -> _Field:
    """Return a field that is called `value`. It may be of anything that the rest of the data names."""
    others = [folded(each) if isinstance(each, str) else each for field, each in data.items() if field != name]
    known = {*_CONDITIONS, *UNITS, *parts}
    is_clear = all(each in known if isinstance(each, str) else not isinstance(each, dict | list) for each in others)
    units = {unit for kind in event.kinds for unit in _MEASUREMENTS[kind][1]} or {*UNITS.values()}
    unit = _unit(data, "unit", "units", f"{name}_unit")
    unit = unit if unit in units and shown and shown.is_number else ""
    if shown and shown.is_whole and not unit:
        is_clear &= event.is_measurement or (bool(event.kinds) and shown.text not in SWITCH)
    return _Field(name, shown if is_clear else None, is_named=bool(event.kinds), unit=unit)


def _measurement(name: str, shown: _Shown | None, data: dict[str, Json], event: _Event, kind: str, unit: str) -> _Field:
    """Return a field that is called as what it measures. `unit` beside it is its own only if it is the only number."""
    value = data[name]
    if not unit:
        is_only = not any(_has_number(each) for field, each in data.items() if field != name)
        said = _unit(value, "unit", "units") if isinstance(value, dict) else _unit(data, f"{name}_unit")
        said = said or (_unit(data, "unit", "units") if is_only else "")
        unit = said if said in _MEASUREMENTS[kind][1] else ""
    is_named = kind in event.kinds if kind else any(unit in _MEASUREMENTS[each][1] for each in event.kinds)
    return _Field(name, shown, is_named, not event.kinds and kind not in ONLY_IF_NAMED, kind, unit)


def _measured(words: tuple[str, ...]) -> tuple[str, str] | None:
    """Return the kind and the unit that a field's name says, if it says one of them and nothing else."""
    name, unit = "".join(words), UNITS.get(words[-1], "") if words else ""
    if name in KINDS:
        return KINDS[name], ""
    kind = KINDS.get("".join(words[:-1]), "")
    if kind and unit in _MEASUREMENTS[kind][1]:
        return kind, unit
    return ("", UNITS[name]) if name in UNITS and len(name) > 1 else None


def _has_number(value: Json) -> bool:
    shown = _shown(value)
    return shown.is_number if shown else isinstance(value, dict | list)


def _unit(place: Mapping[str, Json], *fields: str) -> str:
    """Return the unit that one of these fields says, or nothing."""
    texts = [text for field in fields if isinstance(text := place.get(field), str)]
    return next((UNITS[folded(text)] for text in texts if folded(text) in UNITS), "")


def _shown(value: Json) -> _Shown | None:
    """Return a number or a word as a headline shows it; None for all else."""
    if isinstance(value, str):
        return _text(unescaped(value.strip())) if len(value) <= 4 * LONGEST else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -LARGEST < value < LARGEST:
        return None
    text = _digits(value)
    return _Shown(_signed(text), is_number=True, is_whole=isinstance(value, int))


def _text(text: str) -> _Shown | None:
    """Return a text that is a state, or a number with at most a unit. `21,60` may be two numbers."""
    if folded(text) in STATES:
        return _Shown(text, is_number=False)
    measured = _MEASURED.fullmatch(text) if len(text) <= LONGEST else None
    if not measured or not measured[2]:
        return None
    sign, number, point, decimals, space, unit = measured.groups()
    is_unknown = folded(unit) not in UNITS if unit else space or (point == "," and len(decimals) > 1)
    if is_unknown or (number.isdecimal() and int(number) >= LARGEST):
        return None
    return _Shown(
        _signed(f"{sign}{number}{space and ' '}{unit or ''}"),
        True,
        bool(unit),
        not unit and not point,
    )


def _signed(number: str) -> str:
    """Return a number with a true minus sign, which doesn't look like a hyphen."""
    return f"\u2212{number[1:]}" if number.startswith("-") else number


def _digits(value: float) -> str:
    """Return a number without the digits that binary fractions add: -4.199999809265137 was measured as -4.2."""
    if isinstance(value, int):
        return str(value)
    text = f"{value:.3f}" if abs(value) >= 1 else f"{value or 0:.3g}"
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text
