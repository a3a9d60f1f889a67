"""Connections and replies of the mail server, against a real SMTP server."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial

import pytest
import trustme
import uvloop
from aiosmtplib import SMTP

from alertgate.model import ChannelName
from alertgate.notify.channels.base import Message, Permanent, Picture, Reason, Sent, Transient
from alertgate.notify.channels.smtp import MailChannel, MailServer
from tests.fakes import LATER, START, MailSink, mail_sink, tcp_server


def settings_for(make_settings, sink: MailSink, **changes):
    """Settings for the test's mail server."""
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
    """Send a message over a new channel, `times` times; return the last outcome."""
    channel = MailChannel(ChannelName.EMAIL, MailServer(server_settings), server_settings)
    outcomes = [await channel.send(message, LATER) for _ in range(times)]
    await channel.close()
    return outcomes[-1]


async def test_the_servers_reply_is_kept(make_settings):
    """A sent message's outcome holds the server's reply with its queue id."""
    async with mail_sink() as sink:
        assert await send(settings_for(make_settings, sink)) == Sent("250 2.0.0 OK queued as 0001")


async def test_one_connection_serves_many_messages(make_settings):
    """A connection is kept open and reused."""
    async with mail_sink() as sink:
        await send(settings_for(make_settings, sink), times=5)
        assert (len(sink.messages), sink.connections) == (5, 1)


async def test_a_connection_that_the_server_closed_is_replaced(make_settings):
    """After the server closed the connection, the next message goes over a new one, at the first attempt."""
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
        ("DATA", "552 5.3.4 too large", Permanent(Reason.TOO_LARGE, "552 5.3.4 too large", of_content=True)),
        ("DATA", "554 5.7.1 spam", Permanent(Reason.POLICY, "554 5.7.1 spam", of_content=True)),
        ("DATA", "421 4.7.0 later", Transient(Reason.TRY_LATER, "421 4.7.0 later")),
        ("MAIL", "553 5.7.1 not your address", Transient(Reason.SENDER_REFUSED, "553 5.7.1 not your address")),
    ],
)
async def test_a_refusal_becomes_an_outcome(make_settings, command, reply, outcome):
    """Each refusal is classified at the command where servers send it; afterwards the channel still works."""
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
async def test_a_refused_login_is_transient(make_settings, reply, reason):
    """A refused login never fails a notification for good, because the operator can fix it."""
    async with mail_sink(user="u", password="p") as sink:
        sink.answer("AUTH", reply)
        settings = settings_for(make_settings, sink, smtp_username="u", smtp_password="p")
        outcome = await send(settings)
        assert (type(outcome), outcome.reason) == (Transient, reason)


async def test_a_wrong_password_is_refused_by_the_real_server(make_settings):
    """The server itself rejects the login with 535."""
    async with mail_sink(user="u", password="right") as sink:
        settings = settings_for(make_settings, sink, smtp_username="u", smtp_password="wrong")
        outcome = await send(settings)
        assert (outcome.reason, sink.messages) == (Reason.CREDENTIALS, [])


async def test_an_unreachable_server_is_transient(make_settings):
    """A refused connection is a transient failure."""
    async with mail_sink() as sink:
        settings = settings_for(make_settings, sink)
    outcome = await send(settings)
    assert (type(outcome), outcome.reason) == (Transient, Reason.CONNECTION)


async def test_a_server_that_hangs_is_a_timeout(make_settings):
    """No answer within SMTP_TIMEOUT is transient, and its connection isn't used again."""
    async with mail_sink() as sink:
        sink.open.clear()
        settings = settings_for(make_settings, sink, smtp_timeout=0.2)
        outcome = await send(settings)
        sink.open.set()
        assert (type(outcome), outcome.reason) == (Transient, Reason.TIMEOUT)


async def test_starttls_never_falls_back_to_plain_text(make_settings):
    """A server without STARTTLS gets nothing, not even the login."""
    async with mail_sink() as sink:
        outcome = await send(settings_for(make_settings, sink, smtp_security="starttls"))
        assert (type(outcome), outcome.reason) == (Transient, Reason.TLS)
        assert sink.recipients_seen == []


async def test_a_certificate_of_an_unknown_authority_is_refused(make_settings, authority: trustme.CA):
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


