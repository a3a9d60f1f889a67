"""The policy changes while something goes on: who hears of it from then on. From the webhook to the mail."""

from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest
from structlog.testing import capture_logs

from alertgate.group import sweep
from alertgate.model import ChannelName
from alertgate.notify import holds
from alertgate.policy.people import Contact, Person, recipients
from alertgate.policy.policy import Policy
from alertgate.policy.schedules import Schedule, Turn
from alertgate.policy.written import read_hours
from tests.fakes import START
from tests.flow.household import BERLIN, MINUTE, escalation, every_night, household, person, policy, step

BY_OWNER = escalation("home", step("owner"))
OWNER = policy((person("owner"), person("partner")), (BY_OWNER,))
SETTINGS = Policy(people=MappingProxyType(dict(recipients([(ChannelName.EMAIL, "ann@example.com")], BERLIN))))
"""Without a file, who is told is in the settings."""
MOVED = Person("owner", (Contact(ChannelName.EMAIL, "moved@example.com"),), BERLIN)
AT_NIGHT = datetime(2026, 11, 23, 23, tzinfo=BERLIN)
PARTNER = policy((person("partner"),), (escalation("home", step("partner")),))

TOLD_BY_ANOTHER = pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (OWNER, PARTNER, "partner"),
        (OWNER, policy((MOVED,), (BY_OWNER,)), "moved"),
        (SETTINGS, OWNER, "owner"),
        (OWNER, SETTINGS, "ann"),
    ],
    ids=["somebody else", "another address", "the first file", "the file is forgotten"],
)
"""A policy, the one that follows it, and who is told by that."""


@TOLD_BY_ANOTHER
async def test_what_is_open_is_told_to_whom_the_new_policy_names(make_settings, database, before, after, told):
    """Once, if nobody whom it names knows; and they hear of what comes then, and of the end."""
    async with household(make_settings, before, START, database) as home, home.running():
        await home.says({"severity": "critical", "status": "firing"})
        assert len(await home.heard()) == 1
        home.policy = after
        assert await home.heard() == [f"{told}: CRITICAL A new alert."]
        assert await home.sleeps(10) == []
        await home.says({"severity": "critical", "status": "firing"})
        assert [each.split(":")[0] for each in await home.heard()] == [told]
        await home.says({"status": "resolved"})
        assert [each.split()[:2] for each in await home.heard()] == [[f"{told}:", "RESOLVED"]]


@pytest.mark.parametrize("contacts", [{"phone": 2}, {"phone": 0}], ids=["a shorter time", "none"])
async def test_a_contact_that_comes_later_is_told_when_that_was_promised(make_settings, database, contacts):
    """Not before it, and nobody wonders about the clock, because the file names no time as long as that any more."""
    before = policy((person("owner", phone=20), person("partner")), (BY_OWNER,))
    async with household(make_settings, before, START, database) as home, home.running():
        await home.says("water")
        assert await home.heard() == ["owner: WARNING A new alert."]
        home.policy = policy((person("owner", **contacts), person("partner")), (BY_OWNER,))
        with capture_logs() as logs:
            assert [each for _ in range(19) for each in await home.sleeps(1)] == []
        assert "notifications.clamped" not in {each["event"] for each in logs}
        assert await home.sleeps(1) == ["owner@phone.example: WARNING A new alert."]


async def test_many_that_are_open_are_one_message_to_whom_the_new_policy_names(make_settings):
    """Whoever was told before hears nothing of the change, and nobody hears of what somebody has, or what is over."""
    async with household(make_settings, OWNER, START, {}) as home, home.running():
        for event in ("leak", "smoke", "door", "window"):
            incident = (await home.says("on", event=event))["incident"]
            await home.heard()
        await home.post(f"incidents/{incident}/acknowledge", by="owner")
        await home.says({"status": "closed"}, event="door")
        await home.heard()
        home.policy = policy((person("owner"), person("neighbour")), (escalation("other", step("owner")),))
        assert await home.heard() == []
        home.policy = PARTNER
        [told] = await home.heard()
        assert told.startswith("partner: WARNING 2 alerts in one message")
        assert await home.sleeps(90) == []


async def test_an_alert_that_nobody_would_hear_is_routed_anew(make_settings):
    """There was nobody to tell when it began; whoever there is by the next alert is told."""
    nobody = policy((), (escalation("home", step("partner")),))
    async with household(make_settings, nobody, START, {}) as home, home.running():
        await home.says("water")
        assert await home.sleeps(12 * 60) == []
        home.policy = PARTNER
        answer = await home.says("water")
        assert "partner, by email, at once" in (await home.service.trail(answer["id"]))["alert"]["reason"]
        assert await home.heard() == ["partner: WARNING A new alert."]


