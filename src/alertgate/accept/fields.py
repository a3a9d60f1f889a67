"""The fields of a body: how long they may be, what is wrong with them, and JSON values made fit to store. Pure."""

import math

from pydantic import ValidationError

from alertgate.errors import FieldError
from alertgate.model import Json

LONGEST_EVENT = 256
LONGEST_NAME = 128
"""Characters of a device id, a source and the like."""


def finite(value: Json) -> Json:
    """Return a JSON value in which NaN and the infinities, which JSON can't say, are text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return value


def field_errors(error: ValidationError) -> tuple[FieldError, ...]:
    """Say what pydantic found, field by field, without repeating the input."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return tuple(
        FieldError(".".join(map(str, problem["loc"])), problem["msg"].removeprefix("Value error, "))
        for problem in problems[:10]
    )
