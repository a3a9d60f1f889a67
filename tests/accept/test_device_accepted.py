"""Whatever devices send, in whatever order it comes: the register and the watch say of them what the events say."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from alertgate.accept.intake import IntakeContext
from alertgate.accept.particle import understand
from alertgate.device import DeviceState
from alertgate.ids import Ids
from alertgate.model import Severity
from alertgate.policy.devices import DIAGNOSTICS, STATUS
from alertgate.rules import SeverityRules
from tests.accept.device_fleet import MINUTE, FleetLife, device_id
from tests.accept.device_fleet import rule as device_rule
from tests.builders import examples

DEVICES = range(3)
"""Too few for a wide silence."""
EVERY, WITHIN = 20 * MINUTE, 25 * MINUTE
HELD = timedelta(seconds=70)
"""A sign of life is held for so long at most."""
devices = st.sampled_from(DEVICES)
delays = st.sampled_from([0, 0, 0, 1, 7, 40, 200]).map(lambda minutes: minutes * MINUTE)


@dataclass
class Modelled:
    """What the events of a device say of it."""

    watched_since: datetime
    published_at: datetime | None = None
    """When the last that it published was, and when that came."""
    seen_at: datetime | None = None
    offline: tuple[datetime, ...] = ()
    battery: float | None = None
    battery_at: datetime | None = None

    def speaks(self, published_at: datetime, now: datetime) -> None:
        """Hear an event: it shows that the device lives unless a later one came before."""
        if self.published_at is None or published_at > self.published_at:
            self.published_at, self.seen_at = published_at, now

    @property
    def offline_at(self) -> datetime | None:
        """When it went away after all that it published."""
        return min((at for at in self.offline if self.published_at is None or at > self.published_at), default=None)

    def state(self, now: datetime) -> DeviceState:
        """Return how it stands."""
        since = max(self.seen_at or self.watched_since, self.watched_since)
        if self.offline_at and since < self.offline_at < since + EVERY:
            since = self.offline_at
        if now >= since + WITHIN:
            return DeviceState.SILENT
        if now >= since + EVERY:
            return DeviceState.LATE
        return DeviceState.FINE if self.seen_at else DeviceState.UNKNOWN


class Accepted(FleetLife):
    """Events are understood and recorded as they are when a webhook brings them."""

    def __init__(self) -> None:
        super().__init__()
        self.new_id = Ids(None)
        self.sent: list[tuple[int, Mapping[str, str]]] = []

    @initialize()
    def load(self) -> None:
        """Expect each device to speak."""
        self.fleet.expect(*(device_rule(n, expect_every=EVERY, flaps=1000) for n in DEVICES))
        self.loop.run_until_complete(self.fleet.look())
        self.model = {number: Modelled(self.fleet.clock.now()) for number in DEVICES}

    def _accept(self, body: Mapping[str, str]) -> None:
        now = self.fleet.clock.now()
        severities = SeverityRules((), Severity.WARNING)
        context = IntakeContext(self.new_id(now), now, severities, devices=self.fleet.policy.devices)
        understood = understand(json.dumps(body).encode(), "application/json", context)
        with self.store.transaction() as connection:
            self.fleet.recorder.record(connection, [understood])

    def _sends(self, number: int, event: str, data: str, delay: timedelta) -> datetime:
        """Have an event come that was published a while ago; return when."""
        self.fleet.clock.move(seconds=1)
        published_at = self.fleet.clock.now() - delay
        body = {"event": event, "data": data, "coreid": device_id(number), "published_at": published_at.isoformat()}
        self._accept(body)
        self.sent.append((number, body))
        return published_at

    @rule(number=devices, delay=delays, event=st.sampled_from(["door", "beat"]))
    def speaks(self, number: int, delay: timedelta, event: str) -> None:
        """A device publishes something, which may come late."""
        self.model[number].speaks(self._sends(number, event, "1", delay), self.fleet.clock.now())

    @rule(number=devices, delay=delays)
    def comes_online(self, number: int, delay: timedelta) -> None:
        """The cloud says that it is there."""
        self.model[number].speaks(self._sends(number, STATUS, "online", delay), self.fleet.clock.now())

    @rule(number=devices, delay=delays)
    def goes_offline(self, number: int, delay: timedelta) -> None:
        """The cloud says that it is away."""
        self.model[number].offline += (self._sends(number, STATUS, "offline", delay),)

    @rule(number=devices, delay=delays, charge=st.integers(1, 100))
    def says_how_it_is(self, number: int, delay: timedelta, charge: int) -> None:
        """Its diagnostics come: the newest reading of its battery counts."""
        data = {"device": {"power": {"battery": {"charge": charge}}}}
        published_at, found = self._sends(number, DIAGNOSTICS, json.dumps(data), delay), self.model[number]
        found.speaks(published_at, self.fleet.clock.now())
        if found.battery_at is None or published_at >= found.battery_at:
            found.battery, found.battery_at = charge, published_at

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def repeats(self, data: st.DataObject) -> None:
        """An event comes again: that shows nothing."""
        self.fleet.clock.move(seconds=1)
        number, body = data.draw(st.sampled_from(self.sent))
        if body["event"] != STATUS or body["data"] != "offline":
            self.model[number].speaks(datetime.fromisoformat(body["published_at"]), self.fleet.clock.now())
        self._accept(body)

    @rule(minutes=st.sampled_from([11, 5, 19, 26, 2, 90]))
    def time_passes(self, minutes: int) -> None:
        """Nothing comes for a while."""
        self._pass(HELD)
        self._pass(minutes * MINUTE - HELD)

    def _pass(self, time: timedelta) -> None:
        self.loop.run_until_complete(self.fleet.recorder.devices.settle(self.store, self.fleet.clock))
        self.loop.run_until_complete(self.fleet.passes(time))
        self.loop.run_until_complete(self.fleet.recorder.devices.settle(self.store, self.fleet.clock))

    @rule()
    def restarts(self) -> None:
        """A new process goes on."""
        self.loop.run_until_complete(self.fleet.recorder.devices.close(self.store, self.fleet.clock))
        self.fleet.start()

    @invariant()
    def each_device_stands_as_its_events_say(self) -> None:
        """What is held included: it is written as at the end of a process."""
        self.loop.run_until_complete(self.fleet.recorder.devices.close(self.store, self.fleet.clock))
        self.loop.run_until_complete(self.fleet.look())
        now = self.fleet.clock.now()
        for number, device in zip(DEVICES, self.fleet.devices([device_id(n) for n in DEVICES]), strict=True):
            model = self.model[number]
            said = (device.last_seen_at, device.last_published_at, device.offline_at, device.battery, device.state)
            state = model.state(now)
            assert said == (model.seen_at, model.published_at, model.offline_at, model.battery, state), number
        silent = [
            ("device/silent", device_id(n)) for n, each in self.model.items() if each.state(now) is DeviceState.SILENT
        ]
        assert self.fleet.open() == silent


Accepted.TestCase.settings = settings(
    max_examples=examples(12), stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
TestAccepted = Accepted.TestCase
