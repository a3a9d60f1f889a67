"""What comes next about an incident, and that this is what comes."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.model import IncidentStatus, Severity
from alertgate.notify.escalate import StepReason
from alertgate.notify.tellings import TellReason
from alertgate.notify.upcoming import Upcoming, upcoming
from alertgate.policy.routes import Route
from tests.builders import for_any, incident
from tests.policies import Story, at, escalation, person, policy, shown, step

NIGHT = "22:30-06:30"
OWNER, NEIGHBOUR, SLEEPER = person("owner"), person("neighbour"), person("sleeper", NIGHT)
TWO = policy([OWNER, NEIGHBOUR], [escalation(step("owner"), step("neighbour", after="10m"))])
SLEEPY = policy([OWNER, SLEEPER], [escalation(step("owner"), step("sleeper", after="10m"))])
LIGHT_SLEEPER = person("sleeper", f"{NIGHT} except critical")
WOKEN = policy([OWNER, LIGHT_SLEEPER], [escalation(step("owner"), step("sleeper", after="10m"))])
REMINDED = policy([OWNER], [escalation(step("owner"), repeat_every="5m", stop_after="12m")])
OPEN_BY_DAY = policy(
    [OWNER, NEIGHBOUR], [escalation(step("owner"), step("neighbour", after="10m"), hours="08:00-18:00")]
)
WAITING = policy([OWNER], [escalation(step("owner"))], [Route("home", wait=timedelta(minutes=7))])
NEXT, REMINDER, SNOOZED = StepReason.NEXT_STEP, StepReason.REMINDER, StepReason.SNOOZE_OVER


def foreseen(story: Story) -> Upcoming | None:
    """Return what comes first in a story."""
    return next(iter(all_foreseen(story)), None)


def all_foreseen(story: Story) -> tuple[Upcoming, ...]:
    """Return what comes next in a story."""
    about = incident(
        status=story.status,
        severity=story.severity,
        opened_at=story.first_firing_at,
        last_alert_at=story.last_firing_at,
        acknowledged_at=story.acknowledged_at,
        snoozed_until=story.snoozed_until,
    )
    return upcoming(story.policy, about, story.subject, story.run, story.next_at, story.silenced_until, story.now)


@pytest.mark.parametrize(
    ("story", "reason", "who", "when", "hold"),
    [
        (Story(TWO, "mon 12:00"), NEXT, ("neighbour",), "mon 12:10", None),
        (Story(TWO, "mon 12:00").until("mon 12:07"), NEXT, ("neighbour",), "mon 12:10", None),
        (Story(SLEEPY, "mon 23:00"), NEXT, ("sleeper",), "tue 06:30", TellReason.QUIET_HOURS),
        (Story(WOKEN, "mon 23:00", Severity.CRITICAL), NEXT, ("sleeper",), "mon 23:10", None),
        (Story(REMINDED, "mon 12:00"), REMINDER, ("owner",), "mon 12:05", None),
        (Story(REMINDED, "mon 12:00").until("mon 12:06"), REMINDER, ("owner",), "mon 12:10", None),
        (Story(REMINDED, "mon 12:00").until("mon 12:11"), StepReason.NOBODY_ANSWERED, ("owner",), "mon 12:12", None),
        (Story(WAITING, "mon 12:00"), StepReason.FIRST_STEP, ("owner",), "mon 12:07", None),
        (Story(TWO, "mon 12:00").acknowledge("mon 13:00"), SNOOZED, ("owner",), "mon 13:00", None),
    ],
)
def test_what_comes_next_is_said_with_its_people_and_its_time(story, reason, who, when, hold):
    """A step, a reminder, the end of reminders, the end of a wait or of a snooze."""
    found = foreseen(story)
    assert found
    assert (found.reason, found.who, shown(found.at), found.hold) == (reason, who, when, hold)


def test_reminders_do_not_hide_who_is_told_next():
    """The next reminder, and the next step, each at its time; of two at one time both."""
    rules = policy([OWNER, NEIGHBOUR], [escalation(step("owner"), step("neighbour", after="10m"), repeat_every="5m")])
    for now, reminded, number in (("mon 12:00", "mon 12:05", 1), ("mon 12:06", "mon 12:10", 2)):
        found = all_foreseen(Story(rules, "mon 12:00").until(now))
        assert [(each.reason, each.who, shown(each.at), each.number) for each in found] == [
            (REMINDER, ("owner",), reminded, number),
            (NEXT, ("neighbour",), "mon 12:10", 2),
        ]


def test_who_sleeps_longer_is_not_said_to_be_told_with_the_others():
    """Each at the end of their own quiet hours."""
    early, late = person("early", NIGHT), person("late", "22:30-07:00")
    found = all_foreseen(Story(policy([early, late], [escalation(step("early", "late"))], WAITING.routes), "mon 23:00"))
    assert [(each.who, shown(each.at)) for each in found] == [(("early",), "tue 06:30"), (("late",), "tue 07:00")]


@pytest.mark.parametrize(
    "story",
    [
        Story(TWO, "mon 12:00").until("mon 12:11"),
        Story(TWO, "mon 12:00").acknowledge(),
        Story(TWO, "mon 12:00").resolves(),
        Story(REMINDED, "mon 12:00").until("mon 12:13"),
    ],
)
def test_nothing_comes_where_nothing_would(story):
    """All were told, somebody has it, it is over, or reminders have ended."""
    assert foreseen(story) is None


def test_a_silence_holds_what_would_come():
    """What that is then is decided at its end: clocks stand still meanwhile."""
    story = Story(TWO, "mon 12:00")
    story.silenced_until = at("mon 15:00")
    assert foreseen(story) == Upcoming(at("mon 15:00"), StepReason.SILENCED)


def test_outside_the_hours_the_next_step_waits_for_them():
    """The first step was told; the next one's time counts within the hours alone."""
    found = foreseen(Story(OPEN_BY_DAY, "mon 17:55"))
    assert found
    assert (found.who, shown(found.at)) == (("neighbour",), "tue 08:05")


