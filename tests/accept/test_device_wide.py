"""Many devices that fall silent together are one incident, on both databases."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from alertgate.device import DeviceState
from alertgate.model import Signal
from alertgate.policy.devices import DeviceRule
from alertgate.policy.escalations import Escalation, Step
from alertgate.policy.matchers import Matcher
from alertgate.policy.policy import UTC
from alertgate.policy.routes import Route
from alertgate.store import device_watch as watch_rows
from alertgate.store.engine import Store
from tests.accept.device_fleet import DAY, HOUR, MINUTE, Fleet, device_id, rule
from tests.fakes import START, FakeClock

EVERY = timedelta(hours=1)
ALL = DeviceRule("*", expect_every=EVERY)
SILENT = "device/silent"
FREEZERS = range(10, 15)


@pytest.fixture
def fleet(store: Store) -> Fleet:
    """A fleet without devices."""
    return Fleet(store, FakeClock(), names={device_id(1): "Front door"})


async def test_many_that_fall_silent_together_are_one_incident(fleet: Fleet):
    """Five of twelve lose their power: one incident; one comes back, and five minutes later the four are told."""
    fleet.expect(ALL)
    fleet.hear(*range(12))
    await fleet.passes(50 * MINUTE)
    fleet.hear(*range(5, 12))
    await fleet.passes(40 * MINUTE)
    fleet.hear(*range(5, 12))
    assert fleet.open() == [("gate/no-webhooks", None)]
    [said] = fleet.said()
    assert "Overdue: 000000000000000000000000, 000000000000000000000002, " in (said.message or "")
    fleet.hear(0)
    await fleet.passes(4 * MINUTE)
    assert fleet.open() == [("gate/no-webhooks", None)]
    await fleet.passes(MINUTE)
    assert fleet.open() == [(SILENT, device_id(n)) for n in (1, 2, 3, 4)]
    for number in (1, 2, 3, 4):
        fleet.hear(number)
        await fleet.passes(10 * MINUTE)
    assert fleet.open() == []
    assert len(fleet.said()) == 2 + 4 + 4


async def test_who_doesnt_come_back_isnt_hidden_by_those_who_do(fleet: Fleet):
    """Ten lose their power, and come back every four minutes: after a quarter of an hour the others are told."""
    fleet.expect(DeviceRule("*", expect_every=15 * MINUTE))
    fleet.hear(*range(24))
    for _ in range(3):
        await fleet.passes(10 * MINUTE)
        fleet.hear(*range(10, 24))
    for number in range(4):
        assert fleet.open() == [("gate/no-webhooks", None)]
        fleet.hear(number, *range(10, 24))
        await fleet.passes(4 * MINUTE)
    assert [each for each in fleet.open() if each[0] == SILENT] == [(SILENT, device_id(n)) for n in range(4, 10)]


async def test_nothing_from_anybody_moves_the_deadlines(fleet: Fleet):
    """Where nobody was heard at all, who hasn't had its turn since isn't called silent; who is dead is told later."""
    fleet.expect(ALL)
    for number in range(12):  # each at its own time; the fifth is late within a minute of the first silence
        fleet.hear(number)
        await fleet.passes(4 * MINUTE)
    await fleet.passes(3 * HOUR)
    [(event, device)] = fleet.open()
    assert (event, device) == ("gate/no-webhooks", None)
    assert (fleet.said()[-1].message or "").startswith("Nothing from Particle since 14:47, 5 devices: ")
    for number in range(11):
        fleet.hear(number)
        await fleet.passes(4 * MINUTE)
    await fleet.passes(MINUTE)
    assert fleet.open() == []
    assert len(fleet.said()) == 2
    for _ in range(3):
        await fleet.passes(20 * MINUTE)
        fleet.hear(*range(11))
    assert fleet.open() == [(SILENT, device_id(11))]
    assert len(fleet.said()) == 3


@pytest.mark.parametrize("apart", [MINUTE, timedelta(0)])
async def test_an_outage_of_all_moves_deadlines_as_soon_as_it_is_over(fleet: Fleet, apart: timedelta):
    """However fast the others come back: who isn't due yet, but for the outage, isn't called silent meanwhile."""
    sleeper = 40
    fleet.expect(rule(sleeper, expect_every=EVERY, grace=MINUTE), DeviceRule("*", expect_every=15 * MINUTE))
    fleet.hear(*range(12), sleeper)
    await fleet.passes(54 * MINUTE)
    for number in range(12):
        fleet.hear(number)
        if apart:
            await fleet.passes(apart)
    await fleet.passes(START + 66 * MINUTE - fleet.clock.now())
    fleet.hear(*range(12), sleeper)
    await fleet.passes(MINUTE)
    assert fleet.open() == []
    [_, over] = fleet.said()
    assert (over.message or "").startswith("Devices are heard again since 14:57, after 54 min. ")


async def test_who_is_only_a_little_late_doesnt_make_a_silence_wide(fleet: Fleet):
    """A door dies while twelve sensors that sleep for a day are two minutes late, and have hours of grace."""
    fleet.expect(
        *[rule(number, expect_every=15 * MINUTE, grace=10 * MINUTE) for number in (1, 2)],
        DeviceRule("*", expect_every=DAY, grace=4 * HOUR),
    )
    fleet.hear(*range(10, 22))
    await fleet.passes(DAY - 23 * MINUTE)
    fleet.hear(1, 2)
    for _ in range(5):
        await fleet.passes(5 * MINUTE)
        fleet.hear(2)
    assert fleet.state(10) is DeviceState.LATE
    assert fleet.open() == [(SILENT, device_id(1))]


async def test_a_wide_silence_names_the_silent_before_the_late(fleet: Fleet):
    """Where nobody is heard at all, who is late counts, but what has been gone for longer is named first."""
    fleet.expect(ALL)
    fleet.hear(5)
    await fleet.passes(5 * MINUTE)
    fleet.hear(*range(5))
    await fleet.passes(2 * HOUR)
    [said] = fleet.said()
    assert f"Overdue: {device_id(5)}, {device_id(0)}, " in (said.message or "")


async def test_others_who_are_only_late_dont_end_a_wide_silence(fleet: Fleet):
    """They were heard all the time: that they speak says nothing of those that lost their power."""
    fleet.expect(ALL)
    fleet.hear(*range(20))
    await fleet.passes(50 * MINUTE)
    fleet.hear(*range(6, 20))
    await fleet.passes(50 * MINUTE)
    for _ in range(3):
        fleet.hear(*range(6, 20))
        await fleet.passes(62 * MINUTE)
    assert fleet.state(6) is DeviceState.LATE
    fleet.hear(*range(6, 20))
    await fleet.passes(30 * MINUTE)
    assert fleet.open() == [("gate/no-webhooks", None)]
    assert len(fleet.said()) == 1


async def test_who_falls_silent_later_is_told_beside_a_wide_silence(fleet: Fleet):
    """A wide silence that lasts for days swallows nobody else."""
    fleet.expect(ALL)
    fleet.hear(*range(12))
    for _ in range(6):
        await fleet.passes(50 * MINUTE)
        fleet.hear(*range(5, 12))
    assert fleet.open() == [("gate/no-webhooks", None)]
    for _ in range(3):
        await fleet.passes(50 * MINUTE)
        fleet.hear(*range(6, 12))
    assert fleet.open() == [(SILENT, device_id(5)), ("gate/no-webhooks", None)]


async def test_who_becomes_late_after_a_wide_silence_began_is_told_beside_it(fleet: Fleet):
    """Five lose their power, and three minutes later a leak sensor misses its day: it isn't one of them."""
    fleet.expect(DeviceRule(device_id(50), expect_every=DAY, grace=4 * HOUR), ALL)
    fleet.hear(50)
    await fleet.passes(DAY - 78 * MINUTE)
    fleet.hear(*range(5), *range(20, 32))
    await fleet.passes(50 * MINUTE)
    for _ in range(6):
        fleet.hear(*range(20, 32))
        await fleet.passes(50 * MINUTE)
    assert fleet.open() == [(SILENT, device_id(50)), ("gate/no-webhooks", None)]


