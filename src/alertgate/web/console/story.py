"""What the pages of an incident and of an alert have in common: words, data, pictures, and what happened. Pure.

Text of devices and servers is made harmless here: what would reorder or hide text is shown as an escape.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from alertgate.characters import cut, escaped, replace_deceptive
from alertgate.model import Alert, Json
from alertgate.notify.render import content
from alertgate.notify.render.pictures import pictures
from alertgate.notify.render.text import rows
from alertgate.prove.told_events import Event
from alertgate.store.failures import Failure
from alertgate.web.console.hiding import Hide

LONGEST_LINE = 500
MOST_SHOWN = 16_384
"""Characters of what was received, and bytes of what is no text."""
MOST_DUMPED = 2048
_WEB = re.compile(r"https?://[!#-&(-;=?-\[\]_a-z~]{3,1000}", re.IGNORECASE)
"""A web address, whole and in ASCII."""


class Happening(NamedTuple):
    """One event of a story."""

    at: datetime
    text: str
    alert_id: str | None


class Cell(NamedTuple):
    """One row of a table of what was sent. `href` is what its text is, if that is a web address."""

    name: str
    text: str
    href: str | None


class Shot(NamedTuple):
    """A picture in an alert: its address, what it is, and how large."""

    src: str
    text: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A notification that failed, with which nobody has dealt."""

    id: str
    to: str
    at: datetime
    lines: tuple[str, ...]


class Raw(NamedTuple):
    """What was received, as far as it is shown. `kind` says what it is shown as."""

    kind: str
    text: str
    left_out: str
    """How much isn't shown; empty if nothing is left out."""


def happenings(events: Sequence[Event], hide: Hide, *, oldest_first: bool) -> list[Happening]:
    """Return the events of a story; those of one time keep their order."""
    found = [Happening(event.at, line(hide(event.text)), event.alert_id) for event in events]
    return found if oldest_first else found[::-1]


def line(text: str, longest: int = LONGEST_LINE) -> str:
    """Return a text as one line, in which what could deceive is an escape."""
    short = text if len(text) <= longest else f"{cut(text, longest)}…"
    return escaped(" ".join(short.split()))


def table(value: Json, *, most: int = 40, room: int = 4000) -> list[Cell]:
    """Return a JSON value as the rows of a table."""
    found = rows(value, most=most, room=room)
    return [Cell(name, text, text if _WEB.fullmatch(text) else None) for name, text in found]


def words_and_data(alert: Alert, *, room: int = 4000) -> tuple[str, list[Cell]]:
    """Return what an alert says, in words and as a table; either may be empty."""
    shown = table(alert.data, room=room) if content.is_table(alert) else []
    return content.words(alert, room) or "", shown


def shots(alert: Alert) -> list[Shot]:
    """Return the pictures in an alert."""
    return [
        Shot(
            f"/alerts/{alert.id}/picture/{number}",
            f"Picture {number + 1}: {each.media_type}, {len(each.content):,} bytes",
        )
        for number, each in enumerate(pictures(alert.data))
    ]


def also_sent(alert: Alert) -> list[Cell]:
    """Return the fields beside the data as the rows of a table."""
    return table(alert.fields, room=4000) if alert.fields else []


def failed(failures: Iterable[tuple[Failure, str, Sequence[str]]], hide: Hide) -> tuple[Failed, ...]:
    """Return failures as a page shows them; each comes with whom it was for, and why it failed."""
    return tuple(
        Failed(
            each.notification.id,
            line(hide(to)),
            each.notification.finished_at or each.notification.created_at,
            tuple(line(hide(each)) for each in why),
        )
        for each, to, why in failures
    )


def received(value: Json) -> Raw:
    """Return a JSON value as it was received, laid out."""
    return _text("JSON", json.dumps(value, ensure_ascii=False, indent=2))


def body(raw: bytes, most: int = MOST_SHOWN) -> Raw:
    """Return a body that couldn't be read: as text where it is text, or else as a hex dump of its beginning."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = None
    if text is not None and not _CONTROLS.search(text):
        return _text("text", text, most)
    beginning = raw[: min(most // 8, MOST_DUMPED)]
    left_out = len(raw) - len(beginning)
    return Raw("bytes, in hexadecimal", "\n".join(_dump(beginning)), f"{left_out:,} more bytes" if left_out else "")


_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
"""What no text has; the escape of terminals is text, and is shown as such."""


def _text(kind: str, text: str, most: int = MOST_SHOWN) -> Raw:
    left_out = len(text) - most
    shown = replace_deceptive(text[:most].replace("\r\n", "\n"), escaped)
    return Raw(kind, shown, f"{left_out:,} more characters" if left_out > 0 else "")


def _dump(raw: bytes) -> Iterator[str]:
    for start in range(0, len(raw), 16):
        part = raw[start : start + 16]
        seen = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
        yield f"{start:08x}  {part.hex(' '):<47}  {seen}"
