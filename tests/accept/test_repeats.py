"""When an alert is the same event, delivered again."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alertgate.accept.keys import LONGEST_KEY
from alertgate.accept.repeats import RepeatReason, content_digest, find_repeat, repeat_key, without_metadata
from alertgate.id_kind import IdKind
from alertgate.model import Alert, Incident, IncidentStatus, Resolution, Signal
from alertgate.rules import GroupingRules
from alertgate.seen import Seen
from tests.builders import alert, incident
from tests.fakes import START

SECOND = timedelta(seconds=1)
PUBLISHED = START - SECOND


OPEN = incident(id="incident-1")
RULES = GroupingRules(timedelta(minutes=5), timedelta(minutes=30))


def came(after: timedelta = timedelta(0), **changes) -> Alert:
    """An alert with an id, a time and a digest, received some time after the first."""
    identity = {"content": "same", "repeat_key": "id", "id_kind": IdKind.EVENT_ID, "published_at": PUBLISHED}
    identity["incident_id"] = OPEN.id
    return alert(**{"id": f"alert-{after}", "received_at": START + after, **identity, **changes})


FIRST = came()
NO_ID = {"repeat_key": None, "id_kind": None}
NO_TIME = {"published_at": None}


def judged(new: Alert, first: Alert = FIRST, last: Incident | None = OPEN) -> RepeatReason:
    """Judge an alert, where the first is known by its id, or as the last of its incident."""
    same_id = [Seen.of(first)] if new.repeat_key == first.repeat_key and new.repeat_key else []
    return find_repeat(new, same_id, Seen.of(first), last, RULES)[0]


@pytest.mark.parametrize(
    ("after", "changes", "reason"),
    [
        # The same id and the same time: for 24 hours.
        (SECOND, {}, RepeatReason.SAME_ID),
        (timedelta(hours=24), {}, RepeatReason.SAME_ID),
        (timedelta(hours=24) + SECOND, {}, RepeatReason.REUSED_ID),
        (SECOND, {"published_at": PUBLISHED.replace(microsecond=0)}, RepeatReason.SAME_ID),
        # Firmware that numbers from 1 and has been restarted: another time, so another event.
        (SECOND, {"published_at": PUBLISHED + SECOND}, RepeatReason.REUSED_ID),
        # Other content is another event, whatever its id.
        (SECOND, {"content": "other"}, RepeatReason.REUSED_ID),
        (SECOND, {"content": None}, RepeatReason.REUSED_ID),
        # A time on one side only says nothing.
        (SECOND, NO_TIME, RepeatReason.REUSED_ID),
        # One event through two templates.
        (SECOND, NO_ID, RepeatReason.SAME_TIME),
        (timedelta(minutes=10), NO_ID, RepeatReason.SAME_TIME),
        (timedelta(minutes=10) + SECOND, NO_ID, RepeatReason.NEW),
        (SECOND, {**NO_ID, "published_at": PUBLISHED + SECOND}, RepeatReason.NEW),
        (SECOND, {**NO_ID, "content": "other"}, RepeatReason.NEW),
        # With two ids it is two events, at whatever time.
        (SECOND, {"repeat_key": "other id"}, RepeatReason.NEW),
        # With neither id nor time nothing is a repeat.
        (SECOND, {**NO_ID, **NO_TIME}, RepeatReason.NEW),
    ],
)
def test_a_repeat_has_the_same_content_and_the_same_id_or_time(after, changes, reason):
    """A wrong or reused id never swallows an alert."""
    assert judged(came(after, **changes)) is reason


@pytest.mark.parametrize(
    ("kind", "within"),
    [
        (IdKind.EVENT_ID, timedelta(minutes=10)),
        (IdKind.IDEMPOTENCY_KEY, timedelta(hours=1)),
        (IdKind.WEBHOOK_ID, timedelta(hours=24)),
        (IdKind.OWN_TIME, timedelta(hours=24)),
    ],
)
def test_an_id_alone_counts_for_a_time_that_depends_on_its_kind(kind, within):
    """Friday's leak isn't Monday's repeat, though firmware numbers its events from 1."""
    first = came(**NO_TIME, id_kind=kind)
    assert judged(came(within, **NO_TIME, id_kind=kind), first) is RepeatReason.SAME_ID
    assert judged(came(within + SECOND, **NO_TIME, id_kind=kind), first) is RepeatReason.REUSED_ID


def test_without_an_id_only_the_last_alert_of_its_incident_is_repeated():
    """A reed that bounces open, closed, open within a second means each."""
    newest = came(SECOND, **NO_ID, content="closed", signal=Signal.RESOLVED)
    again = came(2 * SECOND, **NO_ID)
    assert find_repeat(again, [], Seen.of(newest), OPEN, RULES) == (RepeatReason.NEW, None)
    assert find_repeat(again, [], None, OPEN, RULES) == (RepeatReason.NEW, None)


def test_the_repeated_alert_is_named():
    """Of several with one id, the one with the same content."""
    other = came(content="other", id="other")
    found = find_repeat(came(SECOND), [Seen.of(other), Seen.of(FIRST)], None, OPEN, RULES)
    assert found == (RepeatReason.SAME_ID, Seen.of(FIRST))


