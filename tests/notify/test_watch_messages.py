"""Messages about devices that the watch speaks of: what happened, what to do, and no word of alerts."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from alertgate.model import ChannelName, IncidentStatus, Kind, Resolution, Severity, Source
from alertgate.notify.context import DigestContext, DigestItem, MessageContext
from alertgate.notify.names import event_name
from alertgate.notify.render.message import render
from alertgate.own_events import WatchEvent
from alertgate.prove.watch_words import OVER, TITLES
from tests.builders import DOOR, alert, incident, notification
from tests.fakes import START

SAID = {
    WatchEvent.SILENT: "Front door has said nothing since 03:12; it should every 1 h.\nWhat to do: see to its power.",
    WatchEvent.FLAPPING: "Front door went away 7 times within a day.\nWhat to do: see to its signal.",
    WatchEvent.BATTERY: "Front door: battery at 18 %, below 20 %; about 9 days left.\nWhat to do: charge it.",
    WatchEvent.RESETS: "Front door was reset 3 times within a day.\nWhat to do: see to its power supply.",
    WatchEvent.NO_WEBHOOKS: "Nothing from Particle since 03:12, 41 devices: Particle, your line, or this server's "
    "address.\nWhat to do: look at status.particle.io.",
}
OVER_NOW = {
    "status": IncidentStatus.RESOLVED,
    "resolved_at": START + timedelta(hours=5),
    "resolution": Resolution.ALERT,
    "alert_count": 2,
}


def about(event: WatchEvent, channel: ChannelName, kind: Kind = Kind.OPENING, said: str = "", **changes):
    """Return the context of a message about a device."""
    own = {"source": Source.WATCH, "event": str(event), "device": DOOR, "severity": Severity.WARNING}
    key = f'watch:["{event}","{DOOR}"]'
    report = alert(**own, message=said or SAID[event], data={"reason": "silent"}, incident_key=key)
    return MessageContext(
        notification=notification(kind=kind, channel=channel, due_at=START),
        incident=incident(**own, key=key, **changes),
        alerts=(report,),
        device_name="Front door",
        zone=ZoneInfo("UTC"),
        now=START,
        message_domain="example.net",
    )


def test_each_event_has_words():
    """None is told by the name that programs know."""
    assert set(TITLES) == set(OVER) == set(WatchEvent)


@pytest.mark.parametrize("event", WatchEvent)
def test_a_mail_says_what_happened_and_what_to_do(event):
    """With a subject for people, and the device among the facts; nothing of alerts, values or reasons for programs."""
    mail = render(about(event, ChannelName.EMAIL))
    assert mail.subject.startswith("[WARNING] ")
    assert mail.subject.endswith(f": {TITLES[event]}")
    lines = mail.text.splitlines()
    assert {*SAID[event].splitlines(), OVER[event]} <= set(lines)
    assert any(line.split()[:1] == ["Event"] and event in line for line in lines)
    is_named = any(line.split()[:1] == ["Device"] and DOOR in line for line in lines)
    assert is_named is (event is not WatchEvent.NO_WEBHOOKS)
    for word in ("1 alert", "new alert", "reason", "value"):
        assert word not in mail.text


@pytest.mark.parametrize("event", WatchEvent)
def test_a_text_message_says_it_in_one_segment(event):
    """What happened, whole; what to do is in the mail."""
    text = render(about(event, ChannelName.SMS)).text
    assert text.endswith(f": {TITLES[event]} - {SAID[event].splitlines()[0]}")
    assert len(text) <= 160


@pytest.mark.parametrize("channel", [ChannelName.EMAIL, ChannelName.SMS, ChannelName.NTFY])
def test_the_end_says_how_long_it_was_gone(channel):
    """In the same thread; the second report, which ended it, isn't counted."""
    over = "Front door: heard again after 5 h."
    message = render(about(WatchEvent.SILENT, channel, Kind.RESOLUTION, over, **OVER_NOW))
    assert over in message.text
    assert ("RESOLVED" in message.text) or "[RESOLVED] Front door: no sign of life" in message.subject
    assert "alerts" not in message.text
    assert "by its sender" not in message.text


def test_what_goes_on_is_not_counted():
    """A wide silence that grows is reported again."""
    grown = about(WatchEvent.NO_WEBHOOKS, ChannelName.EMAIL, Kind.UPDATE, alert_count=3)
    text = render(grown).text
    assert "It goes on." in text.splitlines()
    assert "3 alerts" not in text


def test_a_device_that_forges_the_name_of_an_event_is_shown_as_it_is():
    """Its incident isn't the watch's."""
    forged = incident(event=str(WatchEvent.SILENT))
    assert event_name(forged) == "device/silent"
    context = about(WatchEvent.NO_WEBHOOKS, ChannelName.EMAIL)
    as_device = replace(
        context,
        incident=replace(context.incident, source=Source.PARTICLE),
        alerts=tuple(replace(each, source=Source.PARTICLE) for each in context.alerts),
    )
    assert render(as_device).subject == "[WARNING] Front door: gate/no-webhooks"


def test_a_digest_counts_devices():
    """One line for all that say nothing, by their names."""
    one = about(WatchEvent.SILENT, ChannelName.EMAIL)
    items = tuple(
        DigestItem(replace(one.incident, id=f"incident-{n}", device=f"d{n}"), f"Door {n}", 1) for n in range(3)
    )
    context = DigestContext("digest-1", ChannelName.EMAIL, "me@example.com", items, one.zone, START, "example.net")
    mail = render(context)
    assert mail.subject == "[WARNING] 3 alerts: no sign of life"
    assert "WARNING no sign of life: 3 devices since 14:03" in mail.text
    assert "Door 0, Door 1, Door 2" in mail.text
