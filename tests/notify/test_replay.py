"""Which notifications may start afresh."""

import pytest

from alertgate.model import NotificationStatus
from alertgate.notify.replay import ReplayResult, decide_replay
from tests.builders import notification

FAILED = notification(status=NotificationStatus.FAILED)


def test_a_failed_notification_may_start_afresh():
    """It was given up on, and nothing else would say it."""
    assert decide_replay(FAILED, None)[0] is ReplayResult.PENDING


@pytest.mark.parametrize("status", [status for status in NotificationStatus if status is not NotificationStatus.FAILED])
def test_only_a_failed_notification_may(status):
    """Whatever is sent, cancelled or under way stays as it is, and the reason names its state."""
    result, reason = decide_replay(notification(status=status), None)
    assert (result, f"is {status};" in reason) == (ReplayResult.NOT_FAILED, True)


def test_a_notification_that_another_one_will_say_may_not():
    """One pending notification for each incident and address; the reason names it."""
    result, reason = decide_replay(FAILED, "the-other-one")
    assert (result, "the-other-one" in reason) == (ReplayResult.SAID_ALREADY, True)
