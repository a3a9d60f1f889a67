"""Programs: `webhook:https://…` gets a message as JSON, signed as Standard Webhooks says. docs/channels/webhook.md.

The specification: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import json
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from alertgate.clock import Clock
from alertgate.config import Settings
from alertgate.model import ChannelName, Json, Severity
from alertgate.notify.channels.base import Channel, Finding, Level, Message, Outcome, Reason
from alertgate.notify.channels.hook import Form, Hook, HookChannel, by_status, repeat_id
from alertgate.notify.channels.service import Reply
from alertgate.notify.render.push import VERSION

LARGEST = 20_000
"""Bytes of the body, as the specification recommends."""
PREFIX = "whsec_"


def body(message: Message, largest: int = LARGEST) -> bytes:
    """Return the JSON for a message, with as many incidents as fit: those that are open and severe first."""
    brief = message.brief
    facts = dict(brief.facts) if brief else {}
    incidents = facts.get("incidents")
    found = sorted(incidents, key=_urgency) if isinstance(incidents, list) else []
    said: dict[str, Json] = {
        "version": VERSION,
        "id": facts.get("id", message.message_id),
        "kind": facts.get("kind", "test"),
        "title": message.subject,
        "text": message.text,
        "severity": str(brief.severity) if brief else str(Severity.INFO),
        "link": brief.link if brief else None,
        "incidents": [],
        "incidents_left_out": len(found),
    }
    room = largest - len(_coded(said))
    kept = []
    for each in found:
        room -= len(_coded(each)) + 1
        if room < 0:
            break
        kept.append(each)
    return _coded({**said, "incidents": kept, "incidents_left_out": len(found) - len(kept)})


def _urgency(incident: Json) -> tuple[bool, int]:
    known = incident if isinstance(incident, dict) else {}
    severity = known.get("severity")
    return known.get("status") == "resolved", -Severity(severity).rank if isinstance(severity, str) else 0


def _coded(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def key_of(secret: str) -> bytes:
    """Return the key that a secret means: what is base64 after `whsec_`, or the text itself. Raises ValueError."""
    if not secret.startswith(PREFIX):
        return secret.encode()
    with suppress(ValueError):
        text = secret.removeprefix(PREFIX).rstrip("=")
        if key := base64.b64decode(text + "=" * (-len(text) % 4), validate=True):
            return key
    raise ValueError("WEBHOOK_SIGNING_SECRET begins with whsec_, but what follows isn't base64")


def signed(content: bytes, message_id: str, now: datetime, key: bytes | None) -> dict[str, str]:
    """Return the headers for a body that is sent now; without a key they hold no signature."""
    at = str(int(now.timestamp()))
    headers = {"Content-Type": "application/json", "webhook-id": message_id, "webhook-timestamp": at}
    if key is not None:
        digest = hmac.new(key, f"{message_id}.{at}.".encode() + content, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers


def compose(message: Message, now: datetime, key: bytes | None) -> dict[str, Any]:
    """Return what is sent. Every attempt has a new time, and those that say the same have the same id."""
    content = body(message)
    return {"content": content, "headers": signed(content, repeat_id(message), now, key)}


def outcome(reply: Reply, now: datetime) -> Outcome:
    """Return what an answer means. The receiver's words aren't ours to judge, only its status."""
    return by_status(reply, now)


class _Webhook(Hook):
    """The hook whose messages are signed."""

    def missing(self, settings: Settings) -> str | None:
        """Return what is wrong with the key."""
        try:
            _key(settings)
        except ValueError as error:
            return f"{error}: set it anew, or without whsec_"
        return None

    def from_settings(self, settings: Settings, clock: Clock) -> list[Channel]:
        """Return the channel, unless its key can't be read."""
        if self.missing(settings):
            return []
        key = _key(settings)
        form = replace(self._form, compose=lambda message: compose(message, clock.now(), key))
        return [HookChannel(form, settings, clock)]

    def findings(self, settings: Settings) -> list[Finding]:
        """Say what is wrong with the key."""
        lacks = self.missing(settings)
        return [Finding(Level.FAIL, str(self._form.name), lacks)] if lacks else []


def _key(settings: Settings) -> bytes | None:
    secret = settings.webhook_signing_secret
    return key_of(secret.get_secret_value()) if secret else None


PROVIDER = _Webhook(
    Form(
        ChannelName.WEBHOOK,
        "the receiver",
        lambda message: compose(message, message.date, None),
        outcome,
        repeats_safely=True,
    ),
    advice={
        Reason.NO_SUCH_RECIPIENT: "the receiver says that it is gone for good (410): take the contact out, or give "
        "it the new address",
        Reason.REFUSED: "the receiver refuses it, and it is tried again: 401 and 403 mean that the keys differ "
        "(WEBHOOK_SIGNING_SECRET), 404 that the address does, 3xx that it wants another address, which isn't followed",
        Reason.FORMAT: "the receiver can't read the body: docs/channels/webhook.md has its form",
    },
)
