"""One notification's hand-over: read its incident, render, send with no transaction open, record the attempts.

The order is what keeps the promise: an attempt is recorded after the send, so a crash in between repeats the message,
with the same Message-ID, and loses none.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
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
from alertgate.notify.batch import snapshots_of
from alertgate.notify.channels.base import SEND_TIMEOUT, Channel, Message, Outcome, Permanent, Reason, Sent, Transient
from alertgate.notify.context import MessageContext, Snapshot
from alertgate.notify.render.message import render
from alertgate.notify.retry import Again, next_try
from alertgate.store import Connection, incidents, notifications
from alertgate.store.engine import Store
from alertgate.store.notifications import Finish

RECORD_AGAIN = 1.0
"""Seconds between two tries to record an attempt."""

_QUEUED = re.compile(
    r"\b(?:queued(?: mail)? (?:as|for delivery as)|queued with id|id=|ok:?\s+id)\s*<?([\w.\-]+)", re.IGNORECASE
)
_GMAIL = re.compile(r"\bOK\s+\d{9,}\s+([\w\-]+(?:\.\d+)?)\s+-\s+gsmtp")

log = structlog.stdlib.get_logger("alertgate.deliver")


@dataclass(frozen=True, slots=True)
class _End:
    attempts: tuple[Attempt, ...]
    finish: Finish


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The attempts at one message, mostly one, and what came of the last."""

    attempts: tuple[Attempt, ...]
    outcome: Outcome


