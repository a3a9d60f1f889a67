"""Clean and format text from devices for mails and text messages. Pure."""

import base64
import binascii
import html
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import dropwhile
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from anyascii import anyascii

from alertgate.characters import cut, replace_deceptive
from alertgate.model import Json

GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""Characters that take one septet (3GPP TS 23.038, 6.2.1)."""
GSM7_DOUBLE = frozenset("^{}\\[~]|€")
"""Characters that take two septets (6.2.1.1)."""
SEGMENT = 160

_BREAK = re.compile("\r\n?|[\u2028\u2029]")
_MENTION = re.compile(r"@(?=\w)")
_SPACE = re.compile(r"\s+")
_DEVICE_ID = re.compile(r"(?<![0-9a-z])[0-9a-f]{24}(?![0-9a-z])", re.IGNORECASE)
_DEGREES = re.compile(r"\s?[°º](?=[CF]\b)")
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w.+-]+=[^;,]*){0,9})(;base64)?,", re.IGNORECASE)
LONGEST_QUOTED = 16_384
"""Characters of binary data in percent escapes, which take long to undo; devices and browsers send base64."""


MOST_READ = 8
"""Characters that are read for each one that is shown: many become one (`&quot;`, white space), or none."""
MOST_SHOWN = 4000
"""Characters of one value that a message shows at most."""


def clean(text: str) -> str:
    """Return text with controls and all that deceives a reader replaced by U+FFFD; line breaks and tabs stay."""
    return replace_deceptive(_BREAK.sub("\n", text), lambda _: "\ufffd")


def unmentioned(text: str) -> str:
    """Return a text whose `@name` is no mention, which would ring somebody: a word joiner, unseen, follows the `@`."""
    return _MENTION.sub("@\u2060", text)


def clean_beginning(text: str, longest: int) -> str:
    """Return clean text cut to `longest` characters.

    No more is read than that takes: a device may send 128 KiB of what takes long to replace.
    """
    return shorten(clean(text[: 2 * longest + 2]), longest)  # a line break may be two characters


def one_line(text: str, longest: int) -> str:
    """Return text as one line that is safe in a header, cut to `longest` characters."""
    return shorten(_SPACE.sub(" ", clean(_read(text.lstrip(), longest))).strip(), longest)


def _read(text: str, longest: int) -> str:
    """Return so much of a text as is read to show `longest` characters of it."""
    most = longest * MOST_READ
    return text if len(text) <= most else text[:most] + "…"


def shorten(text: str, longest: int) -> str:
    """Return text cut to `longest` characters, with an ellipsis if anything is cut."""
    return text if len(text) <= longest else cut(text, longest - 1) + "…"


def gsm7(text: str, longest: int = SEGMENT) -> str:
    """Return text transliterated to GSM-7 and cut to `longest` septets, reading no more of it than that takes."""
    read = _DEGREES.sub(" ", _SPACE.sub(" ", clean(_read(text, longest))))
    kept: list[str] = []
    room = longest
    for char in dropwhile(str.isspace, _transliterated(read)):
        room -= septets(char)
        if room < 0 and not char.isspace():
            return _cut("".join(kept), longest - 3).rstrip() + "..."
        kept.append(char)
    return "".join(kept).rstrip()


def _transliterated(text: str) -> Iterator[str]:
    """Yield the characters of GSM-7 that say the same, one by one."""
    for char in text:
        says = char if char in GSM7 or char in GSM7_DOUBLE else anyascii(char)
        yield from (each for each in says if each in GSM7 or each in GSM7_DOUBLE)


def short_ids(name: str) -> str:
    """Return a name with each device id, 24 hexadecimal digits, as its last six: an id takes too much of a text."""
    return _DEVICE_ID.sub(lambda found: f"device {found[0][-6:]}", name)


def septets(text: str) -> int:
    """Return how many septets a text of GSM-7 characters takes."""
    return len(text) + sum(char in GSM7_DOUBLE for char in text)


def with_link(text: str, link: str | None) -> str:
    """Return text as a text message of one segment, with the link if nothing else is left out for it."""
    short = gsm7(text)
    if not link or septets(short) + 1 + septets(link) > SEGMENT:
        return short
    return f"{short} {link}"


def _cut(text: str, longest: int) -> str:
    while septets(text) > longest:
        text = text[:-1]
    return text


class Blob(NamedTuple):
    """Binary data: the content of a `data:` URL or of a buffer."""

    media_type: str
    content: bytes


BINARY = "application/octet-stream"
_MAGIC = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp"),
)
"""The first bytes of pictures that a mail may show, for data without a type."""


def blob(value: Json) -> Blob | None:
    """Decode a `data:` URL or a buffer, the forms of binary data in Particle's typed publish; None for others."""
    found = _buffer(value) if isinstance(value, dict) else data_url(value)
    return found._replace(media_type=media_type(found.content)) if found and found.media_type == BINARY else found


