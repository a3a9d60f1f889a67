"""The mail server, its connections, and the two channels that use it."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from time import monotonic
from typing import cast

import aiosmtplib
from aiosmtplib import SMTP, SMTPStatus

from alertgate.clock import Clock, SystemClock
from alertgate.config import Settings
from alertgate.model import ChannelName, Target
from alertgate.notify.channels import rehearsal
from alertgate.notify.channels.advice import advice as mail_advice
from alertgate.notify.channels.advice import doubtful_password, doubtful_port, on_this_machine
from alertgate.notify.channels.base import (
    AttemptFailed,
    Channel,
    Finding,
    Level,
    Message,
    Outcome,
    Sent,
    Transient,
)
from alertgate.notify.channels.connect import Connector, greet
from alertgate.notify.channels.hidden import without
from alertgate.notify.channels.mail import compose
from alertgate.notify.channels.outcomes import outcome_of, unwritable
from alertgate.notify.gateways import is_gateway
from alertgate.policy.surroundings import BY_MAIL

FRESH_FOR = 5.0
"""Seconds for which an idle connection is assumed to be alive; later it is checked with NOOP before use."""
DRAIN_PAUSE = 0.01
"""Seconds between checks whether a large mail has left the transport's buffer."""
AT_HAND = 1.0
"""Seconds to read a reply that came before the time for it was over, while the process was suspended."""


@dataclass(slots=True)
class _Idle:
    connection: SMTP
    since: float


class MailServer:
    """An SMTP server with a pool of at most `smtp_connections` reused connections."""

    def __init__(self, settings: Settings, connector: Connector | None = None) -> None:
        self._connector = connector or Connector(settings, SystemClock())
        self._slots = asyncio.Semaphore(settings.smtp_connections)
        self._idle: list[_Idle] = []

    async def send_mail(self, sender: str, to: str, mail: bytes, deadline: float) -> Outcome:
        """Send one mail to one recipient. A failure is an outcome, never an exception.

        `mail` has CRLF line endings, as `compose` writes them. After `deadline` (event loop time) the mail isn't
        completed, even if the process was suspended past it.
        """
        try:
            async with asyncio.timeout_at(deadline), self._slots:
                return await self._send_mail(sender, to, mail, deadline)
        except (AttemptFailed, aiosmtplib.SMTPException, OSError, ValueError) as error:
            return self._outcome_of(error)

    async def lend(self, use: Callable[[SMTP], Awaitable[None]]) -> Outcome | None:
        """Connect, log in, and let `use` talk to the server. Return the failure of either, or None."""
        try:
            async with self._slots:
                connection = await self._connector.open()
                try:
                    await use(connection)
                finally:
                    await self._quit(connection)
        except (AttemptFailed, aiosmtplib.SMTPException, OSError, ValueError) as error:
            return self._outcome_of(error)
        return None

    def hide(self, text: str) -> str:
        """Return what the server says without what it was given to log in."""
        return self._connector.hide(text)

    def _outcome_of(self, error: Exception) -> Outcome:
        """Return a failure's outcome. Servers may repeat a login in any refusal."""
        outcome = error.outcome if isinstance(error, AttemptFailed) else outcome_of(error)
        return without(outcome, self.hide)

    async def close(self) -> None:
        """Close every idle connection."""
        while self._idle:
            await self._quit(self._idle.pop().connection)

    async def _send_mail(self, sender: str, to: str, mail: bytes, deadline: float) -> Outcome:
        connection = await self._alive() or await self._connector.open()
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
        return Sent(self.hide(f"250 {reply}"))

    async def _alive(self) -> SMTP | None:
        """Return an idle connection that the server hasn't closed, or None."""
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

    async def _quit(self, connection: SMTP) -> None:
        try:
            await connection.quit(timeout=2)
        except (aiosmtplib.SMTPException, OSError):
            pass
        finally:
            connection.close()


async def _converse(
    connection: SMTP, transport: asyncio.WriteTransport, sender: str, to: str, mail: bytes, deadline: float
) -> str:
    """Send one mail for one recipient and return the server's reply.

    The library's own `sendmail` sends the content as soon as it reads the reply to DATA. If the process was suspended
    past the deadline while that reply arrived, the Python version and the event loop decide whether a timer or the
    library runs first. So this function sends each command itself, and checks the clock before it sends the content.
    """
    if connection.is_ehlo_or_helo_needed:
        await greet(connection)
    size = [f"SIZE={len(mail)}"] if connection.supports_extension("size") else []
    await connection.mail(sender, options=size)
    await connection.rcpt(to)
    await _execute(connection, b"DATA", SMTPStatus.start_input, connection.timeout)
    _check_deadline(deadline)
    if not connection.is_connected:
        raise aiosmtplib.SMTPServerDisconnected("Connection lost")
    transport.write(mail.replace(b"\r\n.", b"\r\n.."))  # RFC 5321, 4.5.2
    # A server accepts a mail at its final dot. If the process is suspended, what is in the transport's buffer leaves as
    # soon as it resumes, before any timer, so the dot must not wait there behind a large mail.
    while transport.get_write_buffer_size():  # noqa: ASYNC110  (a transport notifies only its protocol when it is empty)
        await asyncio.sleep(DRAIN_PAUSE)
    _check_deadline(deadline)
    try:
        return await _complete(connection, deadline)
    except (aiosmtplib.SMTPException, OSError) as error:
        failed, answered = outcome_of(error), isinstance(error, aiosmtplib.SMTPResponseException)
        if answered or not isinstance(failed, Transient):
            raise
        raise AttemptFailed(replace(failed, is_unanswered=True)) from error


