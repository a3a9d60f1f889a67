"""What apps, chats and programs are given to say of an incident or a digest."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.channel_kinds import AS_MAIL
from alertgate.marks import mark
from alertgate.model import ChannelName, IncidentStatus, Kind, Resolution, Severity
from alertgate.notify.context import DigestContext, DigestItem, MessageContext
from alertgate.notify.render.message import render
from alertgate.notify.render.push import LONGEST, shorten_lines
from tests.builders import DOOR, alert, for_any, incident, notification
from tests.fakes import START

LINK = "https://gate.example.org/a/token"
HOSTILE = "\r\nBcc: evil@example.org\r\n<!channel> @everyone <script>\u202e\u2066\x00\x1b[31m"
PUSHED = sorted(set(ChannelName) - AS_MAIL)


def _message(channel: ChannelName = ChannelName.NTFY, about: dict | None = None, said: Any = None, **changes: Any):
    """Return the message of an incident, with what its alert says."""
    context = MessageContext(
        notification=notification(channel=channel, address="alarm1", kind=changes.pop("kind", Kind.OPENING)),
        incident=incident(**(about or {})),
        alerts=(alert() if said is None else alert(data=said),),
        device_name="Front door",
        zone=ZoneInfo("UTC"),
        now=START,
        message_domain="example.net",
    )
    return render(replace(context, **changes))


def _digest(*about: Any, **changes: Any):
    items = tuple(DigestItem(each, name) for each, name in about)
    context = DigestContext("digest-1", ChannelName.NTFY, "alarm1", items, ZoneInfo("UTC"), START, "example.net")
    return render(replace(context, notification_id="notification-1", **changes))


TAKEN = {"status": IncidentStatus.ACKNOWLEDGED, "acknowledged_by": "Bea", "acknowledged_at": START}
OVER = {"status": IncidentStatus.RESOLVED, "resolved_at": START + timedelta(minutes=9), "resolution": Resolution.ALERT}


def test_a_title_says_what_it_is_about_and_the_text_what_happened():
    """The most important first: a lock screen shows no more."""
    message = _message()
    assert message.subject == "[WARNING] Front door: alarm/motion"
    assert message.text.split("\n") == ["motion in the hall", "A new alert.", "2026-11-23 14:03:00 UTC"]
    assert (message.to, message.html) == ("alarm1", None)


def test_how_many_alerts_came_is_said_once():
    """A lock screen has room for little."""
    said = _message(about={"alert_count": 2, "last_alert_at": START + timedelta(minutes=2)}).text
    assert said.split("\n") == [
        "motion in the hall",
        "2 alerts in 2 min, since 14:03. The latest is above.",
        "2026-11-23 14:03:00 UTC",
    ]


def test_a_call_says_nothing_twice_and_nothing_that_only_readers_understand():
    """Neither the value that its title has, nor what stands above, nor a date and seconds."""
    many = {"alert_count": 2, "last_alert_at": START + timedelta(minutes=2)}
    message = _message(ChannelName.CALL, about=many, said={"status": "firing", "celsius": -4.2, "door": "open"})
    assert "\u22124.2" in (message.subject or "")
    assert message.text.split("\n") == ["door: open", "2 alerts in 2 min, since 14:03.", "At 14:03"]


@pytest.mark.parametrize(
    ("about", "kind", "tag", "asks", "over", "urgent"),
    [
        ({}, Kind.OPENING, "WARNING", True, False, False),
        ({"severity": Severity.CRITICAL}, Kind.RISE, "CRITICAL", True, False, True),
        (TAKEN, Kind.ACKNOWLEDGEMENT, "ACKNOWLEDGED", False, False, False),
        ({**TAKEN, "snoozed_until": START + timedelta(hours=1)}, Kind.ACKNOWLEDGEMENT, "SNOOZED", False, False, False),
        ({**OVER, "severity": Severity.CRITICAL}, Kind.RESOLUTION, "RESOLVED", False, True, False),
    ],
)
def test_a_brief_says_how_it_stands_and_whether_somebody_is_to_answer(about, kind, tag, asks, over, urgent):
    """Only what is open rings on, and asks."""
    message = _message(about=about, kind=kind, link=LINK)
    brief = message.brief
    assert brief is not None
    assert (brief.tag, brief.asks, brief.over, message.urgent) == (tag, asks, over, urgent)
    assert brief.link == LINK
    assert [each.act for each in brief.answers] == (["acknowledge", "snooze"] if asks else [])


def test_a_button_answers_what_it_showed():
    """Its form has the mark of the incident as the message shows it."""
    message = _message(link=LINK)
    assert message.brief is not None
    forms = [parse_qs(each.form) for each in message.brief.answers]
    assert [form["seen"] for form in forms] == [[mark(incident())]] * 2
    worse = _message(link=LINK, about={"severity": Severity.CRITICAL})
    assert worse.brief is not None
    assert parse_qs(worse.brief.answers[0].form)["seen"] != forms[0]["seen"]


def test_without_a_link_there_is_no_button():
    """There is nowhere to send an answer to."""
    message = _message()
    assert message.brief is not None
    assert (message.brief.asks, message.brief.link, message.brief.answers) == (True, None, ())


def test_programs_read_what_the_incident_is():
    """In plain JSON, with times in UTC; the version says what to expect."""
    message = _message(about=TAKEN, kind=Kind.ACKNOWLEDGEMENT, link=LINK)
    assert message.brief is not None
    facts = message.brief.facts
    assert (facts["version"], facts["id"], facts["kind"], facts["link"]) == (
        1,
        "notification-1",
        "acknowledgement",
        LINK,
    )
    [told] = facts["incidents"]
    assert (told["status"], told["device"], told["device_name"]) == ("acknowledged", DOOR, "Front door")
    assert (told["opened_at"], told["acknowledged_by"]) == ("2026-11-23T14:03:00Z", "Bea")
    assert (told["handed_back_by"], told["handed_back_at"]) == (None, None)
    back = {**TAKEN, "status": IncidentStatus.OPEN, "handed_back_by": "Cy", "handed_back_at": START}
    message = _message(about=back, kind=Kind.REOPENING)
    assert message.brief is not None
    [told] = message.brief.facts["incidents"]
    assert (told["status"], told["acknowledged_by"], told["handed_back_by"]) == ("open", "Bea", "Cy")
    assert told["handed_back_at"] == "2026-11-23T14:03:00Z"


def test_a_digest_names_what_it_carries_and_has_no_button():
    """One press could answer for incidents that it doesn't name."""
    first, second = incident(id="1"), incident(id="2", severity=Severity.CRITICAL, event="leak", device="b" * 24)
    message = _digest((first, "Front door"), (second, "Cellar"), link=LINK)
    assert message.subject == "[CRITICAL] 2 alerts: leak and 1 more"
    assert "Cellar" in message.text
    brief = message.brief
    assert brief is not None
    assert (brief.tag, brief.severity, brief.asks, brief.over) == ("CRITICAL", Severity.CRITICAL, False, False)
    assert (brief.answers, brief.link, brief.notification_id) == ((), LINK, "notification-1")
    assert (brief.facts["kind"], brief.facts["id"]) == ("digest", "digest-1")
    assert [each["id"] for each in brief.facts["incidents"]] == ["1", "2"]


