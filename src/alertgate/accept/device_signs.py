"""What one event says of its device, and what is known of the device afterwards. Pure.

The order in which events arrive doesn't matter: they count in the order in which they were published, and each once.
"""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from alertgate import gaps
from alertgate.accept.fields import as_text, shortened
from alertgate.accept.vitals import Vitals, read_vitals, whole
from alertgate.clock import AHEAD
from alertgate.device import Device, DeviceState, VitalsHour
from alertgate.model import Alert, AlertStatus, Json, Source
from alertgate.policy.devices import OF_THE_CLOUD, STATUS
from alertgate.words import is_absent, read_word

NO_CLOCK = timedelta(days=1)
"""What was published longer ago than this was stamped by a clock that is wrong, and counts as of its receipt."""
LATELY = timedelta(days=1)
MOST_OUTAGES = 1000
"""How many are kept, of a day: as many as `flaps` may be."""
MOST_RESETS = 100
LONGEST_VERSION = 64
FIRMWARE = ("version", "fw_version", "firmware_version", "product_version")
"""What the version of the firmware is called: by Particle's whole event, by our template, and by others."""
PRODUCT = ("productID", "product_id")


class Presence(StrEnum):
    """What the cloud says of a device's connection."""

    UNSAID = "unsaid"
    ONLINE = "online"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Sign:
    """What one event says of its device."""

    device: str
    """Its id, in lower case."""
    at: datetime
    """When the event was received."""
    published_at: datetime
    """When it was published, or received if its clock can't be right."""
    event: str
    presence: Presence = Presence.UNSAID
    vitals: Vitals | None = None
    whole: Json = None
    """The vitals as they were sent."""
    firmware: str | None = None
    product: str | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it says only that the device lives."""
        return self.presence is Presence.UNSAID and self.vitals is None

    @property
    def began_at(self) -> datetime:
        """When what it says was so: not later than its receipt."""
        return min(self.published_at, self.at)

    def is_later(self, other: "Sign") -> bool:
        """Return whether it was published after another one; of two at the same time the first that was received."""
        if self.published_at != other.published_at:
            return self.published_at > other.published_at
        return (self.at, self.event) < (other.at, other.event)


def sign_of(alert: Alert, *, vitals: bool = False) -> Sign | None:
    """Return what an alert says of its device; None if it has none. `vitals`: its rule says that it is about that."""
    if alert.source is not Source.PARTICLE or not alert.device:
        return None
    sign = Sign(
        alert.device.lower(),
        alert.received_at,
        _published_at(alert),
        alert.event,
        firmware=_first(alert.fields, FIRMWARE),
        product=_first(alert.fields, PRODUCT),
    )
    if alert.status is AlertStatus.QUARANTINED or not (vitals or alert.event in OF_THE_CLOUD):
        return sign
    said = read_vitals(alert.event, alert.data)
    kept = whole(alert.event, alert.data) if said and not said.reset else None
    return replace(sign, presence=_presence(alert), vitals=said, whole=kept)


def _published_at(alert: Alert) -> datetime:
    published, received = alert.published_at, alert.received_at
    return published if published and received - NO_CLOCK <= published <= received + AHEAD else received


def _presence(alert: Alert) -> Presence:
    word = read_word(alert.data) if alert.event == STATUS else None
    return Presence(word) if word in (Presence.ONLINE, Presence.OFFLINE) else Presence.UNSAID


def _first(said: Mapping[str, Json], names: Sequence[str]) -> str | None:
    """Return the first of some fields that says something."""
    return next((text for name in names if (text := _version(said.get(name)))), None)


def _version(value: Json) -> str | None:
    text = None if is_absent(value) or isinstance(value, bool | dict | list) else as_text(value)
    return shortened(text.strip(), LONGEST_VERSION) if text else None


def fold(device: Device, sign: Sign, count: int = 1) -> Device:
    """Return what is known of a device after a sign that stands for `count` events."""
    before, device = device, _without_future(device, sign.at + AHEAD)
    news: dict[str, Any] = {}
    if sign.presence is Presence.OFFLINE:
        news = {"outages": _with(_without_own(device, sign), sign.began_at, MOST_OUTAGES)}
    elif _is_later(sign, device):
        news = _heard(device, sign)
    first = min(device.first_seen_at or sign.at, sign.at)
    after = replace(device, events=device.events + count, first_seen_at=first, **news)
    if sign.vitals:
        after = _with_vitals(after, sign.vitals, sign)
    if after.outages or after.offline_at:
        after = replace(after, offline_at=_offline_at(after))
    return _noticed(before, after, sign.at)


def _without_future(device: Device, now: datetime) -> Device:
    """Return a device without what was noted before our own clock was set back: nothing would be news beside it."""

    def known(at: datetime | None) -> datetime | None:
        return at if at and at <= now else None

    def all_known(times: Sequence[str]) -> tuple[str, ...]:
        return tuple(each for each in times if datetime.fromisoformat(each) <= now)

    return replace(
        device,
        offline_at=known(device.offline_at),
        battery_at=known(device.battery_at),
        vitals_at=known(device.vitals_at),
        outages=all_known(device.outages),
        resets=all_known(device.resets),
    )


def hour_of(sign: Sign) -> VitalsHour | None:
    """Return the row of a device's history that a sign makes; None if it has no reading."""
    said, at = sign.vitals, sign.began_at
    if said is None or not said.is_read:
        return None
    row_id = f"{sign.device}@{at:%Y-%m-%dT%H}"
    return VitalsHour(row_id, sign.device, at, said.battery, said.strength, said.quality, said.uptime, said.memory)


