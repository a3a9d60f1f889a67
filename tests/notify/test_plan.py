"""Whether and when a contact is told."""

from datetime import timedelta

import pytest

from alertgate.model import ContactState, IncidentStatus, Kind, Severity
from alertgate.notify.plan import (
    Expedite,
    Plan,
    PlanReason,
    Skip,
    is_due,
    on_alert,
    on_resolution,
    on_rise,
    sentence,
)
from tests.builders import incident
from tests.fakes import START

FIVE_MINUTES = timedelta(minutes=5)
A_MOMENT = timedelta(microseconds=1)


def test_the_first_alert_is_told_at_once():
    """A contact that wasn't told about the incident is told now."""
    assert on_alert(incident(), ContactState(), START, FIVE_MINUTES) == Plan(Kind.OPENING, START, PlanReason.FIRST)


def test_an_update_waits_for_the_interval():
    """A contact that was just told is told again when the interval is over."""
    state = ContactState(told_at=START - timedelta(minutes=2))
    assert on_alert(incident(), state, START, FIVE_MINUTES) == Plan(
        Kind.UPDATE, START + timedelta(minutes=3), PlanReason.UPDATE_LATER
    )


def test_an_update_after_the_interval_says_why_it_comes_now():
    """A contact that was told a whole interval ago is told again at once."""
    state = ContactState(told_at=START - FIVE_MINUTES)
    assert on_alert(incident(), state, START, FIVE_MINUTES) == Plan(Kind.UPDATE, START, PlanReason.UPDATE)


@pytest.mark.parametrize(
    ("told_ago", "due_in"),
    [
        (timedelta(0), FIVE_MINUTES),
        (FIVE_MINUTES - A_MOMENT, A_MOMENT),
        (FIVE_MINUTES, timedelta(0)),
        (timedelta(hours=1), timedelta(0)),
        (timedelta(minutes=-1), timedelta(minutes=6)),
    ],
)
def test_two_notifications_are_an_interval_apart(told_ago, due_in):
    """There is at most one notification per interval, and none waits longer than that."""
    choice = on_alert(incident(), ContactState(told_at=START - told_ago), START, FIVE_MINUTES)
    assert isinstance(choice, Plan)
    assert (choice.kind, choice.due_at) == (Kind.UPDATE, START + due_in)


@pytest.mark.parametrize("told_at", [None, START - timedelta(minutes=1), START - timedelta(hours=1)])
def test_a_pending_notification_reports_later_alerts_too(told_at):
    """While a notification is pending, another alert doesn't plan a new one."""
    state = ContactState(pending_id="notification-1", pending_attempts=1, told_at=told_at)
    assert on_alert(incident(), state, START, FIVE_MINUTES) == Skip(PlanReason.PENDING_SAYS_IT)


def test_after_a_failure_not_every_alert_is_attempted():
    """After a failure the next notification waits for the interval, so that a storm causes few refusals."""
    assert on_alert(incident(), ContactState(failed_at=START), START, FIVE_MINUTES) == Plan(
        Kind.OPENING, START + FIVE_MINUTES, PlanReason.FIRST_AFTER_FAILURE
    )
    assert on_alert(incident(), ContactState(failed_at=START), START + FIVE_MINUTES, FIVE_MINUTES) == Plan(
        Kind.OPENING, START + FIVE_MINUTES, PlanReason.FIRST
    )


@pytest.mark.parametrize(
    "state", [ContactState(), ContactState("notification-1"), ContactState(told_at=START - timedelta(days=1))]
)
def test_an_acknowledged_incident_sends_nothing(state):
    """Once a person has acknowledged an incident, further alerts plan no notification."""
    known = incident(status=IncidentStatus.ACKNOWLEDGED, acknowledged_by="Ada")
    assert on_alert(known, state, START, FIVE_MINUTES) == Skip(PlanReason.ACKNOWLEDGED)


