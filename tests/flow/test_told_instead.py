"""The same thing fires again before people heard of the first time: who hears of which, up to the mail."""

from alertgate.model import Severity
from alertgate.policy.escalations import Escalation
from tests.fakes import START
from tests.flow.household import BERLIN, escalation, household, person, policy, route, step

AWAY = ["451 4.3.0 later"] * 400
PEOPLE = (person("owner"), person("partner"), person("neighbour"))
OVER = {"status": "resolved"}


def heads(told: list[str]) -> list[str]:
    """Return to whom which message is, and its tag."""
    return sorted(" ".join(each.split()[:2]) for each in told)


async def test_what_a_newer_incident_tells_to_others_is_told_as_it_was(make_settings, database):
    """A critical leak came and went while mail was away; the next one is harmless, and goes to the neighbour alone."""
    calm = Escalation("calm", (step("neighbour"),), BERLIN)
    home_steps = escalation("home", step("owner", "partner"))
    house = policy(PEOPLE, (calm, home_steps), (route("home", min_severity=Severity.CRITICAL), route("calm")))
    async with household(make_settings, house, START, database) as home, home.running():
        home.sink.answer("RCPT", *AWAY)
        first = await home.says({"severity": "critical"})
        assert await home.passes(1) == []
        await home.says(OVER)
        assert await home.passes(11) == []
        await home.says({"severity": "info", "status": "firing"})
        assert await home.heard() == []
        home.sink.script.clear()
        told = await home.passes(30)
        assert heads(told) == ["neighbour: INFO", "owner: RESOLVED", "partner: RESOLVED"]
        trail = await home.service.trail(first["id"])
        assert [each["status"] for each in trail["notifications"]] == ["sent", "sent"]


async def test_who_hears_of_the_newer_one_does_not_hear_that_it_is_over(make_settings):
    """It is open: the first message of the newer one says what wasn't told before."""
    house = policy(PEOPLE, (escalation("home", step("owner")),))
    async with household(make_settings, house, START, {}) as home, home.running():
        home.sink.answer("RCPT", *AWAY)
        first = await home.says("water")
        assert await home.passes(1) == []
        await home.says(OVER)
        assert await home.passes(11) == []
        await home.says("water")
        assert await home.heard() == []
        home.sink.script.clear()
        assert heads(await home.passes(30)) == ["owner: WARNING"]
        [old] = (await home.service.trail(first["id"]))["notifications"]
        assert (old["status"], "is newer, and is told instead" in old["reason"]) == ("cancelled", True)
