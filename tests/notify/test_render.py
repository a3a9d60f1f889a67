"""Rendering a notification as a mail or a text message."""

import base64
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.accept.keys import event_key, incident_key, shared_key
from alertgate.model import Alert, AlertStatus, ChannelName, IncidentStatus, Kind, Resolution, Severity, Source
from alertgate.notify.channels.base import Message, Picture
from alertgate.notify.channels.mail import compose
from alertgate.notify.context import MessageContext, late
from alertgate.notify.missed import Untold
from alertgate.notify.names import part_name
from alertgate.notify.render.message import render
from alertgate.notify.render.text import GSM7, GSM7_DOUBLE
from tests.builders import DOOR, alert, for_any, incident, notification
from tests.fakes import START

PNG = b"\x89PNG\r\n\x1a\n"
PNG_URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
HOSTILE = (
    "\r\nBcc: evil@example.org\r\n\r\n<script>alert(1)</script><b>&{{ 7*7 }}{% include 'x' %}\u202e\u2066\x00\x1b\ud800"
)
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202e\u2066\ud800]")


def _context(*alerts: Alert, **changes: Any) -> MessageContext:
    context = MessageContext(
        notification=notification(),
        incident=incident(),
        alerts=alerts or (alert(),),
        device_name="Front door",
        zone=ZoneInfo("UTC"),
        now=START,
        message_domain="example.net",
    )
    return replace(context, **changes)


def _text(channel: str = "sms", **changes: Any) -> str:
    return render(_context(notification=notification(channel=ChannelName(channel)), **changes)).text


def _quarantined(raw: bytes, *errors: str) -> Alert:
    return alert(status=AlertStatus.QUARANTINED, data=None, raw=raw, errors=errors)


def _everything(message: Message) -> str:
    return f"{message.subject}\n{message.text}\n{message.html}"


