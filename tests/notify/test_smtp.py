"""The mail server's connections and answers, against a real SMTP server."""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import pytest
import trustme
import uvloop

from alertgate.model import ChannelName
from alertgate.notify.channels.base import Message, Permanent, Reason, Sent, Transient
from alertgate.notify.channels.smtp import MailChannel, MailServer
from tests.fakes import LATER, START, MailSink, mail_sink


def settings_for(make_settings, sink: MailSink, **changes):
    """Settings for a mail server in the test."""
    return make_settings(
        **{
            "smtp_host": "localhost",
            "smtp_port": sink.port,
            "smtp_security": "none",
            "smtp_email": "alerts@example.net",
            "recipient_email": "me@example.com",
            **changes,
        }
    )


MESSAGE = Message("me@example.com", "text", "id@x", "thread@x", START, "subject", "<p>html</p>")


async def send(server_settings, message: Message = MESSAGE, times: int = 1):
    """Send over a channel of its own, some times; return the last outcome."""
    channel = MailChannel(ChannelName.EMAIL, MailServer(server_settings), server_settings)
    outcomes = [await channel.send(message, LATER) for _ in range(times)]
    await channel.close()
    return outcomes[-1]


async def test_the_servers_own_words_are_kept(make_settings):
    """A sent message's outcome holds the server's reply with its queue id."""
    async with mail_sink() as sink:
        assert await send(settings_for(make_settings, sink)) == Sent("250 2.0.0 OK queued as 0001")


async def test_one_connection_serves_many_messages(make_settings):
    """A connection is kept open and reused."""
    async with mail_sink() as sink:
        await send(settings_for(make_settings, sink), times=5)
        assert (len(sink.messages), sink.connections) == (5, 1)


async def test_a_connection_that_the_server_closed_is_replaced(make_settings):
    """After the server was restarted, the next message goes over a new connection, at the first try."""
    async with mail_sink() as sink:
        settings = settings_for(make_settings, sink)
        server = MailServer(settings)
        channel = MailChannel(ChannelName.EMAIL, server, settings)
        await channel.send(MESSAGE, LATER)
        sink.answer("MAIL", "421 4.7.0 closing")
        assert await channel.send(MESSAGE, LATER) == Transient(Reason.TRY_LATER, "421 4.7.0 closing")
        assert isinstance(await channel.send(MESSAGE, LATER), Sent)
        await channel.close()
        assert sink.connections == 2


@pytest.mark.parametrize(
    ("command", "reply", "outcome"),
    [
        ("RCPT", "450 4.2.1 rate", Transient(Reason.RECIPIENT_BUSY, "450 4.2.1 rate")),
        ("RCPT", "452 4.2.2 over quota", Transient(Reason.MAILBOX_FULL, "452 4.2.2 over quota")),
        ("DATA", "550 5.4.5 daily limit", Transient(Reason.DAILY_LIMIT, "550 5.4.5 daily limit")),
        ("MAIL", "550 5.4.5 daily limit", Transient(Reason.DAILY_LIMIT, "550 5.4.5 daily limit")),
        ("RCPT", "550 5.1.1 no such user", Permanent(Reason.NO_SUCH_RECIPIENT, "550 5.1.1 no such user")),
        ("DATA", "552 5.3.4 too large", Permanent(Reason.TOO_LARGE, "552 5.3.4 too large")),
        ("DATA", "554 5.7.1 policy", Permanent(Reason.POLICY, "554 5.7.1 policy")),
        ("DATA", "421 4.7.0 later", Transient(Reason.TRY_LATER, "421 4.7.0 later")),
        ("MAIL", "553 5.7.1 not your address", Transient(Reason.SENDER_REFUSED, "553 5.7.1 not your address")),
    ],
)
async def test_an_answer_becomes_an_outcome(make_settings, command, reply, outcome):
    """Each refusal, at the command where servers give it; afterwards the channel still works."""
    async with mail_sink() as sink:
        sink.answer(command, reply)
        settings = settings_for(make_settings, sink)
        assert await send(settings) == outcome
        assert isinstance(await send(settings), Sent)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("535 5.7.8 bad credentials", Reason.CREDENTIALS),
        ("534 5.7.9 app password needed", Reason.CREDENTIALS),
        ("454 4.7.0 too many logins", Reason.TOO_MANY_LOGINS),
    ],
)
async def test_a_refused_login_may_pass(make_settings, reply, reason):
    """A login's refusal never fails a message for good: the operator can mend it."""
    async with mail_sink(user="u", password="p") as sink:
        sink.answer("AUTH", reply)
        settings = settings_for(make_settings, sink, smtp_username="u", smtp_password="p")
        outcome = await send(settings)
        assert (type(outcome), outcome.reason) == (Transient, reason)


