"""Choose the one value of an alert that its headline shows: a number or a word that the data itself names. Pure.

A wrong value in a subject is worse than none. Of data with several values it is the one that the event names, or the
one called `value` or `state`, or the only number, or the only word; where two could be meant, none is shown. A unit is
shown only if the data says it: behind the number, in the field's name, or in a field called `unit`.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from alertgate.model import Alert, AlertStatus, Json, Signal, Source
from alertgate.notify.render.text import one_line, unescaped
from alertgate.words import folded, read_signal, read_word

MOST_FIELDS = 64
"""An object with more fields has too many values for one to stand for it."""
LONGEST = 24
"""Characters of a value, and of its name. What is longer isn't shown, because half of a number is another number."""
LARGEST = 10**7
"""Whole numbers from here on are times, ids or telephone numbers."""
SWITCH = frozenset({"0", "1"})
"""Without a unit or a decimal point they are the state of a switch, which says nothing beside its event."""

TEMPERATURE = frozenset({"temperature", "temp", "celsius", "fahrenheit"})
"""Names of one thing."""
UNITS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("celsius", "centigrade"), "°C"),
        **dict.fromkeys(("percent", "pct"), "%"),
        **dict.fromkeys(("volt", "volts"), "V"),
        **dict.fromkeys(("millivolts", "mv"), "mV"),
        **{name.casefold(): name for name in ("ppm", "ppb", "ml", "hPa", "kPa", "psi", "mm", "cm", "rpm")},
        "fahrenheit": "°F",
        "watts": "W",
        "amps": "A",
        "lux": "lx",
    }
)
"""Units as the last word of a field's name; `temp_c` and `temp_f` are read too."""
PLAIN = frozenset({"value", "reading", "data", "state", "status"})
"""Names that say nothing beside the event's."""
NEVER = frozenset(
    (
        *("limit", "threshold", "min", "minimum", "max", "maximum", "setpoint", "target", "alarm", "hysteresis"),
        *("id", "uuid", "key", "serial", "seq", "sequence", "version", "firmware", "fw", "code", "nonce", "token"),
        *("time", "timestamp", "ts", "date", "epoch", "at", "since", "until", "duration", "interval", "delay"),
        *("unit", "units", "severity", "priority", "type", "kind", "lat", "latitude", "lon", "lng", "longitude"),
        *("user", "userid", "device", "deviceid", "coreid", "product", "productid", "url", "pin", "password", "secret"),
    )
)
"""A field with such a word in its name isn't how the thing is: it is a limit, an id, a time, or a secret."""
BESIDE = frozenset(
    (
        *("battery", "batt", "soc", "vbat", "vcc", "rssi", "snr", "signal", "quality", "strength", "uptime", "heap"),
        *("memory", "count", "counter", "retries", "index", "confidence", "score", "probability"),
    )
)
"""A field with such a word is about the device or the measurement, and counts only if the event names it."""

_WORDS = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])")
_MEASURED = re.compile(
    r"([+\-\u2212]?)((?:(?!0\d)\d{1,12}(?:[.,]\d{1,9})?|[.,]\d{1,9}))(\s?)([^\W\d_]{0,6}[°º%‰²³/]?[^\W\d_]{0,6}[²³]?)"
)
_UNIT = re.compile(r"[^\W\d_]{0,6}[°º%‰²³/]?[^\W\d_]{0,6}[²³]?")
_WORD = re.compile(r"[^\W\d_][\w.+-]*")
_SAID = frozenset({"firing", "alarm", "alert", "alerting", "active", "triggered", "problem", "resolved"})
_NOTHING = frozenset({"true", "false", "null", "none", "nan", "nil", "undefined", "inf", "infinity"})


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
        return f"{event} {self.value}" if self.is_number and not self.name else f"{event}, {self}"


class _Field(NamedTuple):
    """A field of the data that holds a number or a word."""

    field: str
    words: tuple[str, ...]
    """Those of its name, without the unit."""
    value: str
    is_number: bool


def reading(alert: Alert, event: str, part: str | None = None) -> Reading | None:
    """Return the value that stands for an alert about `event`, or None if there is none or several could be meant.

    `part` is what a headline says of the device already, such as a door.
    """
    if alert.status is AlertStatus.QUARANTINED or alert.source is Source.ALERTGATE:
        return None
    named = frozenset(words_of(event))
    if not isinstance(alert.data, dict):
        found = None if alert.message else _scalar(alert.data)
        if found is None or folded(found[0]) in named or (found[0] in SWITCH and not isinstance(alert.data, float)):
            return None
        return Reading("", *found)
    if len(alert.data) > MOST_FIELDS:
        return None
    chosen = _choose(_fields(alert.data, part), named, has_words=alert.message is not None)
    if chosen is None or (not chosen.is_number and folded(chosen.value) in named):
        return None
    return Reading(_name(chosen, named), chosen.value, chosen.is_number, chosen.field)