class _Page(HTMLParser):
    """Parsed HTML: its tags, its links and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.sources: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.sources += [value or "" for name, value in attrs if name in {"src", "href"} or name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


def _page(message: Message) -> _Page:
    assert message.html is not None
    return _Page(message.html)


def test_an_opening_tells_what_happened_where_and_when():
    """The first mail of an incident has all the facts, in text and in HTML."""
    message = render(_context())
    assert message.subject == "[WARNING] Front door: alarm/motion"
    assert message.text.rstrip("\n").split("\n") == [
        "WARNING  Front door: alarm/motion",
        "2026-11-23 14:03:00 UTC",
        "",
        "motion in the hall",
        "",
        "A new alert.",
        "",
        "Details:",
        "  Severity  warning",
        "  Device    Front door (3f002b000000000000000000)",
        "  Event     alarm/motion",
        "  Received  2026-11-23 14:03:00 UTC",
        "  Alert     alert-1",
        "  Incident  incident-1",
    ]
    page = _page(message)
    for words in ("Front door", "alarm/motion", "A new alert.", "2026-11-23 14:03:00 UTC", DOOR, "motion in the hall"):
        assert words in page.text


def test_a_message_is_recognisable_and_threaded():
    """The id begins with the notification's at every attempt; the thread is the incident's, the date of sending."""
    message = render(_context(now=START + timedelta(hours=1)))
    assert (message.to, message.thread_id, message.date) == (
        "me@example.com",
        "incident.incident-1@example.net",
        START + timedelta(hours=1),
    )
    assert re.fullmatch(r"notification-1\.[0-9a-f]{8}@example\.net", message.message_id)


def test_a_later_attempt_has_another_id_if_what_it_says_is_news():
    """The first one may have arrived, and mail programs show one of two mails with the same id."""
    first = render(_context()).message_id
    assert render(_context(alert(), alert(id="alert-2"), now=START + timedelta(hours=3))).message_id == first
    others = [
        _context(incident=incident(status=IncidentStatus.RESOLVED, resolved_at=START)),
        _context(incident=incident(severity=Severity.CRITICAL)),
        *(
            _context(incident=incident(status=IncidentStatus.ACKNOWLEDGED, acknowledged_at=START, acknowledged_by=who))
            for who in ("Anna", "Ben")
        ),
        _context(notification=notification(kind=Kind.REMINDER)),
    ]
    assert len({first, *(render(each).message_id for each in others)}) == 6


def _update(*alerts: Alert, **changes: Any) -> MessageContext:
    """Return the context of an update about 3 alerts in 4 minutes, sent when it was due."""
    at = START + timedelta(minutes=5)
    update = notification(kind=Kind.UPDATE, due_at=at, **changes)
    context = _context(*alerts, notification=update, now=at)
    return replace(context, incident=incident(alert_count=3, last_alert_at=START + timedelta(minutes=4)))


def test_an_update_says_how_many_and_what_came_before():
    """An update has the number and time span of the alerts, shows the latest, and lists those before it."""
    latest = alert(id="alert-3", received_at=START + timedelta(minutes=4), data="motion in the kitchen")
    between = alert(id="alert-2", received_at=START + timedelta(minutes=2), data={"t": 21.5, "room": "bath"})
    message = render(_update(latest, between, alert()))
    assert message.subject == "[WARNING] Front door: alarm/motion"
    assert message.text.split("\n")[:10] == [
        "WARNING  Front door: alarm/motion",
        "2026-11-23 14:07:00 UTC",
        "",
        "motion in the kitchen",
        "",
        "3 alerts in 4 min, since 14:03. The latest is above.",
        "",
        "Before that:",
        "  14:05:00  t: 21.5, room: bath",
        "  14:03:00  motion in the hall",
    ]
    page = _page(message)
    for words in ("3 alerts in 4 min, since 14:03. The latest is above.", "Before that", "t: 21.5, room: bath"):
        assert words in page.text


def test_an_update_lists_the_latest_and_says_how_many_more_there_were():
    """At most ten earlier alerts are listed, and the title says how many there were."""
    context = _update(*[alert() for _ in range(30)])
    message = render(replace(context, incident=incident(alert_count=1537, last_alert_at=START + timedelta(hours=2))))
    assert "1,537 alerts in 2 h, since 14:03." in message.text
    assert "Before that, the last 10 of 1,536:" in message.text
    assert message.text.count("  14:03:00  motion in the hall\n") == 10


@pytest.mark.parametrize(
    ("span", "said"), [(timedelta(0), "1 s"), (timedelta(seconds=59), "59 s"), (timedelta(minutes=61), "1 h 1 min")]
)
def test_an_update_has_the_span_of_a_storm(span, said):
    """The span is in seconds, minutes or hours."""
    message = render(replace(_update(), incident=incident(alert_count=37, last_alert_at=START + span)))
    assert f"37 alerts in {said}, since 14:03." in message.text


def test_times_of_another_day_have_their_date():
    """Near midnight, a time of another day in the shown zone has its date."""
    night = START.replace(hour=23, minute=2)
    context = replace(
        _update(alert(received_at=night), alert(received_at=night - timedelta(minutes=4))),
        incident=incident(alert_count=2, opened_at=night - timedelta(minutes=4), last_alert_at=night),
        zone=ZoneInfo("Europe/Berlin"),
        now=night,
    )
    message = render(context)
    assert "2 alerts in 4 min, since 2026-11-23 23:58." in message.text
    assert "  2026-11-23 23:58:00  motion in the hall" in message.text
    assert "2026-11-24 00:02:00 CET" in message.text


def test_an_earlier_alert_shows_the_severity_that_it_had():
    """An earlier alert shows its severity if that differs from the incident's."""
    message = render(
        replace(
            _update(alert(severity=Severity.CRITICAL), alert(severity=Severity.CRITICAL), alert()),
            incident=incident(severity=Severity.CRITICAL, alert_count=3),
        )
    )
    assert "  14:03:00  motion in the hall\n  14:03:00  warning - motion in the hall\n" in message.text


def test_an_escalation_says_that_it_got_worse():
    """The first sentence is about the rise in severity, and the mail is urgent."""
    message = render(
        _context(
            incident=incident(severity=Severity.CRITICAL, alert_count=2, last_alert_at=START + timedelta(minutes=1)),
            notification=notification(kind=Kind.RISE),
        )
    )
    lead = "It got worse: now critical. 2 alerts in 1 min, since 14:03. The latest is above."
    assert message.subject == "[CRITICAL] Front door: alarm/motion"
    assert (message.text.split("\n")[5], lead in _page(message).text) == (lead, True)
    assert message.urgent is True


def _resolved(**changes: Any) -> MessageContext:
    """Return the context of a resolution half an hour after the beginning."""
    over = {
        "status": IncidentStatus.RESOLVED,
        "severity": Severity.CRITICAL,
        "resolved_at": START + timedelta(minutes=30),
        "last_alert_at": START + timedelta(minutes=30),
    }
    at = START + timedelta(minutes=30)
    return _context(
        alert(received_at=at),
        incident=incident(**{**over, **changes}),
        notification=notification(kind=Kind.RESOLUTION, due_at=at),
        now=at,
    )