async def test_that_nothing_comes_any_more_is_told_beside_a_wide_silence_of_some(fleet: Fleet):
    """Five lose their power, and a minute after that was told the line dies, too: that is another message."""
    fleet.expect(DeviceRule("*", expect_every=15 * MINUTE))
    fleet.hear(*range(18))
    await fleet.passes(14 * MINUTE)
    fleet.hear(*range(5, 18))
    await fleet.passes(4 * MINUTE)
    fleet.hear(*range(5, 18))
    await fleet.passes(DAY)
    first, *more = [(each.message or "").splitlines()[0] for each in fleet.said()]
    assert first == "5 of 18 devices have said nothing since 14:03; others have."
    assert [each.partition(", ")[0] for each in more] == ["Nothing from Particle since 14:21"]


async def test_a_second_wide_silence_is_one_message_too(fleet: Fleet):
    """Six that are long gone don't make everything that happens later a message for each device."""
    fleet.expect(ALL)
    fleet.hear(*range(24))
    for _ in range(6):
        await fleet.passes(50 * MINUTE)
        fleet.hear(*range(6, 24))
    assert fleet.open() == [("gate/no-webhooks", None)]
    for _ in range(3):
        await fleet.passes(25 * MINUTE)
        fleet.hear(*range(16, 24))
    await fleet.passes(25 * MINUTE)
    fleet.hear(*range(16, 24))
    assert fleet.open() == [("gate/no-webhooks", None)] * 2
    assert len(fleet.said()) == 2
    fleet.hear(*range(6, 24))
    await fleet.passes(6 * MINUTE)
    assert fleet.open() == [(SILENT, device_id(number)) for number in range(6)]
    fleet.hear(*range(6))
    await fleet.passes(MINUTE)
    assert fleet.open() == []


