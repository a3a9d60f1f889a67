"""Whether and when a contact is told."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from alertgate.contact_state import ContactState
from alertgate.model import Hold, Incident, IncidentStatus, Kind, Resolution, Severity
from alertgate.notify.plan import (
    Expedite,
    Plan,
    PlanReason,
    Skip,
    is_due,
    on_alert,
    on_end,
    on_late_firing,
    on_news_from_before_end,
    on_reopening,
    on_resolution,
    on_rise,
    on_step,
    unless_said_before,
    wait,
)
from alertgate.notify.plan_words import sentence
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
        (timedelta(minutes=-1), FIVE_MINUTES),  # the clock was set back
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
    assert on_rise(incident(), ContactState(told_at=told_at), START, FIVE_MINUTES) == Plan(
        Kind.RISE, START, PlanReason.ROSE
    )


def test_an_escalation_expedites_a_waiting_update():
    """An update that waits for the interval becomes the escalation, due now."""
    choice = on_rise(incident(), ContactState("notification-1", 0, START), START, FIVE_MINUTES)
    assert choice == Expedite(START, Kind.RISE, PlanReason.ROSE)


def test_an_escalation_keeps_the_time_of_a_retry():
    """A notification whose server is failing isn't attempted any sooner."""
    choice = on_rise(incident(), ContactState("notification-1", 2), START, FIVE_MINUTES)
    assert choice == Expedite(None, Kind.RISE, PlanReason.ROSE)


@pytest.mark.parametrize("hold", [Hold.QUIET_HOURS, Hold.OUTSIDE_HOURS, Hold.SILENCED])
def test_a_retry_that_is_held_has_no_time_to_keep(hold):
    """Whether the hold still lasts for it is judged anew, by whoever knows the hours and silences."""
    held = ContactState("notification-1", 2, pending_hold=hold)
    assert on_rise(incident(), held, START, FIVE_MINUTES) == Expedite(START, Kind.RISE, PlanReason.ROSE)
    assert _changed(OPEN, replace(held, summaries=1)) == Expedite(
        START + FIVE_MINUTES, Kind.CHANGES, PlanReason.CHANGES_OFTEN
    )


@pytest.mark.parametrize("hold", [Hold.QUIET_HOURS, Hold.OUTSIDE_HOURS, Hold.SILENCED])
def test_a_rise_to_what_was_told_just_now_is_news_of_what_is_held(hold):
    """It was critical, over, open again as a warning that is held, and is critical again: the hold is judged anew.

    If it flaps, that is so too, but it keeps to the time of what changes often.
    """
    held = ContactState("notification-1", told_at=START, worst=Severity.CRITICAL, pending_hold=hold)
    critical = incident(severity=Severity.CRITICAL)
    assert on_rise(critical, held, START, FIVE_MINUTES) == Expedite(START, Kind.RISE, PlanReason.ROSE)
    flaps = replace(held, changes=3, told_open_at=START)
    assert on_rise(critical, flaps, START, FIVE_MINUTES).due_at == START + FIVE_MINUTES


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


MINUTE = timedelta(minutes=1)
OPEN = incident(changes=3)
OVER = incident(status=IncidentStatus.RESOLVED, resolution=Resolution.ALERT, changes=4)
KNOWN = incident(status=IncidentStatus.ACKNOWLEDGED, acknowledged_by="Ada", changes=5)
TOLD_OPEN = ContactState(told_at=START - MINUTE, told_open_at=START - MINUTE)
TOLD_OVER = ContactState(told_at=START - MINUTE)
OFTEN = [{"changes": 3}, {"summaries": 1}]
"""What makes a contact's budget spent."""


def state(told: ContactState, **changes) -> ContactState:
    """Return what a contact was told, with changes."""
    return replace(told, **changes)


