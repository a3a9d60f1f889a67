"""Dismiss a failed notification at an operator's request: nothing more need be done about it."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from alertgate.credential import Credential
from alertgate.model import Notification, NotificationStatus
from alertgate.notify.replay import unknown
from alertgate.store import Connection, failures, notifications

AT_A_TIME = 500
"""How many to dismiss in one transaction, so as not to block the service that uses the database."""


class DismissResult(StrEnum):
    """What became of the request."""

    DISMISSED = "dismissed"  # it is no longer outstanding
    ALREADY = "already"  # it was dismissed before; the first person stays on record
    UNKNOWN = "unknown"  # there is no such notification
    NOT_FAILED = "not-failed"  # only a failed notification can be dismissed


@dataclass(frozen=True, slots=True)
class Dismissal:
    """Which notification to dismiss, who says so with what credential, and the time now."""

    notification_id: str
    by: str
    credential: Credential
    now: datetime


@dataclass(frozen=True, slots=True)
class Dismissed:
    """A result, its reason as a sentence, and the notification afterwards, if it exists."""

    result: DismissResult
    reason: str
    notification: Notification | None = None


def dismiss(connection: Connection, wanted: Dismissal) -> Dismissed:
    """Dismiss a failed notification."""
    found = notifications.get(connection, wanted.notification_id)
    if found is None:
        return Dismissed(DismissResult.UNKNOWN, unknown(wanted.notification_id))
    result, reason = decide_dismissal(found)
    if result is DismissResult.DISMISSED:
        failures.dismiss(connection, [found.id], wanted.by, wanted.credential, wanted.now)
        found = replace(found, dismissed_at=wanted.now, dismissed_by=wanted.by, dismissed_with=wanted.credential)
    return Dismissed(result, reason, found)


def decide_dismissal(found: Notification) -> tuple[DismissResult, str]:
    """Decide whether a notification can be dismissed. One that a later one made needless can be too."""
    if found.status is not NotificationStatus.FAILED and not found.given_up:
        reason = f"Notification {found.id} is {found.status}; only a failed one can be dismissed."
        return DismissResult.NOT_FAILED, reason
    if found.dismissed_at:
        return DismissResult.ALREADY, f"Notification {found.id} was dismissed before, by {found.dismissed_by}."
    return DismissResult.DISMISSED, f"Notification {found.id} is dismissed; only a retry would send it."
