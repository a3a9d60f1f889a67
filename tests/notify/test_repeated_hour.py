"""Messages in the night on which clocks are set back, when an hour comes twice."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from alertgate.model import ChannelName, IncidentStatus, Kind, NotificationStatus
from alertgate.notify.context import DigestContext, DigestItem, MessageContext
from alertgate.notify.render.message import render
from alertgate.notify.render.text import septets
from alertgate.prove.history import Told, Trail
from alertgate.prove.timeline import tell
from alertgate.prove.trouble_words import message
from alertgate.prove.troubles import Cause, Subject, Tally, Trouble
from tests.builders import alert, incident, notification

CHANGES = {
    "Europe/Berlin": (datetime(2026, 10, 25, 1, 0, tzinfo=UTC), ("02:50 CEST", "02:10 CET")),
    "America/New_York": (datetime(2026, 11, 1, 6, 0, tzinfo=UTC), ("01:50 EDT", "01:10 EST")),
    "Australia/Sydney": (datetime(2026, 4, 4, 16, 0, tzinfo=UTC), ("02:50 AEDT", "02:10 AEST")),
    "Australia/Lord_Howe": (datetime(2026, 4, 4, 15, 0, tzinfo=UTC), ("01:50 +11", "01:40 +1030")),
}
"""When clocks are set back, and how ten minutes before and after it are shown."""
BERLIN = CHANGES["Europe/Berlin"][0]

each_zone = pytest.mark.parametrize("zone", CHANGES)


def minutes(number: float, change: datetime = BERLIN) -> datetime:
    """Return a time so many minutes after the change."""
    return change + timedelta(minutes=number)


def update(zone: str, *received: datetime) -> MessageContext:
    """Return the context of an update with these alerts, the newest first, sent a second after it."""
    alerts = tuple(alert(id=f"alert-{n}", received_at=time, data=f"alert {n}") for n, time in enumerate(received))
    began = incident(opened_at=received[-1], last_alert_at=received[0], alert_count=len(received))
    due = notification(kind=Kind.UPDATE, created_at=received[-1], retry_since=received[-1], due_at=received[0])
    return MessageContext(due, began, alerts, "Front door", ZoneInfo(zone), minutes(1 / 60, received[0]), "example.net")


@each_zone
def test_the_alerts_before_say_which_hour_they_are_of(zone):
    """Without the zone the newest of them would seem to be the oldest."""
    change, (before, after) = CHANGES[zone]
    mail = render(update(zone, minutes(95, change), minutes(10, change), minutes(-10, change), minutes(-95, change)))
    told = mail.text.partition("Before that:\n")[2].split("\n\n")[0].splitlines()
    seconds = [time.replace(" ", ":00 ") for time in (after, before)]
    assert [line.strip().rpartition("  ")[0].strip() for line in told[:2]] == seconds
    assert len(told[2].split()[0]) == len("00:00:00")
    assert all(time in (mail.html or "") for time in seconds)
    assert f"since {told[2].split()[0][:5]}." in mail.text


@each_zone
def test_the_first_sentence_says_which_hour_it_is_of(zone):
    """An incident that began before the change, told after it."""
    change, (before, _) = CHANGES[zone]
    assert (
        f"2 alerts in 20 min, since {before}." in render(update(zone, minutes(10, change), minutes(-10, change))).text
    )


def digest(*items: DigestItem) -> DigestContext:
    """Return a digest that is sent an hour and a half after the change in Berlin."""
    return DigestContext(
        "digest-1", ChannelName.EMAIL, "me@example.com", items, ZoneInfo("Europe/Berlin"), minutes(90), "example.net"
    )


def item(number: int, since: float, until: float | None = None) -> DigestItem:
    """Return an incident that was opened so many minutes after the change."""
    about = incident(id=f"incident-{number}", device=f"{number:024x}", event="power/lost", opened_at=minutes(since))
    if until is not None:
        about = replace(about, status=IncidentStatus.RESOLVED, resolved_at=minutes(until))
    return DigestItem(about, f"Room {number}")


def test_a_digest_says_which_hour_it_is_of():
    """As a mail and as a text message, which still fits one segment."""
    context = digest(item(1, -10, 10), item(2, -5, 20))
    assert "from 02:50 CEST to 02:20 CET" in render(context).text
    text = render(replace(context, channel=ChannelName.SMS)).text
    assert text == "RESOLVED power/lost: 2 devices from 02:50 CEST to 02:20 CET - Room 1, Room 2"
    assert septets(text) <= 160
    assert "since 01:40" in render(digest(item(1, -80), item(2, -80))).text


def test_a_timeline_says_which_hour_it_is_of():
    """Its days have a heading for each zone; the last line has times of its own."""
    told = notification(
        status=NotificationStatus.SENT, created_at=minutes(-10), retry_since=minutes(-10), finished_at=minutes(-9)
    )
    about = incident(opened_at=minutes(-10), last_alert_at=minutes(-10), acknowledged_at=minutes(10))
    first = alert(received_at=minutes(-10), incident_id=about.id)
    lines = tell(Trail(first, about, (Told(told, ()),)), None, ZoneInfo("Europe/Berlin"), minutes(20)).splitlines()
    days = [number for number, line in enumerate(lines) if line.startswith("2026-10-25")]
    assert [lines[number] for number in days] == ["2026-10-25 (CEST)", "2026-10-25 (CET)"]
    assert lines[days[0] + 1].startswith("02:50:00.000  received")
    assert lines[days[1] + 1].startswith("02:10:00.000  the incident was acknowledged")
    assert lines[-1].startswith("now (02:20:00 CET): ")
    assert "was sent at 02:51:00 CEST, 1 min 0 s after receipt" in lines[-1]


def test_what_alertgate_says_of_itself_says_which_hour_it_is_of():
    """So that a trouble doesn't seem to end before it began."""
    tally = Tally(2, minutes(-10), minutes(10), {Cause.TOO_LARGE: 2}, {})
    now = minutes(20).astimezone(ZoneInfo("Europe/Berlin"))
    said = message(Subject(Trouble.REFUSED, "generic webhook"), tally, now, over=True)
    assert said.startswith("2 alerts refused from 02:50 CEST to 02:10 CET: ")