@pytest.mark.parametrize(
    ("severity", "updates", "minutes"),
    [
        (Severity.WARNING, 0, 5),
        (Severity.WARNING, 1, 10),
        (Severity.WARNING, 2, 20),
        (Severity.WARNING, 3, 40),
        (Severity.WARNING, 4, 60),
        (Severity.WARNING, 10**6, 60),
        (Severity.CRITICAL, 0, 5),
        (Severity.CRITICAL, 1, 10),
        (Severity.CRITICAL, 2, 15),
        (Severity.CRITICAL, 99, 15),
    ],
)
def test_updates_grow_apart_while_nothing_changes_but_the_count(severity, updates, minutes):
    """Twice as long after each, up to an hour, and up to a quarter for what is critical."""
    assert wait(severity, updates, FIVE_MINUTES) == minutes * MINUTE
    told = ContactState(told_at=START, updates=updates)
    later = on_alert(incident(severity=severity), told, START, FIVE_MINUTES)
    assert later == Plan(Kind.UPDATE, START + minutes * MINUTE, PlanReason.UPDATE_LATER)


def test_a_long_group_interval_is_never_shortened():
    """Whoever wants one update in six hours gets no more."""
    assert {wait(severity, n, timedelta(hours=6)) for severity in Severity for n in range(5)} == {timedelta(hours=6)}


def test_a_reopening_is_told_at_once():
    """Also to whoever wasn't told before, or is about to be told."""
    assert on_reopening(OPEN, TOLD_OVER, START, FIVE_MINUTES, worse=False) == Plan(
        Kind.REOPENING, START, PlanReason.REOPENED
    )
    assert on_reopening(OPEN, ContactState(), START, FIVE_MINUTES, worse=False) == Plan(
        Kind.OPENING, START, PlanReason.FIRST
    )
    assert on_reopening(OPEN, ContactState("notification-1", 1), START, FIVE_MINUTES, worse=False) == Expedite(
        None, Kind.REOPENING, PlanReason.REOPENED
    )


@pytest.mark.parametrize("often", OFTEN)
@pytest.mark.parametrize(("about", "told"), [(OPEN, TOLD_OVER), (OVER, TOLD_OPEN)])
def test_what_changes_often_is_summed_up_after_the_interval(often, about, told):
    """A contact that was told of three changes hears of the next ones together."""
    later = Plan(Kind.CHANGES, START + 4 * MINUTE, PlanReason.CHANGES_OFTEN)
    assert _changed(about, state(told, **often)) == later
    waiting = state(told, **often, pending_id="notification-1")
    assert _changed(about, waiting) == Expedite(START + 4 * MINUTE, Kind.CHANGES, PlanReason.CHANGES_OFTEN)
    retried = state(waiting, pending_attempts=2)
    assert _changed(about, retried) == Expedite(None, Kind.CHANGES, PlanReason.CHANGES_OFTEN)


def _changed(about: Incident, told: ContactState):
    if about.status is IncidentStatus.RESOLVED:
        return on_end(about, told, START, FIVE_MINUTES)
    return on_reopening(about, told, START, FIVE_MINUTES, worse=False)


@pytest.mark.parametrize("often", OFTEN)
def test_whoever_may_believe_that_it_is_over_hears_of_a_critical_one_within_a_minute(often):
    """However often it changed."""
    critical = replace(OPEN, severity=Severity.CRITICAL)
    told = ContactState(told_at=START - 20 * timedelta(seconds=1), **often)
    assert _changed(critical, told).due_at == START + timedelta(seconds=40)
    knows = state(told, told_open_at=told.told_at)
    assert _changed(critical, knows).due_at == told.told_at + FIVE_MINUTES


def test_a_reopening_that_is_worse_is_told_at_once_however_often_it_changed():
    """A rise in severity always is."""
    told = state(TOLD_OVER, changes=3)
    assert on_reopening(OPEN, told, START, FIVE_MINUTES, worse=True).due_at == START


