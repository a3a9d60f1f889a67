"""Parse times as senders write them. Pure."""

from datetime import MAXYEAR, MINYEAR, UTC, datetime

from pydantic import TypeAdapter, ValidationError

from alertgate.model import Json

LATEST = 253_370_764_799_999
"""The largest number read as a time: the end of 9998 in milliseconds. Numbers up to 20,000,000,000 are seconds."""
TIME_SCHEMA = {
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "number", "minimum": 0, "maximum": LATEST}]
}
"""How the OpenAPI document shows a time."""

_DATETIME = TypeAdapter(datetime)


def read_time(value: Json) -> datetime | None:
    """Return ISO 8601 or Unix seconds as an aware time in UTC, or None if the value is neither."""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return None
    try:
        time = _DATETIME.validate_python(value)
        time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValidationError, OverflowError):
        return None
    # Year 1 is Go's zero time, and times at either end of the calendar can't be converted to every time zone.
    return time if MINYEAR < time.year < MAXYEAR else None
