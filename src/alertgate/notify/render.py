"""An incident becomes the words that people read. Pure: facts in, a Message out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from alertgate.model import (
    Alert,
    AlertStatus,
    Incident,
    IncidentStatus,
    Json,
    Kind,
    Notification,
    Severity,
)
from alertgate.notify.channels.base import PICTURE_ID, Message, Picture
from alertgate.notify.gateways import is_text_message
from alertgate.notify.text import Blob, clean, data_url, gsm7, one_line, rows, say, shorten

LATE = timedelta(minutes=1)
"""From this delay on, a message says that it is late."""
PICTURES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})


@dataclass(frozen=True, slots=True)
class Story:
    """The facts of one message. `alerts` are the incident's newest, newest first, at least one."""

    notification: Notification
    incident: Incident
    alerts: tuple[Alert, ...]
    device_name: str | None
    zone: ZoneInfo
    now: datetime
    message_domain: str

    @property
    def latest(self) -> Alert:
        """The newest alert."""
        return self.alerts[0]


def render(story: Story) -> Message:
    """Return the message for a notification: short and plain for a text message, else text and HTML."""
    notification = story.notification
    if is_text_message(notification.channel, notification.address):
        return _message(story, text=sms(story))
    view = _view(story)
    return _message(
        story,
        text=_environment().get_template("mail.txt").render(view),
        subject=str(view["subject"]),
        html=_environment().get_template("mail.html").render(view),
        picture=_picture(story.latest),
    )


def sms(story: Story) -> str:
    """Return severity, device, event and the essence in one segment: 160 GSM-7 septets."""
    return gsm7(f"{_tag(story)} {_where(story)}: {_event(story)} - {_essence(story.latest)}")


def subject(story: Story) -> str:
    """Return a subject such as `[CRITICAL] Front door: alarm/motion`."""
    count = story.incident.alert_count
    times = f" ({count} alerts)" if count > 1 else ""
    return one_line(f"[{_tag(story)}] {_where(story)}: {_event(story)}", 140) + times


def _message(
    story: Story, *, text: str, subject: str | None = None, html: str | None = None, picture: Picture | None = None
) -> Message:
    domain = story.message_domain
    return Message(
        to=story.notification.address,
        text=text,
        subject=subject,
        html=html,
        picture=picture,
        message_id=f"{story.notification.id}@{domain}",
        thread_id=f"incident.{story.incident.id}@{domain}",
        date=story.now,
        urgent=story.incident.severity is Severity.CRITICAL and story.incident.status is not IncidentStatus.RESOLVED,
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("alertgate.notify"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _view(story: Story) -> dict[str, object]:
    """Everything that the templates show, as clean text."""
    incident, latest = story.incident, story.latest
    return {
        "subject": subject(story),
        "tag": _tag(story),
        "where": _where(story),
        "event": _event(story),
        "lead": _lead(story),
        "message": clean(latest.message) if latest.message else None,
        "facts": _facts(story),
        "rows": rows(latest.data) if latest.data is not None else [],
        "fields": rows(latest.fields) if latest.fields else [],
        "errors": [one_line(error, 300) for error in latest.errors],
        "raw": shorten(clean(latest.raw.decode(errors="replace")), 4000) if latest.raw is not None else None,
        "earlier": [(_time(story, alert.received_at), shorten(_essence(alert), 120)) for alert in story.alerts[1:]],
        "picture": _picture(latest) is not None,
        "picture_id": PICTURE_ID,
        "color": {"info": "#2563eb", "warning": "#b45309", "critical": "#b91c1c"}[incident.severity]
        if incident.status is not IncidentStatus.RESOLVED
        else "#15803d",
    }


def _tag(story: Story) -> str:
    return "RESOLVED" if story.incident.status is IncidentStatus.RESOLVED else story.incident.severity.upper()


def _where(story: Story) -> str:
    name = story.device_name or story.incident.device or story.incident.source
    return one_line(name, 60)


def _event(story: Story) -> str:
    event = one_line(story.incident.event, 80)
    return f"unreadable alert {event}" if story.latest.status is AlertStatus.QUARANTINED else event


def _lead(story: Story) -> str:
    """The first sentence: why this message comes now."""
    incident, count = story.incident, story.incident.alert_count
    since = _time(story, incident.opened_at)
    if incident.status is IncidentStatus.RESOLVED:
        alerts = "1 alert" if count == 1 else f"{count} alerts"
        return f"Resolved, after {alerts} since {since}."
    if story.notification.kind is Kind.ESCALATION:
        return f"It got worse: now {incident.severity}. {count} alerts since {since}."
    if count > 1:
        return f"{count} alerts since {since}; the latest is below."
    if story.latest.status is AlertStatus.QUARANTINED:
        return "An alert came in that can't be read; it is kept whole, and shown below as it came."
    return "A new alert."


def _facts(story: Story) -> list[tuple[str, str]]:
    incident, latest = story.incident, story.latest
    facts = [("Severity", str(incident.severity)), ("When", _when(story))]
    if incident.device:
        label = "Device" if incident.source == "particle" else "Source"
        named = f"{story.device_name} ({incident.device})" if story.device_name else incident.device
        facts.append((label, one_line(named, 200)))
    facts.append(("Event", one_line(incident.event, 256)))
    if delay := late(story.now - _wanted_at(story)):
        facts.append(("This message", f"is {delay} late: it couldn't be sent earlier"))
    return [*facts, ("Alert", latest.id), ("Incident", incident.id)]


def _wanted_at(story: Story) -> datetime:
    """When the message should have gone out: an update that waited for the group interval isn't late."""
    tried = story.notification.attempts > 0  # from then on `due_at` is the time of a retry
    return story.latest.received_at if tried else story.notification.due_at


def _when(story: Story) -> str:
    latest = story.latest
    happened = latest.published_at or latest.received_at
    delay = late(latest.received_at - happened)
    return _time(story, happened) + (f" (arrived {delay} late)" if delay else "")


def late(delay: timedelta) -> str | None:
    """Say how long a delay is, or None when it is too short to matter."""
    if delay < LATE:
        return None
    minutes = int(delay.total_seconds() // 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [
        f"{days} d" if days else "",
        f"{hours} h" if hours else "",
        f"{minutes} min" if minutes and not days else "",
    ]
    return " ".join(part for part in parts if part)


def _time(story: Story, time: datetime) -> str:
    return f"{time.astimezone(story.zone):%Y-%m-%d %H:%M:%S %Z}"


def _essence(alert: Alert) -> str:
    """The shortest text that says what an alert says."""
    if alert.status is AlertStatus.QUARANTINED:
        return one_line((alert.raw or b"").decode(errors="replace"), 200) or "empty body"
    if alert.message:
        return one_line(alert.message, 300)
    return one_line(_short(alert.data), 300)


def _short(data: Json) -> str:
    if isinstance(data, dict | list):
        return ", ".join(f"{name}: {text}" for name, text in rows(data, most=8, longest=60))
    return say(data) if data not in (None, "") else "no data"


def _picture(alert: Alert) -> Picture | None:
    blob = _blob(alert.data)
    return Picture(blob.media_type.removeprefix("image/"), blob.content) if blob else None


def _blob(data: Json) -> Blob | None:
    """The first picture among an alert's data."""
    values = list(data.values()) if isinstance(data, dict) else [data]
    blobs = (data_url(value) for value in values)
    return next((blob for blob in blobs if blob and blob.media_type in PICTURES and blob.content), None)
