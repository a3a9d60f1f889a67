"""Which channels the settings configure, whom they reach, and what to warn about."""

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

import pytest

from alertgate.errors import ConfigError
from alertgate.model import ChannelName
from alertgate.notify.channels import outbox, smtp
from alertgate.notify.channels.base import Finding, Level
from alertgate.notify.channels.outbox import NOBODY
from alertgate.notify.channels.registry import PROVIDERS, findings, open_channels, pushed, targets
from alertgate.policy.people import shown_address
from tests.fakes import FakeClock

EMAIL, SMS, OUTBOX = ChannelName.EMAIL, ChannelName.SMS, ChannelName.OUTBOX
TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("email", "sms", "wanted"),
    [
        ("me@example.com", "", [(EMAIL, "me@example.com")]),
        ("b@example.com,a@example.com", "", [(EMAIL, "b@example.com"), (EMAIL, "a@example.com")]),
        ("", "5551234567@texts.example.com", [(SMS, "5551234567@texts.example.com")]),
        (
            "me@example.com,5551234567@VTEXT.com",
            "555@texts.example.com",
            [(EMAIL, "me@example.com"), (SMS, "555@texts.example.com"), (SMS, "5551234567@VTEXT.com")],
        ),
        ("555@texts.example.com", "555@texts.example.com", [(SMS, "555@texts.example.com")]),
        ("555@vtext.com", "555@vtext.com", [(SMS, "555@vtext.com")]),
    ],
)
def test_each_address_has_one_channel(make_settings, email, sms, wanted):
    """Email reaches mail addresses, SMS reaches RECIPIENT_SMS and known gateways, and nobody is told twice."""
    settings = make_settings(smtp_email="alerts@example.net", recipient_email=email, recipient_sms=sms)
    assert targets(settings) == wanted


def test_without_a_mail_server_the_outbox_reaches_every_recipient(make_settings):
    """While no mail server is configured, every address has the outbox as its channel."""
    settings = make_settings(recipient_email="me@example.com,5@vtext.com", recipient_sms="5@texts.example.com")
    assert targets(settings) == [(OUTBOX, "me@example.com"), (OUTBOX, "5@vtext.com"), (OUTBOX, "5@texts.example.com")]


def test_without_any_recipient_the_outbox_has_a_placeholder(make_settings):
    """A fresh installation shows its messages in the outbox."""
    assert targets(make_settings()) == [(OUTBOX, NOBODY)]


@pytest.mark.parametrize(("email", "expected"), [("", [OUTBOX]), ("alerts@example.net", [EMAIL, SMS])])
def test_the_settings_decide_which_channels_are_opened(make_settings, email, expected):
    """A mail server gives email and SMS; without one there is the outbox."""
    settings = make_settings(smtp_email=email, recipient_email="me@example.com")
    by_mail = {EMAIL, SMS, OUTBOX}  # an ntfy topic needs no setting, for one
    opened = [channel.name for channel in open_channels(settings, FakeClock())]
    assert [name for name in opened if name in by_mail] == expected


def test_findings_warn_about_recipients_and_security(make_settings):
    """A dead gateway fails; a gateway that will end and an unencrypted connection warn."""
    recipients = "me@example.com,5@tmomail.net,5@vtext.com"
    settings = make_settings(smtp_email="alerts@example.net", recipient_email=recipients, smtp_security="none")
    assert [(finding.level, finding.what) for finding in findings(settings, targets(settings), TODAY)] == [
        (Level.OK, "recipient me@example.com"),
        (Level.FAIL, "recipient 5@tmomail.net"),
        (Level.WARN, "recipient 5@vtext.com"),
        (Level.WARN, "SMTP_SECURITY"),
    ]


@pytest.mark.parametrize(
    ("changes", "what", "words"),
    [
        ({"smtp_port": 465}, "SMTP_PORT", "set SMTP_SECURITY=tls"),
        ({"smtp_port": 465, "smtp_security": "none"}, "SMTP_PORT", "set SMTP_SECURITY=tls"),
        ({"smtp_port": 587, "smtp_security": "tls"}, "SMTP_PORT", "set SMTP_SECURITY=starttls, or SMTP_PORT=465"),
        ({"smtp_port": 25, "smtp_security": "tls"}, "SMTP_PORT", "set SMTP_SECURITY=starttls, or SMTP_PORT=465"),
        ({"smtp_password": "Sommer-2024"}, "SMTP_PASSWORD", "isn't an app password"),
    ],
)
def test_findings_warn_about_settings_that_do_not_fit_together(make_settings, changes, what, words):
    """At start too, before anybody waits for a server that never answers."""
    settings = make_settings(smtp_email="me@gmail.com", recipient_email="me@example.com", **changes)
    assert [
        finding.text
        for finding in findings(settings, targets(settings), TODAY)
        if finding.what == what and words in finding.text
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"smtp_password": "abcd efgh ijkl mnop"},
        {"smtp_security": "tls", "smtp_password": "abcdefghijklmnop"},
        {"smtp_host": "smtp.example.org", "smtp_port": 2525, "smtp_password": "Sommer-2024"},
        {"smtp_host": "smtp.example.org", "smtp_port": 465, "smtp_security": "tls", "smtp_password": "hunter2"},
    ],
)
def test_settings_that_fit_together_have_no_findings(make_settings, changes):
    """The usual ports, and a port of one's own."""
    settings = make_settings(smtp_email="me@gmail.com", recipient_email="me@example.com", **changes)
    assert [finding.level for finding in findings(settings, targets(settings), TODAY)] == [Level.OK]