@pytest.mark.parametrize(
    ("how", "by", "count", "said"),
    [
        (Resolution.ALERT, "alert-8", 8, "resolved at 14:33 by its sender. It began at 14:03: 7 alerts in 30 min."),
        (Resolution.ALERT, "alert-2", 2, "resolved at 14:33 by its sender. It began at 14:03: 1 alert."),
        (
            Resolution.SILENCE,
            None,
            7,
            "resolved at 14:33, because no more alerts came. It began at 14:03: 7 alerts in 30 min.",
        ),
        (
            Resolution.PERSON,
            "Ann\r\nBcc: x",
            7,
            "resolved at 14:33 by Ann Bcc: x. It began at 14:03: 7 alerts in 30 min.",
        ),
        (Resolution.PERSON, "silence", 7, "resolved at 14:33 by silence. It began at 14:03: 7 alerts in 30 min."),
        (Resolution.PERSON, "alert X", 7, "resolved at 14:33 by alert X. It began at 14:03: 7 alerts in 30 min."),
        (None, None, 7, "resolved at 14:33. It began at 14:03: 7 alerts in 30 min."),
    ],
    ids=["sender", "sender, one alert", "silence", "person", "a person called silence", "called alert X", "nobody"],
)
def test_a_resolution_says_that_it_is_over(how, by, count, said):
    """The first sentence says how the incident ended and how long it lasted; the mail is never urgent."""
    message = render(_resolved(resolution=how, resolved_by=by, alert_count=count))
    assert message.subject == "[RESOLVED] Front door: alarm/motion"
    lead = f"It is over: {said}"
    assert (message.text.split("\n")[5], lead in _page(message).text) == (lead, True)
    assert message.urgent is False


def test_an_opening_that_waited_until_the_end_says_so():
    """A contact that is first told when the incident is over reads that first."""
    context = _resolved(alert_count=2)
    message = render(replace(context, notification=replace(context.notification, kind=Kind.OPENING)))
    assert message.text.split("\n")[5].startswith("It is already over: resolved at 14:33.")


def test_an_incident_is_one_conversation():
    """Only the bracketed word of the subject changes, which Gmail ignores, and all messages have one thread id."""
    contexts = [
        _context(),
        _update(),
        _context(incident=incident(severity=Severity.CRITICAL, alert_count=5), notification=notification(id="another")),
        _resolved(alert_count=6),
    ]
    messages = [render(context) for context in contexts]
    assert {re.sub(r"^\[[A-Z]+\] ", "", message.subject or "") for message in messages} == {"Front door: alarm/motion"}
    assert {message.thread_id for message in messages} == {"incident.incident-1@example.net"}


def test_the_preview_has_the_count_and_the_latest_alert():
    """Phones show the first text of the page beneath the subject."""
    html = render(_update()).html
    assert html is not None
    _, body = html.split("<body")
    assert _Page(f"<body{body}").text.strip().split("\n")[0] == (
        "motion in the hall - 3 alerts in 4 min, since 14:03. The latest is above."
    )


def test_an_acknowledged_incident_says_by_whom():
    """A message that is sent after an acknowledgement names the person."""
    message = render(
        _context(
            incident=incident(
                status=IncidentStatus.ACKNOWLEDGED, acknowledged_at=START, acknowledged_by="Ann\r\nof the night shift"
            )
        )
    )
    assert "Acknowledged by Ann of the night shift at 14:03." in message.text
    assert "Acknowledged by Ann of the night shift at 14:03." in _page(message).text


def test_a_snooze_is_no_taking():
    """Whoever has only texts mustn't believe that somebody has it; what is taken says by whom alone."""
    snoozed = incident(
        status=IncidentStatus.ACKNOWLEDGED,
        acknowledged_at=START,
        acknowledged_by="owner",
        snoozed_until=START + timedelta(hours=1),
    )
    told = {channel: notification(kind=Kind.ACKNOWLEDGEMENT, channel=channel) for channel in ChannelName}
    sms = render(_context(notification=told["sms"], incident=snoozed)).text
    assert sms.startswith("SNOOZED Front door: alarm/motion at 14:03 (by owner until 15:03)")
    assert render(_context(notification=told["email"], incident=snoozed)).subject.startswith("[SNOOZED] Front door: ")
    taken = replace(snoozed, snoozed_until=None)
    assert "ACKNOWLEDGED Front door: alarm/motion at 14:03 (by owner)" in (
        render(_context(notification=told["sms"], incident=taken)).text
    )


@pytest.mark.parametrize(
    ("by", "said"), [("owner", "owner can't after all: nobody has it."), ("Ben", "owner can't after all, says Ben:")]
)
def test_what_was_handed_back_says_who_cannot(by, said):
    """And by whose word, in a mail and in a text; once somebody has it again no message says so."""
    back = incident(acknowledged_at=START, acknowledged_by="owner", handed_back_at=START, handed_back_by=by)
    told = {channel: notification(kind=Kind.REOPENING, channel=channel) for channel in ChannelName}
    assert said in render(_context(notification=told["email"], incident=back)).text
    sms = render(_context(notification=told["sms"], incident=back)).text
    assert sms.startswith("WARNING Front door: alarm/motion at 14:03 (owner can't: nobody has it)")
    taken = replace(back, status=IncidentStatus.ACKNOWLEDGED, handed_back_at=None)
    for channel in ("email", "sms"):
        assert "can't" not in render(_context(notification=told[channel], incident=taken)).text


