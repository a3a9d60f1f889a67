"""Nobody answers: who is told next, when, and what stops it. From the webhook to the mail."""

from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime

import pytest

from alertgate.model import Severity
from alertgate.policy.escalations import Escalation
from alertgate.policy.policy import Policy
from alertgate.policy.schedules import Schedule, Turn
from tests.conftest import API_BEARER
from tests.fakes import START
from tests.flow.household import (
    BERLIN,
    MINUTE,
    Household,
    escalation,
    every_night,
    household,
    person,
    policy,
    route,
    step,
)

HOME = escalation(
    "home", step("owner", "partner"), step("neighbour", after=10), repeat_every=5 * MINUTE, stop_after=40 * MINUTE
)
PEOPLE = (person("owner"), person("partner"), person("neighbour"))
HOUSE = policy(PEOPLE, (HOME,))
LEAK = "2 alerts in 18 min, since 14:03. The latest is above."
"""What is said of the leak once it got worse."""
NUMBERS = ("1st", "2nd", "3rd", "4th")
SOON = 90.0
"""Minutes after which a household that is told too much would have been."""


def berlin(day: int, hour: int, minute: int = 0) -> datetime:
    """Return a time of November 2026, of which the 23rd is a Monday."""
    return datetime(2026, 11, day, hour, minute, tzinfo=BERLIN)


class Told:
    """The story of a leak, told step by step; after each the service may be killed."""

    def __init__(self, home: Household) -> None:
        self.home = home
        self.incident = ""

    async def begins(self) -> None:
        """Two people are told."""
        self.incident = (await self.home.says("water"))["incident"]
        assert await self.home.heard() == ["owner: WARNING A new alert.", "partner: WARNING A new alert."]

    async def nobody_answers(self) -> None:
        """They are reminded after five minutes."""
        said = "WARNING 1st reminder, open for 5 min: nobody has acknowledged it."
        assert await self.home.passes(5) == [f"owner: {said}", f"partner: {said}"]

    async def the_third_is_told(self) -> None:
        """The neighbour is told after ten minutes who was before, and the others are reminded once more."""
        said = "WARNING 2nd reminder, open for 10 min: nobody has acknowledged it."
        assert await self.home.passes(5) == [
            "neighbour: WARNING Nobody has acknowledged it: owner and partner were told.",
            f"owner: {said}",
            f"partner: {said}",
        ]

    async def all_are_reminded(self) -> None:
        """The neighbour gets the next reminder as the others do."""
        said = "WARNING 3rd reminder, open for 15 min: nobody has acknowledged it."
        assert await self.home.passes(5) == [f"neighbour: {said}", f"owner: {said}", f"partner: {said}"]

    async def the_second_acknowledges(self) -> None:
        """By the link of their mail. The others hear who has it, and then everything is quiet."""
        self.home.clock.move(minutes=1)
        page = await self.home.presses("partner", "I'm on it")
        assert "partner has it (taken at 14:19)." in page.text
        said = "ACKNOWLEDGED partner has it: acknowledged at 14:19. You needn't do anything."
        assert await self.home.heard() == [f"neighbour: {said}", f"owner: {said}"]

    async def it_gets_worse(self) -> None:
        """All who were told hear of it, and the steps begin anew."""
        self.home.clock.move(minutes=2)
        await self.home.says({"severity": "critical", "level": 9})
        said = f"CRITICAL It got worse: now critical. {LEAK}"
        assert await self.home.heard() == [f"neighbour: {said}", f"owner: {said}", f"partner: {said}"]

    async def nobody_answers_again(self) -> None:
        """The first step's people are reminded, and after ten minutes the second step's."""
        reminders = await self.home.passes(5)
        first, then = "CRITICAL 1st reminder, open for 23 min", "CRITICAL 2nd reminder, open for 28 min"
        rest = f": nobody has acknowledged it. {LEAK}"
        assert reminders == [f"owner: {first}{rest}", f"partner: {first}{rest}"]
        assert await self.home.passes(5) == [
            f"neighbour: CRITICAL Nobody has acknowledged it: owner and partner were told. {LEAK}",
            f"owner: {then}{rest}",
            f"partner: {then}{rest}",
        ]

    async def it_is_over(self) -> None:
        """Each hears it once, and nothing more."""
        self.home.clock.move(minutes=1)
        await self.home.says({"status": "resolved"})
        said = "RESOLVED It is over: resolved at 14:32 by its sender. It began at 14:03: 2 alerts in 29 min."
        assert await self.home.heard() == [f"neighbour: {said}", f"owner: {said}", f"partner: {said}"]
        assert await self.home.sleeps(SOON) == []

    @property
    def steps(self):
        """The steps of the story, in order."""
        return (
            self.begins,
            self.nobody_answers,
            self.the_third_is_told,
            self.all_are_reminded,
            self.the_second_acknowledges,
            self.it_gets_worse,
            self.nobody_answers_again,
            self.it_is_over,
        )


