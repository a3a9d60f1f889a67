"""The severity of an alert."""

import pytest

from alertgate.accept.severity import DecidedSeverity, decide_severity
from alertgate.model import Severity
from alertgate.rules import SeverityRules

RULES = SeverityRules(
    (
        ("alarm/test", Severity.INFO),
        ("alarm/*", Severity.CRITICAL),
        ("battery[0-9]", Severity.INFO),
        ("*", Severity.WARNING),
    ),
    Severity.INFO,
)
NO_RULES = SeverityRules((), Severity.WARNING)


def test_the_payload_wins_over_the_rules():
    """The severity that an alert names takes precedence."""
    assert decide_severity(["info"], "alarm/motion", RULES) == DecidedSeverity(Severity.INFO, "payload")


@pytest.mark.parametrize(
    ("event", "severity", "reason"),
    [
        ("alarm/motion", Severity.CRITICAL, "rule alarm/*"),
        ("alarm/test", Severity.INFO, "rule alarm/test"),
        ("alarm/a/b", Severity.CRITICAL, "rule alarm/*"),
        ("battery7", Severity.INFO, "rule battery[0-9]"),
        ("Alarm/motion", Severity.WARNING, "rule *"),
        ("", Severity.WARNING, "rule *"),
    ],
)
def test_the_first_rule_that_matches_decides(event, severity, reason):
    """Rules are ordered, case-sensitive globs."""
    assert decide_severity([], event, RULES) == DecidedSeverity(severity, reason)


@pytest.mark.parametrize("claimed", [None, "", "so so", 3, {"level": "critical"}])
def test_an_unknown_severity_falls_back_to_the_rules(claimed):
    """A severity that can't be read counts as missing."""
    assert decide_severity([claimed], "alarm/motion", RULES) == DecidedSeverity(Severity.CRITICAL, "rule alarm/*")


@pytest.mark.parametrize("claimed", [["info", "critical"], ["so so", "Info"], [None, " INFO\n"]])
def test_the_first_known_word_decides(claimed):
    """An unknown word doesn't hide a known one."""
    assert decide_severity(claimed, "alarm/motion", RULES) == DecidedSeverity(Severity.INFO, "payload")


def test_without_a_match_the_default_applies():
    """An event that no rule matches has the default severity."""
    assert decide_severity([], "alarm/motion", NO_RULES) == DecidedSeverity(Severity.WARNING, "default")
