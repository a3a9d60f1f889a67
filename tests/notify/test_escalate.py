"""Escalations as stories: who hears what, when, over nights, weekends, acknowledgements and changes of the policy."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.model import IncidentStatus, Severity, Source
from alertgate.notify import escalate
from alertgate.notify.escalate import StepReason
from alertgate.policy.escalations import EVERYONE, OPERATOR, Step
from alertgate.policy.matchers import Matcher
from alertgate.policy.people import Person
from alertgate.policy.policy import Policy
from alertgate.policy.routes import Route, first
from alertgate.policy.schedules import Schedule, Turn
from alertgate.policy.written import read_hours
from tests.builders import for_any
from tests.policies import BERLIN, Story, anything, at, escalation, person, policy, shown, step

CRITICAL, WARNING, INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO
NIGHT = "22:30-06:30"


def home(*people: Person, **durations: str) -> Policy:
    """Return a policy whose first person is told first, and the next ones ten minutes later each."""
    steps = [step(each.name, after="10m" if number else "0s") for number, each in enumerate(people)]
    return policy(people, [escalation(*steps, **durations)])


def test_nobody_answers():
    """The first, ten minutes later the second, reminders to both, and after two hours that nobody answered."""
    story = Story(home(person("owner"), person("partner"), repeat_every="30m"), "mon 12:00").until("mon 20:00")
    assert story.said == [
        "mon 12:00 owner: first_step",
        "mon 12:10 partner: next_step",
        "mon 12:30 owner: reminder 1",
        "mon 12:30 partner: reminder 1",
        "mon 13:00 owner: reminder 2",
        "mon 13:00 partner: reminder 2",
        "mon 13:30 owner: reminder 3",
        "mon 13:30 partner: reminder 3",
        "mon 14:00 owner: nobody_answered",
        "mon 14:00 partner: nobody_answered",
    ]
    assert story.decide() == escalate.Wait(None, StepReason.ALL_TOLD)


def test_an_acknowledgement_stops_everything():
    """Steps, reminders and delayed contacts."""
    story = Story(home(person("owner", after="3m"), person("partner"), repeat_every="1m"), "mon 12:00")
    story.until("mon 12:02").acknowledge().until("tue 12:00")
    assert story.said == ["mon 12:00 owner: first_step", "mon 12:01 owner: reminder 1", "mon 12:02 owner: reminder 2"]
    assert story.decide() == escalate.Wait(None, StepReason.ACKNOWLEDGED)


def test_a_contact_with_a_delay_is_told_unless_somebody_answers():
    """The second contact of a person comes three minutes later."""
    story = Story(home(person("owner", after="3m")), "mon 12:00").until("mon 12:10")
    assert story.said == ["mon 12:00 owner: first_step", "mon 12:03 owner by sms: first_step"]


def test_the_end_stops_everything():
    """Nothing comes after the all-clear."""
    story = Story(home(person("owner"), person("partner"), repeat_every="5m"), "mon 12:00")
    assert story.until("mon 12:08").resolves().until("tue 12:00").said == [
        "mon 12:00 owner: first_step",
        "mon 12:05 owner: reminder 1",
    ]
    assert story.decide() == escalate.End(StepReason.RESOLVED)


def test_a_critical_incident_doesnt_wait_for_those_who_are_quiet():
    """All of the first step are quiet at 23:00: the second is told at once, and the first in the morning."""
    rules = home(person("owner", NIGHT), person("neighbour"))
    story = Story(rules, "mon 23:00", CRITICAL).until("tue 12:00")
    assert story.said == ["mon 23:00 neighbour: all_quiet", "tue 06:30 owner: first_step (held)"]


def test_a_critical_incident_hands_over_when_its_people_fall_quiet():
    """The owner was told at 22:25, and is quiet from 22:30 on: the neighbour doesn't wait until 22:35."""
    story = Story(home(person("owner", NIGHT), person("neighbour")), "mon 22:25", CRITICAL).until("tue 12:00")
    assert story.said == ["mon 22:25 owner: first_step", "mon 22:30 neighbour: all_quiet"]


