"""The incident key: alerts with the same key belong to the same incident. Pure."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from alertgate.accept.fields import distinct
from alertgate.accept.readings import is_reading
from alertgate.dedup import read_dedup_key
from alertgate.model import Json
from alertgate.words import RESOLVED_WORDS, folded, values_by_name

PART_FIELDS = ("zone", "sensor", "door", "window", "room", "input", "channel", "probe")
"""Fields that name a part of a device, in the order in which they stand in the key."""

STATE_WORDS = RESOLVED_WORDS | {
    *("open", "close", "shut", "ajar", "on", "off", "up", "down", "wet", "dry", "high", "low", "broken", "frozen"),
    *("alarm", "alert", "firing", "motion", "still", "active", "inactive", "idle", "online", "offline", "lost"),
    *("present", "absent", "occupied", "vacant", "start", "stop", "true", "false", "yes", "no", "none", "null"),
    *("unknown", "undefined", "error", "fault", "fail", "warning", "critical", "good", "bad", "fine", "empty", "full"),
    *("n/a", "test"),
}
"""Words that say how a thing is, not which thing it is: `{"door": "open"}` is a reading of the only door."""

_STATE_VERB = re.compile(
    r"(?:un|de|dis|re)?(?:activat|arm|block|charg|clear|clos|connect|detect|enabl|engag|fail|flood|freez|jamm|latch|leak"
    r"|lock|mov|open|overflow|overheat|plugg|press|recover|releas|resolv|restor|runn|start|stopp|tamper|tilt|trigger"
    r"|tripp|vibrat)(?:ed|ing)"
)
"""Verbs whose forms say how a thing is, as `unlatched` and `closing` do. Not `heat`, `light` or `park`: a heating is a
thing, and a parking a place."""
STATE_FILLERS = frozenset(
    (
        *("is", "are", "was", "has", "been", "not", "now", "just", "very", "too", "fully", "partly", "half", "wide"),
        "battery",
    )
)
"""Words that say nothing of their own beside a state: `is open`, `low battery`."""

LARGEST_NUMBER = 255
"""The largest number that names a part, such as an input or a channel; larger ones are readings."""
LONGEST_PART = 128
LONGEST_KEY = 1000
"""Characters of a whole key. They are ASCII, and so bytes: a row of PostgreSQL's indexes has room for 2,704."""

_encode = json.JSONEncoder(separators=(",", ":")).encode
_WHOLE_NUMBER = re.compile(r"(\d+)(?:\.0+)?", re.ASCII)
_WORD = re.compile(r"[^\s_:;,.!-]+")


def incident_key(kind: str, *parts: str) -> str:
    """Return an incident key; different parts never give the same key, whatever characters they contain."""
    return bounded_key(kind, *parts)


def bounded_key(kind: str, *parts: str) -> str:
    """Return a text that stands for these parts and no others, and that an index has room for.

    In a long key a digest of all parts stands for those that don't fit.
    """
    key = _joined(kind, parts)
    if len(key) <= LONGEST_KEY:
        return key
    digest = f"#{hashlib.sha256(key.encode()).hexdigest()}"
    shortened = (_joined(kind, (*parts[:kept], digest)) for kept in range(len(parts), -1, -1))
    return next(key for key in shortened if len(key) <= LONGEST_KEY)


def _joined(kind: str, parts: Sequence[str]) -> str:
    return f"{kind}:{_encode(parts)}"


class EventKey(NamedTuple):
    """The incident key of an event; if it names a part, with the key of its device and event as a whole."""

    key: str
    whole: str | None = None


def event_key(kind: str, device: str, event: str, part: tuple[str, ...]) -> EventKey:
    """Return the key of a part of a device and event."""
    whole = incident_key(kind, device, event)
    return EventKey(incident_key(kind, device, event, *part), whole) if part else EventKey(whole)


def parts_prefix(whole: str) -> str:
    """Return how the keys of all parts begin; the key of the whole doesn't."""
    return f"{whole.removesuffix(']')},"


def shared_key(whole: str) -> str:
    """Return the key that the parts beyond MOST_PARTS share."""
    return f"parts-of-{whole}"


def part_of(*places: Json) -> tuple[str, ...]:
    """Return what tells the parts of one device and event apart, as pairs of field and name; empty if nothing does.

    That is the first `dedup_key` in these JSON objects, or else all of PART_FIELDS in the first one that has any.
    """
    if key := read_dedup_key(*places):
        return ("dedup_key", distinct(key, LONGEST_PART))
    return next((part for place in places if isinstance(place, Mapping) and (part := _named(place))), ())


def _named(place: Mapping[str, Json]) -> tuple[str, ...]:
    values = values_by_name(place, PART_FIELDS)
    named = ((field, _name(values[field][0], field)) for field in PART_FIELDS if field in values)
    return tuple(text for field, name in named if name for text in (field, name))


def _name(value: Json, field: str) -> str | None:
    """Return a field's value as a name: trimmed text in one case, or a small whole number (`3.0` is `3`); else None."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = folded(str(value))
    if whole := _WHOLE_NUMBER.fullmatch(text):
        digits = whole[1].lstrip("0") or "0"
        return digits if len(digits) <= len(str(LARGEST_NUMBER)) and int(digits) <= LARGEST_NUMBER else None
    return None if not text or is_reading(text) or _is_state(text, field) else distinct(text, LONGEST_PART)


def _is_state(text: str, field: str) -> bool:
    """Return whether a text says nothing but how a thing is: `open`, `is open`, `unlatched`, `door open` of a door."""
    if text in STATE_WORDS:
        return True
    words = _WORD.findall(text)
    if words[:1] == [field]:
        del words[0]
    said = [word for word in words if word not in STATE_FILLERS]
    return bool(said) and all(word in STATE_WORDS or _STATE_VERB.fullmatch(word) for word in said)
