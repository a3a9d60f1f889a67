"""Rules that alertgate writes for a person to paste."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.model import Source
from alertgate.policy.events import LONGEST_GLOB
from alertgate.policy.load import parse
from alertgate.policy.suggest import glob_of, rule_text
from tests.builders import for_any


@pytest.mark.parametrize(
    ("event", "glob", "others"),
    [
        ("valve/main", "valve/main", ["valve/mai", "valve/main2"]),
        ("door*", "door[*]", ["door", "doors"]),
        ("what?", "what[?]", ["whats"]),
        ("[a]", "[[]a]", ["a"]),
        ('"quoted" \\ back', '"quoted" \\ back', ["quoted"]),
        ("tab\there", "tab?here", ["tabhere"]),
        ("*" * LONGEST_GLOB, "?" * LONGEST_GLOB, ["*"]),
        ("x" * 300, "x" * (LONGEST_GLOB - 1) + "*", ["x" * (LONGEST_GLOB - 2)]),
    ],
)
def test_a_glob_matches_its_event_alone(event, glob, others):
    """Special characters are escaped, and what nobody can see or what is too long becomes a wild card."""
    assert glob_of(event) == glob
    assert fnmatchcase(event, glob)
    assert not any(fnmatchcase(other, glob) for other in others)


@for_any
@given(st.text(min_size=1, max_size=600))
def test_a_rule_for_any_event_can_be_loaded_and_matches_it(event):
    """Whatever a device calls its events."""
    [rule] = parse(rule_text(event, Source.PARTICLE, resolved="false")).events
    assert rule.matches(event, Source.PARTICLE)
    assert not rule.matches(event, Source.GENERIC)
    assert rule.resolved is False


BASE = r"""
[[events]]
event    = "valve/*"
about    = "the \"main\" valve"
key      = "data.\"zone \\u007f\""
ignore   = false
severity = "data.level > `3` && 'critical' || 'warning'"
"""


def test_a_rule_says_what_the_one_that_matches_now_says():
    """Because it comes first, it decides alone: only what is changed is different."""
    [base] = parse(BASE).events
    [rule] = parse(rule_text("valve/main", Source.GENERIC, base, resolved="\"status == 'open'\"")).events
    unchanged = ("about", "key", "ignore", "severity")
    assert [getattr(rule, name) for name in unchanged] == [getattr(base, name) for name in unchanged]
    assert (rule.event, rule.source, rule.resolved.text) == ("valve/main", Source.GENERIC, "status == 'open'")


def test_a_plain_severity_and_a_plain_condition_are_copied():
    """They are no expressions."""
    [base] = parse('[[events]]\nevent = "*"\nseverity = "crit"\nresolved = true\n').events
    assert rule_text("a", Source.PARTICLE, base, key="\"'all'\"") == (
        '[[events]]\nevent = "a"\nsource = "particle"\nresolved = true\nseverity = "critical"\nkey = "\'all\'"'
    )