def _is_later(sign: Sign, device: Device) -> bool:
    """Return whether a sign was published after all that a device is known to have published."""
    published, seen = device.last_published_at, device.last_seen_at
    if published is None or seen is None or published > sign.at + AHEAD:
        return True  # that last one is in the future: our own clock was set back since
    return sign.is_later(Sign(device.id, seen, published, device.last_event or ""))


def _heard(device: Device, sign: Sign) -> dict[str, Any]:
    """Return what a sign of life changes of a device."""
    last, unknown = device.last_seen_at, device.state is DeviceState.UNKNOWN
    return {
        "last_seen_at": sign.at,
        "last_published_at": sign.published_at,
        "last_event": sign.event,
        "firmware": sign.firmware or device.firmware,
        "product": sign.product or device.product,
        "gaps": gaps.add(device.gaps, sign.at - last, sign.at) if last else device.gaps,
        "state": DeviceState.FINE if unknown else device.state,
        "state_at": sign.at if unknown else device.state_at,
    }


def _with_vitals(device: Device, said: Vitals, sign: Sign) -> Device:
    """Return a device with what it says of itself, unless something later is known."""
    at = sign.began_at
    if said.was_bad_reset:
        device = replace(device, resets=_with(device.resets, at, MOST_RESETS))
    if said.battery is not None and (device.battery_at is None or at >= device.battery_at):
        device = replace(device, battery=said.battery, battery_at=at)
    if sign.whole is None:
        return device
    newest = device.vitals_at is None or at >= device.vitals_at
    read = {name: value for name in ("strength", "quality") if (value := getattr(said, name)) is not None}
    device = replace(device, **{n: v for n, v in read.items() if newest or getattr(device, n) is None})
    return replace(device, vitals=sign.whole, vitals_at=at) if newest else device


def _without_own(device: Device, sign: Sign) -> Sequence[str]:
    """Return the outages before the cloud noticed one: without that of the silence, which the watch saw sooner."""
    last = device.last_published_at
    if device.state is not DeviceState.SILENT or last is None or sign.began_at <= last:
        return device.outages
    return [each for each in device.outages if each != last.isoformat()]


def _with(times: Sequence[str], at: datetime, most: int) -> tuple[str, ...]:
    """Return times with another one: those of a day, in order, the latest `most`."""
    every = {*map(datetime.fromisoformat, times), at}
    since = max(every) - LATELY
    return tuple(each.isoformat() for each in sorted(heapq.nlargest(most, (e for e in every if e > since))))


def _offline_at(device: Device) -> datetime | None:
    """Return when a device was first said to be offline after the last that it published."""
    every = [*map(datetime.fromisoformat, device.outages), *filter(None, [device.offline_at])]
    return min((at for at in every if device.last_published_at is None or at > device.last_published_at), default=None)


_DECIDES = ("offline_at", "outages", "battery", "resets")
"""What the watch decides by, beside the last sign of life."""


def _noticed(before: Device, after: Device, at: datetime) -> Device:
    """Return a device that the watch decides about at once, if there is something to decide."""
    is_new = before.first_seen_at is None
    is_back = before.state is not DeviceState.FINE and before.last_seen_at != after.last_seen_at
    if not is_new and not is_back and all(getattr(before, name) == getattr(after, name) for name in _DECIDES):
        return after
    return replace(after, due_at=min(after.due_at or at, at))
