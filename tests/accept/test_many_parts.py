"""A device that names too many parts, and a word that may be an alarm: what is stored, on both databases."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import update

from alertgate.accept import generic, particle
from alertgate.accept.intake import IntakeContext
from alertgate.accept.parts import MOST_PARTS
from alertgate.accept.record import Recorded, Recorder
from alertgate.accept.rulings import Understood
from alertgate.ids import Ids
from alertgate.model import ChannelName, Incident, IncidentStatus, NotificationStatus, Resolution, Severity, Source
from alertgate.notify.directory import Directory
from alertgate.own_events import Hint
from alertgate.policy.load import parse
from alertgate.rules import GroupingRules, SeverityRules
from alertgate.store import incidents, notifications
from alertgate.store.engine import Store
from alertgate.store.pages import Wanted
from alertgate.store.tables import notifications as rows
from tests.fakes import START

RULES = GroupingRules(interval=timedelta(minutes=5), resolve_after=timedelta(minutes=30))
TARGETS = [(ChannelName.EMAIL, "me@example.com")]
SHARED = 'parts-of-particle:["d1","temp"]'
LATER = {"at": timedelta(hours=25)}


class Intake:
    """Reads bodies and records them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.ids = Ids(None)
        self.recorder = Recorder(RULES, Directory.of(TARGETS), self.ids, {"d1": "Cellar"}.get)

    def read(self, body: dict[str, Any], at: timedelta, rules: str = "") -> Understood:
        """Return what a body says, received so long after the start."""
        now: datetime = START + at
        context = IntakeContext(self.ids(now), now, SeverityRules((), Severity.WARNING), rules=parse(rules).events)
        content = json.dumps(body).encode()
        if "message" in body:
            return generic.understand(content, None, context)
        return particle.understand(content, "application/json", context)

    def record(self, *bodies: dict[str, Any], at: timedelta = timedelta(), rules: str = "") -> list[Recorded]:
        """Record bodies in one commit."""
        with self.store.transaction() as connection:
            return self.recorder.record(connection, [self.read(body, at, rules) for body in bodies])

    def all(self, **wanted: Any) -> list[Incident]:
        """Return the incidents, oldest first."""
        return self.store.read_now(lambda c: incidents.page(c, Wanted(**wanted), None, 200))[::-1]

    def get(self, recorded: Recorded) -> Incident:
        """Return the incident of an alert."""
        found = self.store.read_now(lambda c: incidents.get(c, recorded.incident_id or ""))
        assert found
        return found


@pytest.fixture
def intake(store: Store) -> Intake:
    """On each database."""
    return Intake(store)


def temp(number: int, status: str = "firing", **changes: Any) -> dict[str, Any]:
    """Return the reading of a probe."""
    return {"event": "temp", "coreid": "d1", "data": {"probe": f"probe {number}", "status": status}, **changes}


@pytest.mark.parametrize("at_once", [1, 7, 40])
def test_beyond_32_parts_there_is_one_incident_and_one_hint(intake: Intake, at_once):
    """However the alerts are batched; what each said is kept."""
    bodies = [temp(number) for number in range(40)]
    results = [r for start in range(0, 40, at_once) for r in intake.record(*bodies[start : start + at_once])]
    own, shared = results[:MOST_PARTS], results[MOST_PARTS:]
    assert len({each.incident_id for each in own}) == MOST_PARTS
    [incident_id] = {each.incident_id for each in shared}
    assert (intake.get(shared[0]).key, intake.get(shared[0]).alert_count) == (SHARED, 8)
    hints = [each.hint for each in results if each.hint]
    assert [(hint.event, hint.severity, hint.device) for hint in hints] == [
        (Hint.PARTS, Severity.WARNING, "temp from Cellar")
    ]
    assert [each.id for each in intake.all(source=Source.ALERTGATE)] == [hints[0].incident_id]
    assert incident_id not in {each.incident_id for each in own}
    assert "so it shares an incident with further ones; opened the incident" in (shared[0].reason or "")
    assert sum(each.due for each in results) == len(TARGETS) * (MOST_PARTS + 2), "each incident, and the hint"


