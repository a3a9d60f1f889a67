"""When a message is tried again."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.notify.retry import Again, GiveUp, next_attempt
from tests.builders import for_any
from tests.fakes import START

DAY = timedelta(hours=24)


@pytest.mark.parametrize(
    ("tries", "seconds"), [(1, 5), (2, 15), (3, 45), (4, 120), (5, 300), (6, 900), (7, 900), (50, 900)]
)
def test_the_delays_grow_to_a_quarter_of_an_hour(tries, seconds):
    """5 s, 15 s, 45 s, 2 min, 5 min, then every 15 min."""
    assert next_attempt(tries, START, START, DAY, 0.5) == Again(START + timedelta(seconds=seconds))


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 240), (0.25, 270), (0.5, 300), (0.75, 330), (1.0, 360)])
def test_a_delay_varies_by_a_fifth(chance, seconds):
    """Messages that failed together don't return together."""
    assert next_attempt(5, START, START, DAY, chance) == Again(START + timedelta(seconds=seconds))


def test_the_delay_counts_from_now():
    """A message that was planned long ago waits as long as a new one."""
    now = START + timedelta(hours=10)
    assert next_attempt(1, START, now, DAY, 0.5) == Again(now + timedelta(seconds=5))


def test_the_last_try_comes_before_the_end():
    """A try at the very end of GIVE_UP_AFTER is still made."""
    now = START + DAY - timedelta(minutes=15)
    assert next_attempt(99, START, now, DAY, 0.5) == Again(START + DAY)


def test_a_try_after_the_end_is_not_made():
    """Once the next try would come after GIVE_UP_AFTER, the message has failed, with the reason."""
    now = START + DAY - timedelta(minutes=15) + timedelta(microseconds=1)
    assert next_attempt(99, START, now, DAY, 0.5) == GiveUp()


def test_a_short_patience_is_named():
    """The reason names the setting's hours as a person would."""
    now = START + timedelta(minutes=90)
    assert next_attempt(7, START, now, timedelta(minutes=90), 0.5) == GiveUp()


@for_any
@given(st.integers(1, 10_000), st.floats(0, 1), st.timedeltas(timedelta(0), timedelta(days=2)))
def test_a_retry_is_always_later_and_never_too_late(tries, chance, age):
    """A next try lies at least 4 s and at most 18 min ahead, and within GIVE_UP_AFTER."""
    now = START + age
    step = next_attempt(tries, START, now, DAY, chance)
    if isinstance(step, Again):
        assert timedelta(seconds=4) <= step.at - now <= timedelta(minutes=18)
        assert step.at - START <= DAY
    else:
        assert age > DAY - timedelta(minutes=18)


def test_a_day_of_trouble_is_about_a_hundred_tries():
    """With the default patience a message is tried some hundred times before it counts as failed."""
    now, tries = START, 0
    while True:
        tries += 1
        step = next_attempt(tries, START, now, DAY, 0.5)
        if isinstance(step, GiveUp):
            break
        now = step.at
    assert tries == 101
