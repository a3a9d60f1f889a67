"""Decide about a device's battery, about its going away again and again, and about its resets. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from alertgate.device import Device, VitalsHour
from alertgate.policy.devices import Expected

DAY = timedelta(days=1)
RECOVERED = 10
"""How many per cent above its limit a battery must be before it isn't low any more."""
FULL = 100
RESETS = 3
"""Brown-outs and watchdog resets in a day that are an incident."""
GONE = DAY / 4
"""A device that comes and goes, and then is silent for so long, is gone."""
LEAST_ROWS = 24
LEAST_SPAN = timedelta(days=2)
"""A slope is seen only over so many hours with a reading, which lie so far apart."""
CHARGED = 5.0
"""Per cent by which a battery rises from one reading to the next only if it is charged or changed."""
FORTNIGHT = timedelta(days=14)
LONGEST_FORECAST = timedelta(days=365)


class HealthReason(StrEnum):
    """What changed about a device, and why."""

    BATTERY_LOW = "battery_low"
    BATTERY_GOOD = "battery_good"  # ten above the limit
    BATTERY_NOT_WATCHED = "battery_not_watched"
    FLAPPING = "flapping"  # it went away more often within a day than is told each time
    STEADY = "steady"  # it didn't go away for a day
    GONE = "gone"  # it doesn't come back any more: that is told as a silence
    FLAPPING_NOT_WATCHED = "flapping_not_watched"
    RESETTING = "resetting"  # three times within a day
    NO_RESETS = "no_resets"  # not for a day
    RESETS_NOT_WATCHED = "resets_not_watched"


def judge_battery(device: Device, expected: Expected) -> tuple[Device, HealthReason | None]:
    """Decide whether a battery is low. What isn't known changes nothing."""
    limit, charge = expected.battery, device.battery
    if device.battery_low and limit is None:
        return replace(device, battery_low=False), HealthReason.BATTERY_NOT_WATCHED
    if limit is None or charge is None:
        return device, None
    if not device.battery_low and charge < limit:
        return replace(device, battery_low=True), HealthReason.BATTERY_LOW
    if device.battery_low and charge >= min(limit + RECOVERED, FULL):
        return replace(device, battery_low=False), HealthReason.BATTERY_GOOD
    return device, None


def judge_flapping(device: Device, expected: Expected, now: datetime) -> tuple[Device, HealthReason | None]:
    """Decide whether a device goes away so often that each time needn't be told; only where its silence is watched."""
    lately = within_a_day(device.outages, now)
    if device.flapping and expected.every is None:
        return replace(device, flapping=False), HealthReason.FLAPPING_NOT_WATCHED
    if device.flapping and is_gone(device, now):
        # What it did before doesn't make it flap again as soon as it is back.
        return replace(device, flapping=False, outages=()), HealthReason.GONE
    if device.flapping and not lately:
        return replace(device, flapping=False), HealthReason.STEADY
    if not device.flapping and expected.every and len(lately) > expected.flaps:
        return replace(device, flapping=True), HealthReason.FLAPPING
    return device, None


def is_gone(device: Device, now: datetime) -> bool:
    """Return whether a device is silent for so long that nobody would say that it comes and goes."""
    return device.silent_since is not None and now - device.silent_since >= GONE


def judge_resets(device: Device, now: datetime, *, watched: bool) -> tuple[Device, HealthReason | None]:
    """Decide whether a device is reset too often; `watched`: a rule is about it."""
    lately = within_a_day(device.resets, now)
    if device.resetting and not watched:
        return replace(device, resetting=False), HealthReason.RESETS_NOT_WATCHED
    if device.resetting and not lately:
        return replace(device, resetting=False), HealthReason.NO_RESETS
    if not device.resetting and watched and len(lately) >= RESETS:
        return replace(device, resetting=True), HealthReason.RESETTING
    return device, None


def looks_again_at(device: Device, now: datetime) -> Iterable[datetime]:
    """Yield when what a day ends may be over."""
    if device.flapping and device.silent_since:
        yield device.silent_since + GONE
    for is_open, times in ((device.flapping, device.outages), (device.resetting, device.resets)):
        if is_open and (lately := within_a_day(times, now)):
            yield max(lately) + DAY


def within_a_day(times: Iterable[str], now: datetime) -> list[datetime]:
    """Return the times, as ISO texts, of the last day; one that lies ahead is none."""
    read = (_read(each) for each in times)
    return [at for at in read if at and now - DAY < at <= now]


def _read(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None


def forecast(hours: Sequence[VitalsHour], now: datetime) -> timedelta | None:
    """Return how long a battery lasts at the pace of the last fortnight; None if that shows no slope.

    Only readings since it was last charged or changed count.
    """
    lately = (each for each in hours if timedelta(0) <= now - each.at <= FORTNIGHT)
    read = [(each.at, each.battery) for each in lately if each.battery is not None]
    since = max((n for n in range(1, len(read)) if read[n][1] - read[n - 1][1] > CHARGED), default=0)
    read = read[since:]
    if len(read) < LEAST_ROWS or read[-1][0] - read[0][0] < LEAST_SPAN:
        return None
    times = [(at - now) / DAY for at, _ in read]
    charges = [charge for _, charge in read]
    middle, mean = sum(times) / len(times), sum(charges) / len(charges)
    spread = sum((time - middle) ** 2 for time in times)
    slope = sum((time - middle) * (charge - mean) for time, charge in zip(times, charges, strict=True)) / spread
    if slope >= 0 or read[-1][1] / -slope > LONGEST_FORECAST / DAY:
        return None
    return DAY * (read[-1][1] / -slope)
