"""Times of day that come twice, in both hemispheres."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from alertgate.local_time import clock_time, is_repeated, zone_name

REPEATED = [
    ("Europe/Berlin", datetime(2026, 10, 25, 2, 30, tzinfo=None), "02:30 CEST", "02:30 CET"),  # noqa: DTZ001
    ("America/New_York", datetime(2026, 11, 1, 1, 0, tzinfo=None), "01:00 EDT", "01:00 EST"),  # noqa: DTZ001
    ("Australia/Sydney", datetime(2026, 4, 5, 2, 59, tzinfo=None), "02:59 AEDT", "02:59 AEST"),  # noqa: DTZ001
    ("Australia/Lord_Howe", datetime(2026, 4, 5, 1, 45, tzinfo=None), "01:45 +11", "01:45 +1030"),  # noqa: DTZ001
    ("Europe/Dublin", datetime(2026, 10, 25, 1, 30, tzinfo=None), "01:30 IST", "01:30 GMT"),  # noqa: DTZ001
    ("Europe/Moscow", datetime(2014, 10, 26, 1, 30, tzinfo=None), "01:30 UTC+04:00", "01:30 UTC+03:00"),  # noqa: DTZ001
]


@pytest.mark.parametrize(("zone", "time", "first", "second"), REPEATED, ids=[each[0] for each in REPEATED])
def test_a_time_that_comes_twice_says_which_it_is(zone, time, first, second):
    """The earlier one has summer time, the later one winter time; where names don't differ, offsets do."""
    earlier, later = (time.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1))
    assert (clock_time(earlier, "%H:%M"), clock_time(later, "%H:%M")) == (first, second)
    assert zone_name(earlier) != zone_name(later)


@pytest.mark.parametrize(
    ("zone", "change", "hours"),
    [
        ("Europe/Berlin", datetime(2026, 10, 25, 1, 0, tzinfo=UTC), 1),
        ("America/New_York", datetime(2026, 11, 1, 6, 0, tzinfo=UTC), 1),
        ("Australia/Sydney", datetime(2026, 4, 4, 16, 0, tzinfo=UTC), 1),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, 0, tzinfo=UTC), 0.5),
    ],
)
def test_only_times_around_the_change_are_marked(zone, change, hours):
    """As long before the change as clocks are set back, and as long after it."""
    span, minute = timedelta(hours=hours), timedelta(minutes=1)
    marked = {
        time for time in (change + minute * n for n in range(-180, 180)) if is_repeated(time.astimezone(ZoneInfo(zone)))
    }
    assert marked == {
        time for time in (change + minute * n for n in range(-180, 180)) if change - span <= time < change + span
    }


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "Europe/Berlin", "Australia/Lord_Howe"])
def test_on_any_other_day_a_time_is_just_a_time(zone):
    """Nor does the hour that is left out in spring have times of its own."""
    for time in (datetime(2026, 7, 1, 2, 30, tzinfo=UTC), datetime(2026, 3, 29, 1, 0, tzinfo=UTC)):
        local = time.astimezone(ZoneInfo(zone))
        assert clock_time(local, "%H:%M:%S") == f"{local:%H:%M:%S}"
        assert zone_name(local) == local.tzname()
