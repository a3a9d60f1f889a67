"""A week in moments of a quarter of an hour, and at which of them somebody is quiet. Pure.

A set of moments is a number with a bit for each, so that the hours of hundreds of people are compared at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from alertgate.model import Severity
from alertgate.policy.escalations import SCHEDULE_MARK, Escalation
from alertgate.policy.people import Person
from alertgate.policy.policy import Policy
from alertgate.policy.schedules import on_call
from alertgate.policy.wall_clock import WEEK, Hours, time_of_week

STEP = timedelta(minutes=15)
NEVER = 0
ALWAYS = (1 << WEEK // STEP) - 1

Moments = int
"""A set of the week's moments."""


class SampledWeek:
    """Which of a week's moments are within hours; what was asked once isn't computed again."""

    def __init__(self, policy: Policy, now: datetime) -> None:
        self._policy = policy
        first = now.replace(minute=0, second=0, microsecond=0)
        self._moments = [first + number * STEP for number in range(WEEK // STEP)]
        self._walls: dict[ZoneInfo, list[timedelta]] = {}
        self._within: dict[tuple[Hours, ZoneInfo], Moments] = {}
        self._on_call: dict[str, Mapping[tuple[str, ...], Moments]] = {}

    def hours(self, moments: Moments, zone: ZoneInfo) -> Hours:
        """Return moments as hours of the week."""
        walls = self._clock(zone)
        return Hours.of((wall, wall + STEP) for number, wall in enumerate(walls) if moments >> number & 1)

    def closed(self, escalation: Escalation) -> Moments:
        """Return when an escalation holds everything."""
        return NEVER if escalation.hours is None else ALWAYS & ~self._inside(escalation.hours, escalation.zone)

    def quiet(self, person: Person, severity: Severity) -> Moments:
        """Return when somebody's quiet hours hold what is as severe as this."""
        if person.quiet is None or not person.quiet.hold(severity):
            return NEVER
        return self._inside(person.quiet.hours, person.zone)

    def deaf(self, names: Iterable[str], severity: Severity) -> Moments:
        """Return when everybody behind a step's names is quiet, or nobody is behind them."""
        found = ALWAYS
        for name in names:
            if name.startswith(SCHEDULE_MARK):
                found &= self._off_call(name.removeprefix(SCHEDULE_MARK), severity)
            elif person := self._policy.people.get(name):
                found &= self.quiet(person, severity)
        return found

    def nobodys(self, names: Iterable[str]) -> Moments:
        """Return when nobody at all is behind a step's names, because it is nobody's turn."""
        found = ALWAYS
        for name in names:
            schedule = name.removeprefix(SCHEDULE_MARK)
            found &= self._turns(schedule).get((), NEVER) if name.startswith(SCHEDULE_MARK) else NEVER
        return found

    def _off_call(self, name: str, severity: Severity) -> Moments:
        """Return when everybody is quiet whose turn it is in a schedule, or it is nobody's turn."""
        found = NEVER
        for who, moments in self._turns(name).items():
            found |= moments & self.deaf(who, severity)
        return found

    def _turns(self, name: str) -> Mapping[tuple[str, ...], Moments]:
        """Return who is on call in a schedule, and when."""
        if name not in self._on_call:
            turns: dict[tuple[str, ...], Moments] = {}
            schedule = self._policy.schedules[name]
            for number, at in enumerate(self._moments):
                who = on_call(schedule, at).who
                turns[who] = turns.get(who, NEVER) | 1 << number
            self._on_call[name] = turns
        return self._on_call[name]

    def _inside(self, hours: Hours, zone: ZoneInfo) -> Moments:
        known = (hours, zone)
        if known not in self._within:
            bits = (1 << number for number, wall in enumerate(self._clock(zone)) if hours.covers(wall))
            self._within[known] = sum(bits)
        return self._within[known]

    def _clock(self, zone: ZoneInfo) -> Sequence[timedelta]:
        """Return what a zone's clock shows at each moment."""
        if zone not in self._walls:
            self._walls[zone] = [time_of_week(at, zone) for at in self._moments]
        return self._walls[zone]
