"""Nobody is on call as an alert comes: it is told to who is next, and what can't wait to somebody at once."""

from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

import pytest

from alertgate.group import sweep
from alertgate.policy.escalations import Escalation, Step
from alertgate.policy.policy import Policy
from alertgate.policy.schedules import Schedule, Turn
from alertgate.policy.written import read_hours
from tests.flow.household import BERLIN, MINUTE, Household, escalation, household, person, policy, step

OFFICE = read_hours("mon-fri 08:00-18:00")
DESK = Schedule("desk", (Turn(("mara",), frozenset(range(5)), OFFICE),), BERLIN)


def berlin(day: int, hour: int, minute: int = 0) -> datetime:
    """Return a time of November 2026, of which the 28th is a Saturday and the 30th a Monday."""
    return datetime(2026, 11, day, hour, minute, tzinfo=BERLIN)


def house(*steps: Step, **more: Any) -> Policy:
    """Return a policy whose desk is taken in office hours alone, and whose head hears of alertgate's own troubles."""
    day: Escalation = escalation("day", *steps, **more)
    people = (person("mara"), person("head"), person("guard"))
    return replace(policy(people, (day,)), schedules=MappingProxyType({"desk": DESK}), operator=("head",))


async def until(home: Household, end: datetime) -> list[str]:
    """Let hours pass, with the sweep of incidents that have had no alert; return who was told what, or reminded."""
    told = list[str]()
    while home.clock.now() < end:
        told += await home.sleeps(min(60, (end - home.clock.now()) / MINUTE))
        await sweep.resolve_quiet(home.service.gate.store, home.service.gate.settings.grouping, home.clock)
    return [f"{each.split()[0]} reminder" if " reminder" in each else " ".join(each.split()[:2]) for each in told]


@pytest.mark.parametrize("over", [False, True])
@pytest.mark.parametrize("second", [(), (step("head", after=60),)])
async def test_what_comes_on_a_weekend_goes_to_who_is_on_call_on_monday(make_settings, second, over):
    """Also if it is over by then; and the second step waits for the first one's people, as on any other day."""
    made = house(step("@desk"), *second, hours=OFFICE)
    async with household(make_settings, made, berlin(28, 14), {}) as home, home.running():
        await home.says({"severity": "warning"})
        if over:
            await home.says({"status": "resolved"})
        assert await until(home, berlin(30, 7, 59)) == []
        assert await until(home, berlin(30, 8, 1)) == ["mara: RESOLVED" if over else "mara: WARNING"]
        assert await until(home, berlin(30, 9, 30)) == (["head: WARNING"] if second and not over else [])


async def test_a_change_of_the_policy_changes_nothing_of_that(make_settings):
    """What is held for whoever is on call when the hours begin stays held for them."""
    made = house(step("@desk"), hours=OFFICE)
    async with household(make_settings, made, berlin(28, 14), {}) as home, home.running():
        incident = (await home.says({"severity": "warning"}))["incident"]
        assert await until(home, berlin(28, 16)) == []
        home.policy = replace(made)
        assert await until(home, berlin(30, 7, 59)) == []
        assert await until(home, berlin(30, 8, 1)) == ["mara: WARNING"]
        assert len((await home.get(f"incidents/{incident}"))["notifications"]) == 1


@pytest.mark.parametrize("every", [None, 30 * MINUTE])
async def test_a_warning_waits_for_the_next_turn(make_settings, database, every):
    """Nobody is woken instead, it isn't over for lack of alerts meanwhile, and its trail says what it waits for."""
    made = house(step("@desk"), repeat_every=every)
    async with household(make_settings, made, berlin(26, 20), database) as home, home.running():
        answer = await home.says({"severity": "warning"})
        assert await until(home, berlin(27, 7, 59)) == []
        shown = await home.get(f"incidents/{answer['incident']}")
        assert (shown["incident"]["status"], shown["escalation"]["reason"]) == ("open", "nobody_on_call")
        assert shown["escalation"]["next_at"] == "2026-11-27T07:00:00+00:00"
        trail = await home.service.trail(answer["id"])
        assert trail["alert"]["reason"].endswith("waits until 2026-11-27 07:00:00: nobody is on call")
        assert await until(home, berlin(27, 8, 1)) == ["mara: WARNING"]
        assert await until(home, berlin(27, 9, 1)) == (["mara: reminder"] if every else [])


async def test_something_critical_is_told_to_whoever_can_hear_it(make_settings, database):
    """The operator is told and reminded through the night, and whoever comes on call hears that nobody has it."""
    made = house(step("@desk"), repeat_every=60 * MINUTE, stop_after=24 * 60 * MINUTE)
    async with household(make_settings, made, berlin(26, 20), database) as home, home.running():
        answer = await home.says({"severity": "critical"})
        assert await home.heard() == ["head: CRITICAL A new alert."]
        trail = await home.service.trail(answer["id"])
        assert trail["notifications"][0]["reason"].endswith("(nobody is on call for day)")
        assert await until(home, berlin(26, 22)) == ["head: reminder", "head: reminder"]
        assert len(await until(home, berlin(27, 7, 30))) == 9
        assert await home.sleeps(35) == ["mara: CRITICAL Nobody has acknowledged it: head was told."]
        assert set(await until(home, berlin(27, 10))) == {"mara: reminder"}


async def test_a_sleep_that_ends_with_nobody_on_call_ends_no_reminders(make_settings, database):
    """What was held for whoever was on call isn't needed any more: somebody else knows, and is reminded as before."""
    made = house(step("head", "@desk"), repeat_every=60 * MINUTE, stop_after=24 * 60 * MINUTE)
    made = replace(made, people=MappingProxyType({**made.people, "mara": person("mara", "17:30-19:00")}))
    async with household(make_settings, made, berlin(30, 17, 45), database) as home, home.running():
        await home.says({"severity": "warning"})
        assert len(await home.heard()) == 1
        assert await until(home, berlin(30, 19, 1)) == ["head: reminder"]
        assert await until(home, berlin(30, 22, 1)) == ["head: reminder"] * 3