def media_type(content: bytes) -> str:
    """Return which picture some bytes are, by their beginning; of others that they are binary."""
    return next((kind for magic, kind in _MAGIC if magic.match(content)), BINARY)


def data_url(value: Json) -> Blob | None:
    """Decode a `data:` URL (RFC 2397), the form of binary data as a whole; None if it isn't one."""
    if not isinstance(value, str) or not (match := _DATA_URL.match(value)):
        return None
    payload = value[match.end() :]
    if not match[3] and len(payload) > LONGEST_QUOTED:
        return None
    try:
        content = base64.b64decode(payload, validate=True) if match[3] else unquote_to_bytes(payload)
    except (binascii.Error, ValueError):
        return None
    return Blob((match[1] or "text/plain").lower(), content)


def _buffer(value: dict[str, Json]) -> Blob | None:
    """Decode `{"_type": "buffer", "_data": "…"}`, base64: the form of binary data within an object."""
    kind, data = value.get("_type"), value.get("_data")
    if not isinstance(kind, str) or kind.strip().lower() != "buffer" or not isinstance(data, str):
        return None
    try:
        return Blob(BINARY, base64.b64decode("".join(data.split()), validate=True))
    except ValueError:
        return None


MORE = ("…", "more was sent; the API has it all")
SHORT_LIST = 3
"""Longer lists have a row with the number of their items."""


class _Row(NamedTuple):
    """One row of a table. The row of a list has its length, and the number of rows up to the end of each item."""

    name: str
    text: str = ""
    length: int = 0
    ends: Sequence[int] = ()

    def shown(self, rows: int) -> str:
        """Return the text, if the table has only its first `rows` rows."""
        if not self.length:
            return self.text
        left_out = self.length - bisect_right(self.ends, rows)
        return f"{self.length:,} items" + (f", {left_out:,} left out" if left_out else "")


def rows(value: Json, *, most: int = 40, longest: int = 500, room: int = 4000) -> list[tuple[str, str]]:
    """Flatten a JSON value to (dotted name, text) rows for a table.

    There are at most `most` rows with at most `room` characters in all. If rows are missing, a last row says so, and
    the row of each long list says how many of its items are missing, or cut.
    """
    found: list[_Row] = []
    _flatten("", value, found, most, longest)
    table: list[tuple[str, str]] = []
    for row in found[:most]:
        name, text = one_line(row.name, 80), clean_beginning(row.shown(0), min(longest, room))
        room -= len(name) + len(text)
        if table and room < 0:
            break
        table.append((name, text))
    for number, (row, (name, _)) in enumerate(zip(found, table, strict=False)):
        if row.length:
            table[number] = name, row.shown(len(table))
    return table if len(table) == len(found) else [*table, MORE]


def _flatten(name: str, value: Json, found: list[_Row], most: int, longest: int) -> None:
    if len(found) > most:
        return
    if isinstance(value, dict) and value and not blob(value):
        for key, item in value.items():
            _flatten(f"{name}.{key}" if name else str(key), item, found, most, longest)
    elif isinstance(value, list) and value:
        _flatten_list(name, value, found, most, longest)
    else:
        found.append(_Row(name or "data", say(value, longest)))


def _flatten_list(name: str, items: list[Json], found: list[_Row], most: int, longest: int) -> None:
    ends: list[int] = []
    if len(items) > SHORT_LIST:
        found.append(_Row(name or "data", length=len(items), ends=ends))
    for index, item in enumerate(items):
        _flatten(f"{name}[{index}]", item, found, most, longest)
        if len(found) > most:
            break
        ends.append(len(found))


def aligned(pairs: list[tuple[str, str]]) -> str:
    """Return rows as indented lines, with their texts aligned in one column."""
    width = min(max((len(name) for name, _ in pairs), default=0), 24)
    margin = "\n" + " " * (width + 4)
    return "".join(f"  {name.ljust(width)}  {text.replace(chr(10), margin)}\n" for name, text in pairs)


_UNESCAPED = re.compile(r"""[<>"']|&(?!(?:amp|lt|gt|quot|apos|#0?39|#34|#x27|#x22|#x2f|#x3d|#x60);)""", re.IGNORECASE)
_LAST_ESCAPE = re.compile("&[^;]{0,5}…$")
"""An escape whose end wasn't read."""


def unescaped(text: str) -> str:
    """Return a text without HTML's escapes if all of it is escaped, as two braces in a template do.

    Such a text contains no `<`, `>`, `&` or quote that isn't escaped.
    """
    return html.unescape(text) if "&" in text and not _UNESCAPED.search(text) else text


def say(value: Json, longest: int = MOST_SHOWN) -> str:
    """Return a JSON scalar, or binary data, as readable text, of which at most `longest` characters are shown."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if found := blob(value):
        return f"{found.media_type}, {len(found.content):,} bytes"
    if not isinstance(value, str):
        return str(value)
    read = _read(value, longest)
    return unescaped(read if read is value else _LAST_ESCAPE.sub("…", read))