async def test_nobody_answers_until_the_second_does(make_settings, database):
    """Two are told, a third after ten minutes, all are reminded, one acknowledges; it gets worse; it is over."""
    async with household(make_settings, HOUSE, START, database) as home, home.running():
        for tell in Told(home).steps:
            await tell()


async def test_the_story_is_the_same_if_the_service_begins_anew_between_any_two_of_its_steps(make_settings, database):
    """How far it is stands in the store, and what was told isn't told again."""
    async with household(make_settings, HOUSE, START, database) as home:
        story = Told(home)
        for tell in story.steps:
            async with home.running():
                assert await home.heard() == []
                await tell()


@pytest.mark.postgres
async def test_two_replicas_tell_the_story_once(make_settings, postgres_database):
    """Both look for what is due all the time, and each thing is told once."""
    async with (
        household(make_settings, HOUSE, START, {"database_url": postgres_database}) as home,
        AsyncExitStack() as replicas,
    ):
        for _ in range(2):
            await replicas.enter_async_context(home.running())
        for tell in Told(home).steps:
            await tell()


async def test_who_is_being_told_while_somebody_acknowledges_hears_that(make_settings, database):
    """The neighbour's mail says that nobody has acknowledged it; it arrives just after somebody has."""
    house = policy(PEOPLE, (escalation("home", step("owner"), step("neighbour", after=10)),))
    async with household(make_settings, house, START, database) as home, home.running() as service:
        incident = (await home.says("water"))["incident"]
        await home.heard()
        home.sink.open.clear()
        home.sink.talking.clear()
        home.clock.move(minutes=10)
        await service.gate.escalations.run()
        await home.sink.talking.wait()
        await home.post(f"incidents/{incident}/acknowledge", by="partner")
        home.sink.open.set()
        said = "ACKNOWLEDGED partner has it: acknowledged at 14:13. You needn't do anything."
        assert await home.heard() == [
            f"neighbour: {said}",
            "neighbour: WARNING Nobody has acknowledged it: owner was told.",
            f"owner: {said}",
        ]


async def test_reminders_end_and_that_is_said_once(make_settings):
    """Forty minutes after the first mail everybody hears that nobody has answered, and of nothing more."""
    async with household(make_settings, HOUSE, START, {}) as home, home.running():
        await home.says("water")
        await home.heard()
        told = await home.passes(38)
        assert len(told) == 7 * 2 + 6  # seven reminders, the handoff, and five reminders to the neighbour
        last = "There are no more reminders."
        assert await home.passes(4) == [
            f"neighbour: WARNING Nobody has answered in 40 min: owner and partner were told. {last}",
            f"owner: WARNING Nobody has answered in 40 min: partner and neighbour were told. {last}",
            f"partner: WARNING Nobody has answered in 40 min: owner and neighbour were told. {last}",
        ]
        assert await home.sleeps(SOON) == []


@pytest.mark.parametrize("severity", ["critical", "warning"])
async def test_alerts_that_go_on_swallow_no_reminder(make_settings, database, severity):
    """Updates grow apart while nothing changes but their number; reminders don't, and say what updates would have."""
    nags = escalation("home", step("owner"), repeat_every=7 * MINUTE, stop_after=30 * MINUTE)
    async with household(make_settings, policy((person("owner"),), (nags,)), START, database) as home, home.running():
        told = []
        for minute in range(40):
            await home.says({"severity": severity, "level": minute})
            told += [f"{minute}: {each.partition(',')[0].partition(' in ')[0]}" for each in await home.heard()]
            home.clock.move(minutes=1)
        begin = ["0: {} A new alert.", "5: {} 6 alerts"]
        reminders = [f"{7 * number}: {{}} {which} reminder" for number, which in enumerate(NUMBERS, 1)]
        said = [*begin, *reminders, "30: {} Nobody has answered"]
        assert told == [each.replace("{}", f"owner: {severity.upper()}") for each in said]


