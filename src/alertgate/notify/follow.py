"""The background job that asks services what became of messages, and tells them when nobody needs to answer any more.

Replicas share it: each keeps what it asks about for a minute.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from alertgate.channel_kinds import RINGING
from alertgate.clock import Clock
from alertgate.metrics import Metrics
from alertgate.model import (
    Attempt,
    ChannelName,
    IncidentStatus,
    Kind,
    Notification,
    NotificationStatus,
    Resolution,
)
from alertgate.notify.attempt import Sender
from alertgate.notify.channels.base import (
    CHANNEL_WIDE,
    Channel,
    Followed,
    Follower,
    Learned,
    Permanent,
    Sent,
    Transient,
)
from alertgate.notify.claim import with_contents
from alertgate.notify.context import DigestContext, MessageContext
from alertgate.notify.mute import is_silenced
from alertgate.notify.render.message import render
from alertgate.proof import Proof
from alertgate.states import NOT_BY_ITSELF
from alertgate.store import Connection, attempts, follow, incidents, leases, notifications, upkeep
from alertgate.store.engine import Store
from alertgate.store.follow import Due

MOST = 50
"""Messages that are asked about in one round."""
WITHIN = 30.0
"""Seconds to ask or tell a service; less than the time for which a process keeps what it asks about."""
SETTLE_AGAIN = timedelta(minutes=1)
SETTLED_WITHIN = timedelta(hours=6)
"""For how long after it was sent a service is told again and again how a message's incident ended."""
SETTLES_FOR = timedelta(days=2)
"""For how long after it was sent a service hears how a message's incident ended, though it isn't asked any more."""
SENT_AGAIN_AFTER = timedelta(minutes=1)
MOST_TRIES = 3
"""How often a message is sent that its service took, and that didn't arrive for a while."""

log = structlog.stdlib.get_logger("alertgate.follow")

Acknowledge = Callable[[Notification, str | None, datetime], Awaitable[None]]
"""Acknowledges the incident of a message whose service says that somebody has answered it, and who."""