@pytest.mark.parametrize("told_at", [None, START, START - timedelta(hours=1)])
def test_an_escalation_is_told_at_once(told_at):
    """A rise in severity doesn't wait for the interval."""
    assert on_rise(ContactState(told_at=told_at), START) == Plan(Kind.ESCALATION, START, PlanReason.ROSE)


def test_an_escalation_expedites_a_waiting_update():
    """An update that waits for the interval becomes the escalation, due now."""
    assert on_rise(ContactState("notification-1", 0, START), START) == Expedite(START, Kind.ESCALATION, PlanReason.ROSE)


def test_an_escalation_keeps_the_time_of_a_retry():
    """A notification whose server is failing isn't attempted any sooner."""
    assert on_rise(ContactState("notification-1", 2), START) == Expedite(None, Kind.ESCALATION, PlanReason.ROSE)


def test_a_resolution_is_told_at_once():
    """A contact that was told about the beginning is told about the end."""
    assert on_resolution(ContactState(told_at=START), START) == Plan(Kind.RESOLUTION, START, PlanReason.RESOLVED)


def test_a_resolution_is_not_told_to_a_contact_that_was_never_told():
    """A contact that wasn't told about the beginning isn't told about the end."""
    assert on_resolution(ContactState(), START) == Skip(PlanReason.NEVER_TOLD)


@pytest.mark.parametrize(("attempts", "due_at"), [(0, START), (3, None)])
@pytest.mark.parametrize("told_at", [None, START])
def test_a_pending_notification_reports_the_resolution(attempts, due_at, told_at):
    """A pending notification becomes the resolution, sent now or at its retry."""
    assert on_resolution(ContactState("notification-1", attempts, told_at), START) == Expedite(
        due_at, Kind.RESOLUTION, PlanReason.RESOLVED
    )


WORSE = incident(severity=Severity.CRITICAL, acknowledged_by="Ada")
TOLD = ContactState(told_at=START - timedelta(minutes=2), failed_at=START)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Plan(Kind.OPENING, START, PlanReason.FIRST), "nothing was said about this incident yet"),
        (
            Plan(Kind.OPENING, START + FIVE_MINUTES, PlanReason.FIRST_AFTER_FAILURE),
            "due at 14:08:00, because a notification failed at 14:03:00 UTC",
        ),
        (Plan(Kind.UPDATE, START, PlanReason.UPDATE), "last told at 14:01:00 UTC, long enough ago"),
        (
            Plan(Kind.UPDATE, START + timedelta(minutes=3), PlanReason.UPDATE_LATER),
            "update due at 14:06:00, because told at 14:01:00 UTC",
        ),
        (Plan(Kind.ESCALATION, START, PlanReason.ROSE), "severity rose to critical"),
        (Expedite(START, Kind.ESCALATION, PlanReason.ROSE), "severity rose to critical"),
        (Plan(Kind.RESOLUTION, START, PlanReason.RESOLVED), "resolved"),
        (Expedite(None, Kind.RESOLUTION, PlanReason.RESOLVED), "resolved; the pending notification will say it"),
        (Skip(PlanReason.ACKNOWLEDGED), "acknowledged by Ada"),
        (Skip(PlanReason.PENDING_SAYS_IT), "the pending notification will say it"),
        (Skip(PlanReason.NEVER_TOLD), "never told about this incident"),
    ],
)
def test_each_reason_has_a_sentence(choice, expected):
    """The trail says why a contact is told now, later, or not."""
    assert sentence(choice, WORSE, TOLD) == expected


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Plan(Kind.OPENING, START, PlanReason.FIRST), True),
        (Plan(Kind.UPDATE, START + A_MOMENT, PlanReason.UPDATE_LATER), False),
        (Expedite(START, Kind.ESCALATION, PlanReason.ROSE), True),
        (Expedite(None, Kind.ESCALATION, PlanReason.ROSE), False),
        (Skip(PlanReason.NEVER_TOLD), False),
    ],
)
def test_only_a_choice_that_is_due_wakes_the_delivery(choice, expected):
    """A later time or a Skip doesn't."""
    assert is_due(choice, START) is expected
