"""In which order alerts happened, as far as their times of publication can tell. Pure.

A time of publication counts if it lies within GROUP_INTERVAL before receipt, or just after it. A clock that is off by
more is no clock, and then alerts count in the order in which they are stored.
"""

from datetime import datetime

from alertgate.clock import AHEAD
from alertgate.model import Alert
from alertgate.rules import GroupingRules
from alertgate.seen import Seen


def stamp(alert: Alert | Seen, rules: GroupingRules) -> datetime | None:
    """Return when an alert was published, or None if it doesn't say, or if its clock can't be right.

    It is never later than receipt, so that a clock that is ahead doesn't hide what follows.
    """
    published = alert.published_at
    if published and alert.received_at - rules.interval <= published <= alert.received_at + AHEAD:
        return min(published, alert.received_at)
    return None


def is_before(one: datetime, other: datetime) -> bool:
    """Return whether a time is earlier than another, in the digits that both have.

    Not every template renders milliseconds: 10:00:05 and 10:00:05.7 may be the same event, so neither is earlier.
    """
    earlier, later = _in_common_digits(one, other)
    return earlier < later


def is_same(one: datetime, other: datetime) -> bool:
    """Return whether two times are the same, in the digits that both have."""
    first, second = _in_common_digits(one, other)
    return first == second


def _in_common_digits(one: datetime, other: datetime) -> tuple[datetime, datetime]:
    digits = max(_resolution(one), _resolution(other))
    return _cut(one, digits), _cut(other, digits)


def _resolution(time: datetime) -> int:
    """Return the resolution of a time in microseconds, as its digits show it."""
    if time.microsecond == 0:
        return 1_000_000
    return 1000 if time.microsecond % 1000 == 0 else 1


def _cut(time: datetime, microseconds: int) -> datetime:
    return time.replace(microsecond=time.microsecond // microseconds * microseconds)