@pytest.mark.parametrize("kind", list(Kind))
def test_any_message_of_a_resolved_incident_says_resolved(kind):
    """A message shows the incident as it is when sent: an opening that waited reports the end as well."""
    message = render(_context(incident=incident(status=IncidentStatus.RESOLVED), notification=notification(kind=kind)))
    assert message.subject == "[RESOLVED] Front door: alarm/motion"


@pytest.mark.parametrize(
    ("severity", "urgent"), [(Severity.INFO, False), (Severity.WARNING, False), (Severity.CRITICAL, True)]
)
def test_only_a_critical_message_is_urgent(severity, urgent):
    """Other severities aren't urgent."""
    assert render(_context(incident=incident(severity=severity))).urgent is urgent


def test_an_unreadable_alert_is_shown_as_received():
    """A quarantined alert is shown with the reasons and its raw text."""
    raw = b'{"event":"alarm/motion","data":"{"t":1}"}'
    message = render(_context(_quarantined(raw, "Invalid JSON: expected `,`", "and so on")))
    assert message.subject == "[WARNING] Front door: unreadable alert alarm/motion"
    lead = (
        "An alert arrived that can't be read: run `alertgate particle-template` and replace the webhook in Particle's "
        "console. It is stored in full, and shown below as received."
    )
    assert f"\n{lead}\n" in message.text
    assert (
        "Why it can't be read:\n  - Invalid JSON: expected `,`\n  - and so on\nWhat came in:\n  " + raw.decode()
        in message.text
    )
    page = _page(message)
    assert (raw.decode() in page.text, "Invalid JSON: expected `,`" in page.text) == (True, True)


def test_an_empty_body_is_explained_too():
    """An alert with an empty body is shown with the reason."""
    message = render(_context(_quarantined(b"", "Invalid JSON: EOF")))
    assert "  - Invalid JSON: EOF" in message.text
    assert "Invalid JSON: EOF" in _page(message).text


def test_raw_bytes_of_any_kind_are_shown():
    """Bytes that aren't text are replaced, and a long body is cut."""
    message = render(_context(_quarantined(b"\xff\xfe\x00event" + b"x" * 100_000, "no JSON")))
    assert ("\ufffd\ufffd\ufffdeventxxx" in message.text, len(message.text) < 5000) == (True, True)


@pytest.mark.parametrize("raw", [b'{"event": broken', b""])
def test_an_unreadable_alert_by_text_message(raw):
    """A text message says what to do: a broken body on a phone helps nobody."""
    assert _text(alerts=(_quarantined(raw, "no JSON"),)) == (
        "WARNING Front door: unreadable alert alarm/motion at 14:03 - "
        "run alertgate particle-template and replace the webhook"
    )


def test_a_late_alert_is_shown_as_late():
    """The mail says when the alert happened and how late it arrived."""
    message = render(_context(alert(published_at=START - timedelta(hours=26, minutes=5))))
    assert message.text.split("\n")[:7] == [
        "WARNING  Front door: alarm/motion",
        "2026-11-22 11:58:00 UTC (1 d 2 h late)",
        "",
        "motion in the hall",
        "",
        "A new alert.",
        "The alert arrived 1 d 2 h late, at 2026-11-23 14:03:00 UTC.",
    ]
    page = _page(message).text
    assert ("2026-11-22 11:58:00 UTC (1 d 2 h late)" in page, "The alert arrived 1 d 2 h late" in page) == (True, True)


@pytest.mark.parametrize("happened", [START, START - timedelta(seconds=59), START + timedelta(days=1)])
def test_an_alert_in_time_is_not_shown_as_late(happened):
    """Seconds don't count, nor does a device's clock that is ahead."""
    assert "late" not in render(_context(alert(published_at=happened))).text


def test_a_delayed_message_says_so():
    """A mail that waited for the server says how late it is."""
    waited = render(_context(now=START + timedelta(minutes=95)))
    tried = render(
        _context(
            notification=notification(attempts=3, due_at=START + timedelta(minutes=95)),
            now=START + timedelta(minutes=95),
        )
    )
    for message in (waited, tried):
        assert "This message is 1 h 35 min late: it couldn't be sent earlier." in message.text
        assert "This message is 1 h 35 min late: it couldn't be sent earlier." in _page(message).text