def test_one_who_is_awake_is_enough():
    """A critical step that reaches somebody lasts its ten minutes."""
    rules = policy(
        [person("owner", NIGHT), person("partner"), person("neighbour")],
        [escalation(step("owner", "partner"), step("neighbour", after="10m"))],
    )
    story = Story(rules, "mon 23:00", CRITICAL).until("tue 05:00")
    assert story.said == ["mon 23:00 partner: first_step", "mon 23:10 neighbour: next_step"]


def test_nobody_is_woken_as_a_substitute_over_a_battery():
    """A warning at 23:00 is held until 06:30, and the neighbour's ten minutes count from then."""
    story = Story(home(person("owner", NIGHT), person("neighbour")), "mon 23:00").until("tue 12:00")
    assert story.said == ["tue 06:30 owner: first_step (held)", "tue 06:40 neighbour: next_step"]


def test_a_step_that_is_cut_by_the_night_goes_on_in_the_morning():
    """Five of its ten minutes were over at 22:30."""
    story = Story(home(person("owner", NIGHT), person("neighbour")), "mon 22:25").until("tue 12:00")
    assert story.said == ["mon 22:25 owner: first_step", "tue 06:35 neighbour: next_step"]


def test_what_is_over_just_as_the_night_begins_waits_for_the_morning():
    """The ten minutes of a step, and the two hours of `stop_after`, end at 22:30: nothing is done while all sleep."""
    story = Story(home(person("owner", NIGHT), person("neighbour")), "mon 22:20").until("tue 12:00")
    assert story.said == ["mon 22:20 owner: first_step", "tue 06:30 neighbour: next_step"]
    rules = policy([person("owner", NIGHT)], [escalation(step("owner"), repeat_every="90m", stop_after="2h")])
    story = Story(rules, "mon 20:30").until("tue 12:00")
    assert story.said[-1] == "tue 06:30 owner: nobody_answered"


def test_a_held_warning_outlives_stop_after():
    """`stop_after` is long over at 01:00, but it ends reminders alone."""
    rules = policy(
        [person("owner"), person("partner", NIGHT)],
        [escalation(step("owner", "partner"), repeat_every="30m", stop_after="2h")],
    )
    story = Story(rules, "mon 23:00").until("tue 12:00")
    assert "tue 01:00 owner: nobody_answered" in story.said
    assert story.said[-2:] == ["tue 01:00 owner: nobody_answered", "tue 06:30 partner: first_step (held)"]


def test_what_is_held_is_told_in_the_morning_even_if_it_is_over():
    """The person hears that it happened, and that it is over."""
    story = Story(home(person("owner", NIGHT)), "tue 02:10").until("tue 02:40").resolves().until("tue 12:00")
    assert story.said == ["tue 06:30 owner: first_step (held), over"]


def test_what_is_held_over_a_weekend_is_told_on_monday():
    """Outside an escalation's hours, and in no order but the incident's own."""
    rules = policy([person("owner"), person("partner")], [
        escalation(step("owner"), step("partner", after="10m"), hours="mon-fri 08:00-18:00"),
    ])  # fmt: skip
    story = Story(rules, "fri 18:00").until("mon 12:00", week=1)
    assert story.said == ["mon 08:00 owner: first_step (held)", "mon 08:10 partner: next_step"]


def test_what_is_over_before_the_hours_begin_is_told_all_the_same():
    """On Monday, with its end; but not if it was over within the route's wait."""
    home = escalation(step("owner"), hours="mon-fri 08:00-18:00")
    rules = policy([person("owner")], [home], [Route("home", wait=timedelta(minutes=10))])
    story = Story(rules, "sat 03:00").until("sat 04:00").resolves().until("mon 12:00", week=1)
    assert story.said == ["mon 08:00 owner: first_step (held), over"]
    assert Story(rules, "sat 03:00").until("sat 03:09").resolves().until("mon 12:00", week=1).said == []


def test_critical_people_who_sleep_before_the_hours_begin_have_their_time():
    """The owner hears of it at eight, and has ten minutes from then."""
    rules = policy(
        [person("owner", NIGHT), person("partner")],
        [escalation(step("owner"), step("partner", after="10m"), hours="08:00-18:00")],
    )
    story = Story(rules, "mon 19:00", CRITICAL).until("tue 12:00")
    assert story.said == ["tue 08:00 owner: first_step (held)", "tue 08:10 partner: next_step"]