def test_an_incident_whose_address_is_its_name_shows_no_address():
    """The recipients of the settings are named like their addresses."""
    [contact, *_] = OWNER.contacts
    bare = replace(OWNER, name=contact.address, contacts=(contact,))
    rules = policy([bare], [escalation(step(bare.name), repeat_every="5m")])
    found = foreseen(Story(rules, "mon 12:00"))
    assert found
    assert found.who == ("o***@example.org",)


steps = st.lists(
    st.tuples(st.sampled_from(["0s", "10m", "3h"]), st.sets(st.sampled_from("abc"), min_size=1)), max_size=4, min_size=1
)


@for_any
@given(steps, st.sampled_from(["", "44m"]), st.sampled_from(Severity), st.integers(0, 500))
def test_what_was_foreseen_comes(chosen, repeat_every, severity, minutes):
    """At any time of an incident that nobody answers, the next message goes to whom and when it was said."""
    durations = {"repeat_every": repeat_every} if repeat_every else {}
    home = escalation(*(step(*sorted(names), after=after) for after, names in chosen), **durations)
    story = Story(policy([person(name) for name in "abc"], [home]), "mon 08:00", severity)
    story.until(f"mon {8 + minutes // 60:02}:{minutes % 60:02}")
    before, found = len(story.said), foreseen(story)
    story.until("sun 12:00")
    told = [line.split(": ")[0].rsplit(" ", 1) for line in story.said[before:]]
    if found is None:
        assert told == []
        return
    assert found.kind is not None
    assert {who for when, who in told if when == shown(found.at)} >= set(found.who)
    assert told[0][0] == shown(found.at)
    assert story.status is IncidentStatus.OPEN
