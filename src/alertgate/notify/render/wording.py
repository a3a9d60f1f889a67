"""The sentences in messages. Pure."""

from dataclasses import replace

from alertgate.model import (
    BEGINNINGS,
    FIRST_NEWS,
    Alert,
    Incident,
    IncidentStatus,
    Kind,
    Resolution,
    Source,
)
from alertgate.notify.context import MessageContext, duration, late
from alertgate.notify.course import listed, ordinal
from alertgate.notify.names import part_name
from alertgate.notify.news import tells_who_pressed
from alertgate.notify.render.content import essence, gist
from alertgate.notify.render.hand_back_words import handed_back
from alertgate.notify.render.silence_words import who_silenced_it
from alertgate.notify.render.text import one_line, shorten
from alertgate.notify.sender_clock import SenderClock, happened, sender_clock
from alertgate.own_events import AWAY_EVENT, HINTS
from alertgate.prove import watch_words
from alertgate.prove.hint_words import LEAD
from alertgate.words import folded


def lead(context: MessageContext, *, above: bool = True) -> str:
    """Return the first sentences: why this message is sent now. `above` says whether the alert stands over them."""
    incident = context.incident
    if context.resolved:
        return _end(context)
    if context.is_silenced:
        return who_silenced_it(context)
    if context.is_quiet:
        return _who_has_it(context)
    sentences = _news(context)
    if context.own:
        return " ".join([*sentences, _own_lead(context)])
    if incident.alert_count > 1:
        sentences.append(f"{count(context)}, since {context.minute(incident.opened_at)}.")
    if context.unreadable:
        subject = "The latest alert" if incident.alert_count > 1 else "An alert arrived that"
        sentences.append(f"{subject} can't be read: {REMEDY} in Particle's console.")
        sentences.append("It is stored in full, and shown below as received.")
    elif above and incident.alert_count > 1 and essence(context.latest):
        sentences.append("The latest is above.")
    return " ".join(sentences) or "A new alert."


def button(status: IncidentStatus) -> str:
    """Return what the link of a message is called: what its reader may want to do, once it is opened."""
    return "I'm on it" if status is IncidentStatus.OPEN else "What became of it"


REMEDY = "run `alertgate particle-template` and replace the webhook"
"""What to do about an alert that can't be read."""

OFTEN = 3
"""From more changes on, a message says how often an incident changed."""


def _news(context: MessageContext) -> list[str]:
    """Return the sentences about what happened to an open incident besides its latest alert."""
    incident = context.incident
    news = []
    if context.notification.kind is Kind.RISE:
        news.append(f"It got worse: now {incident.severity}.")
    if context.notification.kind is Kind.REOPENING:
        news.append(handed_back(incident) or _open_again(context))
    news += [*filter(None, [who_silenced_it(context)]), *_course(context)]
    if incident.changes > OFTEN:
        news.append(f"It changed {incident.changes} times, and is open now.")
    return news


def _open_again(context: MessageContext) -> str:
    """Say why it is open again: an alert came after its end, or nobody has it any more."""
    incident = context.incident
    if incident.acknowledged_at is None:
        return "It is open again."
    by = one_line(incident.acknowledged_by or "somebody", 60)
    if incident.snoozed_until:
        return f"It is open again: {by} had snoozed it until {context.minute(incident.snoozed_until)}."
    since = context.minute(incident.acknowledged_at)
    return f"It is open again: {by} acknowledged it at {since}, but alerts go on."


def _who_has_it(context: MessageContext) -> str:
    """Say who has acknowledged it. It is all that such a message says."""
    incident = context.incident
    by = one_line(incident.acknowledged_by or "somebody", 60)
    at = context.minute(incident.acknowledged_at or context.now)
    if tells_who_pressed(context.notification, incident):
        return _pressed(context, at)
    if incident.snoozed_until:
        return f"{by} has snoozed it until {context.minute(incident.snoozed_until)}. Then it starts anew."
    return f"{by} has it: acknowledged at {at}. You needn't do anything."


def _pressed(context: MessageContext, at: str) -> str:
    """Say to whose message's button did it what that did: a mail scanner may have pressed it."""
    snoozed_until = context.incident.snoozed_until
    if snoozed_until:
        did = f"Snoozed at {at} until {context.minute(snoozed_until)}"
        now = "Until then nothing more is sent about it, unless it gets worse."
    else:
        did = f"Acknowledged at {at}"
        now = "Nothing more is sent about it, unless it gets worse or goes on for hours."
    unless = "If that wasn't you but a mail scanner, nobody has it: please look."
    return f"{did} by the button of a message to you. {now} {unless}"


