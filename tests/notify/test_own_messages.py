"""Messages about alertgate's own troubles say what happened and what to do, not how many reports there were."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from alertgate.model import ChannelName, IncidentStatus, Kind, Resolution, Severity, Source
from alertgate.notify.context import MessageContext
from alertgate.notify.render.message import render
from alertgate.own_events import Hint
from alertgate.prove import hint_words
from tests.builders import alert, incident, notification
from tests.fakes import START

MESSAGE = "41 alerts from 192.0.2.7 refused since 14:03: over RATE_LIMIT.\nNobody is told.\nWhat to do: raise it."
OVER = {"status": IncidentStatus.RESOLVED, "resolved_at": START + timedelta(minutes=9)}


def about(kind: Kind, *, channel: ChannelName = ChannelName.EMAIL, **changes) -> MessageContext:
    """Return the context of a message about refused alerts that was reported twice."""
    own = {"source": Source.ALERTGATE, "event": "alertgate/refused", "device": "generic webhook"}
    report = alert(**own, message=MESSAGE, data={"count": 41}, severity=Severity.CRITICAL)
    return MessageContext(
        notification=notification(kind=kind, channel=channel, due_at=START + timedelta(minutes=10)),
        incident=incident(**own, severity=Severity.CRITICAL, alert_count=2, **changes),
        alerts=(report, replace(report, id="alert-0", message="1 alert refused at 14:03: over RATE_LIMIT.")),
        device_name=None,
        zone=ZoneInfo("UTC"),
        now=START + timedelta(minutes=10),
        message_domain="example.net",
    )


@pytest.mark.parametrize(
    ("kind", "changes", "lead"),
    [
        (Kind.OPENING, {}, "alertgate itself has a problem."),
        (Kind.UPDATE, {}, "It goes on."),
        (Kind.RISE, {}, "It got worse: now critical. alertgate itself has a problem."),
        (
            Kind.RESOLUTION,
            {**OVER, "resolution": Resolution.ALERT},
            "It is over: resolved at 14:12. It began at 14:03.",
        ),
        (
            Kind.OPENING,
            {**OVER, "resolution": Resolution.PERSON, "resolved_by": "Anna"},
            "It is already over: resolved at 14:12 by Anna. It began at 14:03.",
        ),
    ],
)
def test_the_first_sentence_says_why_it_is_sent(kind, changes, lead):
    """It never counts the reports, of which a reader knows nothing; the message follows it."""
    lines = render(about(kind, **changes)).text.splitlines()
    assert lead in lines
    assert MESSAGE.splitlines()[0] in lines
    assert "2 alerts" not in "\n".join(lines)


def test_a_hint_asks_and_reports_no_trouble():
    """The rule can be copied from the mail as it stands."""
    rule = '[[events]]\nevent = "valve \u00e9"\nresolved = false  # or "x"'
    text = hint_words.all_clear_message("closed", rule)
    own = {
        "source": Source.ALERTGATE,
        "event": Hint.ALL_CLEAR,
        "device": "valve from Cellar",
        "severity": Severity.INFO,
    }
    context = replace(
        about(Kind.OPENING), incident=incident(**own), alerts=(alert(**own, message=text, data={"alert": "a"}),)
    )
    mail = render(context)
    assert mail.subject == "[INFO] alertgate: alarm or all-clear? (valve from Cellar)"
    lines = mail.text.splitlines()
    assert "alertgate may take an event for something else than it is." in lines
    assert "\n".join(lines[lines.index("[[events]]") :]).startswith(rule)
    sms = replace(context, notification=notification(kind=Kind.OPENING, channel=ChannelName.SMS), now=START)
    assert render(sms).text.startswith(
        "INFO alertgate: alarm or all-clear? (valve from Cellar)"
        ' - "closed" was taken for an all-clear, so nobody was told.'
    )


def test_the_subject_names_alertgate_and_the_trouble():
    """It is the same for the whole incident but for the word in brackets."""
    assert render(about(Kind.OPENING)).subject == "[CRITICAL] alertgate: alerts refused (generic webhook)"
    assert render(about(Kind.RESOLUTION, **OVER)).subject == "[RESOLVED] alertgate: alerts refused (generic webhook)"


def test_a_text_message_says_what_happened():
    """How many, whose and why fit into one segment."""
    text = render(about(Kind.UPDATE, channel=ChannelName.SMS)).text
    happened = "41 alerts from 192.0.2.7 refused since 14:03: over RATE_LIMIT."
    assert text.startswith(f"CRITICAL alertgate: alerts refused (generic webhook) - {happened} Nobody")
    assert len(text) <= 160


def test_the_part_of_the_gate_is_no_device():
    """The details name it as a part of alertgate."""
    assert "Part      generic webhook" in render(about(Kind.OPENING)).text
