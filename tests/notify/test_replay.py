"""Which messages may start afresh."""

import pytest

from alertgate.model import NotificationStatus
from alertgate.notify.replay import Verdict, judge
from tests.examples import notification

FAILED = notification(status=NotificationStatus.FAILED)


def test_a_failed_message_may_start_afresh():
    """It was given up on, and nothing else would say it."""
    assert judge(FAILED, None)[0] is Verdict.PENDING


@pytest.mark.parametrize("status", [status for status in NotificationStatus if status is not NotificationStatus.FAILED])
def test_only_a_failed_message_may(status):
    """Whatever is sent, cancelled or under way stays as it is, and the reason names its state."""
    verdict, because = judge(notification(status=status), None)
    assert (verdict, f"is {status};" in because) == (Verdict.NOT_FAILED, True)


def test_a_message_that_another_one_will_say_may_not():
    """One pending message for each incident and address; the reason names it."""
    verdict, because = judge(FAILED, "the-other-one")
    assert (verdict, "the-other-one" in because) == (Verdict.SAID_ALREADY, True)
