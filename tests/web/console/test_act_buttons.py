"""Which buttons an incident has, and what becomes of one that was pressed on a page of another time."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alertgate.answers import Verdict
from alertgate.credential import Credential
from alertgate.model import IncidentStatus, Severity, Source
from alertgate.silence import Silence
from alertgate.web.console.act_buttons import ConsoleAct, acts, judge, lasting, seen
from tests.builders import DOOR, incident
from tests.fakes import START

OPEN = incident()
HERS = replace(OPEN, status=IncidentStatus.ACKNOWLEDGED, acknowledged_at=START, acknowledged_by="ann")
HIS = replace(HERS, acknowledged_by="bob", acknowledged_at=START + timedelta(seconds=1))
SNOOZED = replace(HERS, snoozed_until=START + timedelta(hours=1))
LONGER = replace(HERS, snoozed_until=START + timedelta(hours=8))
HIS_SNOOZE = replace(HIS, snoozed_until=START + timedelta(hours=1))
WORSE = replace(OPEN, severity=Severity.CRITICAL)
AGAIN = replace(OPEN, changes=3)
FORGOTTEN = replace(OPEN, acknowledged_at=START)
OVER = replace(OPEN, status=IncidentStatus.RESOLVED)
TAKE, SNOOZE, END = ConsoleAct.ACKNOWLEDGE, ConsoleAct.SNOOZE, ConsoleAct.RESOLVE
SILENCE, UNSILENCE, RETURN = ConsoleAct.SILENCE, ConsoleAct.UNSILENCE, ConsoleAct.HAND_BACK


@pytest.mark.parametrize(
    ("act", "shown", "now", "verdict"),
    [
        (TAKE, OPEN, OPEN, Verdict.DONE),
        (TAKE, OPEN, HERS, Verdict.ALREADY),
        (TAKE, OPEN, HIS, Verdict.ALREADY),
        (TAKE, OPEN, WORSE, Verdict.CHANGED),
        (TAKE, OPEN, AGAIN, Verdict.CHANGED),
        (TAKE, HERS, FORGOTTEN, Verdict.CHANGED),
        (TAKE, OPEN, OVER, Verdict.OVER),
        (TAKE, SNOOZED, SNOOZED, Verdict.DONE),
        (TAKE, OPEN, SNOOZED, Verdict.CHANGED),
        (TAKE, SNOOZED, LONGER, Verdict.CHANGED),
        (TAKE, OPEN, HIS_SNOOZE, Verdict.CHANGED),
        (SNOOZE, OPEN, OPEN, Verdict.DONE),
        (SNOOZE, OPEN, SNOOZED, Verdict.ALREADY),
        (SNOOZE, OPEN, replace(SNOOZED, snoozed_until=START + timedelta(minutes=58)), Verdict.ALREADY),
        (SNOOZE, OPEN, LONGER, Verdict.CHANGED),
        (SNOOZE, OPEN, replace(SNOOZED, snoozed_until=START + timedelta(minutes=30)), Verdict.CHANGED),
        (SNOOZE, SNOOZED, LONGER, Verdict.CHANGED),
        (SNOOZE, SNOOZED, HERS, Verdict.CHANGED),
        (SNOOZE, OPEN, HERS, Verdict.CHANGED),
        (SNOOZE, OPEN, HIS_SNOOZE, Verdict.CHANGED),
        (SNOOZE, OPEN, HIS, Verdict.CHANGED),
        (SNOOZE, HIS, HIS, Verdict.DONE),
        (SNOOZE, SNOOZED, SNOOZED, Verdict.DONE),
        (SNOOZE, OPEN, OVER, Verdict.OVER),
        (END, OPEN, OPEN, Verdict.DONE),
        (END, OPEN, HIS, Verdict.DONE),
        (END, OPEN, WORSE, Verdict.CHANGED),
        (END, OPEN, OVER, Verdict.OVER),
        (SILENCE, OPEN, OPEN, Verdict.DONE),
        (SILENCE, OPEN, WORSE, Verdict.CHANGED),
        (SILENCE, OPEN, OVER, Verdict.OVER),
        (RETURN, HERS, HERS, Verdict.DONE),
        (RETURN, HIS, HIS, Verdict.DONE),
        (RETURN, SNOOZED, SNOOZED, Verdict.DONE),
        (RETURN, HERS, HIS, Verdict.CHANGED),
        (RETURN, HIS, HERS, Verdict.CHANGED),
        (RETURN, OPEN, HERS, Verdict.CHANGED),
        (RETURN, HERS, SNOOZED, Verdict.CHANGED),
        (RETURN, HERS, replace(HERS, severity=Severity.CRITICAL), Verdict.CHANGED),
        (RETURN, HERS, FORGOTTEN, Verdict.ALREADY),
        (RETURN, OPEN, WORSE, Verdict.ALREADY),
        (RETURN, HERS, OVER, Verdict.OVER),
        (UNSILENCE, OPEN, WORSE, Verdict.DONE),
        (UNSILENCE, OPEN, OVER, Verdict.DONE),
    ],
)
def test_a_button_acts_on_what_its_page_showed(act, shown, now, verdict):
    """Ann presses: what became worse, or is somebody else's, is shown to her first; what is done is done once."""
    until = START + timedelta(hours=1) if act is SNOOZE else None
    assert judge(act, now, seen(shown).split(), "ann", until) is verdict


