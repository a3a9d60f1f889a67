"""What an alert's time of publication says about its sender's clock, and when the alert happened. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum

from alertgate.clock import AHEAD
from alertgate.model import Alert

OFF = timedelta(days=366)
"""A clock that is off by more shows no time at all."""


class SenderClock(StrEnum):
    """What an alert's time of publication says about its sender's clock."""

    UNKNOWN = "unknown"  # it has no time of publication
    RIGHT = "right"  # it was published before it was received, as far as clocks agree
    AHEAD = "ahead"  # it would have been published after it was received
    WRONG = "wrong"  # the time is more than a year off: a clock that was never set starts in 1970 or 2000


def sender_clock(alert: Alert) -> SenderClock:
    """Compare when an alert says that it was published with when it was received."""
    if alert.published_at is None:
        return SenderClock.UNKNOWN
    ahead = alert.published_at - alert.received_at
    if abs(ahead) > OFF:
        return SenderClock.WRONG
    return SenderClock.AHEAD if ahead > AHEAD else SenderClock.RIGHT


def happened(alert: Alert) -> datetime:
    """Return when an alert was published, or else received. It can't have happened after it was received."""
    if alert.published_at is None or sender_clock(alert) is not SenderClock.RIGHT:
        return alert.received_at
    return alert.published_at
