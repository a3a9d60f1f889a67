"""Log in at a mail server: one mechanism, one try. Several tries with a wrong password get an address banned."""

from collections.abc import Collection
from typing import Protocol

import aiosmtplib
from aiosmtplib import SMTP

from alertgate.notify.channels.base import AttemptFailed, Reason, Transient

ENCRYPTED = ("plain", "login", "cram-md5")
"""Mechanisms for a password, best first: PLAIN over TLS is what all servers do alike."""
UNENCRYPTED = ("cram-md5", "plain", "login")
"""The same without TLS: CRAM-MD5 doesn't show the password."""


class Tokens(Protocol):
    """Where access tokens come from (`oauth.py`, which isn't imported here: httpx is slow to import)."""

    async def current(self) -> str:
        """Return a token that is good now. Raises AttemptFailed."""

    def has_one(self) -> bool:
        """Return whether one is kept, so that `current` needn't fetch one."""

    def hide(self, text: str) -> str:
        """Return a text without the tokens, and what they are fetched with."""

    def discard(self) -> None:
        """Forget the current token, because the mail server has refused it."""


async def with_password(connection: SMTP, user: str, password: str) -> None:
    """Log in with a password. Raises AttemptFailed, SMTPException."""
    encrypted = connection.get_transport_info("sslcontext") is not None
    match choose(connection.server_auth_methods, encrypted=encrypted):
        case "plain":
            await connection.auth_plain(user, password)
        case "login":
            await connection.auth_login(user, password)
        case "cram-md5":
            await connection.auth_crammd5(user, password)
        case _:
            raise _not_offered(connection, "password", encrypted=encrypted)


def choose(offered: Collection[str], *, encrypted: bool) -> str | None:
    """Return the best mechanism for a password among those that the server offers, in lower case, or None."""
    return next((name for name in (ENCRYPTED if encrypted else UNENCRYPTED) if name in offered), None)


async def with_token(connection: SMTP, user: str, tokens: Tokens) -> None:
    """Log in with an access token by XOAUTH2. Raises AttemptFailed, SMTPException.

    A token may end before its time, as when somebody changes the account's password. So a refused one that was fetched
    earlier is replaced by a new one, once, unless the server has hung up.
    """
    if "xoauth2" not in connection.server_auth_methods:
        encrypted = connection.get_transport_info("sslcontext") is not None
        raise _not_offered(connection, "token", encrypted=encrypted)
    was_kept = tokens.has_one()
    try:
        await _present(connection, user, tokens)
    except aiosmtplib.SMTPAuthenticationError as error:
        if error.code < 500 or not was_kept or not connection.is_connected:
            raise
        try:
            await _present(connection, user, tokens)
        except aiosmtplib.SMTPServerDisconnected:  # it hung up with its refusal, and that was seen only now
            raise error from None


async def _present(connection: SMTP, user: str, tokens: Tokens) -> None:
    """Log in with the current token; forget it if the server refuses it for good."""
    token = await tokens.current()
    try:
        await connection.auth_xoauth2(user, token)
    except aiosmtplib.SMTPAuthenticationError as error:
        if error.code >= 500:
            tokens.discard()
        raise


def _not_offered(connection: SMTP, kind: str, *, encrypted: bool) -> AttemptFailed:
    """Return the failure for a server that offers no login that alertgate could use."""
    offered = connection.server_auth_methods
    if not offered and not encrypted:
        text = "the server offers no login (AUTH) without encryption: set SMTP_SECURITY to starttls or tls"
    elif not offered:
        text = "the server offers no login (AUTH) here: try SMTP_PORT 587 or 465"
    elif kind == "token":
        text = "it offers no XOAUTH2: use SMTP_PASSWORD instead of SMTP_OAUTH_..., or another SMTP_HOST"
    elif "xoauth2" in offered:
        text = "it takes no password: log in by OAuth (SMTP_OAUTH_..., docs/mail.md)"
    else:
        text = "alertgate knows PLAIN, LOGIN, CRAM-MD5 and XOAUTH2: enable one of them at the server, or use another"
    if offered:
        text = f"the server offers the logins {' '.join(sorted(offered)).upper()} only; {text}"
    elif kind == "password":
        text += "; if the server needs no login, remove SMTP_PASSWORD"
    return AttemptFailed(Transient(Reason.CREDENTIALS, text))
