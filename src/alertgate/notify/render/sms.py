"""Render a notification as one text message: 160 GSM-7 septets. Pure."""

from alertgate.model import Kind
from alertgate.notify.context import MessageContext
from alertgate.notify.course import listed
from alertgate.notify.render import wording
from alertgate.notify.render.text import gsm7, shorten


def sms(context: MessageContext) -> str:
    """Return severity, device, event and essence in one segment: 160 GSM-7 septets."""
    news = [] if context.resolved else list(filter(None, [_news(context)]))
    if context.incident.changes > wording.OFTEN:
        news.append(f"changed {context.incident.changes} times")
    details = [*news, wording.short_count(context), wording.earlier_in_short(context), wording.how_late(context)]
    brackets = f" ({', '.join(filter(None, details))})" if any(details) else ""
    essence = wording.essence(context.latest)
    return gsm7(
        f"{context.tag} {shorten(context.where, 32)}: {shorten(context.event, 44)}{brackets}"
        + (f" - {essence}" if essence else "")
    )


_NEWS = {Kind.RISE: "got worse", Kind.REOPENING: "open again", Kind.UNANSWERED: "nobody answered"}


def _news(context: MessageContext) -> str | None:
    """Return why the message is sent, in a few words."""
    match context.notification.kind:
        case Kind.REMINDER:
            return wording.reminder(context)
        case Kind.HANDOFF if context.course.reached:
            return shorten(f"no answer from {listed(context.course.reached)}", 50)
        case Kind.HANDOFF:
            return "nobody answered"
        case Kind.ACKNOWLEDGEMENT if context.is_quiet:
            return shorten(f"by {context.incident.acknowledged_by}", 40)
    return _NEWS.get(context.notification.kind)