@pytest.mark.parametrize("speak", [0, 28])
async def test_a_line_that_fails_again_within_minutes_is_told_once_each_time(fleet: Fleet, speak: int):
    """Twelve go silent, return, and go silent again a minute later: two messages, whether or not others speak."""
    fleet.expect(DeviceRule("*", expect_every=MINUTE, grace=3 * MINUTE))
    gone, every = range(12), 12 + speak
    silent = [range(8, 40), range(44, 100)]
    fleet.hear(*range(every))
    for tick in range(100):  # a quarter of a minute each
        is_away = any(tick in each for each in silent)
        fleet.hear(*[n for n in range(every) if n % 4 == tick % 4 and not (is_away and n in gone)])
        await fleet.look()
        fleet.clock.move(seconds=15)
    assert fleet.open() == [("gate/no-webhooks", None)]
    assert [(each.event, each.signal) for each in fleet.said()] == [
        ("gate/no-webhooks", Signal.FIRING),
        ("gate/no-webhooks", Signal.RESOLVED),
        ("gate/no-webhooks", Signal.FIRING),
    ]


@pytest.mark.parametrize(
    ("by_device", "told"),
    [(True, {"home": None, "yard": device_id(4)}), (False, {"home": None})],
)
async def test_a_wide_silence_is_told_to_whom_the_single_ones_would_be(
    fleet: Fleet, by_device: bool, told: dict[str, str | None]
):
    """It takes the routes of `device/silent`: one incident for each escalation to which one of them would go."""
    yard = Route("yard", Matcher("device/*", device_id(4) if by_device else "shed"))
    rest = (Route("home", Matcher("device/silent")), Route("office"))
    steps = {name: Escalation(name, (Step(tuple(fleet.policy.people)),), UTC) for name in ("yard", "home", "office")}
    fleet.policy = replace(fleet.policy, routes=(yard, *rest), escalations=steps)
    fleet.expect(ALL)
    fleet.hear(*range(5))
    await fleet.passes(2 * HOUR)
    assert {json.loads(each.key.partition(":")[2])[1]: each.device for each in fleet.incidents()} == told
    fleet.hear(*range(5))
    await fleet.passes(MINUTE)
    assert fleet.open() == []


def routed(fleet: Fleet) -> None:
    """Send what is said of freezers to the kitchen, and all else to home."""
    steps = {name: Escalation(name, (Step(tuple(fleet.policy.people)),), UTC) for name in ("home", "kitchen")}
    routes = (Route("kitchen", Matcher("device/*", "freezer*")), Route("home"))
    fleet.policy = replace(fleet.policy, routes=routes, escalations=steps)
    fleet.names = {device_id(number): f"freezer {number}" for number in FREEZERS}


def told(fleet: Fleet) -> list[tuple[str, str]]:
    """Return what was told, and by which escalation, oldest first."""
    return [(fleet.escalation(each), each.event) for each in fleet.incidents()]


