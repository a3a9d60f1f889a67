"""The incident key: alerts with the same key belong to the same incident. Pure."""

import json
import re
from collections.abc import Mapping
from typing import NamedTuple

from alertgate.accept.fields import distinct
from alertgate.dedup import read_dedup_key
from alertgate.model import Json
from alertgate.words import RESOLVED_WORDS, values_of

PART_FIELDS = ("zone", "sensor", "door", "window", "room", "input", "channel", "probe")
"""Fields that name a part of a device, in the order in which they stand in the key."""

STATE_WORDS = RESOLVED_WORDS | {
    *("opened", "open", "close", "shut", "ajar", "locked", "unlocked", "on", "off", "wet", "dry", "high", "low"),
    *("alarm", "alert", "firing", "triggered", "tripped", "detected", "motion", "still", "active", "inactive", "idle"),
    *("up", "down", "online", "offline", "pressed", "released", "present", "absent", "armed", "disarmed", "start"),
    *("stop", "started", "stopped", "true", "false", "yes", "no", "none", "null", "nan", "unknown", "undefined"),
    *("error", "fault", "fail", "failed", "warning", "critical", "good", "bad", "fine", "empty", "full", "n/a", "test"),
}
"""Texts that say how a thing is, not which thing it is: `{"door": "open"}` is a reading of the only door."""

LARGEST_NUMBER = 255
"""The largest number that names a part, such as an input or a channel; larger ones are readings."""
LONGEST_PART = 128

_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?", re.ASCII)


def incident_key(kind: str, *parts: str) -> str:
    """Return an incident key; different parts never give the same key, whatever characters they contain."""
    return f"{kind}:{json.dumps(parts, separators=(',', ':'))}"


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
    named = ((field, next(map(_name, values_of(field, place)), None)) for field in PART_FIELDS)
    return tuple(text for field, name in named if name for text in (field, name))


def _name(value: Json) -> str | None:
    """Return a value as a name: trimmed text in one case, or a small whole number (`3.0` is `3`); else None."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = " ".join(str(value).split()).casefold()
    if _NUMBER.fullmatch(text):
        number = float(text)
        return str(int(number)) if number.is_integer() and 0 <= number <= LARGEST_NUMBER else None
    return distinct(text, LONGEST_PART) if text and text not in STATE_WORDS else None
