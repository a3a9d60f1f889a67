"""Times of publication that can't be true."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.model import ChannelName, Source
from alertgate.notify.render.message import render
from alertgate.notify.sender_clock import SenderClock, happened, sender_clock
from tests.builders import alert, for_any, incident, notification
from tests.fakes import START
from tests.notify.test_render import _context, _page, _update

NEVER_SET = [datetime(1970, 1, 1, 0, 0, 7, 0, UTC), datetime(2000, 1, 1, 0, 3, 0, 0, UTC)]


@pytest.mark.parametrize(
    ("ahead", "clock"),
    [
        (timedelta(0), SenderClock.RIGHT),
        (timedelta(minutes=1), SenderClock.RIGHT),
        (timedelta(minutes=1, microseconds=1), SenderClock.AHEAD),
        (timedelta(days=366), SenderClock.AHEAD),
        (timedelta(days=366, microseconds=1), SenderClock.WRONG),
        (-timedelta(hours=5), SenderClock.RIGHT),
        (-timedelta(days=366), SenderClock.RIGHT),
        (-timedelta(days=366, microseconds=1), SenderClock.WRONG),
    ],
    ids=str,
)
def test_a_clock_is_judged_by_the_time_of_receipt(ahead, clock):
    """A minute ahead is nothing, a year in either direction is no time."""
    assert sender_clock(alert(published_at=START + ahead)) is clock


@pytest.mark.parametrize("published_at", NEVER_SET)
def test_a_clock_that_was_never_set_is_wrong(published_at):
    """Boards start in 1970 or 2000."""
    assert sender_clock(alert(published_at=published_at)) is SenderClock.WRONG


def test_without_a_time_nothing_is_known_of_a_clock():
    """An alert without a time of publication happened when it was received."""
    assert (sender_clock(alert()), happened(alert())) == (SenderClock.UNKNOWN, START)


@for_any
@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)).map(lambda time: time.replace(tzinfo=UTC)))  # noqa: DTZ001
def test_an_alert_never_happened_long_after_it_was_received(published_at):
    """Whatever a device says, the time that is shown is no more than a year old, and not in the future."""
    shown = happened(alert(published_at=published_at))
    assert START - timedelta(days=366) <= shown <= START + timedelta(minutes=1)


@pytest.mark.parametrize("published_at", NEVER_SET)
@pytest.mark.parametrize(("source", "sender"), [(Source.PARTICLE, "device"), (Source.GENERIC, "sender")])
def test_a_mail_says_that_a_clock_is_wrong(published_at, source, sender):
    """The time of receipt is shown, and what the clock says; nothing is thousands of days late."""
    message = render(_context(alert(published_at=published_at, source=source)))
    when = f"2026-11-23 14:03:00 UTC (received; the {sender}'s clock is wrong)"
    note = f"The {sender}'s clock is wrong: it says {published_at:%Y-%m-%d %H:%M:%S} UTC. "
    note += "The time above is when the alert was received."
    assert message.text.split("\n")[1] == when
    for body in (message.text, _page(message).text):
        assert (when in body, note in body, " late" in body) == (True, True, False)


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        (timedelta(minutes=61), "15:04:00 UTC, 1 h 1 min"),
        (timedelta(seconds=61), "14:04:01 UTC, 1 min"),
    ],
)
def test_a_mail_marks_a_time_in_the_future(ahead, said):
    """The time of receipt is shown, and how far ahead the clock is."""
    message = render(_context(alert(published_at=START + ahead)))
    when = "2026-11-23 14:03:00 UTC (received; the device's time is in the future)"
    note = f"The device's clock is ahead: it says 2026-11-23 {said} after the alert was received."
    for body in (message.text, _page(message).text):
        assert (when in body, note in body, " late" in body) == (True, True, False)


def test_a_time_within_a_minute_is_not_remarked_on():
    """Clocks never agree to the second."""
    text = render(_context(alert(published_at=START + timedelta(seconds=59)))).text
    assert (text.split("\n")[1], "clock" in text) == ("2026-11-23 14:03:59 UTC", False)


def test_earlier_alerts_with_impossible_times_stand_where_they_were_received():
    """The list of earlier alerts has no time in the future, and none of 1970."""
    earlier = [alert(published_at=NEVER_SET[0]), alert(published_at=START + timedelta(hours=3))]
    text = render(_update(alert(), *earlier)).text
    assert text.count("  14:03:00  motion in the hall\n") == 2


@pytest.mark.parametrize("published_at", [*NEVER_SET, START + timedelta(hours=3)])
def test_a_text_message_does_not_call_such_an_alert_late(published_at):
    """There is no room for more than the essence."""
    phone = notification(channel=ChannelName.SMS)
    text = render(_context(alert(published_at=published_at), notification=phone, incident=incident())).text
    assert text == "WARNING Front door: alarm/motion at 14:03 - motion in the hall"
