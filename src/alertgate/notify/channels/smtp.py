"""The mail server, its connections, and the two channels that go through it."""

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import cast

import aiosmtplib
from aiosmtplib import SMTP, SMTPStatus

from alertgate.config import Settings
from alertgate.model import ChannelName, Target
from alertgate.notify.channels.base import (
    Channel,
    Finding,
    Level,
    Message,
    Outcome,
    Permanent,
    Reason,
    Sent,
    Transient,
)
from alertgate.notify.channels.mail import compose
from alertgate.notify.channels.replies import Stage, classify
from alertgate.notify.gateways import is_gateway

FRESH_FOR = 5.0
"""Seconds for which an idle connection is taken to be alive; after that it is asked first."""
DRAIN_PAUSE = 0.01
"""Seconds between two looks at what the network hasn't taken yet of a large mail."""


@dataclass(slots=True)
class _Idle:
    connection: SMTP
    since: float


class MailServer:
    """An SMTP server with connections that are kept open and reused, at most `smtp_connections` at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.smtp_connections)
        self._idle: list[_Idle] = []
        self._tls: ssl.SSLContext | None = None

    async def hand_over(self, sender: str, to: str, mail: bytes, deadline: float) -> Outcome:
        """Hand one mail over for one recipient until `deadline`; trouble is an outcome, never an exception.

        `mail` has CR LF at the end of each line, as `compose` writes it. After `deadline`, by the event loop's clock,
        a mail isn't completed, even if the process slept past it.
        """
        try:
            async with asyncio.timeout_at(deadline), self._slots:
                return await self._hand_over(sender, to, mail, deadline)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            return _outcome(error)

    async def check(self) -> Outcome:
        """Connect and log in without sending anything."""
        try:
            async with self._slots:
                connection = await self._connect()
                code, text = await connection.noop()
                await self._quit(connection)
                return Sent(f"{code} {text}")
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            return _outcome(error)

    async def close(self) -> None:
        """Say goodbye on every idle connection."""
        while self._idle:
            await self._quit(self._idle.pop().connection)

    async def _hand_over(self, sender: str, to: str, mail: bytes, deadline: float) -> Outcome:
        connection = await self._alive() or await self._connect()
        transport = cast("asyncio.WriteTransport | None", connection.transport)
        if transport is None:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        reusable = False
        try:
            reply = await _converse(connection, transport, sender, to, mail, deadline)
            reusable = True
        except aiosmtplib.SMTPResponseException:
            with suppress(aiosmtplib.SMTPException, OSError):
                await connection.rset()
                reusable = True
            raise
        finally:
            if reusable and connection.is_connected:
                self._idle.append(_Idle(connection, monotonic()))
            else:
                transport.abort()  # `close` would first send the rest of the mail, however late
        return Sent(f"250 {reply}")

    async def _alive(self) -> SMTP | None:
        """Return an idle connection that the server hasn't closed meanwhile, or None."""
        while self._idle:
            idle = self._idle.pop()
            if not idle.connection.is_connected:
                continue
            if monotonic() - idle.since < FRESH_FOR:
                return idle.connection
            try:
                await idle.connection.noop(timeout=5)
            except (aiosmtplib.SMTPException, OSError):
                idle.connection.close()
            else:
                return idle.connection
        return None

    async def _connect(self) -> SMTP:
        settings = self._settings
        if self._tls is None and settings.smtp_security != "none":
            self._tls = await asyncio.to_thread(_tls_context, settings)
        connection = SMTP(
            hostname=settings.mail_host,
            port=settings.mail_port,
            username=(settings.smtp_username or settings.smtp_email) if settings.smtp_password else None,
            password=settings.mail_password,
            use_tls=settings.smtp_security == "tls",
            start_tls=settings.smtp_security == "starttls",  # True demands it, so a server without it is an error
            tls_context=self._tls,
            timeout=settings.smtp_timeout,
        )
        await connection.connect()
        return connection

    async def _quit(self, connection: SMTP) -> None:
        try:
            await connection.quit(timeout=2)
        except (aiosmtplib.SMTPException, OSError):
            pass
        finally:
            connection.close()


def _tls_context(settings: Settings) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if settings.smtp_ca_file:
        context.load_verify_locations(cafile=settings.smtp_ca_file)
    return context


async def _converse(
    connection: SMTP, transport: asyncio.WriteTransport, sender: str, to: str, mail: bytes, deadline: float
) -> str:
    """Send one mail for one recipient and return the server's reply.

    The library's own `sendmail` sends the content as soon as it sees the answer to DATA. If the process slept past the
    deadline while that answer came in, the Python version and the event loop decide whether a timer or the library runs
    first. So this takes the steps one by one, and reads the clock itself before the content leaves.
    """
    if connection.is_ehlo_or_helo_needed:
        await _greet(connection)
    size = [f"SIZE={len(mail)}"] if connection.supports_extension("size") else []
    await connection.mail(sender, options=size)
    await connection.rcpt(to)
    await _execute(connection, b"DATA", SMTPStatus.start_input)
    _check_deadline(deadline)
    if not connection.is_connected:
        raise aiosmtplib.SMTPServerDisconnected("Connection lost")
    transport.write(mail.replace(b"\r\n.", b"\r\n.."))  # RFC 5321, 4.5.2
    # A server accepts a mail at its final dot. What waits in the transport when the process falls asleep leaves as soon
    # as it wakes, before any timer, so the dot must not wait there behind a large mail.
    while transport.get_write_buffer_size():  # noqa: ASYNC110  (a transport tells its protocol alone when it is empty)
        await asyncio.sleep(DRAIN_PAUSE)
    _check_deadline(deadline)
    return await _execute(connection, b".", SMTPStatus.completed)


