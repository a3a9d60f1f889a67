"""The sentences in messages. Pure."""

from dataclasses import replace

from alertgate.model import Alert, AlertStatus, Incident, IncidentStatus, Json, Kind, Resolution, Signal, Source
from alertgate.notify.context import MessageContext, SenderClock, duration, happened, late, part_name, sender_clock
from alertgate.notify.render.reading import words_of
from alertgate.notify.render.text import MOST_READ, blob, clean_beginning, one_line, rows, say, shorten
from alertgate.own_events import HINTS
from alertgate.prove.hint_words import LEAD
from alertgate.prove.trouble_words import lead as trouble_lead
from alertgate.words import folded


def lead(context: MessageContext) -> str:
    """Return the first sentences: why this message is sent now."""
    incident = context.incident
    if context.resolved:
        return _end(context)
    sentences = _news(context)
    if context.own:
        return " ".join([*sentences, _own_lead(context)])
    if incident.alert_count > 1:
        sentences.append(f"{count(context)}, since {context.minute(incident.opened_at)}.")
    if context.unreadable:
        subject = "The latest alert" if incident.alert_count > 1 else "An alert arrived that"
        sentences.append(f"{subject} can't be read: {REMEDY} in Particle's console.")
        sentences.append("It is stored in full, and shown below as received.")
    elif incident.alert_count > 1 and essence(context.latest):
        sentences.append("The latest is above.")
    return " ".join(sentences) or "A new alert."


REMEDY = "run `alertgate particle-template` and replace the webhook"
"""What to do about an alert that can't be read."""

OFTEN = 3
"""From more changes on, a message says how often an incident changed."""


def _news(context: MessageContext) -> list[str]:
    """Return the sentences about what happened to an open incident besides its latest alert."""
    incident = context.incident
    news = []
    if context.notification.kind is Kind.ESCALATION:
        news.append(f"It got worse: now {incident.severity}.")
    if context.notification.kind is Kind.REOPENING:
        news.append("It is open again.")
    if incident.changes > OFTEN:
        news.append(f"It changed {incident.changes} times, and is open now.")
    return news


def _own_lead(context: MessageContext) -> str:
    """Return what an own alert is. It says how often a trouble occurred; a reader needs no number of such alerts."""
    if context.incident.event in HINTS:
        return LEAD
    begins = context.notification.kind in (Kind.OPENING, Kind.ESCALATION, Kind.REOPENING)
    return trouble_lead(context.incident.event) if begins else "It goes on."


def _end(context: MessageContext) -> str:
    """Return the sentences about how an incident ended."""
    incident = context.incident
    ended_at = incident.resolved_at or incident.last_alert_at
    already = " already" if context.notification.kind is Kind.OPENING else ""
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
    if incident.status is IncidentStatus.ACKNOWLEDGED and incident.acknowledged_at:
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
    if incident.device:
        label = _LABELS[incident.source]
        named = f"{context.device_name} ({incident.device})" if context.device_name else incident.device
        found.append((label, one_line(named, longest)))
    return [
        *found,
        ("Event", one_line(incident.event, longest)),
        ("Received", context.time(latest.received_at)),
        ("Alert", latest.id),
        ("Incident", incident.id),
    ]


_LABELS = {Source.PARTICLE: "Device", Source.GENERIC: "Source", Source.ALERTGATE: "Part"}


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


def words(alert: Alert, longest: int) -> str | None:
    """Return what an alert says in words, to show in large type, cut to `longest` characters, or None."""
    if alert.message:
        return clean_beginning(alert.message, longest)
    if alert.status is AlertStatus.QUARANTINED or is_table(alert):
        return None
    return None if _is_empty(alert.data) else clean_beginning(say(alert.data, longest), longest)


def is_table(alert: Alert) -> bool:
    """Return whether an alert's data is shown as a table instead of words."""
    return isinstance(alert.data, dict | list) or blob(alert.data) is not None


def essence(alert: Alert) -> str:
    """Return what an alert says, in the shortest form; empty if the headline already says all of it."""
    if alert.status is AlertStatus.QUARANTINED:
        return one_line(beginning(alert.raw or b"", 200), 200) or "empty body"
    if alert.message:
        return one_line(alert.message, LONGEST_ESSENCE)
    return one_line(_short(alert.data, {"severity": alert.severity, "status": Signal.RESOLVED}), LONGEST_ESSENCE)


LONGEST_ESSENCE = 300
"""Characters."""


def beginning(raw: bytes, longest: int) -> str:
    """Return so much of a raw body as is read to show `longest` characters of it."""
    most = longest * MOST_READ
    return raw[:most].decode(errors="replace") + ("…" if len(raw) > most else "")


def rest(context: MessageContext) -> str:
    """Return what a text message says after its headline, which has the reading and the part of the device already."""
    latest, shown, parts = context.latest, context.reading, (part_name(context.incident.key) or "").split(", ")
    if context.unreadable:
        return REMEDY
    if latest.message:
        return essence(latest)
    if shown and not shown.field:
        return ""
    if isinstance(latest.data, dict):
        said = {name for name, value in latest.data.items() if isinstance(value, str) and folded(value) in parts}
        said |= {shown.field} if shown else set()
        latest = replace(latest, data={name: value for name, value in latest.data.items() if name not in said})
    # At the end of an incident, the value that the headline doesn't show is an old one.
    is_old = context.resolved and shown is None and context.reading_of(context.latest) is not None
    return f"last: {essence(latest)}" if is_old else essence(latest)


def _short(data: Json, said: dict[str, Json]) -> str:
    """Return data in the shortest form, without the fields that the headline `said` already."""
    if not isinstance(data, dict | list) or blob(data):
        return "" if _is_empty(data) else say(data, LONGEST_ESSENCE)
    if isinstance(data, dict):
        data = {name: value for name, value in with_values(data).items() if said.get(name) != value}
    return ", ".join(f"{name}: {text}" for name, text in rows(data, most=8, longest=60)) if data else ""


def with_values(fields: dict[str, Json]) -> dict[str, Json]:
    """Return the fields that say something. A null in data does: a sensor that can't be read."""
    return {name: value for name, value in fields.items() if value is None or not _is_empty(value)}


def also_sent(alert: Alert) -> dict[str, Json]:
    """Return the fields beside the data that say something to people: Particle's ids and flags don't."""
    unsaid = _BOOKKEEPING if alert.source is Source.PARTICLE else frozenset[str]()
    return {
        name: value
        for name, value in alert.fields.items()
        if not _is_empty(value) and "".join(words_of(name)) not in unsaid
    }


_BOOKKEEPING = frozenset({"userid", "productid", "eventid", "public", "ttl"})
"""Particle's own fields, without separators and in lower case, that are there for programs."""


def _is_empty(value: Json) -> bool:
    return value is None or value in ([], {}) or (isinstance(value, str) and not value.strip())