def test_an_update_that_was_planned_for_later_is_not_late():
    """An update that waited for the group interval is on time."""
    message = render(
        _context(
            incident=incident(alert_count=2),
            notification=notification(kind=Kind.UPDATE, due_at=START + timedelta(minutes=5)),
            now=START + timedelta(minutes=5, seconds=1),
        )
    )
    assert " late" not in message.text.replace("The latest", "")


@pytest.mark.parametrize(
    ("delay", "said"),
    [
        (timedelta(days=-1), None),
        (timedelta(seconds=59, microseconds=999999), None),
        (timedelta(minutes=1), "1 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=23, minutes=59), "23 h 59 min"),
        (timedelta(days=1), "1 d"),
        (timedelta(days=2, hours=3, minutes=4), "2 d 3 h"),
    ],
)
def test_delays_have_one_or_two_units(delay, said):
    """Minutes, then hours, then days; nothing under a minute."""
    assert late(delay) == said


def test_times_are_in_the_configured_zone():
    """Times are shown in TIMEZONE, with its name."""
    message = render(_context(zone=ZoneInfo("Europe/Berlin")))
    assert message.text.split("\n")[1] == "2026-11-23 15:03:00 CET"
    summer = render(
        _context(alert(published_at=datetime(2026, 7, 1, 12, 0, 0, 0, UTC)), zone=ZoneInfo("Europe/Berlin"))
    )
    assert "2026-07-01 14:00:00 CEST" in summer.text


@pytest.mark.parametrize(
    ("name", "device", "source", "where"),
    [
        ("Front door", DOOR, Source.PARTICLE, "Front door"),
        (None, DOOR, Source.PARTICLE, DOOR),
        (None, None, Source.PARTICLE, "particle"),
        (None, "nas", Source.GENERIC, "nas"),
        (None, None, Source.GENERIC, "generic"),
    ],
)
def test_the_subject_names_device_or_source(name, device, source, where):
    """It has the device's name, or else its id, or else the source."""
    message = render(_context(incident=incident(device=device, source=source), device_name=name))
    assert message.subject == f"[WARNING] {where}: alarm/motion"


@pytest.mark.parametrize(
    ("source", "device", "line"),
    [
        (Source.PARTICLE, DOOR, f"  Device    {DOOR}"),
        (Source.GENERIC, "nas", "  Source    nas"),
    ],
)
def test_an_unnamed_device_is_shown_by_its_id(source, device, line):
    """Its row is called Device for Particle, and Source for other senders."""
    message = render(_context(incident=incident(source=source, device=device), device_name=None))
    assert line in message.text.split("\n")


def test_data_is_a_table():
    """JSON data and other fields are shown as rows of name and value."""
    message = render(_context(alert(data={"t": 21.5, "gps": {"lat": 1, "ok": True}}, fields={"fw_version": 7})))
    assert "\n  t        21.5\n  gps.lat  1\n  gps.ok   yes\n" in message.text
    assert "Also sent:\n  fw_version  7\n" in message.text
    page = _page(message).text
    assert [name for name in ("gps.lat", "gps.ok", "yes", "fw_version") if name not in page] == []


def test_a_generic_message_stands_above_its_details():
    """The sender's message comes first, with its line breaks."""
    message = render(_context(alert(message="No backup\nfor 26 hours", data={"volume": "tank"})))
    assert message.text.index("No backup\nfor 26 hours") < message.text.index("  volume  tank")
    assert "No backup\nfor 26 hours" in _page(message).text


def test_what_happened_comes_before_the_technical_facts():
    """The data is at the top; the ids are at the end."""
    message = render(_context(alert(data={"t": 21.5}, fields={"fw_version": 7}), alert(data="motion before")))
    for body in (message.text, _page(message).text):
        places = [body.index(words) for words in ("21.5", "motion before", "fw_version", DOOR, "Received", "alert-1")]
        assert places == sorted(places)


def test_lines_of_a_value_are_aligned():
    """A value of several lines is indented, so it can't imitate other rows."""
    message = render(_context(alert(data={"log": "one\n  Incident  fake", "t": 1})))
    assert "  log  one\n         Incident  fake\n  t    1\n" in message.text


@pytest.mark.parametrize("data", [PNG_URL, {"t": 1, "photo": PNG_URL}])
def test_a_picture_is_attached_and_shown(data):
    """A picture from a device is in the mail, and its base64 isn't in the text."""
    message = render(_context(alert(data=data)))
    assert message.picture == Picture("png", PNG)
    assert "The picture is attached." in message.text
    assert _page(message).sources == ["cid:picture@alertgate"]
    assert "base64" not in _everything(message)


@pytest.mark.parametrize("data", [PNG_URL, {"t": 1, "photo": PNG_URL}])
def test_a_picture_that_is_too_large_is_left_out_with_a_note(data):
    """The note says that a picture is missing, why, and where it is."""
    message = render(_context(alert(data=data)), with_picture=False)
    assert (message.picture, _page(message).sources) == (None, [])
    note = (
        "The picture was left out, because the mail server rejected the message as too large. "
        "The API has it, under the alert's id below."
    )
    assert (note in message.text, note in _page(message).text) == (True, True)
    assert ("attached" in message.text, "  Alert     alert-1" in message.text) == (False, True)


@pytest.mark.parametrize("address", ["me@example.com", "5551234567@vtext.com"])
def test_without_a_picture_there_is_no_note(address):
    """A message without a picture is the same with `with_picture=False`."""
    context = _context(notification=notification(address=address))
    assert render(context, with_picture=False) == render(context)


@pytest.mark.parametrize(
    "data",
    [
        "data:image/svg+xml;base64,PHN2Zz4=",
        "data:text/html;base64,PGI+",
        "data:image/png;base64,",
        "data:image/png;base64,not base64",
        "data:application/octet-stream;base64,iVBO",
        {"_type": "buffer", "_data": "PHN2Zz4="},
        None,
    ],
    ids=str,
)
def test_only_a_safe_picture_is_attached(data):
    """Formats that may contain scripts, empty pictures and other binary data aren't shown as pictures."""
    message = render(_context(alert(data=data)))
    assert (message.picture, _page(message).sources) == (None, [])


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "WARNING Front door: alarm/motion at 14:03 - motion in the hall"),
        (
            {"alerts": (alert(data={"t": 21.5, "ok": True}),)},
            "WARNING Front door: alarm/motion at 14:03 - t: 21.5, ok: yes",
        ),
        (
            {"alerts": (alert(message="No backup", data={"t": 1}),)},
            "WARNING Front door: alarm/motion at 14:03 - No backup",
        ),
        ({"alerts": (alert(data=None),)}, "WARNING Front door: alarm/motion at 14:03"),
        ({"alerts": (alert(data=""),)}, "WARNING Front door: alarm/motion at 14:03"),
        ({"alerts": (alert(data=0),)}, "WARNING Front door: alarm/motion at 14:03 - 0"),
        ({"alerts": (alert(data=PNG_URL),)}, "WARNING Front door: alarm/motion at 14:03 - image/png, 8 bytes"),
        (
            {"incident": incident(severity=Severity.CRITICAL), "device_name": "Haustür “West”"},
            'CRITICAL Haustür "West": alarm/motion at 14:03 - motion in the hall',
        ),
        (
            {"incident": incident(status=IncidentStatus.RESOLVED)},
            "RESOLVED Front door: alarm/motion at 14:03 - motion in the hall",
        ),
        (
            {"alerts": (alert(data={"severity": "warning", "status": "leak", "t": 1}),)},
            "WARNING Front door: alarm/motion at 14:03 - status: leak, t: 1",
        ),
        ({"alerts": (alert(data={"severity": "warning"}),)}, "WARNING Front door: alarm/motion at 14:03"),
        ({"alerts": (alert(data={}),)}, "WARNING Front door: alarm/motion at 14:03"),
        (
            {"alerts": (alert(published_at=START - timedelta(hours=26)),)},
            "WARNING Front door: alarm/motion at Sun 12:03 (1 d 2 h late) - motion in the hall",
        ),
        (
            {"now": START + timedelta(minutes=5)},
            "WARNING Front door: alarm/motion at 14:03 (5 min late) - motion in the hall",
        ),
        (
            {"alerts": (alert(published_at=START - timedelta(hours=1)),), "now": START + timedelta(minutes=5)},
            "WARNING Front door: alarm/motion at 13:03 (1 h 5 min late) - motion in the hall",
        ),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_text_message_has_the_essence(changes, text):
    """It has severity, device, event and essence in one segment, with nothing repeated."""
    assert _text(**changes) == text


