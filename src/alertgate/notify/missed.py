"""What a contact missed while its channel was away. Pure."""

from datetime import datetime, timedelta
from typing import NamedTuple

MISSED_AFTER = timedelta(minutes=1)
"""For so long a channel must have kept a notification from its contact; anything shorter is a retry like any other."""


class Untold(NamedTuple):
    """Earlier alerts about the same thing that a contact wasn't told of."""

    alerts: int
    since: datetime


def is_missed(missed_since: datetime | None, now: datetime) -> bool:
    """Return whether a contact missed a notification: then it goes together with everything else that was missed."""
    return missed_since is not None and missed_since + MISSED_AFTER <= now
