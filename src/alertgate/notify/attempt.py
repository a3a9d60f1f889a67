"""Send one message: render it, send it with no transaction open, then record the attempts.

An attempt is recorded after the send, for each notification that the message carries. A crash in between therefore
sends the message again, with the same Message-ID, but never loses it.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from zoneinfo import ZoneInfo

import structlog

from alertgate.channel_kinds import AS_MAIL
from alertgate.clock import Clock
from alertgate.config import Settings
from alertgate.errors import StoreUnavailable
from alertgate.links import Links
from alertgate.metrics import Metrics
from alertgate.model import Attempt, ChannelName, Kind, Notification, NotificationStatus
from alertgate.notify.channels.advice import restates
from alertgate.notify.channels.base import (
    CHANNEL_WIDE,
    Channel,
    Message,
    Outcome,
    Permanent,
    Reason,
    Sent,
    Transient,
)
from alertgate.notify.channels.hidden import Secrets, without
from alertgate.notify.channels.registry import advice
from alertgate.notify.context import DigestContext, DigestItem, MessageContext, Outgoing, Snapshot
from alertgate.notify.course import Course
from alertgate.notify.delivery_log import log_attempts, log_digest
from alertgate.notify.parts import part_ids
from alertgate.notify.render.message import render
from alertgate.notify.retry import LAST_DELAY, Again, next_attempt, spread
from alertgate.policy.escalations import Escalation
from alertgate.proof import Proof
from alertgate.store import Connection, attempts, leases
from alertgate.store.engine import Store
from alertgate.store.leases import Finish, unattempted

RECORD_AGAIN = 1.0
"""Seconds to wait before retrying to record an attempt."""
RENDERERS = 2
"""Threads that render, as a digest of thousands takes long. asyncio's own may all wait for a resolver that is away."""

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

    def judged(self, outcome: Outcome) -> "Attempted":
        """Return these with another outcome of the last."""
        if outcome is self.outcome:
            return self
        last = replace(self.attempts[-1], outcome=outcome.word, reason=outcome.reason)
        return Attempted((*self.attempts[:-1], last), outcome)


@dataclass(frozen=True, slots=True)
class _End:
    """The end of a lease of all notifications that one message carries."""

    attempts: tuple[Attempt, ...]
    finishes: tuple[Finish, ...]
    outcome: Outcome | None = None
    """That of the last attempt; None without any."""