def test_a_page_that_says_nothing_of_what_it_showed_acts_on_nothing():
    """A form that somebody made up, or an old one."""
    assert judge(TAKE, OPEN, (), "ann") is Verdict.CHANGED


@pytest.mark.parametrize(
    ("about", "buttons"),
    [
        (OPEN, ["I'm on it", "Snooze 1 h", "Snooze longer", "It's over", "Silence this device"]),
        (HERS, ["Snooze 1 h", "Snooze longer", "It's over", "Silence this device", "Hand it back"]),
        (SNOOZED, ["I'm on it", "Snooze 1 h", "Snooze longer", "It's over", "Silence this device", "Hand it back"]),
        (OVER, []),
        (replace(OPEN, source=Source.ALERTGATE), ["I'm on it", "Snooze 1 h", "Snooze longer", "It's over"]),
        (replace(OPEN, device=None), ["I'm on it", "Snooze 1 h", "Snooze longer", "It's over"]),
    ],
)
def test_only_what_would_change_something_has_a_button(about, buttons):
    """What is over has none; what can't be silenced has no button that says so."""
    assert [each.label for each in acts(about, None, (), START, to="/").buttons] == buttons


def test_a_silence_that_holds_it_now_can_be_ended_and_a_wide_one_asks_first():
    """Not one that is over, begins later, lets what is critical through, or is about another device."""
    one = Silence(
        *("s1", None, DOOR, None, None, None, START, START + timedelta(hours=1), "ann"),
        *(Credential.CONSOLE_TOKEN, None, START),
    )
    others = [
        replace(one, id="over", removed_at=START),
        replace(one, id="later", begins_at=START + timedelta(minutes=5)),
        replace(one, id="unless", unless=Severity.WARNING),
        replace(one, id="other", device="another"),
    ]
    wide = replace(one, id="wide", device=None, event="*", author="bob")
    found = acts(OPEN, None, (*others, one, wide), START, to="/").buttons
    ends = [(each.label, each.silence, each.asks) for each in found if each.silence]
    assert ends == [("End ann's silence", "s1", False), ("End bob's silence", "wide", True)]


@pytest.mark.parametrize("hours", ["0", "-1", "9999", "1.5", "x", "01"])
def test_no_button_says_such_hours(hours):
    """What nobody offered is refused, and not rounded."""
    with pytest.raises(ValueError, match="can't last"):
        lasting(SILENCE, hours)


def test_what_ends_by_itself_lasts_as_long_as_its_button_says():
    """Without a choice it is the first one; an acknowledgement doesn't end by itself."""
    assert lasting(SNOOZE, "") == timedelta(hours=1)
    assert lasting(ConsoleAct.SNOOZE_LONGER, "8") == timedelta(hours=8)
    assert lasting(SILENCE, "24") == timedelta(hours=24)
    assert lasting(TAKE, "") is None
