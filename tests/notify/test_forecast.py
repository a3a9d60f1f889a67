"""Who would be told, when and why: the words of `alertgate who`, and that real incidents take the same course."""

# ruff: noqa: E501  (sentences that are shown)

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alertgate.accept.record import Recorder
from alertgate.accept.rulings import Understood
from alertgate.model import ChannelName, Kind, NotificationStatus, Severity, Source
from alertgate.notify.claim import Claim, Claimer
from alertgate.notify.directory import Directory
from alertgate.notify.escalate import StepReason
from alertgate.notify.escalator import Escalator
from alertgate.notify.flood import FloodRules
from alertgate.notify.forecast import MOST_REMINDERS, forecast
from alertgate.notify.forecast_words import lines
from alertgate.notify.holds import Releaser
from alertgate.notify.turns import TurnTaker
from alertgate.policy.load import parse
from alertgate.policy.policy import Policy
from alertgate.policy.routes import Route
from alertgate.policy.schedules import Schedule, Turn
from alertgate.policy.surroundings import Surroundings
from alertgate.policy.written import read_hours
from alertgate.rules import GroupingRules
from alertgate.store import leases
from alertgate.store.leases import Finish
from alertgate.uuid7 import uuid7
from tests.builders import for_any, new_alert
from tests.policies import BERLIN, Story, anything, at, escalation, person, policy, shown, step

NIGHT = "22:30-06:30"


UNTIL = "Until somebody acknowledges it, or it is over:"


def told(rules, when: str, **changes) -> list[str]:
    """Return the words of a forecast."""
    return list(lines(forecast(rules, anything(**changes), at(when)), rules))


def test_a_night_with_a_shift():
    """A critical incident goes on to who is awake; what was held goes to who is on call in the morning."""
    people = [person("owner", NIGHT), person("partner", NIGHT), person("neighbour", after="3m")]
    oncall = Schedule("oncall", (Turn(("owner",), frozenset({4})), Turn(("partner",), frozenset({5}))), BERLIN)
    home = escalation(step("@oncall"), step("neighbour", after="10m"), repeat_every="2h", stop_after="3h")
    rules = policy(people, [home], schedules=[oncall])
    assert told(rules, "fri 23:00", severity=Severity.CRITICAL) == [
        "door/front from Front door, critical, on Fri 27 Nov 2026 23:00 CET",
        "[[routes]] 1 sends it to home",
        UNTIL,
        "23:00  neighbour, by email:n***@example.org: step 2 at once, because everybody of the step before has quiet hours",
        "23:03  neighbour, by sms:n***@example.net: step 2 at once, because everybody of the step before has quiet hours (this contact comes later)",
        "Sat 01:00  neighbour, by email:n***@example.org: reminder 1",
        "Sat 01:03  neighbour, by sms:n***@example.net: reminder 1 (this contact comes later)",
        "Sat 02:00  neighbour, by email:n***@example.org: nobody has answered, so reminders end",
        "Sat 02:03  neighbour, by sms:n***@example.net: nobody has answered, so reminders end (this contact comes later)",
        "Sat 06:30  partner (on call, @oncall), by email:p***@example.org: step 1 (held until then by quiet hours)",
        "No other reminder comes: they end 3h after the first message.",
    ]


def test_a_gap_in_a_shift():
    """What is critical goes to the operator now; everything goes to who is on call next."""
    shift = Turn(("owner",), frozenset({0, 1, 2, 3, 4}), read_hours("mon-fri 08:00-18:00"))
    rules = policy(
        [person("owner"), person("boss")],
        [escalation(step("@desk"))],
        schedules=[Schedule("desk", (shift,), BERLIN)],
    )
    rules = replace(rules, operator=("boss",))
    monday = "Mon 08:00  owner (on call, @desk), by email:o***@example.org: step 1"
    assert told(rules, "sat 14:00")[3:] == [monday]
    assert told(rules, "sat 14:00", severity=Severity.CRITICAL)[3:] == [
        "14:00  boss, by email:b***@example.org: instead of the steps, because nobody is on call for them",
        monday,
    ]
    closed = replace(rules, escalations={"home": escalation(step("@desk"), hours="mon-fri 07:30-18:00")})
    assert told(closed, "sat 14:00")[3:] == [monday]
    closed = replace(rules, escalations={"home": escalation(step("@desk"), hours="mon-fri 08:00-18:00")})
    assert told(closed, "sat 14:00")[3:] == [f"{monday} (held until then by the escalation's hours)"]