async def test_a_step_that_was_reached_during_a_short_end_comes_all_the_same(make_settings):
    """A door that shuts for five seconds every nine minutes reaches a wait of ten, and then the second step."""
    alone = escalation("home", step("owner"), step("neighbour", after=12))
    house = policy(PEOPLE, (alone,), (route("home", wait=10),))
    async with household(make_settings, house, START, {}) as home, home.running():
        told = []
        for _ in range(4):
            await home.says("open")
            told += await home.passes(9)
            await home.says({"status": "closed"}, dedup_key="")
            home.clock.move(seconds=5)
        openings = [each for each in told if "A new alert" in each or "It is open again" in each]
        assert openings[0].startswith("owner: ")
        assert any(each.startswith("neighbour: ") for each in told)


async def test_what_is_over_within_the_wait_is_told_to_nobody(make_settings):
    """A door that is closed in time wakes nobody, and its alert says why."""
    house = policy(PEOPLE, (HOME,), (route("home", wait=10),))
    async with household(make_settings, house, START, {}) as home, home.running():
        opened = await home.says("open")
        assert await home.passes(9) == []
        await home.says({"status": "closed"})
        assert await home.sleeps(SOON) == []
        reason = (await home.service.trail(opened["id"]))["alert"]["reason"]
        assert "sends it to home" in reason
        assert "told only if it isn't over by then" in reason


async def test_a_rise_is_routed_anew_and_waits_for_nobodys_monday(make_settings):
    """An info alert of Friday night waits for Monday; that it is critical five minutes later is told at once."""
    weekdays = every_night("08:00-21:00")
    daytime = Escalation("daytime", (step("owner"),), BERLIN, hours=weekdays)
    house = policy(PEOPLE, (daytime, HOME), (route("home", min_severity=Severity.CRITICAL), route("daytime")))
    async with household(make_settings, house, berlin(27, 23), {}) as home, home.running():
        await home.says({"severity": "info", "celsius": 4})
        assert await home.passes(5) == []
        await home.says({"severity": "critical", "celsius": 9})
        told = await home.heard()
        assert [each.split(" ", 2)[:2] for each in told] == [["owner:", "CRITICAL"], ["partner:", "CRITICAL"]]


async def test_somebody_awake_is_told_of_something_critical_while_the_first_are_quiet(make_settings):
    """At 23:00 the second step is told at once, and the first hear of it in the morning."""
    asleep = person("owner", "22:30-06:30", unless=None)
    alone = escalation("home", step("owner"), step("neighbour", after=10))
    house = policy((asleep, person("neighbour")), (alone,))
    async with household(make_settings, house, berlin(23, 23), {}) as home, home.running():
        await home.says({"severity": "critical"})
        assert [each.split()[0] for each in await home.heard()] == ["neighbour:"]
        assert await home.sleeps(6 * 60) == []
        assert [each.split()[0] for each in await home.sleeps(90)] == ["owner:"]


async def test_what_quiet_hours_hold_is_told_in_the_morning_in_one_message(make_settings):
    """A warning of 23:00 and another that is over by then; reminders that ended at night cancel neither."""
    house = policy((person("owner", "22:30-06:30"),), (HOME,))
    async with household(make_settings, house, berlin(23, 23), {}) as home, home.running():
        await home.says("water", device="cellar")
        await home.says("open", event="window", device="attic")
        home.clock.move(minutes=30)
        await home.says({"status": "closed"}, event="window", device="attic")
        assert await home.sleeps(6 * 60 + 30) == []
        [told] = await home.sleeps(31)
        assert "they were held until now" in told
        text = home.sink.messages[-1].text
        assert "leak" in text
        assert "fired Mon 22:00, over Mon 22:30" in text  # UTC
        assert await home.sleeps(1) == []


async def test_what_fired_twice_in_the_night_is_told_twice_in_one_message(make_settings):
    """The first time isn't dropped because it fired again."""
    house = policy((person("owner", "22:30-06:30"),), (escalation("home", step("owner")),))
    async with household(make_settings, house, berlin(23, 23), {}) as home, home.running():
        for _ in range(2):
            await home.says("water")
            home.clock.move(minutes=10)
            await home.says({"status": "resolved"})
            home.clock.move(minutes=30)
        assert await home.heard() == []
        [told] = await home.sleeps(7 * 60)
        assert told.startswith("owner: RESOLVED 2 alerts in one message")


