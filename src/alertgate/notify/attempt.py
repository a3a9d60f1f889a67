"""Send one notification: render it, send it with no transaction open, then record the attempts.

An attempt is recorded after the send. A crash in between therefore sends the notification again, with the same
Message-ID, but never loses it.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from alertgate.addresses import mask, mask_all
from alertgate.clock import Clock
from alertgate.config import Settings
from alertgate.errors import StoreUnavailable
from alertgate.metrics import Metrics
from alertgate.model import Attempt, Kind, Notification, NotificationStatus
from alertgate.notify.channels.base import Channel, Message, Outcome, Permanent, Reason, Sent, Transient
from alertgate.notify.context import MessageContext, Snapshot
from alertgate.notify.render.message import render
from alertgate.notify.retry import Again, next_attempt
from alertgate.store import Connection, attempts, leases
from alertgate.store.engine import Store
from alertgate.store.leases import Finish

RECORD_AGAIN = 1.0
"""Seconds to wait before retrying to record an attempt."""

_QUEUED = re.compile(
    r"\b(?:queued(?: mail)? (?:as|for delivery as)|queued with id|id=|ok:?\s+id)\s*<?([\w.\-]+)", re.IGNORECASE
)
_GMAIL = re.compile(r"\bOK\s+\d{9,}\s+([\w\-]+(?:\.\d+)?)\s+-\s+gsmtp")

log = structlog.stdlib.get_logger("alertgate.deliver")


@dataclass(frozen=True, slots=True)
class Attempted:
    """The attempts under one lease, nearly always one, and the outcome of the last."""

    attempts: tuple[Attempt, ...]
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class _End:
    attempts: tuple[Attempt, ...]
    finish: Finish


class Sender:
    """Sends notifications. `new_id` returns an id for a time; `chance` returns a random number from 0 to 1."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        clock: Clock,
        metrics: Metrics,
        *,
        new_id: Callable[[datetime], str],
        chance: Callable[[], float],
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._new_id = new_id
        self._chance = chance

    def context(self, snapshot: Snapshot) -> MessageContext:
        """Return the context for rendering a notification that is sent now."""
        return MessageContext(
            snapshot.notification,
            snapshot.incident,
            snapshot.alerts,
            self._settings.device_name(snapshot.incident.device),
            self._settings.zone,
            self._clock.now(),
            self._settings.mail_from.rpartition("@")[2],
        )

    async def send(self, channel: Channel, context: MessageContext, deadline: float) -> Attempted:
        """Attempt a notification until `deadline` (event loop time). A failure is an outcome, never an exception."""
        made = [await self._attempt(channel, context.notification, partial(render, context), deadline)]
        if made[-1][1].reason is Reason.TOO_LARGE and render(context).picture:
            smaller = partial(render, context, with_picture=False)
            made.append(await self._attempt(channel, context.notification, smaller, deadline))
        return Attempted(tuple(attempt for attempt, _ in made), made[-1][1])

    async def record(self, channel: Channel, context: MessageContext, attempted: Attempted) -> None:
        """Record the attempts and the notification's new status; retries until the store accepts them."""
        notification = context.notification
        finish = self._finish(context, attempted.outcome)
        await self._record(notification, _End(attempted.attempts, finish))
        if isinstance(attempted.outcome, Sent):
            waited = notification.kind in (Kind.UPDATE, Kind.CHANGES)
            since = context.latest.received_at if waited else notification.created_at
            self._metrics.delivered(channel.name, (self._clock.now() - since).total_seconds())
        elif finish.status is NotificationStatus.FAILED:
            self._metrics.failed(channel.name)

    async def give_back(self, notification: Notification) -> None:
        """Return a claimed but unattempted notification to pending."""
        pending, due_at = NotificationStatus.PENDING, notification.due_at
        finish = Finish(notification, pending, self._clock.now(), due_at, attempted=False)
        await self._record(notification, _End((), finish))

    async def _attempt(
        self, channel: Channel, notification: Notification, make: Callable[[], Message], deadline: float
    ) -> tuple[Attempt, Outcome]:
        """Make one attempt. A failure is an outcome, never an exception."""
        started_at, start = self._clock.now(), self._clock.monotonic()
        outcome: Outcome
        try:
            async with asyncio.timeout_at(deadline):
                outcome = await channel.send(make(), deadline)
        except TimeoutError:
            outcome = Transient(Reason.TIMEOUT, "not confirmed by the server before the lease's deadline")
        except Exception as error:
            log.exception(
                "notification.defect",
                detail="rendering or sending raised an exception; this is a defect in alertgate",
                notification_id=notification.id,
            )
            outcome = Transient(Reason.INTERNAL, f"{type(error).__name__}: {error}")
        self._metrics.attempted(channel.name, outcome.word, outcome.reason)
        attempt = Attempt(
            id=self._new_id(started_at),
            notification_id=notification.id,
            started_at=started_at,
            seconds=self._clock.monotonic() - start,
            outcome=outcome.word,
            reason=outcome.reason,
            reply=outcome.reply,
            queue_id=queue_id(outcome.reply) if isinstance(outcome, Sent) else None,
        )
        return attempt, outcome

    def _finish(self, context: MessageContext, outcome: Outcome) -> Finish:
        """Return how the lease ends after this outcome: sent, failed, or pending until the next attempt."""
        notification = context.notification
        now = self._clock.now()
        if isinstance(outcome, Sent):
            return Finish(notification, NotificationStatus.SENT, now, told=context.incident.status)
        if isinstance(outcome, Permanent):
            return Finish(notification, NotificationStatus.FAILED, now)
        give_up_after = timedelta(seconds=self._settings.give_up_after)
        since = max(notification.retry_since, context.incident.last_alert_at)  # it reports the latest alert too
        step = next_attempt(notification.attempts + 1, since, now, give_up_after, self._chance())
        if isinstance(step, Again):
            return Finish(notification, NotificationStatus.PENDING, now, due_at=step.at)
        return Finish(notification, NotificationStatus.FAILED, now)

    async def _record(self, notification: Notification, end: _End) -> None:
        """Retry until the store accepts it: a sent notification that isn't recorded would be sent again."""
        while True:
            try:
                ours = await self._store.write_batch(_record, end)
                break
            except StoreUnavailable as error:
                log.error("attempt.unrecorded", detail="an attempt can't be recorded; retrying", error=str(error))  # noqa: TRY400
            except Exception:
                log.exception(
                    "attempt.unrecorded",
                    detail="an attempt can't be recorded; this is a defect in alertgate; retrying",
                )
            await asyncio.sleep(RECORD_AGAIN)
        _log_end(notification, end, ours=ours)