def test_a_critical_incident_waits_for_the_hours_of_its_escalation_too():
    """Hours are what the escalation is for; a route by severity sends critical ones elsewhere."""
    story = Story(policy([person("owner")], [escalation(step("owner"), hours="08:00-18:00")]), "mon 19:00", CRITICAL)
    assert story.until("tue 12:00").said == ["tue 08:00 owner: first_step (held)"]


def test_reminders_stand_still_while_all_who_were_told_are_quiet():
    """They go on in the morning, and so does `stop_after`; none is held."""
    rules = home(person("owner", NIGHT), repeat_every="1h", stop_after="3h")
    story = Story(rules, "mon 21:30").until("tue 12:00")
    assert story.said == [
        "mon 21:30 owner: first_step",
        "tue 06:30 owner: reminder 1",
        "tue 07:30 owner: reminder 2",
        "tue 08:30 owner: nobody_answered",
    ]


def test_a_reminder_goes_to_those_who_are_awake():
    """The one who sleeps has the opening in the morning."""
    rules = policy(
        [person("owner"), person("partner", NIGHT)], [escalation(step("owner", "partner"), repeat_every="5m")]
    )
    story = Story(rules, "mon 23:00").until("mon 23:12")
    assert story.said == [
        "mon 23:00 owner: first_step",
        "mon 23:05 owner: reminder 1",
        "mon 23:10 owner: reminder 2",
    ]


@pytest.mark.parametrize("severity", list(Severity))
def test_whoever_is_awake_is_reminded_while_the_next_steps_people_sleep(severity):
    """The neighbour hears of it in the morning; the owner goes on being reminded until `stop_after`."""
    rules = home(person("owner"), person("neighbour", NIGHT), repeat_every="5m", stop_after="30m")
    assert Story(rules, "mon 22:40", severity).until("tue 12:00").said == [
        "mon 22:40 owner: first_step",
        *(f"mon {22 + minute // 60}:{minute % 60:02} owner: reminder {minute // 5 - 8}" for minute in range(45, 70, 5)),
        "mon 23:10 owner: nobody_answered",
        "tue 06:30 neighbour: next_step (held)",
    ]


def test_whoever_wakes_is_left_half_the_time_before_a_reminder():
    """The neighbour's first message came a minute before the reminder would have."""
    rules = home(person("owner"), person("neighbour", NIGHT), repeat_every="6m", stop_after="12h")
    assert Story(rules, "mon 22:43").until("tue 06:38").said[-4:] == [
        "tue 06:25 owner: reminder 77",
        "tue 06:30 neighbour: next_step (held)",
        "tue 06:33 owner: reminder 78",
        "tue 06:33 neighbour: reminder 78",
    ]


def door(wait: str = "10m", second: str = "10m") -> Policy:
    """Return a policy that tells of a door only if it stays open."""
    people = [person("owner"), person("partner")]
    home = escalation(step("owner"), step("partner", after=second))
    return policy(people, [home], [Route("home", Matcher(event="door/*"), timedelta(minutes=int(wait[:-1])))])


@pytest.mark.parametrize("pause", ["5s", "9m"])
def test_a_door_that_shuts_for_a_moment_still_reaches_its_wait(pause):
    """It is shut for less than ten minutes every nine, so it wasn't over."""
    story = Story(door(), "mon 12:00", event="door/front")
    shut = timedelta(seconds=5 if pause == "5s" else 540)
    for minute in (9, 18, 27, 36):
        story.until(f"mon 12:{minute:02}").resolves()
        story.now += shut
        story.fires()
    heard = story.until("mon 13:00").said
    assert heard[0] in ("mon 12:10 owner: first_step", "mon 12:18 owner: first_step")
    assert any("partner: next_step" in line for line in heard)


def test_a_door_that_was_shut_as_long_as_the_wait_begins_anew():
    """Ten minutes of all-clear are an all-clear."""
    story = Story(door(), "mon 12:00", event="door/front").until("mon 12:09").resolves().until("mon 12:19").fires()
    assert story.until("mon 12:28").said == []
    assert story.until("mon 12:29").said == ["mon 12:29 owner: first_step"]


def test_a_door_that_shuts_in_time_is_told_to_nobody():
    """That is what `wait` is for."""
    story = Story(door(), "mon 12:00", event="door/front").until("mon 12:09:59").resolves().until("mon 13:00")
    assert story.said == []


