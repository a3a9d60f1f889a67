"""What people do in Telegram's chats, as its updates tell it; anybody can write to a bot. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime

from alertgate.model import Json
from alertgate.notify.channels.telegram_bot import mapping, whole
from alertgate.notify.render.text import one_line

LONGEST_NAME = 60
_ACTS = {
    **dict.fromkeys(("ok", "okay", "ack", "acknowledge", "i'm on it", "im on it", "👍", "/ok", "/ack"), "acknowledge"),
    **dict.fromkeys(("snooze", "/snooze"), "snooze"),
}
ASKS = frozenset({"/start", "/id", "/help"})
"""What is answered with the chat's number, to whoever asks."""


@dataclass(frozen=True, slots=True)
class Press:
    """A button that somebody pressed."""

    id: str
    """By which Telegram is told what became of it."""
    chat: str
    is_private: bool
    who: str
    data: str


@dataclass(frozen=True, slots=True)
class Said:
    """A message that somebody wrote to the bot, or where it can read."""

    chat: str
    is_private: bool
    who: str
    number: int
    text: str
    reply_to: int | None = None
    written_at: datetime | None = None
    """When, by Telegram's clock."""

    @property
    def command(self) -> str:
        """What it says, in small letters, without the bot's name behind a command and without a full stop."""
        text = " ".join(self.text.lower().replace("’", "'").split()).rstrip(".! ")  # noqa: RUF001  (as phones write it)
        return text.partition(" ")[0].partition("@")[0] if text.startswith("/") else text

    @property
    def act(self) -> str | None:
        """What it asks to do, or None."""
        return _ACTS.get(self.command)

    @property
    def asks(self) -> bool:
        """Whether it asks how to go on."""
        return self.command in ASKS


def number_of(update: Json) -> int | None:
    """Return the number of an update, by which it is confirmed."""
    return whole(mapping(update).get("update_id"))


def read(update: Json) -> Press | Said | None:
    """Return what somebody did, or None if it is nothing that concerns us."""
    fields = mapping(update)
    if "callback_query" in fields:
        return _press(mapping(fields["callback_query"]))
    return _said(mapping(fields.get("message")))


def _press(query: dict[str, Json]) -> Press | None:
    chat = mapping(mapping(query.get("message")).get("chat"))
    number, query_id, data = whole(chat.get("id")), query.get("id"), query.get("data")
    if number is None or not isinstance(query_id, str) or not isinstance(data, str):
        return None
    return Press(query_id, str(number), chat.get("type") == "private", who(query.get("from")), data)


def _said(message: dict[str, Json]) -> Said | None:
    chat, sender = mapping(message.get("chat")), mapping(message.get("from"))
    where, number, text = whole(chat.get("id")), whole(message.get("message_id")), message.get("text")
    if where is None or number is None or not isinstance(text, str) or sender.get("is_bot") is True:
        return None
    reply_to = whole(mapping(message.get("reply_to_message")).get("message_id"))
    is_private, written_at = chat.get("type") == "private", _time(message.get("date"))
    return Said(str(where), is_private, who(sender), number, text[:200], reply_to, written_at)


def _time(value: Json) -> datetime | None:
    """Return a time in seconds since 1970; None for what is no time."""
    seconds = whole(value)
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None and 0 < seconds < 10**11 else None


def who(sender: Json) -> str:
    """Return what somebody calls themselves in Telegram, as one line; nobody checks that."""
    fields = mapping(sender)
    names = [each for each in (fields.get("first_name"), fields.get("last_name")) if isinstance(each, str)]
    user = fields.get("username")
    handle = f"@{user}" if isinstance(user, str) and user else ""
    return one_line(" ".join(names), LONGEST_NAME) or one_line(handle, LONGEST_NAME) or "somebody"
