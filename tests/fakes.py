"""Test doubles: a fake clock, and a real mail server with faults that a test can script."""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

START = datetime(2026, 11, 23, 14, 3, 0, tzinfo=UTC)
LATER = 1e9
"""A time of the event loop's clock that no test reaches."""


@dataclass
class FakeClock:
    """A clock that stands still until a test moves it."""

    time: datetime = START
    behind: timedelta = timedelta(0)
    """By how much it was set back."""

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return (self.time + self.behind).timestamp()

    def move(self, **amount: float) -> None:
        self.time += timedelta(**amount)

    def set_forward(self, **amount: float) -> None:
        """Set the time forward; the monotonic one doesn't go on, as while a computer sleeps."""
        self.time += timedelta(**amount)
        self.behind -= timedelta(**amount)

    def set_back(self, **amount: float) -> None:
        """Set the time back; the monotonic one goes on."""
        self.time -= timedelta(**amount)
        self.behind += timedelta(**amount)


@dataclass
class Received:
    """A mail as the server received it."""

    sender: str
    to: str
    mail: EmailMessage
    tls: bool
    user: str | None

    @property
    def text(self) -> str:
        body = self.mail.get_body(("plain",))
        assert body is not None
        return body.get_content()

    @property
    def html(self) -> str:
        body = self.mail.get_body(("html",))
        assert body is not None
        return body.get_content()


@dataclass
class MailSink:
    """A real SMTP server (aiosmtpd) in the test's own event loop.

    `script` has, for each command, the replies to send instead of the usual ones, in order.
    """

    user: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None
    wrapped: bool = False
    """Whether TLS begins with the connection, and not by STARTTLS."""
    exclude: list[str] = field(default_factory=lambda: ["LOGIN"])
    """The logins that aren't offered."""
    address: str = "127.0.0.1"
    port: int = 0
    messages: list[Received] = field(default_factory=list)
    script: dict[str, deque[str]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    """Recipients with the reply that each gets every time."""
    connections: int = 0
    recipients_seen: list[str] = field(default_factory=list)
    judge: Callable[[str, str, str], str | None] = lambda _command, _address, _said: None
    """Returns the reply to RCPT or DATA for a recipient and, at DATA, subject and text; None for the usual one."""
    talking: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the content of a mail has arrived."""
    open: asyncio.Event = field(default_factory=asyncio.Event)
    """While it isn't set, the server receives the content of a mail and doesn't reply."""
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    _server: asyncio.Server | None = None
    _kept: socket.socket | None = None
    """Keeps the port while nothing listens there: another test's server could get it."""
    protocols: list[SMTP] = field(default_factory=list)

    def answer(self, command: str, *replies: str) -> None:
        """Send these replies to the next commands of a kind: EHLO, AUTH, MAIL, RCPT or DATA."""
        self.script.setdefault(command, deque()).extend(replies)

    def _scripted(self, command: str) -> str | None:
        replies = self.script.get(command)
        return replies.popleft() if replies else None

    async def start(self) -> None:
        self.open.set()
        self._let_go()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._protocol, self.address, self.port, ssl=self.tls if self.wrapped else None
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server:
            self._server.close()
            self._server = None
            self._kept = socket.socket()
            self._kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._kept.bind((self.address, self.port))
        for protocol in self.protocols:
            if protocol.transport:
                protocol.transport.close()

    async def end(self) -> None:
        """Stop for good."""
        await self.stop()
        self._let_go()

    def _let_go(self) -> None:
        if self._kept:
            self._kept.close()
            self._kept = None

    def _protocol(self) -> SMTP:
        self.connections += 1
        protocol = SMTP(
            self,
            hostname="mail.test",
            tls_context=None if self.wrapped else self.tls,
            require_starttls=self.tls is not None and not self.wrapped,
            auth_required=self.user is not None,
            auth_require_tls=self.tls is not None and not self.wrapped,
            authenticator=self._authenticate,
            auth_exclude_mechanism=self.exclude,
            loop=asyncio.get_running_loop(),
        )
        self.protocols.append(protocol)
        return protocol

    def _authenticate(self, server, session, envelope, mechanism, data) -> AuthResult:  # noqa: ARG002
        if reply := self._scripted("AUTH"):
            return AuthResult(success=False, handled=False, message=reply)
        assert isinstance(data, LoginPassword)
        good = (data.login, data.password) == ((self.user or "").encode(), (self.password or "").encode())
        return AuthResult(success=good, handled=False, auth_data=data.login.decode())

    async def handle_EHLO(self, server, session: Session, envelope, hostname, responses):  # noqa: ARG002, N802
        session.host_name = hostname
        reply = self._scripted("EHLO")
        return [reply] if reply else responses

    async def handle_MAIL(self, server, session, envelope: Envelope, address, options):  # noqa: ARG002, N802
        if reply := self._scripted("MAIL"):
            return reply
        envelope.mail_from = address
        return "250 2.1.0 OK"

    async def handle_RCPT(self, server, session, envelope: Envelope, address, options):  # noqa: ARG002, N802
        self.recipients_seen.append(address)
        if reply := self._scripted("RCPT") or self.refused.get(address) or self.judge("RCPT", address, ""):
            return reply
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session: Session, envelope: Envelope):  # noqa: ARG002, N802
        self.talking.set()
        await self.open.wait()
        if reply := self._scripted("DATA"):
            return reply
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        user = session.auth_data if isinstance(session.auth_data, str) else None
        received = Received(envelope.mail_from or "", envelope.rcpt_tos[0], mail, session.ssl is not None, user)
        if reply := self.judge("DATA", received.to, f"{mail['Subject']}\n{received.text}"):
            return reply
        self.messages.append(received)
        async with self._arrived:
            self._arrived.notify_all()
        return f"250 2.0.0 OK queued as {len(self.messages):04d}"

    async def received(self, count: int, within: float = 60.0) -> list[Received]:
        """Wait until `count` mails have arrived; return all of them."""
        async with asyncio.timeout(within), self._arrived:
            await self._arrived.wait_for(lambda: len(self.messages) >= count)
        return self.messages


@asynccontextmanager
async def mail_sink(**options):
    """Run a mail server."""
    sink = MailSink(**options)
    await sink.start()
    try:
        yield sink
    finally:
        await sink.end()


@asynccontextmanager
async def tcp_server(speak, **options):
    """Run a server whose conversations are a coroutine of reader and writer; give its port, and end them at the end."""
    talks: set[asyncio.Task] = set()

    async def talk(reader, writer):
        talks.add(asyncio.current_task())
        with suppress(asyncio.CancelledError, OSError):
            await speak(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, **options)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


async def until(condition, within: float = 60.0):
    """Wait until an asynchronous `condition` returns something true; return that."""
    async with asyncio.timeout(within):
        while not (result := await condition()):
            await asyncio.sleep(0.01)
        return result
