"""The daily limit of a mail account."""

from dataclasses import dataclass

import pytest

from alertgate.model import Severity
from alertgate.notify.budget import Budget, affordable, budget, holds_back


@pytest.mark.parametrize(
    ("sent", "limit", "expected"),
    [
        (0, 500, Budget.PLENTY),
        (399, 500, Budget.PLENTY),
        (400, 500, Budget.LOW),
        (449, 500, Budget.LOW),
        (450, 500, Budget.RESERVE),
        (499, 500, Budget.RESERVE),
        (500, 500, Budget.EXHAUSTED),
        (900, 500, Budget.EXHAUSTED),
        (3, 5, Budget.PLENTY),
        (4, 5, Budget.RESERVE),
        (0, 1, Budget.RESERVE),
        (1, 1, Budget.EXHAUSTED),
        (900, 0, Budget.PLENTY),
    ],
)
def test_the_budget_saves_from_80_percent_holds_back_the_last_tenth_and_ends_at_100(sent, limit, expected):
    """At each threshold, and without a limit."""
    assert budget(sent, limit) is expected


@dataclass(frozen=True)
class Waiting:
    """A message that could go."""

    severity: Severity
    saves: bool = False


CRITICAL, WARNING, DIGEST = Waiting(Severity.CRITICAL), Waiting(Severity.WARNING), Waiting(Severity.WARNING, saves=True)


@pytest.mark.parametrize(
    ("waiting", "sent", "limit", "expected"),
    [
        ([CRITICAL, WARNING], 0, 40, [CRITICAL, WARNING]),
        ([CRITICAL] * 3 + [WARNING] * 3, 36, 40, [CRITICAL] * 3),
        ([WARNING] * 5, 30, 40, [WARNING] * 2),
        ([WARNING, DIGEST, DIGEST, DIGEST], 34, 40, [DIGEST] * 2),
        ([CRITICAL] * 5, 38, 40, [CRITICAL] * 2),
        ([CRITICAL, WARNING], 40, 40, []),
        ([CRITICAL] * 60, 0, 40, [CRITICAL] * 40),
        ([CRITICAL] * 60, 0, 0, [CRITICAL] * 60),
    ],
)
def test_each_message_finds_the_limit_as_those_before_it_leave_it(waiting, sent, limit, expected):
    """One claim neither exceeds the limit nor uses up with warnings what is kept for critical ones."""
    assert affordable(waiting, sent, limit) == expected


def test_the_reserve_holds_back_what_is_not_critical_and_the_end_of_the_limit_everything():
    """What goes as a digest near the limit isn't held back."""
    held = {level: [each for each in Severity if holds_back(level, each)] for level in Budget}
    uncritical = [each for each in Severity if each is not Severity.CRITICAL]
    assert held == {
        Budget.PLENTY: [],
        Budget.LOW: [],
        Budget.RESERVE: uncritical,
        Budget.EXHAUSTED: list(Severity),
    }
