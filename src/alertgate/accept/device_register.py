"""The register of devices, which fills itself: what accepted events say of their devices, in the same commit.

A device in a storm is written once a minute. What it says in between is held in memory, and written when the minute is
over; what tells more than that it lives is written at once. If the process dies, a minute's signs of life of such a
device are lost, and no alert.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta

from alertgate.accept.device_signs import Sign, fold, hour_of
from alertgate.clock import Clock
from alertgate.device import Device, DeviceState
from alertgate.errors import StoreError
from alertgate.store import Connection
from alertgate.store import devices as device_rows
from alertgate.store.engine import Store
from alertgate.store.undo import on_failure

APART = timedelta(minutes=1)
"""Between two writes of a device that only shows that it lives."""
SETTLE_EVERY = 10.0
"""Seconds between two looks for what was held for longer."""

Counted = tuple[Sign, int]
"""A sign, and for how many events it stands."""


@dataclass(slots=True)
class _Written:
    """When a device was written, and what it has said since."""

    at: datetime
    held: Sign | None = None
    count: int = 0

    def hold(self, sign: Sign) -> None:
        """Keep the later of two signs."""
        self.count += 1
        if self.held is None or sign.is_later(self.held):
            self.held = sign

    def is_recent(self, now: datetime) -> bool:
        """Return whether it needn't be written yet; it must be if the clock was set back by more than that."""
        return abs(now - self.at) < APART


class DeviceRegister:
    """Writes what signs say of devices. Only the writer's thread calls `record` and `settle_in`."""

    def __init__(self) -> None:
        self._written: dict[str, _Written] = {}
        """By device, the one that was written first at the front."""
        self._before: dict[str, _Written | None] = {}
        """How those were before the open transaction that it changes."""

    def record(self, connection: Connection, signs: Sequence[Sign]) -> None:
        """Store what these signs say, or hold it for the rest of a device's minute."""
        if not signs:
            return
        self._begin(connection)
        now = max(sign.at for sign in signs)
        due = self._over(now)
        for sign in signs:
            written = self._written.get(sign.device)
            if written and sign.is_plain and sign.device not in due and written.is_recent(sign.at):
                self._note(sign.device)
                written.hold(sign)
            else:
                due.setdefault(sign.device, []).extend([*self._taken(sign.device), (sign, 1)])
        self._write(connection, due, now)

    def settle_in(self, connection: Connection, now: datetime, *, every: bool) -> None:
        """Store what was held for a minute, or all that is held."""
        self._begin(connection)
        due = self._over(now)
        for device in [*self._written] if every else ():
            due.setdefault(device, []).extend(self._taken(device))
        self._write(connection, {device: signs for device, signs in due.items() if signs}, now)

    async def settle(self, store: Store, clock: Clock) -> None:
        """Store what was held for a minute. Raises StoreUnavailable."""
        if self._written:
            await store.write(lambda connection: self.settle_in(connection, clock.now(), every=False))

    async def close(self, store: Store, clock: Clock) -> None:
        """Store all that is held, if the store works."""
        if self._written:
            with suppress(StoreError):
                await store.write(lambda connection: self.settle_in(connection, clock.now(), every=True))

    def _begin(self, connection: Connection) -> None:
        """Have all be as it was if this transaction fails: what was taken from memory isn't stored then."""
        before: dict[str, _Written | None] = {}
        self._before = before
        on_failure(connection, lambda: self._restore(before))

    def _note(self, device: str) -> None:
        if device not in self._before:
            written = self._written.get(device)
            self._before[device] = written and copy(written)

    def _restore(self, before: Mapping[str, _Written | None]) -> None:
        found = {**self._written, **before}
        known = [(device, written) for device, written in found.items() if written]
        self._written = dict(sorted(known, key=lambda each: each[1].at))

    def _over(self, now: datetime) -> dict[str, list[Counted]]:
        """Return what devices said in their minutes that are over, and forget those."""
        found: dict[str, list[Counted]] = {}
        while self._written:
            device = next(iter(self._written))
            if self._written[device].is_recent(now):
                break
            if signs := self._taken(device):
                found[device] = signs
        return found

    def _taken(self, device: str) -> list[Counted]:
        """Return what a device has said since it was written, and forget that."""
        self._note(device)
        written = self._written.pop(device, None)
        return [(written.held, written.count)] if written and written.held else []

    def _write(self, connection: Connection, due: Mapping[str, Sequence[Counted]], now: datetime) -> None:
        if not due:
            return
        known = device_rows.learned(connection, due)
        changed: list[Device] = []
        for device_id, signs in due.items():
            device = known.get(device_id, Device(device_id))
            for sign, count in signs:
                device = fold(device, sign, count)
            changed.append(device)
            if device.offline_at is None and device.state is DeviceState.FINE:  # else its next sign ends something
                self._note(device_id)
                self._written[device_id] = _Written(now)
        device_rows.learn(connection, changed)
        hours = (hour_of(sign) for signs in due.values() for sign, _ in signs)
        device_rows.add_hours(connection, filter(None, hours))