def test_what_falls_and_rises_again_is_no_news():
    """A contact that was told of a critical incident just now isn't told of each rise to it."""
    critical = replace(OPEN, severity=Severity.CRITICAL)
    knows = state(TOLD_OPEN, worst=Severity.CRITICAL)
    assert on_rise(critical, knows, START, FIVE_MINUTES).reason is PlanReason.UPDATE_LATER
    assert on_rise(critical, state(knows, changes=3), START, FIVE_MINUTES).reason is PlanReason.CHANGES_OFTEN
    again = on_reopening(critical, state(knows, changes=3), START, FIVE_MINUTES, worse=True)
    assert again.reason is PlanReason.CHANGES_OFTEN
    news = on_news_from_before_end(OVER, state(knows, changes=3), START, FIVE_MINUTES, worse=True)
    assert news.reason is PlanReason.CHANGES_OFTEN
    assert on_rise(critical, state(knows, worst=Severity.WARNING), START, FIVE_MINUTES).due_at == START


def test_an_incident_that_is_still_acknowledged_is_quiet_until_it_rests():
    """Who acknowledged it knew that it flaps: only an end that no alert can undo any more is told."""
    assert on_reopening(KNOWN, TOLD_OVER, START, FIVE_MINUTES, worse=False) == Skip(PlanReason.ACKNOWLEDGED)
    ended = replace(OVER, acknowledged_by="Ada", acknowledged_changes=3)
    rests = Plan(Kind.RESOLUTION, START + FIVE_MINUTES, PlanReason.RESTS)
    assert on_end(ended, TOLD_OPEN, START, FIVE_MINUTES) == rests
    assert on_end(ended, state(TOLD_OPEN, changes=9), START, FIVE_MINUTES) == rests
    assert on_end(ended, ContactState(), START, FIVE_MINUTES) == Skip(PlanReason.NEVER_TOLD)
    once = replace(ended, acknowledged_changes=1)
    assert on_end(once, TOLD_OPEN, START, FIVE_MINUTES) == Plan(Kind.RESOLUTION, START, PlanReason.RESOLVED)


def test_a_summary_is_only_for_those_who_know_of_the_incident():
    """An end isn't told to whoever wasn't told of the beginning; what is open is told at once."""
    nobody = ContactState(changes=3)
    assert on_end(OVER, nobody, START, FIVE_MINUTES) == Skip(PlanReason.NEVER_TOLD)
    assert on_reopening(OPEN, nobody, START, FIVE_MINUTES, worse=False) == Plan(Kind.OPENING, START, PlanReason.FIRST)


def test_an_end_is_told_to_whoever_knows_of_an_earlier_incident():
    """It was told that the same thing is open, and never that it is over."""
    assert on_resolution(ContactState(believes_open=True), START) == Plan(Kind.RESOLUTION, START, PlanReason.RESOLVED)


@pytest.mark.parametrize(
    ("told", "choice"),
    [
        (TOLD_OVER, Plan(Kind.RESOLUTION, START, PlanReason.FIRED_BEFORE_END)),
        (ContactState(), Plan(Kind.OPENING, START, PlanReason.FIRST)),
        (ContactState("n"), Expedite(START, Kind.RESOLUTION, PlanReason.FIRED_BEFORE_END)),
        (state(TOLD_OVER, changes=3), Plan(Kind.CHANGES, START + 4 * MINUTE, PlanReason.CHANGES_OFTEN)),
    ],
)
def test_news_from_before_the_end_are_told_with_the_end(told, choice):
    """It fired and is over already: one message says both."""
    assert on_news_from_before_end(OVER, told, START, FIVE_MINUTES, worse=False) == choice
    if choice.due_at == START:
        assert on_news_from_before_end(OVER, told, START, FIVE_MINUTES, worse=True) == choice