class FollowJob:
    """Asks and tells again and again. `owner` identifies this process; `new_id` returns an id for a time.

    `device_name` returns the name of a device's id, if it has one, by which a silence may know it.
    """

    def __init__(
        self,
        store: Store,
        channels: Iterable[Channel],
        sender: Sender,
        acknowledge: Acknowledge,
        clock: Clock,
        metrics: Metrics,
        *,
        owner: str,
        new_id: Callable[[datetime], str],
        wake: Callable[[], None],
        device_name: Callable[[str | None], str | None] = lambda _: None,
    ) -> None:
        self._device_name = device_name
        self._store = store
        self._followers: dict[ChannelName, Follower] = {
            channel.name: channel for channel in channels if isinstance(channel, Follower)
        }
        self._settling = [name for name, each in self._followers.items() if each.settles]
        self._sender = sender
        self._acknowledge = acknowledge
        self._clock = clock
        self._metrics = metrics
        self._owner = owner
        self._new_id = new_id
        self._wake = wake

    async def run(self) -> None:
        """Ask and tell all that is due. Raises StoreError."""
        if not self._followers:
            return
        now = self._clock.now()
        look = partial(follow.due, now=now, most=MOST, channels=list(self._followers), settling=self._settling)
        found = await self._store.read(look)
        if not found:
            return
        taken = await self._store.write(partial(follow.take, found=found, owner=self._owner, now=now))
        by_message: dict[tuple[ChannelName, str, str], list[Due]] = {}
        for each in taken:
            one = each.notification
            by_message.setdefault((one.channel, one.address, one.receipt or one.id), []).append(each)
        await asyncio.gather(*(self._follow(members) for members in by_message.values()))

    async def _follow(self, members: Sequence[Due]) -> None:
        """Ask or tell about one message."""
        told = [each.notification for each in members]
        follower = self._followers[told[0].channel]
        if follower.settles and (all(each.is_ended for each in members) or await self._is_silenced(told)):
            await self._settle(follower, told)
        elif all(each.is_replaced for each in members):
            await self._end_replaced(follower, told)
        elif told[0].channel in follow.EDITED and all(each.is_open_again for each in members):
            await self._settle(follower, told, Kind.REOPENING)
        else:
            deadline = asyncio.get_running_loop().time() + WITHIN
            await self.learn(told, await follower.ask(_followed(told[0]), deadline))

    async def _is_silenced(self, told: Sequence[Notification]) -> bool:
        """Return whether a message rings of what is silenced by now: nobody is to hear of that meanwhile."""
        if told[0].channel not in RINGING:
            return False
        return await self._store.read(partial(self._all_silenced, told=told, now=self._clock.now()))

    def _all_silenced(self, connection: Connection, told: Sequence[Notification], now: datetime) -> bool:
        about = incidents.by_id(connection, {each.incident_id for each in told}).values()
        return all(is_silenced(connection, each, self._device_name, now) for each in about)

    async def _end_replaced(self, follower: Follower, told: Sequence[Notification]) -> None:
        """End what rings, as a later message rings in its place; hear whether somebody answered it just before."""
        await self._settle(follower, told)
        learned = await follower.ask(_followed(told[0]), asyncio.get_running_loop().time() + WITHIN)
        if learned.proof is Proof.ACKNOWLEDGED:
            await self.learn(told, learned)

    async def _settle(
        self, follower: Follower, told: Sequence[Notification], kind: Kind = Kind.ACKNOWLEDGEMENT
    ) -> None:
        """Tell a service that nobody needs to answer a message, or, with `REOPENING`, that its incident is open again.

        What is open again is told once more when somebody has it, or it is over.
        """
        [outgoing] = await self._store.read(lambda connection: with_contents(connection, [told]))
        message = render(_settled(self._sender.context(outgoing), kind, _sent_at(told[0])), with_picture=False)
        deadline = asyncio.get_running_loop().time() + WITHIN
        outcome = await follower.settle(_followed(told[0]), message, deadline)
        if isinstance(outcome, Transient) and self._clock.now() - _sent_at(told[0]) < SETTLED_WITHIN:
            await self._again(told, self._clock.now() + SETTLE_AGAIN, not_before=True)
            return
        if not isinstance(outcome, Sent):
            log.warning(
                "notification.unsettled",
                detail="its service can't be told that nobody needs to answer any more; it may go on ringing",
                notification_id=told[0].id,
                channel=told[0].channel,
                reason=outcome.reason,
                reply=outcome.reply,
            )
        is_open = kind is Kind.REOPENING
        await self._again(told, self._next(told[0], Learned(), self._clock.now()) if is_open else None)

    async def learn(self, told: Sequence[Notification], learned: Learned) -> None:
        """Record what a service says of a message: these are all that it carries. Also for what it says unasked."""
        now = self._clock.now()
        if learned.proof:
            raised = await self._store.write(partial(self._prove, told=told, learned=learned, now=now))
            for each in raised:
                self._metrics.proved(each.channel, learned.proof)
                log.info(
                    "notification.proved",
                    detail="its service says so",
                    notification_id=each.id,
                    channel=each.channel,
                    proof=learned.proof,
                    by=learned.by,
                )
            if raised:
                self._wake()
            if learned.proof is Proof.ACKNOWLEDGED:
                for each in told:
                    await self._acknowledge(each, learned.by, now)
        if learned.failure:
            failed = await self._store.write(partial(self._fail, told=told, failure=learned.failure, now=now))
            self._metrics.attempted(told[0].channel, learned.failure.word, learned.failure.reason)
            for each in failed:
                self._metrics.failed(each.channel)
            self._wake()
            log.warning(
                "notification.not_arrived",
                detail="its service took it, and says now that it didn't arrive",
                notification_id=told[0].id,
                channel=told[0].channel,
                reason=learned.failure.reason,
                reply=learned.failure.reply,
            )
            return
        await self._again(told, self._next(told[0], learned, now))

    async def ask_now(self, told: Sequence[Notification]) -> None:
        """Have a service asked what became of a message, as what it said unasked leaves that open."""
        await self._again(told, self._clock.now())

    def _next(self, told: Notification, learned: Learned, now: datetime) -> datetime | None:
        """Return when to ask again; a service that is told of an incident's end is followed until that is too late."""
        if learned.again_in is not None:
            return now + learned.again_in
        until = _sent_at(told) + SETTLES_FOR
        return until if told.channel in self._settling and now < until else None

    @staticmethod
    def _prove(
        connection: Connection, told: Sequence[Notification], learned: Learned, now: datetime
    ) -> list[Notification]:
        """Raise the proof of these; what arrives shows that what its contact missed would arrive by now, too."""
        proof = learned.proof or Proof.SENT
        raised = follow.prove(connection, told, proof, learned.at or now, learned.by)
        if raised and proof.rank >= Proof.DELIVERED.rank:
            upkeep.tell_missed(connection, told[0].channel, told[0].address, now)
        return raised

    def _fail(
        self, connection: Connection, told: Sequence[Notification], failure: Transient | Permanent, now: datetime
    ) -> list[Notification]:
        """Make what didn't arrive pending once more, or failed, unless it is needless; return what failed."""
        failed = []
        for each in told:
            current = notifications.get(connection, each.id)
            if current is None or current.status is not NotificationStatus.SENT or current.receipt != each.receipt:
                continue  # it was sent once more already
            attempts.add(connection, [self._attempt(current, failure, now)])
            after = self._after(connection, current, failure, now)
            follow.not_arrived(connection, current, after, now)
            failed += [after] if after.status is NotificationStatus.FAILED else []
        return failed

    def _after(
        self, connection: Connection, current: Notification, failure: Transient | Permanent, now: datetime
    ) -> Notification:
        ended = replace(current, finished_at=now, proof=None, proved_at=None, proved_by=None, follow_at=None)
        ended = replace(ended, follow_owner=None, missed_since=None)  # no outage is what it waits for
        if reason := self._needless(connection, current):
            return replace(ended, status=NotificationStatus.CANCELLED, reason=reason)
        # Attempts that its service never took rang nowhere. Those from before it was retried manually don't count.
        tries = min(current.attempts, attempts.number_taken(connection, current.id))
        if isinstance(failure, Transient) and tries < MOST_TRIES:
            due_at = now + max(SENT_AGAIN_AFTER, failure.retry_in or timedelta(0))
            return replace(ended, status=NotificationStatus.PENDING, due_at=due_at, finished_at=None, receipt=None)
        if failure.reason in CHANNEL_WIDE:  # it is about us, and so an outage, though its service takes what is sent
            since = current.missed_since or current.due_at
            return replace(ended, status=NotificationStatus.FAILED, missed_since=since, due_at=NOT_BY_ITSELF)
        return replace(ended, status=NotificationStatus.FAILED)

    @staticmethod
    def _needless(connection: Connection, current: Notification) -> str | None:
        """Return why nobody misses a message that didn't arrive, as a sentence; None if somebody does."""
        if reason := leases.needless(connection, current):
            return reason
        incident = incidents.get(connection, current.incident_id)
        is_over = (
            incident and incident.status is IncidentStatus.RESOLVED and current.told is not IncidentStatus.RESOLVED
        )
        if incident and is_over and incident.resolution is not Resolution.SILENCE:  # of which nobody is told
            return "it is over, and another message says so"
        later = follow.newest_to(connection, current.channel, current.address, _sent_at(current))
        said = next((each for each in later if each.incident_id == current.incident_id and each.id > current.id), None)
        return f"{said.id}, which was sent since, says how it stands" if said else None

    def _attempt(self, current: Notification, failure: Transient | Permanent, now: datetime) -> Attempt:
        return Attempt(
            id=self._new_id(now),
            notification_id=current.id,
            started_at=_sent_at(current),
            seconds=(now - _sent_at(current)).total_seconds(),
            outcome=failure.word,
            reason=failure.reason,
            reply=failure.reply,
        )

    async def _again(self, told: Sequence[Notification], at: datetime | None, *, not_before: bool = False) -> None:
        def again(connection: Connection) -> None:
            for each in told:
                follow.again(connection, each, at, not_before=not_before)

        await self._store.write(again)


def _followed(told: Notification) -> Followed:
    return Followed(told.address, told.receipt or "", _sent_at(told), told.id, told.proof)


def _settled(context: MessageContext | DigestContext, kind: Kind, sent_at: datetime) -> MessageContext | DigestContext:
    """Return what is to be said of a message that nobody needs to answer: how its incident stands by now.

    It is as late as it was when it was sent.
    """
    if isinstance(context, DigestContext):
        return context
    return replace(context, notification=replace(context.notification, kind=kind), now=sent_at)


def _sent_at(told: Notification) -> datetime:
    return told.finished_at or told.claimed_at or told.created_at