async def _complete(connection: SMTP, deadline: float) -> str:
    """Send the dot that completes a mail, and return the reply: the server has it now, so a lost reply repeats it.

    If the process was suspended, its timers are over when it resumes, and the Python version and the event loop decide
    whether they or the reply in the socket come first. So this function looks for the reply once more after them.
    """
    reply = asyncio.ensure_future(_execute(connection, b".", SMTPStatus.completed, None))
    try:
        try:
            await asyncio.wait({reply}, timeout=connection.timeout)
        except asyncio.CancelledError:
            if asyncio.get_running_loop().time() < deadline:
                raise
        if not (await asyncio.wait({reply}, timeout=AT_HAND))[0]:
            raise TimeoutError("the server didn't say in time whether it takes the mail")
        return reply.result()
    finally:
        reply.cancel()


async def _execute(connection: SMTP, command: bytes, expected: SMTPStatus, within: float | None) -> str:
    code, text = await connection.execute_command(command, timeout=within)
    if code != expected:
        raise aiosmtplib.SMTPDataError(code, text)
    return text


def _check_deadline(deadline: float) -> None:
    if asyncio.get_running_loop().time() >= deadline:
        raise TimeoutError("the mail wasn't complete at its deadline")


class MailChannel:
    """Email, or text messages through an email-to-SMS gateway: both are mails to the same server."""

    repeats_safely = True

    def __init__(self, name: ChannelName, server: MailServer, settings: Settings) -> None:
        self.name = name
        self.capacity = settings.smtp_connections
        self._server = server
        self._sender = settings.mail_from
        self._name = settings.smtp_from_name

    async def send(self, message: Message, deadline: float) -> Outcome:
        """Send a message through the mail server."""
        if refused := unwritable(message.to):
            return refused
        mail = compose(message, self._sender, self._name)
        return await self._server.send_mail(self._sender, message.to, mail, deadline)

    async def rehearse(self, to: str | None, deadline: float) -> Outcome:
        """Log in, and name the sender and a recipient, on a connection of its own."""
        try:
            async with asyncio.timeout_at(deadline):
                return await rehearsal.outcome(self._server.lend, self._sender, to)
        except TimeoutError as error:
            return outcome_of(error)

    async def close(self) -> None:
        """Close the server's connections."""
        await self._server.close()


ADDRESSES = BY_MAIL


def advice(settings: Settings, outcome: Outcome) -> str | None:
    """Return what went wrong and what to change."""
    return mail_advice(settings, outcome)


def missing(settings: Settings) -> str | None:  # noqa: ARG001  (the Provider protocol's signature)
    """Return None: without a mail server the outbox stands in."""
    return None


def from_settings(settings: Settings, clock: Clock) -> list[Channel]:
    """Return the email and SMS channels, which share the mail server, if one is configured."""
    if settings.mail_host is None:
        return []
    server = MailServer(settings, Connector(settings, clock))
    return [MailChannel(ChannelName.EMAIL, server, settings), MailChannel(ChannelName.SMS, server, settings)]


def targets(settings: Settings) -> list[Target]:
    """Return email targets, and SMS targets for RECIPIENT_SMS and addresses at known gateways."""
    if settings.mail_host is None:
        return []
    texts = dict.fromkeys([*settings.recipient_sms, *filter(is_gateway, settings.recipient_email)])
    mails = [address for address in settings.recipient_email if address not in texts]
    return [*((ChannelName.EMAIL, address) for address in mails), *((ChannelName.SMS, address) for address in texts)]


def findings(settings: Settings) -> list[Finding]:
    """Warn about a connection without encryption or login."""
    if settings.mail_host is None:
        return []
    found = []
    if settings.smtp_security == "none" and not on_this_machine(settings.mail_host):
        text = "is none: mails and the password cross the network unencrypted"
        found.append(Finding(Level.WARN, "SMTP_SECURITY", text))
    if settings.mail_user is None and settings.smtp_security != "none":
        found.append(Finding(Level.WARN, "SMTP_PASSWORD", "isn't set: mail is sent without a login"))
    doubts = {"SMTP_PORT": doubtful_port(settings), "SMTP_PASSWORD": doubtful_password(settings)}
    return found + [Finding(Level.WARN, setting, doubt) for setting, doubt in doubts.items() if doubt]


HASTY = 5.0
"""Seconds to wait for a server that will probably never answer, because the port doesn't fit SMTP_SECURITY."""


async def check(settings: Settings, told: Collection[Target]) -> list[Finding]:
    """Connect to the mail server, log in, and ask for every address that is told, without sending anything."""
    if settings.mail_host is None:
        return []
    timeout = min(settings.smtp_timeout, HASTY) if doubtful_port(settings) else settings.smtp_timeout
    server = MailServer(settings.model_copy(update={"smtp_timeout": timeout}))
    mailed = [target for target in told if target[0] in BY_MAIL]
    heard = await rehearsal.rehearse(server.lend, settings.mail_from, [address for _, address in mailed])
    heard.conceal(server.hide)
    return list(rehearsal.findings(settings, heard, mailed))
