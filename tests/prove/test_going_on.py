"""What is going on, where there is more than can be looked at."""

from datetime import timedelta

from alertgate.model import Severity
from alertgate.prove.going_on import MOST_COMPARED, read_open
from alertgate.store import incidents, silences
from alertgate.store.engine import Store
from tests.builders import new_incident
from tests.fakes import START
from tests.policy.test_silences import silence

SILENCES = 100
LOOKED_AT = MOST_COMPARED // SILENCES


def test_what_is_not_compared_with_all_silences_is_shown_rather_than_hidden(store: Store):
    """A page takes no minute, and what it doesn't know of many is that they speak."""
    held = [silence(id=f"s{number}", event=None, device=f"door-*{number}") for number in range(SILENCES - 1)]
    doors = [
        new_incident(id=f"i{number:04}", key=f"k{number}", device=f"door-{number}", severity=Severity.CRITICAL)
        for number in range(LOOKED_AT + 5)
    ]
    with store.transaction() as connection:
        for each in (silence(id="all", event=None, device="door-*"), *held):
            silences.add(connection, each)
        incidents.add(connection, doors)
        found = read_open(connection, START + timedelta(minutes=1), 3, lambda _: None)
    assert (found.number, found.silenced, found.untaken) == (LOOKED_AT + 5, LOOKED_AT, 5)
    assert found.worst is Severity.CRITICAL
    assert [each.id for each in found.shown.incidents] == [each.id for each in doors[LOOKED_AT : LOOKED_AT + 3]]


def test_incidents_of_one_kind_are_judged_once(store: Store):
    """A page with thousands of them, and many silences, is read in a moment."""
    asked = []
    doors = [new_incident(id=f"i{number}", key=f"k{number}", device="door") for number in range(9)]
    other = [new_incident(id="other", key="other", device="window"), new_incident(id="same", key="same", device="door")]
    with store.transaction() as connection:
        for number, device in enumerate(["gate", "door"]):
            silences.add(connection, silence(id=f"s{number}", event=None, device=device))
        incidents.add(connection, [*doors, *other])
        found = read_open(connection, START + timedelta(minutes=1), 3, asked.append)
    assert (found.silenced, found.untaken, sorted(asked)) == (10, 1, ["door", "window"])
