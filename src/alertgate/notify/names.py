"""What people call an incident's device, its part, and its event. Pure."""

import json
import re

from alertgate.model import Incident, Source
from alertgate.notify.render.text import one_line, short_ids, shorten
from alertgate.prove import watch_words
from alertgate.prove.trouble_words import title


def where(incident: Incident, device_name: str | None) -> str:
    """Return the device's name, or else its id, or else the alert's source; with the part of it, such as a door."""
    if incident.source is Source.ALERTGATE or watch_words.is_of_many(incident):
        return str(Source.ALERTGATE)
    name = one_line(device_name or incident.device or incident.source, 60)
    part = part_name(incident.key)
    return f"{name} ({one_line(part, 40)})" if part else name


_DIGEST = re.compile(r"#[0-9a-f]{64}")
"""What stands for the parts of a key that is too long."""


def part_name(key: str) -> str | None:
    """Return the part of a device that an incident key names (`accept.keys.event_key`), or None.

    A sender's own `dedup_key` is no name for people.
    """
    kind, _, parts = key.partition(":")
    try:
        _, _, *part = json.loads(parts) if kind in (Source.PARTICLE, Source.GENERIC) else (None, None)
    except (ValueError, TypeError):
        return None  # keys of the first versions are no JSON
    # What a rule says follows the word "key"; else each name follows its field.
    names: list[str] = part[1:] if part[:1] == ["key"] else part[1::2] if part[:1] != ["dedup_key"] else []
    return ", ".join(name for name in names if not _DIGEST.fullmatch(name)) or None


def event_name(incident: Incident) -> str:
    """Return the event's name, or the title of what alertgate itself says."""
    own = incident.source is Source.ALERTGATE
    watched = watch_words.title(incident)
    return one_line(title(incident.event, incident.device) if own else watched or incident.event, 80)


def in_short(incident: Incident, device_name: str | None) -> str:
    """Return how bad an incident is, where, and what it is, as a part of an answer's one line."""
    place = shorten(short_ids(where(incident, device_name)), 24)
    return f"{incident.severity.upper()} {place}: {shorten(event_name(incident), 30)}"
