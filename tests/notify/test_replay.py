"""Which notifications can be retried."""

import pytest

from alertgate.model import NotificationStatus
from alertgate.notify.replay import ReplayResult, decide_replay
from tests.builders import notification

FAILED = notification(status=NotificationStatus.FAILED)


def test_a_failed_notification_can_be_retried():
    """It failed, and no other notification would report the same."""
    assert decide_replay(FAILED, None)[0] is ReplayResult.PENDING


@pytest.mark.parametrize("status", [status for status in NotificationStatus if status is not NotificationStatus.FAILED])
def test_only_a_failed_notification_can(status):
    """In any other status it stays as it is, and the reason names the status."""
    result, reason = decide_replay(notification(status=status), None)
    assert (result, f"is {status};" in reason) == (ReplayResult.NOT_FAILED, True)


def test_a_notification_that_a_pending_one_covers_cannot():
    """There is one pending notification for each incident and contact; the reason names it."""
    result, reason = decide_replay(FAILED, "the-other-one")
    assert (result, "the-other-one" in reason) == (ReplayResult.SAID_ALREADY, True)
