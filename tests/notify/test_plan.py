"""Whom to tell, how, and when."""

from datetime import timedelta

import pytest

from alertgate.model import ChannelName, ContactState, IncidentStatus, Kind, Severity
from alertgate.notify.plan import NOBODY, Expedite, Plan, Skip, on_alert, on_escalation, on_resolution, targets
from tests.examples import incident
from tests.fakes import START

FIVE_MINUTES = timedelta(minutes=5)
A_MOMENT = timedelta(microseconds=1)
EMAIL, SMS, OUTBOX = ChannelName.EMAIL, ChannelName.SMS, ChannelName.OUTBOX


@pytest.mark.parametrize(
    ("email", "sms", "wanted"),
    [
        ("me@example.com", "", [(EMAIL, "me@example.com")]),
        ("b@example.com,a@example.com", "", [(EMAIL, "b@example.com"), (EMAIL, "a@example.com")]),
        ("", "5551234567@texts.example.com", [(SMS, "5551234567@texts.example.com")]),
        (
            "me@example.com,5551234567@VTEXT.com",
            "555@texts.example.com",
            [(EMAIL, "me@example.com"), (SMS, "555@texts.example.com"), (SMS, "5551234567@VTEXT.com")],
        ),
        ("555@texts.example.com", "555@texts.example.com", [(SMS, "555@texts.example.com")]),
        ("555@vtext.com", "555@vtext.com", [(SMS, "555@vtext.com")]),
    ],
)
def test_each_address_has_one_channel(make_settings, email, sms, wanted):
    """Mail goes to mail addresses, text to RECIPIENT_SMS and to known gateways, and nobody is told twice."""
    settings = make_settings(smtp_email="alerts@example.net", recipient_email=email, recipient_sms=sms)
    assert targets(settings) == wanted


def test_without_a_mail_server_all_goes_to_the_outbox(make_settings):
    """While no mail server is configured, the outbox takes every recipient's messages."""
    settings = make_settings(recipient_email="me@example.com,5@vtext.com", recipient_sms="5@texts.example.com")
    assert targets(settings) == [(OUTBOX, "me@example.com"), (OUTBOX, "5@texts.example.com"), (OUTBOX, "5@vtext.com")]


def test_without_any_recipient_the_outbox_still_speaks(make_settings):
    """A fresh machine with nothing set shows its messages all the same."""
    assert targets(make_settings()) == [(OUTBOX, NOBODY)]


def test_the_first_alert_speaks_at_once():
    """An address that has heard nothing is told now."""
    assert on_alert(incident(), ContactState(), START, FIVE_MINUTES) == Plan(
        Kind.OPENING, START, "nothing said of this incident yet"
    )


def test_an_update_waits_for_the_interval():
    """An address that was just told hears the next thing when the interval is over."""
    heard = ContactState(told_at=START - timedelta(minutes=2))
    assert on_alert(incident(), heard, START, FIVE_MINUTES) == Plan(
        Kind.UPDATE, START + timedelta(minutes=3), "update due at 14:06:00, because told at 14:01:00 UTC"
    )


def test_an_update_after_the_interval_says_why_it_comes_now():
    """An address that was told a whole interval ago hears the next thing at once."""
    heard = ContactState(told_at=START - FIVE_MINUTES)
    assert on_alert(incident(), heard, START, FIVE_MINUTES) == Plan(
        Kind.UPDATE, START, "last told at 13:58:00, longer ago than the group interval"
    )


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
def test_two_messages_are_an_interval_apart(told_ago, due_in):
    """At most one message in an interval, and none waits longer than it must."""
    choice = on_alert(incident(), ContactState(told_at=START - told_ago), START, FIVE_MINUTES)
    assert isinstance(choice, Plan)
    assert (choice.kind, choice.due_at) == (Kind.UPDATE, START + due_in)


@pytest.mark.parametrize("told_at", [None, START - timedelta(minutes=1), START - timedelta(hours=1)])
def test_a_pending_message_will_say_it(told_at):
    """While a message waits, another alert needs none of its own."""
    heard = ContactState(pending_id="notification-1", pending_tries=1, told_at=told_at)
    assert on_alert(incident(), heard, START, FIVE_MINUTES) == Skip("the message that is pending will say it")


def test_an_address_that_refused_a_message_is_not_tried_for_every_alert():
    """After a failure the next message waits for the interval, so that a storm isn't a storm of refusals."""
    assert on_alert(incident(), ContactState(failed_at=START), START, FIVE_MINUTES) == Plan(
        Kind.OPENING, START + FIVE_MINUTES, "due at 14:08:00, because a message failed at 14:03:00 UTC"
    )
    assert on_alert(incident(), ContactState(failed_at=START), START + FIVE_MINUTES, FIVE_MINUTES) == Plan(
        Kind.OPENING, START + FIVE_MINUTES, "nothing said of this incident yet"
    )


@pytest.mark.parametrize(
    "heard", [ContactState(), ContactState("notification-1"), ContactState(told_at=START - timedelta(days=1))]
)
def test_an_acknowledged_incident_is_quiet(heard):
    """Once a person has said that they know, more of the same says nothing."""
    known = incident(status=IncidentStatus.ACKNOWLEDGED, acknowledged_by="Ada")
    assert on_alert(known, heard, START, FIVE_MINUTES) == Skip("acknowledged by Ada")


@pytest.mark.parametrize("told_at", [None, START, START - timedelta(hours=1)])
def test_an_escalation_speaks_at_once(told_at):
    """A rise in severity doesn't wait for the interval."""
    worse = incident(severity=Severity.CRITICAL)
    assert on_escalation(worse, ContactState(told_at=told_at), START) == Plan(
        Kind.ESCALATION, START, "severity rose to critical"
    )


def test_an_escalation_hurries_the_message_that_waits_for_the_interval():
    """An update that is planned for later says it now."""
    worse = incident(severity=Severity.CRITICAL)
    assert on_escalation(worse, ContactState("notification-1", 0, START), START) == Expedite(
        START, Kind.ESCALATION, "severity rose to critical"
    )


def test_an_escalation_leaves_a_retry_its_time():
    """A message whose server is in trouble isn't sent any sooner."""
    worse = incident(severity=Severity.CRITICAL)
    assert on_escalation(worse, ContactState("notification-1", 2), START) == Expedite(
        None, Kind.ESCALATION, "severity rose to critical"
    )


def test_a_resolution_speaks_at_once():
    """Who heard of the beginning hears of the end."""
    assert on_resolution(ContactState(told_at=START), START) == Plan(Kind.RESOLUTION, START, "resolved")


def test_a_resolution_is_silent_towards_who_never_heard():
    """Who never heard of the beginning isn't told of the end."""
    assert on_resolution(ContactState(), START) == Skip("never told of this incident")


@pytest.mark.parametrize(("tries", "due_at"), [(0, START), (3, None)])
@pytest.mark.parametrize("told_at", [None, START])
def test_a_pending_message_says_the_resolution(tries, due_at, told_at):
    """The message that is pending tells of the end too, now or at its retry."""
    assert on_resolution(ContactState("notification-1", tries, told_at), START) == Expedite(
        due_at, Kind.RESOLUTION, "resolved; the message that is pending will say it"
    )
