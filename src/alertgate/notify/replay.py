"""Retry a failed notification at an operator's request."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from alertgate.credential import Credential
from alertgate.model import ChannelName, Notification, NotificationStatus, Target
from alertgate.store import Connection, failures, notifications


class ReplayResult(StrEnum):
    """Whether the notification is retried."""

    PENDING = "pending"  # it is due now, and GIVE_UP_AFTER starts again
    UNKNOWN = "unknown"  # there is no such notification
    NOT_FAILED = "not-failed"  # only a failed notification can be retried
    UNREACHABLE = "unreachable"  # no channel in the settings reaches its address
    SAID_ALREADY = "said-already"  # another notification to this contact has reported it, or will


@dataclass(frozen=True, slots=True)
class Replay:
    """Which notification to retry, with what credential somebody says so, and when. `targets` can be told."""

    notification_id: str
    credential: Credential
    now: datetime
    targets: Collection[Target]
    meant: Callable[[Target], Target] = lambda target: target
    """Returns what the name of a secret in place of an address stands for (`Directory.meant`)."""


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
    channel, address = wanted.meant((found.channel, found.address))
    found = replace(found, channel=channel, address=address)
    pending = notifications.pending_to(connection, found.incident_id, (found.channel, found.address))
    later = notifications.get(connection, found.superseded_by) if found.superseded_by else None
    result, reason = decide_replay(found, pending, later, wanted.targets)
    if result is ReplayResult.PENDING:
        found = notifications.restart(connection, found, wanted.credential, wanted.now)
        failures.supersede(connection, [found])
    return Replayed(result, reason, found)


def unknown(notification_id: str) -> str:
    """Return that there is no notification with an id, as a sentence."""
    return f"There is no notification {notification_id}; it was never stored, or retention deleted it."


def decide_replay(
    found: Notification, pending_id: str | None, later: Notification | None, targets: Collection[Target]
) -> tuple[ReplayResult, str]:
    """Decide whether a notification can be retried.

    `pending_id` is a pending one that would report the same; `later` is the one that made this failure needless.
    """
    if found.status is not NotificationStatus.FAILED:
        reason = f"Notification {found.id} is {found.status}; only a failed one can be retried."
        return ReplayResult.NOT_FAILED, reason
    if obstacle := _obstacle(found, targets):
        reason = f"Notification {found.id} can't be sent any more: {obstacle.format(id=found.id)}."
        return ReplayResult.UNREACHABLE, reason
    if pending_id:
        reason = f"Notification {pending_id} to the same address about the same incident is pending and will say it."
        return ReplayResult.SAID_ALREADY, reason
    if later and later.status is NotificationStatus.SENT:
        reason = f"Notification {later.id} to the same address about the same incident was sent later and said it."
        return ReplayResult.SAID_ALREADY, reason
    if later and later.status is NotificationStatus.FAILED:
        reason = (
            f"A later notification to the same address about the same incident failed too, and says more: run "
            f"`alertgate retry {later.id}`."
        )
        return ReplayResult.SAID_ALREADY, reason
    return ReplayResult.PENDING, f"Notification {found.id} is pending again and due now."


def _obstacle(found: Notification, targets: Collection[Target]) -> str | None:
    """Return why nothing would reach anybody and what to do, or None. Another channel may reach the same address."""
    channels = {channel for channel, address in targets if address == found.address}
    if channels and (channels != {ChannelName.OUTBOX} or found.channel is ChannelName.OUTBOX):
        return None
    if channels:
        return _NO_SERVER
    return _FOR_NOBODY if found.channel is ChannelName.OUTBOX else _NO_ADDRESS


_NO_SERVER = (
    "no mail server is set, so it would only go to the outbox. Set SMTP_HOST or SMTP_EMAIL, restart and retry it, or "
    "run `alertgate dismiss {id}`"
)
_NO_ADDRESS = (
    "its address is no longer in the settings. Tell this recipient yourself and run `alertgate dismiss {id}`, or put "
    "the address back, restart and retry it"
)
_FOR_NOBODY = "it was for the outbox, and a mail server is set now. Run `alertgate dismiss {id}`"
