"""Decide whether an alert resolves its incident. Pure.

A doubtful all-clear fires, because a missed alarm costs more than an extra notification.
"""

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from alertgate.accept.readings import is_measured
from alertgate.model import Json, Signal
from alertgate.words import RESOLVED_WORDS, read_signal, read_word


class SignalReason(StrEnum):
    """Why an alert fires or resolves its incident."""

    NO_STATUS = "no_status"  # it has no `status`
    SAYS_FIRING = "says_firing"  # no `status` in it is one of RESOLVED_WORDS
    SAYS_RESOLVED = "says_resolved"  # every `status` in it is one of RESOLVED_WORDS, and no alarm is on
    CONTRADICTED = "contradicted"  # doubtful: it has several `status`, also nested ones, and only some say resolved
    ALARM_IS_ON = "alarm_is_on"  # doubtful: it says resolved, but a field that names an alarm is on
    TOO_LARGE = "too_large"  # doubtful: it says resolved, and holds more than is searched for alarms
    EVENT_IS_ON = "event_is_on"  # doubtful: it says resolved, but its event names an alarm, and its data is on


class DecidedSignal(NamedTuple):
    """A signal with its reason. `alarm` is the word of ALARM_NAMES that made an all-clear doubtful."""

    signal: Signal
    reason: SignalReason
    alarm: str | None = None


MOST_VALUES = 4096
"""How many values of an all-clear are searched: reading their names takes 20 ms, in which nothing else is answered."""
MOST_LETTERS = 32_768
"""How many characters the names of its fields and its event may have together, for the same reason."""

LONGEST_KEPT = 64
"""Characters of a name whose meaning is kept in mind."""

ALARM_NAMES = frozenset(
    (
        *("alarm", "alert", "burglar", "burglary", "co", "emergency", "fire", "flood", "flooding", "gas"),
        *("gasleak", "glassbreak", "intruder", "intrusion", "leak", "leakage", "leaking", "moisture", "overflow"),
        *("overheat", "overheating", "panic", "sabotage", "smoke", "sos", "tamper", "tampered"),
        *("tampering", "water", "waterleak", "wet"),
    )
)
"""A field whose name contains one of these words names an alarm; so do `leaks`, `smokedetected` and `isleak`."""

SWITCHED_OFF = frozenset(
    (
        *("ack", "acked", "acknowledged", "armed", "available", "clear", "cleared", "closed", "disabled", "enabled"),
        *("ended", "finished", "gone", "last", "muted", "no", "non", "normal", "not", "off", "ok", "okay", "online"),
        *("over", "previous", "ready", "recovered", "reset", "resolved", "silenced", "stopped", "supported", "test"),
        *("tested", "was", "without"),
    )
)
"""Words in such a name that say that the alarm isn't on, as in `smoke_cleared`, `alarm_enabled` or `no_leak`."""

PLACES = frozenset({"pump", "supply", "valve", "zone"})

KINDS = PLACES | {
    *("count", "delay", "description", "duration", "id", "index", "label", "level", "location", "message", "name"),
    *("nr", "number", "room", "text", "time", "title", "type", "unit", "url", "version"),
}
"""Words after the alarm's that stop numbers and texts from counting, as in `alarm_id`; never `true`."""

PIPES = frozenset({"pump", "supply", "valve"})
"""Words with which `water` names no alarm: a `water_valve` may well be open."""

NOT_ON = RESOLVED_WORDS | {
    *("armed", "dry", "false", "idle", "inactive", "n/a", "no", "none", "off", "unknown"),
}
"""Texts of an alarm that isn't on. Any other text is on, but for numbers, which are readings."""

NAMING = frozenset({"alarm", "alert", "emergency"})
"""Words whose field often holds an alarm's name, as `{"alert": "Front door"}` does."""

ON_WORDS = frozenset(
    {"active", "detected", "firing", "high", "on", "open", "present", "triggered", "tripped", "true", "yes"}
)
"""The only texts that are on in such a field, besides ALARM_NAMES."""