async def test_people_are_told_whose_devices_fall_silent_later_while_nobody_is_heard(fleet: Fleet):
    """The doors' people are told after minutes, and the freezers' once their hour is over: one message for all five."""
    routed(fleet)
    fleet.expect(DeviceRule("freezer*", expect_every=EVERY), DeviceRule("*", expect_every=15 * MINUTE))
    fleet.hear(*range(8), *FREEZERS)
    await fleet.passes(HOUR)
    assert told(fleet) == [("home", "gate/no-webhooks")]
    await fleet.passes(DAY)
    assert told(fleet) == [("home", "gate/no-webhooks"), ("kitchen", "gate/no-webhooks")]
    said = (fleet.said()[-1].message or "").splitlines()
    assert said[0].startswith("Nothing from Particle since 14:03, 13 devices: ")
    assert said[2] == "Overdue: freezer 10, freezer 11, freezer 12, freezer 13, freezer 14 and 8 more."
    fleet.hear(*range(8), *FREEZERS)
    await fleet.passes(MINUTE)
    assert fleet.open() == []
    assert len(fleet.said()) == 4


async def test_a_second_wide_silence_tells_nobody_again_of_the_first(fleet: Fleet):
    """The freezers are gone when the doors lose their power: the kitchen isn't told of that, and knows of its own."""
    routed(fleet)
    fleet.expect(ALL)
    fleet.hear(*range(5), *FREEZERS, *range(20, 30))
    for _ in range(3):
        await fleet.passes(50 * MINUTE)
        fleet.hear(*range(5), *range(20, 30))
    assert told(fleet) == [("kitchen", "gate/no-webhooks")]
    for _ in range(4):
        await fleet.passes(50 * MINUTE)
        fleet.hear(*range(20, 30))
    assert told(fleet) == [("kitchen", "gate/no-webhooks"), ("home", "gate/no-webhooks")]


async def test_people_are_told_of_one_device_of_theirs_beside_a_wide_silence_of_others(fleet: Fleet):
    """Five doors lose their power; a freezer dies five minutes later: to its people that is a silence of its own."""
    routed(fleet)
    fleet.expect(DeviceRule("*", expect_every=15 * MINUTE))
    fleet.hear(*range(5), *range(20, 30))
    await fleet.passes(5 * MINUTE)
    fleet.hear(FREEZERS[0])
    for _ in range(8):
        fleet.hear(*range(20, 30))
        await fleet.passes(5 * MINUTE)
    assert told(fleet) == [("home", "gate/no-webhooks"), ("kitchen", SILENT)]


async def test_what_falls_silent_after_a_person_resolved_a_wide_silence_is_told(fleet: Fleet):
    """Somebody resolves it after an hour, and nothing comes: who falls silent then is one message, and nobody twice."""
    fleet.expect(*[rule(n, expect_every=15 * MINUTE) for n in range(5)], DeviceRule("*", expect_every=2 * HOUR))
    fleet.hear(*range(20))
    await fleet.passes(HOUR)
    [wide] = fleet.incidents()
    fleet.resolve(wide)
    fleet.note(0, outages=(fleet.clock.now().isoformat(),))  # which has the watch look at it once more
    await fleet.passes(DAY)
    assert fleet.open() == [("gate/no-webhooks", None)]
    [_, again] = fleet.said()
    assert (again.message or "").startswith("Nothing from Particle since 14:03, 20 devices: ")


async def test_a_device_that_nobody_expects_doesnt_end_a_wide_silence(fleet: Fleet):
    """Somebody tries the webhook by hand with a device that doesn't exist: all that should speak are gone as before."""
    fleet.expect(*[rule(number, expect_every=15 * MINUTE) for number in range(10)])
    for number in range(10):
        fleet.hear(number)
        await fleet.passes(MINUTE)
    await fleet.passes(2 * HOUR)
    fleet.hear(999)
    await fleet.passes(HOUR)
    assert fleet.open() == [("gate/no-webhooks", None)]
    assert len(fleet.said()) == 1
    fleet.hear(*range(10))
    await fleet.passes(MINUTE)
    assert fleet.open() == []


