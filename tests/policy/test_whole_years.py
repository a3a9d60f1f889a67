"""Quiet hours, hours and handovers over whole years, and over both nights of the clock change, in four zones."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alertgate.model import ChannelName, Severity
from alertgate.notify.tellings import TellReason, tellings
from alertgate.policy.escalations import Escalation, Step
from alertgate.policy.people import Contact, Person, QuietHours
from alertgate.policy.policy import Told
from alertgate.policy.schedules import Schedule, Turn, on_call
from alertgate.policy.stopped_clock import StoppedClock
from alertgate.policy.wall_clock import WEEK, Hours, first_moment, span_of
from tests.builders import examples, for_any

ZONES = [ZoneInfo(name) for name in ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")]
YEAR = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE, QUARTER, HOUR = timedelta(minutes=1), timedelta(minutes=15), timedelta(hours=1)
CHANGES = [
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 3, 8, 7, tzinfo=UTC),
    datetime(2026, 11, 1, 6, tzinfo=UTC),
    datetime(2026, 4, 4, 15, tzinfo=UTC),
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
]
"""When these zones' clocks are changed."""

clocks = st.integers(0, 95).map(lambda quarter: quarter * QUARTER)
parts = st.builds(span_of, st.integers(0, 6), clocks, clocks)
daily = st.tuples(clocks, clocks).filter(lambda pair: pair[0] != pair[1])
every_day = daily.map(lambda pair: [span_of(day, *pair) for day in range(7)])
hours = st.one_of(every_day, st.lists(parts, min_size=1, max_size=5)).map(Hours.of).filter(lambda each: not each.always)
zones = st.sampled_from(ZONES)
anytime = st.integers(0, 365 * 24 * 60 - 1).map(lambda minute: YEAR + minute * MINUTE)
near_a_change = st.builds(lambda at, off: at + off * MINUTE, st.sampled_from(CHANGES), st.integers(-2000, 2000))
times = st.one_of(anytime, near_a_change)
severities = st.sampled_from(Severity)


def shows(spans: Hours, at: datetime, zone: ZoneInfo) -> bool:
    """Return whether the clock on the wall shows a time within hours: the plain meaning, by comparing."""
    wall = at.astimezone(zone).replace(tzinfo=None)
    monday = datetime.combine(wall.date() - timedelta(days=wall.weekday()), time())
    return any(start <= wall - monday < end for start, end in spans.spans)


def person(quiet: Hours | None, zone: ZoneInfo) -> Person:
    """Return a person who is quiet then, but for what is critical."""
    unless = Severity.CRITICAL
    contacts = (Contact(ChannelName.EMAIL, "a@example.org"), Contact(ChannelName.SMS, "b@example.org", 20 * MINUTE))
    return Person("a", contacts, zone, QuietHours(quiet, unless) if quiet else None)


@for_any
@given(hours, zones, times)
def test_the_next_change_is_the_first_one(spans, zone, at):
    """Nothing changes before it; at it something does. To the minute, by looking at each quarter between."""
    change = spans.next_change(at, zone)
    assert change is not None
    inside = shows(spans, at, zone)
    assert spans.contain(at, zone) is inside
    assert shows(spans, change, zone) is not inside
    assert shows(spans, change - timedelta(microseconds=1), zone) is inside
    moment = at
    while moment < change:
        assert shows(spans, moment, zone) is inside
        moment += QUARTER - timedelta(microseconds=moment.microsecond)


@settings(for_any, max_examples=examples(50))
@given(hours, st.none() | hours, zones, zones, times, severities)
def test_nothing_is_told_in_quiet_hours_and_nothing_is_held_beyond_them(quiet, opened, zone, other, at, severity):
    """Every contact is told, at the first moment that no hold covers; what is critical isn't held by its person."""
    home = Escalation("home", (Step(("a",)),), other, hours=opened)
    one = person(quiet, zone)
    found = tellings([Told(one, "a")], home, severity, at)
    assert len(found) == len(one.contacts)

    def holds(moment: datetime) -> bool:
        asleep = severity is not Severity.CRITICAL and shows(quiet, moment, zone)
        return asleep or (opened is not None and not shows(opened, moment, other))

    if _leave_no_time(holds, at):
        assert found[0].due_at - at <= 4 * WEEK  # told in the end all the same
        return
    begins = found[0].due_at
    for telling in found:
        wanted = at if telling is found[0] else begins + telling.contact.after
        assert telling.due_at >= wanted
        assert not holds(telling.due_at)
        assert telling.reason.holds is (telling.due_at > wanted or begins > at)
        moment = wanted
        while moment < telling.due_at:
            assert holds(moment)
            moment += QUARTER