def test_a_reopening_after_an_acknowledgement_begins_anew():
    """However short the all-clear was."""
    story = Story(home(person("owner"), person("partner")), "mon 12:00").until("mon 12:05").acknowledge()
    story.until("mon 12:06").resolves().until("mon 12:06:05").fires().until("mon 13:00")
    assert story.said == [
        "mon 12:00 owner: first_step",
        "mon 12:06:05 owner: first_step",
        "mon 12:16:05 partner: next_step",
    ]


def test_a_rise_leaves_the_route_that_waits_for_monday():
    """An info alert goes to the daytime; the critical one of five minutes later takes its own route at once."""
    rules = policy(
        [person("owner"), person("partner")],
        [
            escalation(step("owner"), step("partner", after="10m"), name="home"),
            escalation(step("owner"), name="daytime", hours="mon-fri 08:00-18:00"),
        ],
        [Route("home", Matcher(min_severity=WARNING)), Route("daytime")],
    )
    story = Story(rules, "sat 03:00", INFO).until("sat 03:05")
    assert story.said == []
    assert story.fires(CRITICAL).until("sat 12:00").said == [
        "sat 03:05 owner: first_step",
        "sat 03:15 partner: next_step",
    ]


def test_a_rise_judges_a_wait_from_the_first_firing():
    """The new route waits ten minutes, of which seven are over."""
    rules = policy(
        [person("owner")],
        [escalation(step("owner"), name="slow"), escalation(step("owner"), name="fast")],
        [Route("fast", Matcher(min_severity=WARNING), timedelta(minutes=10)), Route("slow", wait=timedelta(hours=3))],
    )
    story = Story(rules, "mon 12:00", INFO).until("mon 12:07").fires(WARNING).until("mon 15:00")
    assert story.said == ["mon 12:10 owner: first_step"]


def test_an_acknowledgement_is_forgotten_while_alerts_go_on():
    """Motion acknowledged at 09:05 doesn't let the burglar of 02:00 join in silence."""
    story = Story(home(person("owner"), person("partner"), again_after_ack="4h"), "mon 09:00").until("mon 09:05")
    story.acknowledge().until("mon 13:04").fires()
    assert story.said == ["mon 09:00 owner: first_step"]
    story.until("tue 02:00").fires()
    assert story.reasons == [StepReason.FORGOTTEN]
    assert story.until("tue 03:00").said[1:] == ["tue 02:00 owner: first_step", "tue 02:10 partner: next_step"]


def test_an_acknowledgement_lasts_while_nothing_happens():
    """Only a firing makes it old."""
    story = Story(home(person("owner")), "mon 09:00").acknowledge().until("sun 09:00")
    assert (story.said, story.status) == (["mon 09:00 owner: first_step"], IncidentStatus.ACKNOWLEDGED)


def test_a_snooze_ends_by_itself():
    """An hour later everything starts anew."""
    story = Story(home(person("owner"), person("partner")), "mon 12:00").until("mon 12:02").acknowledge("mon 13:02")
    assert story.decide() == escalate.Wait(at("mon 13:02"), StepReason.SNOOZED)
    assert story.until("mon 14:00").said[1:] == ["mon 13:02 owner: first_step", "mon 13:12 partner: next_step"]
    assert story.reasons == [StepReason.SNOOZE_OVER]


def test_a_silence_holds_and_what_is_still_open_is_told_at_its_end():
    """Nothing is dropped, and the wait isn't served twice."""
    story = Story(door("1m"), "mon 12:00", event="door/front")
    story.silenced_until = at("mon 14:00")
    assert story.decide() == escalate.Wait(at("mon 14:00"), StepReason.SILENCED)
    assert story.until("mon 14:09").said == ["mon 14:00 owner: first_step"]


def test_a_step_above_the_severity_is_left_out_together_with_its_time():
    """The neighbour is for critical ones; the caretaker comes five minutes after the owner."""
    rules = policy(
        [person("owner"), person("neighbour"), person("caretaker")],
        [escalation(step("owner"), step("neighbour", after="10m", least=CRITICAL), step("caretaker", after="5m"))],
    )
    assert Story(rules, "mon 12:00").until("mon 13:00").said == [
        "mon 12:00 owner: first_step",
        "mon 12:05 caretaker: next_step",
    ]
    assert Story(rules, "mon 12:00", CRITICAL).until("mon 13:00").said == [
        "mon 12:00 owner: first_step",
        "mon 12:10 neighbour: next_step",
        "mon 12:15 caretaker: next_step",
    ]


