"""Regenerate docs/samples, one message of each kind as alertgate sends it: `python -m tools.samples`."""

import base64
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from alertgate.accept.keys import event_key
from alertgate.credential import Credential
from alertgate.links import Links
from alertgate.model import (
    Alert,
    AlertStatus,
    ChannelName,
    Incident,
    IncidentStatus,
    Kind,
    Notification,
    NotificationStatus,
    Resolution,
    Severity,
    Signal,
    Source,
)
from alertgate.notify.channels.base import PICTURE_ID, Message
from alertgate.notify.context import DigestContext, DigestItem, MessageContext
from alertgate.notify.course import Course
from alertgate.notify.missed import Untold
from alertgate.notify.render.message import render
from alertgate.own_events import WatchEvent
from alertgate.prove.trouble_words import message
from alertgate.prove.troubles import Cause, Subject, Tally, Trouble
from alertgate.silence import Silence
from tools.settings_table import ROOT

SAMPLES = ROOT / "docs" / "samples"
NIGHT = datetime(2026, 11, 23, 2, 3, 0, tzinfo=UTC)
"""Three minutes past three in the morning in Berlin."""

LINKS = Links("https://alerts.example.org", ["sample"])

HEAD = """\
# Samples

One message of each kind that alertgate sends. The HTML files open in a browser; in a mail the picture is attached, and
nothing is fetched from the network. `python -m tools.samples` writes these files; don't edit them.

![a mail and a text message about a freezer, on two phones](phones.png)

| an update by day | by night |
| --- | --- |
| ![an update on a phone, light](phone-light.png) | ![an update on a phone, dark](phone-dark.png) |
| ![the page of a link, light](link-light.png) | ![the page of a link, dark](link-dark.png) |

`python -m tools.pictures` makes the pictures, in Debian's chromium with Debian's Roboto.

| kind | subject | text | HTML |
| --- | --- | --- | --- |
"""
FOOT = """
As text messages, each in one segment of 160 GSM-7 characters: [sms.txt](sms.txt).
"""


class Sample(NamedTuple):
    """One message: its file name, what it is an example of, and its context."""

    name: str
    about: str
    context: MessageContext | DigestContext
    with_picture: bool = True

    def mail(self) -> Message:
        """Return the message as a mail."""
        return render(self.context, with_picture=self.with_picture)

    def text_message(self) -> Message:
        """Return the message as a text message."""
        if isinstance(self.context, DigestContext):
            return render(replace(self.context, channel=ChannelName.SMS))
        return render(replace(self.context, notification=replace(self.context.notification, channel=ChannelName.SMS)))


def samples() -> list[Sample]:
    """Return every sample."""
    return [
        Sample("opening", "the first alert of an incident", _opening()),
        Sample("update", "an update after a storm", _update()),
        Sample("rise", "the severity rose", _rise()),
        Sample("handoff", "nobody has acknowledged it: the next person is told", _escalated(Kind.HANDOFF, 10)),
        Sample("reminder", "nobody has acknowledged it yet", _escalated(Kind.REMINDER, 25)),
        Sample("unanswered", "nobody has answered, and there are no more reminders", _escalated(Kind.UNANSWERED, 120)),
        Sample("acknowledgement", "somebody else has it", _acknowledged()),
        Sample("silence", "somebody else has silenced its device", _silenced()),
        Sample("resolution", "the incident is resolved", _resolution()),
        Sample("changes", "a door that opened and closed too often to tell each time", _changes()),
        Sample("quarantined", "an alert that can't be read", _quarantined()),
        Sample("late", "the device was offline, and the mail server unreachable", _late()),
        Sample("picture", "with a picture from the device", _with_picture()),
        Sample("picture-left-out", "the same, after the mail server rejected it as too large", _with_picture(), False),
        Sample("words", "a generic alert, in its sender's words", _words()),
        Sample("large", "more data than a mail shows", _large()),
        Sample("refused", "alertgate itself has refused alerts", _refused()),
        Sample("device-silent", "a device says nothing, though it should", _device_silent()),
        Sample("device-heard", "it is heard again", _device_heard()),
        Sample("digest", "many incidents at once", _digest()),
        Sample("missed", "what was missed while mail was away", _missed()),
    ]


def files() -> dict[str, str]:
    """Return the text of each file in docs/samples by its name."""
    made = {"README.md": _index(), "sms.txt": "\n".join(_text_messages())}
    for sample in samples():
        mail = sample.mail()
        made[f"{sample.name}.txt"] = mail.text
        made[f"{sample.name}.html"] = _openable(mail)
    return made