class Sender:
    """Sends messages.

    `new_id` returns an id for a time, `chance` a random number from 0 to 1, `zone` the time zone of the readers,
    `escalation` that of a name, if the policy has it, and `device_name` the name of a device's id, if it has one.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        clock: Clock,
        metrics: Metrics,
        *,
        new_id: Callable[[datetime], str],
        chance: Callable[[], float],
        zone: Callable[[], ZoneInfo],
        device_name: Callable[[str | None], str | None] = lambda _: None,
        links: Links | None = None,
        escalation: Callable[[str], Escalation | None] = lambda _: None,
    ) -> None:
        self._threads = ThreadPoolExecutor(RENDERERS, thread_name_prefix="render")
        self._links = links
        self._escalation = escalation
        self._store = store
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._new_id = new_id
        self._chance = chance
        self._zone = zone
        self._device_name = device_name

    def context(self, outgoing: Outgoing) -> MessageContext | DigestContext:
        """Return the context for rendering a message that is sent now."""
        now, domain = self._clock.now(), self._settings.mail_from.rpartition("@")[2]
        link = self._links.url(outgoing.first.id) if self._links else None
        names = [self._device_name(snapshot.incident.device) for snapshot in outgoing.snapshots]
        if outgoing.is_digest:
            first = outgoing.first
            items = tuple(
                DigestItem(
                    each.incident, name, each.news, each.earlier, each.silence is not None and each.silence.lasts(now)
                )
                for each, name in zip(outgoing.snapshots, names, strict=True)
            )
            digest_id, zone = first.digest_id or first.id, self._zone()
            return DigestContext(
                digest_id,
                first.channel,
                first.address,
                items,
                zone,
                now,
                domain,
                outgoing.missed_since,
                link,
                was_held=outgoing.was_held,
                notification_id=first.id,
            )
        [one] = outgoing.snapshots
        course = (one.course or Course()).without(one.notification.person)
        return MessageContext(
            one.notification,
            one.incident,
            one.alerts,
            names[0],
            self._zone(),
            now,
            domain,
            one.earlier,
            one.first,
            course,
            link,
            one.silence,
            self._escalation(one.escalation) if one.escalation else None,
            one.first_sent_at,
        )

    async def send(self, channel: Channel, outgoing: Outgoing, deadline: float) -> Attempted:
        """Attempt a message until `deadline` (event loop time). A failure is an outcome, never an exception."""
        context = self.context(outgoing)
        made = [await self._attempt(channel, outgoing, partial(render, context), deadline)]
        if made[-1][1].reason is Reason.TOO_LARGE and render(context).picture:
            smaller = partial(render, context, with_picture=False)
            made.append(await self._attempt(channel, outgoing, smaller, deadline))
        return Attempted(tuple(attempt for attempt, _ in made), made[-1][1])

    async def record(self, channel: Channel, outgoing: Outgoing, attempted: Attempted) -> None:
        """Count and record the attempts, and each notification's new status; retries until the store accepts them."""
        for attempt in attempted.attempts:
            self._metrics.attempted(channel.name, attempt.outcome, attempt.reason)
        # Each probe of a channel that is away carries all that was missed. One of them keeps its attempts.
        is_probe = outgoing.missed_since and attempted.outcome.reason in CHANNEL_WIDE
        others = () if is_probe else outgoing.notifications[1:]
        copies = [self._copy(attempt, each) for each in others for attempt in attempted.attempts]
        finishes = self._finishes(outgoing, attempted.outcome)
        outcome = attempted.outcome
        if isinstance(outcome, Transient) and outcome.is_unanswered:
            unsure, ends = not channel.repeats_safely, zip(outgoing.snapshots, finishes, strict=True)
            finishes = tuple(replace(end, unsure=unsure, told=each.incident.status) for each, end in ends)
        end = _End((*attempted.attempts, *copies), finishes, attempted.outcome)
        await self._record(outgoing, end)
        for snapshot, finish in zip(outgoing.snapshots, end.finishes, strict=True):
            notification, incident = snapshot.notification, snapshot.incident
            if finish.status is NotificationStatus.SENT:
                waited = notification.kind in (Kind.UPDATE, Kind.CHANGES)
                since = incident.last_alert_at if waited else notification.released_at or notification.created_at
                self._metrics.delivered(channel.name, (self._clock.now() - since).total_seconds())
                self._metrics.proved(channel.name, finish.proof or Proof.SENT)
            elif finish.status is NotificationStatus.FAILED and not notification.given_up:
                self._metrics.failed(channel.name)
        if outgoing.is_digest and isinstance(attempted.outcome, Sent):
            self._metrics.digest_sent(channel.name, len(outgoing.snapshots))

    def advise(self, channel: ChannelName, outcome: Outcome) -> str | None:
        """Return what an outcome means and what to do, as a sentence; None if nothing went wrong."""
        return advice(self._settings, channel, outcome)

    async def give_back(self, outgoing: Outgoing) -> None:
        """Give back claimed notifications without an attempt."""
        now = self._clock.now()
        finishes = tuple(unattempted(each, now) for each in outgoing.notifications)
        await self._record(outgoing, _End((), finishes))

    def _copy(self, attempt: Attempt, notification: Notification) -> Attempt:
        """Return an attempt at a digest as that of another one of its members."""
        return replace(attempt, id=self._new_id(attempt.started_at), notification_id=notification.id)

    async def _attempt(
        self, channel: Channel, outgoing: Outgoing, make: Callable[[], Message], deadline: float
    ) -> tuple[Attempt, Outcome]:
        """Make one attempt. A failure is an outcome, never an exception."""
        started_at, start, notification = self._clock.now(), self._clock.monotonic(), outgoing.first
        outcome: Outcome
        try:
            async with asyncio.timeout_at(deadline):
                message = await asyncio.get_running_loop().run_in_executor(self._threads, make)
                outcome = await channel.send(replace(message, repeats_since=outgoing.repeats_since), deadline)
        except TimeoutError:
            words = "not confirmed by the server before the lease's deadline"
            outcome = Transient(Reason.TIMEOUT, words, is_unanswered=True)
        except Exception as error:
            log.exception(
                "notification.defect",
                detail="rendering or sending raised an exception; this is a defect in alertgate",
                notification_id=notification.id,
            )
            outcome = Transient(Reason.INTERNAL, f"{type(error).__name__}: {error}")
        outcome = self._without_link(outcome, notification)
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

    def _without_link(self, outcome: Outcome, notification: Notification) -> Outcome:
        """Return an outcome whose words don't have the message's link: a filter may quote what it refuses."""
        return without(outcome, Secrets([self._links.token(notification.id)]).hide) if self._links else outcome

    def _finishes(self, outgoing: Outgoing, outcome: Outcome) -> tuple[Finish, ...]:
        """Return how the lease ends after this outcome: sent, failed, or pending until the next attempt.

        A digest's members wait for the same time, that of the one that was attempted most often.
        """
        now, leased = self._clock.now(), outgoing.notifications
        if isinstance(outcome, Sent):
            return tuple(_sent(each, outcome, now) for each in outgoing.snapshots)
        if outgoing.is_digest and outcome.of_content:
            return self._halves(outgoing, now)
        if isinstance(outcome, Permanent):
            return tuple(Finish(each, NotificationStatus.FAILED, now) for each in leased)
        give_up_after, chance = timedelta(seconds=self._settings.give_up_after), self._chance()
        attempts, is_away = max(each.attempts for each in leased) + 1, outcome.reason in CHANNEL_WIDE
        finishes = []
        for snapshot in outgoing.snapshots:
            each = snapshot.notification
            # It reports the latest alert too, and the daily limit may have held it back.
            held_until = max(filter(None, (each.retry_since, each.held_until, each.released_at)))
            since = max(held_until, snapshot.incident.last_alert_at)
            # The channel works again, but not yet for this recipient, who is given as much time as any other.
            since = now if each.given_up and not is_away else since
            step = next_attempt(attempts, since, now, give_up_after, chance)
            status = NotificationStatus.PENDING if isinstance(step, Again) else NotificationStatus.FAILED
            # What fails because the channel is away is told once it works; who knows when that is?
            due_at = step.at if isinstance(step, Again) else now + spread(LAST_DELAY, chance)
            due_at = max(due_at, now + (outcome.retry_in or timedelta(0)))
            finishes.append(Finish(each, status, now, due_at, missed=is_away, alone=outcome.reason is Reason.REFUSED))
        return tuple(finishes)

    @staticmethod
    def _halves(outgoing: Outgoing, now: datetime) -> tuple[Finish, ...]:
        """Return the ends of the leases of a digest whose content was refused: its halves go at once, each by itself.

        Only what is refused without any other has failed.
        """
        leased = outgoing.notifications
        parts = part_ids(outgoing.tried.message, [each.id for each in leased])
        return tuple(Finish(each, NotificationStatus.PENDING, now, now, digest_id=parts[each.id]) for each in leased)

    async def _record(self, outgoing: Outgoing, end: _End) -> None:
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
        remedy = self.advise(outgoing.first.channel, end.outcome) if end.outcome else None
        by_mail = outgoing.first.channel in AS_MAIL
        restated = by_mail and end.outcome is not None and restates(self._settings, end.outcome)
        if outgoing.is_digest:
            log_digest(outgoing, end.attempts, end.finishes, remedy, ours=ours, restated=restated)
        else:
            log_attempts(outgoing.first, end.attempts, end.finishes[0], remedy, ours=ours, restated=restated)


def _sent(snapshot: Snapshot, outcome: Sent, now: datetime) -> Finish:
    return Finish(
        snapshot.notification,
        NotificationStatus.SENT,
        now,
        told=snapshot.incident.status,
        receipt=outcome.receipt,
        proof=outcome.proof,
        follow_at=now + outcome.follow_in if outcome.receipt and outcome.follow_in is not None else None,
    )


def _record(connection: Connection, ends: Sequence[_End]) -> list[bool]:
    """Store the ends; return for each whether all of the lease was still ours or the end was already recorded."""
    known = attempts.add(connection, [attempt for end in ends for attempt in end.attempts])
    ours = iter(leases.finish(connection, [finish for end in ends for finish in end.finishes]))
    finished = [all(tuple(islice(ours, len(end.finishes)))) for end in ends]
    return [each or not known.isdisjoint(a.id for a in end.attempts) for each, end in zip(finished, ends, strict=True)]


def queue_id(reply: str) -> str | None:
    """Return the queue id from a server's reply, in the formats of common mail servers, or None."""
    match = _GMAIL.search(reply) or _QUEUED.search(reply)
    return match[1] if match else None
