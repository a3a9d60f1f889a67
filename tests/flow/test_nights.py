"""What a night holds is told at its end, whatever comes between: silences, restarts, downtimes, floods."""

from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import datetime, time

import pytest

from alertgate.policy.policy import Policy, Told
from alertgate.policy.schedules import Schedule, Turn
from tests.flow.household import BERLIN, MINUTE, Household, escalation, household, person, policy, route, step

OWNER = person("owner", "22:30-06:30")
NIGHT = policy((OWNER,), (escalation("home", step("owner")),))
OVER = {"status": "resolved"}


def berlin(day: int, hour: int, minute: int = 0) -> datetime:
    """Return a time of November 2026, of which the 23rd is a Monday."""
    return datetime(2026, 11, day, hour, minute, tzinfo=BERLIN)


async def silence_the_morning(home: Household, *, ahead: bool) -> None:
    """Silence everything from 06:00 to 08:00 of the 24th: planned ahead, or once it has begun."""
    if ahead:
        await home.silence("2h", begins_at=berlin(24, 6).isoformat())
        return
    home.clock.time = berlin(24, 6)
    assert await home.heard() == []
    await home.silence("2h")


@pytest.mark.parametrize("ahead", [True, False])
async def test_a_silence_of_the_morning_drops_nothing_of_the_night(make_settings, database, ahead):
    """A leak that came and went before the silence began is told after it, and both times that it did."""
    async with household(make_settings, NIGHT, berlin(23, 21), database) as home, home.running():
        if ahead:
            await silence_the_morning(home, ahead=True)
        for minute in (0, 40):
            home.clock.time = berlin(24, 2, minute)
            await home.says("water")
            home.clock.time = berlin(24, 2, minute + 10)
            await home.says(OVER)
        if not ahead:
            await silence_the_morning(home, ahead=False)
        home.clock.time = berlin(24, 7, 59)
        assert await home.heard() == []
        [told] = await home.sleeps(2)
        assert told.startswith("owner: RESOLVED 2 alerts in one message: they were held until now")


async def test_a_reopening_of_the_night_is_told_after_a_silence(make_settings):
    """Whoever knew that the leak was over hears that it came back and went again while they slept."""
    async with household(make_settings, NIGHT, berlin(23, 22, 27), {}) as home, home.running():
        await home.says("water")
        home.clock.move(minutes=1)
        await home.says(OVER)
        assert len(await home.heard()) == 1
        home.clock.time = berlin(23, 22, 31)
        await home.says("water")
        home.clock.move(minutes=10)
        await home.says(OVER)
        assert await home.heard() == []
        await silence_the_morning(home, ahead=False)
        home.clock.time = berlin(24, 8, 1)
        [told] = await home.heard()
        assert told.startswith("owner: RESOLVED")


async def test_what_the_mail_server_refused_before_a_silence_is_told_after_it(make_settings):
    """The leak was over before the silence began, and its owner has heard nothing yet."""
    house = policy((person("owner"),), (escalation("home", step("owner")),))
    async with household(make_settings, house, berlin(24, 2), {}) as home, home.running():
        home.sink.answer("RCPT", *["451 4.3.0 later"] * 12)
        await home.says("water")
        assert await home.passes(5) == []
        await home.says(OVER)
        await home.heard()
        await home.silence("1h")
        home.sink.script.clear()
        assert await home.passes(59) == []
        [told] = await home.passes(20)
        assert told.startswith("owner: RESOLVED")


async def test_what_comes_and_goes_in_a_silence_of_the_night_stays_untold(make_settings):
    """The silence ends before the night does; nobody needs to hear of it in the morning."""
    async with household(make_settings, NIGHT, berlin(23, 22), {}) as home, home.running():
        await home.silence("4h")
        await home.says("water")
        home.clock.move(minutes=5)
        await home.says(OVER)
        home.clock.time = berlin(24, 2, 1)
        assert await home.heard() == []
        home.clock.time = berlin(24, 6, 31)
        assert await home.heard() == []


@pytest.mark.parametrize("news", ["got worse", "nobody has it"])
async def test_a_silence_that_is_ended_in_the_evening_keeps_nothing_until_the_morning(make_settings, database, news):
    """It was to last into the night; whoever is still awake hears what it held as it is ended."""
    house = policy((person("owner", "22:30-06:30", unless=None),), tuple(NIGHT.escalations.values()))
    async with household(make_settings, house, berlin(23, 19), database) as home, home.running():
        incident = (await home.says("water"))["incident"]
        assert len(await home.heard()) == 1
        await home.post(f"incidents/{incident}/acknowledge", by="partner")
        assert len(await home.sleeps(10)) == 1
        silence = await home.silence("5h")
        if news == "got worse":
            await home.says({"severity": "critical"})
        else:
            await home.post(f"incidents/{incident}/hand-back", by="partner")
        assert await home.sleeps(60) == []
        await home.unsilence(silence)
        [told] = await home.heard()
        assert news in told
        assert await home.sleeps(12 * 60) == []