def _index() -> str:
    rows = [
        f"| {sample.about} | `{sample.mail().subject}` "
        f"| [{sample.name}.txt]({sample.name}.txt) | [{sample.name}.html]({sample.name}.html) |\n"
        for sample in samples()
    ]
    return HEAD + "".join(rows) + FOOT


def _text_messages() -> Iterator[str]:
    for sample in samples():
        yield f"# {sample.about}\n{sample.text_message().text}\n"


def _openable(mail: Message) -> str:
    """Return a mail's HTML with its picture embedded, because a browser has no attachments."""
    html = mail.html or ""
    if mail.picture is None:
        return html
    url = f"data:image/{mail.picture.subtype};base64,{base64.b64encode(mail.picture.content).decode()}"
    return html.replace(f"cid:{PICTURE_ID}", url)


def _opening() -> MessageContext:
    alert = _alert(
        1,
        event="temperature",
        severity=Severity.CRITICAL,
        data={"celsius": -4.2, "limit": -15, "door": "closed", "battery": {"volts": 3.71}},
    )
    return _context([alert], name="Freezer")


def _update() -> MessageContext:
    alerts = [
        _alert(
            number, after=timedelta(seconds=20 * number), data={"celsius": round(-9.5 + number / 10, 1), "limit": -15}
        )
        for number in range(1, 38)
    ]
    return _context(alerts, Kind.UPDATE)


def _rise() -> MessageContext:
    alerts = [
        _alert(number, after=timedelta(minutes=2 * number), data={"celsius": -9.5 + number, "limit": -15})
        for number in range(4)
    ]
    worst = _alert(
        5,
        after=timedelta(minutes=9),
        severity=Severity.CRITICAL,
        data={"celsius": -3.5, "limit": -15, "severity": "critical", "door": "open"},
    )
    return _context([*alerts, worst], Kind.RISE)


def _escalated(kind: Kind, minutes: int) -> MessageContext:
    alert = _alert(1, severity=Severity.CRITICAL, data={"celsius": -3.5, "limit": -15, "severity": "critical"})
    context = _context([alert], kind)
    now = context.now + timedelta(minutes=minutes)
    sent = replace(context.notification, created_at=now, due_at=now)
    return replace(context, notification=sent, now=now, course=Course(("Anna", "Ben"), reminders=3))


def _acknowledged() -> MessageContext:
    context = _escalated(Kind.ACKNOWLEDGEMENT, 12)
    known = {"status": IncidentStatus.ACKNOWLEDGED, "acknowledged_at": context.now, "acknowledged_by": "Anna"}
    return replace(context, incident=replace(context.incident, **known))


def _silenced() -> MessageContext:
    context = _context([_alert(1, data={"celsius": -9.5, "limit": -15})], Kind.SILENCE)
    begun = Silence(
        id=_id(0x4000),
        event=None,
        device=context.incident.device,
        source=context.incident.source,
        min_severity=None,
        unless=Severity.CRITICAL,
        begins_at=NIGHT,
        ends_at=NIGHT + timedelta(hours=8),
        author="Anna",
        credential=Credential.LINK,
        note=None,
        created_at=NIGHT,
    )
    return replace(context, silence=begun)


def _resolution() -> MessageContext:
    alerts = [
        _alert(1, data={"celsius": -9.5, "limit": -15}),
        _alert(2, after=timedelta(minutes=6), severity=Severity.CRITICAL, data={"celsius": -3.5, "limit": -15}),
        _alert(
            3,
            after=timedelta(minutes=41),
            signal=Signal.RESOLVED,
            data={"celsius": -16.2, "limit": -15, "status": "resolved"},
        ),
    ]
    context = _context(alerts, Kind.RESOLUTION)
    over = replace(
        context.incident,
        status=IncidentStatus.RESOLVED,
        resolved_at=alerts[-1].received_at,
        resolution=Resolution.ALERT,
        resolved_by=alerts[-1].id,
    )
    return replace(context, incident=over)


def _changes() -> MessageContext:
    """Five openings and four closings in six minutes: after the third change, one message each five minutes."""
    alerts = [
        _alert(
            number,
            after=timedelta(seconds=45 * number),
            event="door/state",
            signal=Signal.RESOLVED if number % 2 else Signal.FIRING,
            data={"door": "back", "status": "closed" if number % 2 else "open"},
        )
        for number in range(9)
    ]
    context = _context(alerts, Kind.CHANGES, "House")
    key = event_key("particle", alerts[0].device or "", "door/state", ("door", "back")).key
    return replace(context, incident=replace(context.incident, key=key, changes=len(alerts)))


