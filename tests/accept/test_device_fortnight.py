"""A fortnight of 500 devices: exactly the incidents that a person would want, on both databases."""

from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from alertgate.device import VitalsHour
from alertgate.model import IncidentStatus
from alertgate.policy.devices import DeviceRule
from alertgate.store.engine import Store
from tests.accept.device_fleet import DAY, HOUR, MINUTE, Fleet, device_id, rule
from tests.fakes import START, FakeClock

COUNT = 500
CELLULAR = range(300, 500)
DEAD, DYING, FLAPPING, LOST, NEVER = 7, 33, 60, 301, 600
SLOTS = 40
"""How many of them speak at once: each device once a day, all within less than three hours."""
ALL = DeviceRule("*", expect_every=25 * HOUR, grace=4 * HOUR)
OUTAGES = (
    (CELLULAR, 3 * DAY, 3 * DAY + 12 * HOUR),  # a carrier's
    (range(COUNT), 6 * DAY, 6 * DAY + 12 * HOUR),  # the cloud's
)
DEAD_FROM = {DEAD: 1 * DAY, LOST: 3 * DAY}


def is_heard(number: int, at: timedelta) -> bool:
    """Return whether a device is heard if it speaks then."""
    is_dead = number in DEAD_FROM and at >= DEAD_FROM[number]
    return not is_dead and not any(number in who and begin <= at < end for who, begin, end in OUTAGES)


class Fortnight:
    """What happens, by the time since the start on clocks that are right."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.skew = timedelta(0)
        """By how much the gate's clock is ahead."""
        self.happens: dict[timedelta, list[Callable[[], None]]] = defaultdict(list)
        for day in range(14):
            for slot in range(SLOTS):
                at = day * DAY + HOUR + slot * 4 * MINUTE
                numbers = [number for number in range(slot, COUNT, SLOTS) if is_heard(number, at)]
                self.happens[at].append(partial(fleet.hear, *numbers))
            for hour in (0, 6, 12, 18):
                at = day * DAY + hour * HOUR + 7 * MINUTE
                self.happens[at].append(partial(self.drain, 60 - at / (14 * DAY) * 50))
        for day in (2, 5, 9):
            self.happens[day * DAY + 2 * MINUTE].append(self.restart)
        self.happens[8 * DAY + 5 * MINUTE].append(partial(self.clock_jumps, 3 * HOUR))
        self.happens[8 * DAY + 4 * HOUR + 5 * MINUTE].append(partial(self.clock_jumps, -3 * HOUR))
        for n in range(24):
            at = 10 * DAY + n * HOUR
            self.happens[at].append(partial(fleet.goes_offline, FLAPPING))
            self.happens[at + 11 * MINUTE].append(partial(fleet.hear, FLAPPING))

    def drain(self, charge: float) -> None:
        """Say how full a battery is."""
        now = self.fleet.clock.now()
        self.fleet.note(DYING, battery=round(charge, 1))
        hour = VitalsHour(f"{device_id(DYING)}@{now:%Y-%m-%dT%H:%M}", device_id(DYING), now, battery=charge)
        self.fleet.remember([hour])

    def restart(self) -> None:
        """Be away for a minute and a half."""
        self.fleet.clock.move(seconds=90)
        self.fleet.start()

    def clock_jumps(self, by: timedelta) -> None:
        """Set the gate's clock."""
        self.fleet.clock.time += by
        self.skew += by

    async def passes(self) -> None:
        """Let all of it happen."""
        for at, acts in sorted(self.happens.items()):
            to = START + at + self.skew
            if to > self.fleet.clock.now():
                await self.fleet.passes(to - self.fleet.clock.now())
            for act in acts:
                act()
            await self.fleet.look()


async def test_a_fortnight(store: Store) -> None:
    """Outages of a carrier and of the cloud, clock changes, restarts, a dying battery, a flapping and a dead device."""
    fleet = Fleet(store, FakeClock())
    fleet.expect(rule(DYING, battery=20), rule(NEVER, expect_every=DAY), ALL)
    await Fortnight(fleet).passes()
    told = [
        (each.event, each.device and int(each.device, 16), each.status is IncidentStatus.RESOLVED)
        for each in fleet.incidents()
    ]
    assert told == [
        ("device/silent", NEVER, False),
        ("device/silent", DEAD, False),
        ("gate/no-webhooks", None, True),  # the carrier's outage
        ("device/silent", LOST, False),  # which didn't come back with the others
        ("gate/no-webhooks", None, True),  # the cloud's
        ("device/flapping", FLAPPING, True),
        ("device/battery", DYING, False),
    ]
    said = [(each.message or "").splitlines()[0] for each in fleet.said()]
    assert len(said) == len(told) + 3, "each is said once, and the end of what is over"
    assert any(each.endswith("has said nothing since 2026-11-23 15:31; it should every 25 h.") for each in said)
    assert any(each.startswith("200 of 501 devices have said nothing since") for each in said)
    assert any(each.startswith("Nothing from Particle since 2026-11-28 17:39, 49") for each in said)
    assert any("battery at 19." in each and "about 6 days left at this pace" in each for each in said)
