"""Which notifications can be retried."""

from dataclasses import replace

import pytest

from alertgate.model import ChannelName, NotificationStatus
from alertgate.notify.replay import ReplayResult, decide_replay
from tests.builders import notification

FAILED = notification(status=NotificationStatus.FAILED)
TOLD = [(ChannelName.EMAIL, FAILED.address)]


def test_a_failed_notification_can_be_retried():
    """It failed, and no other notification would report the same."""
    assert decide_replay(FAILED, None, None, TOLD)[0] is ReplayResult.PENDING


@pytest.mark.parametrize("status", [status for status in NotificationStatus if status is not NotificationStatus.FAILED])
def test_only_a_failed_notification_can(status):
    """In any other status it stays as it is, and the reason names the status."""
    result, reason = decide_replay(notification(status=status), None, None, TOLD)
    assert (result, f"is {status};" in reason) == (ReplayResult.NOT_FAILED, True)


def test_a_notification_that_a_pending_one_covers_cannot():
    """There is one pending notification for each incident and contact; the reason names it."""
    result, reason = decide_replay(FAILED, "the-other-one", None, TOLD)
    assert (result, "the-other-one" in reason) == (ReplayResult.SAID_ALREADY, True)


@pytest.mark.parametrize(
    ("found", "targets", "why"),
    [
        (FAILED, [(ChannelName.EMAIL, "another@example.org")], "its address is no longer in the settings"),
        (FAILED, [], "its address is no longer in the settings"),
        (FAILED, [(ChannelName.OUTBOX, FAILED.address)], "no mail server is set"),
        (replace(FAILED, channel=ChannelName.OUTBOX), [(ChannelName.EMAIL, "another@example.org")], "for the outbox"),
    ],
)
def test_what_cannot_be_sent_any_more_is_not_called_due(found, targets, why):
    """Nothing would ever send it to anybody, and the reason says what to do."""
    result, reason = decide_replay(found, None, None, targets)
    assert (result, why in reason, f"`alertgate dismiss {found.id}`" in reason) == (
        ReplayResult.UNREACHABLE,
        True,
        True,
    )


@pytest.mark.parametrize("channel", [ChannelName.SMS, ChannelName.EMAIL])
def test_what_another_channel_reaches_can_be_sent(channel):
    """Its address moved from one setting to another; and what went to the outbox once, to a real address."""
    for found in (FAILED, replace(FAILED, channel=ChannelName.OUTBOX)):
        assert decide_replay(found, None, None, [(channel, FAILED.address)])[0] is ReplayResult.PENDING
    outbox = [(ChannelName.OUTBOX, FAILED.address)]
    assert decide_replay(replace(FAILED, channel=ChannelName.OUTBOX), None, None, outbox)[0] is ReplayResult.PENDING


@pytest.mark.parametrize(
    ("status", "result", "why"),
    [
        (NotificationStatus.SENT, ReplayResult.SAID_ALREADY, "was sent later"),
        (NotificationStatus.FAILED, ReplayResult.SAID_ALREADY, "run `alertgate retry later`"),
        (NotificationStatus.CANCELLED, ReplayResult.PENDING, "due now"),
    ],
)
def test_what_a_later_one_says_is_not_said_again(status, result, why):
    """The later one told how things stand, or would; a cancelled one tells nobody."""
    found, reason = decide_replay(FAILED, None, replace(notification(status=status), id="later"), TOLD)
    assert (found, why in reason) == (result, True)
