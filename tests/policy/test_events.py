"""The `[[events]]` rules: which one decides, and what it says."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.model import Severity, Signal, Source
from alertgate.policy.bounds import LARGEST_EVENT
from alertgate.policy.events import MOST_PARTS, RuleReason, Ruling, apply_rules, doubts, sentence
from alertgate.policy.expressions import Failure
from alertgate.policy.load import parse
from tests.accept.test_intake import json_values
from tests.builders import for_any
from tests.policy.test_expressions import event


def rules(text: str):
    """Return the rules that a file holds."""
    return parse(text).events


def ruling(text: str, data: Any = None, *, name: str = "leak", source: Source = Source.PARTICLE) -> Ruling:
    """Return what the rules in a file say about an event."""
    found = apply_rules(rules(text), event(data, event=name), source)
    assert found is not None
    return found


def rule(**keys: str) -> str:
    """Return a rule for every event with these keys, whose values are TOML."""
    return "\n".join(["[[events]]", 'event = "*"', *(f"{key} = {value}" for key, value in keys.items())])


def quoted(expression: str) -> str:
    """Return an expression as a value in TOML."""
    return f'"{expression}"'


THREE = """
[[events]]
event = "door/*"
source = "generic"
[[events]]
event = "door/front"
[[events]]
event = "door/*"
"""


@pytest.mark.parametrize(
    ("name", "source", "number"),
    [
        ("door/front", Source.PARTICLE, 2),
        ("door/back", Source.PARTICLE, 3),
        ("door/front", Source.GENERIC, 1),
        ("Door/front", Source.PARTICLE, None),
        ("leak", Source.GENERIC, None),
    ],
)
def test_the_first_rule_that_matches_decides_alone(name, source, number):
    """By the event's name, in which case matters, and by the webhook."""
    found = apply_rules(rules(THREE), event(event=name), source)
    assert (found.number if found else None) == number


@pytest.mark.parametrize(
    ("keys", "data", "signal"),
    [
        ({"resolved": "true"}, None, Signal.RESOLVED),
        ({"resolved": "false"}, None, Signal.FIRING),
        ({"resolved": quoted("data == '00'")}, "00", Signal.RESOLVED),
        ({"resolved": quoted("data == '00'")}, "01", Signal.FIRING),
        ({"severity": '"critical"'}, "00", None),
    ],
)
def test_resolved_is_true_or_false(keys, data, signal):
    """`true` is the end, `false` is firing, and a rule without `resolved` leaves it to the alert's own words."""
    found = ruling(rule(**keys), data)
    assert (found.reason, found.signal, found.failed("resolved")) == (RuleReason.DECIDED, signal, False)


@pytest.mark.parametrize(
    ("expression", "data", "failure", "why"),
    [
        ("data.open", {}, Failure.MISSING, "data.open is missing or blank"),
        ("data.open != 'yes'", {}, Failure.MISSING, "data.open is missing or blank"),
        ("!(data.open)", {"open": ""}, Failure.MISSING, "data.open is missing or blank"),
        (
            "!contains(data.states, 'open')",
            {"states": [None]},
            Failure.MISSING,
            "a value in data.states is missing or blank",
        ),
        ("data.open", {"open": "no"}, Failure.UNEXPECTED, "it gave a text, and must give true or false"),
        ("data.open", {"open": 0}, Failure.UNEXPECTED, "it gave a number, and must give true or false"),
        ("[data.open]", {"open": True}, Failure.UNEXPECTED, "it gave a list, and must give true or false"),
        ("data", {"open": True}, Failure.UNEXPECTED, "it gave an object, and must give true or false"),
        ("length(data) == `0`", 5, Failure.ERROR, "of an error: length() can't take a number"),
        ("data < `5`", "7", Failure.ERROR, "of an error: '<' not supported between instances of 'str' and 'int'"),
        ("data[0] == `1`", [1] * LARGEST_EVENT, Failure.TOO_LARGE, "the event has more than 2000 values"),
    ],
)
def test_what_is_neither_true_nor_false_has_failed(expression, data, failure, why):
    """A rule that failed says nothing, and its sentence says why."""
    found = ruling(rule(resolved=quoted(expression)), data)
    assert (found.reason, found.signal, found.failed("resolved")) == (RuleReason.FAILED, None, True)
    assert found.outcomes[0].value.failure is failure
    said = sentence(found)
    assert said.startswith(f"[[events]] 1 (*): `resolved` failed, because {why}")
    assert said.endswith("; so it fires, whatever its own words say")


@pytest.mark.parametrize(
    ("value", "data", "severity"),
    [
        ('"critical"', None, Severity.CRITICAL),
        ('"Warn"', None, Severity.WARNING),
        ('"EMERG"', None, Severity.CRITICAL),
        (quoted("data.level"), {"level": "major"}, Severity.WARNING),
        (quoted("data.level > `5` && 'critical' || 'info'"), {"level": 9}, Severity.CRITICAL),
        (quoted("data.level > `5` && 'critical' || 'info'"), {"level": 1}, Severity.INFO),
        (quoted("data.level > `5` && 'critical' || 'info'"), {}, None),
        (quoted("data.level"), {"level": "purple"}, None),
        (quoted("data.level"), {"level": 3}, None),
    ],
)
def test_severity_is_a_word_or_an_expression_that_gives_one(value, data, severity):
    """In the words of the table; anything else has failed."""
    found = ruling(rule(severity=value), data)
    assert (found.severity, found.failed("severity")) == (severity, severity is None)


