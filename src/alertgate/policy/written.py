"""Durations, times of day, days and hours of the week, as alertgate.toml writes them. Pure; all raise ValueError."""

import re
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from alertgate.model import Severity
from alertgate.policy.people import QuietHours
from alertgate.policy.wall_clock import DAY, DAYS, Hours, Span, first_moment, span_of
from alertgate.words import read_severity

LONGEST = timedelta(days=366)
FARTHEST_YEARS = 20
"""How far from now a moment may be."""
LONGEST_TEXT = 300
"""Characters; more than anybody writes about a week."""
SECOND = timedelta(seconds=1)
UNITS = {
    "s": SECOND,
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
FULL_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_DURATION = re.compile(r"(?:\d{1,9}[smhd] ?)+", re.ASCII)
_PART = re.compile(r"(\d+)([smhd])", re.ASCII)
_CLOCK = re.compile(r"([01]\d|2[0-4]):([0-5]\d)", re.ASCII)
_UNLESS = re.compile(r"(.*\S)\s+except\s+(\S+)", re.IGNORECASE | re.DOTALL)


def read_duration(text: str) -> timedelta:
    """Read `10m`, `90s` or `1h30m`."""
    if len(text) > LONGEST_TEXT or not _DURATION.fullmatch(text.strip()):
        raise ValueError('is no duration: write a number and s, m, h or d, as in "90s", "10m" or "1h30m"')
    seconds = sum(int(number) * (UNITS[unit] // SECOND) for number, unit in _PART.findall(text))
    if seconds > LONGEST // SECOND:
        raise ValueError(f"is longer than {LONGEST.days} days")
    return timedelta(seconds=seconds)


def show_duration(span: timedelta) -> str:
    """Return a duration as the file writes it, in whole seconds: `10m`, `1h30m`."""
    left, text = span, ""
    for unit, size in reversed(UNITS.items()):
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def read_clock(text: str) -> timedelta:
    """Read `22:30` as the time since midnight; `24:00` is the end of the day."""
    found = _CLOCK.fullmatch(text)
    since = timedelta(hours=int(found[1]), minutes=int(found[2])) if found else None
    if since is None or since > DAY:
        raise ValueError('has no time of day: write hours and minutes with two digits each, as in "08:00"')
    return since


def read_days(text: str) -> frozenset[int]:
    """Read `mon-thu`, `fri-mon`, `sat` or `mon wed fri`; Monday is 0."""
    found: set[int] = set()
    for word in text.lower().replace(",", " ").split():
        first, dash, last = word.partition("-")
        begin = _day(first)
        end = _day(last) if dash else begin
        found |= {(begin + offset) % 7 for offset in range((end - begin) % 7 + 1)}
    if not found:
        raise ValueError('names no days: write them as in "mon-fri" or "sat sun"')
    return frozenset(found)


def read_hours(text: str) -> Hours:
    """Read `22:30-06:30`, which is every day, or `mon-fri 08:00-21:00, sat 10:00-14:00`."""
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"is longer than {LONGEST_TEXT} characters")
    spans = [span for part in text.split(",") for span in _spans(part.split())]
    return Hours.of(spans)


def read_quiet_hours(text: str) -> QuietHours:
    """Read hours, with `except critical` or `except warning` after them."""
    excepted = _UNLESS.fullmatch(text)
    hours = read_hours(excepted[1] if excepted else text)
    if hours.always:
        raise ValueError("are always: nothing could ever be told then; leave some hours of the week")
    if excepted is None:
        return QuietHours(hours)
    unless = read_severity(excepted[2])
    if unless is None or unless is Severity.INFO:
        raise ValueError("have an exception that is none: write `except critical` or `except warning`")
    return QuietHours(hours, unless)


def read_moment(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """Read `now`, `03:00`, `Sat 03:00` (the next such time from now on), or `2026-12-24 08:00`, in a zone; aware."""
    words = text.split()
    if words == ["now"]:
        return now
    if ":" in text and "-" not in text and (len(words) == 1 or (len(words) == 2 and words[0].isalpha())):
        since = read_clock(words[-1])
        days = read_days(words[0]) if len(words) > 1 else frozenset(range(7))
        today = now.astimezone(zone).date()
        for offset in range(8):
            day = today + timedelta(days=offset)
            found = first_moment(day, time(since.seconds // 3600, since.seconds // 60 % 60), zone) + since // DAY * DAY
            if day.weekday() in days and found >= now:
                return found
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError('is no time: write it as in "Sat 03:00", "03:00" or "2026-12-24 08:00"') from None
    near = now.year - FARTHEST_YEARS <= given.year <= now.year + FARTHEST_YEARS  # first: further ones can't be computed
    if not near:
        raise ValueError(f"is more than {FARTHEST_YEARS} years away: write a nearer time")
    return given if given.tzinfo else first_moment(given.date(), given.time(), zone)


def _spans(words: list[str]) -> list[Span]:
    if not words:
        raise ValueError('has an empty part: write hours as in "mon-fri 08:00-21:00, sat 10:00-14:00"')
    *days, times = words
    start, dash, end = times.partition("-")
    if not dash or not times[0].isdigit():
        raise ValueError('has no hours: write from and until, as in "22:30-06:30" or "mon-fri 08:00-21:00"')
    begin, until = read_clock(start), read_clock(end)
    if begin == DAY:
        raise ValueError("begins at 24:00: write 00:00 of the next day")
    return [span_of(day, begin, until) for day in (read_days(" ".join(days)) if days else range(7))]


def _day(word: str) -> int:
    for names in (DAYS, FULL_DAYS):
        if word in names:
            return names.index(word)
    raise ValueError(f"has a day that isn't one: write {', '.join(DAYS)}, as in mon-fri")
