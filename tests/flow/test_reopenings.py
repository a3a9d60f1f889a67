"""What is over and fires again: which escalation goes on, which begins anew, and which acknowledgement lasts."""

import pytest

from alertgate.model import Severity
from alertgate.policy.escalations import Escalation
from tests.fakes import START
from tests.flow.household import BERLIN, escalation, every_night, household, policy, route, step
from tests.flow.test_escalations import HOME, PEOPLE, berlin

DAYTIME = Escalation("daytime", (step("owner"), step("partner", after=30)), BERLIN, hours=every_night("08:00-21:00"))


@pytest.mark.parametrize(
    ("mildly", "over_for"),
    [(route("daytime"), 2), (route("daytime"), 10), (route("home", wait=60), 2), (route("home", wait=60), 10)],
    ids=["outside hours, reopened", "outside hours, a new incident", "a wait, reopened", "a wait, a new incident"],
)
async def test_what_fires_again_and_is_worse_is_routed_anew(make_settings, mildly, over_for):
    """An info alert of the night was held or waited and is over; critical minutes later, it is told at once."""
    house = policy(PEOPLE, (DAYTIME, HOME), (route("home", min_severity=Severity.CRITICAL), mildly))
    async with household(make_settings, house, berlin(27, 23), {}) as home, home.running():
        await home.says({"severity": "info", "status": "firing"})
        assert await home.passes(2) == []
        await home.says({"status": "resolved"})
        assert await home.passes(over_for) == []
        await home.says({"severity": "critical", "status": "firing"})
        told = await home.heard()
        assert [each.split(" ", 2)[:2] for each in told] == [["owner:", "CRITICAL"], ["partner:", "CRITICAL"]]
        assert len(await home.passes(5)) == 2  # reminders


async def test_what_fires_again_and_is_milder_goes_where_its_routes_say(make_settings):
    """Whoever was told of something critical isn't reminded at night of an info alert."""
    house = policy(PEOPLE, (DAYTIME, HOME), (route("home", min_severity=Severity.CRITICAL), route("daytime")))
    async with household(make_settings, house, berlin(27, 23), {}) as home, home.running():
        await home.says({"severity": "critical", "status": "firing"})
        assert len(await home.passes(2)) == 2
        await home.says({"status": "resolved"})
        assert len(await home.heard()) == 2
        home.clock.move(minutes=2)
        await home.says({"severity": "info", "status": "firing"})
        assert await home.passes(30) == []


NEIGHBOUR_LATER = policy(PEOPLE, (escalation("home", step("owner"), step("neighbour", after=10)),))


async def test_what_a_person_has_ended_begins_anew(make_settings):
    """It fires again within the second step's time: the neighbour isn't told because of what was before."""
    async with household(make_settings, NEIGHBOUR_LATER, START, {}) as home, home.running():
        incident = (await home.says("water"))["incident"]
        await home.passes(6)
        await home.post(f"incidents/{incident}/resolve", by="owner")
        await home.passes(2)
        await home.says("water")
        assert await home.passes(9.5) == ["owner: WARNING A new alert."]
        said = "neighbour: WARNING Nobody has acknowledged it: owner was told."
        assert await home.passes(0.5) == [said]


async def test_an_acknowledgement_that_a_rise_has_ended_is_none_for_what_follows(make_settings):
    """The second step's clock goes on over a short all-clear, though somebody had it an hour ago."""
    async with household(make_settings, NEIGHBOUR_LATER, START, {}) as home, home.running():
        incident = (await home.says({"severity": "warning"}))["incident"]
        await home.heard()
        await home.post(f"incidents/{incident}/acknowledge", by="owner")
        await home.sleeps(60)
        await home.says({"severity": "critical", "status": "firing"})
        await home.passes(9)
        await home.says({"status": "resolved"})
        await home.passes(0.5)
        await home.says({"severity": "critical", "status": "firing"})
        assert [each.split(":")[0] for each in await home.passes(1)] == ["neighbour", "owner"]
