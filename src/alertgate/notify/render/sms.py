"""Render a notification as one text message: 160 GSM-7 septets. Pure."""

from alertgate.model import Kind
from alertgate.notify.context import MessageContext
from alertgate.notify.course import listed
from alertgate.notify.news import tells_who_pressed
from alertgate.notify.render import wording
from alertgate.notify.render.hand_back_words import is_handed_back
from alertgate.notify.render.text import short_ids, shorten, with_link


def sms(context: MessageContext) -> str:
    """Return severity, device, event, value, time and the rest in one segment, and the link if that fits too.

    A segment has 160 GSM-7 septets.
    """
    news = [] if context.resolved else list(filter(None, [_news(context)]))
    if context.incident.changes > wording.OFTEN:
        news.append(f"changed {context.incident.changes} times")
    details = [*news, wording.short_count(context), wording.earlier_in_short(context), wording.how_late(context)]
    brackets = f" ({', '.join(filter(None, details))})" if any(details) else ""
    event = shorten(context.event, 44)
    what = context.reading.after(event) if context.reading else event
    rest = wording.rest(context)
    at = "" if context.own else f" at {wording.short_time(context)}"  # an own message says since when itself
    text = f"{context.tag} {shorten(short_ids(context.where), 32)}: {what}{at}{brackets}"
    return with_link(text + (f" - {rest}" if rest else ""), context.link)


_NEWS = {Kind.RISE: "got worse", Kind.REOPENING: "open again", Kind.UNANSWERED: "nobody answered"}


def _news(context: MessageContext) -> str | None:
    """Return why the message is sent, in a few words."""
    match context.notification.kind:
        case Kind.REMINDER:
            return wording.reminder(context)
        case Kind.HANDOFF:
            reached = context.course.reached
            return shorten(f"no answer from {listed(reached)}", 50) if reached else "nobody answered"
        case Kind.SILENCE if context.is_silenced and context.silence:
            return f"by {shorten(context.silence.author, 40)} until {context.minute(context.silence.over_at)}"
        case Kind.ACKNOWLEDGEMENT if context.is_quiet:
            return _who_has_it(context)
        case Kind.REOPENING if is_handed_back(context.incident):
            return f"{shorten(context.incident.acknowledged_by or 'somebody', 30)} can't: nobody has it"
    return _NEWS.get(context.notification.kind)


def _who_has_it(context: MessageContext) -> str:
    """Return who has acknowledged it, or for how long somebody wants no more than quiet."""
    if tells_who_pressed(context.notification, context.incident):
        return "by the button of a message to you"
    until, by = context.incident.snoozed_until, f"by {context.incident.acknowledged_by}"
    return f"{shorten(by, 30)} until {context.minute(until)}" if until else shorten(by, 40)
