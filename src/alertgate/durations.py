"""Durations as people write them: `30s`, `5m`, `5 min`, `24h`, `7d`, `1h30m`, or a plain number. Pure."""

import re
from collections.abc import Mapping
from types import MappingProxyType

SECONDS: Mapping[str, int] = MappingProxyType({"s": 1, "m": 60, "h": 3600, "d": 86400})
DAY = SECONDS["d"]
_PART = re.compile(r"(\d+(?:\.\d+)?)(s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?)", re.ASCII)
_WHOLE = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)


def seconds(text: str) -> float:
    """Return a duration in seconds; a number without a unit is one of seconds. Raises ValueError with the right form.

    The number may be infinite or none at all: whoever asks has limits for it.
    """
    try:
        return float(text) if (found := _read(text)) is None else found
    except ValueError:
        raise ValueError(
            f"{text!r} is not a duration; write seconds, or a unit after each number: 30s, 5m, 24h, 7d"
        ) from None


def days(text: str) -> int:
    """Return a duration in whole days; a number without a unit is one of days. Raises ValueError with the form."""
    found = _read(text)
    try:
        number = float(text) if found is None else found / DAY
        if number.is_integer():
            return int(number)
    except ValueError:
        pass
    raise ValueError(f"{text!r} is not a number of days; write one like 90 or 90d")


def _read(text: str) -> float | None:
    """Return a text with units in seconds; None if it isn't one."""
    bare = "".join(text.split()).lower()
    if not _WHOLE.fullmatch(bare):
        return None
    return sum(float(number) * SECONDS[unit[0]] for number, unit in _PART.findall(bare))