def _record(connection: Connection, ends: Sequence[_End]) -> list[bool]:
    """Store the ends; return for each whether the lease was still ours or the end was already recorded."""
    known = attempts.add(connection, [attempt for end in ends for attempt in end.attempts])
    ours = leases.finish(connection, [end.finish for end in ends])
    return [
        finished or not known.isdisjoint(a.id for a in end.attempts) for finished, end in zip(ours, ends, strict=True)
    ]


def _log_end(notification: Notification, end: _End, *, ours: bool) -> None:
    """Log one line for each attempt."""
    for number, attempt in enumerate(end.attempts, start=notification.attempts + 1):
        facts = {
            "notification_id": notification.id,
            "incident_id": notification.incident_id,
            "channel": notification.channel,
            "to": mask(notification.address),
            "kind": notification.kind,
            "attempt": number,
            "reason": attempt.reason,
            "reply": mask_all(attempt.reply),
            "seconds": round(attempt.seconds, 3),
        }
        if attempt is not end.attempts[-1]:
            log.warning("attempt.too_large", detail="too large for the server; resent without its picture", **facts)
        elif not ours:
            log.warning(
                "notification.lease_lost", detail="its lease expired; another process may have sent it too", **facts
            )
        elif end.finish.status is NotificationStatus.SENT:
            log.info("notification.sent", detail="the mail server, or the outbox, accepted it", **facts)
        elif end.finish.status is NotificationStatus.FAILED:
            log.error("notification.failed", detail="failed for good; this recipient was not told", **facts)
        elif end.finish.due_at:
            again_at = end.finish.due_at.isoformat()
            log.warning("notification.postponed", detail="not sent; it is tried again", again_at=again_at, **facts)


def queue_id(reply: str) -> str | None:
    """Return the queue id from a server's reply, in the formats of common mail servers, or None."""
    match = _GMAIL.search(reply) or _QUEUED.search(reply)
    return match[1] if match else None
