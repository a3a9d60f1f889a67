"""A device, as the gate knows it: when it was last heard, what it said of itself, and how it stands."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from alertgate.model import Json


class DeviceState(StrEnum):
    """How a device stands, as far as somebody wants it watched."""

    UNKNOWN = "unknown"  # never heard of
    FINE = "fine"  # heard in time, or not watched
    LATE = "late"  # expected by now; its grace isn't over
    SILENT = "silent"  # its grace is over: it has an incident, alone or with others


@dataclass(frozen=True, slots=True)
class Device:
    """One device of Particle's."""

    id: str
    """Particle's id, in lower case."""
    first_seen_at: datetime | None = None
    last_seen_at: datetime | None = None
    """When its last sign of life was received: an event that it published after the one before. At most a minute old
    while it storms."""
    last_published_at: datetime | None = None
    """When that was published, if its clock can be right: what is older is no sign of life."""
    last_event: str | None = None
    events: int = 0
    """How many of its events were received, in so far as they were counted: once a minute at most."""
    offline_at: datetime | None = None
    """When the cloud noticed that it is away; None if it was heard since."""
    name: str | None = None
    """The name that a person gave it by the API; alertgate.toml and DEVICES come first."""
    product: str | None = None
    firmware: str | None = None
    state: DeviceState = DeviceState.UNKNOWN
    state_at: datetime | None = None
    """When that began."""
    watched_since: datetime | None = None
    """When it was first expected to say something; None while nobody expects that."""
    due_at: datetime | None = None
    """When the watch decides about it next; None if it needn't. Whoever stores news of it (a sign of life while it
    isn't fine, an outage, a reset, a battery's charge, a name) sets it to now."""
    silent_since: datetime | None = None
    """Since when it has said nothing, while it is silent."""
    told_at: datetime | None = None
    """When its silence became an incident of its own; None while it is none, or one with others."""
    flapping: bool = False
    """Whether that it goes away again and again has an incident."""
    resetting: bool = False
    """Whether its resets have an incident."""
    battery: float | None = None
    """Per cent; None if it isn't known."""
    battery_at: datetime | None = None
    battery_low: bool = False
    """Whether its battery has an incident."""
    strength: float | None = None
    """Of its signal, per cent."""
    quality: float | None = None
    """The same."""
    vitals: Json = field(default=None, repr=False)
    """The last that it said of itself, whole."""
    vitals_at: datetime | None = None
    outages: tuple[str, ...] = ()
    """When it went offline lately, as ISO times, the latest last."""
    resets: tuple[str, ...] = ()
    """When it was reset by a brown-out or a watchdog lately, as ISO times, the latest last."""
    gaps: Json = field(default=None, repr=False)
    """How long it was silent between two signs of life, over a fortnight (`devices --suggest`)."""

    @property
    def was_heard(self) -> bool:
        """Whether anything ever came from it, or was said of it by the cloud."""
        return self.first_seen_at is not None or self.last_seen_at is not None

    @property
    def is_told(self) -> bool:
        """Whether its silence has an incident of its own."""
        return self.told_at is not None


@dataclass(frozen=True, slots=True)
class VitalsHour:
    """What a device said of itself in one hour: the last of it."""

    id: str
    """The device's id and the hour, as `id@2026-11-25T03`: one row for each."""
    device: str
    at: datetime
    battery: float | None = None
    strength: float | None = None
    quality: float | None = None
    uptime: float | None = None
    """Seconds."""
    memory: float | None = None
    """Per cent of its memory that is used."""


@dataclass(frozen=True, slots=True)
class Downtime:
    """A time in which nobody watched: deadlines move by it."""

    id: str
    began_at: datetime
    ended_at: datetime
