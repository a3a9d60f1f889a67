"""How many lines strangers can cause."""

from hypothesis import given
from hypothesis import strategies as st

from alertgate.line_budget import BURST, LineBudget
from tests.builders import for_any


def test_after_a_burst_there_is_a_line_a_second_that_says_how_many_it_replaces():
    """Of ten requests a second one has a line, and other kinds don't notice."""
    budget = LineBudget(burst=3)
    assert [budget.take(404, 0.0) for _ in range(5)] == [0, 0, 0, None, None]
    assert [budget.take(404, tenth / 10) for tenth in range(1, 13)] == [*[None] * 9, 11, None, None]
    assert budget.take(401, 1.0) == 0
    assert [budget.take(404, 100.0) for _ in range(4)] == [2, 0, 0, None]


@for_any
@given(st.lists(st.floats(0, 5), max_size=60))
def test_every_request_is_written_or_counted(waits):
    """Lines and what they say was left out make all requests, but for those since the last line."""
    budget, now, lines, waiting = LineBudget(burst=4), 0.0, 0, 0
    for wait in waits:
        now += wait
        said = budget.take("kind", now)
        assert said in {None, waiting}
        waiting, lines = (waiting + 1, lines) if said is None else (0, lines + 1)
    assert lines <= 4 + now < BURST
