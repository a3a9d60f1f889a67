"""What alertgate.toml says of devices: their names, and what is expected of them. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from fnmatch import fnmatchcase

SHORTEST_GRACE = timedelta(minutes=1)
SOONEST = timedelta(seconds=150)
"""No device is silent sooner. Its last sign of life may be a minute older in the store than what was held beside it
(`accept/device_register.py`), and whatever came within another minute is held for as long, and up to ten seconds more.
"""
STATUS = "spark/status"
DIAGNOSTICS = "spark/device/diagnostics/update"
LAST_RESET = "spark/device/last_reset"
OF_THE_CLOUD = frozenset({STATUS, DIAGNOSTICS, LAST_RESET})
"""What Particle's cloud says of a device: of one that has a table of its own, it goes to the device alone."""
FLAPS = 6
"""Outages in a day that are told each by itself, unless a rule says another number."""
_ID = re.compile(r"[0-9a-f]{24}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class DeviceRule:
    """One `[devices."…"]` table: of a device's id, or of a glob over names and ids in which case doesn't matter."""

    pattern: str
    name: str | None = None
    expect_every: timedelta | None = None
    grace: timedelta | None = None
    battery: int | None = None
    """Per cent below which its battery is low."""
    flaps: int | None = None
    """Outages in a day before they are one incident."""

    @property
    def is_id(self) -> bool:
        """Whether it is for one device."""
        return _ID.fullmatch(self.pattern) is not None

    def matches(self, device: str, name: str | None) -> bool:
        """Return whether it is about a device."""
        if self.is_id:
            return device.lower() == self.pattern.lower()
        glob = self.pattern.casefold()
        return any(fnmatchcase(each.casefold(), glob) for each in (name, device) if each)


@dataclass(frozen=True, slots=True)
class Expected:
    """What is expected of one device, by all rules that match it."""

    every: timedelta | None = None
    grace: timedelta = SHORTEST_GRACE
    battery: int | None = None
    flaps: int = FLAPS
    named: bool = False
    """Whether a rule names it by its id: then what the cloud says of it goes to the device, and raises no alert."""

    @property
    def within(self) -> timedelta | None:
        """After what time without a sign of life it is silent."""
        return max(self.every + self.grace, SOONEST) if self.every else None


def expected(rules: Sequence[DeviceRule], device: str, name: str | None) -> Expected:
    """Return what is expected of a device: of each key the first that says it, its id's own table before globs."""
    found = DeviceRule(device)
    for rule in _about(rules, device, name):
        unset = {each.name for each in fields(found) if each.name != "pattern" and getattr(found, each.name) is None}
        found = replace(found, **{key: getattr(rule, key) for key in unset})
    grace = found.grace
    if grace is None:
        grace = max((found.expect_every or timedelta(0)) / 4, SHORTEST_GRACE)
    flaps = FLAPS if found.flaps is None else found.flaps
    return Expected(found.expect_every, grace, found.battery, flaps, is_named(rules, device))


def _about(rules: Sequence[DeviceRule], device: str, name: str | None) -> Iterator[DeviceRule]:
    yield from (rule for rule in rules if rule.is_id and rule.matches(device, name))
    yield from (rule for rule in rules if not rule.is_id and rule.matches(device, name))


def is_named(rules: Sequence[DeviceRule], device: str | None) -> bool:
    """Return whether a rule names a device by its id: what the cloud says of it goes to the device alone."""
    sought = (device or "").lower()
    return any(rule.pattern.lower() == sought and rule.is_id for rule in rules)


def name_of(rules: Sequence[DeviceRule], device: str) -> str | None:
    """Return the name that a device's own table gives it."""
    return next((rule.name for rule in rules if rule.is_id and rule.name and rule.matches(device, None)), None)