@pytest.mark.parametrize(
    ("about", "told", "choice"),
    [
        (OVER, TOLD_OVER, Skip(PlanReason.ALREADY_TOLD)),
        (OVER, ContactState("n"), Skip(PlanReason.PENDING_SAYS_IT)),
        (OVER, ContactState(), Plan(Kind.OPENING, START, PlanReason.FIRST)),
        (
            replace(OVER, resolution=Resolution.PERSON, resolved_by="Ada"),
            ContactState(),
            Skip(PlanReason.ENDED_BY_PERSON),
        ),
        (replace(OVER, acknowledged_at=START, acknowledged_by="Ada"), ContactState(), Skip(PlanReason.ACKNOWLEDGED)),
    ],
)
def test_an_alert_of_a_resolved_incident_is_told_to_whoever_does_not_know_of_it(about, told, choice):
    """Unless a person has taken care of it."""
    assert on_late_firing(about, told, START, FIVE_MINUTES) == choice


ASIDE = ContactState("n", told_at=START - 10 * MINUTE, pending_kind=Kind.SILENCE, pending_due_at=START + 9 * MINUTE)
"""It was told, and is to hear who has silenced the device."""


@pytest.mark.parametrize("kind", [Kind.SILENCE, Kind.ACKNOWLEDGEMENT])
@pytest.mark.parametrize("hold", [None, Hold.QUIET_HOURS])
def test_nothing_waits_for_news_of_what_somebody_else_has_done(kind, hold):
    """Nobody is woken for that: what there is to say takes its place, and is judged by its own severity."""
    aside = state(ASIDE, pending_kind=kind, pending_hold=hold)
    assert on_alert(OPEN, aside, START, FIVE_MINUTES) == Expedite(START, Kind.UPDATE, PlanReason.UPDATE)
    lately = state(aside, told_at=START)
    later = Expedite(START + FIVE_MINUTES, Kind.UPDATE, PlanReason.UPDATE_LATER)
    assert on_alert(OPEN, lately, START, FIVE_MINUTES) == later
    reminded = Expedite(START, Kind.REMINDER, PlanReason.REMINDER)
    assert on_step(Kind.REMINDER, aside, START, FIVE_MINUTES) == reminded
    assert on_step(Kind.OPENING, aside, START, FIVE_MINUTES).kind is Kind.REOPENING
    knows = state(aside, told_open_at=aside.told_at)
    assert on_step(Kind.OPENING, knows, START, FIVE_MINUTES) == Skip(PlanReason.ALREADY_TOLD)


@pytest.mark.parametrize("kind", [Kind.REMINDER, Kind.UNANSWERED])
def test_nothing_that_an_escalation_says_waits_for_the_time_between_two_updates(kind):
    """An update says less. What changes often is summed up all the same, so that it isn't told more often for that."""
    update = state(TOLD_OPEN, pending_id="n", pending_kind=Kind.UPDATE, pending_due_at=START + 40 * MINUTE)
    summary = state(update, pending_kind=Kind.CHANGES)
    told = on_step(kind, update, START, FIVE_MINUTES)
    assert (told.due_at, told.kind) == (START, kind)
    told = on_step(kind, summary, START, FIVE_MINUTES)
    assert (told.due_at, told.kind) == (START, Kind.CHANGES if kind is Kind.REMINDER else kind)
    for waits in ({"pending_attempts": 1}, {"pending_hold": Hold.DELAYED}, {"pending_kind": Kind.REOPENING}):
        assert on_step(kind, state(update, **waits), START, FIVE_MINUTES) == Skip(PlanReason.PENDING_SAYS_IT)


def test_news_of_a_silence_that_waits_for_a_retry_has_what_is_new():
    """A failing server isn't hammered, and a reminder makes it as urgent as that is."""
    tried = state(ASIDE, pending_attempts=1)
    assert on_alert(OPEN, tried, START, FIVE_MINUTES) == Skip(PlanReason.PENDING_SAYS_IT)
    expected = Expedite(None, Kind.REMINDER, PlanReason.REMINDER)
    assert on_step(Kind.REMINDER, tried, START, FIVE_MINUTES) == expected


