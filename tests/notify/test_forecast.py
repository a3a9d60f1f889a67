"""Who would be told, when and why: the words of `alertgate who`, and that real incidents take the same course."""

# ruff: noqa: E501  (sentences that are shown)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.model import Severity, Source
from alertgate.notify.forecast import MOST_REMINDERS, forecast
from alertgate.notify.forecast_words import lines
from alertgate.policy.load import parse
from alertgate.policy.routes import Route
from alertgate.policy.schedules import Schedule, Turn
from alertgate.policy.surroundings import Surroundings
from tests.builders import for_any
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


quiets = st.sampled_from(["", NIGHT, "23:00-05:00 except critical", "12:00-13:00"])
steps = st.lists(
    st.tuples(st.sampled_from(["0s", "10m", "3h"]), st.sets(st.sampled_from("abc"), min_size=1)), max_size=3, min_size=1
)
begins = st.sampled_from(["mon 12:00", "mon 22:25", "fri 17:50", "sat 03:00"])


@for_any
@given(
    st.tuples(quiets, quiets, quiets), steps, st.sampled_from(["", "06:00-23:00"]), st.sampled_from(Severity), begins
)
def test_a_real_incident_takes_the_course_that_was_foreseen(quiet, chosen, hours, severity, when):
    """Whoever is told, and when, if nobody answers."""
    people = [person(name, each) for name, each in zip("abc", quiet, strict=True)]
    home = escalation(*(step(*sorted(names), after=after) for after, names in chosen), hours=hours, repeat_every="44m")
    rules = policy(people, [home])
    story = Story(rules, when, severity).until("sun 12:00", week=1)
    foreseen = forecast(rules, story.subject, at(when)).told
    steps_only = [each for each in foreseen if each.reason not in {"reminder", "nobody_answered"}]
    told = {(shown(each.at), each.person) for each in steps_only}
    heard = {
        tuple(line.split(": ")[0].rsplit(" ", 1))
        for line in story.said
        if "reminder" not in line and "nobody" not in line
    }
    assert told == heard


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