async def test_an_acknowledgement_lasts_as_long_as_its_escalation_says_over_a_restart(make_settings):
    """Nothing ends in silence before, and nothing opens anew."""
    day = escalation("home", step("owner", "partner"), again_after_ack=timedelta(hours=24))
    async with household(make_settings, policy((person("owner"), person("partner")), (day,)), START, {}) as home:
        async with home.running():
            incident = (await home.says("water"))["incident"]
            await home.heard()
            await home.post(f"incidents/{incident}/acknowledge", by="partner")
            await home.heard()
        async with home.running():
            await home.heard()
            home.clock.move(hours=8)
            gate = home.service.gate
            await sweep.resolve_quiet(gate.store, gate.settings.grouping, home.clock)
            assert (await home.says("water"))["incident"] == incident
            assert await home.heard() == []


async def test_that_nobody_has_answered_is_said_once_though_the_policy_changes(make_settings):
    """The new escalation has no reminders either: they have ended."""
    steps = (step("owner"), step("partner", after=200))
    more = {"repeat_every": 5 * MINUTE, "stop_after": 20 * MINUTE}
    people = (person("owner"), person("partner"))
    house = policy(people, (escalation("home", *steps, **more),))
    async with household(make_settings, house, START, {}) as home, home.running():
        await home.says("water")
        told = await home.passes(25)
        assert sum("Nobody has answered" in each for each in told) == 1
        home.policy = policy(people, (escalation("other", *steps, **more),))
        assert await home.passes(30) == []


async def test_a_sleeper_who_is_gone_takes_no_reminders_along(make_settings):
    """What was held for the partner isn't needed any more: the owner knows, and is reminded as before."""
    owner, partner = person("owner"), person("partner", "22:00-06:00", unless=None)
    more = {"repeat_every": 5 * MINUTE, "stop_after": 20 * MINUTE}
    house = policy((owner, partner), (escalation("home", step("owner", "partner"), **more),))
    async with household(make_settings, house, AT_NIGHT, {}) as home, home.running():
        await home.says("water")
        told = [*await home.heard(), *await home.passes(12)]
        home.policy = policy((owner,), (escalation("home", step("owner"), **more),))
        told += await home.passes(60)
        assert [next((each for each in ORDINALS if each in one), "") for one in told] == ["", *ORDINALS, ""]
        assert "Nobody has answered" in told[-1]


async def test_a_sleeper_who_is_gone_leaves_the_steps_of_the_new_policy(make_settings):
    """All were told of the only step; the new policy has one more, whose people hear in their turn."""
    owner, partner = person("owner"), person("partner", "22:00-06:00", unless=None)
    house = policy((owner, partner), (escalation("home", step("owner", "partner")),))
    async with household(make_settings, house, AT_NIGHT, {}) as home, home.running():
        await home.says("water")
        assert [each.split()[0] for each in await home.heard()] == ["owner:"]
        assert await home.passes(5) == []
        home.policy = policy((owner, person("neighbour")), (escalation("home", *NEIGHBOUR_NEXT),))
        assert [each.split()[0] for each in await home.passes(30)] == ["neighbour:"]


ORDINALS = ["1st", "2nd", "3rd"]
AFTERNOON = datetime(2026, 11, 23, 15, 2, tzinfo=BERLIN)
NEIGHBOUR_NEXT = (step("owner"), step("neighbour", after=10))