@pytest.mark.parametrize("kind", [IdKind.EVENT_ID, IdKind.IDEMPOTENCY_KEY])
@pytest.mark.parametrize("over", [Resolution.ALERT, Resolution.PERSON, Resolution.SILENCE])
def test_an_alarm_after_the_end_is_no_repeat_unless_its_time_says_so(kind, over):
    """Firmware counts from 1 after a reboot, and people were told that it is over."""
    identity = {"id_kind": kind, **NO_TIME}
    first, again = came(**identity), came(SECOND, **identity)
    ended = incident(id=OPEN.id, status=IncidentStatus.RESOLVED, resolution=over)
    assert judged(again, first, ended) is RepeatReason.REUSED_ID
    assert judged(again, first, incident(id="incident-2")) is RepeatReason.REUSED_ID
    assert judged(again, first) is RepeatReason.SAME_ID
    clear = replace(again, signal=Signal.RESOLVED)
    assert judged(clear, first, ended) is RepeatReason.SAME_ID, "an all-clear again must end nothing new"
    signed = replace(again, id_kind=IdKind.WEBHOOK_ID)
    assert judged(signed, replace(first, id_kind=IdKind.WEBHOOK_ID), ended) is RepeatReason.SAME_ID
    believable = came(SECOND)
    assert judged(believable, FIRST, ended) is RepeatReason.SAME_ID
    jumped = replace(believable, received_at=START + timedelta(hours=1))
    assert judged(jumped, FIRST, ended) is RepeatReason.SAME_ID, "the gate's clock jumped in between"
    assert judged(believable, replace(FIRST, received_at=START + timedelta(hours=1)), ended) is RepeatReason.SAME_ID


@pytest.mark.parametrize(
    ("kind", "last", "reason"),
    [
        (IdKind.IDEMPOTENCY_KEY, OPEN, RepeatReason.REUSED_ID),
        (IdKind.IDEMPOTENCY_KEY, incident(id="incident-2"), RepeatReason.REUSED_ID),
        (IdKind.IDEMPOTENCY_KEY, incident(id=OPEN.id, status=IncidentStatus.RESOLVED), RepeatReason.SAME_ID),
        (IdKind.IDEMPOTENCY_KEY, None, RepeatReason.SAME_ID),
        (IdKind.WEBHOOK_ID, OPEN, RepeatReason.SAME_ID),  # signed: it is the same message
        (IdKind.EVENT_ID, OPEN, RepeatReason.SAME_ID),  # Particle delivers at least once, and numbers what it sends
    ],
)
@pytest.mark.parametrize("ended", [OPEN.id, None], ids=["the stored one ended something", "it ended nothing"])
def test_an_all_clear_of_what_has_fired_since_is_no_repeat_by_an_unsigned_key(kind, last, reason, ended):
    """An old one that was sent ahead under its key would swallow it."""
    identity = {"id_kind": kind, "signal": Signal.RESOLVED, **NO_TIME}
    assert judged(came(SECOND, **identity), came(**identity, incident_id=ended), last) is reason


def test_ids_belong_to_their_device_and_kind():
    """Two devices, and two kinds of ids, may use the same text."""
    made = {repeat_key(kind, device, text) for kind in IdKind for device in (None, "a", "b") for text in ("1", "2")}
    assert len(made) == len(IdKind) * 6


def test_the_key_of_a_long_id_is_bounded():
    """A source may be of any length, and an index has no room for it."""
    sources = ["s" * 20_000 + end for end in ("", "a", "b")]
    keys = {repeat_key(IdKind.IDEMPOTENCY_KEY, source, "1") for source in sources}
    assert len(keys) == 3
    assert all(len(key) <= LONGEST_KEY for key in keys)


def test_what_particle_adds_is_not_content():
    """Two templates differ in it, whatever they call it; anything else counts."""
    fields = {"fw_version": 8, "userID": 5, "event_id": "e", "Published_At": "2026", "door": "front"}
    assert without_metadata(fields) == {"door": "front"}
    assert content_digest("d", "e", {"a": 1, "b": 2}) == content_digest("d", "e", {"b": 2, "a": 1})
    assert len({content_digest(*said) for said in (("d", "e", 1), ("d", "e", "1"), ("de", "", 1), (None, "e", 1))}) == 4


def test_a_digest_is_made_of_any_json():
    """Whatever a device may send."""
    assert content_digest(None, "e", {"n": 10**400, "x": "\ud800", "y": [None, True, 1e308, "nan"]})


@pytest.mark.parametrize("off", [timedelta(days=-1), timedelta(hours=2)])
def test_a_clock_that_stands_still_makes_repeats_for_a_short_time(off):
    """Then the id alone counts, which firmware may count anew."""
    stands = {"published_at": START + off}
    first, ended = came(**stands), incident(id=OPEN.id, status=IncidentStatus.RESOLVED)
    assert judged(came(timedelta(minutes=10), **stands), first, ended) is RepeatReason.SAME_ID
    assert judged(came(timedelta(minutes=11), **stands), first, ended) is RepeatReason.REUSED_ID
