"""Which notifications can be dismissed."""

import pytest

from alertgate.model import NotificationStatus
from alertgate.notify.dismiss import DismissResult, decide_dismissal
from tests.builders import notification
from tests.fakes import START

FAILED = {"status": NotificationStatus.FAILED}


@pytest.mark.parametrize("changes", [{}, {"superseded_by": "another"}])
def test_a_failed_notification_can_be_dismissed(changes):
    """Also one that a later one made needless: it does no harm."""
    assert decide_dismissal(notification(**FAILED, **changes))[0] is DismissResult.DISMISSED


def test_a_dismissed_one_stays_as_it_is():
    """The reason names the first person."""
    result, reason = decide_dismissal(notification(**FAILED, dismissed_at=START, dismissed_by="Anna"))
    assert (result, "by Anna" in reason) == (DismissResult.ALREADY, True)


@pytest.mark.parametrize("status", [status for status in NotificationStatus if status is not NotificationStatus.FAILED])
def test_only_a_failed_one_can(status):
    """What waits can't be forgotten by this; the reason names the status."""
    result, reason = decide_dismissal(notification(status=status))
    assert (result, f"is {status};" in reason) == (DismissResult.NOT_FAILED, True)
