"""The message with a link to sign in to the console by, and the contacts that get it. Pure."""

from datetime import datetime

from alertgate.model import ChannelName, Severity, Target
from alertgate.notify.channels.base import Brief, Message
from alertgate.notify.gateways import is_text_message
from alertgate.notify.render.push import VERSION
from alertgate.notify.render.text import one_line
from alertgate.session import LINK_LASTS

OF_ONE_PERSON = frozenset(
    {
        *(ChannelName.EMAIL, ChannelName.SMS, ChannelName.OUTBOX, ChannelName.TWILIO),
        *(ChannelName.NTFY, ChannelName.PUSHOVER, ChannelName.TELEGRAM),
    }
)
"""The channels that reach one person's mailbox or phone. In the rooms of chats others read along, programs write what
they get into logs, and a call can't hold a link."""
_GROUP = "-"
"""What the id of a group in Telegram begins with."""
_MINUTES = f"{LINK_LASTS.total_seconds() / 60:.0f} minutes"


def is_of_one_person(target: Target) -> bool:
    """Tell whether what goes to a contact is read by one person, as far as its channel shows."""
    channel, address = target
    return channel in OF_ONE_PERSON and not (channel is ChannelName.TELEGRAM and address.startswith(_GROUP))


def message(target: Target, person: str, url: str, message_id: str, domain: str, local: datetime) -> Message:
    """Return the message to one contact; it makes no sound where that can be said: who asked is looking."""
    channel, address = target
    full_id = f"{message_id}@{domain}"
    if is_text_message(channel, address):
        return Message(address, f"Sign in to alertgate: {url}", full_id, f"sign-in.{full_id}", local)
    name = one_line(person, 60)
    text = (
        f"Somebody asked to sign in as {name}. If it was you, open the link within {_MINUTES}, and press its button; "
        "it works once. If it wasn't, there is nothing to do: without the link nobody gets in."
    )
    subject = "[SIGN IN] Your link to the console of alertgate"
    if channel in {ChannelName.EMAIL, ChannelName.OUTBOX}:
        return Message(address, f"{text}\n\n{url}\n", full_id, f"sign-in.{full_id}", local, subject)
    facts = {"version": VERSION, "id": message_id, "kind": "sign_in", "incidents": [], "link": url}
    brief = Brief(message_id, "SIGN IN", Severity.INFO, link=url, facts=facts)
    return Message(address, text, full_id, f"sign-in.{full_id}", local, subject, brief=brief)
