"""Retry a failed notification at an operator's request."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from alertgate.credential import Credential
from alertgate.model import Notification, NotificationStatus
from alertgate.store import Connection, failures, notifications


class ReplayResult(StrEnum):
    """Whether the notification is retried."""

    PENDING = "pending"  # it is due now, and GIVE_UP_AFTER starts again
    UNKNOWN = "unknown"  # there is no such notification
    NOT_FAILED = "not-failed"  # only a failed notification can be retried
    SAID_ALREADY = "said-already"  # another pending notification to this contact will report it


@dataclass(frozen=True, slots=True)
class Replay:
    """Which notification to retry, with what credential somebody says so, and the time now."""

    notification_id: str
    credential: Credential
    now: datetime


@dataclass(frozen=True, slots=True)
class Replayed:
    """A result, its reason as a sentence, and the notification afterwards, if it exists."""

    result: ReplayResult
    reason: str
    notification: Notification | None = None


def replay(connection: Connection, wanted: Replay) -> Replayed:
    """Make a failed notification pending and due now."""
    found = notifications.get(connection, wanted.notification_id)
    if found is None:
        return Replayed(ReplayResult.UNKNOWN, unknown(wanted.notification_id))
    pending = notifications.pending_to(connection, found.incident_id, (found.channel, found.address))
    result, reason = decide_replay(found, pending)
    if result is ReplayResult.PENDING:
        found = notifications.restart(connection, found, wanted.credential, wanted.now)
        failures.supersede(connection, [found])
    return Replayed(result, reason, found)


def unknown(notification_id: str) -> str:
    """Return that there is no notification with an id, as a sentence."""
    return f"There is no notification {notification_id}; it was never stored, or retention deleted it."


def decide_replay(found: Notification, pending_id: str | None) -> tuple[ReplayResult, str]:
    """Decide whether a notification can be retried. `pending_id` is a pending one that would report the same."""
    if found.status is not NotificationStatus.FAILED:
        reason = f"Notification {found.id} is {found.status}; only a failed one can be retried."
        return ReplayResult.NOT_FAILED, reason
    if pending_id:
        reason = f"Notification {pending_id} to the same address about the same incident is pending and will say it."
        return ReplayResult.SAID_ALREADY, reason
    return ReplayResult.PENDING, f"Notification {found.id} is pending again and due now."
