"""Render a notification as one text message: 160 GSM-7 septets. Pure."""

from alertgate.model import Kind
from alertgate.notify.context import MessageContext
from alertgate.notify.render import wording
from alertgate.notify.render.text import gsm7, short_ids, shorten


def sms(context: MessageContext) -> str:
    """Return severity, device, event, value, time and the rest in one segment: 160 GSM-7 septets."""
    news = [_NEWS[context.notification.kind]] if context.notification.kind in _NEWS and not context.resolved else []
    if context.incident.changes > wording.OFTEN:
        news.append(f"changed {context.incident.changes} times")
    details = [*news, wording.short_count(context), wording.earlier_in_short(context), wording.how_late(context)]
    brackets = f" ({', '.join(filter(None, details))})" if any(details) else ""
    event = shorten(context.event, 44)
    what = context.reading.after(event) if context.reading else event
    rest = wording.rest(context)
    at = "" if context.own else f" at {wording.short_time(context)}"  # an own message says since when itself
    return gsm7(
        f"{context.tag} {shorten(short_ids(context.where), 32)}: {what}{at}{brackets}" + (f" - {rest}" if rest else "")
    )


_NEWS = {Kind.ESCALATION: "got worse", Kind.REOPENING: "open again"}