def at_home(quiet: str = "", hours: str = "", **more: Any) -> Policy:
    """Return a policy whose owner has quiet hours, or whose escalation has hours."""
    people = (person("owner", quiet), person("neighbour"))
    return policy(people, (escalation("home", *NEIGHBOUR_NEXT, hours=read_hours(hours) if hours else None, **more),))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (at_home("15:00-20:00"), at_home()),
        (at_home("15:00-20:00"), at_home("16:00-20:00")),
        (at_home("15:00-20:00"), at_home("15:00-15:04")),
        (at_home(hours="20:00-23:00"), at_home()),
        (at_home(hours="20:00-23:00"), at_home(hours="09:00-23:00")),
    ],
    ids=["no quiet hours", "later ones", "shorter ones", "no hours", "longer ones"],
)
async def test_the_next_steps_time_counts_from_a_hold_that_the_new_policy_ends(make_settings, database, before, after):
    """The owner is told at once instead of at eight, and the neighbour and the reminder come as long after it."""
    before, after = (
        replace(each, escalations={"home": replace(each.escalations["home"], repeat_every=7 * MINUTE)})
        for each in (before, after)
    )
    async with household(make_settings, before, AFTERNOON, database) as home, home.running():
        await home.says("water")
        assert await home.passes(2) == []
        home.policy = after
        assert [each.split()[0] for each in await home.heard()] == ["owner:"]
        assert await home.passes(6.5) == []
        assert [each.split()[:3] for each in await home.passes(0.5)] == [["owner:", "WARNING", "1st"]]
        assert await home.passes(2.5) == []
        assert [each.split()[0] for each in await home.passes(0.5)] == ["neighbour:"]


@pytest.mark.parametrize("until", ["18:00", "22:00"])
async def test_a_hold_that_the_new_policy_moves_takes_the_next_step_along(make_settings, until):
    """The owner sleeps until another time, and the neighbour hears ten minutes after it."""
    async with household(make_settings, at_home("15:00-20:00"), AFTERNOON, {}) as home, home.running():
        incident = (await home.says("water"))["incident"]
        assert await home.passes(2) == []
        home.policy = at_home(f"15:00-{until}")
        assert await home.heard() == []
        run = (await home.get(f"incidents/{incident}"))["escalation"]
        wakes_at = datetime.fromisoformat(f"2026-11-23T{until}:00+01:00")
        assert datetime.fromisoformat(run["step_at"]) == wakes_at
        assert datetime.fromisoformat(run["next_at"]) == wakes_at + 10 * MINUTE


async def test_what_is_over_is_not_open_again_because_a_sleeper_is_gone(make_settings, database):
    """What was held for the partner's night is for nobody else who was awake: they have heard that it is over."""
    owner, partner = person("owner"), person("partner", "22:00-06:00", unless=None)
    house = policy((owner, partner), (escalation("home", step("owner", "partner")),))
    async with household(make_settings, house, AT_NIGHT, database) as home, home.running():
        leak = await home.says({"status": "firing"})
        assert [each.split()[:2] for each in await home.heard()] == [["owner:", "WARNING"]]
        home.clock.move(minutes=1)
        await home.post(f"incidents/{leak['incident']}/resolve", by="Ada")
        assert [each.split()[:2] for each in await home.heard()] == [["owner:", "RESOLVED"]]
        home.policy = policy((owner,), (escalation("home", step("owner")),))
        assert await home.passes(5) == []
        assert await home.sleeps(600) == []


@TOLD_BY_ANOTHER
async def test_what_waits_for_whom_the_new_policy_leaves_out_is_told_to_others(
    make_settings, database, before, after, told
):
    """Nothing more goes to an address that is gone; whom the policy names hears also of what is over."""
    async with household(make_settings, before, START, database) as home, home.running():
        home.sink.judge = lambda command, _to, _said: "450 4.2.1 receiving too fast" if command == "RCPT" else None
        for event in ("leak", "smoke"):
            await home.says({"status": "firing"}, event=event)
        assert await home.heard() == []
        smoke = await home.says({"status": "resolved"}, event="smoke")
        assert await home.sleeps(0.01) == []
        home.policy, home.sink.judge = after, lambda _command, _to, _said: None
        together = [f"{told}: WARNING 2 alerts in one message: they were held until now. 1 of them is over."]
        apart = [f"{told}: RESOLVED It is already over", f"{told}: WARNING A new alert."]
        heard = [each.partition(": resolved")[0] for each in await home.heard()]
        assert heard in (together, apart), "the loop may look between the two that become due"
        assert await home.passes(20) == []
        trail = (await home.get(f"alerts/{smoke['id']}"))["notifications"]
        assert {each["reason"] for each in trail if each["status"] == "cancelled"} == {holds.NOBODYS}


async def test_a_contact_that_is_gone_is_not_told_after_its_delay(make_settings):
    """Those who were told already hear nothing of that."""
    house = policy((person("owner"), person("partner", later=10)), (escalation("home", step("owner", "partner")),))
    async with household(make_settings, house, START, {}) as home, home.running():
        await home.says({"status": "firing"})
        assert [each.split(":")[0] for each in await home.heard()] == ["owner", "partner"]
        home.policy = policy((person("owner"), person("partner")), (escalation("home", step("owner", "partner")),))
        assert await home.passes(30) == []


