"""Connections to the mail server: dialled, encrypted as SMTP_SECURITY says, and logged in."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import aiosmtplib
from aiosmtplib import SMTP

from alertgate.addresses import is_full_name
from alertgate.clock import Clock
from alertgate.config import Settings
from alertgate.notify.channels.base import AttemptFailed, Reason, Transient
from alertgate.notify.channels.dial import Resolve, dial, resolve, shown
from alertgate.notify.channels.hidden import Secrets
from alertgate.notify.channels.login import Tokens, with_password, with_token
from alertgate.notify.channels.tls import explain, mail_context

REFUSED_FOR = 30.0
"""Seconds for which a refused login answers for all that are wanted: shorter than the first pause of a channel, so that
its probe does log in. Email and SMS share the account, and each would try a wrong password otherwise."""
NAME_WITHIN = 5.0
"""Seconds for this machine's own name; a resolver that is away may need minutes."""

Failure = AttemptFailed | aiosmtplib.SMTPException | OSError


@dataclass(frozen=True, slots=True)
class _Failed:
    """A connection that couldn't be opened, and until when that answers for others."""

    error: Failure
    until: float


class Connector:
    """Opens connections, one at a time, so that a wrong password is tried once and not on each of them."""

    def __init__(
        self, settings: Settings, clock: Clock, resolve: Resolve = resolve, own_name: Callable[[], str] = socket.getfqdn
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._resolve = resolve
        self._own_name = own_name
        self._tokens: Tokens | None = None
        user, password = settings.mail_user or "", settings.mail_password or ""
        self._secrets = Secrets([password], user, said=[f"\0{user}\0{password}"] if password else [])
        self._turn = asyncio.Lock()
        self._failed: _Failed | None = None
        self._tls: ssl.SSLContext | None = None
        self._helo_name: str | None = settings.smtp_helo_name

    async def open(self) -> SMTP:
        """Return a connection that is ready for a mail. Raises AttemptFailed, SMTPException, OSError.

        Whoever waited for its turn while another connection failed to open gets that failure and doesn't try as well.
        """
        asked_at = self._clock.monotonic()
        async with self._turn:
            if self._failed and asked_at < self._failed.until:
                raise self._failed.error.with_traceback(None)
            try:
                connection = await self._open()
            except (AttemptFailed, aiosmtplib.SMTPException, OSError) as error:
                holds_for = REFUSED_FOR if _is_refused_login(error) else 0
                self._failed = _Failed(error, self._clock.monotonic() + holds_for)
                raise
            self._failed = None
            return connection

    def hide(self, text: str) -> str:
        """Return what a server says without what it was given to log in."""
        text = self._tokens.hide(text) if self._tokens else text
        return self._secrets.hide(text)

    async def _open(self) -> SMTP:
        settings = self._settings
        if self._tls is None and settings.smtp_security != "none":
            self._tls = await asyncio.to_thread(mail_context, settings)
        name = await self._say_hello_as()
        host = str(settings.mail_host)
        sock = await dial(host, settings.mail_port, settings.smtp_timeout, self._resolve)
        connection = SMTP(
            hostname=host,  # the certificate's name
            sock=sock,
            local_hostname=name,
            use_tls=settings.smtp_security == "tls",
            start_tls=settings.smtp_security == "starttls",  # True requires it: a server without it is an error
            tls_context=self._tls,
            timeout=settings.smtp_timeout,
        )
        await _greeted(connection, f"{host} ({_peer(sock)})")
        try:
            await self._log_in(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    async def _log_in(self, connection: SMTP) -> None:
        user, password = self._settings.mail_user, self._settings.mail_password
        if user is None:
            return
        if connection.is_ehlo_or_helo_needed:
            await greet(connection)
        if password is not None:
            await with_password(connection, user, password)
        else:
            self._tokens = self._tokens or _access_tokens(self._settings, self._clock)
            await with_token(connection, user, self._tokens)

    async def _say_hello_as(self) -> str:
        """Return the name for EHLO. Asking for the machine's own may ask the DNS, so it runs in a thread, once."""
        if self._helo_name is None:
            name = ""
            with suppress(TimeoutError, OSError, UnicodeError):
                async with asyncio.timeout(NAME_WITHIN):
                    name = await asyncio.to_thread(self._own_name)
            self._helo_name = helo_name(name, self._settings.mail_from)
        return self._helo_name


def _access_tokens(settings: Settings, clock: Clock) -> Tokens:
    from alertgate.notify.channels.oauth import AccessTokens  # noqa: PLC0415  (httpx is slow to import)

    return AccessTokens(settings, clock)


def helo_name(own_name: str, sender: str) -> str:
    """Return what EHLO says if no setting does: servers refuse names without a dot, such as a container's. Pure."""
    name = own_name.lower()
    is_odd = name.startswith("localhost.") or name.endswith((".in-addr.arpa", ".ip6.arpa"))
    return name if is_full_name(name) and not is_odd else sender.rpartition("@")[2]


async def greet(connection: SMTP) -> None:
    """Send EHLO, or HELO to a server that doesn't know EHLO."""
    try:
        await connection.ehlo()
    except aiosmtplib.SMTPHeloError:
        if not connection.is_connected:
            raise
        await connection.helo()


async def _greeted(connection: SMTP, server: str) -> None:
    """Wait for the server's greeting, and encrypt the connection. Raises AttemptFailed, SMTPException."""
    failed = partial(_failure, server)
    try:
        await connection.connect()
    except (aiosmtplib.SMTPConnectResponseError, aiosmtplib.SMTPHeloError):
        raise
    except aiosmtplib.SMTPTimeoutError as error:
        raise failed(Reason.TIMEOUT, f"no answer in time: {error}") from error
    except aiosmtplib.SMTPResponseException as error:
        if error.code < 0:
            raise failed(
                Reason.CONNECTION, f"doesn't speak SMTP, check SMTP_HOST and SMTP_PORT: {error.message}"
            ) from error
        raise failed(Reason.TLS, f"refuses STARTTLS: {error.code} {error.message}") from error
    except (aiosmtplib.SMTPConnectError, aiosmtplib.SMTPServerDisconnected, ssl.SSLError) as error:
        cause = error if isinstance(error, ssl.SSLError) else error.__cause__
        if isinstance(cause, ssl.SSLError):
            raise failed(Reason.TLS, explain(cause)) from error
        raise failed(Reason.CONNECTION, f"closed the connection: {cause or error}") from error
    except aiosmtplib.SMTPException as error:
        text = "offers no STARTTLS, so nothing was sent"
        raise failed(Reason.TLS, text) from error


def _peer(sock: socket.socket) -> str:
    try:
        return shown(sock.getpeername())
    except OSError:  # it has closed the connection already, as the greeting will tell
        return "gone"


def _failure(server: str, reason: Reason, text: str) -> AttemptFailed:
    return AttemptFailed(Transient(reason, f"{server}: {text}"))


def _is_refused_login(error: Failure) -> bool:
    if isinstance(error, AttemptFailed):
        return error.outcome.reason is Reason.CREDENTIALS
    return isinstance(error, aiosmtplib.SMTPAuthenticationError) and error.code >= 500