def _course(context: MessageContext) -> list[str]:
    """Return how far the escalation has come, if that is why the message is sent."""
    told = told_before(context)
    match context.notification.kind:
        case Kind.HANDOFF:
            return [f"Nobody has acknowledged it: {told}."]
        case Kind.REMINDER:
            return [f"{reminder(context)}: nobody has acknowledged it."]
        case Kind.UNANSWERED:
            return [f"Nobody has answered in {open_for(context)}: {told}. There are no more reminders."]
    return []


def told_before(context: MessageContext) -> str:
    """Return who else was told, and who couldn't be."""
    course = context.course
    reached, unreached = (tuple(one_line(name, 40) for name in names) for names in (course.reached, course.unreached))
    parts = [
        f"{listed(reached)} {_was(reached)} told" if reached else "",
        f"{listed(unreached)} couldn't be reached yet" if unreached else "",
    ]
    return " and ".join(filter(None, parts)) or "nobody else was told"


def _was(names: tuple[str, ...]) -> str:
    return "were" if len(names) > 1 else "was"


def reminder(context: MessageContext) -> str:
    """Return which reminder it is, and how long it has been open, such as `3rd reminder, open for 25 min`."""
    return f"{ordinal(max(context.course.reminders, 1))} reminder, open for {open_for(context)}"


def open_for(context: MessageContext) -> str:
    """Return for how long it has been open without anybody who has it."""
    return duration(context.now - (context.incident.first_firing_at or context.incident.opened_at))


def _own_lead(context: MessageContext) -> str:
    """Return what an own alert is. It says how often a trouble occurred; a reader needs no number of such alerts."""
    if context.incident.event in HINTS:
        return LEAD
    begins = context.notification.kind in BEGINNINGS or context.incident.event == AWAY_EVENT
    return watch_words.lead(context.incident) if begins else "It goes on."


def _end(context: MessageContext) -> str:
    """Return the sentences about how an incident ended."""
    incident = context.incident
    ended_at = incident.resolved_at or incident.last_alert_at
    already = " already" if context.notification.kind in FIRST_NEWS else ""
    over = f"It is{already} over: resolved at {context.minute(ended_at)}"
    began = f"It began at {context.minute(incident.opened_at)}"
    often = f" It changed {incident.changes} times." if incident.changes > OFTEN else ""
    if context.own:
        by_person = _ended_how(incident) if incident.resolution is Resolution.PERSON else ""
        return f"{over}{by_person}. {began}.{often}"
    return f"{over}{_ended_how(incident)}. {began}: {count(context)}.{often}"


def _ended_how(incident: Incident) -> str:
    match incident.resolution:
        case Resolution.SILENCE:
            return ", because no more alerts came"
        case Resolution.ALERT:
            return " by its sender"
        case Resolution.PERSON:
            return f" by {one_line(incident.resolved_by or 'somebody', 60)}"
        case None:
            return ""


_ONE = "1 alert"


def count(context: MessageContext) -> str:
    """Return the number of alerts and their time span, such as `37 alerts in 12 min`."""
    incident = context.incident
    # `alert_count` includes the alert that resolved the incident, but readers don't count that one.
    ending = context.resolved and incident.resolution is Resolution.ALERT
    shown = max(incident.alert_count - ending, 1)
    if shown == 1:
        return _ONE
    return f"{shown:,} alerts in {duration(incident.last_alert_at - incident.opened_at)}"


def short_count(context: MessageContext) -> str | None:
    """Return the same for use in brackets, or None for a single alert or for alertgate's own."""
    if context.own:
        return None
    text = count(context)
    return None if text == _ONE else text


def notes(context: MessageContext, *, left_out: bool) -> list[str]:
    """Return what a reader must know first: delays, an acknowledgement, a missing picture."""
    latest, incident = context.latest, context.incident
    found = [*_earlier_notes(context), *_clock_notes(context)]
    if delay := late(latest.received_at - happened(latest)):
        found.append(f"The alert arrived {delay} late, at {context.time(latest.received_at)}.")
    if delay := late(context.now - context.wanted_at):
        found.append(f"This message is {delay} late: it couldn't be sent earlier.")
    released_at = context.notification.released_at
    if released_at and released_at > context.notification.created_at:
        found.append(f"It was held until {context.minute(released_at)}.")
    if (
        incident.status is IncidentStatus.ACKNOWLEDGED
        and incident.acknowledged_at
        and context.tag not in {"ACKNOWLEDGED", "SNOOZED"}
    ):
        by = one_line(incident.acknowledged_by or "somebody", 60)
        found.append(f"Acknowledged by {by} at {context.minute(incident.acknowledged_at)}.")
    if left_out:
        found.append(
            "The picture was left out, because the mail server rejected the message as too large. The API has it, "
            "under the alert's id below."
        )
    return found