def test_without_a_file_everyone_is_told_at_once():
    """And alertgate's own troubles go to everyone, too."""
    rules = parse("", Surroundings(BERLIN, recipients=[("email", "a@example.org")]))
    here = ["door/front from Front door, warning, on Mon 23 Nov 2026 03:00 CET"]
    line = "03:00  a***@example.org, by email:a***@example.org: step 1"
    assert told(rules, "mon 03:00") == [*here, "there are no routes: everyone is told", UNTIL, line]
    assert told(rules, "mon 03:00", source=Source.ALERTGATE)[1:] == [
        "alertgate's own trouble goes to the operator",
        UNTIL,
        line,
    ]
    nobody = "Nobody is told: there are no recipients in the settings, and no people in alertgate.toml."
    assert told(policy([]), "mon 03:00")[1:] == [nobody]


def test_reminders_are_listed_a_few_times():
    """Every second for hours, and the rest in one sentence; a wait and hours are said."""
    rules = policy([person("owner")], [escalation(step("owner"), repeat_every="1s", hours="08:00-18:00")])
    rules = policy(
        rules.people.values(), rules.escalations.values(), [Route("home", wait=at("mon 00:10") - at("mon 00:00"))]
    )
    found = told(rules, "sun 20:00")
    assert found[1:4] == [
        "[[routes]] 1 sends it to home after a wait of 10m",
        UNTIL,
        "Mon 08:00  owner, by email:o***@example.org: step 1 (held until then by the escalation's hours)",
    ]
    assert sum(": reminder" in each for each in found) == MOST_REMINDERS
    assert found[-1] == "Reminders come every 1s, until 2h after the first message."


def test_a_step_after_hundreds_of_reminders_is_listed():
    """Whoever is told only the day after is told."""
    steps = (step("owner"), step("neighbour", after="20h"))
    home = escalation(*steps, repeat_every="5m", stop_after="1d")
    found = told(policy([person("owner"), person("neighbour")], [home]), "mon 12:00")
    assert "Tue 08:00  neighbour, by email:n***@example.org: step 2" in found


quiets = st.sampled_from(["", NIGHT, "23:00-05:00 except critical", "12:00-13:00"])
steps = st.lists(
    st.tuples(
        st.sampled_from(["0s", "10m", "3h"]),
        st.sets(st.sampled_from("abc"), min_size=1) | st.just({"@desk"}) | st.just({"a", "@desk"}),
    ),
    max_size=3,
    min_size=1,
)
begins = st.sampled_from(["mon 12:00", "mon 22:25", "fri 17:50", "sat 03:00"])


@for_any
@given(
    st.tuples(quiets, quiets, quiets), steps, st.sampled_from(["", "06:00-23:00"]), st.sampled_from(Severity), begins
)
@example((NIGHT, "", ""), [("0s", {"a", "b"}), ("3h", {"a"}), ("0s", {"a"})], "", Severity.INFO, "mon 22:25")
def test_a_real_incident_takes_the_course_that_was_foreseen(quiet, chosen, hours, severity, when):
    """Whoever is told, and when, if nobody answers."""
    people = [*(person(name, each) for name, each in zip("abc", quiet, strict=True)), person("desk")]
    home = escalation(*(step(*sorted(names), after=after) for after, names in chosen), hours=hours, repeat_every="44m")
    shift = Turn(("desk",), frozenset(range(7)), read_hours("mon-fri 09:00-17:00"))
    rules = policy(people, [home], schedules=[Schedule("desk", (shift,), BERLIN)])
    story = Story(rules, when, severity).until("sun 12:00", week=1)
    foreseen = forecast(rules, story.subject, at(when)).told
    told = {(shown(each.at), each.person): each.reason for each in foreseen}
    heard: dict[tuple[str, ...], list[str]] = {}
    for line in story.said:
        begin, word = line.split(": ")
        heard.setdefault(tuple(begin.rsplit(" ", 1)), []).append(word)
    assert steps_of(told) == steps_of({key: of_one_message(words) for key, words in heard.items()})


def of_one_message(words: list[str]) -> str:
    """Return what one message says of all that a story says at one time: what was held, else a step."""
    said = next(iter([*steps_of(dict(enumerate(words))).values(), *words]))
    return (words[0] if words[0].endswith(" (held)") else said).removesuffix(" (held)")


def steps_of(told: dict[Any, str]) -> dict[Any, str]:
    """Leave out reminders, of which not all are listed, and their end."""
    return {key: word for key, word in told.items() if not word.startswith(("reminder", "nobody_answered"))}


