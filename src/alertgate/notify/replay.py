"""A message that failed is started afresh, by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from alertgate.model import Notification, NotificationStatus
from alertgate.store import Connection, notifications


class Verdict(StrEnum):
    """What came of it."""

    PENDING = "pending"  # it is due now, and has all its patience again
    UNKNOWN = "unknown"  # there is no such message
    NOT_FAILED = "not-failed"  # only what was given up on can start afresh
    SAID_ALREADY = "said-already"  # another message to this address is pending, and will say it


@dataclass(frozen=True, slots=True)
class Replay:
    """The wish to start a message afresh."""

    notification_id: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Replayed:
    """A verdict with its reason in words, and the message as it stands afterwards, if there is one."""

    verdict: Verdict
    because: str
    notification: Notification | None = None


def replay(connection: Connection, wanted: Sequence[Replay]) -> list[Replayed]:
    """Make failed messages pending, due now; a kind of work for the store's writer."""
    return [_replay(connection, each) for each in wanted]


def _replay(connection: Connection, wanted: Replay) -> Replayed:
    found = notifications.get(connection, wanted.notification_id)
    if found is None:
        return Replayed(
            Verdict.UNKNOWN,
            f"There is no message {wanted.notification_id}; it never was, or retention has removed it.",
        )
    pending = notifications.pending_to(connection, found.incident_id, (found.channel, found.address))
    verdict, because = judge(found, pending)
    if verdict is Verdict.PENDING:
        found = notifications.restart(connection, found, wanted.now)
    return Replayed(verdict, because, found)


def judge(found: Notification, pending_id: str | None) -> tuple[Verdict, str]:
    """Decide whether a message may start afresh; `pending_id` is the one that waits for the same address."""
    if found.status is not NotificationStatus.FAILED:
        return Verdict.NOT_FAILED, f"Message {found.id} is {found.status}; only a failed one can be tried again."
    if pending_id:
        return (
            Verdict.SAID_ALREADY,
            f"Message {pending_id} to the same address about the same incident is pending and will say it.",
        )
    return Verdict.PENDING, f"Message {found.id} is pending again and due now."