@pytest.mark.parametrize(
    ("context", "text"),
    [
        (_update(), "WARNING Front door: alarm/motion at 14:03 (3 alerts in 4 min) - motion in the hall"),
        (
            _context(
                incident=incident(severity=Severity.CRITICAL, alert_count=2),
                notification=notification(kind=Kind.RISE),
            ),
            "CRITICAL Front door: alarm/motion at 14:03 (got worse, 2 alerts in 1 s) - motion in the hall",
        ),
        (
            _resolved(alert_count=8, resolution=Resolution.ALERT),
            "RESOLVED Front door: alarm/motion at 14:33 (7 alerts in 30 min) - motion in the hall",
        ),
        (
            replace(
                _resolved(alert_count=2, resolution=Resolution.ALERT), alerts=(alert(data={"status": "resolved"}),)
            ),
            "RESOLVED Front door: alarm/motion at 14:03",
        ),
    ],
    ids=["update", "escalation", "resolution", "resolution without more"],
)
def test_a_text_message_says_why_it_is_sent(context, text):
    """An update has the count, an escalation says that it got worse, a resolution that it is over."""
    phone = replace(context.notification, channel=ChannelName.SMS)
    assert render(replace(context, notification=phone)).text == text


def test_long_names_leave_room_for_the_essence():
    """Names of device and event are cut, so that the essence fits."""
    text = _text(device_name="d" * 200, incident=incident(event="e" * 200))
    assert text == f"WARNING {'d' * 31}...: {'e' * 43}... at 14:03 - motion in the hall"


