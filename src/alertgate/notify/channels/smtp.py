"""The mail server, its connections, and the two channels that go through it."""

import asyncio
import ssl
from dataclasses import dataclass
from time import monotonic

import aiosmtplib
from aiosmtplib import SMTP

from alertgate.config import Settings
from alertgate.model import ChannelName
from alertgate.notify.channels.base import Message, Outcome, Permanent, Reason, Sent, Transient
from alertgate.notify.channels.mail import compose
from alertgate.notify.channels.replies import Stage, classify

FRESH_FOR = 5.0
"""Seconds for which an idle connection is taken to be alive; after that it is asked first."""


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
        """Hand one mail over for one recipient until `deadline`; trouble is an outcome, never an exception."""
        try:
            async with self._slots:
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
        # To cancel the task isn't enough. If the server's answer came in while the process slept, `wait_for` of Python
        # 3.11 swallows the cancellation, and the library goes on with the mail: on a closed connection it can't.
        late = asyncio.get_running_loop().call_at(deadline, connection.close)
        try:
            _, reply = await connection.sendmail(sender, [to], mail)
        finally:
            late.cancel()
            # A connection that broke, timed out or was cancelled in mid-conversation is closed by the library or here.
            if connection.is_connected and not _cancelled():
                self._idle.append(_Idle(connection, monotonic()))
            else:
                connection.close()
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


def _cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _outcome(error: Exception) -> Outcome:  # noqa: PLR0911  (one line for each kind of trouble)
    """Translate the library's exceptions, once."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        refused = error.recipients[0]
        return classify(Stage.RECIPIENT, refused.code, refused.message)
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