async def test_the_morning_says_over_of_nothing_that_fires(make_settings):
    """A warning was held and ended; the same thing is critical since, and its people know that."""
    house = policy((person("owner", "22:30-06:30"),), (escalation("home", step("owner")),))
    async with household(make_settings, house, berlin(23, 23), {}) as home, home.running():
        first = await home.says("water")
        home.clock.move(minutes=10)
        await home.says({"status": "resolved"})
        home.clock.move(minutes=30)
        await home.says({"severity": "critical"})
        assert [each.split()[:2] for each in await home.heard()] == [["owner:", "CRITICAL"]]
        assert await home.sleeps(8 * 60) == []
        [old] = (await home.service.trail(first["id"]))["notifications"]
        assert (old["status"], "is newer" in old["reason"]) == ("cancelled", True)


async def test_an_acknowledgement_cancels_what_is_held(make_settings):
    """Nobody needs to hear in the morning of what somebody had in the night."""
    house = policy((person("owner", "22:30-06:30"), person("partner")), (HOME,))
    async with household(make_settings, house, berlin(23, 23), {}) as home, home.running():
        incident = (await home.says("water"))["incident"]
        assert await home.heard() == ["partner: WARNING A new alert."]
        await home.post(f"incidents/{incident}/acknowledge", by="partner")
        assert await home.sleeps(9 * 60) == []


async def test_the_news_that_somebody_has_it_wakes_nobody(make_settings):
    """Whoever was woken for something critical isn't woken again to hear that it is taken care of."""
    house = policy((person("owner", "22:30-06:30"), person("partner")), (HOME,))
    async with household(make_settings, house, berlin(23, 23), {}) as home, home.running():
        incident = (await home.says({"severity": "critical"}))["incident"]
        assert [each.split()[0] for each in await home.heard()] == ["owner:", "partner:"]
        await home.post(f"incidents/{incident}/acknowledge", by="partner")
        assert await home.sleeps(2 * 60) == []
        [told] = await home.sleeps(6 * 60)
        assert told.startswith("owner: ACKNOWLEDGED partner has it: acknowledged at 2026-11-23 22:00.")
        assert told.endswith("It was held until 06:00.")


async def test_what_is_held_over_a_weekend_does_not_fail_for_its_age(make_settings):
    """It is sent on Monday, also if the mail server needs two tries then."""
    weekdays = every_night("08:00-21:00").spans[:5]
    daytime = Escalation("daytime", (step("owner"),), BERLIN, hours=type(every_night("08:00-21:00")).of(weekdays))
    house = policy(PEOPLE, (daytime,))
    async with household(make_settings, house, berlin(27, 22), {}) as home, home.running():
        alert = await home.says("water")
        for _ in range(57):
            assert await home.sleeps(60) == []
        home.sink.answer("MAIL", "451 4.3.0 later")
        assert await home.sleeps(60) == []
        assert [each.split()[0] for each in await home.passes(2)] == ["owner:"]
        [notification] = (await home.service.trail(alert["id"]))["notifications"]
        assert (notification["status"], len(notification["attempts"])) == ("sent", 2)


async def test_an_acknowledgement_is_forgotten_while_alerts_go_on(make_settings):
    """Motion that was acknowledged at 09:05 doesn't let the burglar of 02:00 join in silence."""
    async with household(make_settings, HOUSE, berlin(23, 9), {}) as home, home.running():
        incident = (await home.says("motion"))["incident"]
        await home.heard()
        home.clock.move(minutes=5)
        await home.post(f"incidents/{incident}/acknowledge", by="owner")
        await home.heard()
        for _ in range(7):  # every half hour, so that it doesn't end for lack of alerts
            assert await home.sleeps(30) == []
            await home.says("motion")
        home.clock.move(minutes=31)
        await home.says("motion")
        lead = "WARNING It is open again: owner acknowledged it at 08:05, but alerts go on."
        assert [each.split(" 9 alerts")[0] for each in await home.heard()] == [f"owner: {lead}", f"partner: {lead}"]
        assert len(await home.passes(5)) == 2  # and the reminders begin anew