def shifts(*people: Person, otherwise: tuple[str, ...] = (), days: str = "012") -> Policy:
    """Return a policy whose first step is on call on some days, and whose second one is the last person."""
    oncall = Schedule("oncall", (Turn((people[0].name,), frozenset(map(int, days))),), BERLIN, otherwise=otherwise)
    steps = [step("@oncall"), step(people[-1].name, after="10m")]
    return policy(people, [escalation(*steps, repeat_every="1h")], schedules=[oncall])


def test_a_step_that_reaches_nobody_is_over_at_once():
    """Nobody is on call on Thursday."""
    story = Story(shifts(person("owner"), person("partner")), "thu 12:00").until("thu 12:30")
    assert story.said == ["thu 12:00 partner: nobody_on_call"]


def desk(*steps: Step, operator: tuple[str, ...] = (), quiet: str = "", **durations: str) -> Policy:
    """Return a policy whose desk is taken in office hours alone."""
    turn = Turn(("owner",), frozenset(range(5)), read_hours("mon-fri 08:00-18:00"))
    people = [person("owner"), person("boss", quiet), person("guard")]
    rules = policy(people, [escalation(*steps, **durations)], schedules=[Schedule("desk", (turn,), BERLIN)])
    return replace(rules, operator=operator)


@pytest.mark.parametrize("hours", ["", "mon-fri 07:00-20:00", "mon-fri 08:00-18:00"])
def test_what_nobody_is_on_call_for_is_told_at_the_next_turn(hours):
    """And the step after it waits as if it had come then."""
    rules = desk(step("@desk"), step("@desk", after="10m"), hours=hours)
    story = Story(rules, "sat 14:00").until("mon 12:00", week=1)
    assert [line.removesuffix(" (held)") for line in story.said] == [
        "mon 08:00 owner: first_step",
        "mon 08:10 owner: next_step",
    ]


def test_a_later_step_waits_for_its_turn_too():
    """Who was told first hasn't answered by then."""
    story = Story(desk(step("boss"), step("@desk", after="10m")), "thu 20:00").until("fri 12:00")
    assert story.said == ["thu 20:00 boss: first_step", "fri 08:00 owner: next_step"]
    assert story.decide() == escalate.Wait(None, StepReason.ALL_TOLD)


@pytest.mark.parametrize(
    ("operator", "quiet", "hears"),
    [
        (("boss",), "", ["boss"]),
        (("boss",), f"{NIGHT} except critical", ["boss"]),
        (("boss",), "20:00-06:30", ["guard", "owner"]),
        (("@desk",), "", ["boss", "guard", "owner"]),
        ((), "", ["boss", "guard", "owner"]),
    ],
    ids=["the operator", "the operator, who excepts it", "all but the operator, who sleeps", "nobody's turn", "all"],
)
def test_something_critical_that_nobody_is_on_call_for_is_told_at_once(operator, quiet, hears):
    """To who hears of alertgate's own troubles, or to everybody; at the next turn to who is on call, if new to them."""
    story = Story(desk(step("@desk"), operator=operator, quiet=quiet), "thu 23:00", CRITICAL)
    assert sorted(story.said) == [f"thu 23:00 {name}: stand_in" for name in hears]
    assert story.decide() == escalate.Wait(at("fri 08:00"), StepReason.NOBODY_ON_CALL)
    later = [] if "owner" in hears else ["fri 08:00 owner: first_step"]
    assert [line for line in story.until("fri 12:00").said if line.startswith("fri 08:00")] == later


def test_who_stands_in_is_reminded_until_somebodys_turn():
    """From then on, who is on call is."""
    rules = desk(step("@desk"), operator=("boss",), repeat_every="6h", stop_after="2d")
    assert Story(rules, "thu 20:00", CRITICAL).until("fri 15:00").said == [
        "thu 20:00 boss: stand_in",
        "fri 02:00 boss: reminder 1",
        "fri 08:00 owner: first_step",
        "fri 11:00 owner: reminder 2",
    ]


