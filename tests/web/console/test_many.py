"""Which incidents one act takes, and what is said of it. Pure."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from alertgate.answers import Verdict
from alertgate.ids import new_id
from alertgate.model import IncidentStatus, Severity
from alertgate.web.console.act_buttons import ConsoleAct
from alertgate.web.console.many import (
    LOOKED_AT,
    MOST,
    Judged,
    Kind,
    Many,
    Taken,
    choose,
    judge_all,
    kinds,
    label,
    most_in,
    offer,
    outcome,
    read_seen,
)
from tests.builders import incident
from tests.fakes import START

TAKE, SNOOZE = ConsoleAct.ACKNOWLEDGE, ConsoleAct.SNOOZE
OPEN = incident(id="01890000-0000-7000-8000-000000000000", severity=Severity.WARNING)
TAKEN = replace(OPEN, status=IncidentStatus.ACKNOWLEDGED, acknowledged_at=START, acknowledged_by="Ada")
SNOOZED = replace(TAKEN, snoozed_until=START + timedelta(hours=1))
AGAIN = replace(OPEN, acknowledged_at=START)  # snoozed once, and open since that ended


def several(number, **changes):
    """Return so many incidents, the oldest first."""
    return [replace(OPEN, id=new_id(START + timedelta(seconds=each)), **changes) for each in range(number)]


def test_the_worst_that_nobody_has_and_that_speak_are_taken():
    """What somebody has, what is over, and what a silence holds stay as they are; of one severity the oldest first."""
    warnings, [quiet, taken, over], [worst] = several(3), several(3, event="x"), several(1, severity=Severity.CRITICAL)
    taken, over = replace(taken, status=IncidentStatus.ACKNOWLEDGED), replace(over, status=IncidentStatus.RESOLVED)
    found = [*warnings[::-1], quiet, taken, over, worst]
    assert choose(found, lambda each: each is quiet) == Many((worst, *warnings), silenced=1)
    cut = choose(found, lambda each: each is quiet, 2, goes_on=True)
    assert cut == Many((worst, warnings[0]), more=2, silenced=1, goes_on=True)
    assert (cut.is_all, choose(found, lambda _: False).is_all) == (False, True)


def test_a_form_says_what_its_page_showed():
    """However many there are, it fits into a body of the smallest size that is set by default."""
    many = choose(several(MOST + 1, acknowledged_at=START), lambda _: False)
    assert (len(many.incidents), many.more) == (MOST, 1)
    seen = read_seen(many.seen)
    assert set(seen) == {each.id for each in many.incidents}
    assert set(judge_all(TAKE, {each.id: each for each in many.incidents}, seen, "Ada", START).values()) == {
        Judged(Verdict.DONE, True)
    }
    assert len(many.seen) < MOST * 60 < 131072
    assert (most_in(131072, "/"), most_in(1024, "/"), most_in(1024, "/" * 400)) == (MOST, 16, 1)
    assert LOOKED_AT >= MOST


@pytest.mark.parametrize("text", ["", "x", f"{OPEN.id}.a x.b", " ".join([OPEN.id] * (MOST + 1))])
def test_what_no_page_says_is_refused(text):
    """Nothing is guessed of what somebody may have meant."""
    with pytest.raises(ValueError, match=r"incidents|UUID"):
        read_seen(text)


@pytest.mark.parametrize(
    ("shown", "now", "act", "judged"),
    [
        (OPEN, replace(OPEN, alert_count=9), TAKE, Judged(Verdict.DONE, True)),
        (OPEN, replace(OPEN, severity=Severity.CRITICAL), TAKE, Judged(Verdict.CHANGED)),
        (OPEN, replace(OPEN, changes=3), TAKE, Judged(Verdict.CHANGED)),
        (OPEN, AGAIN, TAKE, Judged(Verdict.CHANGED)),
        (AGAIN, AGAIN, TAKE, Judged(Verdict.DONE, True)),
        (OPEN, replace(OPEN, status=IncidentStatus.RESOLVED), TAKE, Judged(Verdict.OVER)),
        (OPEN, None, TAKE, Judged(Verdict.OVER)),
        (OPEN, TAKEN, TAKE, Judged(Verdict.DONE)),
        (AGAIN, TAKEN, TAKE, Judged(Verdict.DONE)),
        (OPEN, replace(TAKEN, acknowledged_by="Ben"), TAKE, Judged(Verdict.ALREADY)),
        (OPEN, SNOOZED, SNOOZE, Judged(Verdict.DONE)),
        (AGAIN, SNOOZED, SNOOZE, Judged(Verdict.DONE)),
        (OPEN, SNOOZED, TAKE, Judged(Verdict.CHANGED)),
        (OPEN, TAKEN, SNOOZE, Judged(Verdict.CHANGED)),
        (OPEN, replace(SNOOZED, snoozed_until=START + timedelta(hours=8)), SNOOZE, Judged(Verdict.CHANGED)),
        (OPEN, replace(SNOOZED, acknowledged_by="Ben"), TAKE, Judged(Verdict.CHANGED)),
    ],
)
def test_an_act_is_done_only_to_what_is_as_the_page_showed_it(shown, now, act, judged):
    """What the same person did before counts as done, and isn't done again."""
    seen = read_seen(Many((shown,)).seen)
    assert judge_all(act, {shown.id: now} if now else {}, seen, "Ada", START) == {shown.id: judged}