@pytest.mark.parametrize(
    ("dead", "rest"),
    [
        (1, "One device that was told before still says nothing."),
        (2, "2 devices that were told before still say nothing."),
    ],
)
async def test_the_end_says_how_many_of_those_told_before_are_silent(fleet: Fleet, dead: int, rest: str):
    """Freezers that died hours before a wide silence aren't heard again with the others."""
    fleet.expect(ALL)
    fleet.hear(*range(20))
    for first in (dead, dead, dead, dead, 7, 7):
        await fleet.passes(50 * MINUTE)
        fleet.hear(*range(first, 20))
    fleet.hear(*range(dead, 7))
    await fleet.passes(7 * MINUTE)
    assert fleet.open() == [(SILENT, device_id(number)) for number in range(dead)]
    said = (fleet.said()[-1].message or "").replace("\n", " ")
    assert said == f"Devices are heard again since 19:03, after 50 min. {rest}"


async def test_those_told_just_before_are_counted_in_a_wide_silence(fleet: Fleet):
    """Four silences are told in five minutes, then it turns out that there are more: one incident tells of the rest."""
    fleet.expect(DeviceRule("*", expect_every=EVERY, grace=MINUTE))
    for number in range(8):
        fleet.hear(number)
        await fleet.passes(90 * timedelta(seconds=1))
    await fleet.passes(HOUR)
    singles = [each for each in fleet.open() if each[0] == SILENT]
    assert len(singles) == 3
    [wide] = [each for each in fleet.said() if each.event == "gate/no-webhooks"]
    assert "You were told of 3 of them before." in (wide.message or "")
    fleet.hear(*range(8))
    await fleet.passes(MINUTE)
    assert fleet.open() == []


async def test_an_end_by_other_expectations_doesnt_say_that_devices_are_heard(fleet: Fleet):
    """While nothing comes from anybody, somebody raises `expect_every`: no device is overdue by that."""
    fleet.expect(ALL)
    fleet.hear(*range(12))
    await fleet.passes(2 * HOUR)
    assert fleet.open() == [("gate/no-webhooks", None)]
    fleet.expect(DeviceRule("*", expect_every=DAY))
    await fleet.passes(MINUTE)
    assert fleet.open() == []
    assert fleet.said()[-1].message == "Nothing was heard of these devices, but what is expected of them has changed."


UNKNOWN_BEFORE = ("told", "returned")
"""What the version before didn't store of a wide silence."""


def store_wide(fleet: Fleet, *without: str, **also: object) -> None:
    """Change how the wide silence that lasts is stored."""
    found = fleet.watching()
    kept = {name: value for name, value in found.wide.items() if name not in without}
    with fleet.store.transaction() as connection:
        watch_rows.save_watching(connection, replace(found, wide={**kept, **also}))


@pytest.mark.parametrize(
    ("without", "also"),
    [((), {}), (UNKNOWN_BEFORE, {}), ((), {"told": {"everyone": "deleted"}})],
    ids=["same-version", "new-version", "incident-deleted-by-retention"],
)
async def test_a_restart_in_a_wide_silence_tells_nobody_again(
    fleet: Fleet, without: tuple[str], also: dict[str, object]
):
    """Six of twenty are gone for hours when the process starts again."""
    fleet.expect(ALL)
    fleet.hear(*range(20))
    for lap in range(8):
        if lap == 4:
            store_wide(fleet, *without, **also)
            fleet.start()
        await fleet.passes(30 * MINUTE)
        fleet.hear(*range(6, 20))
    assert fleet.open() == [("gate/no-webhooks", None)]
    assert len(fleet.said()) == 1


@pytest.mark.parametrize("returned", [1, 9])
async def test_an_update_as_devices_return_still_moves_deadlines(fleet: Fleet, returned: int):
    """The version before saw that nobody could be heard, and noted it only at the end: nobody is told anew."""
    fleet.expect(ALL)
    fleet.hear(*range(12))
    await fleet.passes(5 * HOUR)
    fleet.hear(*range(returned))
    now = fleet.clock.now().isoformat()
    store_wide(fleet, *UNKNOWN_BEFORE, is_total=True, quiet_until=now, heard_at=now, heard_last=now)
    fleet.start()
    for number in range(returned, 12):
        await fleet.passes(4 * MINUTE)
        fleet.hear(number)
    await fleet.passes(MINUTE)
    assert fleet.missed() == [5 * HOUR]
    assert fleet.open() == []
    assert len(fleet.said()) == 2
