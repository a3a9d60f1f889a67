"""All that an escalation does at one time, and what becomes of one that can't go on."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from alertgate.contact_state import ContactState
from alertgate.credential import Credential
from alertgate.errors import StoreUnavailable
from alertgate.group.actions import Action, IncidentActions
from alertgate.ids import new_id
from alertgate.model import ChannelName, IncidentStatus, Kind, Severity
from alertgate.notify import turn
from alertgate.notify.directory import Directory
from alertgate.notify.escalate import End, Facts, Run, StepReason, Wait, begin
from alertgate.notify.escalation_job import EscalationJob
from alertgate.notify.escalator import Escalator
from alertgate.notify.holds import Releaser
from alertgate.notify.news import others
from alertgate.notify.turns import AFTER_DEFECT, TurnTaker
from alertgate.policy.escalations import Escalation
from alertgate.policy.matchers import Subject
from alertgate.policy.policy import Policy
from alertgate.policy.routes import Route, first
from alertgate.store import escalations, incidents
from alertgate.store.escalations import StoredRun
from tests.builders import new_incident
from tests.fakes import START, FakeClock
from tests.flow.household import MINUTE, escalation, person, policy, step

HOME = escalation("home", step("owner"), step("neighbour", after=10), repeat_every=5 * MINUTE)
HOUSE = policy((person("owner"), person("neighbour")), (HOME,))
LEAK = Subject.of(new_incident(), None)
FACTS = Facts(HOUSE, begin(first(HOUSE.routes, LEAK)), Severity.WARNING, IncidentStatus.OPEN, START)


def kinds(taken: turn.Turn) -> list[tuple[Kind, list[str]]]:
    """Return what a turn told whom."""
    return [(each.kind, [telling.person for telling in each.tellings]) for each in taken.announcements]


def test_an_incident_is_routed_and_its_first_step_told():
    """And then it waits for the first reminder."""
    taken = turn.take(FACTS, LEAK, START, first(HOUSE.routes, LEAK))
    assert kinds(taken) == [(Kind.OPENING, ["owner"])]
    assert taken.routed is not None
    assert (taken.routed.escalation, taken.next_at) == ("home", START + 5 * MINUTE)
    assert taken.last.reason is StepReason.STEP_RUNS


def test_what_is_late_is_done_at_once():
    """After a night off, the second step is told, and the first's people once of all reminders that were due."""
    taken = turn.take(FACTS, LEAK, START, first(HOUSE.routes, LEAK))
    late = START + timedelta(hours=9)
    again = turn.take(replace(FACTS, run=replace(taken.run, first_sent_at=late - MINUTE)), LEAK, late)
    assert kinds(again) == [(Kind.REMINDER, ["owner"]), (Kind.HANDOFF, ["neighbour"])]


def test_a_step_that_tells_nobody_hands_nothing_over():
    """Nobody is on call: the next people are told of something new."""
    nobody = escalation("home", step("@gone"), step("neighbour", after=10))
    house = policy((person("neighbour"),), (nobody,))
    taken = turn.take(replace(FACTS, policy=house), LEAK, START)
    assert [(kind, people) for kind, people in kinds(taken) if people] == [(Kind.OPENING, ["neighbour"])]


def test_an_escalation_that_is_gone_goes_on_with_another():
    """The route's new one counts its reminders on, from what was sent before."""
    run = Run("old", step=2, step_at=START, reminders=3, first_sent_at=START, told=frozenset({"owner"}))
    taken = turn.take(replace(FACTS, run=run), LEAK, START + MINUTE)
    assert (taken.run.escalation, taken.run.reminders, taken.run.first_sent_at) == ("home", 3, START)
    assert kinds(taken) == [(Kind.OPENING, ["owner"])]


def test_what_nobody_in_the_policy_knows_is_routed_as_if_nobody_had_been_told():
    """Once: reminders that had ended begin again, for other people."""
    run = Run("home", step=2, step_at=START, reminders=3, first_sent_at=START, gave_up=True)
    taken = turn.take(replace(FACTS, run=run, is_known=False), LEAK, START + timedelta(hours=9))
    assert kinds(taken)[0] == (Kind.OPENING, ["owner"])
    assert (taken.run.gave_up, taken.run.reminders, taken.run.first_sent_at) == (False, 0, None)


