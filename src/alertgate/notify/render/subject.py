"""Render the subject of a mail about an incident. Pure."""

from alertgate.notify.context import MessageContext
from alertgate.notify.render.reading import Reading
from alertgate.notify.render.text import one_line
from alertgate.notify.render.wording import how_late
from alertgate.notify.sender_clock import happened

LONGEST_SUBJECT = 140
LONGEST_TITLE = 128
"""With any severity before it, a title isn't cut once more."""


def subject(context: MessageContext) -> str:
    """Return a subject such as `[CRITICAL] Freezer: temperature 9.4 °C`; later `[CRITICAL, now 11.8 °C] Freezer: …`.

    Only what is in brackets changes during an incident, so that Gmail shows the incident as one conversation; the rest
    has the value with which it began. Gmail requires References to the same id *and* the same subject
    (workspaceupdates.googleblog.com, 2019-03-29), but ignores `Re:` and a prefix in square brackets (seen in
    github.com/TwiN/gatus/issues/1563 and getredash/redash/issues/1144), as IMAP's base subject does (RFC 5256, 2.1). A
    count or a new value behind the brackets would start a new conversation with each update.
    """
    first = None if context.unreadable else context.first_reading
    named = f"{context.where}: {context.event}"
    title = f"{context.where}: {first.after(context.event)}" if first else named
    # A value that doesn't fit is left out: half of it would be another one.
    title = title if len(title) <= LONGEST_TITLE else one_line(named, LONGEST_TITLE)
    news = "" if context.unreadable else _news(context, first)
    news = news if len(f"[{context.tag}{news}] {title}") <= LONGEST_SUBJECT else ""
    return one_line(f"[{context.tag}{news}] {title}", LONGEST_SUBJECT)


def _news(context: MessageContext, first: Reading | None) -> str:
    """Return what the brackets say of the value: how it is *now*, or else what is *last* known of it.

    They say nothing if the value behind them is the newest one of an open incident.
    """
    newest, *_ = by_time = sorted(context.alerts, key=happened, reverse=True)
    known = next(filter(None, map(context.reading_of, by_time)), first)
    is_first = context.incident.alert_count == 1 and not context.resolved
    if known is None or is_first:
        return ""
    is_said = newest is context.latest and context.reading_of(newest) is not None and how_late(context) is None
    is_now = is_said and (context.ended_by_alert or not context.resolved)
    is_news = first is None or str(known) != str(first)
    if is_now and not is_news and not context.resolved:
        return ""
    value = known.value if first and known.name == first.name else str(known)
    return f", now {value}" if is_now and is_news else f", last {value}"
