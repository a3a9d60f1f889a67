"""What is over and fires again: which escalation goes on, which begins anew, and which acknowledgement lasts."""

from datetime import timedelta

import pytest

from alertgate.group import sweep
from alertgate.model import ChannelName, Severity
from alertgate.policy.escalations import Escalation
from alertgate.policy.people import recipients
from alertgate.policy.policy import Policy
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


FLAPS = policy(PEOPLE, (escalation("home", step("owner", "partner")),))


async def flapping(home, *, every: float, times: int) -> list[str]:
    """Let a door close and open again, some minutes after each other; return who got which message."""
    told = []
    for state in ("closed", "open") * times:
        home.clock.move(minutes=every)
        await home.says({"status": state}, event="door")
        told += await home.heard()
    return told


async def test_a_snooze_of_what_flaps_ends_when_it_was_to_end(make_settings):
    """The door closed and opened meanwhile, which is no news while it is snoozed; then everybody is told."""
    async with household(make_settings, FLAPS, START, {}) as home, home.running():
        incident = (await home.says({"status": "open"}, event="door"))["incident"]
        await flapping(home, every=1, times=1)
        await home.post(f"incidents/{incident}/snooze", by="owner", minutes=60)
        await home.heard()
        assert await flapping(home, every=1, times=1) == []
        assert await home.sleeps(57) == []
        told = await home.sleeps(1)
        assert [each.split(".")[0] for each in told] == [
            f"{name}: WARNING It is open again: owner had snoozed it until 15:05" for name in ("owner", "partner")
        ]


async def test_what_opens_again_after_its_snooze_is_told_at_once(make_settings):
    """It was over when the snooze ended: nothing is left of it."""
    async with household(make_settings, FLAPS, START, {}) as home, home.running():
        incident = (await home.says({"status": "open"}, event="door"))["incident"]
        await flapping(home, every=0.5, times=1)
        await home.post(f"incidents/{incident}/snooze", by="owner", minutes=5)
        await home.heard()
        home.clock.move(minutes=3)
        await home.says({"status": "closed"}, event="door")
        await home.heard()
        home.clock.move(minutes=3)
        await home.says({"status": "open"}, event="door")
        told = await home.heard()
        assert [each.split()[0] for each in told] == ["owner:", "partner:"]


SETTINGS = Policy(people=recipients([(ChannelName.EMAIL, "owner@example.com")], BERLIN))
"""Whom the settings name, who have no escalation."""


@pytest.mark.parametrize("house", [FLAPS, SETTINGS], ids=["with a policy", "without"])
async def test_an_acknowledgement_of_what_flaps_is_forgotten_too(make_settings, house):
    """Motion of a sensor that also says "clear", acknowledged at 09:03, doesn't let the burglar of 13:04 pass."""
    async with household(make_settings, house, berlin(23, 9), {}) as home, home.running():
        incident = (await home.says({"status": "open"}, event="door"))["incident"]
        await flapping(home, every=1, times=1)
        home.clock.move(minutes=1)
        await home.post(f"incidents/{incident}/acknowledge", by="partner")
        await home.heard()
        assert await flapping(home, every=4, times=29) == []
        assert home.clock.now() < berlin(23, 13, 3)
        home.clock.move(minutes=4)
        await home.says({"status": "closed"}, event="door")
        assert await home.heard() == []
        home.clock.move(minutes=4)
        await home.says({"status": "open"}, event="door")
        lead = "WARNING It is open again: partner acknowledged it at 08:03, but alerts go on."
        told = [each.split(" It changed")[0] for each in await home.heard()]
        assert told == [f"{name}: {lead}" for name in ("owner", "partner") if name in house.people or name == "owner"]


async def test_an_acknowledgement_that_lasts_over_a_reopening_holds_off_the_silent_end(make_settings):
    """For as long as the escalation says, as if it had not been over for a moment."""
    day = escalation("home", step("owner"), again_after_ack=timedelta(hours=24))
    async with household(make_settings, policy(PEOPLE, (day,)), START, {}) as home, home.running():
        incident = (await home.says({"status": "open"}, event="door"))["incident"]
        await flapping(home, every=1, times=1)
        await home.post(f"incidents/{incident}/acknowledge", by="partner")
        await flapping(home, every=1, times=1)
        await home.sleeps(8 * 60)
        gate = home.service.gate
        await sweep.resolve_quiet(gate.store, gate.settings.grouping, home.clock)
        assert (await home.says({"status": "open"}, event="door"))["incident"] == incident
        assert await home.heard() == []