def _quarantined() -> MessageContext:
    raw = b'{"event":"temperature/high","data":"{"celsius":-9.5,"limit":-15}","coreid":"3f002b000000000000000000"}'
    return _context(
        [
            _alert(
                1,
                status=AlertStatus.QUARANTINED,
                published_at=None,
                fields={},
                raw=raw,
                errors=("body: Invalid JSON: expected `,` or `}` at line 1 column 39",),
            )
        ]
    )


def _late() -> MessageContext:
    context = _context(
        [_alert(1, published_at=NIGHT - timedelta(hours=5, minutes=12), data={"celsius": -9.5, "limit": -15})]
    )
    return replace(context, now=NIGHT + timedelta(minutes=7))


def _with_picture() -> MessageContext:
    url = f"data:image/png;base64,{base64.b64encode(picture()).decode()}"
    alert = _alert(1, event="camera/motion", data={"zone": "porch", "confidence": 0.93, "photo": url})
    return _context([alert], name="Front door")


def _words() -> MessageContext:
    alert = _alert(
        1,
        source=Source.GENERIC,
        event="backup/failed",
        device="nas",
        severity=Severity.INFO,
        message="No backup for 26 hours: the disk “tank” is full.\nDelete old snapshots, or add a disk.",
        data={"volume": "tank", "free": "0 B", "last": "2026-11-22T00:58:00Z"},
        fields={"source": "nas", "runbook": "page 12"},
    )
    return _context([alert], name=None)


def _large() -> MessageContext:
    data = {f"sensor_{number:02}": f"{number * 1.25:.2f} °C, in <range> & steady" for number in range(1, 60)}
    alerts = [_alert(number, after=timedelta(minutes=number), data=data) for number in range(1, 7)]
    return _context(alerts, Kind.UPDATE)


def _refused() -> MessageContext:
    subject = Subject(Trouble.REFUSED, "generic webhook")
    tally = Tally(40, NIGHT, NIGHT + timedelta(seconds=1), {Cause.ADDRESS_LIMIT: 40}, {"192.0.2.7": 40})
    alert = _alert(
        1,
        after=timedelta(seconds=1),
        source=Source.ALERTGATE,
        event=subject.trouble,
        device=subject.about,
        severity=Severity.CRITICAL,
        published_at=None,
        message=message(subject, tally, NIGHT.astimezone(ZoneInfo("Europe/Berlin")), over=False),
        data=tally.as_json(),
        fields={},
    )
    return _context([alert], name=None)


ROOMS = ("Attic", "Barn", "Boat shed", "Cellar", "Garage", "Gate", "Greenhouse", "Hall", "Kitchen", "Pump house")


def _digest() -> DigestContext:
    lost = [_incident(number, "power/lost", severity=Severity.CRITICAL) for number in range(len(ROOMS))]
    low = [_incident(number, "battery/low") for number in (12, 13)]
    ended = _incident(5, "door/open")
    over = replace(ended, status=IncidentStatus.RESOLVED, resolved_at=NIGHT + timedelta(minutes=1))
    names = [*ROOMS, "Lock 9", "Lock 10", "Gate"]
    items = [DigestItem(incident, name) for incident, name in zip([*lost, *low, over], names, strict=True)]
    return DigestContext(
        digest_id=_id(0x3000),
        channel=ChannelName.EMAIL,
        address="you@example.com",
        items=tuple(items),
        zone=ZoneInfo("Europe/Berlin"),
        now=NIGHT + timedelta(minutes=2),
        message_domain="example.com",
        link=LINKS.url(_id(0x2001)),
    )


SILENT = """Cellar door has said nothing since 02:38; it should every 15 min.
Its battery was at 81 %.
What to do: see whether it has power and a network; what it guards is unguarded."""


def _device_silent() -> MessageContext:
    return _context([_watched(80, SILENT)], name="Cellar door")


def _device_heard() -> MessageContext:
    heard = timedelta(hours=2, minutes=4)
    over = _watched(81, "Cellar door: heard again after 2 h 29 min.", after=heard, signal=Signal.RESOLVED)
    context = _context([_watched(80, SILENT), over], Kind.RESOLUTION, name="Cellar door")
    ended = {"status": IncidentStatus.RESOLVED, "resolution": Resolution.ALERT, "resolved_at": over.received_at}
    return replace(context, incident=replace(context.incident, **ended))


def _watched(number: int, message: str, **changes: Any) -> Alert:
    own = {"source": Source.WATCH, "event": str(WatchEvent.SILENT), "published_at": None, "fields": {}}
    return _alert(number, message=message, **own, **changes)