def test_a_snooze_that_is_over_starts_anew():
    """The first step is told again."""
    facts = replace(FACTS, status=IncidentStatus.ACKNOWLEDGED, acknowledged_at=START, snoozed_until=START + MINUTE)
    assert turn.take(facts, LEAK, START).last == Wait(START + MINUTE, StepReason.SNOOZED)
    taken = turn.take(facts, LEAK, START + MINUTE)
    assert (taken.anew, kinds(taken)) == (StepReason.SNOOZE_OVER, [(Kind.OPENING, ["owner"])])


def test_what_is_over_does_nothing():
    """Until it is open again."""
    taken = turn.take(replace(FACTS, status=IncidentStatus.RESOLVED), LEAK, START)
    assert (taken.last, taken.announcements, taken.next_at) == (End(StepReason.RESOLVED), (), None)


OWNER = person("owner", slow=3)
MAIL, SLOW, OTHER = ((ChannelName.EMAIL, each) for each in ("owner@example.com", "owner@slow.example", "ann@x.y"))
ANN = (ChannelName.EMAIL, "ann@example.com")
TOLD = ContactState(told_at=START, told_open_at=START)
OVER = ContactState(told_at=START + MINUTE, told_open_at=START)


@pytest.mark.parametrize(
    ("known", "by", "contact", "expected"),
    [
        ({MAIL: TOLD}, "ann", None, ["owner@example.com"]),
        ({MAIL: TOLD, SLOW: TOLD}, "ann", None, ["owner@example.com"]),
        ({SLOW: TOLD}, "ann", None, ["owner@slow.example"]),
        ({MAIL: OVER}, "ann", None, []),
        ({MAIL: ContactState(pending_id="n")}, "ann", None, []),
        ({MAIL: ContactState(told_at=START, unanswered_at=START)}, "ann", None, ["owner@example.com"]),
        ({MAIL: ContactState(unanswered_at=START)}, "ann", None, ["owner@example.com"]),
        ({MAIL: replace(OVER, unanswered_at=START)}, "ann", None, []),
        ({MAIL: TOLD}, " Owner ", None, []),
        ({MAIL: TOLD}, "o***@example.com", MAIL, ["owner@slow.example"]),
        ({MAIL: TOLD, SLOW: TOLD}, "owner", SLOW, ["owner@example.com"]),
        ({MAIL: TOLD}, "ann", OTHER, ["owner@example.com"]),
    ],
    ids=[
        "was told",
        "once",
        "by what told it",
        "knows it is over",
        "knows nothing",
        "is being told",
        "may have been told",
        "may have been told before it heard that it is over",
        "has it, by the API",
        "has it, by a message's button",
        "has it, by another one's",
        "another one's button",
    ],
)
def test_the_others_hear_once_who_has_it(known, by, contact, expected):
    """Whoever pressed a message's button hears by another contact, because a mail scanner may have."""
    directory = Directory(lambda: policy((OWNER,), (HOME,)), {ChannelName.EMAIL})
    assert [each.target[1] for each in others(directory, known, by, contact, START)] == expected


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({MAIL: TOLD}, ["owner@example.com"]),
        ({MAIL: TOLD, ANN: OVER}, ["owner@example.com"]),
        ({MAIL: TOLD, ANN: TOLD}, ["ann@example.com"]),
    ],
    ids=["nobody else was told", "another one knows that it is over", "another one hears"],
)
def test_whose_only_contact_pressed_hears_by_it_if_nobody_else_hears(known, expected):
    """Or the alarm would end unseen where a mail scanner has pressed."""
    directory = Directory(lambda: policy((person("owner"), person("ann")), (HOME,)), {ChannelName.EMAIL})
    assert [each.target[1] for each in others(directory, known, "owner", MAIL, START)] == expected


class Broken(Policy):
    """A policy with a defect."""

    def escalation(self, name: str) -> Escalation | None:
        if name == "broken":
            raise RuntimeError("a defect")
        return super().escalation(name)


