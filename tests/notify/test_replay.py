"""Which notifications can be retried."""

import pytest

from alertgate.model import NotificationStatus
from alertgate.notify.replay import ReplayResult, decide_replay
from tests.builders import notification

FAILED = notification(status=NotificationStatus.FAILED)
TOLD = {FAILED.address}


def test_a_failed_notification_can_be_retried():
    """It failed, and no other notification would report the same."""
    assert decide_replay(FAILED, None, TOLD)[0] is ReplayResult.PENDING


@pytest.mark.parametrize("status", [status for status in NotificationStatus if status is not NotificationStatus.FAILED])
def test_only_a_failed_notification_can(status):
    """In any other status it stays as it is, and the reason names the status."""
    result, reason = decide_replay(notification(status=status), None, TOLD)
    assert (result, f"is {status};" in reason) == (ReplayResult.NOT_FAILED, True)


def test_a_notification_that_a_pending_one_covers_cannot():
    """There is one pending notification for each incident and contact; the reason names it."""
    result, reason = decide_replay(FAILED, "the-other-one", TOLD)
    assert (result, "the-other-one" in reason) == (ReplayResult.SAID_ALREADY, True)


def test_what_cannot_be_sent_any_more_is_not_called_due():
    """Its address was taken out of the settings: nothing would ever send it, and the reason says what to do."""
    result, reason = decide_replay(FAILED, None, {"another@example.org"})
    assert (result, f"`alertgate dismiss {FAILED.id}`" in reason) == (ReplayResult.UNREACHABLE, True)