def _missed() -> DigestContext:
    hours = [NIGHT + timedelta(hours=number) for number in range(60)]
    leak = _incident(20, "leak", severity=Severity.CRITICAL)
    quiet = {"status": IncidentStatus.RESOLVED, "resolution": Resolution.SILENCE, "resolved_at": hours[24]}
    doors = [replace(_incident(number, "door/open"), opened_at=hours[number]) for number in (30, 41)]
    frost = replace(_incident(23, "frost"), opened_at=hours[3])
    over = {"status": IncidentStatus.RESOLVED, "resolution": Resolution.ALERT, "resolved_at": hours[4]}
    items = (
        DigestItem(replace(leak, last_alert_at=hours[1], **quiet), "Cellar", news=3),
        DigestItem(doors[0], "Hall", earlier=Untold(4, hours[2])),
        DigestItem(doors[1], "Gate", news=2),
        DigestItem(replace(frost, **over), "Greenhouse"),
    )
    return replace(_digest(), digest_id=_id(0x3001), items=items, now=hours[54], missed_since=NIGHT)


def _incident(number: int, event: str, **changes: Any) -> Incident:
    first = _alert(number, event=event, device=f"3f002b{number:018x}", **changes)
    return replace(_context([first]).incident, id=_id(0x4000 + number))


def _alert(number: int, *, after: timedelta = timedelta(), **changes: Any) -> Alert:
    at = NIGHT + after
    alert = Alert(
        id=_id(0xA000 + number),
        received_at=at,
        source=Source.PARTICLE,
        status=AlertStatus.ACCEPTED,
        signal=Signal.FIRING,
        event="temperature/high",
        severity=Severity.WARNING,
        incident_key="sample",
        device="3f002b000000000000000000",
        published_at=at,
        fields={"fw_version": 7},
    )
    return replace(alert, **changes)


def _context(alerts: list[Alert], kind: Kind = Kind.OPENING, name: str | None = "Cold room") -> MessageContext:
    """Return the context of a message about these alerts, oldest first, sent when the last is received."""
    first, last = alerts[0], alerts[-1]
    incident = Incident(
        id=_id(0x1000),
        key=first.incident_key,
        status=IncidentStatus.OPEN,
        source=first.source,
        event=first.event,
        device=first.device,
        severity=max((alert.severity for alert in alerts), key=lambda severity: severity.rank),
        opened_at=first.received_at,
        last_alert_at=last.received_at,
        alert_count=len(alerts),
    )
    notification = Notification(
        id=_id(0x2000),
        incident_id=incident.id,
        channel=ChannelName.EMAIL,
        address="you@example.com",
        kind=kind,
        status=NotificationStatus.SENDING,
        severity=incident.severity,
        reason="sample",
        created_at=last.received_at,
        due_at=last.received_at,
        retry_since=last.received_at,
    )
    return MessageContext(
        notification=notification,
        incident=incident,
        alerts=tuple(reversed(alerts[-6:])),
        device_name=name,
        zone=ZoneInfo("Europe/Berlin"),
        now=last.received_at,
        message_domain="example.com",
        first=first,
        link=LINKS.url(notification.id),
    )


def _id(number: int) -> str:
    return f"019aaee5-{number:04x}-7000-8000-000000000000"


WIDTH, HEIGHT = 240, 135
COLORS = bytes.fromhex("0b1220 1f2a44 f2c14e e8e6df")
"""Night sky, wall, lit window, figure."""


def picture() -> bytes:
    """Return a small picture of somebody at a door at night, as a PNG with four colours.

    Its data isn't compressed: what zlib makes of it may differ from one version to the next.
    """
    lines = b"".join(b"\0" + _line(y) for y in range(HEIGHT))
    stored = b"\x78\x01\x01" + struct.pack("<HH", len(lines), len(lines) ^ 0xFFFF) + lines
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 2, 3, 0, 0, 0)
    chunks = {
        b"IHDR": header,
        b"PLTE": COLORS,
        b"IDAT": stored + struct.pack(">I", zlib.adler32(lines)),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks.items()
    )


def _line(y: int) -> bytes:
    pixels = [_color(x, y) for x in range(WIDTH)]
    return bytes(pixels[x] << 6 | pixels[x + 1] << 4 | pixels[x + 2] << 2 | pixels[x + 3] for x in range(0, WIDTH, 4))


def _color(x: int, y: int) -> int:
    head = (x - 96) ** 2 + (y - 62) ** 2 < 100
    body = 84 <= x < 108 and 72 <= y < 120
    if head or body:
        return 3
    if 130 <= x < 170 and 40 <= y < 120 and not 136 <= x < 164:
        return 2
    if 190 <= x < 222 and 44 <= y < 74 and x % 16 != 14 and y != 59:
        return 2
    return 1 if y > 30 and x > 50 else 0


if __name__ == "__main__":
    SAMPLES.mkdir(exist_ok=True)
    for name, text in files().items():
        (SAMPLES / name).write_text(text, encoding="utf-8")
