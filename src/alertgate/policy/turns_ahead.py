"""When who is on call from now on: a schedule's changes, one after the other. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from alertgate.policy.schedules import Schedule, on_call
from alertgate.policy.wall_clock import DAY, clock_change, first_moment

AHEAD = timedelta(days=15)
"""How far is looked: two weeks of turns."""
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Duty:
    """Somebody's part in a schedule from a time on."""

    schedule: str
    until: datetime | None
    """When they are on call no more; None if they aren't now, or don't cease to be within AHEAD."""
    begins_at: datetime | None
    """When they are on call next; None if they are now, or aren't within AHEAD."""
    is_on_call: bool


def duty(schedule: Schedule, person: str, now: datetime) -> Duty:
    """Return whether a person is on call now, and until when; else from when on."""
    ahead = changes(schedule, now)
    is_now = person in ahead[0][1]
    change = next((at for at, who in ahead if at > now and (person in who) is not is_now), None)
    return Duty(schedule.name, change if is_now else None, None if is_now else change, is_now)


def changes(schedule: Schedule, now: datetime) -> tuple[tuple[datetime, tuple[str, ...]], ...]:
    """Return who is on call now, and then each change within AHEAD: from when on, and who is on call then."""
    hour = now - timedelta(minutes=now.minute, seconds=now.second, microseconds=now.microsecond)
    known = _from_hour(schedule, hour)
    return ((now, on_call(schedule, now).who), *(each for each in known if each[0] > now))


@lru_cache(maxsize=256)
def _from_hour(schedule: Schedule, hour: datetime) -> tuple[tuple[datetime, tuple[str, ...]], ...]:
    """Return the changes after an hour began; what was computed in that hour is computed once."""
    found, last = [], on_call(schedule, hour).who
    for at in _edges(schedule, hour, hour + AHEAD + _HOUR):
        who = on_call(schedule, at).who
        if who != last:
            found.append((at, who))
        last = who
    return tuple(found)


def _edges(schedule: Schedule, start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the moments after `start` and until `end` at which somebody else may be on call, in order."""
    zone, found = schedule.zone, set[datetime]()
    today = start.astimezone(zone).date()
    for number in range((end - start) // DAY + 2):
        found.add(first_moment(today + DAY * number, schedule.handover, zone))  # a day may have 23 hours
        day = start + DAY * number
        if changed := clock_change(day, day + DAY, zone):
            found.add(changed)  # the hour that it repeats may bring an override back
    for override in schedule.overrides:
        for wall in (override.start, override.end):
            found |= {wall.replace(tzinfo=zone, fold=fold).astimezone(start.tzinfo) for fold in (0, 1)}
            found.add(first_moment(wall.date(), wall.time(), zone))
    for hours in {turn.hours for turn in schedule.week if turn.hours}:
        edge = hours.next_change(start, zone)
        while edge and edge <= end:
            found.add(edge)
            edge = hours.next_change(edge, zone)
    return iter(sorted(at for at in found if start < at <= end))
