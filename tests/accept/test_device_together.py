"""The register and the watch on one store: what one of them holds, the other one doesn't take for silence."""

from datetime import timedelta

import pytest

from alertgate.accept.device_register import DeviceRegister
from alertgate.accept.device_signs import Sign
from alertgate.accept.vitals import Vitals
from alertgate.store.engine import Store
from tests.accept.device_fleet import DAY, HOUR, MINUTE, Fleet, device_id, rule
from tests.fakes import START, FakeClock

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("phase", [0, 10, 20, 50])
@pytest.mark.parametrize(("every", "grace"), [(MINUTE, None), (MINUTE, SECOND), (2 * MINUTE, SECOND)])
async def test_a_device_whose_sign_of_life_is_held_isnt_silent(
    store: Store, every: timedelta, grace: timedelta | None, phase: int
):
    """A sign of life is held in memory for up to a minute; whoever watches meanwhile doesn't know of it."""
    fleet, register = Fleet(store, FakeClock()), DeviceRegister()
    fleet.expect(rule(1, expect_every=every, grace=grace))
    apart = int(every / SECOND) - 1
    for seconds in range(600):
        now = fleet.clock.time = START + seconds * SECOND
        if seconds % apart == phase or seconds == phase + 12:
            with store.transaction() as connection:
                register.record(connection, [Sign(device_id(1), now, now, "beat")])
        if seconds % 10 == 9:
            with store.transaction() as connection:
                register.settle_in(connection, now, every=False)
        if seconds % 5 == 0:
            await fleet.look()
    assert fleet.said() == []


async def test_a_clock_that_was_years_ahead_hides_no_battery_and_no_resets(store: Store):
    """Once it is right, both are told as if it had never been wrong, and so is the battery's pace."""
    fleet, register = Fleet(store, FakeClock()), DeviceRegister()
    fleet.clock.time = START + 1000 * DAY
    fleet.expect(rule(1, battery=20))

    def says(battery: float) -> None:
        now, said = fleet.clock.now(), Vitals(battery=battery, reset="watchdog")
        with store.transaction() as connection:
            register.record(connection, [Sign(device_id(1), now, now, "alive", vitals=said, whole={"bat": battery})])

    says(80)
    await fleet.look()
    fleet.clock.time = START
    await fleet.look()
    for hour in range(60):
        says(50 - hour * 0.6)
        await fleet.passes(HOUR)
    told = {each.event: (each.message or "").splitlines()[0] for each in fleet.said()}
    assert told["device/resets"].startswith(f"{device_id(1)} was reset 3 times within a day")
    assert told["device/battery"].endswith("battery at 19.4 %, below 20 %; about 1 day left at this pace.")