async def test_without_a_policy_an_acknowledgement_is_forgotten_too(make_settings):
    """All recipients hear of it; an acknowledgement itself is told to nobody, as before."""
    everyone = Policy(people={each.contacts[0].address: each for each in _recipients("ann@example.com")})
    async with household(make_settings, everyone, START, {}) as home, home.running():
        incident = (await home.says("motion"))["incident"]
        assert await home.heard() == ["ann: WARNING A new alert."]
        await home.post(f"incidents/{incident}/acknowledge", by="ann")
        for _ in range(9):  # so often that it doesn't end for lack of alerts
            assert await home.heard() == []
            home.clock.move(minutes=28)
            await home.says("motion")
        [told] = await home.heard()
        assert told.startswith("ann: WARNING It is open again: ann acknowledged it at 14:03, but alerts go on.")


def _recipients(*addresses: str):
    from alertgate.model import ChannelName  # noqa: PLC0415
    from alertgate.policy.people import recipients  # noqa: PLC0415

    return recipients([(ChannelName.EMAIL, each) for each in addresses], BERLIN).values()


async def test_a_snooze_ends_by_itself(make_settings, database):
    """Everybody is told that it is open again, and the steps begin anew; an acknowledgement instead lasts."""
    async with household(make_settings, HOUSE, START, database) as home, home.running():
        incident = (await home.says("water"))["incident"]
        await home.heard()
        snoozed = await home.post(f"incidents/{incident}/snooze", by="owner", minutes=60)
        assert (snoozed["status"], snoozed["snoozed_until"]) == ("acknowledged", "2026-11-23T15:03:00+00:00")
        assert await home.heard() == ["partner: SNOOZED owner has snoozed it until 15:03. Then it starts anew."]
        assert await home.sleeps(59) == []
        said = "WARNING It is open again: owner had snoozed it until 15:03."
        assert await home.sleeps(1) == [f"owner: {said}", f"partner: {said}"]
        await home.passes(5)
        await home.post(f"incidents/{incident}/snooze", by="owner", minutes=60)
        await home.post(f"incidents/{incident}/acknowledge", by="partner")
        await home.heard()
        assert await home.sleeps(SOON) == []


async def test_a_later_contact_is_told_unless_somebody_has_it_or_it_is_over(make_settings):
    """The second address of a person waits three minutes, and hears of nothing that is over by then."""
    house = policy((person("owner", slow=3),), (escalation("home", step("owner")),))
    async with household(make_settings, house, START, {}) as home, home.running():
        await home.says("water")
        assert await home.heard() == ["owner: WARNING A new alert."]
        assert await home.passes(3) == ["owner@slow.example: WARNING A new alert."]
        await home.says("smoke", event="smoke")
        await home.heard()
        await home.says({"status": "resolved"}, event="smoke")
        assert [each.split(":")[0] for each in await home.passes(5)] == ["owner"]


async def test_what_was_held_for_whoever_is_on_call_goes_to_who_is_then(make_settings):
    """Monday's person was to be told on Tuesday morning, when it is the other one's turn."""
    oncall = Schedule(
        "oncall", (Turn(("owner",), frozenset({0})), Turn(("partner",), frozenset({1, 2, 3, 4, 5, 6}))), BERLIN
    )
    house = policy(
        (person("owner", "22:30-06:30"), person("partner", "22:30-06:30")), (escalation("home", step("@oncall")),)
    )
    house = Policy(
        zone=house.zone,
        people=house.people,
        escalations=house.escalations,
        routes=house.routes,
        schedules={"oncall": oncall},
    )
    async with household(make_settings, house, berlin(23, 23), {}) as home, home.running():
        incident = (await home.says("water"))["incident"]
        assert await home.heard() == []
        assert await home.sleeps(8 * 60) == ["partner: WARNING A new alert."]
        told = [each for each in (await home.get(f"incidents/{incident}"))["notifications"] if each["status"] == "sent"]
        assert [each["reason"].endswith("(step 1 of home)") for each in told] == [True]


