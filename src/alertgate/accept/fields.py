"""Fields of a body: length limits, errors, and JSON values that can be stored. Pure."""

import hashlib
import html
import json
import math

from pydantic import ValidationError
from pydantic_core import from_json

from alertgate.characters import cut
from alertgate.errors import FieldError
from alertgate.model import Json

LONGEST_EVENT = 256
LONGEST_NAME = 128
"""Characters of a device id or a source."""


MOST_LEVELS = 200
"""How deep a stored JSON value may nest. pydantic's parser allows about 200 levels, Python's hundreds or thousands."""


_FINITE = json.JSONEncoder(allow_nan=False)


def finite(value: Json) -> Json:
    """Return a JSON value with NaN and the infinities, which JSON can't represent, as text.

    Raises RecursionError if it is nested too deep: `shallow` bounds that.
    """
    try:
        _FINITE.encode(value)  # in C: 60,000 lists take 5 ms this way, and ten times that in Python
    except ValueError:
        return shallow(value)
    return value


def shallow(value: Json, levels: int = MOST_LEVELS) -> Json:
    """Return a finite JSON value in which lists and objects nested deeper than `levels` are JSON text.

    Raises RecursionError if they are too deep for that.
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if not isinstance(value, dict | list) or not value:
        return value
    if not levels:
        return json.dumps(value)
    if isinstance(value, dict):
        return {name: shallow(item, levels - 1) for name, item in value.items()}
    return [shallow(item, levels - 1) for item in value]


def read_json(body: bytes) -> Json:
    """Parse JSON, also with lone surrogates, very long numbers or a byte order mark, which pydantic refuses.

    Raises ValueError, which says where the body isn't JSON.
    """
    try:
        return from_json(body)
    except ValueError as error:
        try:
            # pydantic takes hardly more levels, and what reads the alert later relies on that; one is the body itself.
            return shallow(json.loads(body, parse_int=_whole_number), MOST_LEVELS + 1)
        except (ValueError, RecursionError):
            raise ValueError(f"Invalid JSON: {error}") from None


def _whole_number(digits: str) -> Json:
    """Return a number, or its digits if they are more than Python converts."""
    try:
        return int(digits)
    except ValueError:
        return digits


def json_in(text: str) -> Json:
    """Return the JSON object or list that a text is, or None."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return from_json(text)
    except (ValueError, TypeError):  # TypeError: it contains bytes that aren't UTF-8
        return None


def read_data(value: Json) -> Json:
    """Return an event's data; text that holds a JSON object or list is parsed, even if it is escaped for HTML.

    `{{PARTICLE_EVENT_VALUE}}` with two braces escapes the quotes of a JSON text for HTML.
    """
    if isinstance(value, str):
        for text in (value, unescape(value)):
            if (found := json_in(text)) is not None:
                return finite(found)
        return value
    return finite(value)


def unescape(text: str) -> str:
    """Return text without HTML's escapes, or unchanged if one of them is a number too long for Python."""
    try:
        return html.unescape(text)
    except ValueError:
        return text


def as_text(value: Json) -> str | None:
    """Return a value as text that is valid UTF-8: other types as JSON, and empty lists and objects as empty text."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) if value not in ([], {}) else ""
    return text.encode(errors="backslashreplace").decode()


def shortened(text: str, longest: int) -> str:
    """Return a text to show, cut to `longest` characters with an ellipsis."""
    return text if len(text) <= longest else f"{cut(text, longest - 1)}…"


def distinct(text: str, longest: int) -> str:
    """Return a text to compare, of at most `longest` characters: a digest keeps different long texts different."""
    if len(text) <= longest:
        return text
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    return f"{text[: longest - len(digest) - 1]}#{digest}"


def field_errors(error: ValidationError) -> tuple[FieldError, ...]:
    """Return pydantic's first ten errors, by field and without the input."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return tuple(
        FieldError(".".join(map(str, problem["loc"])), problem["msg"].removeprefix("Value error, "))
        for problem in problems[:10]
    )
