"""The register and the watch on one store: what one of them holds, the other one doesn't take for silence."""

from datetime import timedelta

import pytest

from alertgate.accept.device_register import DeviceRegister
from alertgate.accept.device_signs import Sign
from alertgate.store.engine import Store
from tests.accept.device_fleet import MINUTE, Fleet, device_id, rule
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