@pytest.mark.parametrize(("minutes", "is_said"), [(8, False), (9, True), (10, True)])
def test_an_update_that_a_silence_holds_is_said_with_the_news_of_the_silence(minutes, is_said):
    """If that comes before the silence's end; what is said before it isn't held takes its place."""
    held = Expedite(START + minutes * MINUTE, Kind.UPDATE, PlanReason.UPDATE, Hold.SILENCED)
    assert unless_said_before(held, ASIDE) == (Skip(PlanReason.PENDING_SAYS_IT) if is_said else held)
    for choice in (replace(held, hold=Hold.QUIET_HOURS), replace(held, kind=Kind.RISE), Skip(PlanReason.FIRST)):
        assert unless_said_before(choice, ASIDE) == choice


WORSE = incident(severity=Severity.CRITICAL, acknowledged_by="Ada", resolved_by="Bea", changes=6)
TOLD = ContactState(told_at=START - timedelta(minutes=2), failed_at=START)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Plan(Kind.OPENING, START, PlanReason.FIRST), "nothing was said about this incident yet"),
        (
            Plan(Kind.OPENING, START + FIVE_MINUTES, PlanReason.FIRST_AFTER_FAILURE),
            "due at 14:08:00, because a notification failed at 14:03:00",
        ),
        (Plan(Kind.UPDATE, START, PlanReason.UPDATE), "last told at 14:01:00, long enough ago"),
        (
            Plan(Kind.UPDATE, START + timedelta(minutes=3), PlanReason.UPDATE_LATER),
            "update due at 14:06:00, because told at 14:01:00",
        ),
        (Plan(Kind.RISE, START, PlanReason.ROSE), "severity rose to critical"),
        (Expedite(START, Kind.RISE, PlanReason.ROSE), "severity rose to critical"),
        (Expedite(START, Kind.UPDATE, PlanReason.UPDATE), "last told at 14:01:00, long enough ago"),
        (
            Expedite(START + FIVE_MINUTES, Kind.UPDATE, PlanReason.UPDATE_LATER),
            "update due at 14:08:00, because told at 14:01:00",
        ),
        (Plan(Kind.RESOLUTION, START, PlanReason.RESOLVED), "resolved"),
        (Expedite(None, Kind.RESOLUTION, PlanReason.RESOLVED), "resolved; the pending notification will say it"),
        (Skip(PlanReason.ACKNOWLEDGED), "acknowledged by Ada"),
        (Skip(PlanReason.PENDING_SAYS_IT), "the pending notification will say it"),
        (Skip(PlanReason.NEVER_TOLD), "never told about this incident"),
        (Plan(Kind.REOPENING, START, PlanReason.REOPENED), "open again"),
        (
            Plan(Kind.CHANGES, START, PlanReason.CHANGES_OFTEN),
            "changed 6 times; how it stands is due at 14:03:00",
        ),
        (
            Expedite(None, Kind.CHANGES, PlanReason.CHANGES_OFTEN),
            "changed 6 times; the pending notification will say it",
        ),
        (Plan(Kind.RESOLUTION, START, PlanReason.FIRED_BEFORE_END), "there is news from before its end"),
        (Skip(PlanReason.ALREADY_TOLD), "told about the incident and its end already"),
        (Skip(PlanReason.ENDED_BY_PERSON), "Bea ended the incident"),
        (
            Plan(Kind.RESOLUTION, START, PlanReason.RESTS),
            "resolved; told if it stays so, because Ada knew that it flaps",
        ),
    ],
)
def test_each_reason_has_a_sentence(choice, expected):
    """The trail says why a contact is told now, later, or not."""
    assert sentence(choice, WORSE, TOLD, ZoneInfo("UTC")) == expected


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Plan(Kind.OPENING, START, PlanReason.FIRST), True),
        (Plan(Kind.UPDATE, START + A_MOMENT, PlanReason.UPDATE_LATER), False),
        (Expedite(START, Kind.RISE, PlanReason.ROSE), True),
        (Expedite(None, Kind.RISE, PlanReason.ROSE), False),
        (Skip(PlanReason.NEVER_TOLD), False),
    ],
)
def test_only_a_choice_that_is_due_wakes_the_delivery(choice, expected):
    """A later time or a Skip doesn't."""
    assert is_due(choice, START) is expected