@pytest.mark.parametrize(
    ("expression", "data", "part"),
    [
        ("data.door", {"door": " Front\tdoor "}, ("front door",)),
        ("data.door", {"door": 3}, ("3",)),
        ("data.door", {"door": 3.0}, ("3",)),
        ("data.door", {"door": "3"}, ("3",)),
        ("data.door", {"door": 2.5}, ("2.5",)),
        ("[data.floor, data.door]", {"floor": "Ground", "door": 3}, ("ground", "3")),
        ("data.door", {}, None),
        ("data.door", {"door": True}, None),
        ("data.door", {"door": " "}, None),
        ("data.door", {"door": {}}, None),
        ("data.door", {"door": []}, None),
        ("data.door", {"door": ["a"] * (MOST_PARTS + 1)}, None),
        ("data.door", {"door": [["a"]]}, None),
        ("data.door", {"door": "x" * 129}, None),
        ("data.door", {"door": 10**5000}, None),
        ("[data.floor, data.door]", {"floor": "ground"}, None),
    ],
)
def test_key_is_a_text_a_number_or_a_list_of_them(expression, data, part):
    """Written alike, whatever the type, case and white space; anything else has failed."""
    found = ruling(rule(key=quoted(expression)), data)
    assert (found.part, found.failed("key")) == (part, part is None)


@pytest.mark.parametrize(
    ("value", "data", "reason"),
    [
        ("true", None, RuleReason.IGNORED),
        ("false", None, RuleReason.DECIDED),
        (quoted("data.test"), {"test": True}, RuleReason.IGNORED),
        (quoted("data.test"), {"test": False}, RuleReason.DECIDED),
        (quoted("data.test"), {"test": "yes"}, RuleReason.FAILED),
        (quoted("data.test != 'no'"), {}, RuleReason.FAILED),
    ],
)
def test_only_true_ignores(value, data, reason):
    """An alarm isn't ignored because a field is missing."""
    assert ruling(rule(ignore=value), data).reason is reason


def test_an_ignored_event_has_no_other_meaning():
    """Nothing else of the rule is evaluated."""
    found = ruling(rule(ignore="true", resolved="true", severity='"critical"', key=quoted("data")), "x")
    assert (found.signal, found.severity, found.part) == (None, None, None)
    assert sentence(found) == "ignored by [[events]] 1 (*)"


def test_the_sentence_says_what_the_rule_decided_and_what_failed():
    """Both stand in one alert's trail."""
    text = rule(about='"door"', key=quoted("data.door"), resolved=quoted("data.shut"), severity='"critical"')
    assert sentence(ruling(text, {"door": "front", "shut": True})) == (
        "[[events]] 1 (*) says: key front, resolved, critical, about door"
    )
    assert sentence(ruling(text, {"shut": True})) == (
        "[[events]] 1 (*) says: resolved, critical, about door; "
        "[[events]] 1 (*): `key` failed, because data.door is missing or blank; so its own fields say which part is "
        "firing, and it can't end an incident"
    )
    assert sentence(ruling('[[events]]\nevent = "*"')) == ""


@pytest.mark.parametrize(
    ("expression", "data"),
    [
        ("data", "hunter2"),
        ("data.pin", {"pin": "hunter2"}),
        ("[data.pin]", {"pin": ["hunter2"]}),
        ("data.pin > `5`", {"pin": "hunter2"}),
        ("abs(data.pin)", {"pin": "hunter2"}),
        ("keys(data.pin)", {"pin": "hunter2"}),
        ("sum(data.pins)", {"pins": [1, "hunter2"]}),
        ("sort(data.pins)", {"pins": ["hunter2", 1]}),
        ("max_by(data.pins, &@)", {"pins": [["hunter2"]]}),
        ("merge(data.pin)", {"pin": "hunter2"}),
        ("ceil(to_number(data))", "9" * 5000),
        ("avg(data)", [10**400]),
    ],
)
def test_no_sentence_shows_what_a_failed_expression_gave(expression, data):
    """It is logged with the alert's reason, and an alert's content stays out of logs."""
    found = ruling(rule(resolved=quoted(expression), severity=quoted(expression)), data)
    assert found.failed("resolved")
    assert "hunter2" not in sentence(found)
    assert "99" not in sentence(found)
    assert "00" not in sentence(found)


def test_doubts_name_rules_that_are_never_reached_and_doubtful_expressions():
    """Each with its key, counted from 1."""
    text = """
[[events]]
event = "door/*"
[[events]]
event = "door/front"
[[events]]
event = "[ab]/*"
[[events]]
event = "a/*"
resolved = 'length(data[?state == "open"]) == `0`'
[[events]]
event = "door/back"
source = "generic"
"""
    never = "is never reached: rule 1 matches the same events, and comes first"
    assert list(doubts(rules(text))) == [
        ("events[2].event", never),
        ("events[4].resolved", "compares with a field called open: write a text in single quotes, 'open'"),
        ("events[5].event", never),
    ]


@for_any
@given(json_values, st.sampled_from(["data", "data.a", "[data, data.a]", "!(data)", "length(data)", "values(data)"]))
def test_no_data_makes_a_rule_raise(data, expression):
    """An alert is never lost by a rule, and its sentence can always be made."""
    text = rule(**{key: quoted(expression) for key in ("ignore", "key", "resolved", "severity")})
    found = ruling(text, data)
    assert sentence(found)
