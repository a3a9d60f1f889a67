"""Until when somebody is on call, and when next: compared with asking each minute, also over a clock's change."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

import pytest

from alertgate.policy.schedules import Override, Schedule, Turn, on_call
from alertgate.policy.turns_ahead import changes, duty
from alertgate.policy.written import read_days, read_hours
from tests.policies import BERLIN, at

WEEK = Schedule(
    "nights",
    (Turn(("ada",), read_days("mon-wed")), Turn(("ben",), read_days("thu sun"))),
    BERLIN,
    time(8),
    ("cleo",),
)


def test_a_turn_lasts_until_its_handover():
    """Who is on call says until when; who isn't says from when on; who never is says nothing."""
    now = at("wed 23:00")
    assert [duty(WEEK, name, now).is_on_call for name in ("ada", "ben", "cleo", "dan")] == [True, False, False, False]
    assert duty(WEEK, "ada", now).until == at("thu 08:00")
    assert duty(WEEK, "ben", now).begins_at == at("thu 08:00")
    assert duty(WEEK, "cleo", now).begins_at == at("fri 08:00")
    assert duty(WEEK, "dan", now).begins_at is None
    alone = Schedule("always", (Turn(("ada",), read_days("mon-sun")),), BERLIN)
    assert (duty(alone, "ada", now).is_on_call, duty(alone, "ada", now).until) == (True, None)


def test_the_turn_of_a_day_of_23_hours_is_found_late_in_the_evening_before():
    """Whoever asks on Saturday at 23:30 hears of Sunday's handover: what waits for it doesn't wait for another week."""
    saturday = datetime(2026, 3, 28, 22, 30, tzinfo=UTC)
    assert duty(WEEK, "ben", saturday).begins_at == datetime(2026, 3, 29, 6, tzinfo=UTC)
    assert duty(WEEK, "cleo", saturday).until == datetime(2026, 3, 29, 6, tzinfo=UTC)


@pytest.mark.parametrize("start", [datetime(2026, 10, 23, 14, 30, tzinfo=UTC), datetime(2026, 3, 27, 5, tzinfo=UTC)])
def test_each_change_is_found_over_a_clocks_change(start):
    """As asking each minute finds them: with hours over the night that is changed, and overrides that end within it."""
    hours = read_hours("fri-sun 22:00-02:30")
    swap = start.astimezone(BERLIN).replace(tzinfo=None) + timedelta(days=1, hours=9, minutes=13)
    night = datetime(2026, 10, 25, 2, 15) if start.month == 10 else datetime(2026, 3, 29, 2, 15)  # noqa: DTZ001  (wall)
    schedule = Schedule(
        "mixed",
        (Turn(("ada",), read_days("mon-thu")), Turn(("ben",), read_days("fri-sun"), hours)),
        BERLIN,
        time(2, 30),
        ("cleo",),
        (Override(("dan",), swap, swap + timedelta(hours=3)), Override(("eve",), night - timedelta(hours=1), night)),
    )
    minutes = [start + timedelta(minutes=number) for number in range(6 * 24 * 60)]
    asked = [(each, on_call(schedule, each).who) for each in minutes]
    expected = [asked[0], *(later for before, later in pairwise(asked) if before[1] != later[1])]
    found = [each for each in changes(schedule, start) if each[0] <= minutes[-1]]
    assert found == expected
