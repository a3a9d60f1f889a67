"""Devices as people look for them: with their names, and what is expected of each."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import translate

from alertgate.device import Device, VitalsHour
from alertgate.model import Incident
from alertgate.policy.device_names import DeviceNames
from alertgate.policy.devices import DeviceRule, Expected, expected
from alertgate.store import Connection, device_lists, incidents
from alertgate.store.device_lists import Matches, WantedDevices
from alertgate.store.device_pages import Sought
from alertgate.store.pages import Wanted

MOST_INCIDENTS = 20
"""Of a device's incidents, the newest."""
MOST_HOURS = 2400
"""Of its vitals; a hundred days."""


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A device with its name, and what is expected of it."""

    device: Device
    name: str | None
    expected: Expected

    def silent_for(self, now: datetime) -> timedelta | None:
        """Return for how long it has given no sign of life; None if it never gave one."""
        seen = self.device.last_seen_at
        return max(now - seen, timedelta(0)) if seen else None


@dataclass(frozen=True, slots=True)
class DeviceStory:
    """A device, what it said of itself hour by hour, and its incidents, each newest first."""

    known: KnownDevice
    hours: Sequence[VitalsHour]
    incidents: Sequence[Incident]


class DeviceFinder:
    """Finds devices in the store, and knows what the policy says of them."""

    def __init__(self, names: DeviceNames, rules: Sequence[DeviceRule]) -> None:
        self._names = names
        self._by_id = {rule.pattern.lower(): rule for rule in rules if rule.is_id}
        self._globs = [rule for rule in rules if not rule.is_id]

    def page(
        self, connection: Connection, wanted: WantedDevices, after: str | None, limit: int, glob: str | None = None
    ) -> list[KnownDevice]:
        """Return the first `limit` devices that are wanted, in the order of their ids, or those after an id.

        `glob` is one over id and name, in which case doesn't matter.
        """
        matches = self._matcher(glob) if glob is not None else None
        return [self.known(each) for each in device_lists.page(connection, wanted, after, limit, matches)]

    def story(self, connection: Connection, device_id: str, since: datetime) -> DeviceStory | None:
        """Return one device with its hours since then; None if it isn't known."""
        found = device_lists.get(connection, device_id)
        if found is None:
            return None
        hours = device_lists.hours(connection, device_id, since, MOST_HOURS)
        of_device = incidents.page(connection, Wanted(device=device_id), None, MOST_INCIDENTS)
        return DeviceStory(self.known(found), hours, of_device)

    def containing(self, text: str) -> Sought:
        """Return what finds the devices whose id, which is in lower case, or whose name contains a text."""
        return Sought(text.casefold(), self._names.containing(text))

    def known(self, device: Device) -> KnownDevice:
        """Return a device with what is said of it elsewhere."""
        name, own = self._names(device.id), self._by_id.get(device.id.lower())
        rules = [own, *self._globs] if own else self._globs
        return KnownDevice(device, name, expected(rules, device.id, name))

    def _matcher(self, glob: str) -> Matches:
        fits = re.compile(translate(glob.casefold())).match

        def matches(device: str) -> bool:
            name = self._names(device)
            return bool(fits(device.casefold()) or (name and fits(name.casefold())))

        return matches
