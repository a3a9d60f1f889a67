"""Times as people read them, in their time zone. Pure.

The hour that a clock change repeats has each time of day twice. There, a time also says which of the two it is.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

DAYS_BY_NAME = timedelta(days=6)
"""How far away the name of a day says which day is meant."""


def is_repeated(time: datetime) -> bool:
    """Return whether a local time of day comes twice, because clocks are set back."""
    return time.replace(fold=0).utcoffset() != time.replace(fold=1).utcoffset()


def differ(one: ZoneInfo, other: ZoneInfo, now: datetime) -> bool:
    """Return whether clocks of two zones ever show different times within the year from now on."""
    days = (now + timedelta(days=day) for day in range(366))
    return one.key != other.key and any(
        day.astimezone(one).utcoffset() != day.astimezone(other).utcoffset() for day in days
    )


def zone_name(time: datetime) -> str:
    """Return the name of a local time's zone, such as `CEST`, or its offset where the name stays the same."""
    if is_repeated(time) and time.replace(fold=0).tzname() == time.replace(fold=1).tzname():
        return f"UTC{time.isoformat(timespec='seconds')[19:]}"  # as in Moscow in 2014
    return f"{time:%Z}"


def clock_time(time: datetime, form: str) -> str:
    """Return a local time in a form such as `%H:%M`, with its zone if that time of day comes twice."""
    return f"{time:{form}} {zone_name(time)}" if is_repeated(time) else f"{time:{form}}"


def day_and_time(at: datetime, now: datetime, zone: ZoneInfo) -> str:
    """Return a time in a zone by the name of its day, `Tue 06:30`, or by its date if that is too far away."""
    return clock_time(at.astimezone(zone), "%a %H:%M" if abs(at - now) < DAYS_BY_NAME else "%Y-%m-%d %H:%M")
