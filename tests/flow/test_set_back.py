"""The clock is set back by a day while people are told: nobody waits for as long. From the webhook to the mail."""

import asyncio
from datetime import datetime, timedelta

import pytest

from tests.fakes import START, until
from tests.flow.household import MINUTE, Household, escalation, household, person, policy, route, step
from tests.flow.test_escalations import berlin


async def set_back(home: Household, alert: dict, **by: float) -> None:
    """Set the clock back, and wait until the service has noticed."""
    home.clock.set_back(**by)
    home.clock.move(seconds=6)

    async def noticed() -> bool:
        home.service.gate.deliverer.wake()
        await asyncio.sleep(0.01)
        trail = await home.service.trail(alert["id"])
        waiting = [each["due_at"] for each in trail["notifications"] if each["status"] == "pending"]
        times = [datetime.fromisoformat(each) for each in (trail["escalation"]["next_at"], *waiting)]
        return max(times) <= home.clock.now() + timedelta(hours=1)

    await until(noticed)


async def test_steps_reminders_and_later_contacts_come_all_the_same(make_settings, database):
    """The second contact after three minutes, a reminder after five, the second step after ten; and their end."""
    home_steps = escalation(
        "home", step("owner"), step("partner", after=10), repeat_every=5 * MINUTE, stop_after=30 * MINUTE
    )
    house = policy((person("owner", sms=3), person("partner")), (home_steps,))
    async with household(make_settings, house, START, database) as home, home.running():
        leak = await home.says({"severity": "critical"})
        assert len(await home.heard()) == 1
        home.clock.move(minutes=1)
        await set_back(home, leak, days=1)
        told = await home.passes(15)
        assert len([each for each in told if each.startswith("owner@sms.example: CRITICAL A new alert.")]) == 1
        assert [each for each in told if "1st reminder" in each]
        assert len([each for each in told if each.startswith("partner: CRITICAL Nobody has acknowledged it")]) == 1
        told = [each for _ in range(8) for each in await home.sleeps(5)]
        assert len([each for each in told if "Nobody has answered" in each]) == 3
        assert await home.sleeps(30) == []


async def test_a_wait_and_a_snooze_are_no_longer_than_they_were(make_settings):
    """Each counts from when the clock was set back, at the latest."""
    house = policy((person("owner"),), (escalation("home", step("owner")),), (route("home", wait=10),))
    async with household(make_settings, house, START, {}) as home, home.running():
        leak = await home.says("water")
        assert await home.sleeps(5) == []
        await set_back(home, leak, days=1)
        assert await home.passes(9) == []
        assert await home.passes(2) == ["owner: WARNING A new alert."]
        home.clock.move(days=1)
        await home.post(f"incidents/{leak['incident']}/snooze", by="owner", minutes=60)
        await set_back(home, leak, hours=5)
        assert [each for _ in range(11) for each in await home.sleeps(5)] == []
        assert len(await home.passes(10)) == 1


@pytest.mark.parametrize("hours", [1, 24])
async def test_who_sleeps_sleeps_on(make_settings, hours):
    """A warning of the evening is held until the morning of the clock as it is, and nobody is told instead."""
    house = policy(
        (person("owner", "22:30-06:30"), person("partner")),
        (escalation("home", step("owner"), step("partner", after=10)),),
    )
    async with household(make_settings, house, berlin(24, 1), {}) as home, home.running():
        await home.says("water")
        assert await home.heard() == []
        home.clock.set_back(hours=hours)
        assert [each for _ in range(12) for each in await home.sleeps(5)] == []