async def test_what_is_held_for_somebody_who_left_is_told_to_the_others(make_settings, database):
    """The policy changes at night: nothing that was held is lost."""
    alone = escalation("home", step("owner"))
    house = policy((person("owner", "22:30-06:30"), person("partner")), (alone,))
    async with household(make_settings, house, berlin(23, 23), database) as home, home.running():
        await home.says("water")
        assert await home.heard() == []
        home.policy = policy((person("partner"),), (escalation("home", step("partner")),))
        assert await home.heard() == ["partner: WARNING A new alert."]
        assert await home.sleeps(9 * 60) == []


async def test_a_change_of_the_policy_tells_nobody_again(make_settings):
    """The escalation that runs is gone; who knows already is only reminded, by the new one."""
    async with household(make_settings, HOUSE, START, {}) as home, home.running():
        await home.says("water")
        assert len(await home.heard()) == 2
        other = escalation("other", step("owner"), step("neighbour", after=10), repeat_every=5 * MINUTE)
        home.policy = policy(PEOPLE, (other,))
        home.clock.move(minutes=1)
        assert await home.heard() == []
        told = await home.passes(10)
        assert [each.split(":")[0] for each in told] == ["owner", "neighbour", "owner"]


async def test_the_gates_own_troubles_go_to_the_operator(make_settings):
    """Others have no use for them."""
    house = policy(PEOPLE, (HOME,))
    house = Policy(house.events, house.zone, house.people, {}, house.escalations, house.routes, operator=("partner",))
    async with household(make_settings, house, START, {}) as home, home.running():
        home.of_itself = True
        await home.says({"status": "closed"}, event="valve")  # in doubt whether "closed" ends anything
        told = await home.heard()
        assert [each.split(":")[0] for each in told] == ["partner"]


async def test_a_snooze_takes_a_time_that_makes_sense(make_settings):
    """Neither none nor one of months."""
    async with household(make_settings, HOUSE, START, {}) as home, home.running():
        incident = (await home.says("water"))["incident"]
        for minutes in (0, -5, 60 * 24 * 8, "soon"):
            path = f"/api/incidents/{incident}/snooze"
            answer = await home.service.client.post(path, json={"minutes": minutes}, headers=API_BEARER)
            assert answer.status_code == 422


async def test_the_trail_says_how_far_it_is(make_settings):
    """The route, the step, what comes next and when; who was told is in the notifications, with their reasons."""
    house = policy((person("owner"), person("partner", "14:00-16:00"), person("neighbour")), (HOME,))
    async with household(make_settings, house, START, {}) as home, home.running():
        alert = await home.says("water")
        await home.heard()
        trail = await home.service.trail(alert["id"])
        run = trail["escalation"]
        assert (run["escalation"], run["route"], run["step"]) == ("home", "[[routes]] 1 sends it to home", 1)
        assert (run["reason"], run["next_at"]) == ("step_runs", "2026-11-23T14:08:00+00:00")
        held = next(each for each in trail["notifications"] if each["person"] == "partner")
        assert (held["hold"], held["status"]) == ("quiet_hours", "pending")
        assert "partner, by email, held until Mon 15:00 (quiet hours)" in trail["alert"]["reason"]
        await home.passes(5)
        metrics = (await home.service.client.get("/metrics")).text
        assert 'alertgate_escalation_steps_total{kind="reminder"} 1.0' in metrics


@pytest.mark.parametrize(
    ("quiet", "told_at"), [("", berlin(24, 0, 10)), ("22:30-06:30", berlin(24, 9, 30))], ids=["awake", "asleep"]
)
async def test_a_step_waits_for_who_was_on_call_as_its_time_began(make_settings, quiet, told_at):
    """The next one on call sleeps until nine, which stops the clock of nobody who was told and is awake."""
    oncall = Schedule(
        "oncall", (Turn(("owner",), frozenset({0})), Turn(("partner",), frozenset({1, 2, 3, 4, 5, 6}))), BERLIN
    )
    people = (person("owner", quiet), person("partner", "22:30-09:00"), person("neighbour"))
    house = policy(people, (escalation("home", step("@oncall"), step("neighbour", after=30)),))
    made = household(make_settings, replace(house, schedules={"oncall": oncall}), berlin(23, 23, 40), {})
    async with made as home, home.running():
        await home.says("water")
        told = []
        for at in (told_at - 30 * MINUTE, told_at - MINUTE):
            home.clock.time = at
            told += await home.heard()
        assert not any(each.startswith("neighbour") for each in told)
        assert [each.split(":")[0] for each in await home.passes(1)] == ["neighbour"]
