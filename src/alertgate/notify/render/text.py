"""Clean and format text from devices for mails and text messages. Pure."""

import base64
import binascii
import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from anyascii import anyascii

from alertgate.model import Json

GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""Characters that take one septet (3GPP TS 23.038, 6.2.1)."""
GSM7_DOUBLE = frozenset("^{}\\[~]|€")
"""Characters that take two septets (6.2.1.1)."""
SEGMENT = 160

# Control characters except tab and line feed, surrogates, and invisible characters that reorder or hide text.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\ud800-\udfff\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\uffff"
    "\U000e0000-\U000e007f]"
)
_BREAK = re.compile("\r\n?|[\u2028\u2029]")
_SPACE = re.compile(r"\s+")
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w.+-]+=[^;,]*)*)(;base64)?,", re.IGNORECASE)


def clean(text: str) -> str:
    """Return text with control, surrogate and direction-changing characters replaced; line breaks stay."""
    return _UNSEEN.sub("\ufffd", _BREAK.sub("\n", text))


def one_line(text: str, longest: int) -> str:
    """Return text as one line that is safe in a header, cut to `longest` characters."""
    return shorten(_SPACE.sub(" ", clean(text)).strip(), longest)


def shorten(text: str, longest: int) -> str:
    """Return text cut to `longest` characters, with an ellipsis if anything is cut."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def gsm7(text: str, septets: int = SEGMENT) -> str:
    """Return text transliterated to GSM-7 and cut to `septets`."""
    plain = "".join(
        char if char in GSM7 or char in GSM7_DOUBLE else anyascii(char) for char in _SPACE.sub(" ", clean(text))
    )
    plain = "".join(char for char in plain if char in GSM7 or char in GSM7_DOUBLE).strip()
    return plain if _septets(plain) <= septets else _cut(plain, septets - 3).rstrip() + "..."


def _septets(text: str) -> int:
    return len(text) + sum(char in GSM7_DOUBLE for char in text)


def _cut(text: str, septets: int) -> str:
    while _septets(text) > septets:
        text = text[:-1]
    return text


class Blob(NamedTuple):
    """The content of a `data:` URL."""

    media_type: str
    content: bytes


def data_url(value: Json) -> Blob | None:
    """Decode a `data:` URL (RFC 2397), the form of binary data in Particle's typed publish; None if it isn't one."""
    if not isinstance(value, str) or not (match := _DATA_URL.match(value)):
        return None
    payload = value[match.end() :]
    try:
        content = base64.b64decode(payload, validate=True) if match[3] else unquote_to_bytes(payload)
    except (binascii.Error, ValueError):
        return None
    return Blob((match[1] or "text/plain").lower(), content)


MORE = ("…", "more was sent; the API has it all")


def rows(value: Json, *, most: int = 40, longest: int = 500, room: int = 4000) -> list[tuple[str, str]]:
    """Flatten a JSON value to (dotted name, text) rows for a table.

    There are at most `most` rows with at most `room` characters in all. If rows are missing, a last row says so.
    """
    found: list[tuple[str, str]] = []
    _flatten("", value, found, most)
    table: list[tuple[str, str]] = []
    for name, text in found[:most]:
        row = (one_line(name, 80), shorten(clean(text), min(longest, room)))
        room -= len(row[0]) + len(row[1])
        if table and room < 0:
            return [*table, MORE]
        table.append(row)
    return [*table, MORE] if len(found) > most else table


def _flatten(name: str, value: Json, found: list[tuple[str, str]], most: int) -> None:
    if len(found) > most:
        return
    if isinstance(value, dict) and value:
        for key, item in value.items():
            _flatten(f"{name}.{key}" if name else str(key), item, found, most)
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            _flatten(f"{name}[{index}]", item, found, most)
    else:
        found.append((name or "data", say(value)))


def aligned(pairs: list[tuple[str, str]]) -> str:
    """Return rows as indented lines, with their texts aligned in one column."""
    width = min(max((len(name) for name, _ in pairs), default=0), 24)
    margin = "\n" + " " * (width + 4)
    return "".join(f"  {name.ljust(width)}  {text.replace(chr(10), margin)}\n" for name, text in pairs)


def say(value: Json) -> str:
    """Return a JSON scalar as readable text."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if blob := data_url(value):
        return f"{blob.media_type}, {len(blob.content):,} bytes"
    return str(value)
