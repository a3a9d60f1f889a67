"""Microsoft Teams by a workflow: `teams:https://…`, the address that its trigger for webhooks shows."""

import re
from datetime import datetime
from typing import Any

from alertgate.model import ChannelName, Json, Severity
from alertgate.notify.channels.base import Message, Outcome, Permanent, Reason, Sent, Transient
from alertgate.notify.channels.hook import Form, Hook, by_status, is_page, later, not_from
from alertgate.notify.channels.service import Reply
from alertgate.notify.render.text import shorten

LONGEST = 4000
"""Characters of the text: Teams takes about 28 KB, in practice 21, and each may take four bytes."""
LONGEST_TITLE = 200
_COLORS = {Severity.CRITICAL: "Attention", Severity.WARNING: "Warning", Severity.INFO: "Default"}
_IN_VAIN = re.compile(r"endpoint returned HTTP error (\d{3})")
"""What an address of the older kind answered with 200."""


def compose(message: Message) -> dict[str, Any]:
    """Return a card. Its runs of text know no markup, and nobody is mentioned."""
    brief = message.brief
    color = "Good" if brief and brief.over else _COLORS[brief.severity] if brief else "Default"
    title = _run(shorten(message.subject or "alertgate", LONGEST_TITLE), weight="Bolder", size="Medium", color=color)
    lines = [_run(line) for line in shorten(message.text, LONGEST).split("\n") if line.strip()]
    card: dict[str, Json] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [title, *lines],
    }
    if brief and brief.link:
        label = "I'm on it, or more" if brief.asks else "Open"
        card["actions"] = [{"type": "Action.OpenUrl", "title": label, "url": brief.link}]
    kind = "application/vnd.microsoft.card.adaptive"
    return {
        "json": {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": card}]},
    }


def _run(text: str, **form: Json) -> dict[str, Json]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **form}]}


def outcome(reply: Reply, now: datetime) -> Outcome:
    """Return what an answer means. A success only says that the workflow was started."""
    if reply.is_success:
        if is_page(reply):
            return not_from("Teams", reply)
        if vain := _IN_VAIN.search(reply.body[:1000].decode(errors="replace")):
            return later(reply, now) if vain[1] != "413" else Permanent(Reason.TOO_LARGE, reply.said(), of_content=True)
        return Sent(f"{reply.status}: the workflow was started")
    error = reply.json.get("error")
    words = f"{error.get('code')}: {error.get('message')}" if isinstance(error, dict) else None
    found = by_status(reply, now, words)
    # A workflow that is off, or whose address has expired, can be turned on again.
    return Transient(Reason.REFUSED, found.reply) if found.reason is Reason.FORMAT and _is_off(words) else found


def _is_off(words: str | None) -> bool:
    return bool(words and re.search("NotEnabled|Disabled|Suspended|Unauthorized|Authorization|NotFound", words))


PROVIDER = Hook(
    Form(ChannelName.TEAMS, "Teams", compose, outcome),
    advice={
        Reason.REFUSED: "the workflow refuses it: look in Teams under Workflows whether it is on, whether its trigger "
        "lets anyone start it, and whether its address is the one in the contact (docs/channels/teams.md)",
        Reason.FORMAT: "the workflow can't read the card: it has to begin with \"When a Teams webhook request is "
        'received" (docs/channels/teams.md)',
    },
)
