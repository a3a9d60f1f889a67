"""The lines of the log about attempts: what happened, what it means and what to do, short enough to read at a terminal.

The server's words are cut here; the trail has all of them (`alertgate explain ID`).
"""

from collections.abc import Sequence

import structlog

from alertgate.addresses import mask, mask_all
from alertgate.model import Attempt, Notification, NotificationStatus
from alertgate.notify.context import Outgoing
from alertgate.store.leases import Finish

LONGEST = 160
"""Characters of a detail and a reply together."""
SHORTEST_REPLY = 32
MOST_NAMED = 3
"""Ids that a sentence names."""

log = structlog.stdlib.get_logger("alertgate.deliver")


def log_attempts(
    notification: Notification,
    attempts: Sequence[Attempt],
    finish: Finish,
    remedy: str | None,
    *,
    ours: bool,
    restated: bool = False,
) -> None:
    """Log one line for each attempt at a message about one incident.

    `ours`: the lease still was. `restated`: the remedy says all that the reply does.
    """
    for number, attempt in enumerate(attempts, start=notification.attempts + 1):
        about = {
            "notification_id": notification.id,
            "channel": notification.channel,
            "to": mask(notification.address),
            "attempt": number,
            "reason": attempt.reason,
        }
        if attempt is not attempts[-1]:
            detail = "too large for the server; resent without its picture"
            log.warning("attempt.too_large", **about, **said(detail, attempt))
        elif not ours:
            detail = "its lease expired; another process may have sent it too"
            log.warning("notification.lease_lost", **about, **said(detail, attempt))
        elif finish.status is NotificationStatus.SENT:
            facts = {"incident_id": notification.incident_id, "kind": notification.kind}
            seconds = round(attempt.seconds, 3)
            log.info("notification.sent", **about, **facts, seconds=seconds, **said(_ACCEPTED, attempt))
        elif finish.status is NotificationStatus.FAILED and not notification.given_up:
            detail = _failed(remedy, notification.id, missed=finish.missed)
            log.error("notification.failed", **about, **said(detail, attempt, restated=restated))
        elif finish.due_at:
            again_at = finish.due_at.isoformat(timespec="seconds")
            words = said(_postponed(remedy), attempt, restated=restated)
            log.warning("notification.postponed", **about, again_at=again_at, **words)


def log_digest(
    outgoing: Outgoing,
    attempts: Sequence[Attempt],
    finishes: Sequence[Finish],
    remedy: str | None,
    *,
    ours: bool,
    restated: bool = False,
) -> None:
    """Log one line for an attempt at a digest; `ours` and `restated` as in `log_attempts`."""
    if not attempts:
        return
    first, attempt = outgoing.first, attempts[0]
    about = {
        "digest_id": first.digest_id,
        "number": len(finishes),
        "channel": first.channel,
        "to": mask(first.address),
        "reason": attempt.reason,
    }
    is_failed = NotificationStatus.FAILED
    failed = [each.leased.id for each in finishes if each.status is is_failed and not each.leased.given_up]
    again_at = min((each.due_at for each in finishes if each.due_at), default=None)
    if not ours:
        detail = "the lease of some of its notifications expired; another process may have sent it too"
        log.warning("digest.lease_lost", **about, **said(detail, attempt))
    elif failed:
        which = " ".join(failed) if len(failed) <= MOST_NAMED else "--all"
        words = said(_failed(remedy, which, missed=finishes[0].missed), attempt, restated=restated)
        log.error("digest.failed", **about, failed=len(failed), ids=failed[:20], **words)
    elif any(each.digest_id for each in finishes):
        detail = "its content was refused: its halves are sent by themselves, to find what is"
        log.warning("digest.split", **about, **said(detail, attempt))
    elif again_at:
        when = again_at.isoformat(timespec="seconds")
        words = said(_postponed(remedy), attempt, restated=restated)
        log.warning("digest.postponed", **about, again_at=when, **words)
    else:
        log.info("digest.sent", **about, seconds=round(attempt.seconds, 3), **said(_ACCEPTED, attempt))


def said(detail: str, attempt: Attempt, *, restated: bool = False) -> dict[str, str]:
    """Return a detail and the server's words, cut to what both may take together, and left out if they are restated."""
    if restated:
        return {"detail": detail}
    return {"detail": detail, "reply": cut(attempt.reply, LONGEST - len(detail))}


def cut(reply: str, most: int) -> str:
    """Return what a server said without whole addresses and as one line, at most this long, and never too short."""
    text, most = " ".join(mask_all(reply).split()), max(most, SHORTEST_REPLY)
    return text if len(text) <= most else f"{text[: most - 1]}…"


_ACCEPTED = "the mail server, the channel's service, or the outbox accepted it"


def _failed(remedy: str | None, which: str, *, missed: bool) -> str:
    """Say what a failure means and what to do. `missed`: only because its channel is away, so that it isn't over."""
    if missed:
        return f"given up for now, sent once the channel works: {remedy}"
    return f"failed for good: {remedy}; then `alertgate retry {which}`"


def _postponed(remedy: str | None) -> str:
    return f"tried again: {remedy}"
