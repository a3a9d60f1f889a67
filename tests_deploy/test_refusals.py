"""Postfix and Exim with the mistakes that operators report: what is about us is retried, an unknown user is final."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from alertgate.model import ChannelName
from alertgate.notify.channels.base import CHANNEL_WIDE, Message, Outcome, Reason
from alertgate.notify.channels.smtp import MailChannel, MailServer
from alertgate.settings_load import load
from tests.fakes import LATER, START
from tests_deploy.mail_servers import PASSWORD, RECIPIENT, USER, exim, postfix

RunServer = Callable[[], AbstractContextManager[int]]
OUTSIDE = "you@elsewhere.example"
HELO = {"smtpd_helo_restrictions": "check_helo_access static:REJECT"}
LOGIN = {"smtp_username": USER, "smtp_password": PASSWORD}
GONE = {"smtp_email": "gone@example.com"}
UNQUALIFIED = {"smtpd_sender_restrictions": "reject_non_fqdn_sender"}
MISMATCH = {"smtpd_sender_restrictions": "reject_sender_login_mismatch"}


def send(port: int, to: str, text: str = "text", **settings: str) -> Outcome:
    """Send one mail to this server as alertgate does."""
    mail = {
        "particle_webhook_secret": PASSWORD * 4,
        "smtp_security": "none",
        "smtp_email": USER,
        "recipient_email": to,
        **settings,
    }
    loaded = load(None, smtp_host="127.0.0.1", smtp_port=port, **mail)

    async def sending() -> Outcome:
        channel = MailChannel(ChannelName.EMAIL, MailServer(loaded), loaded)
        try:
            return await channel.send(Message(to, text, "id@x", "thread@x", START, "subject"), LATER)
        finally:
            await channel.close()

    return asyncio.run(sending())


def judged(outcome: Outcome) -> tuple[str, Reason]:
    """Return what it was taken for."""
    return outcome.word, outcome.reason


@pytest.mark.parametrize(
    ("server", "to", "settings", "reason"),
    [
        (lambda: postfix({}), OUTSIDE, {}, Reason.RELAY_REFUSED),
        (lambda: postfix(MISMATCH, sasl=True), RECIPIENT, {}, Reason.SENDER_REFUSED),
        (
            lambda: postfix(MISMATCH, sasl=True),
            RECIPIENT,
            {**LOGIN, "smtp_email": "other@example.net"},
            Reason.SENDER_REFUSED,
        ),
        (lambda: postfix(UNQUALIFIED), RECIPIENT, {"smtp_email": "me@localhost"}, Reason.SENDER_REFUSED),
        (lambda: postfix(HELO), RECIPIENT, {}, Reason.HOST_REFUSED),
        (lambda: postfix({"smtpd_client_restrictions": "reject"}), RECIPIENT, {}, Reason.HOST_REFUSED),
        (lambda: postfix({"smtpd_recipient_restrictions": "reject"}), RECIPIENT, {}, Reason.UNCLEAR),
        (lambda: postfix({}, sasl=True), RECIPIENT, {**LOGIN, "smtp_password": "wrong"}, Reason.CREDENTIALS),
        (exim, OUTSIDE, {}, Reason.RELAY_REFUSED),
        (lambda: exim(rcpt="  deny message = Sender not allowed\n"), RECIPIENT, {}, Reason.SENDER_REFUSED),
        (lambda: exim(rcpt="  deny message = HELO/EHLO with no dot\n"), RECIPIENT, {}, Reason.HOST_REFUSED),
        (lambda: exim(rcpt="  require verify = sender\n"), RECIPIENT, GONE, Reason.SENDER_REFUSED),
        (lambda: exim(rcpt="  deny\n"), RECIPIENT, {}, Reason.UNCLEAR),
        (lambda: exim(data="  deny message = Administrative prohibition\n"), RECIPIENT, {}, Reason.UNCLEAR),
    ],
)
def test_what_a_server_says_about_us_is_retried(server: RunServer, to: str, settings: dict[str, str], reason: Reason):
    """Whatever the command that it answers, it pauses the channel, and no alert fails for it."""
    with server() as port:
        outcome = send(port, to, **settings)
    assert (judged(outcome), reason in CHANNEL_WIDE) == (("transient", reason), True), outcome


@pytest.mark.parametrize("server", [lambda: postfix({}), exim], ids=["postfix", "exim"])
def test_a_user_that_doesnt_exist_is_final_and_the_one_that_does_is_told(server: RunServer):
    """The refusal is clearly about that mailbox."""
    with server() as port:
        assert judged(send(port, "nobody@example.com")) == ("permanent", Reason.NO_SUCH_RECIPIENT)
        assert judged(send(port, RECIPIENT)) == ("sent", Reason.SENT)


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        (lambda: postfix({"message_size_limit": "1000"}), Reason.TOO_LARGE),
        (lambda: exim(main="message_size_limit = 1K\n"), Reason.TOO_LARGE),
        (lambda: exim(data="  deny message = This message was detected as possible malware (Eicar).\n"), Reason.POLICY),
    ],
)
def test_a_refused_message_is_final(server: RunServer, reason: Reason):
    """Its size, or its content."""
    with server() as port:
        assert judged(send(port, RECIPIENT, text="all work and no play " * 200)) == ("permanent", reason)


def test_exim_takes_a_greylisted_recipient_later():
    """It is about this recipient now, and the channel isn't paused."""
    with exim(rcpt="  defer message = Greylisted, please try again later\n") as port:
        assert judged(send(port, RECIPIENT)) == ("transient", Reason.RECIPIENT_BUSY)
