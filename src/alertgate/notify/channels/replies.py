"""Classify an SMTP server's replies: what a refusal is about, and whether another try can help. Pure.

The enhanced status code decides first, then the words, then the code and the stage of the conversation. The stage says
little: Postfix refuses clients, host names and senders at RCPT (`smtpd_delay_reject`), SES and Exchange after DATA.
In doubt a refusal is about us: it is retried, and said. It is permanent only if it clearly is about this recipient or
this message.

Sources: RFC 5321, 4.2; RFC 3463 and IANA's registry of enhanced codes (RFC 5248); RFC 7372; Google's "Gmail SMTP errors
and codes"; Microsoft's "Email non-delivery reports and SMTP errors in Exchange Online".
"""

import re
from enum import StrEnum

from alertgate.notify.channels.base import Permanent, Reason, Transient
from alertgate.notify.channels.reply_words import reason_in

_ENHANCED = re.compile(r"(?<![\w.])[245]\.(\d{1,3})\.(\d{1,3})(?!\w|\.\d)")
"""An enhanced status code, but not part of an IP address or a version."""


_FAILED_LOGINS = re.compile(r"too many|attempts|failed log|log ?in fail", re.IGNORECASE)
"""An address that is blocked for failed logins is blocked for the password."""


class Stage(StrEnum):
    """The stage of the SMTP conversation that a reply came at."""

    CONNECT = "connect"
    LOGIN = "login"
    SENDER = "sender"
    RECIPIENT = "recipient"
    CONTENT = "content"


def classify(stage: Stage, code: int, text: str) -> Transient | Permanent:
    """Return the outcome for a negative reply. `code` is 400 to 599, `text` the rest of the reply."""
    reply = f"{code} {' '.join(text.split())}"
    reason = _reason(stage, code, text)
    if code >= 500 and reason in _FINAL:
        of_content = reason is Reason.TOO_LARGE or (reason is Reason.POLICY and stage is Stage.CONTENT)
        return Permanent(reason, reply, of_content)
    if reason in _FINAL and reason is not Reason.TOO_LARGE:
        reason = Reason.RECIPIENT_BUSY  # a 4xx: the server itself says that it may accept it later
    if reason in _DOUBTFUL and stage in {Stage.RECIPIENT, Stage.CONTENT}:
        return Transient(reason, reply, _if_alone(stage, code, reply))
    return Transient(reason, reply)


_FINAL = frozenset({Reason.NO_SUCH_RECIPIENT, Reason.TOO_LARGE, Reason.POLICY, Reason.REFUSED})
"""A 5xx with any other reason is transient: the message isn't at fault, and is accepted once the cause is fixed."""

_DOUBTFUL = frozenset({Reason.UNCLEAR, Reason.SENDER_REFUSED, Reason.RELAY_REFUSED, Reason.HOST_REFUSED})
"""Once the server has seen a recipient, these may be about that recipient alone: what it says to others will tell."""


def _if_alone(stage: Stage, code: int, reply: str) -> Transient | Permanent:
    return (
        Permanent(Reason.REFUSED, reply, stage is Stage.CONTENT)
        if code >= 500
        else Transient(Reason.RECIPIENT_BUSY, reply)
    )


def _reason(stage: Stage, code: int, text: str) -> Reason:
    if stage is Stage.LOGIN:
        return _of_login(code, text)
    match = _ENHANCED.search(text)
    subject, detail = (int(match[1]), int(match[2])) if match else (0, 0)
    words = reason_in(text)
    reason = _exception(subject, detail, words) or _of_enhanced(code, subject, detail) or words
    if reason is None:
        return _of_code(stage, code, known=(subject, detail) != (0, 0))
    return _at(stage, reason)


def _of_login(code: int, text: str) -> Reason:
    words = reason_in(text)
    if words in {Reason.TLS, Reason.DAILY_LIMIT} or (words is Reason.HOST_REFUSED and not _FAILED_LOGINS.search(text)):
        return words
    return Reason.CREDENTIALS if code >= 500 and words is not Reason.TRY_LATER else Reason.TOO_MANY_LOGINS


_ABOUT_US = frozenset(
    {Reason.SENDER_REFUSED, Reason.HOST_REFUSED, Reason.RELAY_REFUSED, Reason.TRY_LATER, Reason.DAILY_LIMIT}
)


def _exception(subject: int, detail: int, words: Reason | None) -> Reason | None:
    """Return the reason if the words are surer than the code: servers use these codes for the sender, too."""
    if subject == 1 and words in _ABOUT_US:
        return words
    if (subject, detail) == (5, 3) and words is Reason.TRY_LATER:
        return words
    if (subject, detail) == (7, 13) and words is Reason.HOST_REFUSED:
        return words
    if (subject, detail) in {(2, 1), (2, 2), (3, 2)} and words in {Reason.RECIPIENT_BUSY, Reason.DAILY_LIMIT}:
        return words
    return None