def test_a_missing_mail_server_is_a_failure(make_settings):
    """Messages in the outbox reach nobody."""
    settings = make_settings(recipient_email="me@example.com")
    text = f"no server is set: messages go to {settings.outbox_dir}, and nobody is told; set SMTP_EMAIL or SMTP_HOST"
    assert findings(settings, targets(settings), TODAY) == [
        Finding(Level.OK, "recipient me@example.com", "is told by outbox"),
        Finding(Level.FAIL, "mail", text),
    ]


TOPIC = (ChannelName.NTFY, "alarm1")


def _check_topic(address: str) -> None:
    if not address.isalnum():
        raise ValueError(f"{address!r} is no topic: write letters and digits")


@dataclass
class Pushing:
    """The module of a service whose addresses are letters and digits, and that may need a token."""

    lacks: str | None = None

    ADDRESSES: ClassVar = {ChannelName.NTFY: _check_topic, ChannelName.TWILIO: lambda _: None}

    def missing(self, _settings):
        return self.lacks


def test_recipients_of_any_channel_can_be_told(make_settings):
    """As the policy writes contacts: a number after `sms:` is told by Twilio."""
    settings = make_settings(recipient_push="ntfy:alarm1, sms:+491701111111")
    assert pushed(settings, [smtp, Pushing()]) == [TOPIC, (ChannelName.TWILIO, "+491701111111")]


@pytest.mark.parametrize(
    ("text", "lacks", "problem"),
    [
        ("alarm1", None, "a*** isn't CHANNEL:ADDRESS, where CHANNEL is one of ntfy, sms: write one like ntfy:"),
        ("fax:alarm1", None, "f*** isn't CHANNEL:ADDRESS, where CHANNEL is one of ntfy, sms: write one like ntfy:"),
        ("ntfy:my-topic", None, "n*** 'm***' is no topic: write letters and digits"),
        ("ntfy:", None, "n*** '' is no topic: write letters and digits"),
        ("ntfy:alarm1", "set NTFY_TOKEN", "n*** can't be told by ntfy yet: set NTFY_TOKEN"),
    ],
)
def test_a_recipient_that_cannot_be_told_is_named_without_its_address(make_settings, text, lacks, problem):
    """A topic's name is its password, so it isn't shown."""
    with pytest.raises(ConfigError) as refused:
        pushed(make_settings(recipient_push=f"ntfy:good,{text}" if lacks is None else text), [smtp, Pushing(lacks)])
    [named] = refused.value.problems
    assert named.startswith(f"RECIPIENT_PUSH: {problem}")


def test_a_topic_alone_needs_neither_outbox_nor_mail_server(make_settings):
    """With one, `make run` tells a phone: nothing is said of mail, and nothing is written for nobody."""
    settings = make_settings(recipient_push="ntfy:alarm1")
    assert outbox.targets(settings) == []
    assert findings(settings, [TOPIC], TODAY) == [Finding(Level.OK, "ntfy a***", "is told by ntfy")]


def test_a_mail_address_beside_a_topic_still_needs_a_server(make_settings):
    """Its mails go to the outbox, which reaches nobody."""
    settings = make_settings(recipient_push="ntfy:alarm1", recipient_email="me@example.com")
    told = [*outbox.targets(settings), TOPIC]
    assert [(finding.level, finding.what) for finding in findings(settings, told, TODAY)] == [
        (Level.OK, "recipient me@example.com"),
        (Level.OK, "ntfy a***"),
        (Level.FAIL, "mail"),
    ]


async def test_what_is_not_configured_is_not_checked(make_settings):
    """Without a mail server there is nothing to connect to."""
    assert not any([await provider.check(make_settings(), []) for provider in PROVIDERS])


@pytest.mark.parametrize(
    ("channel", "address", "shown"),
    [
        (ChannelName.NTFY, "owner-x7Kq", "o***"),
        (ChannelName.SLACK, "https://hooks.example.org/secret", "https://hooks.example.org/***"),
        (ChannelName.SLACK, "$CONTACT_TEAM", "$CONTACT_TEAM"),
        (ChannelName.EMAIL, "me@example.org", "me@example.org"),
        (ChannelName.TWILIO, "+491701111111", "+491701111111"),
    ],
)
def test_an_address_is_shown_unless_it_is_a_secret(channel, address, shown):
    """The name of a secret is none."""
    assert shown_address(channel, address) == shown
