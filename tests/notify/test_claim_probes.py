"""What a claim takes while a channel, or some of its recipients, wait for a probe."""

import pytest

from alertgate.model import NotificationStatus, Severity
from alertgate.notify.evidence import Tried
from alertgate.store import claims, leases, untold
from alertgate.store.engine import Store
from alertgate.store.leases import Finish
from tests.fakes import START
from tests.notify.test_claim import EMAIL, Desk

PENDING = NotificationStatus.PENDING


@pytest.fixture
def desk(store: Store) -> Desk:
    """A claimer on each database."""
    return Desk(store)


@pytest.mark.parametrize("limit", [0, 5])
def test_a_probe_prefers_another_recipient_then_another_message(desk: Desk, limit: int):
    """What failed the longest time ago is tried next, however severe the rest is."""
    desk.limit = limit
    [first, second] = desk.plan(2, address="bad@example.org", severity=Severity.CRITICAL)
    [other] = desk.plan(address="good@example.com", severity=Severity.INFO)
    tried: tuple[Tried, ...] = ()
    order = []
    for _ in range(5):
        [probe] = desk.claim(slots=1, probe=True, tried=tried).messages
        order.append(probe.first.id)
        desk.end((probe,), PENDING, desk.now)
        tried = (*(each for each in tried if each != probe.tried), probe.tried)
    assert order in ([first, other, second, other, first], [second, other, first, other, second])


@pytest.mark.parametrize("limit", [0, 5])
def test_recipients_that_wait_for_a_probe_are_left_out_and_take_no_room(desk: Desk, limit: int):
    """The others are claimed although more, and more severe, is due to the one that waits."""
    desk.limit = limit
    desk.plan(4, address="bad@example.org", severity=Severity.CRITICAL)
    good = desk.plan(2, address="good@example.com")
    claimed = desk.claim(slots=2, without=frozenset({"bad@example.org"}))
    assert {each.first.id for each in claimed.messages} == set(good)


def test_in_doubt_a_digest_and_its_members_are_tried_in_turns(desk: Desk):
    """One of them alone may be what is refused: the others needn't wait with it."""
    desk.move(hours=1)
    [first, second] = desk.plan(2, missed_since=START, due_at=START)
    tried: tuple[Tried, ...] = ()
    probes = []
    for _ in range(4):
        [probe] = desk.claim(slots=1, probe=True, tried=tried, in_doubt=True).messages
        probes.append({each.id for each in probe.notifications})
        assert probe.is_digest == (probe.first.digest_id is not None)
        with desk.store.transaction() as connection:
            ends = [Finish(each, PENDING, desk.now, desk.now, missed=True) for each in probe.notifications]
            assert all(leases.finish(connection, ends))
        tried = (*(each for each in tried if each != probe.tried), probe.tried)
    assert probes[::2] == [{first, second}] * 2
    assert sorted(id_ for probe in probes[1::2] for id_ in probe) == sorted([first, second])
    [again] = desk.claim(slots=1, probe=True, tried=(probe.tried,)).messages
    assert again.is_digest


def test_recipients_in_doubt_are_left_out_before_rows_are_counted(desk: Desk):
    """Whatever waits for a probe isn't read, neither what is due nor what was given up on."""
    bad, good = "bad@example.org", "good@example.com"
    desk.plan(3, address=bad, severity=Severity.CRITICAL)
    [due] = desk.plan(address=good)
    missed = {"status": NotificationStatus.FAILED, "missed_since": desk.now, "finished_at": desk.now}
    desk.plan(3, address=bad, **missed)
    [given_up] = desk.plan(address=good, **missed)
    with desk.store.transaction() as connection:
        first = claims.due(connection, EMAIL, desk.now, probe=False, most=1, without={bad})
        found = [
            untold.given_up(connection, EMAIL, desk.now, probe=probe, without={bad, "me@x"}) for probe in (False, True)
        ]
    assert [each.id for each in first] == [due]
    assert [[each.id for each in one] for one in found] == [[given_up], [given_up]]
