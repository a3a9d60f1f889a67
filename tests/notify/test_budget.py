"""The daily limit of a mail account."""

import pytest

from alertgate.notify.budget import Budget, budget


@pytest.mark.parametrize(
    ("sent", "limit", "expected"),
    [
        (0, 500, Budget.PLENTY),
        (399, 500, Budget.PLENTY),
        (400, 500, Budget.LOW),
        (474, 500, Budget.LOW),
        (475, 500, Budget.RESERVE),
        (900, 500, Budget.RESERVE),
        (900, 0, Budget.PLENTY),
    ],
)
def test_the_budget_warns_from_80_percent_and_holds_back_from_95(sent, limit, expected):
    """At each threshold, and without a limit."""
    assert budget(sent, limit) is expected
