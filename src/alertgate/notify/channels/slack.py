"""Slack's incoming webhooks: `slack:https://hooks.slack.com/services/…`. Mattermost and Rocket.Chat take the same."""

import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from alertgate.model import ChannelName
from alertgate.notify.channels.base import Message, Outcome, Permanent, Reason, Sent, Transient
from alertgate.notify.channels.hook import Form, Hook, by_status, later, not_from, said_by
from alertgate.notify.channels.service import Reply
from alertgate.notify.render.text import unmentioned

LONGEST = 3000
"""Characters, escaped. Slack cuts beyond 40,000."""

_WORD = re.compile(r"[a-z_]{2,60}")
_WORDS: Mapping[str, Reason] = MappingProxyType(
    {
        "no_service": Reason.NO_SUCH_RECIPIENT,
        "no_service_id": Reason.NO_SUCH_RECIPIENT,
        "no_team": Reason.NO_SUCH_RECIPIENT,
        "team_disabled": Reason.NO_SUCH_RECIPIENT,
        "user_not_found": Reason.NO_SUCH_RECIPIENT,
        "channel_not_found": Reason.NO_SUCH_RECIPIENT,
        "channel_is_archived": Reason.NO_SUCH_RECIPIENT,
        "invalid_token": Reason.NO_SUCH_RECIPIENT,
        "no_active_hooks": Reason.NO_SUCH_RECIPIENT,
        "action_prohibited": Reason.REFUSED,
        "posting_to_general_channel_denied": Reason.REFUSED,
    }
)
"""What ends an address. The status differs from time to time, so the words count."""
_UNREADABLE = frozenset({"invalid_payload", "invalid_blocks", "no_text", "too_many_attachments"})
_LATER = frozenset({"rollup_error", "rate_limited", "ratelimited"})


def escape(text: str) -> str:
    """Return a text that mentions nobody and links nowhere: `<!channel>`, or Mattermost's `@all`, rings all."""
    return unmentioned(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def compose(message: Message) -> dict[str, Any]:
    """Return a message as text that Slack doesn't format, and whose links it doesn't follow.

    `parse` stays as it is by default: `full` would mention, and `none` leaves the link as mere text.
    """
    quiet = {"mrkdwn": False, "link_names": False, "unfurl_links": False, "unfurl_media": False}
    return {"json": {"text": said_by(message, LONGEST, escape), **quiet}}


def plain(message: Message) -> dict[str, Any]:
    """Return a message with nothing but its text."""
    return {"json": {"text": said_by(message, LONGEST, escape)}}


def outcome(reply: Reply, now: datetime) -> Outcome:
    """Return what an answer means."""
    said = reply.body[:200].decode(errors="replace").strip()
    if reply.status == 200:
        return Sent("200 ok") if said == "ok" or reply.json.get("ok") is True else _by_words(said, reply, now)
    if reply.is_success:
        return not_from("Slack", reply)
    return _by_words(said, reply, now)


def _by_words(said: str, reply: Reply, now: datetime) -> Outcome:
    word = said if _WORD.fullmatch(said) else ""
    if reason := _WORDS.get(word):
        return Permanent(reason, reply.said())
    if word in _UNREADABLE:
        return Permanent(Reason.FORMAT, reply.said(), of_content=True)
    if word in _LATER:
        return later(reply, now)
    if reply.is_success:
        return not_from("Slack", reply)
    found = by_status(reply, now)
    # Without its own words it isn't Slack that says so.
    return Transient(Reason.REFUSED, found.reply) if found.reason is Reason.NO_SUCH_RECIPIENT else found


PROVIDER = Hook(
    Form(ChannelName.SLACK, "Slack", compose, outcome, plain),
    advice={
        Reason.NO_SUCH_RECIPIENT: "Slack's webhook or its channel is gone: make one at https://api.slack.com/apps "
        "and write its address into the contact (docs/channels/slack.md)",
        Reason.REFUSED: "Slack refuses this webhook: an administrator has to allow apps to post to its channel",
    },
)
