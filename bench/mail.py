"""A mail server that tells when it has answered 250, and aiosmtplib alone as a sender."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any
from zoneinfo import ZoneInfo

import aiosmtplib
from torture.gate import SETTINGS

from alertgate.accept import particle
from alertgate.accept.intake import IntakeContext
from alertgate.config import load
from alertgate.model import ChannelName, Incident, IncidentStatus, Kind, Notification, NotificationStatus, Severity
from alertgate.notify.channels.base import Message
from alertgate.notify.channels.mail import compose
from alertgate.notify.context import MessageContext
from alertgate.notify.render.message import render

SENDER, RECIPIENT = "alerts@example.net", "me@example.com"
REPLIES = {b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}


@dataclass
class Answers:
    """What a server has taken. `next` is given the time of its next 250 for a mail."""

    port: int
    next: asyncio.Future[float] | None = None


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
                if self._answers.next and not self._answers.next.done():
                    self._answers.next.set_result(time.monotonic())
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


async def post(port: int, path: str, body: Any, expected: bytes, header: str = "") -> None:
    """Post JSON on a connection of its own. Raises RuntimeError for another status than the expected one."""
    content = json.dumps(body)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n{header}"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n{content}".encode())
        answer = await reader.read()
        if answer[9:12] != expected:
            raise RuntimeError(f"answered {answer[:200]!r}")
    finally:
        writer.close()


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


def as_object() -> Send:
    """Send an opening message as an object of the standard library, which is how aiosmtplib is mostly used."""
    message = _message()
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = SENDER, RECIPIENT, message.subject
    mail["Date"], mail["Message-ID"] = message.date, f"<{message.message_id}>"
    mail["References"], mail["Auto-Submitted"] = f"<{message.thread_id}>", "auto-generated"
    mail.set_content(message.text)
    mail.add_alternative(message.html, subtype="html")
    return lambda connection: connection.send_message(mail)


def as_bytes() -> Send:
    """Send the same mail, ready made."""
    mail = compose(_message(), SENDER)
    return lambda connection: connection.sendmail(SENDER, [RECIPIENT], mail)


def _message() -> Message:
    now = datetime.now(UTC)
    body = b'{"event":"e","data":"{\\"zone\\":\\"hall\\",\\"battery\\":50}","coreid":"old-1","event_id":"1"}'
    receipt = IntakeContext("a" * 36, now, load(None, **SETTINGS).severities, "bench")
    alert = particle.read(body, "application/json", receipt)
    incident = Incident(
        "i" * 36, alert.incident_key, IncidentStatus.OPEN, alert.source, "e", "old-1", Severity.WARNING, now, now, 1
    )
    message = Notification(
        id="n" * 36,
        incident_id=incident.id,
        channel=ChannelName.EMAIL,
        address=RECIPIENT,
        kind=Kind.OPENING,
        status=NotificationStatus.SENDING,
        severity=Severity.WARNING,
        reason="why",
        created_at=now,
        due_at=now,
        retry_since=now,
    )
    return render(MessageContext(message, incident, (alert,), None, ZoneInfo("UTC"), now, "example.net"))
