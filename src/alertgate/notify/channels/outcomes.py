"""Translate the exceptions of a mail conversation into outcomes."""

import ssl

import aiosmtplib

from alertgate.addresses import check_address
from alertgate.notify.channels.base import Outcome, Permanent, Reason, Transient
from alertgate.notify.channels.replies import Stage, classify


def unwritable(to: str) -> Permanent | None:
    """Return the outcome for a recipient whose address SMTP can't carry; None for all others."""
    try:
        check_address(to)
    except ValueError as error:
        return Permanent(Reason.NO_SUCH_RECIPIENT, f"the recipient can't be addressed: {error}")
    return None


def outcome_of(error: Exception) -> Outcome:
    """Translate an exception of the library, the network or a value that can't be used."""
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _of_reply(error)
    if isinstance(error, aiosmtplib.SMTPTimeoutError | TimeoutError):
        return Transient(Reason.TIMEOUT, str(error) or "timed out")
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return Transient(Reason.TLS, str(error))
    if isinstance(error, aiosmtplib.SMTPServerDisconnected | aiosmtplib.SMTPConnectError | OSError):
        return Transient(Reason.CONNECTION, str(error) or type(error).__name__)
    if isinstance(error, aiosmtplib.SMTPException):
        return Transient(_of_library(str(error).lower()), str(error))
    return Transient(Reason.CONNECTION, _of_value(error))


def _of_reply(error: aiosmtplib.SMTPResponseException) -> Outcome:
    if 400 <= error.code <= 599:
        return classify(stage_of(error), error.code, error.message)
    # Another service on this port, or a conversation that is out of step.
    said = " ".join(f"{error.code} {error.message}".split())
    return Transient(Reason.CONNECTION, f"not an answer of a mail server, check SMTP_HOST and SMTP_PORT: {said}")


def stage_of(error: aiosmtplib.SMTPResponseException) -> Stage:
    """Return the stage of the conversation at which the library raises this exception."""
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return Stage.LOGIN
    if isinstance(error, aiosmtplib.SMTPSenderRefused):
        return Stage.SENDER
    if isinstance(error, aiosmtplib.SMTPRecipientRefused):
        return Stage.RECIPIENT
    if isinstance(error, aiosmtplib.SMTPDataError):
        return Stage.CONTENT
    return Stage.CONNECT  # greeting, EHLO, STARTTLS, NOOP


def _of_library(text: str) -> Reason:
    """Return the reason of a failure that the library itself finds: what the server doesn't offer."""
    if "tls" in text:
        return Reason.TLS
    return Reason.CREDENTIALS if "auth" in text else Reason.CONNECTION


def _of_value(error: Exception) -> str:
    if isinstance(error, UnicodeError) and "idna" in str(error):
        return f"SMTP_HOST isn't a host name, correct it: {error}"
    return f"a value in the settings can't be used for SMTP, check SMTP_HOST, SMTP_EMAIL and the login: {error}"
