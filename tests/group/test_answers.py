"""What becomes of an answer in an app, a chat or a call, which may be to a message older than what it is about."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alertgate.answers import WORDS, Verdict
from alertgate.credential import Credential
from alertgate.group.actions import SNOOZE, IncidentActions
from alertgate.group.answers import ACTS, Answers, judge
from alertgate.group.by_link import LinkAct
from alertgate.group.transitions import TransitionResult, acknowledge
from alertgate.marks import mark
from alertgate.model import ChannelName, Incident, IncidentStatus, NotificationStatus, Resolution, Severity
from alertgate.notify.directory import Directory
from alertgate.store import incidents, notifications
from alertgate.store.engine import Store
from tests.builders import incident, new_incident, new_notification, notification
from tests.fakes import START

TAKEN, OVER = IncidentStatus.ACKNOWLEDGED, IncidentStatus.RESOLVED
FIRST = incident()
SNOOZED = replace(FIRST, status=TAKEN, acknowledged_at=START, snoozed_until=START + SNOOZE)
LATER = START + timedelta(minutes=3)


def _to(shown: Incident | None):
    """Return a message that showed an incident as it stood; None: one that has no mark, as a digest's."""
    return notification(channel=ChannelName.PUSHOVER, shown=mark(shown) if shown else None)


@pytest.mark.parametrize(
    ("now", "shown", "acknowledge", "snooze"),
    [
        (FIRST, FIRST, Verdict.DONE, Verdict.DONE),
        (replace(FIRST, alert_count=99, last_alert_id="x"), FIRST, Verdict.DONE, Verdict.DONE),
        (replace(FIRST, severity=Severity.CRITICAL), FIRST, Verdict.CHANGED, Verdict.CHANGED),
        (replace(FIRST, changes=3), FIRST, Verdict.CHANGED, Verdict.CHANGED),
        (replace(FIRST, status=TAKEN, acknowledged_at=START), FIRST, Verdict.ALREADY, Verdict.ALREADY),
        (replace(FIRST, status=TAKEN, severity=Severity.CRITICAL), FIRST, Verdict.ALREADY, Verdict.ALREADY),
        (SNOOZED, FIRST, Verdict.DONE, Verdict.ALREADY),
        (replace(SNOOZED, severity=Severity.CRITICAL), FIRST, Verdict.CHANGED, Verdict.ALREADY),
        (replace(FIRST, acknowledged_at=START), FIRST, Verdict.CHANGED, Verdict.CHANGED),
        (replace(FIRST, acknowledged_at=START), replace(FIRST, acknowledged_at=START), Verdict.DONE, Verdict.DONE),
        (replace(FIRST, status=OVER), FIRST, Verdict.OVER, Verdict.OVER),
        (replace(FIRST, status=OVER, changes=3), FIRST, Verdict.OVER, Verdict.OVER),
        (replace(FIRST, status=OVER, resolution=Resolution.SILENCE), FIRST, Verdict.QUIET, Verdict.QUIET),
        (None, FIRST, Verdict.OVER, Verdict.OVER),
        (FIRST, None, Verdict.CHANGED, Verdict.CHANGED),
    ],
)
def test_an_answer_means_the_incident_as_its_message_showed_it(now, shown, acknowledge, snooze):
    """After a rise or a reopening nothing is done; nor to what somebody has, or what is over."""
    told = _to(shown)
    assert (judge(now, told), judge(now, told, LinkAct.SNOOZE)) == (acknowledge, snooze)


def test_a_message_from_before_somebody_had_it_does_not_answer_what_is_open_again():
    """Each time somebody had it and that ended, the alarm began anew: an older message's button means another one."""
    seen_open_again = replace(FIRST, acknowledged_at=START)
    open_once_more = replace(FIRST, acknowledged_at=LATER)
    assert judge(open_once_more, _to(seen_open_again)) is Verdict.CHANGED


def test_every_verdict_has_words():
    """Whoever answers hears what became of it."""
    assert set(WORDS) == set(Verdict)


def _stored(store: Store, incident: Incident):
    """Store an incident, the push that told it, and a mail that waits; return the push and the mail."""
    push = new_notification(
        incident,
        channel=ChannelName.PUSHOVER,
        address="uKey0000000000000000000000000",
        person="Anna",
        status=NotificationStatus.SENT,
        finished_at=START,
        shown=mark(incident),
    )
    waiting = new_notification(incident, address="bea@example.com")
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        notifications.add(connection, [push, waiting])
    return push, waiting


@pytest.fixture
def answers() -> Answers:
    """Answers that do what the service's do."""
    ids = iter(f"planned-{number}" for number in range(100))
    actions = IncidentActions(Directory.of([]), timedelta(minutes=5), lambda _: next(ids))
    return Answers({LinkAct.ACKNOWLEDGE: actions.acknowledge, LinkAct.SNOOZE: actions.snooze})


@pytest.mark.parametrize(("by", "name"), [("Bea", "Bea"), (None, "Anna")])
def test_an_answer_acknowledges_and_cancels_what_waits(store: Store, answers: Answers, by, name):
    """By whom the service names, or else by whom the message told; and by what they were let in."""
    found = new_incident(opened_at=START)
    push, waiting = _stored(store, found)
    with store.transaction() as connection:
        answered = answers.answer(connection, push, Credential.PUSHOVER, LATER, by=by)
    stored = store.read_now(lambda c: incidents.get(c, found.id))
    assert (answered.verdict, answered.incident) == (Verdict.DONE, stored)
    assert (stored.status, stored.acknowledged_by, stored.acknowledged_with) == (TAKEN, name, Credential.PUSHOVER)
    assert answered.done[1].cancelled == 1
    assert store.read_now(lambda c: notifications.get(c, waiting.id)).status is NotificationStatus.CANCELLED


def test_a_second_answer_changes_nothing(store: Store, answers: Answers):
    """The first person stays on record, also where a service brings an answer twice."""
    found = new_incident(opened_at=START)
    push, _ = _stored(store, found)
    with store.transaction() as connection:
        answers.answer(connection, push, Credential.TELEGRAM, LATER, by="Anna", act=LinkAct.SNOOZE)
        again = answers.answer(connection, push, Credential.TELEGRAM, LATER + SNOOZE / 2, act=LinkAct.SNOOZE)
        taken = answers.answer(connection, push, Credential.TELEGRAM, LATER, by="Bea")
        last = answers.answer(connection, push, Credential.TELEGRAM, LATER, by="Cleo")
    assert [each.verdict for each in (again, taken, last)] == [Verdict.ALREADY, Verdict.DONE, Verdict.ALREADY]
    assert (again.done, last.done) == (None, None)
    stored = store.read_now(lambda c: incidents.get(c, found.id))
    assert (stored.acknowledged_by, stored.snoozed_until) == ("Bea", None)


def test_what_cannot_be_done_is_not_called_done(store: Store):
    """Where it is refused nevertheless, nothing is logged as done."""
    found = new_incident(opened_at=START)
    push, _ = _stored(store, found)

    def refuse(_, action):
        refused = acknowledge(replace(found, status=OVER), action.by, action.credential, action.now)
        assert refused.result is TransitionResult.REFUSED
        return type("Applied", (), {"transition": refused})

    with store.transaction() as connection:
        answered = Answers(dict.fromkeys(ACTS, refuse)).answer(connection, push, Credential.TWILIO, LATER)
    assert (answered.verdict, answered.done) == (Verdict.REFUSED, None)
