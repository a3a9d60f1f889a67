"""Times as people read them, in the time zone of the settings. Pure.

The hour that a clock change repeats has each time of day twice. There, a time also says which of the two it is.
"""

from datetime import datetime


def is_repeated(time: datetime) -> bool:
    """Return whether a local time of day comes twice, because clocks are set back."""
    return time.replace(fold=0).utcoffset() != time.replace(fold=1).utcoffset()


def zone_name(time: datetime) -> str:
    """Return the name of a local time's zone, such as `CEST`, or its offset where the name stays the same."""
    if is_repeated(time) and time.replace(fold=0).tzname() == time.replace(fold=1).tzname():
        return f"UTC{time.isoformat(timespec='seconds')[19:]}"  # as in Moscow in 2014
    return f"{time:%Z}"


def clock_time(time: datetime, form: str) -> str:
    """Return a local time in a form such as `%H:%M`, with its zone if that time of day comes twice."""
    return f"{time:{form}} {zone_name(time)}" if is_repeated(time) else f"{time:{form}}"
