"""The oracle of the torture run of escalations: it sees each kind of failure that it looks for."""

from dataclasses import replace

import pytest
from torture.escalations import STEP, STEPS, STOP, Story, Told, Uptime, judge
from torture.mailbox import Taken

FIRST, SECOND, THIRD = STEPS
SAID = {"acknowledgement": "ACKNOWLEDGED", "resolution": "RESOLVED"}
UP = Uptime([(0.0, 10_000.0)])
UNANSWERED = Story(0, "unanswered", "i", asked_at=100.0, opened_at=100.1)
ACKNOWLEDGED = Story(1, "acknowledged", "i", asked_at=100.0, opened_at=100.1, ending_at=104.0, ended_at=104.1)
RIGHT = [
    (FIRST, "opening", 100.2),
    (SECOND, "handoff", 100.2 + STEP),
    (FIRST, "reminder", 104.2),
    (SECOND, "reminder", 104.2),
    (THIRD, "handoff", 100.2 + 2 * STEP),
    *((address, "unanswered", 100.2 + STOP) for address in STEPS),
]
ANSWERED = [
    *RIGHT[:2],
    (FIRST, "acknowledgement", 104.3),
    (SECOND, "acknowledgement", 104.3),
]


def told(*mails: tuple[str, str, float]) -> Told:
    """Return what arrived, of such (address, kind, time)."""
    ids = [f"n{number}" for number in range(len(mails))]
    taken = [
        Taken(at, "door", f"{id_}@example.net", to, frozenset(), "i", SAID.get(kind, "WARNING"))
        for id_, (to, kind, at) in zip(ids, mails, strict=True)
    ]
    return Told(taken, dict(zip(ids, (kind for _, kind, _ in mails), strict=True)))


@pytest.mark.parametrize(("story", "mails"), [(UNANSWERED, RIGHT), (ACKNOWLEDGED, ANSWERED)])
def test_what_is_as_promised_is_good(story, mails):
    """Neither what is unanswered nor what somebody has acknowledged."""
    assert judge([story], told(*mails), UP) == []


@pytest.mark.parametrize(
    ("story", "mails", "said"),
    [
        (UNANSWERED, RIGHT[:4] + RIGHT[5:], "third@example.net was never told"),
        (UNANSWERED, RIGHT[:-1], "third@example.net wasn't told that nobody answered"),
        (UNANSWERED, [RIGHT[0], (SECOND, "handoff", 140.0), *RIGHT[2:]], "second@example.net was told of incident 0 3"),
        (UNANSWERED, [*RIGHT, (FIRST, "opening", 107.0)], "first@example.net was told too often"),
        (UNANSWERED, [*RIGHT, *[(FIRST, "reminder", 108.0)] * 4], "first@example.net was told too often"),
        (UNANSWERED, [*RIGHT[:1], (SECOND, "handoff", 101.0), *RIGHT[2:]], "before the step was due"),
        (ACKNOWLEDGED, [*ANSWERED, (FIRST, "reminder", 108.2)], "after it was acknowledged"),
        (ACKNOWLEDGED, ANSWERED[:-1], "second@example.net wasn't told that incident 1 is acknowledged"),
        (ACKNOWLEDGED, [*ANSWERED, (FIRST, "acknowledgement", 105.0)], "first@example.net was told twice"),
    ],
)  # fmt: skip
def test_what_is_not_as_promised_is_named(story, mails, said):
    """Each failure is a line that names who suffered it."""
    assert any(said in line for line in judge([story], told(*mails), UP))


def test_what_is_sent_again_after_a_kill_may_include_that_nobody_answered():
    """Of what waits for one contact there is one notification: the one that was in flight stands for both."""
    arrived = told(*RIGHT[:-1])
    handed_on = next(mail for mail in arrived.mails if mail.to == THIRD)
    again = replace(handed_on, at=100.2 + STOP)
    assert judge([UNANSWERED], Told([*arrived.mails, again], arrived.kinds), UP) == []


def test_what_was_due_while_nothing_served_may_come_once_something_does():
    """The time in which every gate was killed doesn't count."""
    down = Uptime([(0.0, 101.0), (163.0, 10_000.0)])
    late = [(to, kind, at + 60 if at > 101 else at) for to, kind, at in RIGHT]
    assert judge([UNANSWERED], told(*late), down) == []
    assert judge([UNANSWERED], told(*late), UP) != []