def test_a_digest_is_over_once_all_of_it_is():
    """And then as severe as the worst was."""
    ended = incident(id="1", severity=Severity.CRITICAL, **OVER)
    all_over, one_open = (
        _digest((ended, "A"), (incident(id="2", **OVER), "B")),
        _digest((ended, "A"), (incident(), "B")),
    )
    assert all_over.brief is not None
    assert one_open.brief is not None
    assert (all_over.brief.over, all_over.brief.severity, all_over.urgent) == (True, Severity.CRITICAL, False)
    assert (one_open.brief.over, one_open.brief.severity) == (False, Severity.WARNING)


@pytest.mark.parametrize("channel", PUSHED)
def test_what_a_device_says_stays_text_of_one_line(channel):
    """No line of its own in the title, no characters that turn or colour text; markup is the channel's to escape."""
    message = _message(channel, said=HOSTILE, device_name=HOSTILE)
    assert message.subject is not None or channel in {ChannelName.TWILIO, ChannelName.CALL}
    said = f"{message.subject}{message.text}"
    assert not {"\r", "\x00", "\x1b", "\u202e", "\u2066"} & set(said)
    assert "\n" not in (message.subject or "")
    assert "\nBcc" not in message.text


@for_any
@given(st.text(max_size=3000), st.text(max_size=400))
def test_no_text_is_beyond_the_limit(said, name):
    """Every service takes as much; the title has its own."""
    message = _message(said=said, device_name=name or None, link=LINK)
    assert 0 < len(message.text) <= LONGEST
    assert message.subject is not None
    assert len(message.subject) <= 250


@for_any
@given(st.lists(st.text(alphabet="abc ", min_size=1, max_size=30), max_size=8), st.integers(5, 60))
def test_lines_are_left_out_whole(lines, longest):
    """The first is cut if it alone is too long; what follows is there or not."""
    found = shorten_lines(lines, longest)
    assert len(found) <= longest
    assert found.split("\n")[1:] == lines[1 : len(found.split("\n"))]


def test_a_thousand_incidents_are_told_in_few_lines():
    """What doesn't fit is counted, not cut."""
    many = [
        (incident(id=str(number), device=f"{number:024x}", event=f"event/{number % 40}"), None)
        for number in range(1000)
    ]
    message = _digest(*many, link=LINK)
    assert len(message.text) <= LONGEST
    assert message.subject == "[WARNING] 1,000 alerts: event/0 and 39 more"