def _earlier_notes(context: MessageContext) -> list[str]:
    """Return how much there was before of which the reader wasn't told."""
    earlier = context.earlier
    if earlier is None or context.own:
        return []
    since = context.day_minute(earlier.since, "%A")
    if earlier.alerts == 1:
        return [f"It isn't the first: you weren't told of an earlier alert, from {since}."]
    return [f"It isn't the first: you weren't told of {earlier.alerts:,} earlier alerts, since {since}."]


def earlier_in_short(context: MessageContext) -> str | None:
    """Return the same for use in brackets, or None if there was nothing before."""
    return f"{context.earlier.alerts:,} before not told" if context.earlier and not context.own else None


def _clock_notes(context: MessageContext) -> list[str]:
    """Return what is wrong with the time that the latest alert's sender says."""
    latest = context.latest
    if latest.published_at is None:
        return []
    says = f"it says {context.time(latest.published_at)}"
    match sender_clock(latest):
        case SenderClock.AHEAD:
            ahead = duration(latest.published_at - latest.received_at)
            return [f"The {_sender(latest)}'s clock is ahead: {says}, {ahead} after the alert was received."]
        case SenderClock.WRONG:
            return [f"The {_sender(latest)}'s clock is wrong: {says}. The time above is when the alert was received."]
    return []


def _sender(alert: Alert) -> str:
    return "device" if alert.source is Source.PARTICLE else "sender"


def facts(context: MessageContext, longest: int) -> list[tuple[str, str]]:
    """Return the rows that identify the device, event, alert and incident."""
    incident, latest = context.incident, context.latest
    found = [("Severity", str(incident.severity))]
    if incident.device and not watch_words.is_of_many(incident):
        named = f"{context.device_name} ({incident.device})" if context.device_name else incident.device
        found.append((_LABELS[incident.source], one_line(named, longest)))
    return [
        *found,
        ("Event", one_line(incident.event, longest)),
        ("Received", context.time(latest.received_at)),
        ("Alert", latest.id),
        ("Incident", incident.id),
    ]


_LABELS = {Source.PARTICLE: "Device", Source.GENERIC: "Source", Source.ALERTGATE: "Part", Source.WATCH: "Device"}


def how_late(context: MessageContext) -> str | None:
    """Return how old the alert is at the time of sending, if the alert or the message is late."""
    is_late = late(context.latest.received_at - happened(context.latest)) or late(context.now - context.wanted_at)
    delay = late(context.now - happened(context.latest))
    return f"{delay} late" if is_late and delay else None


def when(context: MessageContext) -> str:
    """Return when the latest alert happened, and how late it arrived, or what is wrong with its sender's clock."""
    latest = context.latest
    delay = late(latest.received_at - happened(latest))
    remarks = {
        SenderClock.RIGHT: f" ({delay} late)" if delay else "",
        SenderClock.AHEAD: f" (received; the {_sender(latest)}'s time is in the future)",
        SenderClock.WRONG: f" (received; the {_sender(latest)}'s clock is wrong)",
    }
    return context.time(happened(latest)) + remarks.get(sender_clock(latest), "")


def headline(context: MessageContext) -> str:
    """Return what happened: the event, and the value that stands for the newest alert."""
    return context.reading.after(context.event) if context.reading else context.event


def short_time(context: MessageContext) -> str:
    """Return when the latest alert happened, or when the incident ended without one; to the minute."""
    incident = context.incident
    by_alert = incident.resolution in (None, Resolution.ALERT)
    ended_at = None if by_alert or not context.resolved else incident.resolved_at
    return context.day_minute(ended_at or happened(context.latest))


def earlier_title(context: MessageContext, shown: int) -> str:
    """Return the title of the list of earlier alerts, which says how many it leaves out."""
    before = context.incident.alert_count - 1
    return "Before that" if shown >= before else f"Before that, the last {shown} of {before:,}"


def line(context: MessageContext, alert: Alert, longest: int) -> str:
    """Return an earlier alert as one line, with its severity if that differs from the incident's."""
    severity = "" if alert.severity is context.incident.severity else f"{alert.severity} - "
    return severity + shorten(essence(alert) or str(alert.signal), longest)


def rest(context: MessageContext) -> str:
    """Return what a text message says after its headline, which has the reading and the part of the device already."""
    latest, shown, parts = context.latest, context.reading, (part_name(context.incident.key) or "").split(", ")
    if context.unreadable:
        return REMEDY
    if latest.message:
        return gist(latest)
    if shown and not shown.field:
        return ""
    if isinstance(latest.data, dict):
        said = {name for name, value in latest.data.items() if isinstance(value, str) and folded(value) in parts}
        said |= {shown.field} if shown else set()
        latest = replace(latest, data={name: value for name, value in latest.data.items() if name not in said})
    # At the end of an incident, the value that the headline doesn't show is an old one.
    is_old = context.resolved and shown is None and context.reading_of(context.latest) is not None
    return f"last: {essence(latest)}" if is_old else essence(latest)