class HandOver:
    """Hands notifications over. `new_id` makes an id for a time; `chance` gives a number from 0 to 1."""

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

    async def read(self, leased: Sequence[Notification]) -> Mapping[str, MessageContext]:
        """Read what leased notifications say, by id; those aren't there whose lease doesn't hold any more."""
        try:
            held = await self._store.read(lambda connection: self._read(connection, leased))
        except StoreUnavailable as error:
            # Nothing was sent; the leases run out, and it is tried again.
            log.error("messages wait, because their incidents can't be read", error=str(error))  # noqa: TRY400
            return {}
        stories = {facts.notification.id: self.story(facts) for facts in held}
        for notification in leased:
            if notification.id not in stories:
                log.warning(
                    "a message was taken over by another process before it was sent", notification_id=notification.id
                )
        return stories

    async def send(self, channel: Channel, story: MessageContext, leased_at: float) -> HandedOver:
        """Try until the lease's time is up; trouble of any kind is an outcome.

        `leased_at` is a time of the event loop's clock from before the lease was looked at.
        """
        deadline = leased_at + SEND_TIMEOUT
        tries = [await self._try(channel, story.notification, partial(render, story), deadline)]
        if tries[-1][1].reason is Reason.TOO_LARGE and render(story).picture:
            smaller = partial(render, story, with_picture=False)
            tries.append(await self._try(channel, story.notification, smaller, deadline))
        return HandedOver(tuple(attempt for attempt, _ in tries), tries[-1][1])

    async def record(self, channel: Channel, story: MessageContext, done: HandedOver) -> None:
        """Record what became of a notification."""
        notification = story.notification
        finish = self._finish(story, done.outcome)
        await self._record(notification, _End(done.attempts, finish))
        if isinstance(done.outcome, Sent):
            told_of = story.latest.received_at if notification.kind is Kind.UPDATE else notification.created_at
            self._metrics.delivered(channel.name, (self._clock.now() - told_of).total_seconds())
        elif finish.status is NotificationStatus.FAILED:
            self._metrics.failed(channel.name)

    async def give_back(self, notification: Notification) -> None:
        """Make a notification pending again that wasn't tried."""
        pending = NotificationStatus.PENDING
        now, due_at = self._clock.now(), notification.due_at
        await self._record(notification, _End((), Finish(notification, pending, now, due_at, tried=False)))

    def story(self, facts: Snapshot) -> MessageContext:
        """Return what a message says, now."""
        return MessageContext(
            facts.notification,
            facts.incident,
            facts.alerts,
            self._settings.device_name(facts.incident.device),
            self._settings.zone,
            self._clock.now(),
            self._settings.mail_from.rpartition("@")[2],
        )

    def _read(self, connection: Connection, leased: Sequence[Notification]) -> list[Snapshot]:
        """Read what messages are about, of those whose leases still hold."""
        ours = notifications.held(connection, leased, self._clock.now())
        held = [notification for notification in leased if notification.id in ours]
        about = incidents.by_id(connection, {notification.incident_id for notification in held})
        return snapshots_of(connection, held, about)

    async def _try(
        self, channel: Channel, notification: Notification, make: Callable[[], Message], deadline: float
    ) -> tuple[Attempt, Outcome]:
        """Send once, until `deadline` by the event loop's clock; trouble of any kind is an outcome."""
        started_at, start = self._clock.now(), self._clock.monotonic()
        outcome: Outcome
        try:
            async with asyncio.timeout_at(deadline):
                outcome = await channel.send(make(), deadline)
        except TimeoutError:
            outcome = Transient(Reason.TIMEOUT, f"not handed over within {SEND_TIMEOUT:g} s")
        except Exception as error:
            log.exception("a message couldn't be made or sent; this is a defect", notification_id=notification.id)
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

    def _finish(self, story: MessageContext, outcome: Outcome) -> Finish:
        """Decide what becomes of a notification after this outcome."""
        notification = story.notification
        now = self._clock.now()
        if isinstance(outcome, Sent):
            return Finish(notification, NotificationStatus.SENT, now)
        if isinstance(outcome, Permanent):
            return Finish(notification, NotificationStatus.FAILED, now)
        patience = timedelta(seconds=self._settings.give_up_after)
        since = max(notification.retry_since, story.incident.last_alert_at)  # it carries the latest alert too
        step = next_try(notification.attempts + 1, since, now, patience, self._chance())
        if isinstance(step, Again):
            return Finish(notification, NotificationStatus.PENDING, now, due_at=step.at)
        return Finish(notification, NotificationStatus.FAILED, now)

    async def _record(self, notification: Notification, end: _End) -> None:
        """Record, however long the store takes: what was sent and isn't recorded would be sent again."""
        while True:
            try:
                ours = await self._store.writer.do(_record, end)
                break
            except StoreUnavailable as error:
                log.error("an attempt can't be recorded; trying again", error=str(error))  # noqa: TRY400
            except Exception:
                log.exception("an attempt can't be recorded; this is a defect; trying again")
            await asyncio.sleep(RECORD_AGAIN)
        _say(notification, end, ours=ours)


def _record(connection: Connection, ends: Sequence[_End]) -> list[bool]:
    """Tell of each end whether the lease was still ours, or the end was recorded before."""
    known = notifications.add_attempts(connection, [attempt for end in ends for attempt in end.attempts])
    ours = notifications.finish(connection, [end.finish for end in ends])
    return [
        finished or not known.isdisjoint(a.id for a in end.attempts) for finished, end in zip(ours, ends, strict=True)
    ]


def _say(notification: Notification, end: _End, *, ours: bool) -> None:
    """Write one line for each attempt."""
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
            log.warning("too large for the server; sent again without its picture", **facts)
        elif not ours:
            log.warning("a message outlived its lease; another process may have sent it too", **facts)
        elif end.finish.status is NotificationStatus.SENT:
            log.info("sent", **facts)
        elif end.finish.status is NotificationStatus.FAILED:
            log.error("failed for good; this recipient was not told", **facts)
        elif end.finish.due_at:
            log.warning("not sent; it is tried again", again_at=end.finish.due_at.isoformat(), **facts)


def queue_id(reply: str) -> str | None:
    """Return the name under which a server says that it has queued a mail, as the common servers write it."""
    match = _GMAIL.search(reply) or _QUEUED.search(reply)
    return match[1] if match else None
