"""The words that senders use for a status and a severity."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tools.settings_table import ROOT

from alertgate.accept.all_clear import KINDS, NOT_ON, ON_WORDS, SWITCHED_OFF
from alertgate.model import Severity, Signal
from alertgate.words import RESOLVED_WORDS, SEVERITY_WORDS, read_severity, read_signal, values_of
from tests.builders import for_any

RESOLVED = ["resolved", "resolve", "ok", "okay", "clear", "cleared", "closed", "normal", "recovered", "recovery"]
CRITICAL = ["critical", "crit", "emergency", "emerg", "alert", "fatal", "panic", "disaster"]
CRITICAL += ["high", "page", "error", "err"]
WARNING = ["warning", "warn", "major", "minor", "medium"]
INFO = ["info", "informational", "information", "notice", "debug", "ok", "none", "low"]

white_space = st.text(st.sampled_from(" \t\r\n\u00a0\u2003"), max_size=3)
no_text = st.none() | st.booleans() | st.integers() | st.floats() | st.lists(st.text()) | st.just({"status": "ok"})


def test_each_word_means_what_it_should():
    """The words of the common systems are known."""
    assert sorted(RESOLVED_WORDS) == sorted(RESOLVED)
    assert dict(SEVERITY_WORDS) == {
        **dict.fromkeys(CRITICAL, Severity.CRITICAL),
        **dict.fromkeys(WARNING, Severity.WARNING),
        **dict.fromkeys(INFO, Severity.INFO),
    }


def test_the_tables_are_those_of_the_documentation():
    """docs/how-it-works.md lists just the words that are known."""
    page = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")
    chapter = page.split("## Status and severity")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*`) \| (.*) \|$", chapter, re.MULTILINE)
    words = {means: re.findall(r"`([a-z]+)`", row) for row, means in rows if "," in row}
    severities = {word: Severity(means) for means, row in words.items() if means in set(Severity) for word in row}
    assert (sorted(words["resolves its incident"]), severities) == (sorted(RESOLVED_WORDS), dict(SEVERITY_WORDS))
    for before, listed in {
        "switch it\noff, as in `no_leak` or `alarm_enabled`": SWITCHED_OFF,
        "nor one of these words": NOT_ON - RESOLVED_WORDS,
        "as in `alarm_id` or `water_level`": KINDS,
        "or one of\n  these is on": ON_WORDS,
    }.items():
        assert set(re.findall(r"`([\w/]+)`", chapter.split(f"{before}:")[1].split(".")[0])) == listed


@for_any
@given(st.sampled_from(RESOLVED), white_space, white_space, st.sampled_from([str.upper, str.title, str.lower]))
def test_a_status_is_read_in_any_case_and_with_white_space(word, before, after, case):
    """How a word is written makes no difference."""
    assert read_signal(f"{before}{case(word)}{after}") == Signal.RESOLVED


@pytest.mark.parametrize("word", ["firing", "alarm", "open", "on", "triggered", "resolved?", "not ok", "0", "ok ok"])
def test_any_other_status_fires(word):
    """A doubtful word ends nothing."""
    assert read_signal(word) == Signal.FIRING


@for_any
@given(no_text | white_space)
def test_what_is_no_word_says_nothing(value):
    """Numbers, lists, objects and blanks are neither a status nor a severity."""
    assert (read_signal(value), read_severity(value)) == (None, None)


@for_any
@given(st.sampled_from(sorted(SEVERITY_WORDS)), white_space, white_space, st.sampled_from([str.upper, str.title]))
def test_a_severity_is_read_in_any_case_and_with_white_space(word, before, after, case):
    """How a word is written makes no difference."""
    assert read_severity(f"{before}{case(word)}{after}") == SEVERITY_WORDS[word]


@pytest.mark.parametrize("value", ["severe", "criticalcritical", "2", "P1", "\udcff", "\x00"])
def test_an_unknown_word_is_no_severity(value):
    """What is no severity isn't guessed at."""
    assert read_severity(value) is None


def test_a_field_is_found_in_any_spelling():
    """A field's own spelling counts first, and an object before the one beside it."""
    data = {" STATUS ": "b", "status": "a", "statuses": "no", "Status": None}
    assert list(values_of("status", data, "status", None, ["status"], {"Status": "c"})) == ["a", "b", None, "c"]
