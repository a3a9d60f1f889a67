"""What messages say of their alerts, in sentences. Pure."""

from alertgate.model import Alert, AlertStatus, Incident, IncidentStatus, Kind, Resolution, Signal
from alertgate.notify.context import MessageContext, duration, happened, late
from alertgate.notify.render.text import clean, data_url, one_line, rows, say, shorten


def lead(context: MessageContext) -> str:
    """The first sentences: why this message comes now."""
    incident = context.incident
    if context.resolved:
        return _end(context)
    sentences = [f"It got worse: now {incident.severity}."] if context.notification.kind is Kind.ESCALATION else []
    if incident.alert_count > 1:
        sentences.append(f"{count(context)}, since {context.minute(incident.opened_at)}.")
    if context.unreadable:
        came = "The latest can't be read" if incident.alert_count > 1 else "An alert came in that can't be read"
        sentences.append(f"{came}; it is kept whole, and shown below as it came.")
    elif incident.alert_count > 1:
        sentences.append("The latest is below.")
    return " ".join(sentences) or "A new alert."


def _end(context: MessageContext) -> str:
    """How an incident came to its end, in sentences of their own."""
    incident = context.incident
    ended_at = incident.resolved_at or incident.last_alert_at
    already = " already" if context.notification.kind is Kind.OPENING else ""
    began = f"It began at {context.minute(incident.opened_at)}"
    return (
        f"It is over{already}: resolved at {context.minute(ended_at)}{_ended_how(incident)}. {began}: {count(context)}."
    )


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
    """Say how many alerts came in which time, such as `37 alerts in 12 min`."""
    incident = context.incident
    # The alert that ends an incident is counted in it, but is none to its reader.
    ending = context.resolved and incident.resolution is Resolution.ALERT
    told = max(incident.alert_count - ending, 1)
    if told == 1:
        return _ONE
    return f"{told:,} alerts in {duration(incident.last_alert_at - incident.opened_at)}"


def short_count(context: MessageContext) -> str | None:
    """Say the same in brackets, or None where it goes without saying."""
    said = count(context)
    return None if said == _ONE else said


def notes(context: MessageContext, *, left_out: bool) -> list[str]:
    """What a reader must know to read the rest right."""
    latest, incident = context.latest, context.incident
    found = []
    if delay := late(latest.received_at - happened(latest)):
        found.append(f"The alert came in {delay} late, at {context.time(latest.received_at)}.")
    if delay := late(context.now - context.wanted_at):
        found.append(f"This message is {delay} late: it couldn't be sent earlier.")
    if incident.status is IncidentStatus.ACKNOWLEDGED and incident.acknowledged_at:
        by = one_line(incident.acknowledged_by or "somebody", 60)
        found.append(f"Acknowledged by {by} at {context.minute(incident.acknowledged_at)}.")
    if left_out:
        found.append(
            "The picture was left out, because the mail server found the message too large. The API has it, "
            "under the alert's id below."
        )
    return found


def facts(context: MessageContext, longest: int) -> list[tuple[str, str]]:
    """What tells one device, event and alert from another, for whoever looks further."""
    incident, latest = context.incident, context.latest
    found = [("Severity", str(incident.severity))]
    if incident.device:
        label = "Device" if incident.source == "particle" else "Source"
        named = f"{context.device_name} ({incident.device})" if context.device_name else incident.device
        found.append((label, one_line(named, longest)))
    return [
        *found,
        ("Event", one_line(incident.event, longest)),
        ("Received", context.time(latest.received_at)),
        ("Alert", latest.id),
        ("Incident", incident.id),
    ]


def how_late(context: MessageContext) -> str | None:
    """Say how old an alert is when its reader hears of it, if anything went late."""
    wanted = late(context.latest.received_at - happened(context.latest)) or late(context.now - context.wanted_at)
    delay = late(context.now - happened(context.latest))
    return f"{delay} late" if wanted and delay else None


def when(context: MessageContext) -> str:
    """Say when the latest alert happened, and how late it came in."""
    delay = late(context.latest.received_at - happened(context.latest))
    return context.time(happened(context.latest)) + (f" ({delay} late)" if delay else "")


def earlier_title(context: MessageContext, shown: int) -> str:
    """Say what the list of earlier alerts is, and how many it leaves out."""
    before = context.incident.alert_count - 1
    return "Before that" if shown >= before else f"Before that, the last {shown} of {before:,}"


def line(context: MessageContext, alert: Alert, longest: int) -> str:
    """An earlier alert in one line; its severity is said where it wasn't the incident's."""
    severity = "" if alert.severity is context.incident.severity else f"{alert.severity} - "
    return severity + shorten(essence(alert) or str(alert.signal), longest)


def words(alert: Alert) -> str | None:
    """What an alert says in words, to be shown large."""
    if alert.message:
        return clean(alert.message)
    if alert.status is AlertStatus.QUARANTINED or is_table(alert):
        return None
    return "no data" if alert.data in (None, "") else clean(say(alert.data))


def is_table(alert: Alert) -> bool:
    """Whether an alert's data is better shown as a table than as words."""
    return isinstance(alert.data, dict | list) or data_url(alert.data) is not None


def essence(alert: Alert) -> str:
    """The shortest text that says what an alert says; empty when that is only that the problem is resolved."""
    if alert.status is AlertStatus.QUARANTINED:
        return one_line((alert.raw or b"").decode(errors="replace"), 200) or "empty body"
    if alert.message:
        return one_line(alert.message, 300)
    return one_line(_short(alert), 300)


def _short(alert: Alert) -> str:
    data = alert.data
    if isinstance(data, dict | list):
        # What the headline says already isn't said again.
        said = {"severity": alert.severity, "status": Signal.RESOLVED}
        rest = {key: value for key, value in data.items() if said.get(key) != value} if isinstance(data, dict) else data
        return ", ".join(f"{name}: {text}" for name, text in rows(rest, most=8, longest=60)) if rest or not data else ""
    return say(data) if data not in (None, "") else "no data"
