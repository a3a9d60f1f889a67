"""Who is on call when. Pure.

A turn without hours lasts from its day's handover to the next day's. One with hours is on call while the clock shows
them. An override comes before the week, and `otherwise` is on call whenever nobody else is.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from alertgate.policy.wall_clock import DAY, Hours, Span, first_moment, time_of_week


class OnCallReason(StrEnum):
    """Why these people are on call."""

    OVERRIDE = "override"  # an override replaces the week
    TURN = "turn"  # it is their turn in the week
    OTHERWISE = "otherwise"  # it is nobody's turn
    NOBODY = "nobody"  # it is nobody's turn, and the schedule has no `otherwise`


@dataclass(frozen=True, slots=True)
class Turn:
    """Days of the week (0 is Monday) on which somebody is on call, from handover to handover or within hours."""

    who: tuple[str, ...]
    days: frozenset[int]
    hours: Hours | None = None
    """Of the whole week: those of its days."""


@dataclass(frozen=True, slots=True)
class Override:
    """Who is on call instead, from and until a local time."""

    who: tuple[str, ...]
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Schedule:
    """Who is on call when."""

    name: str
    week: tuple[Turn, ...]
    zone: ZoneInfo
    handover: time = time(0)
    otherwise: tuple[str, ...] = ()
    overrides: tuple[Override, ...] = ()

    @property
    def gaps(self) -> Hours:
        """The hours in which it is nobody's turn; by the clock, with handovers on an ordinary day."""
        handover = timedelta(hours=self.handover.hour, minutes=self.handover.minute)
        spans: list[Span] = []
        for turn in self.week:
            if turn.hours:
                spans += turn.hours.spans
            else:
                spans += [(DAY * day + handover, DAY * (day + 1) + handover) for day in turn.days]
        return Hours.of(spans).gaps


class OnCall(NamedTuple):
    """Who is on call, and why."""

    who: tuple[str, ...]
    reason: OnCallReason


def on_call(schedule: Schedule, at: datetime) -> OnCall:
    """Return who is on call at a time."""
    local = at.astimezone(schedule.zone)
    wall = local.replace(tzinfo=None, fold=0)
    for override in schedule.overrides:
        if override.start <= wall < override.end:
            return OnCall(override.who, OnCallReason.OVERRIDE)
    day = local.date()
    if at < first_moment(day, schedule.handover, schedule.zone):
        day -= timedelta(days=1)
    since_monday = time_of_week(at, schedule.zone)
    turns = [
        turn
        for turn in schedule.week
        if (turn.hours.covers(since_monday) if turn.hours else day.weekday() in turn.days)
    ]
    if turns:
        return OnCall(tuple(dict.fromkeys(name for turn in turns for name in turn.who)), OnCallReason.TURN)
    if schedule.otherwise:
        return OnCall(schedule.otherwise, OnCallReason.OTHERWISE)
    return OnCall((), OnCallReason.NOBODY)
