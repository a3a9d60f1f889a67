"""What happened to one notification, as events of a timeline. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from alertgate.credential import in_words as with_credential
from alertgate.credential import signed
from alertgate.model import Attempt, ChannelName, Notification, NotificationStatus
from alertgate.policy.people import shown_address
from alertgate.proof import Proof
from alertgate.prove.history import Told
from alertgate.states import waits_for_another

AT_ONCE = timedelta(seconds=5)
"""What starts this soon after it was due wasn't held up."""
WAITED_FOR = "more than FLOOD_LIMIT allows went to that contact in a minute, or the channel was busy or paused"
LONGEST_WORDS = 200
"""Characters of what proves that a message arrived."""


class Event(NamedTuple):
    """Something that happened, as a line."""

    at: datetime
    text: str
    alert_id: str | None = None
    """The alert that it is about, if that has a page of its own."""


def told_events(told: Told) -> Iterator[Event]:
    """Yield what happened to a notification."""
    notification = told.notification
    contact = name_of(notification)
    planned = "" if notification.status is NotificationStatus.CANCELLED else f": {notification.reason}"
    yield Event(notification.created_at, f"{notification.kind} planned as {contact}{planned}")
    if notification.retry_since > notification.created_at:
        yield Event(notification.retry_since, f"{contact} retried manually{with_credential(notification.retried_with)}")
    if notification.held_until:
        yield Event(notification.held_until, f"{contact} was still held back by the mail account's daily limit")
    if notification.released_at and notification.released_at > notification.created_at:
        yield Event(notification.released_at, f"{contact} was held until now")
    if waited := _waited(told):
        yield Event(notification.due_at, f"{contact} was due, and waited for {span(waited)}: {WAITED_FOR}")
    message = f"{contact} in digest {notification.digest_id}" if notification.digest_id else contact
    yield from _attempts(told.attempts, message, is_outbox=notification.channel is ChannelName.OUTBOX)
    if notification.proof not in (None, Proof.SENT) and notification.proved_at:
        by = f" (by {_quoted(notification.proved_by)})" if notification.proved_by else ""
        yield Event(notification.proved_at, f"{contact} was {notification.proof}{by}, as its service says")
    if notification.finished_at and notification.status is NotificationStatus.FAILED:
        yield Event(notification.finished_at, f"{contact} {_failed(notification)}")
    if notification.dismissed_at:
        by = signed(notification.dismissed_by or "", notification.dismissed_with)
        yield Event(notification.dismissed_at, f"{contact} dismissed by {by}")
    if notification.finished_at and notification.status is NotificationStatus.CANCELLED:
        yield Event(notification.finished_at, f"{contact} cancelled: {notification.reason}")


def _attempts(made: Sequence[Attempt], message: str, *, is_outbox: bool) -> Iterator[Event]:
    """Yield the attempts; what follows one that was sent isn't one, but its service's word that it didn't arrive."""
    number, is_sent = 0, False
    for attempt in made:
        if is_sent and attempt.outcome != "sent":
            end, is_sent = attempt.started_at + timedelta(seconds=attempt.seconds), False
            why = f'({attempt.reason}), as its service says: "{" ".join(attempt.reply.split())}"'
            yield Event(end, f"attempt {number} of {message} didn't arrive {why}")
            continue
        number, is_sent = number + 1, attempt.outcome == "sent"
        yield Event(attempt.started_at, f"attempt {number} of {message}: {_outcome(attempt, is_outbox=is_outbox)}")


def _quoted(text: str) -> str:
    return f'"{" ".join(text.split())[:LONGEST_WORDS]}"'


def _waited(told: Told) -> timedelta | None:
    """Return how long a message waited after it was due, if that is worth a word; a retry has a due time of its own."""
    if len(told.attempts) != 1 or told.notification.held_until:
        return None
    waited = told.attempts[0].started_at - told.notification.due_at
    return waited if waited >= AT_ONCE else None


def _failed(notification: Notification) -> str:
    """Say how a notification failed and what becomes of it, with the words of the log."""
    how = "failed for good"
    if notification.superseded_by:
        then = f"{notification.superseded_by} was planned instead"
    elif waits_for_another(notification):
        then = f"`alertgate retry {notification.id}` sends it once the cause is fixed, or it is sent by itself once "
        then += "another message to its contact has arrived"
    elif notification.missed_since:
        how, then = "was given up for now", "it is sent by itself once its channel works"
    else:
        then = f"`alertgate retry {notification.id}` sends it once the cause is fixed"
    return f"{how}; it did not reach its recipient; {then}"


def _outcome(attempt: Attempt, *, is_outbox: bool) -> str:
    took = span(timedelta(seconds=attempt.seconds))
    reply = " ".join(attempt.reply.split())
    if attempt.outcome == "sent" and is_outbox:
        return f'only written, to the outbox, which tells nobody: "{reply}"'
    if attempt.outcome == "sent":
        return f'sent in {took}, answered "{reply}"'
    permanent = ", permanent" if attempt.outcome == "permanent" else ""
    return f'not accepted after {took} ({attempt.reason}{permanent}), answered "{reply}"'


def name_of(notification: Notification) -> str:
    """Return whom a notification is for, by which channel."""
    return f"{notification.channel} to {shown_address(notification.channel, notification.address)}"


def span(span: timedelta) -> str:
    """Return a span in its two largest units, or in seconds."""
    seconds = span.total_seconds()
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"