def stored_run(incident_id: str, name: str) -> StoredRun:
    """Return an escalation that is due."""
    return StoredRun(incident_id, name, "", START, 0, 0, None, 0, None, None, False, [], None, START)


def test_a_defect_in_one_escalation_holds_up_no_other(store):
    """It is logged, and tried again in a minute."""
    house = Broken(people=HOUSE.people, escalations=HOUSE.escalations, routes=HOUSE.routes)
    about = [new_incident(key=f"k{number}") for number in range(2)]
    runs = [stored_run(about[0].id, "broken"), stored_run(about[1].id, "home")]
    taker = TurnTaker(Escalator(Directory(lambda: house, {ChannelName.EMAIL})), 5 * MINUTE, new_id)
    with store.transaction() as connection, capture_logs() as logs:
        incidents.add(connection, about)
        escalations.save(connection, runs)
        taken = taker.take(connection, START, 10)
    found = store.read_now(lambda connection: escalations.of_incidents(connection, [each.id for each in about]))
    assert [each.incident_id for each in taken] == [about[1].id]
    assert found[about[0].id].next_at == START + AFTER_DEFECT
    assert [line["event"] for line in logs] == ["escalation.defect"]


def test_what_was_handed_back_is_told_once_the_defect_is_gone(store):
    """It is open at once; that everybody hears it is tried again."""
    rules = [Broken(people=HOUSE.people, escalations=HOUSE.escalations, routes=(Route("broken"),)), HOUSE]
    directory = Directory(lambda: rules[0], {ChannelName.EMAIL})
    actions = IncidentActions(directory, 5 * MINUTE, new_id)
    taker = TurnTaker(Escalator(directory), 5 * MINUTE, new_id)
    about = new_incident(status=IncidentStatus.ACKNOWLEDGED, acknowledged_at=START, acknowledged_by="owner")
    with store.transaction() as connection, capture_logs() as logs:
        incidents.add(connection, [about])
        applied = actions.hand_back(connection, Action(about.id, "owner", Credential.LINK, START))
    assert applied is not None
    assert (applied.transition.incident.status, applied.due) == (IncidentStatus.OPEN, 0)
    assert [line["event"] for line in logs] == ["escalation.defect"]
    rules.pop(0)
    with store.transaction() as connection:
        [taken] = taker.take(connection, START + AFTER_DEFECT, 10)
    assert (taken.turn.anew, taken.due) == (StepReason.HANDED_BACK, 1)


class Away:
    """A store that is away for a while."""

    def __init__(self) -> None:
        self.is_away = True

    async def read(self, _):
        if self.is_away:
            raise StoreUnavailable("it is away")
        return ()  # nothing is due, and nothing waits

    async def write(self, _):
        if self.is_away:
            raise StoreUnavailable("it is away")


async def test_a_database_that_is_away_is_logged_once():
    """And not each second; the work is done once it is back."""
    escalator = Escalator(Directory(lambda: HOUSE, {ChannelName.EMAIL}))
    turns, releaser = TurnTaker(escalator, 5 * MINUTE, new_id), Releaser(escalator, 5 * MINUTE, new_id)
    store = Away()
    job = EscalationJob(store, escalator, turns, releaser, FakeClock(), None)
    with capture_logs() as logs:
        for _ in range(3):
            assert await job.run() == 0
        store.is_away = False
        assert await job.run() == 0
    assert [line["event"] for line in logs] == ["escalations.wait"]


def test_times_of_an_incident_are_read_as_they_were_written(store):
    """All of an escalation's row."""
    about = new_incident()
    whole = StoredRun(
        about.id,
        "home",
        "why",
        START,
        7,
        2,
        START,
        3,
        START,
        START,
        True,
        ["owner"],
        "all_told",
        datetime.now(START.tzinfo),
    )
    with store.transaction() as connection:
        incidents.add(connection, [about])
        escalations.save(connection, [whole])
        escalations.save(connection, [replace(whole, step=3)])
    assert store.read_now(lambda connection: escalations.get(connection, about.id)) == replace(whole, step=3)