@pytest.mark.parametrize(
    ("channel", "address"),
    [
        (ChannelName.SMS, "5551234567@texts.example.com"),
        (ChannelName.OUTBOX, "5551234567@vtext.com"),
        (ChannelName.EMAIL, "5551234567@vtext.com"),
    ],
)
def test_a_text_message_has_no_subject_and_no_html(channel, address):
    """A text message is plain, even in the outbox."""
    message = render(_context(notification=notification(channel=channel, address=address)))
    assert (message.subject, message.html, message.picture) == (None, None, None)


def test_the_outbox_gets_whole_mails():
    """A mail in the outbox is what the mail server would get."""
    mail = render(_context())
    assert render(_context(notification=notification(channel=ChannelName.OUTBOX))) == mail


@pytest.mark.parametrize(
    "changes",
    [
        {"device_name": HOSTILE},
        {"device_name": None, "incident": incident(device=HOSTILE)},
        {"device_name": None, "incident": incident(device=HOSTILE, source=Source.GENERIC)},
        {"incident": incident(event=HOSTILE)},
        {"alerts": (alert(message=HOSTILE),)},
        {"alerts": (alert(data=HOSTILE),)},
        {"alerts": (alert(data={HOSTILE: [HOSTILE, {HOSTILE: HOSTILE}]}),)},
        {"alerts": (alert(fields={HOSTILE: HOSTILE}),)},
        {"alerts": (alert(), alert(data=HOSTILE), alert(message=HOSTILE))},
        {"alerts": (_quarantined(HOSTILE.encode(errors="replace"), HOSTILE),)},
        {"alerts": (alert(), _quarantined(HOSTILE.encode(errors="replace"), HOSTILE))},
    ],
    ids=["name", "device", "source", "event", "message", "data", "nested", "fields", "earlier", "raw", "earlier raw"],
)
def test_hostile_text_stays_text(changes):
    """Line breaks, HTML, template syntax and direction marks have no effect in any field."""
    ordinary = _page(render(_context(alert(fields={"a": "b"}, message="m"), alert())))
    message = render(_context(**changes))
    page = _page(message)
    assert message.subject is not None
    assert message.subject.splitlines() == [message.subject]
    assert UNSEEN.search(_everything(message)) is None
    assert "49" not in _everything(message)
    assert (page.tags - ordinary.tags - {"ul", "li", "pre"}, page.sources) == (set(), [])
    assert "<script>alert(1)</script><b>&{{ 7*7 }}" in page.text
    text_message = _text(**changes)
    assert (set(text_message) - GSM7 - GSM7_DOUBLE, text_message.splitlines()) == (set(), [text_message])


def test_forty_rows_are_shown_in_a_small_mail():
    """A full table fits: the whole mail stays under 20 kB, without its picture."""
    data = {f"sensor_{number:02}": f"{number * 1.25:.2f} °C, <steady> & fine" for number in range(40)}
    alerts = [alert(data=data, fields={f"field_{number}": "x" * 20 for number in range(10)}) for _ in range(6)]
    message = render(replace(_update(*alerts), incident=incident(alert_count=600)))
    page = _page(message)
    assert (page.text.count("°C, <steady> & fine") >= 40, "sensor_39" in page.text, "more was sent" in page.text) == (
        True,
        True,
        False,
    )
    assert len(compose(message, "alerts@example.net")) < 20_000


@pytest.mark.parametrize("text", ["x", "\"&<'", "日本", "🔥", "\n", "ab "])
def test_no_mail_is_large(text):
    """Whatever text fills every field, in any script, the mail stays under 20 kB."""
    full = text * 20_000
    errors = tuple([full] * 50)
    named = {"device_name": full, "incident": incident(event=full, device=full, alert_count=99)}
    for newest in (
        alert(message=full, data={f"{number}{full}": [full] * 9 for number in range(90)}, fields={"a": [full] * 90}),
        alert(data=full),
        alert(data=[full] * 90),
        _quarantined(full.encode(), *errors),
    ):
        message = render(_update(newest, *[alert(data=full)] * 20))
        assert len(compose(message, "alerts@example.net")) < 20_000
        message = render(replace(_update(newest, *[alert(data=full)] * 20), **named))
        assert len(compose(message, "alerts@example.net")) < 20_000