async def test_a_wrong_password_is_refused_by_the_real_server(make_settings):
    """535 comes from the server's own check."""
    async with mail_sink(user="u", password="right") as sink:
        settings = settings_for(make_settings, sink, smtp_username="u", smtp_password="wrong")
        outcome = await send(settings)
        assert (outcome.reason, sink.messages) == (Reason.CREDENTIALS, [])


async def test_no_server_is_a_trouble_that_may_pass(make_settings):
    """A refused connection is transient."""
    async with mail_sink() as sink:
        settings = settings_for(make_settings, sink)
    outcome = await send(settings)
    assert (type(outcome), outcome.reason) == (Transient, Reason.CONNECTION)


async def test_a_server_that_hangs_is_given_up_in_time(make_settings):
    """No answer within SMTP_TIMEOUT is transient, and its connection isn't used again."""
    async with mail_sink() as sink:
        sink.open.clear()
        settings = settings_for(make_settings, sink, smtp_timeout=0.2)
        outcome = await send(settings)
        sink.open.set()
        assert (type(outcome), outcome.reason) == (Transient, Reason.TIMEOUT)


async def test_plain_text_is_never_fallen_back_to(make_settings):
    """A server without STARTTLS gets nothing, not even the login."""
    async with mail_sink() as sink:
        outcome = await send(settings_for(make_settings, sink, smtp_security="starttls"))
        assert (type(outcome), outcome.reason) == (Transient, Reason.TLS)
        assert sink.recipients_seen == []


async def test_a_certificate_that_nobody_vouches_for_is_refused(make_settings, authority: trustme.CA):
    """Without SMTP_CA_FILE the tests' own authority isn't trusted."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    async with mail_sink(tls=context) as sink:
        outcome = await send(settings_for(make_settings, sink, smtp_security="starttls"))
        assert (type(outcome), outcome.reason) == (Transient, Reason.TLS)


async def test_a_certificate_for_another_name_is_refused(make_settings, authority: trustme.CA, authority_file):
    """The name in the certificate must be the server's."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("mail.example.org").configure_cert(context)
    async with mail_sink(tls=context) as sink:
        settings = settings_for(make_settings, sink, smtp_security="starttls", smtp_ca_file=authority_file)
        assert (await send(settings)).reason == Reason.TLS


async def test_check_logs_in_and_sends_nothing(make_settings):
    """The check is a real login."""
    async with mail_sink(user="u", password="p") as sink:
        settings = settings_for(make_settings, sink, smtp_username="u", smtp_password="p")
        outcome = await MailServer(settings).check()
        assert (type(outcome), sink.messages) == (Sent, [])
        settings = settings_for(make_settings, sink, smtp_username="u", smtp_password="other")
        assert (await MailServer(settings).check()).reason == Reason.CREDENTIALS


def frozen_at_data(listener: socket.socket, freeze: Callable[[], None]) -> list[bytes]:
    """Speak SMTP once; freeze the other side while it waits for the answer to DATA. Return what came after that."""
    connection, _ = listener.accept()
    with connection, connection.makefile("rwb", buffering=0) as wire:
        wire.write(b"220 mail.test\r\n")
        while line := wire.readline():
            if line.startswith(b"DATA"):
                freeze()
                wire.write(b"354 go on\r\n")
                return wire.readlines()
            wire.write(b"250 yes\r\n")
    return []


@pytest.mark.parametrize("policy", [asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy])
def test_what_slept_past_its_deadline_does_not_send(make_settings, policy):
    """The server's `354` lies in the socket when the process wakes: by then another may have sent the message."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        port = listener.getsockname()[1]
        settings = make_settings(
            smtp_host="127.0.0.1", smtp_port=port, smtp_security="none", smtp_email="a@x.net", recipient_email="m@x.net"
        )

        async def sending():
            loop = asyncio.get_running_loop()
            frozen = partial(loop.call_soon_threadsafe, time.sleep, 0.8)
            server = loop.run_in_executor(pool, frozen_at_data, listener, frozen)
            channel = MailChannel(ChannelName.EMAIL, MailServer(settings), settings)
            deadline = loop.time() + 0.4
            outcome = None
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    outcome = await channel.send(MESSAGE, deadline)
            await channel.close()
            return outcome, await server

        with asyncio.Runner(loop_factory=policy().new_event_loop) as runner:
            outcome, came = runner.run(sending())
    assert not isinstance(outcome, Sent)
    assert came == []
