"""Which parts of a device have incidents of their own."""

from datetime import timedelta

import pytest

from alertgate.accept.keys import event_key, parts_prefix, shared_key
from alertgate.accept.parts import MOST_PARTS, PartReason, place
from alertgate.model import IncidentStatus
from alertgate.rules import GroupingRules
from tests.builders import incident
from tests.fakes import START

RULES = GroupingRules(timedelta(minutes=5), timedelta(minutes=30))
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
FULL = [f"part {number}" for number in range(MOST_PARTS)]
OVER = {"status": IncidentStatus.RESOLVED, "resolved_at": START}


@pytest.mark.parametrize(
    ("last", "age", "parts", "reason"),
    [
        (None, HOUR, [], PartReason.FEW),
        (None, HOUR, FULL[1:], PartReason.FEW),
        (None, HOUR, FULL, PartReason.SHARED),
        (None, HOUR, [*FULL[1:], "mine"], PartReason.KNOWN),
        (incident(), 100 * HOUR, FULL, PartReason.KNOWN),
        (incident(status=IncidentStatus.ACKNOWLEDGED), 100 * HOUR, FULL, PartReason.KNOWN),
        (incident(**OVER), 24 * HOUR - MINUTE, FULL, PartReason.KNOWN),
        (incident(**OVER), 24 * HOUR, FULL, PartReason.SHARED),
        (incident(**OVER), 24 * HOUR, FULL[1:], PartReason.FEW),
        (incident(**{**OVER, "resolved_at": START + 24 * HOUR}), 24 * HOUR + 5 * MINUTE, FULL, PartReason.KNOWN),
        (incident(**{**OVER, "resolved_at": START + 24 * HOUR}), 24 * HOUR + 6 * MINUTE, FULL, PartReason.SHARED),
    ],
)
def test_a_new_part_has_its_own_while_there_are_few(last, age, parts, reason):
    """A part with an open, a recent or a reopening incident keeps it, however many others there are."""
    assert place("mine", last, parts, START + age, RULES) is reason


def test_the_keys_of_parts_begin_alike_and_no_other_does():
    """By that they are counted: neither the whole, nor what they share, nor a longer name is one of them."""
    part, whole = event_key("particle", "d", "leak", ("zone", "hall"))
    assert whole == event_key("particle", "d", "leak", ()).key == 'particle:["d","leak"]'
    prefix = parts_prefix(whole)
    others = [whole, shared_key(whole), event_key("particle", "d", "leak/2", ("zone", "hall")).key]
    assert [key.startswith(prefix) for key in (part, *others)] == [True, False, False, False]
    assert event_key("particle", "d", "leak", ()).whole is None
