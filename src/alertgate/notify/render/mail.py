"""Render a notification as a mail: subject, text and HTML. Pure."""

from binascii import b2a_qp
from functools import cache
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape

from alertgate.model import Alert, Json, Severity
from alertgate.notify.channels.base import PICTURE_ID, Picture
from alertgate.notify.context import MessageContext
from alertgate.notify.render import content, wording
from alertgate.notify.render.pictures import PICTURES
from alertgate.notify.render.text import Blob, aligned, blob, clean_beginning, one_line, rows, shorten
from alertgate.notify.sender_clock import happened

LARGEST = 18_000
"""Maximum bytes of text and HTML together, encoded. With headers, but without a picture, a mail stays under 20 kB."""
ROOMS = (4000, 2000, 1000, 500, 250, 100)
"""Limits in characters for an alert's data, tried in order until the mail is small enough, nearly always at once."""
MOST_EARLIER = 10


class Bodies(NamedTuple):
    """The two forms of a mail's body."""

    text: str
    html: str


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("alertgate.notify.render"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["aligned"] = aligned
    return environment


def template(name: str) -> Template:
    """Return a template of this package; only those named .html escape what they show."""
    return _environment().get_template(name)


def bodies(context: MessageContext, subject: str, *, picture: bool, left_out: bool) -> Bodies:
    """Render a mail's text and HTML, with as much of the data as fits."""
    text, html = template("mail.txt"), template("mail.html")
    shown = {
        **_headline(context, subject),
        "notes": wording.notes(context, left_out=left_out and not picture),
        "picture": picture,
    }
    for room in ROOMS:
        view = {**shown, **_details(context, room)}
        made = Bodies(text.render(view), html.render(view))
        if sum(map(encoded_size, made)) <= LARGEST:
            break
    return made


def encoded_size(body: str) -> int:
    """Return the most bytes that a body takes in a mail, as quoted-printable or as base64 (RFC 2045)."""
    plain = body.encode()
    quoted = b2a_qp(plain)
    return max(len(quoted) + quoted.count(b"\n"), len(plain) * 7 // 5)


def _headline(context: MessageContext, subject: str) -> dict[str, object]:
    """Return what a reader sees first, as clean text."""
    lead, essence = wording.lead(context), shorten(content.essence(context.latest), 100)
    return {
        "subject": subject,
        "preview": lead if context.unreadable else " - ".join(filter(None, (essence, lead))),
        "tag": context.tag,
        "color": _color(context),
        "where": context.where,
        "event": wording.headline(context),
        "when": wording.when(context),
        "link": context.link,
        "button": "Look, or end the silence" if context.is_silenced else wording.button(context.incident.status),
        "lead": lead,
        "picture_id": PICTURE_ID,
    }


def _color(context: MessageContext) -> str:
    if context.is_silenced:
        return SILENCED_COLOR
    return OVER_COLOR if context.resolved or context.is_quiet else COLORS[context.incident.severity]


OVER_COLOR = "#15803d"
SILENCED_COLOR = "#374151"
"""Nothing is over, and nothing is said of it."""
COLORS = {Severity.INFO: "#2563eb", Severity.WARNING: "#b45309", Severity.CRITICAL: "#b91c1c"}
"""Each has a contrast of more than 4.5 to the white text on it (WCAG 2.2, 1.4.3)."""


def _details(context: MessageContext, room: int) -> dict[str, object]:
    """Return what the alerts say, in about `room` characters of clean text."""
    latest, earlier = context.latest, context.alerts[1 : 1 + MOST_EARLIER]
    times = [context.clock(happened(alert)) for alert in earlier]
    words, fields = content.words(latest, room // 2), content.also_sent(latest)
    return {
        "words": words or None,
        "rows": _table(latest, room),
        "errors": [one_line(error, max(room // 16, 40)) for error in latest.errors[:5]],
        "raw": None if latest.raw is None else clean_beginning(content.beginning(latest.raw, room // 2), room // 2),
        "earlier_title": wording.earlier_title(context, len(earlier)),
        "earlier": [
            (time, wording.line(context, alert, max(room // 32, 10)))
            for time, alert in zip(times, earlier, strict=True)
        ],
        "dated": any(len(time) > len("00:00:00") for time in times),
        "fields": rows(fields, longest=200, room=room // 4) if fields else [],
        "facts": wording.facts(context, max(room // 16, 40)),
    }


def _table(alert: Alert, room: int) -> list[tuple[str, str]]:
    """Return the rows of an alert's data."""
    data = alert.data
    if isinstance(data, dict) and not blob(data):
        data = content.with_values(data)
    return rows(data, room=room) if data and content.is_table(alert) else []


def picture(alert: Alert) -> Picture | None:
    """Return the first picture in an alert's data, or None."""
    found = _first_picture(alert.data)
    return Picture(found.media_type.removeprefix("image/"), found.content) if found else None


def _first_picture(data: Json) -> Blob | None:
    """Return the first picture in a JSON value, at any depth, or None."""
    found = blob(data)
    if found:
        return found if found.media_type in PICTURES and found.content else None
    inner = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return next(filter(None, map(_first_picture, inner)), None)