_CODES = {
    (1, 1): Reason.NO_SUCH_RECIPIENT,
    (1, 2): Reason.NO_SUCH_RECIPIENT,
    (1, 3): Reason.NO_SUCH_RECIPIENT,
    (1, 4): Reason.NO_SUCH_RECIPIENT,
    (1, 6): Reason.NO_SUCH_RECIPIENT,
    (1, 7): Reason.SENDER_REFUSED,
    (1, 8): Reason.SENDER_REFUSED,
    (1, 10): Reason.NO_SUCH_RECIPIENT,
    (1, 90): Reason.DAILY_LIMIT,  # Exchange Online
    (2, 1): Reason.NO_SUCH_RECIPIENT,
    (2, 2): Reason.MAILBOX_FULL,  # transient even as a 5xx, because people empty their mailboxes
    (2, 3): Reason.TOO_LARGE,
    (2, 121): Reason.RECIPIENT_BUSY,  # Exchange Online: an hourly limit of this mailbox
    (2, 122): Reason.RECIPIENT_BUSY,
    (2, 251): Reason.TRY_LATER,  # from here on Exchange Online: throttled for many refusals of one kind
    (2, 252): Reason.SENDER_REFUSED,  # also SendAsDenied itself
    (2, 253): Reason.SENDER_REFUSED,  # the mailbox has no licence
    (2, 254): Reason.TRY_LATER,
    (2, 255): Reason.TRY_LATER,
    (3, 1): Reason.TRY_LATER,
    (3, 2): Reason.TRY_LATER,
    (3, 4): Reason.TOO_LARGE,
    (4, 4): Reason.NO_SUCH_RECIPIENT,  # no route to the recipient's domain
    (4, 310): Reason.NO_SUCH_RECIPIENT,
    (5, 3): Reason.RECIPIENT_BUSY,
    (7, 8): Reason.CREDENTIALS,
    (7, 10): Reason.TLS,
    (7, 11): Reason.TLS,
    (7, 12): Reason.REFUSED,  # this and 7.124 to 7.136, Exchange: a recipient that takes mail from some senders alone
    (7, 13): Reason.CREDENTIALS,  # the account that logged in is disabled
    (7, 20): Reason.SENDER_REFUSED,  # DKIM; RFC 7372
    (7, 21): Reason.SENDER_REFUSED,
    (7, 22): Reason.SENDER_REFUSED,
    (7, 24): Reason.SENDER_REFUSED,  # SPF; 7.23 isn't here because Gmail uses it for reverse DNS
    (7, 25): Reason.HOST_REFUSED,  # reverse DNS
    (7, 26): Reason.SENDER_REFUSED,  # DMARC, or neither SPF nor DKIM
    (7, 27): Reason.SENDER_REFUSED,
    (7, 30): Reason.SENDER_REFUSED,
    (7, 54): Reason.RELAY_REFUSED,  # from here on Exchange
    (7, 57): Reason.CREDENTIALS,
    (7, 60): Reason.SENDER_REFUSED,
    (7, 64): Reason.RELAY_REFUSED,
    (7, 139): Reason.CREDENTIALS,
    (7, 232): Reason.DAILY_LIMIT,
    (7, 233): Reason.DAILY_LIMIT,
    (7, 504): Reason.NO_SUCH_RECIPIENT,
    (7, 505): Reason.NO_SUCH_RECIPIENT,
    (7, 506): Reason.HOST_REFUSED,
    (7, 507): Reason.HOST_REFUSED,
    (7, 508): Reason.HOST_REFUSED,
    (7, 509): Reason.SENDER_REFUSED,
    (7, 510): Reason.HOST_REFUSED,
    (7, 511): Reason.HOST_REFUSED,
    (7, 515): Reason.SENDER_REFUSED,
    (7, 705): Reason.SENDER_REFUSED,
    (7, 708): Reason.HOST_REFUSED,
    (7, 750): Reason.SENDER_REFUSED,
}
"""What the clear codes are about, by subject and detail. All others are too general: the words decide."""

_RANGES = (
    ((7, 124), (7, 136), Reason.REFUSED),
    ((7, 501), (7, 503), Reason.SENDER_REFUSED),
    ((7, 606), (7, 649), Reason.HOST_REFUSED),
    ((6, 0), (6, 999), Reason.POLICY),  # the form of this message
)


def _of_enhanced(code: int, subject: int, detail: int) -> Reason | None:
    place = (subject, detail)
    if place == (4, 5):
        return Reason.DAILY_LIMIT if code >= 500 else Reason.TRY_LATER  # Gmail's limit; a busy server
    if code < 500 and (7, 500) <= place <= (7, 899):
        return Reason.TRY_LATER  # Microsoft throttles our address for a while
    if reason := _CODES.get(place):
        return reason
    return next((reason for first, last, reason in _RANGES if first <= place <= last), None)


def _at(stage: Stage, reason: Reason) -> Reason:
    """Return a reason as it must be at this stage: what the server hasn't seen yet isn't what it refuses."""
    about_others = {Reason.NO_SUCH_RECIPIENT, Reason.REFUSED, Reason.POLICY, Reason.MAILBOX_FULL}
    if stage is Stage.CONNECT and reason in about_others:
        return Reason.HOST_REFUSED
    if stage is Stage.SENDER and reason in about_others:
        return Reason.SENDER_REFUSED
    if stage is Stage.RECIPIENT and reason is Reason.POLICY:
        return Reason.UNCLEAR
    return reason


def _of_code(stage: Stage, code: int, *, known: bool) -> Reason:  # noqa: PLR0911  (the table)
    """Return the reason of a reply whose words say nothing. `known` is whether it has an enhanced code."""
    if code in (530, 534, 535):
        return Reason.CREDENTIALS
    if stage is Stage.CONNECT:
        return Reason.HOST_REFUSED if code >= 500 else Reason.TRY_LATER
    if code == 421 or (stage is Stage.SENDER and code < 500):
        return Reason.TRY_LATER
    if code == 552 and not known:
        return Reason.MAILBOX_FULL if stage is Stage.RECIPIENT else Reason.TOO_LARGE
    if stage is Stage.SENDER:
        return Reason.SENDER_REFUSED
    if code == 452:
        return Reason.MAILBOX_FULL
    return Reason.UNCLEAR if code >= 500 else Reason.RECIPIENT_BUSY