ALL = {"a": frozenset(), "b": frozenset(), "c": frozenset()}
CAME = tuple(several(2))


@pytest.mark.parametrize(
    ("verdicts", "now", "was_all", "words"),
    [
        ({Verdict.DONE: 3}, Many(), True, ""),
        ({Verdict.DONE: 3}, Many(silenced=3), True, ""),
        ({Verdict.DONE: 3}, Many(CAME), True, "You have all 3. 2 have come since. Look again"),
        ({Verdict.DONE: 3}, Many(CAME, more=5), False, "You have all 3. 7 more are open. Look again"),
        ({Verdict.DONE: 3}, Many(CAME[:1]), True, "You have all 3. 1 has come since. Look again"),
        ({Verdict.DONE: 2, Verdict.OVER: 1}, Many(), True, "You have 2 of the 3. 1 is over."),
        ({Verdict.DONE: 3}, Many(goes_on=True), False, "You have all 3. What is older wasn't looked at."),
        ({Verdict.OVER: 3}, Many(), True, "Nothing was done. 3 are over."),
        ({Verdict.DONE: 1, Verdict.ALREADY: 2}, Many(), True, "2 were taken by somebody else before."),
        (
            {Verdict.DONE: 2, Verdict.CHANGED: 1},
            Many(tuple(replace(OPEN, id=each) for each in "c")),
            True,
            "You have 2 of the 3. 1 changed after the page was loaded, and wasn't touched. Look again",
        ),
    ],
)
def test_what_was_not_done_is_said(verdicts, now, was_all, words):
    """With what became of it, and what came since."""
    found = outcome(TAKE, Taken(verdicts), ALL, now, was_all=was_all)
    assert (found == "") is (words == "")
    assert found.startswith(words) or words in found


def test_portions_are_one_act():
    """Their numbers are added up."""
    first, last = Taken(Counter({Verdict.DONE: 50}), (), "x"), Taken(Counter({Verdict.DONE: 9, Verdict.OVER: 1}))
    both = first.followed_by(last)
    assert (dict(both.verdicts), both.beyond) == ({Verdict.DONE: 59, Verdict.OVER: 1}, None)


def test_kinds_are_named_with_the_first_devices():
    """One line for an event and severity, the worst first, then the most frequent."""
    power = [replace(each, event="power", device=f"d{n}") for n, each in enumerate(several(4))]
    leak = replace(power[0], event="leak", severity=Severity.CRITICAL)
    door = replace(power[0], event="door")
    assert kinds([door, *power, leak], {"d0": "Cellar"}.get) == [
        Kind(Severity.CRITICAL, "leak", "Cellar", 1),
        Kind(Severity.WARNING, "power", "Cellar, d1, d2 and 1 more", 4),
        Kind(Severity.WARNING, "door", "Cellar", 1),
    ]


def test_one_incident_needs_no_button_for_all():
    """Nor is there one whose page couldn't be found again."""
    assert [offer(number, "/") for number in (0, 1)] == [None, None]
    assert offer(60, "/").label == "I'm on it: all 60"
    assert offer(MOST + 1, "/").label == "I'm on it: the worst 500"
    assert offer(None, "/incidents?event=a b").href == "/incidents/acts?to=%2Fincidents%3Fevent%3Da+b"
    assert offer(2, f"/incidents?text={'x' * 2000}") is None
    said = [label(1), label(2), label(2, is_all=False), label(None)]
    assert said == ["I'm on it", "I'm on it: all 2", "I'm on it: the worst 2", "I'm on it: all of them"]
