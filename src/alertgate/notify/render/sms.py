"""Render a notification as one text message: 160 GSM-7 septets. Pure."""

from alertgate.model import Kind
from alertgate.notify.context import MessageContext
from alertgate.notify.render import wording
from alertgate.notify.render.text import gsm7, shorten


def sms(context: MessageContext) -> str:
    """Return severity, device, event and essence in one segment: 160 GSM-7 septets."""
    details = [wording.short_count(context), wording.how_late(context)]
    if context.notification.kind is Kind.ESCALATION and not context.resolved:
        details.insert(0, "got worse")
    brackets = f" ({', '.join(filter(None, details))})" if any(details) else ""
    essence = wording.essence(context.latest)
    return gsm7(
        f"{context.tag} {shorten(context.where, 32)}: {shorten(context.event, 44)}{brackets}"
        + (f" - {essence}" if essence else "")
    )