async def test_a_connection_is_lent_after_the_login(make_settings):
    """Whoever borrows it talks to the server; the failure of login or conversation is the outcome."""
    said: list[str] = []

    async def talk(connection: SMTP) -> None:
        said.append((await connection.noop()).message)

    async with mail_sink(user="u", password="p") as sink:
        settings = settings_for(make_settings, sink, smtp_username="u", smtp_password="p")
        assert (await MailServer(settings).lend(talk), said, sink.messages) == (None, ["OK"], [])
        settings = settings_for(make_settings, sink, smtp_username="u", smtp_password="other")
        refused = await MailServer(settings).lend(talk)
        assert (refused and refused.reason, said) == (Reason.CREDENTIALS, ["OK"])


async def test_a_mail_arrives_as_it_was_written(make_settings):
    """Lines that start with a dot, or consist of one, arrive unchanged and don't end the mail."""
    dotted = replace(MESSAGE, text=".\n..\n.x\n\n.\nend\n")
    async with mail_sink() as sink:
        assert isinstance(await send(settings_for(make_settings, sink), dotted, times=2), Sent)
        assert [received.text.splitlines() for received in sink.messages] == [dotted.text.splitlines()] * 2


async def test_a_server_without_ehlo_is_greeted_with_helo(make_settings):
    """An old server gets mails too."""
    async with mail_sink() as sink:
        sink.answer("EHLO", "502 5.5.1 unknown")
        assert isinstance(await send(settings_for(make_settings, sink)), Sent)


async def test_a_refusal_leaves_the_connection_usable(make_settings):
    """The refused mail is reset, and the next message goes over the same connection."""
    async with mail_sink() as sink:
        sink.answer("RCPT", "550 5.1.1 no such user")
        sink.answer("DATA", "554 5.7.1 spam")
        assert isinstance(await send(settings_for(make_settings, sink), times=3), Sent)
        assert (len(sink.messages), sink.connections) == (1, 1)


async def test_an_attempt_ends_at_its_deadline(make_settings):
    """An attempt at a server that hangs ends at the deadline, if that is earlier than `SMTP_TIMEOUT`."""
    async with mail_sink() as sink:
        sink.open.clear()
        settings = settings_for(make_settings, sink, smtp_timeout=30)
        channel = MailChannel(ChannelName.EMAIL, MailServer(settings), settings)
        async with asyncio.timeout(10):
            outcome = await channel.send(MESSAGE, asyncio.get_running_loop().time() + 0.2)
        assert (type(outcome), outcome.reason) == (Transient, Reason.TIMEOUT)
        sink.open.set()
        assert isinstance(await channel.send(MESSAGE, LATER), Sent)
        await channel.close()
        assert sink.connections == 2


async def test_nothing_is_sent_after_its_deadline(make_settings):
    """If the process was suspended after its claim, neither a new nor an open connection sends the message."""
    async with mail_sink() as sink:
        settings = settings_for(make_settings, sink)
        channel = MailChannel(ChannelName.EMAIL, MailServer(settings), settings)
        for _ in range(2):
            outcome = await channel.send(MESSAGE, asyncio.get_running_loop().time())
            assert (type(outcome), outcome.reason) == (Transient, Reason.TIMEOUT)
            assert isinstance(await channel.send(MESSAGE, LATER), Sent)
        await channel.close()
        assert len(sink.messages) == 2


DEADLINE, SLEEP = 1.2, 2.4
"""Seconds until a message's deadline, long enough to compose and connect, and for which its process is suspended."""
LARGE = replace(MESSAGE, picture=Picture("png", bytes(4_000_000)))
"""More than the kernel buffers at once, but not twice as much."""

on_both_loops = pytest.mark.parametrize("policy", [asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy])


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A listening socket for a mail server in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(30)  # a client that never comes fails the test, and doesn't hang the run
        yield listening


def serve_one(
    listener: socket.socket, before: Callable[[], None], after: Callable[[], None], tls: ssl.SSLContext | None = None
) -> bytes:
    """Serve one SMTP connection, calling `before` and `after` around the reply to DATA; return what follows DATA."""
    connection, _ = listener.accept()
    wire = tls.wrap_socket(connection, server_side=True) if tls else connection
    content = bytearray()
    with wire, wire.makefile("rb", buffering=0) as lines, suppress(ConnectionError):
        wire.sendall(b"220 mail.test\r\n")
        while not lines.readline().startswith(b"DATA"):
            wire.sendall(b"250 yes\r\n")
        before()
        wire.sendall(b"354 go on\r\n")
        after()
        while some := wire.recv(65536):
            content += some
    return bytes(content)


