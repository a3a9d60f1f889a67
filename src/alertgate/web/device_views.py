"""How devices are asked for, and look, in the API."""

from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from alertgate import gaps
from alertgate.device import Device, DeviceState, VitalsHour
from alertgate.model import Json
from alertgate.policy.references import LONGEST_NAME as LONGEST_DEVICE_NAME
from alertgate.policy.written import read_duration
from alertgate.prove.device_list import MOST_HOURS, DeviceStory, KnownDevice
from alertgate.setting_lists import DEVICE_ID
from alertgate.store.device_lists import WantedDevices
from alertgate.web.answers import AsciiJson, incident_views
from alertgate.web.queries import MOST, USUAL, By, Name, read_body
from alertgate.web.silence_views import Duration, Glob
from alertgate.web.views import IncidentView

WEEK = 7 * 24
"""Hours of vitals that are shown if nobody asks for more."""


class DeviceQuery(BaseModel):
    """The filters of the list of devices, and its pages."""

    model_config = ConfigDict(extra="forbid")

    state: DeviceState | None = Field(None, description="How it stands")
    device: Glob | None = Field(None, description="A glob over the device's id or name, in any case")
    product: str | None = Field(None, description="Particle's id of its product")
    silent_for: Duration | None = Field(
        None, description="No sign of life for at least this long: 90m, 2h, 1d12h; also those never heard"
    )
    battery_below: float | None = Field(None, ge=0, le=100, description="Its battery's charge is known, and lower")
    limit: int = Field(USUAL, ge=1, le=MOST, description="At most this many")
    cursor: str | None = Field(None, max_length=4000, description="`next` of the page before")

    def wanted(self, now: datetime) -> WantedDevices:
        """Return it as the store takes it, but for the glob."""
        silent_since = now - read_duration(self.silent_for) if self.silent_for else None
        return WantedDevices(
            state=self.state, silent_since=silent_since, battery_below=self.battery_below, product=self.product
        )


class StoryQuery(BaseModel):
    """How much of a device's history is wanted."""

    model_config = ConfigDict(extra="forbid")

    hours: int = Field(WEEK, ge=1, le=MOST_HOURS, description="Of its vitals, the last so many")


def _no_id(value: str) -> str:
    if DEVICE_ID.fullmatch(value):
        raise ValueError("is the id of a device: send what people call it")
    return value


class NameRequest(By):
    """What a device is called from now on, and who says so."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    _remedy: ClassVar[str] = 'Send {"name": "Front door"}, or {"name": null} to take the name away.'

    name: Annotated[Name, AfterValidator(_no_id)] | None = Field(
        min_length=1,
        max_length=LONGEST_DEVICE_NAME,
        description="What people call it; null takes the name away",
        examples=["Front door"],
    )

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Read a body. Raises Malformed, Invalid."""
        return read_body(cls, body, cls._remedy)


class DeviceView(BaseModel):
    """One device, as far as it is known."""

    id: str
    name: str | None = Field(description="By alertgate.toml, else by DEVICES, else `given_name`")
    given_name: str | None = Field(description="The name that somebody gave it by this API")
    state: str = Field(
        description="`unknown`: never heard. `fine`: heard in time, or not watched. `late`: expected by now. `silent`: "
        "its grace is over too"
    )
    state_at: datetime | None = Field(description="When that began")
    silent_since: datetime | None = Field(description="While it is silent: from when its time counted")
    flapping: bool = Field(description="Whether an incident says that it goes away again and again")
    resetting: bool = Field(description="Whether an incident says that it is reset again and again")
    first_seen_at: datetime | None
    last_seen_at: datetime | None = Field(description="Its last sign of life; of a device that storms, to the minute")
    silent_for: float | None = Field(description="Seconds since then")
    last_event: str | None
    last_published_at: datetime | None
    events: int = Field(description="How many of its events were counted, one a minute at most")
    offline_at: datetime | None = Field(description="When the cloud said that it is offline; null: heard since")
    expect_every: float | None = Field(description="Seconds within which alertgate.toml expects a sign of life")
    grace: float | None = Field(description="Seconds after which it is silent then")
    watched_since: datetime | None
    due_at: datetime | None = Field(description="When the watch decides about it next")
    product: str | None
    firmware: str | None
    battery: float | None = Field(description="Per cent; null: unknown")
    battery_at: datetime | None
    battery_low: bool = Field(description="Whether an incident says that its battery is low")
    strength: float | None = Field(description="Of its signal, per cent")
    quality: float | None = Field(description="Of its signal, per cent")
    vitals_at: datetime | None = Field(description="When it last said something of itself")


