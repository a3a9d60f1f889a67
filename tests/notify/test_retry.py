"""When a notification is retried."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.notify.retry import Again, GiveUp, next_attempt
from tests.builders import for_any
from tests.fakes import START

DAY = timedelta(hours=24)


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(1, 5), (2, 15), (3, 45), (4, 120), (5, 300), (6, 900), (7, 900), (50, 900)]
)
def test_the_delays_grow_to_a_quarter_of_an_hour(attempts, seconds):
    """5 s, 15 s, 45 s, 2 min, 5 min, then every 15 min."""
    assert next_attempt(attempts, START, START, DAY, 0.5) == Again(START + timedelta(seconds=seconds))


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 240), (0.25, 270), (0.5, 300), (0.75, 330), (1.0, 360)])
def test_a_delay_varies_by_a_fifth(chance, seconds):
    """Notifications that failed together aren't retried together."""
    assert next_attempt(5, START, START, DAY, chance) == Again(START + timedelta(seconds=seconds))


def test_the_delay_counts_from_now():
    """An old notification waits as long as a new one."""
    now = START + timedelta(hours=10)
    assert next_attempt(1, START, now, DAY, 0.5) == Again(now + timedelta(seconds=5))


def test_the_last_attempt_is_within_give_up_after():
    """An attempt at the very end of GIVE_UP_AFTER is still made."""
    now = START + DAY - timedelta(minutes=15)
    assert next_attempt(99, START, now, DAY, 0.5) == Again(START + DAY)


def test_no_attempt_is_made_after_give_up_after():
    """Once the next attempt would come later, the decision is to give up."""
    now = START + DAY - timedelta(minutes=15) + timedelta(microseconds=1)
    assert next_attempt(99, START, now, DAY, 0.5) == GiveUp()


def test_a_short_give_up_after_ends_early():
    """With 90 minutes, a failure after 90 minutes is the last."""
    now = START + timedelta(minutes=90)
    assert next_attempt(7, START, now, timedelta(minutes=90), 0.5) == GiveUp()


@for_any
@given(st.integers(1, 10_000), st.floats(0, 1), st.timedeltas(timedelta(0), timedelta(days=2)))
def test_a_retry_is_always_later_and_never_too_late(attempts, chance, age):
    """The next attempt is 4 s to 18 min ahead, and within GIVE_UP_AFTER."""
    now = START + age
    step = next_attempt(attempts, START, now, DAY, chance)
    if isinstance(step, Again):
        assert timedelta(seconds=4) <= step.at - now <= timedelta(minutes=18)
        assert step.at - START <= DAY
    else:
        assert age > DAY - timedelta(minutes=18)


def test_a_day_of_failures_is_about_a_hundred_attempts():
    """With the default GIVE_UP_AFTER, a notification fails after about a hundred attempts."""
    now, attempts = START, 0
    while True:
        attempts += 1
        step = next_attempt(attempts, START, now, DAY, 0.5)
        if isinstance(step, GiveUp):
            break
        now = step.at
    assert attempts == 101
