"""Fields of a body: length limits, errors, and JSON values that can be stored. Pure."""

import math

from pydantic import ValidationError

from alertgate.errors import FieldError
from alertgate.model import Json

LONGEST_EVENT = 256
LONGEST_NAME = 128
"""Characters of a device id or a source."""


def finite(value: Json) -> Json:
    """Return a JSON value with NaN and the infinities, which JSON can't represent, as text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return value


def field_errors(error: ValidationError) -> tuple[FieldError, ...]:
    """Return pydantic's first ten errors, by field and without the input."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return tuple(
        FieldError(".".join(map(str, problem["loc"])), problem["msg"].removeprefix("Value error, "))
        for problem in problems[:10]
    )
