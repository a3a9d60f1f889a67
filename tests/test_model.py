"""The domain model."""

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.model import IncidentStatus, NotificationStatus, Severity
from alertgate.states import TRANSITIONS, states_before
from alertgate.uuid7 import uuid7
from tests.builders import alert, for_any, incident, notification

OPEN, ACKNOWLEDGED, RESOLVED = IncidentStatus
PENDING, SENDING, SENT, FAILED, CANCELLED = NotificationStatus

times = st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
randomness = st.binary(min_size=8, max_size=8)


def test_severities_are_ordered():
    """Info is less than warning, and warning less than critical."""
    assert [severity.rank for severity in (Severity.INFO, Severity.WARNING, Severity.CRITICAL)] == [0, 1, 2]


def test_every_state_is_in_the_table_of_transitions():
    """The table leaves out no state."""
    assert set(TRANSITIONS) == {*IncidentStatus, *NotificationStatus}


def test_every_state_can_be_reached():
    """Each state follows from another state of the same kind; the first ones can be returned to."""
    for states in (IncidentStatus, NotificationStatus):
        for state in states:
            assert TRANSITIONS[state] <= set(states)
    assert [state for state in TRANSITIONS if not states_before(state)] == []


@pytest.mark.parametrize(
    ("after", "before"),
    [
        (OPEN, [ACKNOWLEDGED, RESOLVED]),
        (ACKNOWLEDGED, [OPEN, RESOLVED]),
        (RESOLVED, [OPEN, ACKNOWLEDGED]),
        (PENDING, [SENDING, FAILED, SENT]),
        (SENDING, [PENDING, FAILED]),
        (SENT, [SENDING]),
        (FAILED, [PENDING, SENDING, SENT]),
        (CANCELLED, [PENDING, SENDING, FAILED, SENT]),
    ],
)
def test_the_legal_transitions(after, before):
    """A cancelled one stays; one that was sent goes on only if it did not arrive; only a claimed one can be sent."""
    assert states_before(after) == before


@pytest.mark.parametrize("instance", [alert(), incident(), notification()])
def test_instances_are_frozen(instance):
    """An alert, an incident or a notification isn't changed in place."""
    with pytest.raises(AttributeError):
        instance.id = "another"


def test_the_specifications_example_of_a_uuid():
    """The time and the layout are those of RFC 9562's example of version 7 (appendix A.6)."""
    made = uuid7(datetime(2022, 2, 22, 19, 22, 22, 0, UTC), bytes.fromhex("18c4dc0c0c07398f"))
    assert made == "017f22e2-79b0-7000-98c4-dc0c0c07398f"


def test_ids_are_uuids_of_version_7():
    """Any tool recognises an id as a UUIDv7."""
    made = UUID(uuid7(datetime(2026, 11, 23, 14, 3, 0, 123456, UTC), b"\xff" * 8))
    assert (made.version, made.variant) == (7, RFC_4122)


@for_any
@given(times, times, randomness, randomness)
def test_ids_sort_by_time(first, second, some, other):
    """An id sorts after every id of an earlier microsecond, whatever its random bits."""
    if first != second:
        assert (uuid7(first, some) < uuid7(second, other)) == (first < second)


@for_any
@given(times, randomness, randomness)
def test_ids_of_one_moment_differ_by_their_randomness(time, some, other):
    """Two ids of the same microsecond are equal only if their 62 random bits are equal."""
    low = (1 << 62) - 1
    same = int.from_bytes(some, "big") & low == int.from_bytes(other, "big") & low
    assert (uuid7(time, some) == uuid7(time, other)) == same


@for_any
@given(times, randomness)
def test_neighbouring_microseconds_have_ids_in_order(time, some):
    """Ids one microsecond apart sort by time, even across a second."""
    assert uuid7(time, b"\xff" * 8) < uuid7(time + timedelta(microseconds=1), some)