@pytest.mark.parametrize(("after", "tag"), [(0, "RESOLVED"), (5, "RESOLVED"), (0, "WARNING"), (5, "WARNING")])
async def test_so_it_is_where_everyone_is_told_at_once(make_settings, after: int, tag: str):
    """Of an all-clear and of what is new, by a first contact and by one that is told later."""
    owner = person("owner", "22:30-06:30", unless=None)
    contacts = tuple(replace(each, after=after * MINUTE) for each in owner.contacts)
    house = policy((replace(owner, contacts=contacts),), (), (route("everyone"),))
    async with household(make_settings, house, berlin(23, 19), {}) as home, home.running():
        await home.says("water")
        assert len(await home.passes(6)) == 1
        silence = await home.silence("5h")
        assert await home.sleeps(10) == []
        await home.says(OVER if tag == "RESOLVED" else "more water")
        assert await home.sleeps(60) == []
        await home.unsilence(silence)
        assert [each.split()[:2] for each in await home.passes(after + 1)] == [["owner:", tag]]
        assert await home.sleeps(12 * 60) == []


@pytest.mark.parametrize("event", ["restart", "reload", "other address"])
async def test_nothing_wakes_anybody_to_say_that_somebody_has_it(make_settings, event):
    """Not even that everything is decided anew in the night; and it isn't told as new to another address."""
    house = policy((OWNER, person("partner")), (escalation("home", step("owner", "partner")),))
    async with household(make_settings, house, berlin(23, 23), {}) as home:
        async with home.running():
            incident = (await home.says({"severity": "critical"}))["incident"]
            assert [each.split()[0] for each in await home.heard()] == ["owner:", "partner:"]
            await home.post(f"incidents/{incident}/acknowledge", by="partner")
            assert await home.sleeps(2 * 60) == []
            if event != "restart":
                home.policy = policy((OWNER, person("partner")), tuple(house.escalations.values()))
            if event == "other address":
                moved = replace(OWNER, contacts=(replace(OWNER.contacts[0], address="owner@work.example"),))
                home.policy = policy((moved, person("partner")), tuple(house.escalations.values()))
            assert await home.heard() == []
        async with home.running():
            assert await home.heard() == []
            home.clock.time = berlin(24, 6, 31)
            heard = [["owner:", "ACKNOWLEDGED"]] if event != "other address" else []
            assert [each.split()[:2] for each in await home.heard()] == heard


async def test_the_end_of_a_silence_at_night_wakes_nobody_to_say_that_somebody_has_it(make_settings):
    """It was to end in the evening, but the service was down until the night began."""
    house = policy((OWNER, person("partner")), (escalation("home", step("owner", "partner")),))
    async with household(make_settings, house, berlin(23, 22), {}) as home, home.running():
        incident = (await home.says({"severity": "critical"}))["incident"]
        assert len(await home.heard()) == 2
        await home.silence("20m")
        await home.post(f"incidents/{incident}/acknowledge", by="partner")
        assert await home.sleeps(31) == []
        home.clock.time = berlin(24, 6, 31)
        assert [each.split()[:2] for each in await home.heard()] == [["owner:", "ACKNOWLEDGED"]]


async def at_once(home: Household, number: int) -> list[str]:
    """Return the subjects of so many new mails; the clock stands still, so that nothing that is gathered goes."""
    await home.service.gate.escalations.run()
    home.service.gate.deliverer.wake()
    new = (await home.sink.received(home.read + number))[home.read :]
    home.read += len(new)
    return [mail.mail["Subject"] for mail in new]


@pytest.mark.parametrize("silenced", [False, True])
async def test_the_mornings_message_is_no_flood(make_settings, database, silenced):
    """Whatever comes in the minutes after it is told at once, and alone."""
    rules = policy((person("owner"),), tuple(NIGHT.escalations.values())) if silenced else NIGHT
    async with household(make_settings, rules, berlin(23, 23), {"flood_limit": 5, **database}) as home, home.running():
        if silenced:
            await home.silence("7h30m")
        await home.says("water")
        await home.says("open", event="window")
        home.clock.time = berlin(24, 6, 30)
        assert await at_once(home, 1) == ["[WARNING] 2 alerts: leak and 1 more"]
        home.clock.move(seconds=30)
        await home.says("smoke", event="smoke")
        assert await at_once(home, 1) == ["[WARNING] cellar: smoke"]
        await home.says("frost", event="frost")
        await home.says("low", event="battery")
        assert len(await at_once(home, 2)) == 2


