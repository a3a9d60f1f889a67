"""It is over before somebody's turn came, or so it seems: who needn't hear of it, and who must. Up to the mail."""

import pytest

from tests.fakes import START
from tests.flow.household import escalation, household, person, policy, step
from tests.flow.test_told_instead import AWAY, OVER, heads

REFUSED = "550 5.1.1 no such user"
STEPS = policy(
    (person("owner"), person("neighbour")), (escalation("home", step("owner"), step("neighbour", after=10)),)
)


@pytest.mark.parametrize(
    ("refused", "later", "told"),
    [
        (1, {"sms": 3}, ["RESOLVED"]),
        (1, {"sms": 3, "call": 5}, ["RESOLVED"]),
        (0, {"sms": 3}, ["CRITICAL", "RESOLVED"]),
    ],
)
async def test_who_was_refused_by_the_first_contact_hears_by_the_next(make_settings, refused, later, told):
    """Once; and whoever was told by the first one isn't told by a later one of what is over."""
    house = policy((person("owner", **later),), (escalation("home", step("owner")),))
    async with household(make_settings, house, START, {}) as home, home.running():
        home.sink.answer("RCPT", *[REFUSED] * refused)
        await home.says({"severity": "critical"})
        heard = await home.heard()
        home.clock.move(minutes=2)
        await home.says(OVER)
        heard += await home.passes(30)
        assert [each.split()[1] for each in heard] == told


async def test_what_may_have_arrived_is_followed_by_its_end(make_settings, database):
    """The reply to the neighbour's mail was an error, after its text was sent."""
    async with household(make_settings, STEPS, START, database) as home, home.running():
        await home.says({"severity": "critical"})
        assert heads(await home.passes(9.5)) == ["owner: CRITICAL"]
        home.sink.answer("DATA", "451 4.3.0 later")
        assert await home.passes(0.5) == []
        await home.says(OVER)
        assert heads(await home.passes(3)) == ["neighbour: RESOLVED", "owner: RESOLVED"]


async def test_a_later_step_is_told_of_what_is_open_alone(make_settings):
    """The neighbour wasn't reached by the first one's end, and has its turn with the next one while mail is away."""
    async with household(make_settings, STEPS, START, {}) as home, home.running():
        home.sink.answer("RCPT", *AWAY)
        first = await home.says({"severity": "critical"})
        assert await home.passes(11) == []
        await home.says(OVER)
        assert await home.passes(40) == []
        await home.says({"severity": "critical", "status": "firing"})
        assert await home.passes(12) == []
        home.sink.script.clear()
        assert heads(await home.passes(30)) == ["neighbour: CRITICAL", "owner: CRITICAL"]
        trail = await home.service.trail(first["id"])
        assert all("is newer, and is told instead" in each["reason"] for each in trail["notifications"])
