"""Render a notification as one text message: 160 GSM-7 septets. Pure."""

from alertgate.model import Kind
from alertgate.notify.context import MessageContext
from alertgate.notify.render import wording
from alertgate.notify.render.text import shorten, with_link


def sms(context: MessageContext) -> str:
    """Return severity, device, event and essence in one segment, 160 GSM-7 septets, and the link if that fits too."""
    news = [_NEWS[context.notification.kind]] if context.notification.kind in _NEWS and not context.resolved else []
    if context.incident.changes > wording.OFTEN:
        news.append(f"changed {context.incident.changes} times")
    details = [*news, wording.short_count(context), wording.earlier_in_short(context), wording.how_late(context)]
    brackets = f" ({', '.join(filter(None, details))})" if any(details) else ""
    essence = wording.essence(context.latest)
    text = f"{context.tag} {shorten(context.where, 32)}: {shorten(context.event, 44)}{brackets}"
    return with_link(text + (f" - {essence}" if essence else ""), context.link)


_NEWS = {Kind.ESCALATION: "got worse", Kind.REOPENING: "open again"}
