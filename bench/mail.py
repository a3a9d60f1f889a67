"""A mail server that records when it answers 250, and aiosmtplib alone as a sender."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

import aiosmtplib
from torture.gate import MAIL_ADDRESS, SETTINGS

HEADERS = ("From", "To", "Subject", "Date", "Message-ID", "References", "Auto-Submitted")
REPLIES = {b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}


@dataclass
class Answers:
    """The mails that a server accepted; `times` has when it answered each 250, by the monotonic clock."""

    port: int
    times: list[float] = field(default_factory=list)
    latest: bytes = b""
    """The newest mail as received, without its last line break."""
    next: asyncio.Future[float] | None = None
    """Receives the time of the next 250."""

    def took(self, mail: bytes) -> None:
        """Record a mail that was just answered."""
        self.times.append(time.monotonic())
        self.latest = mail
        if self.next and not self.next.done():
            self.next.set_result(self.times[-1])


class _Conversation(asyncio.Protocol):
    """A minimal SMTP server: its own time counts for both sides."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._in_content = False
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 mail.test\r\n")

    def data_received(self, data: bytes) -> None:
        self._received += data
        while True:
            end = b"\r\n.\r\n" if self._in_content else b"\r\n"
            said, found, rest = self._received.partition(end)
            if not found:
                return
            self._received = rest
            if self._in_content:
                self._transport.write(b"250 taken\r\n")
                self._answers.took(said)
            else:
                self._transport.write(REPLIES.get(said[:4].upper(), b"250 yes\r\n"))
            self._in_content = not self._in_content and said[:4].upper() == b"DATA"


@asynccontextmanager
async def answers() -> AsyncIterator[Answers]:
    """Listen in this process's own event loop."""
    taken = Answers(0)
    server = await asyncio.get_running_loop().create_server(lambda: _Conversation(taken), "127.0.0.1", 0)
    taken.port = server.sockets[0].getsockname()[1]
    try:
        yield taken
    finally:
        server.close()


Send = Callable[[aiosmtplib.SMTP], Awaitable[object]]


async def alone(port: int, count: int, send: Send) -> float:
    """Return the messages a second that aiosmtplib sends over two connections."""

    async def one() -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as connection:
            for _ in range(count // 2):
                await send(connection)

    begun = time.monotonic()
    await asyncio.gather(one(), one())
    return count / (time.monotonic() - begun)


def as_object(mail: bytes) -> Send:
    """Return a function that sends a mail as an `EmailMessage`, the usual way to use aiosmtplib."""
    came = message_from_bytes(mail, policy=policy.default)
    text, html = came.get_body(("plain",)), came.get_body(("html",))
    assert text
    assert html
    message = EmailMessage()
    for name in HEADERS:
        message[name] = str(came[name])
    message.set_content(text.get_content())
    message.add_alternative(html.get_content(), subtype="html")
    return lambda connection: connection.send_message(message)


def as_bytes(mail: bytes) -> Send:
    """Return a function that sends the same mail as bytes, serialised beforehand."""
    return lambda connection: connection.sendmail(str(SETTINGS["smtp_email"]), [MAIL_ADDRESS], mail)