class DeviceList(BaseModel):
    """One page of devices, in the order of their ids."""

    items: list[DeviceView]
    next: str | None = Field(description="The `cursor` of the next page; null on the last one")


class HourView(BaseModel):
    """What a device said of itself last in one hour."""

    at: datetime
    battery: float | None
    strength: float | None
    quality: float | None
    uptime: float | None = Field(description="Seconds")
    memory: float | None = Field(description="Per cent that is used")


class PaceView(BaseModel):
    """How regularly a device spoke in the last fortnight: lengths of its silences, each a fifth too long at most."""

    silences: int = Field(description="How many there were between two signs of life")
    half: float | None = Field(description="Seconds that half of them don't exceed")
    most: float | None = Field(description="Seconds that 99 % of them don't exceed")
    longest: float | None = Field(description="Seconds that none exceeded")


class DeviceStoryView(BaseModel):
    """A device, with what it said of itself, and its incidents."""

    device: DeviceView
    vitals: Any = Field(description="The last that it said of itself, whole")
    pace: PaceView
    outages: list[datetime] = Field(description="When it went offline lately")
    resets: list[datetime] = Field(description="When a brown-out or a watchdog reset it lately")
    hours: list[HourView] = Field(description="Hour by hour, newest first; hours in which it said nothing are missing")
    incidents: list[IncidentView] = Field(description="The newest 20, newest first")


_SHOWN = [field.name for field in fields(Device) if field.name in DeviceView.model_fields]
_OF_HOUR = [field.name for field in fields(VitalsHour) if field.name not in {"id", "device"}]


def show_device(known: KnownDevice, now: datetime) -> AsciiJson:
    """Return a device as the API's answer."""
    return AsciiJson(_view(known, now))


def show_devices(page: Iterable[KnownDevice], next_cursor: str | None, now: datetime) -> AsciiJson:
    """Return a page of devices as the API's answer."""
    return AsciiJson({"items": [_view(each, now) for each in page], "next": next_cursor})


def show_story(story: DeviceStory, now: datetime) -> AsciiJson:
    """Return all that is known of a device as the API's answer."""
    device = story.known.device
    return AsciiJson(
        {
            "device": _view(story.known, now),
            "vitals": device.vitals,
            "pace": _pace(device.gaps, now),
            "outages": device.outages,
            "resets": device.resets,
            "hours": [{name: getattr(hour, name) for name in _OF_HOUR} for hour in story.hours],
            "incidents": incident_views(story.incidents),
        }
    )


def _pace(counted: Json, now: datetime) -> dict[str, float | None]:
    today = now.date()
    shares = {"half": 0.5, "most": 0.99, "longest": 1}
    found = {name: gaps.quantile(counted, share, today) for name, share in shares.items()}
    seconds = {name: length.total_seconds() if length else None for name, length in found.items()}
    return {"silences": gaps.number(counted, today), **seconds}


def _view(known: KnownDevice, now: datetime) -> dict[str, Any]:
    device, every, silent_for = known.device, known.expected.every, known.silent_for(now)
    return {
        **{name: getattr(device, name) for name in _SHOWN},
        "name": known.name,
        "given_name": device.name,
        "silent_for": silent_for.total_seconds() if silent_for is not None else None,
        "expect_every": every.total_seconds() if every else None,
        "grace": known.expected.grace.total_seconds() if every else None,
    }