NO_FIRING = frozenset({"charging", "connected", "idle", "online", "unknown"})
"""Values of a nested `status` that say nothing about an alarm."""

STATE_NAMES = frozenset({"active", "detected", "on", "present", "state", "status", "triggered", "value"})
"""Words in the name of a field that says whether the alarm around it is on, as in `{"smoke": {"state": "on"}}`."""

COUNTING = frozenset({"active", "count"})
"""Words with which an alarm's name says how many are on, as in `alarm_count`."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ALARM = re.compile(
    rf"(?:is|has)?({'|'.join(sorted(ALARM_NAMES, key=len, reverse=True))})(?:s|detected|alarms?|active|alerts?)?"
)


def decide_signal(statuses: Sequence[Json], said: Sequence[Json], event: str = "", data: Json = None) -> DecidedSignal:
    """Decide by all `status` values of an alert, by the other values in it, and by its event and its data."""
    signals = {signal for status in statuses if (signal := read_signal(status))}
    if not signals:
        return DecidedSignal(Signal.FIRING, SignalReason.NO_STATUS)
    if Signal.RESOLVED not in signals:
        return DecidedSignal(Signal.FIRING, SignalReason.SAYS_FIRING)
    if Signal.FIRING in signals:
        return DecidedSignal(Signal.FIRING, SignalReason.CONTRADICTED)
    return _search(said, event, data)


def _search(said: Sequence[Json], event: str, data: Json) -> DecidedSignal:
    """Decide about an alert whose own words all say resolved, by what else it holds."""
    if _is_large(said, event):
        return DecidedSignal(Signal.FIRING, SignalReason.TOO_LARGE)
    if any(_says_firing(value) for value in said):
        return DecidedSignal(Signal.FIRING, SignalReason.CONTRADICTED)
    if alarm := next((name for value in said for name in _alarms_on(value)), None):
        return DecidedSignal(Signal.FIRING, SignalReason.ALARM_IS_ON, alarm)
    if alarm := _alarm_of_event(event, data):
        return DecidedSignal(Signal.FIRING, SignalReason.EVENT_IS_ON, alarm)
    return DecidedSignal(Signal.RESOLVED, SignalReason.SAYS_RESOLVED)


def doubt(decided: DecidedSignal) -> str | None:
    """Return why an all-clear is doubtful, as a sentence for the alert's trail, or None if it isn't."""
    match decided.reason:
        case SignalReason.CONTRADICTED:
            return "fires, because one status says resolved and another one doesn't"
        case SignalReason.TOO_LARGE:
            return (
                "fires, because its status says resolved, but it holds too much to be searched for alarms that are on"
            )
        case SignalReason.ALARM_IS_ON:
            return f"fires, because its status says resolved, but a field named {decided.alarm} is on"
        case SignalReason.EVENT_IS_ON:
            return f"fires, because its status says resolved, but its event names {decided.alarm} and its data is on"
    return None


def _is_large(said: Sequence[Json], event: str) -> bool:
    """Return whether an alert holds more than MOST_VALUES or MOST_LETTERS."""
    left, seen, letters = [*said], 0, len(event)
    while left:
        value = left.pop()
        seen += 1
        if isinstance(value, dict):
            letters += sum(map(len, value))
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)
        if seen + len(left) > MOST_VALUES or letters > MOST_LETTERS:
            return True
    return False


class _Name(NamedTuple):
    """What a field's name means."""

    alarm: str | None
    """The word of ALARM_NAMES in it."""
    is_off: bool
    """It says that the alarm isn't on."""
    tells: bool
    """A number or a text under it may say that the alarm is on."""
    counts: bool
    """A number under it says how many alarms are on."""


