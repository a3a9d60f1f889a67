"""What a message says in Telegram, and what its buttons hand back. Pure.

Devices write into these texts. Markup is escaped, and a name behind an `@` is no mention: it would ring somebody.
"""

import re
from html import escape
from typing import NamedTuple

from alertgate.characters import cut
from alertgate.model import Json
from alertgate.notify.channels.base import Brief, Message
from alertgate.notify.render.text import unmentioned

LONGEST = 4096
LONGEST_CAPTION = 1024
"""UTF-16 code units, without markup: Telegram counts no more than these, and an emoji as two."""
_COMMAND = re.compile(r"/(?=(?:ok|ack|snooze)\b)", re.IGNORECASE)
_LETTERS = {"acknowledge": "a", "snooze": "s"}
_DATA = re.compile(r"([as]):([\w-]{1,36}):([0-9a-f]{10})")


class Draft(NamedTuple):
    """A message's title, text and link, cut to what Telegram takes."""

    title: str
    text: str
    link: str

    @property
    def html(self) -> str:
        """The message as Telegram's HTML."""
        title = f"<b>{escape(self.title, quote=False)}</b>" if self.title else ""
        parts = (title, escape(self.text, quote=False), escape(self.link, quote=False))
        return "\n".join(filter(None, parts))

    @property
    def plain(self) -> str:
        """The message without markup."""
        return "\n".join(filter(None, self))


def draft(message: Message, longest: int = LONGEST) -> Draft:
    """Return what a message says, in so many units; its link is kept whole."""
    link = (message.brief.link if message.brief else None) or ""
    room = longest - units(link) - 2  # for the line feeds
    title = shorten(_harmless(message.subject or ""), room)
    return Draft(title, shorten(_harmless(message.text), room - units(title)), link)


def units(text: str) -> int:
    """Return how many UTF-16 code units a text has."""
    return len(text.encode("utf-16-le", errors="surrogatepass")) // 2


def shorten(text: str, longest: int) -> str:
    """Return a text in so many units, cut between characters, with an ellipsis if anything is cut."""
    if units(text) <= longest:
        return text
    room = max(longest - 1, 0)
    kept = cut(text, room)
    while units(kept) > room:
        kept = cut(kept, max(len(kept) - max((units(kept) - room) // 2, 1), 0))
    return f"{kept}…" if longest > 0 else ""


def _harmless(text: str) -> str:
    """Return a text that mentions nobody, and in which no touch sends a command of ours."""
    return _COMMAND.sub("/\u2060", unmentioned(text))


def keyboard(brief: Brief | None) -> Json:
    """Return the buttons that answer a message, or None if it asks for no answer."""
    if brief is None or not (brief.acts and brief.shown):
        return None
    known = [(act, label) for act, label in brief.acts if act in _LETTERS]
    row = [
        {"text": label, "callback_data": f"{_LETTERS[act]}:{brief.notification_id}:{brief.shown}"}
        for act, label in known
    ]
    return {"inline_keyboard": [row]}


class Pressed(NamedTuple):
    """What a button hands back."""

    act: str
    notification_id: str
    shown: str


def unpack(data: str) -> Pressed | None:
    """Return what a button of ours means; None for any other text: whoever can see a message can send one."""
    found = _DATA.fullmatch(data)
    if found is None:
        return None
    [act] = [act for act, letter in _LETTERS.items() if letter == found[1]]
    return Pressed(act, found[2], found[3])