async def _execute(connection: SMTP, command: bytes, expected: SMTPStatus) -> str:
    code, text = await connection.execute_command(command)
    if code != expected:
        raise aiosmtplib.SMTPDataError(code, text)
    return text


async def _greet(connection: SMTP) -> None:
    """Say EHLO, or HELO to a server that doesn't know EHLO."""
    try:
        await connection.ehlo()
    except aiosmtplib.SMTPHeloError:
        if not connection.is_connected:
            raise
        await connection.helo()


def _check_deadline(deadline: float) -> None:
    if asyncio.get_running_loop().time() >= deadline:
        raise TimeoutError("the mail wasn't complete at its deadline")


def _outcome(error: Exception) -> Outcome:
    """Translate the library's exceptions, once."""
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return classify(_stage(error), error.code, error.message)
    if isinstance(error, aiosmtplib.SMTPTimeoutError | TimeoutError):
        return Transient(Reason.TIMEOUT, str(error) or "timed out")
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return Transient(Reason.TLS, str(error))
    if isinstance(error, aiosmtplib.SMTPServerDisconnected | aiosmtplib.SMTPConnectError | OSError):
        return Transient(Reason.CONNECTION, str(error) or type(error).__name__)
    if isinstance(error, aiosmtplib.SMTPException):
        return Transient(Reason.TLS if "tls" in str(error).lower() else Reason.REFUSED, str(error))
    return Permanent(Reason.NO_SUCH_RECIPIENT, f"not an address that SMTP can carry: {error}")


def _stage(error: aiosmtplib.SMTPResponseException) -> Stage:
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return Stage.LOGIN
    if isinstance(error, aiosmtplib.SMTPConnectResponseError | aiosmtplib.SMTPHeloError):
        return Stage.CONNECT
    if isinstance(error, aiosmtplib.SMTPSenderRefused):
        return Stage.SENDER
    if isinstance(error, aiosmtplib.SMTPRecipientRefused):
        return Stage.RECIPIENT
    return Stage.CONTENT


class MailChannel:
    """Email, or text messages through an email-to-SMS gateway: what differs is the message, not the way."""

    def __init__(self, name: ChannelName, server: MailServer, settings: Settings) -> None:
        self.name = name
        self.capacity = settings.smtp_connections
        self._server = server
        self._sender = settings.mail_from

    async def send(self, message: Message, deadline: float) -> Outcome:
        """Hand a message over to the mail server."""
        return await self._server.hand_over(self._sender, message.to, compose(message, self._sender), deadline)

    async def close(self) -> None:
        """Close the server's connections."""
        await self._server.close()


def from_settings(settings: Settings) -> list[Channel]:
    """Return email and text messages through one mail server, if there is one."""
    if settings.mail_host is None:
        return []
    server = MailServer(settings)
    return [MailChannel(ChannelName.EMAIL, server, settings), MailChannel(ChannelName.SMS, server, settings)]


def targets(settings: Settings) -> list[Target]:
    """Return mail addresses for email; those of RECIPIENT_SMS and at known gateways for text messages."""
    if settings.mail_host is None:
        return []
    texts = dict.fromkeys([*settings.recipient_sms, *filter(is_gateway, settings.recipient_email)])
    mails = [address for address in settings.recipient_email if address not in texts]
    return [*((ChannelName.EMAIL, address) for address in mails), *((ChannelName.SMS, address) for address in texts)]


def findings(settings: Settings) -> list[Finding]:
    """Say what is doubtful about how the mail server is reached."""
    if settings.mail_host is None:
        return []
    found = []
    if settings.smtp_security == "none":
        text = "is none: mails, and the password, cross the network readable"
        found.append(Finding(Level.WARN, "SMTP_SECURITY", text))
    if settings.smtp_password is None and settings.smtp_security != "none":
        found.append(Finding(Level.WARN, "SMTP_PASSWORD", "isn't set: mail is handed over without a login"))
    return found


async def check(settings: Settings) -> Finding | None:
    """Connect to the mail server and log in, without sending anything."""
    if settings.mail_host is None:
        return None
    outcome = await MailServer(settings).check()
    what = f"mail server {settings.mail_host}:{settings.mail_port}"
    if isinstance(outcome, Sent):
        login = "and takes the login" if settings.smtp_password else "without a login"
        return Finding(Level.OK, what, f"answers {login}: {outcome.reply}")
    return Finding(Level.FAIL, what, f"{outcome.reason}: {outcome.reply}")