any_text = st.text(st.characters(exclude_categories=()), max_size=300)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
)


@for_any
@given(any_text, any_text | st.none(), any_json, any_text | st.none(), st.sampled_from(Kind))
def test_any_alert_can_be_rendered(event, device, data, text, kind):
    """Whatever a device sends, the mail has a safe subject and the text message has one segment."""
    context = _context(
        alert(data=data, message=text),
        incident=incident(event=event, device=device),
        device_name=None,
        notification=notification(kind=kind),
    )
    subject = render(context).subject
    assert subject is not None
    assert (subject.splitlines(), len(subject) <= 140) == ([subject], True)
    short = render(replace(context, notification=notification(channel=ChannelName.SMS))).text
    assert set(short) <= GSM7 | GSM7_DOUBLE
    assert sum(2 if char in GSM7_DOUBLE else 1 for char in short) <= 160


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (event_key("particle", "d", "e", ()).key, None),
        (event_key("particle", "d", "e", ("door", "front")).key, "front"),
        (event_key("particle", "d", "e", ("zone", "ground", "door", "front")).key, "ground, front"),
        (event_key("particle", "d", "e", ("key", "north", "3")).key, "north, 3"),
        (event_key("particle", "d", "e", ("dedup_key", "x-1")).key, None),
        (event_key("generic", "nas", "e", ("door", 'a "b"')).key, 'a "b"'),
        (event_key("particle", "d", "e", ("door", "x" * 2000)).key, None),
        (incident_key("key", "nas", "raid"), None),
        (incident_key("unreadable", "d", "e"), None),
        (shared_key(event_key("particle", "d", "e", ("door", "front")).whole or ""), None),
        ("particle:d:e", None),
        ("particle:[1]", None),
        ("", None),
    ],
)
def test_a_part_is_named_beside_its_device(key, name):
    """Who reads that a door is over must read which."""
    assert part_name(key) == name


@pytest.mark.parametrize(
    ("number", "line", "short"),
    [
        (1, "It isn't the first: you weren't told of an earlier alert, from Saturday 14:03.", "1 before not told"),
        (3, "It isn't the first: you weren't told of 3 earlier alerts, since Saturday 14:03.", "3 before not told"),
    ],
)
def test_a_message_says_of_what_its_reader_was_not_told(number, line, short):
    """The first alert that a reader hears of isn't told as if nothing had been."""
    earlier = Untold(number, START - timedelta(days=2))
    mail = render(_context(earlier=earlier))
    assert f"\nA new alert.\n{line}\n" in mail.text
    assert line.replace("'", "&#39;") in (mail.html or "")
    assert f"({short})" in _text(earlier=earlier)
    own = incident(source=Source.ALERTGATE, event="alertgate/refused", device="generic webhook")
    assert "the first" not in _everything(render(_context(incident=own, earlier=earlier)))


LINK = "https://alerts.example.org/a/AAAABBBBCCCCDDDD"


@pytest.mark.parametrize("channel", ["email", "outbox"])
def test_a_mail_shows_its_link_before_all_its_sentences(channel):
    """The button stands above the first sentence, in the text and in the HTML, and nowhere without a link."""
    shown = notification(channel=ChannelName(channel))
    mail = render(_context(notification=shown, link=LINK))
    for body in (mail.text, mail.html or ""):
        assert 0 < body.index(LINK) < body.rindex("A new alert.")  # an inbox shows the sentence too
    assert f"I'm on it: {LINK}" in mail.text
    assert "I'm on it" in _Page(mail.html or "").text
    assert "on it" not in _everything(render(_context(notification=shown)))


@pytest.mark.parametrize("status", [IncidentStatus.ACKNOWLEDGED, IncidentStatus.RESOLVED])
def test_the_link_of_what_needs_nobody_asks_for_nobody(status):
    """Where somebody has it, or it is over, the link only says what became of it."""
    mail = render(_context(incident=incident(status=status, resolved_at=START, acknowledged_at=START), link=LINK))
    assert f"What became of it: {LINK}" in mail.text


def test_a_text_message_has_its_link_unless_that_costs_a_word():
    """A short alert is followed by its link; of a long one nothing is left out for it."""
    assert _text(link=LINK) == f"WARNING Front door: alarm/motion at 14:03 - motion in the hall {LINK}"
    long = "motion in the hall, then in the kitchen, then on the stairs, and now in front of the safe"
    assert _text(alerts=(alert(data=long),), link=LINK) == _text(alerts=(alert(data=long),))