@pytest.mark.parametrize("severity", list(Severity))
def test_what_nobody_will_ever_be_on_call_for_is_told_all_the_same(severity):
    """The desk is taken on weekdays, and the escalation open on Saturdays."""
    rules = desk(step("@desk"), operator=("boss",), hours="sat 10:00-18:00")
    assert Story(rules, "sat 14:00", severity).until("sat 18:00").said == ["sat 14:00 boss: stand_in"]
    assert Story(rules, "fri 14:00", severity).until("sat 18:00").said == ["sat 10:00 boss: stand_in (held)"]


def test_reminders_go_on_at_the_next_turn():
    """The shift ends before anybody has answered, and nobody comes after it."""
    rules = desk(step("@desk"), repeat_every="30m", stop_after="2d")
    story = Story(rules, "thu 17:40").until("fri 08:35")
    assert story.said == ["thu 17:40 owner: first_step", "fri 08:00 owner: reminder 1", "fri 08:30 owner: reminder 2"]
    assert Story(desk(step("@desk"), repeat_every="30m"), "thu 17:40").until("fri 12:00").said[1:] == [
        "fri 08:00 owner: nobody_answered"
    ]


def test_the_operator_is_reminded_of_something_critical_between_two_shifts():
    """Whoever was told has gone home without an answer."""
    rules = desk(step("@desk"), operator=("boss",), repeat_every="5h", stop_after="2d")
    assert Story(rules, "thu 17:40", CRITICAL).until("fri 10:00").said == [
        "thu 17:40 owner: first_step",
        "thu 22:40 boss: reminder 1",
        "fri 03:40 boss: reminder 2",
        "fri 08:40 owner: reminder 3",
    ]


def test_reminders_follow_the_shift():
    """Who was on call before midnight isn't reminded after it; who is on call then is."""
    rules = shifts(person("owner"), person("partner"), person("boss"), otherwise=("partner",))
    story = Story(rules, "wed 23:30").until("thu 00:35")
    assert story.said == [
        "wed 23:30 owner: first_step",
        "wed 23:40 boss: next_step",
        "thu 00:30 partner: reminder 1",
        "thu 00:30 boss: reminder 1",
    ]


def test_what_was_held_for_a_schedule_goes_to_who_is_on_call_then():
    """The owner sleeps, and the shift is over in the morning."""
    rules = shifts(person("owner", NIGHT), person("partner"), person("boss"), otherwise=("partner",))
    story = Story(rules, "wed 23:30").until("thu 06:35")
    assert story.said == ["thu 06:30 partner: first_step (held)"]


def test_a_person_who_is_removed_while_something_is_held_for_them_loses_nothing():
    """The incident is routed anew, and the one who is left hears of it."""
    story = Story(home(person("owner", NIGHT)), "tue 02:00").until("tue 03:00")
    assert story.said == []
    story.change(home(person("partner"))).until("tue 12:00")
    assert story.said == ["tue 03:00 partner: first_step"]
    assert story.reasons[0] is StepReason.PERSON_GONE


def test_what_was_over_before_its_person_left_is_told_to_others():
    """Held for the owner, over at 02:40; the owner leaves the policy before the morning."""
    story = Story(home(person("owner", NIGHT)), "tue 02:10").until("tue 02:40").resolves()
    story.change(home(person("partner"))).until("tue 12:00")
    assert story.said == ["tue 06:30 partner: first_step, over"]


POLICIES = st.builds(
    lambda names, quiet, hours: policy(
        [person(name, quiet) for name in names], [escalation(step(*names), repeat_every="3h", hours=hours)]
    ),
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, unique=True),
    st.sampled_from(["", NIGHT, "20:00-09:00", "fri 18:00-24:00, sat sun 00:00-24:00"]),
    st.sampled_from(["", "mon-fri 08:00-18:00"]),
)
HAPPENINGS = st.lists(st.tuples(st.integers(1, 900), POLICIES | st.sampled_from(["over", "again"])), max_size=6)