def test_the_all_clear_of_a_part_that_shares_ends_nothing(intake: Intake):
    """The shared incident may be open for another one; a part with an incident of its own ends that."""
    fired = intake.record(*(temp(number) for number in range(36)))
    cleared = intake.record(temp(34, "ok"), temp(3, "ok"), at=timedelta(minutes=1))
    assert [each.incident_id for each in cleared] == [None, fired[3].incident_id]
    assert cleared[0].reason == ("resolves nothing: its part shares an incident with others, which may not be over")
    assert [intake.get(each).status for each in (fired[34], fired[3])] == [IncidentStatus.OPEN, IncidentStatus.RESOLVED]
    assert [each.hint for each in cleared] == [None, None]


def test_an_all_clear_that_overtook_one_part_does_not_end_another(intake: Intake):
    """Part 34's all-clear is no news about part 35, which was published before it."""
    times = [(START + timedelta(seconds=second)).isoformat() for second in (30, 20)]
    intake.record(*(temp(number) for number in range(33)))
    at = timedelta(minutes=1)
    [_, fired] = intake.record(
        temp(34, "resolved", published_at=times[0]), temp(35, "firing", published_at=times[1]), at=at
    )
    assert (intake.get(fired).key, intake.get(fired).status) == (SHARED, IncidentStatus.OPEN)


def test_a_repeat_of_a_part_that_shares_is_stored_once(intake: Intake):
    """By its id, and by its time alone."""
    intake.record(*(temp(number) for number in range(32)))
    for number, more in enumerate(({"event_id": "e"}, {})):
        body = temp(50 + number, published_at=START.isoformat(), **more)
        [first], [again] = intake.record(body), intake.record(body, at=timedelta(seconds=1))
        assert (first.result, again.result, again.alert_id) == ("accepted", "duplicate", first.alert_id)


def test_parts_with_an_incident_keep_it_and_a_day_later_there_is_room(intake: Intake):
    """Part 3 joins its own; the next day a part that shared has an incident of its own."""
    fired = intake.record(*(temp(number) for number in range(36)))
    [again] = intake.record(temp(3), at=timedelta(minutes=10))
    assert again.incident_id == fired[3].incident_id
    [next_day] = intake.record(temp(35), **LATER)
    assert intake.get(next_day).key != SHARED
    [own] = intake.record(temp(3), **LATER)
    assert intake.get(own).key == intake.get(fired[3]).key


def test_the_next_day_a_hint_is_not_said_again(intake: Intake):
    """While its incident is stored, ended or not."""
    bodies = [temp(number) for number in range(33)]
    assert intake.record(*bodies)[-1].hint
    with intake.store.transaction() as connection:
        incidents.resolve_quiet(connection, RULES, START)
    for number in range(100, 133):
        [recorded] = intake.record(temp(number), **LATER)
    assert (intake.get(recorded).key, recorded.hint) == (SHARED, None)


@pytest.mark.parametrize(
    "changes",
    [{"coreid": "d2"}, {"coreid": None}, {"event": "Temp"}, {"event": "temp/2"}, {"event": "temp", "data": "hot"}],
    ids=["device", "no device", "case", "name", "no part"],
)
def test_others_are_not_counted(intake: Intake, changes):
    """Another device, another event, and the device as a whole."""
    intake.record(*(temp(number) for number in range(32)))
    [other] = intake.record({**temp(99), **changes})
    assert not intake.get(other).key.startswith("parts-of-")
    [one_more] = intake.record(temp(98))
    assert intake.get(one_more).key == SHARED


def test_the_unnamed_device_is_one_device(intake: Intake):
    """Alerts without a device are counted together."""
    *_, last = intake.record(*(temp(number, coreid=None) for number in range(33)))
    assert intake.get(last).key == 'parts-of-particle:["","temp"]'


@pytest.mark.parametrize(
    ("body", "rules", "key"),
    [
        (lambda n: temp(0, data={"dedup_key": f"k{n}"}), "", SHARED),
        (temp, '[[events]]\nevent = "temp"\nkey = "data.probe"\nabout = "t"', SHARED.replace("temp", "t")),
        (
            lambda n: {"event": "temp", "message": "m", "source": "nas", "details": {"zone": f"z{n}"}},
            "",
            'parts-of-generic:["nas","temp"]',
        ),
        (
            lambda n: {"event": "temp", "message": "m", "source": "nas", "dedup_key": f"k{n}"},
            "",
            'key:["nas","k32"]',
        ),
    ],
    ids=["dedup_key of Particle", "rule", "generic", "dedup_key of generic"],
)
def test_parts_of_any_origin_count(intake: Intake, body, rules, key):
    """But a generic sender's own dedup_key is no part."""
    *_, last = intake.record(*(body(number) for number in range(33)), rules=rules)
    assert intake.get(last).key == key