def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a name such as `tempC`, `freezer/temperature` or `DOOR_STATE`, in lower case."""
    return tuple(word.casefold() for word in _WORDS.findall(_HUMP.sub(" ", name[:256])))


def _choose(fields: Sequence[_Field], named: frozenset[str], *, has_words: bool) -> _Field | None:
    """Return the first kind of field of which there is any, unless there are several of it.

    Beside its sender's own words, a value counts only if the event names it, or the field is called `value` or `state`.
    """
    numbers = [field for field in fields if field.is_number]
    texts = [field for field in fields if not field.is_number]
    kinds = (
        [field for field in numbers if _names(named, field.words)],
        [field for field in texts if _names(named, field.words)],
        [field for field in fields if field.words in {("value",), ("reading",)}],
        [field for field in texts if field.words in {("state",), ("status",)}],
        [field for field in numbers if BESIDE.isdisjoint(field.words) and not has_words],
        [field for field in texts if BESIDE.isdisjoint(field.words) and not has_words],
    )
    first = next(filter(None, kinds), [])
    return first[0] if len(first) == 1 else None


def _names(event: frozenset[str], words: Sequence[str]) -> bool:
    """Return whether an event names a field."""
    return not event.isdisjoint(words) or not (TEMPERATURE.isdisjoint(event) or TEMPERATURE.isdisjoint(words))


def _name(field: _Field, event: frozenset[str]) -> str:
    """Return what has to be said of a field beside its event."""
    known = event | TEMPERATURE if not TEMPERATURE.isdisjoint(event) else event
    is_said = any(said.issuperset(field.words) for said in (known, PLAIN, frozenset(UNITS)))
    return "" if is_said else " ".join(field.words)


def _fields(data: Mapping[str, Json], part: str | None) -> list[_Field]:
    """Return the fields that hold a number or a word that says how a thing is, with the units that the data says."""
    said = frozenset(folded(part).split(", ")) if part else frozenset[str]()
    found = [field for name, value in data.items() if (field := _field(name, value, said))]
    is_only = sum(field.is_number for field in found) == 1
    measured = [_with_unit(field, data, is_only=is_only) if field.is_number else field for field in found]
    return [field for field in measured if field.value not in SWITCH or isinstance(data[field.field], float)]


def _field(name: str, value: Json, said: frozenset[str]) -> _Field | None:
    """Return a field that holds a number or a word, or an object with a `value`."""
    words, scalar = words_of(name), _scalar(value.get("value") if isinstance(value, dict) else value)
    if scalar is None or not words or not NEVER.isdisjoint(words) or len(name) > LONGEST:
        return None
    text, is_number = scalar
    is_state = PLAIN.issuperset(words) and (read_word(text) in _SAID or read_signal(text) is Signal.RESOLVED)
    return None if is_state or folded(text) in said else _Field(name, words, text, is_number)


def _with_unit(field: _Field, data: Mapping[str, Json], *, is_only: bool) -> _Field:
    """Return a number with its unit. A field called `unit` is about the only number that there is."""
    value, name = data[field.field], field.field
    places = [value] if isinstance(value, dict) else [data] if is_only else []
    units = [data.get(f"{name}_unit"), *(place.get(key) for place in places for key in ("unit", "units"))]
    in_name, words = _unit_of(field.words)
    unit = next(filter(None, map(_unit, units)), in_name)
    if not unit or not field.value[-1:].isdigit():  # the number has its own unit
        return field._replace(words=words)
    return field._replace(words=words, value=f"{field.value} {unit}")


def _unit_of(words: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the unit that a field's name ends with, and its other words."""
    *rest, last = words
    if last in UNITS:
        return UNITS[last], tuple(rest) or (last,)
    if last in {"c", "f"} and not TEMPERATURE.isdisjoint(rest):
        return f"°{last.upper()}", tuple(rest)
    return "", words


def _unit(value: Json) -> str:
    """Return a unit that the data says, or nothing."""
    if not isinstance(value, str) or not _UNIT.fullmatch(value.strip()):
        return ""
    return UNITS.get(value.strip().casefold(), value.strip())


def _scalar(value: Json) -> tuple[str, bool] | None:
    """Return a number or a word as a headline shows it, and whether it is a number; None for all else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        return _text(unescaped(value.strip())) if len(value) <= 4 * LONGEST else None
    if not -LARGEST < value < LARGEST:
        return None
    return _signed(_digits(value)), True


def _text(text: str) -> tuple[str, bool] | None:
    if len(text) > LONGEST or text != one_line(text, LONGEST):
        return None
    if measured := _MEASURED.fullmatch(text):
        sign, digits, space, unit = measured.groups()
        is_long = digits.isdecimal() and int(digits) >= LARGEST
        return None if is_long else (_signed(sign + digits + (space and " ") + unit), True)
    is_word = _WORD.fullmatch(text) and sum(map(str.isdigit, text)) < 7 and text.casefold() not in _NOTHING
    return (text, False) if is_word else None


def _signed(number: str) -> str:
    """Return a number with a true minus sign, which doesn't look like a hyphen."""
    return f"\u2212{number[1:]}" if number.startswith("-") else number


def _digits(value: float) -> str:
    """Return a number without the digits that binary fractions add: -4.199999809265137 was measured as -4.2."""
    if isinstance(value, int):
        return str(value)
    text = f"{value:.3f}" if abs(value) >= 1 else f"{value or 0:.3g}"
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text
