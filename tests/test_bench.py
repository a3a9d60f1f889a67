"""The benchmarks say honestly whether a goal was reached."""

import asyncio
import time

import pytest
from bench.figures import Figure
from bench.load import measured
from bench.mail import alone, answers, as_bytes, as_object


@pytest.mark.parametrize(
    ("goal", "ratios", "reached"),
    [
        ("≥ 0.6", [0.5, 0.7, 0.61], "yes"),
        ("≥ 0.6", [0.5, 0.7, 0.59], "**no**"),
        ("≤ 2", [1.0, 9.0, 2.0], "yes"),
        ("≤ 2", [1.0, 9.0, 2.1], "**no**"),
        ("", [1.0], ""),
    ],
)
def test_a_goal_is_compared_with_the_median(goal, ratios, reached):
    """One lucky round doesn't reach a goal, and one unlucky one doesn't miss it."""
    assert Figure("ours", "theirs", goal, ratios).reached == reached


def test_the_load_generator_s_summary_is_read():
    """Rates are a second, latencies in milliseconds."""
    said = {"requests": 900, "microseconds": 3e6, "refused": 1, "broken": 2, "p50": 1500.0, "p99": 9000.0}
    found = measured(said)
    assert (found.rate, found.refused, found.broken, found.p50, found.p99) == (300.0, 1, 2, 1.5, 9.0)


async def test_the_mail_server_tells_when_it_answered():
    """Each mail that is taken ends what is measured, once, and the time is that of its 250."""
    async with answers() as taken:
        for send in (as_bytes(), as_object()):
            taken.next = asyncio.get_running_loop().create_future()
            before = time.monotonic()
            await alone(taken.port, 2, send)
            assert before < await taken.next < time.monotonic()
