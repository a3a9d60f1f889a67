"""Who polls a service for answers: one process at a time, which another one replaces."""

from datetime import timedelta

import pytest

from alertgate.store import polls
from alertgate.store.engine import Store
from alertgate.store.polls import LEASE, Poll
from tests.fakes import START


def test_one_process_has_it(store: Store):
    """Another one gets it when the first has let go, or was silent for the time of the lease."""
    with store.transaction() as connection:
        assert polls.take(connection, "t", "a", START) == Poll("t", "a", START + LEASE)
        assert polls.take(connection, "t", "b", START) is None
        assert polls.advance(connection, "t", "a", "7")
        assert not polls.advance(connection, "t", "b", "9")
        later = START + LEASE
        assert polls.take(connection, "t", "b", later) == Poll("t", "b", later + LEASE, "7")
        assert not polls.advance(connection, "t", "a", "8")
        polls.release(connection, "t", "a")
        assert polls.take(connection, "t", "a", later) is None
        polls.release(connection, "t", "b")
        assert polls.take(connection, "t", "a", later) == Poll("t", "a", later + LEASE, "7")
        assert polls.take(connection, "u", "b", later) == Poll("u", "b", later + LEASE)


@pytest.mark.parametrize(
    ("seconds", "free", "fresh"),
    [
        (0, True, False),
        (29, False, False),
        (30, False, True),
        (60, False, True),
        (61, False, False),
        (121, True, False),
    ],
)
def test_what_a_lease_is_worth(seconds, free, fresh):
    """One from far in the future was taken by a clock that was wrong, and holds nobody up."""
    lease = Poll("t", "a", START + timedelta(seconds=seconds))
    assert lease.is_free("b", START) is free
    assert lease.is_free("a", START)
    assert lease.is_fresh("a", START) is fresh
    assert not lease.is_fresh("b", START)