@pytest.mark.parametrize(
    ("when", "quiet", "durations", "said"),
    [
        (
            "mon 12:00",
            "",
            {"repeat_every": "5m"},
            "Reminders come every 5m (22 more), until 2h after the first message.",
        ),
        (
            "mon 21:30",
            NIGHT,
            {"repeat_every": "30m"},
            (
                "Reminders come every 30m (2 more), until 2h after the first message; hours in which all are quiet, or "
                "the escalation is closed, don't count."
            ),
        ),
        ("mon 12:00", "", {"repeat_every": "3h"}, "No reminder comes: they end 2h after the first message."),
        ("mon 12:00", "", {"repeat_every": "90m"}, "No other reminder comes: they end 2h after the first message."),
    ],
)
def test_the_last_line_says_how_many_reminders_come_and_until_when(when, quiet, durations, said):
    """It fits what stands above it, also where the clock stands still for a night."""
    rules = policy([person("owner", quiet)], [escalation(step("owner"), **durations)])
    assert told(rules, when)[-1] == said


@pytest.mark.parametrize(
    ("when", "quiet", "later", "times", "said"),
    [
        (
            "mon 22:25",
            NIGHT,
            [step("a", after="3h"), step("a")],
            ["mon 23:09", "mon 23:53", "tue 00:25", "tue 01:25", "tue 06:30"],
            [("mon 22:25", Kind.OPENING), ("tue 06:30", Kind.UNANSWERED)],
        ),
        (
            "mon 12:00",
            "",
            [step("a", after="44m")],
            ["mon 12:44"],
            [("mon 12:00", Kind.OPENING), ("mon 12:44", Kind.HANDOFF)],
        ),
        (
            "mon 12:00",
            "",
            [step("a", after="2h")],
            ["mon 12:44", "mon 13:28", "mon 14:00"],
            [
                ("mon 12:00", Kind.OPENING),
                ("mon 12:44", Kind.REMINDER),
                ("mon 13:28", Kind.REMINDER),
                ("mon 14:00", Kind.HANDOFF),
            ],
        ),
    ],
)
def test_what_falls_on_one_time_is_one_message_with_the_foreseen_word(store, when, quiet, later, times, said):
    """What is held stays what it is; else a step is said rather than a reminder or that nobody answered."""
    rules = policy([person("a", quiet), person("b")], [escalation(step("a", "b"), *later, repeat_every="44m")])
    assert told_for_real(store, rules, [when, *times]) == said
    words = {StepReason.FIRST_STEP: Kind.OPENING, StepReason.NEXT_STEP: Kind.HANDOFF}
    words |= {StepReason.REMINDER: Kind.REMINDER, StepReason.NOBODY_ANSWERED: Kind.UNANSWERED}
    told = forecast(rules, anything(severity=Severity.INFO), at(when)).told
    foreseen = [each for each in told if each.at <= at(times[-1])]
    listed = [(shown(each.at), words[each.reason]) for each in foreseen if each.person == "a"]
    reminders = [each for each in said if each[1] is Kind.REMINDER]
    assert listed == [each for each in said if each not in reminders[MOST_REMINDERS:]]


def told_for_real(store, rules: Policy, times: list[str]) -> list[tuple[str, Kind]]:
    """Let what works in a service work at these times; return when `a` is told, and what."""
    numbers, said = count(), []

    def new_id(moment: datetime) -> str:
        return uuid7(moment, next(numbers).to_bytes(8, "big"))

    grouping = GroupingRules(timedelta(minutes=5), timedelta(days=1))
    directory = Directory(lambda: rules, {ChannelName.EMAIL})
    escalator = Escalator(directory)
    turns, releaser = (each(escalator, grouping.interval, new_id) for each in (TurnTaker, Releaser))
    claimer = Claimer(FloodRules(0, grouping.interval), (), directory, owner="me", new_id=new_id)
    alert = replace(new_alert(severity=Severity.INFO), id=new_id(at(times[0])), received_at=at(times[0]))
    with store.transaction() as connection:
        Recorder(grouping, directory, new_id).record(connection, [Understood(alert)])
        for now in map(at, times):
            while turns.take(connection, now, 100):
                pass
            while releaser.release(connection, now, 100):
                pass
            releaser.send(connection, now)
            for message in claimer.claim(connection, Claim(ChannelName.EMAIL, 100, now)).messages:
                leases.finish(
                    connection, [Finish(each, NotificationStatus.SENT, now) for each in message.notifications]
                )
                said += [(shown(now), each.kind) for each in message.notifications if each.person == "a"]
    return said
