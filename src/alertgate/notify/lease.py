"""Leases for messages that are due the moment they are planned, and how many are taken up ahead. Pure.

A message that is inserted as leased needs no claim: one commit less on the way from a request to its mail.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alertgate.model import ChannelName, Kind, Notification, NotificationStatus, Severity

Grant = Callable[[Sequence[Notification]], list[Notification]]
"""Given what is planned, returns the same, with what can be sent at once leased."""

LEASE = timedelta(seconds=60)
AHEAD = 0.1
"""Seconds of sending that a channel takes up ahead: for so long may a critical message wait behind lesser ones."""
MOST_AHEAD = 64


def ahead(capacity: int, pace: float | None) -> int:
    """Return how many messages to take up beyond those that are sent at the same time.

    `pace` is the seconds that one takes; None where nothing was sent yet, or the last one failed. Servers near by are
    so fast that reading, claiming and recording would be most of the time, if each message waited for its own.
    """
    return min(MOST_AHEAD, int(capacity * AHEAD / pace)) if pace else 0


def pace_after(pace: float | None, seconds: float) -> float:
    """Return the pace after one more message, as a moving average."""
    return seconds if pace is None else 0.8 * pace + 0.2 * seconds


@dataclass(slots=True)
class Leases:
    """What `owner` can take up at `now`: how many messages on each channel, and where only pressing ones."""

    owner: str
    now: datetime
    room: Mapping[ChannelName, int]
    pressing_only: Collection[ChannelName] = ()

    def grant(self, planned: Sequence[Notification]) -> list[Notification]:
        """Return the same messages, those leased that are due and fit; the most severe first."""
        room = dict(self.room)
        granted: dict[str, Notification] = {}
        for each in sorted(planned, key=lambda notification: -notification.severity.rank):
            if self._fits(each) and room.get(each.channel, 0) > 0:
                room[each.channel] -= 1
                granted[each.id] = replace(
                    each,
                    status=NotificationStatus.SENDING,
                    lease_owner=self.owner,
                    lease_until=self.now + LEASE,
                    claimed_at=self.now,
                )
        return [granted.get(each.id, each) for each in planned]

    def _fits(self, planned: Notification) -> bool:
        """Whether it was due when it was planned: what became due since then is claimed, as it is counted nowhere."""
        pressing = planned.kind is Kind.OPENING or planned.severity is Severity.CRITICAL
        due = planned.due_at <= planned.created_at and planned.due_at <= self.now
        return due and (pressing or planned.channel not in self.pressing_only)
