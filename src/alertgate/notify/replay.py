"""A notification that failed for good is started afresh, by hand."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from alertgate.model import Notification, NotificationStatus
from alertgate.store import Connection, notifications


class ReplayResult(StrEnum):
    """Whether the notification starts afresh."""

    PENDING = "pending"  # it is due now, and GIVE_UP_AFTER counts anew
    UNKNOWN = "unknown"  # there is no such notification
    NOT_FAILED = "not-failed"  # only what was given up on can start afresh
    SAID_ALREADY = "said-already"  # another notification to this address is pending, and will say it


@dataclass(frozen=True, slots=True)
class Replay:
    """Which notification to start afresh, and when."""

    notification_id: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Replayed:
    """A result with its reason in words, and the notification afterwards, if there is one."""

    result: ReplayResult
    reason: str
    notification: Notification | None = None


def replay(connection: Connection, wanted: Replay) -> Replayed:
    """Make a failed notification pending, due now."""
    found = notifications.get(connection, wanted.notification_id)
    if found is None:
        return Replayed(
            ReplayResult.UNKNOWN,
            f"There is no notification {wanted.notification_id}; it was never stored, or retention deleted it.",
        )
    pending = notifications.pending_to(connection, found.incident_id, (found.channel, found.address))
    result, reason = decide_replay(found, pending)
    if result is ReplayResult.PENDING:
        found = notifications.restart(connection, found, wanted.now)
    return Replayed(result, reason, found)


def decide_replay(found: Notification, pending_id: str | None) -> tuple[ReplayResult, str]:
    """Decide whether a notification may start afresh; `pending_id` is the one that waits for the same contact."""
    if found.status is not NotificationStatus.FAILED:
        reason = f"Notification {found.id} is {found.status}; only a failed one can be retried."
        return ReplayResult.NOT_FAILED, reason
    if pending_id:
        reason = f"Notification {pending_id} to the same address about the same incident is pending and will say it."
        return ReplayResult.SAID_ALREADY, reason
    return ReplayResult.PENDING, f"Notification {found.id} is pending again and due now."
