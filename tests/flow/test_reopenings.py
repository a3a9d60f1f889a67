"""What is over and fires again: which escalation goes on, which begins anew, and which acknowledgement lasts."""

import pytest

from alertgate.model import Severity
from alertgate.policy.escalations import Escalation
from tests.flow.household import BERLIN, every_night, household, policy, route, step
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