def late(settings, policy, serving: Callable[[], Awaitable[bytes]], message: Message = MESSAGE) -> bytes:
    """Send a message that misses its deadline. Return what the server received of it."""

    async def sending() -> bytes:
        loop = asyncio.get_running_loop()
        server = asyncio.ensure_future(serving())
        channel = MailChannel(ChannelName.EMAIL, MailServer(settings), settings)
        deadline = loop.time() + DEADLINE
        outcome = None
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                outcome = await channel.send(message, deadline)
        await channel.close()
        assert not isinstance(outcome, Sent)
        return await server

    with asyncio.Runner(loop_factory=policy().new_event_loop) as runner:
        return runner.run(sending())


def settings_at(make_settings, port: int, **changes):
    """Settings for a mail server on a local port."""
    mail = {"smtp_security": "none", "smtp_email": "a@x.net", "recipient_email": "m@x.net", **changes}
    return make_settings(smtp_host="localhost", smtp_port=port, **mail)


@on_both_loops
def test_a_server_that_hangs_up_on_the_content_is_a_trouble_that_may_pass(make_settings, listener, policy):
    """It answers DATA with `354` and closes the connection."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test\r\n")
        while not (await reader.readline()).startswith(b"DATA"):
            writer.write(b"250 yes\r\n")
        writer.write(b"354 go on\r\n")
        writer.close()

    async def sending():
        async with await asyncio.start_server(speak, sock=listener):
            return await send(settings_at(make_settings, listener.getsockname()[1]))

    with asyncio.Runner(loop_factory=policy().new_event_loop) as runner:
        outcome = runner.run(sending())
    assert (type(outcome), outcome.reason) == (Transient, Reason.CONNECTION)


@pytest.mark.alone
@on_both_loops
def test_a_process_suspended_past_the_deadline_does_not_send(make_settings, listener, policy):
    """The server's `354` waits in the socket when the process resumes; another process may have sent the message."""

    async def serving() -> bytes:
        sleep = partial(asyncio.get_running_loop().call_soon_threadsafe, time.sleep, SLEEP)
        return await asyncio.to_thread(serve_one, listener, sleep, lambda: None)

    assert late(settings_at(make_settings, listener.getsockname()[1]), policy, serving) == b""


@pytest.mark.alone
@on_both_loops
def test_a_process_suspended_between_a_reply_and_its_reader_does_not_send(make_settings, listener, policy):
    """The event loop reads the `354`, the process is suspended, and the waiting task runs before any timer."""

    async def serving() -> bytes:
        came = asyncio.get_running_loop().create_future()

        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 mail.test\r\n")
            while not (await reader.readline()).startswith(b"DATA"):
                writer.write(b"250 yes\r\n")
            writer.write(b"354 go on\r\n")
            asyncio.get_running_loop().call_soon(time.sleep, SLEEP)
            came.set_result(await reader.read())
            writer.close()

        async with await asyncio.start_server(speak, sock=listener):
            return await came

    assert late(settings_at(make_settings, listener.getsockname()[1]), policy, serving) == b""