def test_alerts_that_join_cost_no_query_more(intake: Intake):
    """Whether they name a part or not."""
    intake.record(temp(1), {**temp(1), "data": "hot"})
    counts = []
    for body in (temp(1), {**temp(1), "data": "hot"}):
        statements: list[str] = []
        with intake.store.transaction() as connection:
            sqlalchemy_event.listen(
                connection, "before_cursor_execute", lambda *args, seen=statements: seen.append(args[2])
            )
            intake.recorder.record(connection, [intake.read(body, timedelta(seconds=1))])
        counts.append(len(statements))
    assert counts[0] == counts[1] > 0


CLOSED = {"event": "valve", "coreid": "d1", "data": {"status": "closed"}}


def test_a_doubtful_all_clear_is_told_once_for_each_event_and_device(intake: Intake):
    """In the commit that stores it; not for each part, and not again once it has ended."""
    [first] = intake.record(CLOSED)
    assert first.hint
    [hint] = intake.all()
    told = intake.store.read_now(lambda c: notifications.of_incident(c, hint.id))
    assert (hint.id, hint.event, hint.source, hint.device) == (
        first.hint.incident_id,
        Hint.ALL_CLEAR,
        Source.ALERTGATE,
        "valve from Cellar",
    )
    assert (first.incident_id, first.due, [each.address for each in told]) == (None, 1, ["me@example.com"])
    again = intake.record(CLOSED, {**CLOSED, "data": {"status": "closed", "zone": "a"}}, at=timedelta(hours=2))
    assert [each.hint for each in again] == [None, None]
    others = [*intake.record({**CLOSED, "coreid": "d2"}), *intake.record({**CLOSED, "event": "v"})]
    assert [each.hint is not None for each in others] == [True, True]


def test_two_in_one_commit_are_told_once(intake: Intake):
    """The second one sees the first one's hint."""
    results = intake.record(CLOSED, CLOSED)
    assert [each.hint is not None for each in results] == [True, False]


@pytest.mark.parametrize("reason", ["open", "over", "quiet"])
def test_a_word_that_can_end_something_is_no_question(intake: Intake, reason):
    """Something with its key was open before."""
    intake.record({**CLOSED, "data": {"status": "open"}})
    if reason == "over":
        intake.record(CLOSED)
    if reason == "quiet":
        with intake.store.transaction() as connection:
            [incident] = incidents.last(connection, ['particle:["d1","valve"]']).values()
            quiet = replace(incident, status=IncidentStatus.RESOLVED, resolution=Resolution.SILENCE, resolved_at=START)
            incidents.save(connection, [quiet])
    [cleared] = intake.record(CLOSED, at=timedelta(minutes=1))
    assert (cleared.hint, intake.all(source=Source.ALERTGATE)) == (None, [])


@pytest.mark.parametrize(
    ("body", "rules", "hinted"),
    [
        ({**CLOSED, "coreid": None}, "", True),
        ({**CLOSED, "data": {"status": "resolved"}}, "", False),
        (CLOSED, '[[events]]\nevent = "valve"\nresolved = true', False),
        (CLOSED, '[[events]]\nevent = "valve"\nignore = true', False),
        ({"event": "valve", "message": "m", "status": "closed"}, "", True),
        ({"event": "valve", "message": "m", "status": "closed", "timestamp": "2026-11-23T13:00:00Z"}, "", True),
    ],
    ids=["no device", "verdict", "rule", "ignored", "generic", "an old one"],
)
def test_which_all_clears_are_told(intake: Intake, body, rules, hinted):
    """A doubtful word, whatever else keeps it from ending something."""
    [recorded] = intake.record(body, rules=rules)
    assert (recorded.hint is not None) is hinted


def test_a_hint_ends_in_silence_and_is_never_told_to_be_over(intake: Intake):
    """Unlike a trouble, which alertgate watches."""
    [recorded] = intake.record(CLOSED)
    assert recorded.hint
    with intake.store.transaction() as connection:
        at = START + RULES.resolve_after
        connection.execute(update(rows).values(status=NotificationStatus.SENT, finished_at=START))
        assert incidents.resolve_quiet(connection, RULES, at) == [recorded.hint.incident_id]
        [told] = notifications.of_incident(connection, recorded.hint.incident_id or "")
    assert told.kind == "opening"
