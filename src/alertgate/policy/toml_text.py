"""Read a text as TOML; whatever is wrong with it is one problem with a remedy. Pure."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from alertgate.errors import PolicyInvalid

MOST_PARTS = 20
"""Parts of a dotted key; the reader takes time by the square of their number."""
LONGEST_NUMBER = 1000
"""Digits; Python refuses those of more than 4,300."""

_TEXT_OR_COMMENT = re.compile(
    r'"""(?:[^"\\]++|\\.|"(?!""))*+(?:"""|\Z)"{0,2}'  # one that isn't closed goes on to the end
    r"|'''(?:[^']++|'(?!''))*+(?:'''|\Z)'{0,2}"
    r'|"(?:[^"\\\n]++|\\.)*+"?'
    r"|'[^'\n]*+'?"
    r"|#[^\n]*+",
    re.DOTALL,
)
"""What may hold any number of dots and digits."""
_KEY = re.compile(r"[\w\t .-]++")
_NUMBER = re.compile(r"[0-9_]++")

_QUOTES = 'texts, times and durations need quotes, as in event = "door/*" or wait = "10m"'
_TWICE = "a key or a table stands there twice: remove one of the two, or name it otherwise"
_REMEDIES: Mapping[str, str] = {
    "overwrite|twice|mutate|redefine|Duplicate": _TWICE,
    r"Expected '\]'": 'close the bracket; a name with a blank or an umlaut needs quotes, as in [people."frau meier"]',
    r"Expected '\]\]'": "close both brackets, as in [[routes]]",
    "Unclosed array": "a comma or the closing ] is missing",
    "Unclosed inline table": "a comma or the closing } is missing; what { begins must end in the same line",
    "initial character": "a key is missing; what { begins must end in the same line, without a comma before the }",
    "Expected '='": "write KEY = VALUE; a key with a blank or an umlaut needs quotes",
    r"Illegal character '\\n'|Unterminated": "the closing quote is missing",
    "Unescaped": r"write \\ for a backslash, or single quotes around the text",
    "Invalid statement": "write KEY = VALUE, [people.NAME] or [[routes]] on a line of its own",
}
"""What to do, by what the reader says; else quotes are missing."""


def read_toml(text: str) -> dict[str, Any]:
    """Return the tables of a text. Raises PolicyInvalid, whatever the text holds."""
    if text.startswith("\ufeff"):
        raise PolicyInvalid(["the file begins with a byte-order mark: save it as UTF-8 without one"])
    _check_size(text)
    try:
        return tomllib.loads(text)
    except RecursionError:
        problem = "the file isn't TOML that can be read: its lists or tables nest too deeply"
    except ValueError as error:  # mostly a TOMLDecodeError
        problem = f"the file isn't TOML: {error}; {_remedy(str(error), text)}"
    raise PolicyInvalid([problem])


def _check_size(text: str) -> None:
    """Raise PolicyInvalid if a key or a number is longer than the reader can take."""
    bare = _TEXT_OR_COMMENT.sub(_blank, text)
    if found := next((each for each in _KEY.finditer(bare) if each[0].count(".") >= MOST_PARTS), None):
        raise PolicyInvalid([f"{_line(bare, found)} has a key of more than {MOST_PARTS} parts: take the dots out"])
    if found := next((each for each in _NUMBER.finditer(bare) if len(each[0]) > LONGEST_NUMBER), None):
        raise PolicyInvalid([f"{_line(bare, found)} has a number of more than {LONGEST_NUMBER:,} digits: shorten it"])


def _blank(found: re.Match[str]) -> str:
    """Return what stands for a text, with the lines that it has."""
    return "x" + "\n" * found[0].count("\n")


def _line(text: str, found: re.Match[str]) -> str:
    return f"line {text.count(chr(10), 0, found.start()) + 1:,}"


def _remedy(error: str, text: str) -> str:
    remedy = next((remedy for words, remedy in _REMEDIES.items() if re.search(words, error)), _QUOTES)
    if remedy == _TWICE and (single := re.search(r"^[ \t]*\[[ \t]*(routes|events)[ \t]*\]", text, re.MULTILINE)):
        return f"write [[{single[1]}]] with two brackets each time"
    return remedy