def _alarms_on(value: Json, alarm: str | None = None, *, tells: bool = False, counts: bool = False) -> Iterator[str]:
    """Yield the alarms that are on in a JSON value.

    `alarm` is the alarm that the value's own field names, or an object around it. In such an object only `true`
    counts, because a field such as `channel` may be 1, unless its name contains one of STATE_NAMES.
    """
    if isinstance(value, dict):
        for key, item in value.items():
            name = _read_name(key)
            around = None if name.is_off else name.alarm or alarm
            yield from _alarms_on(item, around, tells=name.tells, counts=name.counts)
    elif isinstance(value, list):
        for item in value:
            yield from _alarms_on(item, alarm, tells=tells, counts=counts)
    elif alarm and (value is True or (tells and _is_on(value, alarm)) or (counts and _is_count(value))):
        yield alarm


def _says_firing(value: Json) -> bool:
    """Return whether a `status` at any depth is a text that doesn't say resolved."""
    if isinstance(value, list):
        return any(_says_firing(item) for item in value)
    if not isinstance(value, dict):
        return False
    return any(
        _says_firing(item)
        or (
            read_word(key) == "status"
            and read_signal(item) is Signal.FIRING
            and read_word(item) not in NO_FIRING | NOT_ON
        )
        for key, item in value.items()
    )


def _alarm_of_event(event: str, data: Json) -> str | None:
    """Return the alarm that an event's name ends with, as `kitchen/smoke` or `leakDetected` does, if its data is on."""
    words = [word.lower() for word in _WORD.findall(event)]
    last = next((word for word in reversed(words) if word not in STATE_NAMES and not word.isdigit()), "")
    is_on = data is True or (isinstance(data, int | float) and data == 1) or read_word(data) in {"1", "true", "on"}
    return _alarm_in(last) if is_on and not _read_name(event).is_off else None


def _read_name(name: str) -> _Name:
    """Return what a name means; those of most devices are few and short, and come again and again."""
    return _read_again(name) if len(name) <= LONGEST_KEPT else _read_first(name)


def _read_first(name: str) -> _Name:
    """Read a name such as `smokeDetected`, `SMOKE_DETECTED`, `smokedetected` or `leaks`."""
    words = [word.lower() for word in _WORD.findall(name)]
    forms = [{word, word.removesuffix("s")} for word in words]
    alarms = [_alarm_in(word) for word in words]
    named = {alarm for alarm in alarms if alarm}
    tells = [place for place, form in enumerate(forms) if alarms[place] or form & STATE_NAMES]
    every = set[str]().union(*forms)
    return _Name(
        alarm=None if named == {"water"} and every & PIPES else min(named, default=None),
        is_off=bool(every & SWITCHED_OFF),
        tells=bool(tells) and not any(_is_kind(words, place) for place in range(tells[-1] + 1, len(words))),
        counts=bool(named)
        and all(alarm or form & COUNTING for alarm, form in zip(alarms, forms, strict=True))
        and (bool(every & COUNTING) or words[-1] not in ALARM_NAMES),
    )


_read_again = lru_cache(4096)(_read_first)


def _alarm_in(word: str) -> str | None:
    """Return the alarm that a word is, or that it is a form of."""
    found = _ALARM.fullmatch(word)
    return found[1] if found else None


def _is_kind(words: list[str], place: int) -> bool:
    """Return whether a word of a name says what its numbers are; `zone 2` is a place."""
    forms = {words[place], words[place].removesuffix("s")}
    return bool(forms & KINDS) and not (forms & PLACES and "".join(words[place + 1 : place + 2]).isdigit())


def _is_on(value: Json, alarm: str) -> bool:
    """Return whether an alarm's scalar means on; numbers other than 1 are readings, with a unit too."""
    if isinstance(value, bool | int | float):
        return value == 1
    word = read_word(value)
    if word is None or word == "1":
        return word == "1"
    if alarm in NAMING:
        return word in ON_WORDS or _alarm_in(word) is not None
    return word not in NOT_ON and not is_measured(word)


def _is_count(value: Json) -> bool:
    """Return whether a value is a positive whole number, or the text of one, as forms send it."""
    if isinstance(value, str):
        return value.strip().isdecimal() and bool(value.strip().strip("0"))
    return isinstance(value, int | float) and value > 0 and value == value // 1