@pytest.mark.parametrize("silenced", [False, True])
async def test_however_much_a_night_holds_is_one_message(make_settings, silenced):
    """Two hundred and thirty batteries: more than are decided about in one transaction."""
    rules = policy((person("owner"),), tuple(NIGHT.escalations.values())) if silenced else NIGHT
    many = {"flood_limit": 5, "particle_rate_limit": "10000/minute"}
    async with household(make_settings, rules, berlin(23, 23), many) as home, home.running():
        if silenced:
            await home.silence("7h30m")
        for number in range(230):
            await home.says("low", event="battery", device=f"d{number}")
        home.clock.time = berlin(24, 6, 30)
        assert await at_once(home, 1) == ["[WARNING] 230 alerts: battery"]
        for _ in range(4):
            assert await home.sleeps(5) == []


async def test_whoever_takes_over_in_the_morning_gets_one_message_too(make_settings):
    """What was held for whoever is on call goes to the next one, all at once."""
    turns = (Turn(("mon",), frozenset({0})), Turn(("tue",), frozenset({1})))
    oncall = Schedule("oncall", turns, BERLIN, time(6))
    people = (person("mon", "22:30-06:30"), person("tue"))
    rules = replace(policy(people, (escalation("home", step("@oncall")),)), schedules={"oncall": oncall})
    async with household(make_settings, rules, berlin(23, 23), {}) as home, home.running():
        for event in ("leak", "window", "smoke"):
            await home.says("x", event=event)
        assert await home.heard() == []
        home.clock.time = berlin(24, 6, 31)
        [told] = await home.heard()
        assert told.startswith("tue: WARNING 3 alerts in one message: they were held until now")


@pytest.mark.parametrize("late", [5, 150])
async def test_a_morning_that_the_service_missed_leaves_time_to_answer(make_settings, late):
    """What was held until 06:30 is told once the service runs again, and the next step's people as long after it."""
    steps = escalation("home", step("owner"), step("neighbour", after=10), repeat_every=7 * MINUTE)
    house = policy((OWNER, person("neighbour")), (steps,))
    async with household(make_settings, house, berlin(23, 23), {}) as home, home.running():
        await home.says("water")
        assert await home.heard() == []
        home.clock.time = berlin(24, 6, 30) + late * MINUTE
        assert [each.split()[0] for each in await home.heard()] == ["owner:"]
        assert await home.passes(6.5) == []
        assert [each.split()[:3] for each in await home.passes(0.5)] == [["owner:", "WARNING", "1st"]]
        assert await home.passes(2.5) == []
        assert [each.split()[0] for each in await home.passes(0.5)] == ["neighbour:"]


class Defective(Policy):
    """A policy that can't say, from the morning of the 24th on, what the neighbour is told."""

    def told(self, names: Iterable[str], at: datetime) -> tuple[Told, ...]:
        asked = list(names)
        if "neighbour" in asked and at >= berlin(24, 6, 30):
            raise RuntimeError("a defect")
        return super().told(asked, at)


@pytest.mark.parametrize("second", [False, True])
async def test_a_defect_about_one_incident_holds_up_no_other(make_settings, database, second):
    """What was held of the others is told; of a release, or of a step that is due in the morning."""
    alone = escalation("alone", step("partner"), step("neighbour", after=450)) if second else None
    broken = alone or escalation("alone", step("neighbour"))
    made = policy(
        (OWNER, person("partner"), person("neighbour", "22:30-06:30")),
        (escalation("home", step("owner")), broken),
        (route("alone", event="window"), route("home")),
    )
    house = Defective(**{each.name: getattr(made, each.name) for each in fields(Policy)})
    async with household(make_settings, house, berlin(23, 23), database) as home, home.running():
        await home.says("open", event="window")
        await home.says("water")
        assert len(await home.heard()) == second
        home.clock.time = berlin(24, 6, 31)
        assert [each.split()[0] for each in await home.heard()] == ["owner:"]
        home.policy = made
        assert [each.split()[0] for each in await home.passes(1.5)] == ["neighbour:"]