@for_any
@given(POLICIES, st.sampled_from(["mon 23:00", "fri 17:55", "sun 03:00"]), HAPPENINGS)
def test_nothing_is_lost_whatever_happens_to_the_policy(rules, begins, happenings):
    """People and hours come and go: nobody is told in their quiet hours, and somebody is told."""

    class Watched(Story):
        def _sent(self, telling, word):
            assert self.policy.people[telling.person].quiet_until(self.now, self.severity) is None
            super()._sent(telling, word)

    story = Watched(rules, begins)
    moment = at(begins)
    for minutes, happening in happenings:
        moment += timedelta(minutes=minutes)
        story.until(shown(moment), week=(moment - at("mon 00:00")).days // 7)
        if isinstance(happening, Policy):
            story.change(happening)
        elif happening == "over" and story.status is IncidentStatus.OPEN:
            story.resolves()
        elif happening == "again" and story.status is IncidentStatus.RESOLVED:
            story.fires()
    assert story.until("sun 23:00", week=2).said


def test_an_escalation_that_is_gone_is_routed_anew():
    """And one with fewer steps than were told, too."""
    story = Story(home(person("owner"), person("partner")), "mon 12:00").until("mon 12:15")
    story.change(policy([person("owner"), person("partner")], [escalation(step("partner"), name="other")]))
    assert story.reasons == [StepReason.ESCALATION_GONE]
    story.change(home(person("owner"), person("partner"))).until("mon 13:00")
    assert [line.split()[2] for line in story.said] == ["owner:", "partner:", "partner:", "owner:", "partner:"]


def test_a_late_process_doesnt_let_reminders_drift_or_pile_up():
    """Three seconds late counts from when it was due; after an hour's sleep there is one reminder, not twelve."""
    run = replace(
        escalate.begin(first((), anything())), escalation="home", step=1, step_at=at("mon 12:00"),
        reminded_at=at("mon 12:00"), first_sent_at=at("mon 12:00"), told=frozenset({"owner"}),
    )  # fmt: skip
    rules = home(person("owner"), repeat_every="5m")
    for late, following in (("mon 12:05:03", "mon 12:10"), ("mon 13:00", "mon 13:05")):
        facts = escalate.Facts(rules, run, WARNING, IncidentStatus.OPEN, at("mon 12:00"))
        reminder = escalate.next_step(facts, at(late))
        assert isinstance(reminder, escalate.Remind)
        after = escalate.advance(run, reminder, at(late))
        decided = escalate.next_step(replace(facts, run=after), at(late))
        assert decided == escalate.Wait(at(following), StepReason.STEP_RUNS)


def test_reminders_wait_until_something_was_sent():
    """Nobody is reminded of what they never heard, and `stop_after` hasn't begun."""
    rules = home(person("owner"), repeat_every="5m")
    story = Story(rules, "mon 12:00")
    story.run = replace(story.run, first_sent_at=None)
    facts = replace(story.facts, run=story.run)
    assert escalate.next_step(facts, at("mon 15:00")) == escalate.Wait(at("mon 15:05"), StepReason.NOTHING_SENT)


def test_without_a_file_everyone_is_told_at_once_and_not_reminded():
    """As it always was; alertgate's own troubles go to everyone too."""
    rules = policy([person("owner"), person("partner")])
    story = Story(rules, "mon 03:00").until("sun 12:00")
    assert story.said == ["mon 03:00 owner: first_step", "mon 03:00 partner: first_step"]
    assert story.run.escalation == EVERYONE
    own = first(rules.routes, anything(source=Source.ALERTGATE))
    assert own.escalation == OPERATOR
    operator = rules.escalation(OPERATOR)
    assert operator is not None
    assert operator.steps == (step("owner", "partner"),)


@pytest.mark.parametrize("severity", list(Severity))
def test_what_runs_keeps_its_incident_open(severity):
    """Until the last step and reminder are done, and while a silence or the night holds it."""
    rules = home(person("owner", NIGHT), person("partner"))
    story = Story(rules, "mon 12:00", severity)
    assert escalate.is_running(escalate.next_step(story.facts, story.now))
    assert escalate.is_running(escalate.next_step(Story(rules, "mon 23:00", severity).facts, at("mon 23:00"))) is (
        severity is not CRITICAL
    )
    story.until("mon 13:00")
    assert not escalate.is_running(escalate.next_step(story.facts, story.now))
    story.acknowledge()
    assert not escalate.is_running(escalate.next_step(story.facts, story.now))
