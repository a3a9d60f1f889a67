"""A mail server that tells when it has answered 250, and aiosmtplib alone as a sender."""

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
    """What a server has taken; times are the monotonic clock's, of its 250 for a mail."""

    port: int
    times: list[float] = field(default_factory=list)
    latest: bytes = b""
    """The newest mail, as it came, without the end of its last line."""
    next: asyncio.Future[float] | None = None
    """Is given the time of the next 250."""

    def took(self, mail: bytes) -> None:
        """Remember a mail that was just answered."""
        self.times.append(time.monotonic())
        self.latest = mail
        if self.next and not self.next.done():
            self.next.set_result(self.times[-1])


class _Conversation(asyncio.Protocol):
    """As short an SMTP server as there can be: what it takes, both sides pay."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._in_content = False
        self._came = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 mail.test\r\n")

    def data_received(self, data: bytes) -> None:
        self._came += data
        while True:
            end = b"\r\n.\r\n" if self._in_content else b"\r\n"
            said, found, rest = self._came.partition(end)
            if not found:
                return
            self._came = rest
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
    """Return the messages a second that aiosmtplib hands over on two connections."""

    async def one() -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as connection:
            for _ in range(count // 2):
                await send(connection)

    begun = time.monotonic()
    await asyncio.gather(one(), one())
    return count / (time.monotonic() - begun)


def as_object(mail: bytes) -> Send:
    """Send a mail as an object of the standard library, which is how aiosmtplib is mostly used."""
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
    """Send the same mail, ready made."""
    return lambda connection: connection.sendmail(str(SETTINGS["smtp_email"]), [MAIL_ADDRESS], mail)
