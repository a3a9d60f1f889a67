"""The clock of an escalation's steps: it stands still outside its hours, and while all of a step's people are quiet.

So nobody is told as a substitute for somebody who is asleep and will be told in the morning. Pure.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from alertgate.model import Severity
from alertgate.policy.escalations import Escalation
from alertgate.policy.people import Person

LONGEST_STOP = timedelta(days=28)
"""Hours and quiet hours that leave no time at all mustn't stop a clock forever."""


class StoppedClock:
    """The clock of a step that these people were told. Without people it stands still outside the hours alone."""

    def __init__(self, people: Iterable[Person], severity: Severity, escalation: Escalation) -> None:
        self._people = tuple(people)
        self._severity = severity
        self._escalation = escalation

    def passes(self, start: datetime, span: timedelta) -> datetime:
        """Return when `span` has passed since `start`: if it ends just as the clock stops, when that goes on."""
        moment, left = start, span
        while moment - start < span + LONGEST_STOP:
            if goes_on_at := self._stopped_until(moment):
                moment = goes_on_at
                continue
            stops_at = self._stops_at(moment, moment + left)
            if stops_at is None:
                return moment + left
            left -= stops_at - moment
            moment = stops_at
        return moment

    def _stopped_until(self, at: datetime) -> datetime | None:
        """Return when it may go on; None if it doesn't stand still."""
        return opening(self._escalation, at) or all_quiet_until(self._people, at, self._severity)

    def _stops_at(self, start: datetime, end: datetime) -> datetime | None:
        """Return when it first stands still, up to `end`; None if it doesn't. It goes at `start`."""
        hours, zone = self._escalation.hours, self._escalation.zone
        closes_at = hours.next_change(start, zone) if hours else None
        stops = (closes_at, first_all_quiet(self._people, start, end + timedelta.resolution, self._severity))
        return min((stop for stop in stops if stop and stop <= end), default=None)


def opening(escalation: Escalation, at: datetime) -> datetime | None:
    """Return when an escalation's hours begin; None if it isn't outside of them."""
    hours = escalation.hours
    return None if hours is None or hours.contain(at, escalation.zone) else hours.next_change(at, escalation.zone)


def all_quiet_until(people: Iterable[Person], at: datetime, severity: Severity) -> datetime | None:
    """Return when the first of these people wakes; None if one is awake, or if there is nobody."""
    ends = []
    for person in people:
        end = person.quiet_until(at, severity)
        if end is None:
            return None
        ends.append(end)
    return min(ends, default=None)


def first_all_quiet(people: Iterable[Person], start: datetime, end: datetime, severity: Severity) -> datetime | None:
    """Return the first moment from `start` and before `end` at which all of these people are quiet; None if none is."""
    told, moment = tuple(people), start
    while told and moment < end:
        awake = [person for person in told if person.quiet_until(moment, severity) is None]
        if not awake:
            return moment
        begins = [person.quiet_from(moment, severity) for person in awake]
        if None in begins:
            return None
        moment = max(begin for begin in begins if begin)
    return None
