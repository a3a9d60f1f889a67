"""Durations, times and hours as the policy's file writes them: what is read, what is refused, and what is shown."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.model import Severity
from alertgate.policy.wall_clock import WEEK, Hours
from alertgate.policy.written import (
    read_clock,
    read_days,
    read_duration,
    read_hours,
    read_moment,
    read_quiet_hours,
    show_duration,
)
from tests.builders import for_any
from tests.policies import BERLIN, at

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("1h 30m", 5400), ("2d", 172800), ("0s", 0)],
)
def test_durations_are_read(text, seconds):
    """As short as a second."""
    assert read_duration(text).total_seconds() == seconds
    assert read_duration(show_duration(read_duration(text))) == read_duration(text)


@pytest.mark.parametrize("text", ["", "10", "m", "10 m", "ten minutes", "-5m", "1.5h", "5M", "9" * 400 + "s", "400d"])
def test_what_is_no_duration_is_refused(text):
    """With an example of one, unless it is too long."""
    with pytest.raises(ValueError, match=r'as in "90s"|longer than 366 days'):
        read_duration(text)


@pytest.mark.parametrize("text", ["8:00", "08:60", "24:01", "25:00", "0800", "08:00:00", "٠٨:٠٠", ""])
def test_what_is_no_time_of_day_is_refused(text):
    """Two digits each, up to 24:00."""
    with pytest.raises(ValueError, match='as in "08:00"'):
        read_clock(text)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon-thu", {0, 1, 2, 3}),
        ("fri-mon", {4, 5, 6, 0}),
        ("Sat", {5}),
        ("mon wed, friday", {0, 2, 4}),
        ("mon-mon", {0}),
        ("mon-sun", set(range(7))),
    ],
)
def test_days_are_read(text, days):
    """Ranges may go on over Sunday."""
    assert read_days(text) == days


@pytest.mark.parametrize("text", ["", "mo", "mon-", "-fri", "mon-fir", "weekend", "mon..fri"])
def test_what_is_no_day_is_refused(text):
    """The message names those that are."""
    with pytest.raises(ValueError, match=r"mon, tue, wed, thu, fri, sat, sun|sat sun"):
        read_days(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("22:30-06:30", "mon-sun 22:30-06:30"),
        ("mon-fri 08:00-21:00", "mon-fri 08:00-21:00"),
        ("mon-fri 08:00-21:00, sat 10:00-14:00", "mon-fri 08:00-21:00, sat 10:00-14:00"),
        ("sun 22:00-06:00", "sun 22:00-06:00"),
        ("00:00-24:00", "always"),
        ("mon-fri 08:00-12:00, mon-fri 12:00-16:00", "mon-fri 08:00-16:00"),
        ("sat 18:00-18:00", "sat 18:00-24:00, sun 00:00-18:00"),
        ("fri 22:00-24:00, sat 00:00-06:00", "fri 22:00-06:00"),
    ],
)
def test_hours_are_read_and_shown(text, shown):
    """Overlapping and adjacent ones are one, over midnight too."""
    assert str(read_hours(text)) == shown


@pytest.mark.parametrize(
    "text",
    ["", "mon-fri", "08:00", "08:00-", "8-21", "mon-fri 8:00-21:00", "24:00-06:00", "08:00-21:00,", "21:00-08:00 mon"],
)
def test_what_are_no_hours_is_refused(text):
    """With a remedy."""
    with pytest.raises(ValueError, match="write"):
        read_hours(text)


def test_quiet_hours_may_except_a_severity():
    """What is at least as severe is told all the same."""
    assert read_quiet_hours("22:30-06:30").unless is None
    assert read_quiet_hours("22:30-06:30 except critical").unless is Severity.CRITICAL
    assert read_quiet_hours("sun-thu 22:30-06:30, fri sat 23:30-09:00 except warning").unless is Severity.WARNING


@pytest.mark.parametrize(
    "text", ["00:00-24:00", "22:30-06:30 except info", "22:30-06:30 except fire", "except critical"]
)
def test_quiet_hours_that_mean_nothing_are_refused(text):
    """Always, for nothing, or for a word that is no severity."""
    with pytest.raises(ValueError, match=r"leave some|except critical|write"):
        read_quiet_hours(text)


edges = st.integers(0, WEEK // MINUTE - 1)
spans = st.tuples(edges, st.integers(1, WEEK // MINUTE)).map(lambda pair: (pair[0] * MINUTE, sum(pair) * MINUTE))


@for_any
@given(st.lists(spans, min_size=1, max_size=6))
def test_any_hours_are_shown_as_they_are_read(pairs):
    """What is shown is what the file would have to say; and the hours and their gaps are the week."""
    hours = Hours.of((start, min(end, start + WEEK)) for start, end in pairs)
    assert hours.always or read_hours(str(hours)) == hours
    gaps = hours.gaps
    for minute in range(0, WEEK // MINUTE, 7):
        assert hours.covers(minute * MINUTE) is not gaps.covers(minute * MINUTE)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("now", "mon 12:00"),
        ("12:00", "mon 12:00"),
        ("11:59", "tue 11:59"),
        ("Sat 03:00", "sat 03:00"),
        ("mon 12:01", "mon 12:01"),
        ("sun 24:00", "mon 00:00 next"),
        ("mon 11:59", "mon 11:59 next"),
        ("2026-11-28 03:00", "sat 03:00"),
        ("2026-11-28T03:00:00+01:00", "sat 03:00"),
        ("2026-11-28", "sat 00:00"),
    ],
)
def test_moments_are_read_in_a_zone(text, found):
    """The next such time from now on, or the one that is named."""
    wanted = at(found.removesuffix(" next"), week=found.endswith(" next"))
    assert read_moment(text, at("mon 12:00"), BERLIN) == wanted


def test_a_time_that_the_clock_skips_is_the_moment_after_it():
    """At 03:00 in the night of the change."""
    skipped = read_moment("2026-03-29 02:30", at("mon 12:00"), BERLIN)
    assert skipped == datetime(2026, 3, 29, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", ["24.12.2026 08:00", "12/24/2026 08:00", "24. Dez 08:00", "2026-12-24 8:00"])
def test_a_date_in_another_form_is_shown_the_right_one(text):
    """It isn't called a day of the week that isn't one."""
    with pytest.raises(ValueError, match='"2026-12-24 08:00"'):
        read_moment(text, at("mon 12:00"), BERLIN)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "soon",
            "Sat",
            "Someday 03:00",
            "25:00",
            "sat 3:00",
            "2026-13-01",
            "0001-01-01 00:00",
            "9999-12-31 23:59",
        ),
        *("0001-01-01T00:00+14:00", "9999-12-31T23:59:59-12:00", "1970-01-01 00:00"),
    ],
)
def test_what_is_no_moment_is_refused(text):
    """With an example, or because it is too far away to be computed with."""
    with pytest.raises(ValueError, match="write"):
        read_moment(text, at("mon 12:00"), BERLIN)
