"""Texts that are readings of a sensor: numbers, with or without a unit, and times. Pure.

Texts are in one case, as `words.read_word` returns them.
"""

import re

_NUMBER = r"[+\-\u2212]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:e[+-]?\d+)?"
_UNIT = (
    r"[°º˚]?[cfk]|[°º˚℃℉%‰]|deg(?:rees?)?|percent|%\s?rh"
    r"|pp[bm]|ph|[µμu]g/m[3³]|mg/l|m?l|[cmk]?m|m[2²3³]|kg|lbs?"
    r"|m?v|ma|m?ah|[km]w|[km]?wh|[km]?hz"
    r"|[hk]?pa|m?bar|psi|mmhg|lux|lx|lm|dbm?|rpm|km/h|m/s|mph|ms|sec|min"
)
_MEASURED = re.compile(rf"{_NUMBER}(?:\s?(?:{_UNIT}))?", re.ASCII)
_NO_NUMBER = re.compile(r"[+-]?(?:inf(?:inity)?|nan)")
_BEGINS_WITH_SIGN = re.compile(r"[+\-\u2212±<>≤≥~≈]\s?[.,]?\d", re.ASCII)
_BEGINS_WITH_FRACTION = re.compile(r"\d*[.,]\d+(?![.,]?\d)", re.ASCII)  # 10.0.0.5 is an address
_TIME = re.compile(r"\d{4}-?\d\d-?\d\d(?:[t ]\d\d.*)?|\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:\s?[ap]m|z)?", re.ASCII)


def is_measured(text: str) -> bool:
    """Return whether a text is a number, and nothing else but a unit."""
    return _MEASURED.fullmatch(text) is not None


def is_reading(text: str) -> bool:
    """Return whether a text is a reading: measured, a time, or anything that begins with a sign or a fraction.

    A whole number alone is one too, although it may well be a name: that is for the caller to decide.
    """
    return bool(
        is_measured(text)
        or _NO_NUMBER.fullmatch(text)
        or _BEGINS_WITH_SIGN.match(text)
        or _BEGINS_WITH_FRACTION.match(text)
        or _TIME.fullmatch(text)
    )