async def test_what_is_over_and_was_told_to_nobody_is_one_message_to_whom_the_new_policy_names(make_settings):
    """Whoever corrects an address in the morning hears what fired in the night."""
    async with household(make_settings, OWNER, START, {}) as home, home.running():
        home.sink.judge = lambda command, _to, _said: "450 4.2.1 receiving too fast" if command == "RCPT" else None
        for event in ("leak", "smoke"):
            await home.says({"status": "firing"}, event=event)
            await home.heard()
            await home.says({"status": "resolved"}, event=event)
        home.clock.move(seconds=1)
        home.policy, home.sink.judge = policy((MOVED,), (BY_OWNER,)), lambda _command, _to, _said: None
        [told] = await home.heard()
        assert told == "moved: RESOLVED 2 alerts in one message: they were held until now."
        assert await home.passes(20) == []


async def test_nothing_that_waits_is_cancelled_while_no_policy_can_be_read(make_settings):
    """Whom it was for may be in the policy that another version of alertgate wrote."""
    async with household(make_settings, OWNER, START, {}) as home, home.running():
        home.sink.judge = lambda command, _to, _said: "450 4.2.1 receiving too fast" if command == "RCPT" else None
        await home.says({"status": "firing"})
        await home.sleeps(0.01)
        home.policy, home.sink.judge = replace(SETTINGS, stands_in=True), lambda _command, _to, _said: None
        assert [each.split(":")[0] for each in await home.passes(1)] == ["ann", "owner"]


@pytest.mark.parametrize("corrected", ["partner", "later"])
async def test_who_has_another_address_is_told_there_of_what_is_open(make_settings, corrected):
    """Though somebody else knows of it already; who was told hears nothing of that, and a contact keeps its delay."""

    def house(address: str) -> Policy:
        first = Contact(ChannelName.EMAIL, "partner@example.com" if corrected == "later" else address)
        later = (Contact(ChannelName.EMAIL, address, 10 * MINUTE),) if corrected == "later" else ()
        both = (person("owner"), Person("partner", (first, *later), BERLIN))
        return policy(both, (escalation("home", step("owner", "partner")),))

    async with household(make_settings, house("typo@example.com"), START, {}) as home, home.running():
        home.sink.refused["typo@example.com"] = "450 4.2.1 receiving too fast"
        await home.says({"status": "firing"})
        assert "owner" in [each.split(":")[0] for each in await home.heard()]
        await home.sleeps(1)
        home.policy = house("right@example.com")
        told = await home.passes(11)
        assert told == ["right: WARNING A new alert."]


DESK = Schedule("desk", (Turn(("partner",), frozenset(range(7)), every_night("08:00-16:00")),), BERLIN)


async def test_what_is_over_and_nobody_heard_waits_for_who_is_told_next(make_settings):
    """Nobody is on call when the file changes; it isn't lost for that, nor sent to the old address meanwhile."""
    async with household(make_settings, OWNER, AT_NIGHT, {}) as home, home.running():
        home.sink.judge = lambda command, _to, _said: "450 4.2.1 receiving too fast" if command == "RCPT" else None
        await home.says({"status": "firing"})
        await home.heard()
        await home.says({"status": "resolved"})
        await home.sleeps(0.01)
        by_desk = policy((person("partner"),), (escalation("home", step("@desk")),))
        home.policy, home.sink.judge = replace(by_desk, schedules=MappingProxyType({"desk": DESK})), lambda *_: None
        assert await home.passes(60) == []
        told = [each for _ in range(9 * 60) for each in await home.sleeps(1)]
        assert [each.split()[:2] for each in told] == [["partner:", "RESOLVED"]]


@pytest.mark.postgres
async def test_a_replica_that_lags_behind_cancels_nothing_that_another_has_just_planned(
    make_settings, postgres_database
):
    """It doesn't know yet that somebody has come; what it plans itself to who is gone is cancelled once it knows."""
    carl = policy((person("carl", phone=10),), (escalation("home", step("carl")),))
    database = {"database_url": postgres_database}
    async with household(make_settings, OWNER, START, database) as home, home.running(lambda: OWNER):
        home.policy = carl
        async with home.running():
            await home.sleeps(0.5)
            await home.says({"severity": "critical", "status": "firing"})
            assert await home.heard() == ["carl: CRITICAL A new alert."]
            assert await home.passes(11) == ["carl@phone.example: CRITICAL A new alert."]
