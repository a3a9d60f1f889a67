"""How long devices were silent, counted so that quantiles can be read."""

import json
import math
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from alertgate import gaps
from tests.builders import for_any

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
TODAY = AT.date()


def counted(*lengths: timedelta, at: datetime = AT):
    """Return the counts of gaps that all ended then, as the store keeps them."""
    found = None
    for length in lengths:
        found = json.loads(json.dumps(gaps.add(found, length, at)))
    return found


@for_any
@given(
    st.lists(st.timedeltas(timedelta(minutes=1), timedelta(days=14)), min_size=1, max_size=40),
    st.floats(0.01, 1),
)
def test_a_quantile_is_never_too_short_and_at_most_a_fifth_too_long(lengths, share):
    """Whatever the lengths are: what is expected by it would have been kept so often."""
    exact = sorted(lengths)[max(1, math.ceil(share * len(lengths))) - 1]
    found = gaps.quantile(counted(*lengths), share, TODAY)
    assert exact <= found <= exact * 1.2 + timedelta(seconds=1)


def test_only_a_fortnight_counts():
    """Days that are older are dropped with the next gap, and don't count before that."""
    old = counted(timedelta(hours=8), at=AT - timedelta(days=15))
    assert gaps.number(old, TODAY) == 0
    both = gaps.add(old, timedelta(hours=1), AT)
    assert list(both) == ["2026-11-25"]
    kept = gaps.add(counted(timedelta(hours=8), at=AT - timedelta(days=14)), timedelta(hours=1), AT)
    assert (gaps.number(kept, TODAY), gaps.days(kept, TODAY)) == (2, 2)


def test_a_gap_of_a_clock_that_was_set_back_drops_none_of_the_others():
    """Days are dropped by the newest one that is known."""
    found = gaps.add(counted(timedelta(hours=1)), timedelta(hours=2), AT - timedelta(days=3))
    assert gaps.number(found, TODAY) == 2
    years_ahead = counted(timedelta(hours=1), at=AT + timedelta(days=1000))
    found = gaps.add(gaps.add(years_ahead, timedelta(hours=2), AT - timedelta(days=1)), timedelta(hours=2), AT)
    assert gaps.number(found, TODAY) == 2


def test_no_gap_is_none():
    """Nothing is known of a device that spoke once, and what lasted no time isn't counted."""
    assert gaps.quantile(None, 0.5, TODAY) is None
    assert gaps.add(None, timedelta(0), AT) is None
    assert gaps.number(None, TODAY) == gaps.days(None, TODAY) == 0


def test_the_counts_stay_small():
    """Of a device that was silent for every length on every day of a year."""
    found = None
    for day in range(365):
        for step in range(100):
            found = gaps.add(found, timedelta(minutes=1.2**step), AT + timedelta(days=day))
    assert len(found) == gaps.DAYS
    assert len(json.dumps(found)) < 15_000


def test_a_short_one_counts_as_a_minute_and_a_long_one_as_the_longest():
    """Nothing is expected more often than once a minute."""
    assert gaps.quantile(counted(timedelta(seconds=3)), 1, TODAY) == timedelta(minutes=1)
    assert gaps.quantile(counted(timedelta(days=4000)), 1, date(2026, 11, 25)) >= gaps.LONGEST
