"""What ntfy is sent: a message's fields as JSON, or as headers beside a picture. Pure.

https://docs.ntfy.sh/publish/ has the fields and their limits.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from alertgate.characters import cut
from alertgate.model import Severity
from alertgate.notify.channels.base import Brief, Message

LONGEST_MESSAGE = 4096
"""Bytes; what is longer becomes an attachment."""
LONGEST_TITLE = 250
"""Bytes; a phone shows less."""

_TAGS = MappingProxyType(
    {
        "RESOLVED": "white_check_mark",
        "ACKNOWLEDGED": "raised_hand",
        "SNOOZED": "zzz",
        "SILENCED": "mute",
        "CRITICAL": "rotating_light",
        "WARNING": "warning",
        "INFO": "information_source",
    }
)
"""Names of emoji (https://docs.ntfy.sh/emojis/)."""


def fully(message: Message) -> dict[str, Any]:
    """Return the fields of a message, but for its topic. Pure."""
    said: dict[str, Any] = {
        "message": fit(message.text, LONGEST_MESSAGE),
        "title": fit(message.subject or "", LONGEST_TITLE),
        "priority": priority(message),
    }
    if brief := message.brief:
        tag = _TAGS.get("RESOLVED" if brief.over else brief.tag)
        fields = {"tags": [tag] if tag else [], "click": brief.link, "actions": _buttons(brief)}
        said |= {name: value for name, value in fields.items() if value}
        said["sequence_id"] = brief.notification_id
    return said


def plainly(message: Message) -> dict[str, Any]:
    """Return the fields of a message as text alone, with the link in it. Pure."""
    link = f"\n{message.brief.link}" if message.brief and message.brief.link else ""
    return {
        "message": fit(message.text, LONGEST_MESSAGE - len(link.encode())) + link,
        "title": fit(message.subject or "", LONGEST_TITLE),
        "priority": priority(message),
    }


def priority(message: Message) -> int:
    """Return 5 for what must wake somebody, down to 2 for what makes no sound."""
    brief = message.brief
    if message.urgent:
        return 5
    if brief is None:
        return 4
    if brief.is_quiet:
        return 2
    return 4 if brief.asks or brief.severity is Severity.CRITICAL else 3


def _buttons(brief: Brief) -> list[dict[str, Any]]:
    """Return the buttons by which the phone answers at the link, without opening a page."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return [
        {
            "action": "http",
            "label": answer.label,
            "url": brief.link,
            "method": "POST",
            "headers": form,
            "body": answer.form,
            "clear": True,
        }
        for answer in brief.answers
        if brief.link
    ]


def as_headers(said: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields as headers, as they are needed beside a picture: ASCII alone, any other text by RFC 2047."""
    found = {}
    for name, value in said.items():
        text = json.dumps(value) if name == "actions" else ",".join(value) if name == "tags" else str(value)
        is_plain = text.isascii() and text.isprintable() and text.strip() == text and not text.startswith("=?")
        encoded = f"=?UTF-8?B?{b64encode(text.encode()).decode()}?="
        found["X-Sequence-ID" if name == "sequence_id" else f"X-{name.title()}"] = text if is_plain else encoded
    return found


def fit(text: str, longest: int) -> str:
    """Return text of at most so many bytes, cut between characters as readers see them."""
    content = text.encode(errors="replace")
    if len(content) <= longest:
        return content.decode()
    kept = content[: longest - len("…".encode())].decode(errors="ignore")
    return cut(content.decode(), len(kept)) + "…"
