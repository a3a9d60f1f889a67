"""What a failure without an answer of a mail server is taken for, against real sockets."""

import asyncio
from dataclasses import replace

import pytest

from alertgate.notify.channels.base import CHANNEL_WIDE, Permanent, Reason, Sent, Transient
from tests.fakes import mail_sink
from tests.notify.test_smtp import MESSAGE, send, settings_at, settings_for


async def test_a_host_that_does_not_exist_is_about_us(make_settings):
    """It pauses the channel and names the setting; no recipient is blamed for it."""
    addresses = {"smtp_email": "a@x.net", "recipient_email": "m@x.net"}
    outcome = await send(make_settings(smtp_host="mail.invalid", smtp_security="none", smtp_timeout=5, **addresses))
    assert isinstance(outcome, Transient)
    assert (outcome.reason, outcome.reason in CHANNEL_WIDE) == (Reason.CONNECTION, True)
    assert "mail.invalid" in outcome.reply
    assert "SMTP_HOST" in outcome.reply


@pytest.mark.parametrize(
    "to", ["me@exämple.com", "me", "me@example.com\r\nRSET", "<me@example.com> SIZE=1", "a b@x.net"]
)
async def test_a_recipient_that_cannot_be_written_is_final_and_never_reaches_the_server(make_settings, to):
    """Only such an address is a recipient's fault; the others are still sent."""
    async with mail_sink() as sink:
        settings = settings_for(make_settings, sink)
        outcome = await send(settings, replace(MESSAGE, to=to))
        assert isinstance(outcome, Permanent)
        assert (outcome.reason, sink.connections) == (Reason.NO_SUCH_RECIPIENT, 0)
        assert isinstance(await send(settings), Sent)


@pytest.mark.parametrize(
    "greeting",
    [
        b"* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"250 what?\r\n",
    ],
)
async def test_another_service_on_the_port_is_about_us(make_settings, greeting):
    """Its answer isn't judged as a mail server's, and the outcome says which settings to look at."""

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        settings = settings_at(make_settings, server.sockets[0].getsockname()[1], smtp_timeout=5)
        outcome = await send(settings)
    assert isinstance(outcome, Transient)
    assert outcome.reason is Reason.CONNECTION
    assert "SMTP_PORT" in outcome.reply


async def test_a_password_for_a_server_without_a_login_is_about_us(make_settings):
    """The server offers no AUTH, so nothing is sent without the login that the settings ask for."""
    async with mail_sink() as sink:
        settings = settings_for(make_settings, sink, smtp_username="u", smtp_password="p")
        outcome = await send(settings)
        assert isinstance(outcome, Transient)
        assert (outcome.reason in {Reason.TLS, Reason.CREDENTIALS}, sink.messages) == (True, [])
