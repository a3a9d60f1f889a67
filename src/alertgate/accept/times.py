"""Parse times as senders write them. Pure."""

import re
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from email.utils import parsedate_to_datetime

from pydantic import TypeAdapter

from alertgate.model import Json

LATEST = 253_370_764_799_999
"""The largest number read as seconds or milliseconds: the end of 9998 in the latter. Numbers up to 20,000,000,000 are
seconds; larger ones than this are microseconds, and then nanoseconds."""
LATEST_NANOSECOND = 2**63 - 1
"""What clocks in nanoseconds can count to: in 2262."""
TIME_SCHEMA = {
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "number", "minimum": 0, "maximum": LATEST}]
}
"""How the OpenAPI document shows a time."""

LONGEST = 64
"""Characters of a time. The longest form has about 40."""
_DATETIME = TypeAdapter(datetime)
_NUMBER = re.compile(r"\d+(?:\.\d*)?", re.ASCII)
_BASIC = re.compile(r"\d{8}T\d{4}(?:\d{2}(?:[.,]\d+)?)?(?:Z|[+-]\d{2}(?::?\d{2})?)?", re.ASCII)
_MAIL = re.compile(
    r"(?:(?:mon|tue|wed|thu|fri|sat|sun),\s*)?\d{1,2} (?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec) \d{4} "
    r"\d{2}:\d{2}(?::\d{2})? (?:GMT|UTC?|Z|[+-]\d{4})",
    re.ASCII | re.IGNORECASE,
)
"""RFC 5322, but for names of zones other than UTC."""
_APART = re.compile(r"(?<=\d)\s+(?=(?:Z|[+-]\d{2}:?\d{2})$)", re.ASCII)
_UTC = re.compile(r"(?<=\d)\s*(?:[+-]00:?00)?\s*(?:UTC|GMT)$", re.ASCII)
_NEVER = "0001-01-01T00:00:00"
"""Go's zero time, as a sender in Go writes a time that nobody has set."""


def says_time(value: Json) -> bool:
    """Return whether a field holds something, which is meant as a time, whether or not it can be read."""
    if isinstance(value, str):
        return bool(value.strip()) and not value.startswith(_NEVER)
    return value is not None


def read_time(value: Json) -> datetime | None:
    """Return a time in UTC, or None if the value isn't one.

    That is ISO 8601, a date as mails have it (RFC 5322), or Unix seconds, milliseconds, microseconds or nanoseconds.
    """
    if isinstance(value, str):
        value = value.strip()
        if len(value) > LONGEST:
            return None
    try:
        time = _read_text(value) if isinstance(value, str) and not _NUMBER.fullmatch(value) else _read_number(value)
        time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # pydantic's ValidationError is a ValueError
        return None
    # Year 1 is Go's zero time, and times at either end of the calendar can't be converted to every time zone.
    return time if MINYEAR < time.year < MAXYEAR else None


def _read_number(value: Json) -> datetime:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("no time")  # noqa: TRY004  (it is the sender's value)
    number = float(value)
    if not 0 <= number <= LATEST_NANOSECOND:
        raise ValueError("out of range")
    if number <= LATEST:
        return _DATETIME.validate_python(value)
    return _DATETIME.validate_python(number / (1000 if number <= LATEST * 1000 else 1_000_000))


def _read_text(text: str) -> datetime:
    if _MAIL.fullmatch(text):
        return parsedate_to_datetime(text)
    text = _UTC.sub("Z", _APART.sub("", text))
    return datetime.fromisoformat(text) if _BASIC.fullmatch(text) else _DATETIME.validate_python(text)
