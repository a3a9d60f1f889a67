"""Which silence holds an incident at a time, and why: pure decisions."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.credential import Credential
from alertgate.model import Severity, Source
from alertgate.policy.matchers import Subject
from alertgate.policy.silences import SilenceReason, Silences, in_words
from alertgate.silence import Silence, SilenceState
from tests.builders import for_any
from tests.fakes import START
from tests.policies import BERLIN, anything

HOUR = timedelta(hours=1)
MANY = "gate/no-webhooks"
"""About many devices, of which it names one."""


def silence(begin: float = 0, end: float = 8, **changes: object) -> Silence:
    """Return a silence of doors from so many hours after START on."""
    fields = {"event": "door/*", "device": None, "source": None, "min_severity": None, "unless": None, "note": None}
    fields |= {"author": "Anna", "credential": Credential.API_TOKEN, "id": f"{begin}-{end}", "created_at": START}
    fields |= {"begins_at": START + begin * HOUR, "ends_at": START + end * HOUR}
    return Silence(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "subject", "reason"),
    [
        ({}, {}, SilenceReason.SILENCED),
        ({}, {"event": "Door/front"}, SilenceReason.UNMATCHED),
        ({}, {"event": "leak"}, SilenceReason.UNMATCHED),
        ({"event": None, "device": "front*"}, {}, SilenceReason.SILENCED),
        ({"event": None, "device": "3F002B*"}, {}, SilenceReason.SILENCED),
        ({"event": None, "device": "back*"}, {}, SilenceReason.UNMATCHED),
        ({"event": "*", "source": "generic"}, {}, SilenceReason.UNMATCHED),
        ({"event": "*", "source": "NAS"}, {"source": Source.GENERIC, "device": "nas"}, SilenceReason.SILENCED),
        ({"min_severity": Severity.CRITICAL}, {}, SilenceReason.UNMATCHED),
        ({"min_severity": Severity.WARNING}, {"severity": Severity.CRITICAL}, SilenceReason.SILENCED),
        ({"unless": Severity.CRITICAL}, {}, SilenceReason.SILENCED),
        ({"unless": Severity.CRITICAL}, {"severity": Severity.CRITICAL}, SilenceReason.TOO_SEVERE),
        ({"begins_at": START + HOUR}, {}, SilenceReason.NOT_NOW),
        ({"removed_at": START}, {}, SilenceReason.NOT_NOW),
        ({"event": "*", "source": "*"}, {"source": Source.ALERTGATE}, SilenceReason.OWN_TROUBLE),
        ({"event": "device/*"}, {"source": Source.WATCH, "event": "device/silent"}, SilenceReason.SILENCED),
        (
            {"event": None, "device": "front*"},
            {"source": Source.WATCH, "event": "device/silent"},
            SilenceReason.SILENCED,
        ),
        ({"event": None, "device": "front*"}, {"source": Source.WATCH, "event": MANY}, SilenceReason.UNMATCHED),
        ({"event": None, "device": "front*"}, {"event": MANY}, SilenceReason.SILENCED),
        ({"event": "gate/*"}, {"source": Source.WATCH, "event": MANY}, SilenceReason.SILENCED),
        ({"event": "door/[", "device": "*?*"}, {"event": "door/["}, SilenceReason.SILENCED),
        ({"event": "<b>*</b>"}, {"event": "<b>\u202e\x07</b>"}, SilenceReason.SILENCED),
    ],
)
def test_a_silence_holds_what_it_matches_while_it_lasts(changes, subject, reason):
    """Globs over event, device, its name and source; severity; its time; never alertgate's own."""
    known = silence(**changes)
    judged = Silences([silence(event="other"), known]).judge(anything(**subject), START)
    assert (judged.reason, judged.silence) == (reason, known if reason is SilenceReason.SILENCED else None)
    assert bool(judged.until) == (reason is SilenceReason.SILENCED)


def test_silences_that_follow_each_other_are_one():
    """With overlaps and without a gap; the one after a gap isn't counted, nor another one's."""
    known = [silence(0, 2), silence(1, 3), silence(3, 4), silence(4.5, 9), silence(3, 12, event="leak")]
    judged = Silences(known).judge(anything(), START)
    assert judged.until == START + 4 * HOUR
    assert judged.silence == known[0]
    assert Silences(known).last_stretch(anything(), START + 4 * HOUR) == (START, START + 4 * HOUR)
    assert Silences(known).last_stretch(anything(), START + 10 * HOUR) == (START + 4.5 * HOUR, START + 9 * HOUR)
    assert Silences(known).last_stretch(anything(event="bell"), START + 10 * HOUR) is None


def test_a_silence_that_was_ended_before_it_began_held_nothing():
    """Nor does it stop anybody's clock."""
    known = Silences([silence(2, 8, removed_at=START + HOUR)])
    assert all(known.judge(anything(), START + hours * HOUR).until is None for hours in range(10))
    assert known.last_stretch(anything(), START + 9 * HOUR) is None


@pytest.mark.parametrize(
    ("hours", "changes", "state"),
    [
        (-1, {}, SilenceState.PENDING),
        (0, {}, SilenceState.ACTIVE),
        (8, {}, SilenceState.OVER),
        (2, {"removed_at": START + HOUR}, SilenceState.OVER),
    ],
)
def test_a_silence_has_a_state(hours, changes, state):
    """It begins at its beginning, and is over at its end."""
    assert silence(**changes).state(START + hours * HOUR) is state


def test_a_silence_is_told_in_words():
    """By whom, until when, and why; a day of the next week isn't called by its name."""
    near, far = silence(note="carpenter"), silence(0, 400)
    assert in_words(near, near.ends_at, START, BERLIN) == "silenced by Anna until Mon 23:03 (carpenter)"
    assert in_words(far, far.ends_at, START, BERLIN) == "silenced by Anna until 2026-12-10 07:03"


_SPANS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(1, 6), st.none() | st.integers(0, 18), st.sampled_from("ab")), max_size=8
)


def _lasts(spans, event: str, hour: float) -> bool:
    """Return whether one of the spans covers a moment: the obvious model."""
    return any(
        begin <= hour < min(begin + length, removed if removed is not None else 99)
        for begin, length, removed, glob in spans
        if glob == event
    )


@for_any
@given(_SPANS, st.integers(0, 24))
def test_the_end_of_a_silence_is_the_first_moment_without_one(spans, hour):
    """Whatever overlaps, follows, or was ended early: exactly while one lasts, and until none does."""
    known = Silences(
        [
            silence(
                begin,
                begin + length,
                event=glob,
                removed_at=None if removed is None else START + removed * HOUR,
            )
            for begin, length, removed, glob in spans
        ]
    )
    subject = Subject("a", Severity.WARNING, Source.PARTICLE)
    judged = known.judge(subject, START + hour * HOUR)
    ends = next((later for later in range(hour, 99) if not _lasts(spans, "a", later)), None)
    expected: datetime | None = START + ends * HOUR if ends is not None and ends > hour else None
    assert judged.until == expected
    assert (judged.reason is SilenceReason.SILENCED) == (expected is not None)
