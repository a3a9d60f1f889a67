"""Whether a person's next contact needn't wait."""

from datetime import timedelta

import pytest

from alertgate.model import ChannelName, Hold, NotificationStatus
from alertgate.notify.breaker import ChannelState
from alertgate.notify.channels.base import Reason
from alertgate.notify.hasten import PATIENCE, hasten
from tests.builders import notification
from tests.fakes import START

LATER = START + timedelta(minutes=3)
NOW = START + PATIENCE
EMAIL, NTFY = ChannelName.EMAIL, ChannelName.NTFY
PENDING, SENT, FAILED = NotificationStatus.PENDING, NotificationStatus.SENT, NotificationStatus.FAILED
AWAY = {EMAIL: ChannelState(paused_at=START, probe_at=NOW, reason=Reason.CONNECTION)}


def told(name: str, **changes):
    """Return one person's notification of an incident."""
    fields = {
        "id": name,
        "person": "anna",
        "channel": EMAIL,
        "status": PENDING,
        "attempts": 0,
        "hold": None,
        "created_at": START,
        "retry_since": START,
        "due_at": START,
        "finished_at": None,
        **changes,
    }
    return notification(**fields)


def takes_all(_) -> bool:
    """Keep nothing waiting."""
    return False


NEXT = told("next", channel=NTFY, hold=Hold.DELAYED, due_at=LATER)


@pytest.mark.parametrize(
    ("others", "away", "hastened"),
    [
        ([told("first", attempts=1)], {}, True),
        ([told("first", attempts=0)], {}, False),  # nobody has tried it yet
        ([told("first", attempts=0)], AWAY, True),
        ([told("first", attempts=1, retry_since=NOW - PATIENCE / 2)], {}, False),  # it is tried again at once
        ([told("first", status=FAILED, finished_at=NOW)], {}, True),
        ([told("first", status=FAILED, finished_at=START - PATIENCE)], {}, False),  # about something before
        ([told("first", status=SENT, finished_at=NOW)], {}, False),
        ([told("first", status=NotificationStatus.SENDING, attempts=2)], {}, False),  # it may arrive just now
        ([told("first", status=NotificationStatus.CANCELLED, finished_at=NOW)], {}, False),
        ([told("first", attempts=1), told("second", status=SENT, finished_at=NOW)], {}, False),
        ([told("first", attempts=1), told("second", channel=NTFY)], {}, False),  # that is due now
        ([told("first", attempts=1, hold=Hold.QUIET_HOURS)], AWAY, False),  # so is the next one
        ([told("first", attempts=9, person="ben")], AWAY, False),  # ben's trouble
        ([told("first", attempts=9, incident_id="other")], AWAY, False),
        ([], AWAY, False),
    ],
)
def test_the_next_contact_waits_for_no_answer_to_what_does_not_arrive(others, away, hastened):
    """It is told at once while the first ones get nowhere, and waits as it should if one of them hears."""
    assert bool(hasten([*others, NEXT], away, takes_all, NOW)) is hastened


@pytest.mark.parametrize(
    ("paused", "hastened"),
    [
        ({"reason": Reason.CONNECTION, "probe_at": NOW}, False),  # a moment's pause, maybe
        ({"reason": Reason.TRY_LATER, "probe_at": LATER}, False),
        ({"reason": Reason.TRY_LATER, "probe_at": LATER + timedelta(seconds=1)}, True),
        ({"reason": Reason.CREDENTIALS, "probe_at": NOW}, True),  # nothing ends it by itself
        ({"reason": Reason.CONNECTION, "probe_at": NOW, "paused_at": START}, True),
    ],
)
def test_the_next_contact_does_not_ring_for_a_pause_that_is_over_sooner(paused, hastened):
    """A channel that was paused just now takes the first message soon, unless it is known that it doesn't."""
    just_now = told("first", retry_since=NOW - PATIENCE / 2)
    away = {EMAIL: ChannelState(**{"paused_at": NOW - PATIENCE / 2, **paused})}
    assert bool(hasten([just_now, NEXT], away, takes_all, NOW)) is hastened


@pytest.mark.parametrize(
    ("other", "hastened"),
    [
        (told("first"), True),
        (told("first", retry_since=NOW - PATIENCE / 2), False),  # a moment's pause, maybe
        (told("first", due_at=LATER), False),  # it waits for its own time
        (told("first", channel=NTFY), False),  # that channel takes it
        (told("first", status=SENT, finished_at=NOW), False),
    ],
)
def test_the_next_contact_does_not_wait_for_what_is_not_even_tried(other, hastened):
    """The channel takes others, or waits for its daily limit, but keeps what is for this contact."""
    assert bool(hasten([other, NEXT], {}, lambda each: each.channel is EMAIL, NOW)) is hastened


def test_a_contact_whose_channel_takes_nothing_either_is_passed_over_at_once():
    """The call was hastened because no text goes out; it shares the text's daily limit, so the mail follows."""
    text, call = told("first", channel=ChannelName.TWILIO), told("call", channel=ChannelName.CALL, due_at=NOW)
    mail = told("mail", hold=Hold.DELAYED, due_at=LATER)
    [found] = hasten([text, call, mail], {}, lambda each: each.channel is not EMAIL, NOW)
    assert (found.notification.id, found.because) == ("mail", "at once, because nothing gets through by twilio, call")


def test_only_one_contact_is_hastened_at_a_time():
    """The call still waits for the text message, which is due now; it goes at once if that gets nowhere, too."""
    first = told("first", attempts=3)
    call = told("call", channel=ChannelName.CALL, hold=Hold.DELAYED, due_at=LATER + timedelta(minutes=7))
    [found] = hasten([first, call, NEXT], {}, takes_all, NOW)
    assert found.notification.id == "next"
    assert found.because == "at once, because nothing gets through by email"
    text = told("next", channel=NTFY)
    assert hasten([first, call, text], {}, takes_all, NOW) == []
    [found] = hasten([first, call, told("next", channel=NTFY, attempts=1)], {}, takes_all, NOW)
    assert (found.notification.id, found.because) == ("call", "at once, because nothing gets through by email, ntfy")
