"""Classify an SMTP server's replies. Pure.

Sources: RFC 5321, 4.2; RFC 3463 (enhanced codes); Google's "Gmail SMTP errors and codes".
"""

import re
from enum import StrEnum

from alertgate.notify.channels.base import Permanent, Reason, Transient

_ENHANCED = re.compile(r"(?<![\w.])([245]\.\d{1,3}\.\d{1,3})(?!\w|\.\d)")
"""An enhanced status code, but not part of an IP address or a version."""


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
    match = _ENHANCED.search(text)
    reason = _reason(stage, code, match[1] if match else "")
    if code >= 500 and reason in _FINAL:
        return Permanent(reason, reply)
    return Transient(reason, reply)


_FINAL = frozenset({Reason.NO_SUCH_RECIPIENT, Reason.TOO_LARGE, Reason.POLICY, Reason.REFUSED})
"""A 5xx with any other reason is transient: the message isn't at fault, and is accepted once the cause is fixed."""


def _reason(stage: Stage, code: int, enhanced: str) -> Reason:  # noqa: PLR0911  (the table)
    if enhanced == "5.4.5":
        return Reason.DAILY_LIMIT
    if code in (534, 535, 530) or (stage is Stage.LOGIN and code >= 500):
        return Reason.CREDENTIALS
    if stage is Stage.LOGIN or code == 454:
        return Reason.TOO_MANY_LOGINS
    if code == 421 or stage is Stage.CONNECT:
        return Reason.TRY_LATER
    if enhanced == "5.3.4" or (code == 552 and enhanced != "5.2.2"):
        return Reason.TOO_LARGE
    if enhanced in {"4.2.2", "5.2.2"} or code == 452:
        return Reason.MAILBOX_FULL  # transient even as a 5xx, because people empty their mailboxes
    if code >= 500:
        return _refused(stage, code, enhanced)
    return Reason.RECIPIENT_BUSY if stage is not Stage.SENDER else Reason.TRY_LATER


def _refused(stage: Stage, code: int, enhanced: str) -> Reason:
    """Return the reason of a 5xx about the sender, the recipient or the content."""
    if stage is Stage.SENDER:
        return Reason.SENDER_REFUSED
    if enhanced.startswith("5.7.") or code == 554:
        return Reason.POLICY
    if enhanced.startswith("5.1.") or (stage is Stage.RECIPIENT and code in (550, 551, 553) and not enhanced):
        return Reason.NO_SUCH_RECIPIENT
    return Reason.REFUSED
