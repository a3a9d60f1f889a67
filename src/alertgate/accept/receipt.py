"""What is known of a request before its body is read, and how JSON values are made fit to keep."""

import json
import math
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime

from pydantic import TypeAdapter, ValidationError

from alertgate.config import SeverityRules
from alertgate.errors import FieldError
from alertgate.model import Json

LONGEST_EVENT = 256
LONGEST_NAME = 128
"""Characters of a device id, a source and the like."""

LATEST = 253_370_764_799_999
"""The largest number that is a time: the end of the year 9998 in milliseconds; up to 20,000,000,000 it is seconds."""
TIME_SCHEMA = {
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "number", "minimum": 0, "maximum": LATEST}]
}
"""How the OpenAPI document shows a time."""

_DATETIME = TypeAdapter(datetime)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The facts that a reader of bodies needs beside the body."""

    id: str
    received_at: datetime
    severities: SeverityRules
    request_id: str | None = None


def incident_key(kind: str, *parts: str) -> str:
    """Return the key of an incident: unlike for any other parts, whatever characters those hold."""
    return f"{kind}:{json.dumps(parts, separators=(',', ':'))}"


def finite(value: Json) -> Json:
    """Return a JSON value in which NaN and the infinities, which JSON can't say, are text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return value


def read_time(value: Json) -> datetime | None:
    """Read ISO 8601 or Unix seconds as an aware time in UTC; None when it is no time."""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return None
    try:
        time = _DATETIME.validate_python(value)
        time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValidationError, OverflowError):
        return None
    # Year 1 is Go's unset time; and at either end of the calendar no other time zone can show it.
    return time if MINYEAR < time.year < MAXYEAR else None


def field_errors(error: ValidationError) -> tuple[FieldError, ...]:
    """Say what pydantic found, field by field, without repeating the input."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return tuple(
        FieldError(".".join(map(str, problem["loc"])), problem["msg"].removeprefix("Value error, "))
        for problem in problems[:10]
    )