@pytest.mark.alone
@on_both_loops
@pytest.mark.parametrize("security", ["none", "tls"])
def test_the_rest_of_a_mail_is_dropped_at_its_deadline(
    make_settings, listener, policy, security, authority: trustme.CA, authority_file
):
    """A server that reads a large mail slowly doesn't get its end after the deadline."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    tls = context if security == "tls" else None

    async def serving() -> bytes:
        wait = partial(time.sleep, 2 * DEADLINE)
        return await asyncio.to_thread(serve_one, listener, lambda: None, wait, tls)

    port = listener.getsockname()[1]
    settings = settings_at(make_settings, port, smtp_security=security, smtp_ca_file=authority_file)
    content = late(settings, policy, serving, LARGE)
    assert content.startswith(b"From:")
    assert not content.endswith(b"\r\n.\r\n")


@pytest.mark.alone
@on_both_loops
def test_a_process_suspended_amid_a_large_mail_does_not_complete_it(make_settings, listener, policy):
    """The rest of the content may be sent on resuming, but never the dot at which the server accepts it."""

    async def serving() -> bytes:
        loop = asyncio.get_running_loop()

        def sleep() -> None:
            time.sleep(DEADLINE / 4)
            loop.call_soon_threadsafe(time.sleep, SLEEP)
            time.sleep(DEADLINE / 4)

        return await asyncio.to_thread(serve_one, listener, lambda: None, sleep)

    content = late(settings_at(make_settings, listener.getsockname()[1]), policy, serving, LARGE)
    assert content.startswith(b"From:")
    assert not content.endswith(b"\r\n.\r\n")


@pytest.mark.alone
@on_both_loops
@pytest.mark.parametrize(("smtp_timeout", "within"), [(DEADLINE, LATER), (40, DEADLINE)], ids=["reply", "deadline"])
def test_a_reply_that_came_while_the_process_was_suspended_is_read(
    make_settings, listener, policy, smtp_timeout, within
):
    """The server has the mail and says so; the time for its reply is over when the process resumes."""
    settings = settings_at(make_settings, listener.getsockname()[1], smtp_timeout=smtp_timeout)

    def serve(loop: asyncio.AbstractEventLoop) -> None:
        asleep = threading.Event()

        def sleep() -> None:
            asleep.set()
            time.sleep(SLEEP)

        connection, _ = listener.accept()
        with connection, connection.makefile("rb", buffering=0) as lines:
            connection.sendall(b"220 mail.test\r\n")
            while not lines.readline().startswith(b"DATA"):
                connection.sendall(b"250 yes\r\n")
            connection.sendall(b"354 go on\r\n")
            while lines.readline() != b".\r\n":
                pass
            loop.call_soon_threadsafe(sleep)
            asleep.wait()
            connection.sendall(b"250 2.0.0 it is here\r\n")
            lines.readline()

    async def sending():
        loop = asyncio.get_running_loop()
        server = asyncio.ensure_future(asyncio.to_thread(serve, loop))
        channel = MailChannel(ChannelName.EMAIL, MailServer(settings), settings)
        deadline = within if within == LATER else loop.time() + within
        async with asyncio.timeout_at(deadline):  # as an attempt has it
            outcome = await channel.send(MESSAGE, deadline)
        await channel.close()
        await server
        return outcome

    with asyncio.Runner(loop_factory=policy().new_event_loop) as runner:
        assert runner.run(sending()) == Sent("250 2.0.0 it is here")


async def rehearse(server_settings, to: str | None = "me@example.com", within: float = LATER):
    """Rehearse over a new channel."""
    return await MailChannel(ChannelName.EMAIL, MailServer(server_settings), server_settings).rehearse(to, within)


@pytest.mark.parametrize(
    ("to", "command", "reply", "reason"),
    [
        ("me@example.com", "", "", Reason.SENT),
        (None, "", "", Reason.SENT),
        ("me@example.com", "AUTH", "535 5.7.8 no", Reason.CREDENTIALS),
        (None, "AUTH", "535 5.7.8 no", Reason.CREDENTIALS),
        ("me@example.com", "MAIL", "553 5.7.1 Sender address rejected: not owned by user", Reason.SENDER_REFUSED),
        ("me@example.com", "RCPT", "554 5.7.1 Relay access denied", Reason.RELAY_REFUSED),
    ],
)
async def test_a_rehearsal_hears_what_the_server_refuses_and_sends_nothing(make_settings, to, command, reply, reason):
    """The login, the sender and the recipient."""
    async with mail_sink(user="alerts@example.net", password="right") as sink:
        if command:
            sink.answer(command, reply)
        login = {"smtp_username": "alerts@example.net", "smtp_password": "right"}
        outcome = await rehearse(settings_for(make_settings, sink, **login), to)
        assert outcome.reason is reason
        assert sink.messages == []
        assert sink.recipients_seen == ([to] if to and command in {"", "RCPT"} else [])


async def test_a_rehearsal_ends_at_its_deadline(make_settings):
    """A server that hangs is an outcome."""
    async with tcp_server(lambda reader, _writer: reader.read()) as port:
        settings = settings_for(make_settings, MailSink(port=port), smtp_timeout=30)
        outcome = await rehearse(settings, within=asyncio.get_running_loop().time() + 0.05)
        assert outcome.reason is Reason.TIMEOUT