def _leave_no_time(holds, start: datetime) -> bool:
    return all(holds(start + number * QUARTER) for number in range(8 * 96))


@settings(for_any, max_examples=examples(30))
@given(st.lists(hours, max_size=3), st.none() | hours, zones, times, st.integers(1, 500).map(lambda n: n * MINUTE))
def test_a_stopped_clock_counts_the_minutes_in_which_somebody_hears(quiet, opened, zone, start, span):
    """No more and no fewer, by counting each one of up to two weeks."""
    people = [person(each, zone) for each in quiet]
    home = Escalation("home", (Step(("a",)),), zone, hours=opened)
    found = StoppedClock(people, Severity.WARNING, home).passes(start, span)
    left, moment = span, start
    while moment - start < 2 * WEEK:
        awake = not people or any(not shows(each, moment, zone) for each in quiet)
        going = awake and (opened is None or shows(opened, moment, zone))
        if left == timedelta(0) and (going or moment == found):
            break
        left -= MINUTE * going
        moment += MINUTE
    else:
        assert found - start > WEEK
        return
    assert found <= moment
    assert left == timedelta(0)


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_every_night_of_a_year_is_quiet_from_its_beginning_to_its_end(zone):
    """Held to 06:30 by the wall clock, which is 7, 7.5, 8, 8.5 or 9 hours later."""
    night = Hours.of(span_of(day, timedelta(hours=22, minutes=30), timedelta(hours=6, minutes=30)) for day in range(7))
    one = person(night, zone)
    lengths = set()
    for number in range(365):
        day = date(2026, 1, 1) + timedelta(days=number)
        begins = first_moment(day, time(22, 30), zone)
        ends = first_moment(day + timedelta(days=1), time(6, 30), zone)
        lengths.add(ends - begins)
        for moment in (begins, ends - MINUTE, begins + 3 * HOUR, begins + 4 * HOUR):
            assert one.quiet_until(moment, Severity.WARNING) == ends
        for moment in (begins - MINUTE, ends):
            assert one.quiet_until(moment, Severity.WARNING) is None
        assert one.quiet_from(ends, Severity.WARNING) == first_moment(day + timedelta(days=1), time(22, 30), zone)
    offsets = {ZONES[0]: {7, 8, 9}, ZONES[1]: {7, 8, 9}, ZONES[2]: {8}, ZONES[3]: {7.5, 8, 8.5}}
    assert lengths == {timedelta(hours=length) for length in offsets[zone]}


@pytest.mark.parametrize("zone", ZONES, ids=str)
@pytest.mark.parametrize("handover", [time(0), time(2, 15), time(8)], ids=str)
def test_every_moment_of_a_year_has_one_shift(zone, handover):
    """Each day's begins at its handover, or when the clock has skipped that; seven people, one a day."""
    week = tuple(Turn((str(day),), frozenset({day})) for day in range(7))
    schedule = Schedule("oncall", week, zone, handover)
    previous = None
    for number in range(365):
        day = date(2026, 1, 2) + timedelta(days=number)
        begins = first_moment(day, handover, zone)
        local = begins.astimezone(zone)
        assert (local.date(), local.time()) >= (day, handover)
        assert on_call(schedule, begins).who == (str(day.weekday()),)
        assert on_call(schedule, begins - timedelta(microseconds=1)).who == (str((day.weekday() - 1) % 7),)
        assert previous is None or timedelta(hours=23) <= begins - previous <= timedelta(hours=25)
        previous = begins


@for_any
@given(zones, times)
@example(ZONES[0], CHANGES[1] - 30 * MINUTE)
def test_the_repeated_hour_is_quiet_twice_and_the_skipped_one_never(zone, at):
    """A quiet quarter of an hour is what the clock shows, however often it shows it."""
    wall = at.astimezone(zone)
    since = timedelta(hours=wall.hour, minutes=wall.minute)
    one = person(Hours.of(span_of(day, since, (since + QUARTER) % timedelta(days=1)) for day in range(7)), zone)
    end = one.quiet_until(at, Severity.INFO)
    assert end is not None
    assert timedelta(0) < end - at <= QUARTER
    assert one.quiet_until(at, Severity.CRITICAL) is None
    found = tellings([Told(one, "a")], Escalation("home", (), zone), Severity.INFO, at)
    assert (found[0].due_at, found[0].reason) == (end, TellReason.QUIET_HOURS)
