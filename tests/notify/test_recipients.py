"""Whom a directory reaches, and when a choice keeps to the hours of who is told."""

from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

import pytest

from alertgate.model import ChannelName, Hold, Kind, Severity
from alertgate.notify.directory import Directory
from alertgate.notify.escalate import StepReason
from alertgate.notify.plan import Cancel, Expedite, Plan, PlanReason, Skip
from alertgate.notify.recipients import Recipient, in_time, of_step, sentence
from alertgate.notify.tellings import Telling, TellReason
from alertgate.notify.turn import Announcement
from alertgate.policy.people import Contact, Person
from alertgate.policy.policy import Policy
from tests.fakes import START
from tests.flow.household import escalation, person, step

NIGHT = datetime(2026, 11, 23, 23, tzinfo=ZoneInfo("Europe/Berlin"))
MORNING = datetime(2026, 11, 24, 6, 30, tzinfo=ZoneInfo("Europe/Berlin"))
SOON = NIGHT + timedelta(minutes=3)
HOME = escalation("home", step("owner"))
OWNER = person("owner", "22:30-06:30")
EMAIL, SMS, OUTBOX = ChannelName.EMAIL, ChannelName.SMS, ChannelName.OUTBOX


def directory(*people: Person, channels=(EMAIL, SMS), **secrets: str) -> Directory:
    """Return a directory of these people."""
    policy = Policy(people=MappingProxyType({one.name: one for one in people}))
    return Directory(lambda: policy, channels, lambda: secrets)


def test_the_outbox_stands_in_for_mail_alone():
    """Without a mail server, mails and text messages go to the outbox; there is no other channel in their place."""
    contacts = [Contact(EMAIL, "a@b.c"), Contact(SMS, "5@d.e")]
    assert [directory(channels=(OUTBOX,)).target(each) for each in contacts] == [(OUTBOX, "a@b.c"), (OUTBOX, "5@d.e")]
    assert [directory().target(each) for each in contacts] == [(EMAIL, "a@b.c"), (SMS, "5@d.e")]


def test_who_is_told_by_the_outbox_alone_isnt_told():
    """By name, or masked like a recipient of the settings; who has another channel, too, is told by that."""
    topic = Contact(ChannelName.NTFY, "https://ntfy.example.org/x")
    both = Person("partner", (Contact(EMAIL, "p@b.c"), topic), ZoneInfo("UTC"))
    bare = Person("me@b.c", (Contact(EMAIL, "me@b.c"),), ZoneInfo("UTC"))
    found = directory(OWNER, both, bare, channels=(OUTBOX, ChannelName.NTFY))
    assert found.unsent == ("owner", "partner", "m***@b.c")
    assert found.unreached == {"owner", "m***@b.c"}
    assert directory(OWNER, both).unsent == ()


def test_an_address_may_be_a_secret():
    """Its setting holds it; without the setting there is no target, and a notification that has failed says so."""
    secret = Contact(EMAIL, "$CONTACT_OWNER")
    one = Person("owner", (secret,), ZoneInfo("UTC"))
    assert directory(one, CONTACT_OWNER="a@b.c").target(secret) == (EMAIL, "a@b.c")
    telling = Telling("owner", "owner", secret, START, TellReason.AT_ONCE)
    [found] = of_step(directory(one), [Announcement(Kind.OPENING, (telling,), 1, StepReason.FIRST_STEP)])
    assert (found.unknown, found.target) == (True, (EMAIL, "$CONTACT_OWNER"))
    assert directory(one).targets == ()


def test_a_contact_of_two_steps_is_told_once_by_the_first():
    """As early as any of them says."""
    contact = OWNER.contacts[0]
    late, early = (
        Telling("owner", "owner", contact, START + timedelta(minutes=minutes), TellReason.DELAYED) for minutes in (5, 1)
    )
    announced = [Announcement(Kind.OPENING, (each,), 1, StepReason.FIRST_STEP) for each in (late, early)]
    [found] = of_step(directory(OWNER), announced)
    assert found.due_at == early.due_at


AT_ONCE = Recipient((EMAIL, "owner@example.com"), OWNER, "owner", NIGHT)
LATER = replace(AT_ONCE, due_at=SOON, hold=Hold.DELAYED)
HELD = replace(AT_ONCE, due_at=MORNING, hold=Hold.QUIET_HOURS)
PLAN = Plan(Kind.UPDATE, NIGHT, PlanReason.UPDATE)
PRESS = Expedite(NIGHT, Kind.RISE, PlanReason.ROSE)


@pytest.mark.parametrize(
    ("choice", "recipient", "severity", "expected"),
    [
        (PLAN, AT_ONCE, Severity.WARNING, replace(PLAN, due_at=MORNING, hold=Hold.QUIET_HOURS)),
        (PLAN, AT_ONCE, Severity.CRITICAL, PLAN),
        (PLAN, LATER, Severity.CRITICAL, replace(PLAN, due_at=SOON, hold=Hold.DELAYED)),
        (PLAN, HELD, Severity.WARNING, replace(PLAN, due_at=MORNING, hold=Hold.QUIET_HOURS)),
        (PRESS, AT_ONCE, Severity.WARNING, replace(PRESS, due_at=MORNING, hold=Hold.QUIET_HOURS)),
        (PRESS, AT_ONCE, Severity.CRITICAL, PRESS),
        (replace(PRESS, due_at=None), AT_ONCE, Severity.CRITICAL, replace(PRESS, due_at=None)),
        (Skip(PlanReason.RESOLVED), AT_ONCE, Severity.WARNING, Skip(PlanReason.RESOLVED)),
        (Cancel(PlanReason.OVER_BEFORE), HELD, Severity.WARNING, Cancel(PlanReason.OVER_BEFORE)),
    ],
)
def test_a_choice_keeps_to_the_persons_hours(choice, recipient, severity, expected):
    """What isn't excepted is held; what is pending already no longer than that, if another hold lasted longer."""
    assert in_time(choice, recipient, HOME, severity) == expected


def test_a_trail_says_who_is_told_how_when_and_why():
    """In the readers' own time."""
    plan = in_time(PLAN, AT_ONCE, HOME, Severity.WARNING)
    assert sentence("more alerts", plan, AT_ONCE, HOME, NIGHT, ZoneInfo("Europe/Berlin")) == (
        "owner, by email, held until Tue 06:30 (quiet hours): more alerts"
    )
    first = replace(LATER, kind=Kind.OPENING, step=1)
    plan = in_time(PLAN, first, HOME, Severity.CRITICAL)
    assert sentence("nothing was said", plan, first, HOME, NIGHT, ZoneInfo("Europe/Berlin")) == (
        "owner, by email, at 23:03:00 unless somebody has acknowledged by then: nothing was said (step 1 of home)"
    )
