"""Discord's webhooks: `discord:https://discord.com/api/webhooks/ID/TOKEN`, with `?thread_id=…` to a thread."""

import math
import re
from datetime import datetime, timedelta
from json import dumps
from typing import Any
from urllib.parse import urlsplit

from alertgate.addresses import mask
from alertgate.model import ChannelName
from alertgate.notify.channels.base import Message, Outcome, Permanent, Reason, Sent, Transient
from alertgate.notify.channels.hook import Form, Hook, by_status, check_url, later, not_from, said_by
from alertgate.notify.channels.service import LONGEST_WAIT, Reply

LONGEST = 2000
"""Characters of a message; counted as UTF-16, the larger of the ways to count."""
LARGEST_FILE = 10 * 1024 * 1024
SUPPRESS_EMBEDS = 1 << 2
"""A flag: no preview of the link, for which Discord would fetch it."""

_MARKUP = re.compile(r"([\\*_~`|<>\[\]])")
_AT_BEGINNING = re.compile(r"^([ \t]*(?:\d+(?=\.))?)([#+.-])", re.MULTILINE)
"""Signs that form headings and lists only there; elsewhere their backslash would show."""
_GONE = frozenset({10003, 10015, 50027})  # unknown channel, unknown webhook, its token is invalid
_TOO_LARGE = 40005


def check_address(address: str) -> None:
    """Raise ValueError unless an address is that of a webhook."""
    check_url(address)
    if "/webhooks/" not in urlsplit(address).path:
        raise ValueError(
            f"{mask(address)!r} is not a webhook of Discord's: copy it from the channel's settings, Integrations; it "
            "begins with https://discord.com/api/webhooks/"
        )


def escape(text: str) -> str:
    """Return a text without markup and mentions."""
    return _AT_BEGINNING.sub(r"\1\\\2", _MARKUP.sub(r"\\\1", text))


def utf16(text: str) -> int:
    """Return how many code units of UTF-16 a text has."""
    return len(text.encode("utf-16-le", errors="surrogatepass")) // 2


def waited_for(address: str) -> str:
    """Return the address at which Discord answers only once the message is stored."""
    return f"{address}{'&' if '?' in address else '?'}wait=true"


def compose(message: Message) -> dict[str, Any]:
    """Return a message, with its picture, that mentions nobody."""
    said = plain(message)
    picture = message.picture
    if picture is None or len(picture.content) > LARGEST_FILE:
        return said
    file = (f"picture.{picture.subtype}", picture.content, f"image/{picture.subtype}")
    return {"data": {"payload_json": dumps(said["json"])}, "files": {"files[0]": file}}


def plain(message: Message) -> dict[str, Any]:
    """Return a message without its picture."""
    content = said_by(message, LONGEST, escape, utf16)
    return {"json": {"content": content, "allowed_mentions": {"parse": []}, "flags": SUPPRESS_EMBEDS}}


def outcome(reply: Reply, now: datetime) -> Outcome:
    """Return what an answer means."""
    said = reply.json
    code = said["code"] if isinstance(said.get("code"), int) else None
    words = f"{said.get('code')} {said.get('message', '')}" if said else None
    if reply.is_success:
        return _taken(reply)
    if reply.status == 429:
        return _limited(reply, now, words)
    if code in _GONE:
        return Permanent(Reason.NO_SUCH_RECIPIENT, reply.said(words))
    if code == _TOO_LARGE:
        return Permanent(Reason.TOO_LARGE, reply.said(words), of_content=True)
    if reply.status == 403 and not said:  # Cloudflare's, before Discord: about us, and nobody is to insist
        return Transient(Reason.TRY_LATER, reply.said(words), retry_in=timedelta(minutes=10))
    found = by_status(reply, now, words)
    return Transient(Reason.REFUSED, found.reply) if found.reason is Reason.NO_SUCH_RECIPIENT else found


def _taken(reply: Reply) -> Outcome:
    message_id = str(reply.json.get("id", ""))
    if message_id.isdigit():
        return Sent(f"{reply.status} id={message_id}")
    if reply.status == 204:
        return Sent("204: taken; Discord didn't say whether it is stored")
    return not_from("Discord", reply)


def _limited(reply: Reply, now: datetime, words: str | None) -> Transient:
    """Return for how long to wait: all of us, where it is the limit of all webhooks or of our address."""
    found = later(reply, now, words)
    asked = [
        found.retry_in,
        _seconds(reply.headers.get("x-ratelimit-reset-after")),
        _seconds(reply.json.get("retry_after")),
    ]
    wait = max((each for each in asked if each), default=None)
    is_global = reply.json.get("global") is True or "x-ratelimit-global" in reply.headers or not reply.json
    return Transient(Reason.TRY_LATER, found.reply, None if is_global else found.if_alone, retry_in=wait)


def _seconds(value: object) -> timedelta | None:
    try:
        seconds = float(str(value))
    except ValueError:
        return None
    return (
        timedelta(seconds=min(seconds, LONGEST_WAIT.total_seconds()))
        if seconds > 0 and not math.isnan(seconds)
        else None
    )


PROVIDER = Hook(
    Form(ChannelName.DISCORD, "Discord", compose, outcome, plain, url=waited_for, shows_itself=True),
    check_address=check_address,
    advice={
        Reason.NO_SUCH_RECIPIENT: "Discord's webhook is gone: make a new one in the channel's settings under "
        "Integrations, and write its address into the contact (docs/channels/discord.md)",
    },
)
