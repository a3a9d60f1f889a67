"""Whatever the order of signs of life, downtimes, clock changes and reloads: silent is who didn't speak in time."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from alertgate.accept.device_watch import AWAY
from alertgate.model import Source
from alertgate.policy.devices import SHORTEST_GRACE
from tests.accept.device_fleet import MINUTE, FleetLife, device_id
from tests.accept.device_fleet import rule as device_rule
from tests.builders import examples

DEVICES = range(4)
"""Too few for a wide silence."""
PERIODS = st.sampled_from([10, 20, 60, 120]).map(lambda minutes: minutes * MINUTE)
devices = st.sampled_from(DEVICES)


@dataclass
class Modelled:
    """What a person would say of a device: for how long nobody heard it, while somebody listened."""

    every: timedelta | None = None
    quiet: timedelta | None = None
    """None: it was never heard, nor expected to be."""
    until_offline: timedelta = timedelta(0)

    @property
    def is_silent(self) -> bool:
        """Whether its grace is over."""
        if self.every is None or self.quiet is None:
            return False
        return self.quiet - self.until_offline >= self.every + max(self.every / 4, SHORTEST_GRACE)


class Watched(FleetLife):
    """The watch on a real store beside the model."""

    def __init__(self) -> None:
        super().__init__()
        self.model = {number: Modelled() for number in DEVICES}
        self.was_set_back = False
        self.told_away: list[timedelta] = []

    def look(self) -> None:
        """Let the watch look."""
        self.loop.run_until_complete(self.fleet.look())

    @initialize(every=PERIODS)
    def load(self, every: timedelta) -> None:
        """Begin with two devices that are expected to speak."""
        self.reload(0, every)
        self.reload(1, every)

    @rule(minutes=st.sampled_from([47, 13, 5, 26, 61, 130, 1]))
    def time_passes(self, minutes: int) -> None:
        """Somebody listens, and hears nothing."""
        self.loop.run_until_complete(self.fleet.passes(minutes * MINUTE))
        for each in self.model.values():
            if each.quiet is not None:
                each.quiet += minutes * MINUTE

    @rule(number=devices)
    def speaks(self, number: int) -> None:
        """A device speaks, and the watch looks some seconds later."""
        self.fleet.hear(number)
        self.model[number].quiet, self.model[number].until_offline = timedelta(0), timedelta(0)
        self.look()

    @rule(number=devices)
    def speaks_between_two_looks(self, number: int) -> None:
        """A device speaks, and something else happens before the watch looks."""
        self.fleet.hear(number)
        self.model[number].quiet, self.model[number].until_offline = timedelta(0), timedelta(0)

    @precondition(lambda self: any(each.quiet for each in self.model.values()))
    @rule(number=devices)
    def goes_offline(self, number: int) -> None:
        """The cloud notices that a device is away: from then on its time counts, if it wasn't late before."""
        found = self.model[number]
        if found.quiet is None or found.until_offline:
            return
        self.fleet.note(number, offline_at=self.fleet.clock.now())
        if found.every is None or found.quiet < found.every:
            found.until_offline = found.quiet
        self.look()

    @rule(minutes=st.sampled_from([47, 13, 5, 26, 61, 250, 1]))
    def nobody_watches(self, minutes: int) -> None:
        """The service is down, or the clock is set forward: the watch starts again."""
        self.look()
        self.fleet.clock.time += minutes * MINUTE
        self.fleet.start()
        self.look()
        if minutes * MINUTE >= AWAY:
            self.told_away.append(minutes * MINUTE)

    @precondition(lambda self: not self.was_set_back)
    @rule(hours=st.sampled_from([3, 1, 5]))
    def set_back(self, hours: int) -> None:
        """The clock is set back, once: a time between two stamps would be both of them."""
        self.look()
        self.was_set_back = True
        self.fleet.clock.set_back(hours=hours, seconds=7)
        self.look()

    @rule(number=devices, every=st.none() | PERIODS)
    def reload(self, number: int, every: timedelta | None) -> None:
        """Something else is expected of a device than before."""
        self.look()
        found = self.model[number]
        if found.every is None and every:
            found.quiet, found.until_offline = timedelta(0), timedelta(0)
        if every != found.every and found.until_offline:
            return  # whether it was late when the cloud noticed would be judged anew
        found.every = every
        wanted = [device_rule(n, expect_every=each.every, flaps=1000) for n, each in self.model.items() if each.every]
        self.fleet.expect(*wanted)
        self.look()

    @invariant()
    def the_silent_have_incidents(self) -> None:
        """Who is silent has an open incident; who spoke in time has none."""
        self.look()
        silent = [("device/silent", device_id(n)) for n, each in self.model.items() if each.is_silent]
        assert [each for each in self.fleet.open() if each[0] == "device/silent"] == silent

    @invariant()
    def each_time_away_is_told_once(self) -> None:
        """No other time is. After the clock was set back, they aren't stored in their order."""
        said = [each.data for each in self.fleet.said(Source.ALERTGATE)]
        times = [datetime.fromisoformat(each["until"]) - datetime.fromisoformat(each["since"]) for each in said]
        assert sorted(times) == sorted(self.told_away)


Watched.TestCase.settings = settings(
    max_examples=examples(30), stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestWatched = Watched.TestCase
