"""What was planned before people slept, and becomes due while they do: it waits for the morning, and isn't lost."""

from tests.fakes import until
from tests.flow.household import escalation, every_night, household, person, policy, step
from tests.flow.test_escalations import berlin

LATER = "451 4.3.0 later"
OWNER = person("owner", "22:30-06:30")
HOUSE = policy((OWNER,), (escalation("home", step("owner")),))
NEW = "owner: WARNING A new alert."


async def test_a_retry_waits_for_the_morning(make_settings, database):
    """The server refuses a warning for now, two seconds before the owner's quiet hours."""
    async with household(make_settings, HOUSE, berlin(23, 22, 25), database) as home, home.running():
        home.sink.answer("RCPT", LATER)
        home.clock.move(minutes=4, seconds=58)
        leak = await home.says("water")
        assert await home.heard() == []
        assert await home.passes(20) == []
        trail = await home.service.trail(leak["id"])
        assert trail["notifications"][0]["hold"] == "quiet_hours"
        assert "due now, but held until Tue 06:30 (quiet hours)" in trail["notifications"][0]["reason"]
        home.clock.time = berlin(24, 6, 29)
        assert await home.heard() == []
        assert await home.passes(1) == [f"{NEW} It was held until 05:30."]
        assert await home.sleeps(60) == []


async def test_what_an_outage_left_over_wakes_nobody_unless_it_is_critical(make_settings):
    """The mail server works again at two: the critical one is told then, the rest in the morning in one message."""
    async with household(make_settings, HOUSE, berlin(23, 20), {}) as home, home.running():
        home.sink.answer("RCPT", *[LATER] * 400)
        await home.says("water")
        await home.says("low", event="battery")
        await home.says({"severity": "critical"}, event="smoke")
        for _ in range(24):
            await home.sleeps(15)
        home.sink.script.clear()
        told = await home.passes(20)
        assert [each.split()[:2] for each in told] == [["owner:", "CRITICAL"]]
        home.clock.time = berlin(24, 6, 30)
        [digest] = await home.heard()
        assert "2 " in digest


async def test_what_was_given_up_on_waits_for_the_morning_too(make_settings):
    """The server was away for longer than messages are retried, and works again at night."""
    settings = {"give_up_after": 3600}
    async with household(make_settings, HOUSE, berlin(23, 20), settings) as home, home.running():
        home.sink.answer("MAIL", *["451 4.3.2 the system is down"] * 400)
        leak = await home.says("water")
        for _ in range(16):
            await home.sleeps(15)

        async def failed() -> bool:  # and isn't being tried: what was given up on is, though nothing is due then
            return (await home.service.trail(leak["id"]))["notifications"][0]["status"] == "failed"

        async def told() -> list[str]:  # and not what the gate says of itself
            return [mail.text for mail in home.sink.messages if "leak" in mail.text]

        await until(failed)
        home.sink.script.clear()
        await home.passes(20)
        assert await told() == []
        home.clock.time = berlin(24, 6, 30)
        await until(told)
        await home.heard()
        assert len(await told()) == 1


async def test_an_escalations_hours_hold_a_retry_over_the_weekend(make_settings):
    """It isn't given up on, though it waits for longer than messages are retried."""
    weekdays = every_night("08:00-21:00").on(range(5))
    house = policy((person("owner"),), (escalation("work", step("owner"), hours=weekdays),))
    async with household(make_settings, house, berlin(27, 20, 59), {}) as home, home.running():
        home.sink.answer("RCPT", LATER)
        home.clock.move(seconds=58)
        leak = await home.says({"severity": "critical"})
        assert await home.heard() == []
        for _ in range(58):
            assert await home.sleeps(60) == []
        home.clock.time = berlin(30, 8)
        assert await home.heard() == ["owner: CRITICAL A new alert. It was held until 07:00."]
        assert [each["status"] for each in (await home.service.trail(leak["id"]))["notifications"]] == ["sent"]


async def test_a_rise_is_told_at_once_though_a_retry_is_held(make_settings):
    """The owner sleeps for a warning alone."""
    async with household(make_settings, HOUSE, berlin(23, 22, 25), {}) as home, home.running():
        home.sink.answer("RCPT", LATER)
        home.clock.move(minutes=4, seconds=58)
        await home.says("water")
        assert await home.heard() == []
        assert await home.passes(20) == []
        await home.says({"severity": "critical"})
        assert [each.split()[:2] for each in await home.heard()] == [["owner:", "CRITICAL"]]
