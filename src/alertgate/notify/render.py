"""An incident becomes the words that people read. Pure: facts in, a Message out."""

from binascii import b2a_qp
from functools import cache
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from alertgate.model import Alert, Json, Kind, Severity
from alertgate.notify import wording
from alertgate.notify.channels.base import PICTURE_ID, Message, Picture
from alertgate.notify.gateways import is_text_message
from alertgate.notify.story import Story, happened
from alertgate.notify.text import Blob, aligned, clean, data_url, gsm7, one_line, rows, shorten

__all__ = ["Story", "render"]

PICTURES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
LARGEST = 18_000
"""Bytes for text and HTML together, as they travel. With its headers a mail stays under 20 kB, but for its picture."""
ROOMS = (4000, 2000, 1000, 500, 250, 100)
"""Characters for an alert's data, tried in this order until a mail is small enough; the first nearly always is."""
MOST_EARLIER = 10


class _Bodies(NamedTuple):
    text: str
    html: str


def render(story: Story, *, with_picture: bool = True) -> Message:
    """Return the message for a notification: short and plain for a text message, else text and HTML.

    Without its picture, because the mail server found the message too large, a mail says that one is missing.
    """
    notification = story.notification
    if is_text_message(notification.channel, notification.address):
        return _message(story, text=sms(story))
    picture = _picture(story.latest)
    said = subject(story)
    bodies = _bodies(story, said, picture=picture is not None and with_picture, left_out=picture is not None)
    return _message(
        story,
        text=bodies.text,
        subject=said,
        html=bodies.html,
        picture=picture if with_picture else None,
    )


def sms(story: Story) -> str:
    """Return severity, device, event and the essence in one segment: 160 GSM-7 septets."""
    details = [wording.short_count(story), wording.how_late(story)]
    if story.notification.kind is Kind.ESCALATION and not story.resolved:
        details.insert(0, "got worse")
    brackets = f" ({', '.join(filter(None, details))})" if any(details) else ""
    essence = wording.essence(story.latest)
    return gsm7(
        f"{story.tag} {shorten(story.where, 32)}: {shorten(story.event, 44)}{brackets}"
        + (f" - {essence}" if essence else "")
    )


def subject(story: Story) -> str:
    """Return a subject such as `[CRITICAL] Front door: alarm/motion`.

    It stays the same for an incident but for its first word, so that the incident is one conversation in Gmail, which
    wants References to one and the same id *and* the same subject (workspaceupdates.googleblog.com, 2019-03-29). It
    disregards `Re:` and what stands in square brackets in front (seen in github.com/TwiN/gatus/issues/1563 and
    getredash/redash/issues/1144), as IMAP's base subject does (RFC 5256, 2.1). A count at the end would start a new
    conversation with each update, so counts stand in the first sentence, which inboxes show beside the subject.
    """
    return one_line(f"[{story.tag}] {story.where}: {story.event}", 140)


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
        urgent=story.incident.severity is Severity.CRITICAL and not story.resolved,
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("alertgate.notify"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["aligned"] = aligned
    return environment


def _bodies(story: Story, subject: str, *, picture: bool, left_out: bool) -> _Bodies:
    """Write a mail's text and HTML, with as much of the data as there is room for."""
    text, html = (_environment().get_template(name) for name in ("mail.txt", "mail.html"))
    shown = {
        **_headline(story, subject),
        "notes": wording.notes(story, left_out=left_out and not picture),
        "picture": picture,
    }
    for room in ROOMS:
        view = {**shown, **_details(story, room)}
        bodies = _Bodies(text.render(view), html.render(view))
        if sum(map(_travelling, bodies)) <= LARGEST:
            break
    return bodies


def _travelling(body: str) -> int:
    """Return the bytes that a body takes at most in a mail: as quoted-printable or as base64 (RFC 2045)."""
    plain = body.encode()
    quoted = b2a_qp(plain)
    return max(len(quoted) + quoted.count(b"\n"), len(plain) * 7 // 5)


def _headline(story: Story, subject: str) -> dict[str, object]:
    """What a reader sees first, as clean text."""
    lead = wording.lead(story)
    return {
        "subject": subject,
        "preview": f"{lead} {shorten(wording.essence(story.latest), 100)}".strip(),
        "tag": story.tag,
        "color": "#15803d" if story.resolved else _COLORS[story.incident.severity],
        "where": story.where,
        "event": story.event,
        "when": wording.when(story),
        "lead": lead,
        "picture_id": PICTURE_ID,
    }


_COLORS = {Severity.INFO: "#2563eb", Severity.WARNING: "#b45309", Severity.CRITICAL: "#b91c1c"}
"""Each has a contrast of more than 4.5 to the white text on it (WCAG 2.2, 1.4.3)."""


def _details(story: Story, room: int) -> dict[str, object]:
    """What the alerts said, in `room` characters or somewhat more, as clean text."""
    latest, earlier = story.latest, story.alerts[1 : 1 + MOST_EARLIER]
    words = wording.words(latest)
    return {
        "words": shorten(words, room // 2) if words else None,
        "rows": rows(latest.data, room=room) if wording.is_table(latest) else [],
        "errors": [one_line(error, max(room // 16, 40)) for error in latest.errors[:5]],
        "raw": shorten(clean(latest.raw.decode(errors="replace")), room // 2) if latest.raw is not None else None,
        "earlier_title": wording.earlier_title(story, len(earlier)),
        "earlier": [
            (story.clock(happened(alert)), wording.line(story, alert, max(room // 32, 10))) for alert in earlier
        ],
        "dated": not all(story.is_today(happened(alert)) for alert in earlier),
        "fields": rows(latest.fields, longest=200, room=room // 4) if latest.fields else [],
        "facts": wording.facts(story, max(room // 16, 40)),
    }


def _picture(alert: Alert) -> Picture | None:
    blob = _blob(alert.data)
    return Picture(blob.media_type.removeprefix("image/"), blob.content) if blob else None


def _blob(data: Json) -> Blob | None:
    """The first picture among an alert's data."""
    values = list(data.values()) if isinstance(data, dict) else [data]
    blobs = (data_url(value) for value in values)
    return next((blob for blob in blobs if blob and blob.media_type in PICTURES and blob.content), None)
