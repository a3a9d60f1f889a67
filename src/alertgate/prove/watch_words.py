"""What people read of the watch's incidents: their titles, and when each is over. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from alertgate.model import Incident, Source
from alertgate.own_events import WatchEvent
from alertgate.prove import trouble_words

TITLES: Mapping[str, str] = MappingProxyType(
    {
        WatchEvent.SILENT: "no sign of life",
        WatchEvent.FLAPPING: "goes away again and again",
        WatchEvent.BATTERY: "battery is low",
        WatchEvent.RESETS: "is reset again and again",
        WatchEvent.NO_WEBHOOKS: "many devices are silent",
    }
)
"""They stay the same for as long as an incident lasts: they stand in its subject."""
OVER: Mapping[str, str] = MappingProxyType(
    {
        WatchEvent.SILENT: "It is over with the next sign of life.",
        WatchEvent.FLAPPING: "It is over once the device stays for a day.",
        WatchEvent.BATTERY: "It is over once the battery is good again.",
        WatchEvent.RESETS: "It is over after a day without a reset.",
        WatchEvent.NO_WEBHOOKS: "It is over once devices are heard again.",
    }
)


def title(incident: Incident) -> str | None:
    """Return what one of the watch's incidents is about; None for any other."""
    return TITLES.get(incident.event) if incident.source is Source.WATCH else None


def lead(incident: Incident) -> str:
    """Return what is to be said first of what alertgate itself says: of the watch's incidents, how each ends."""
    found = OVER.get(incident.event) if incident.source is Source.WATCH else None
    return found or trouble_words.lead(incident.event)


def is_of_many(incident: Incident) -> bool:
    """Return whether it is about many devices; the one that it names stands only for the routes of all."""
    return incident.source is Source.WATCH and incident.event == WatchEvent.NO_WEBHOOKS
