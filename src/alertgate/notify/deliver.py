"""The background loop that hands notifications over: claim, send with no transaction open, record the attempt.

The order is what keeps the promise. A notification is leased first, so that no other process sends it too; it is sent
while no transaction is open; and its attempt is recorded after the send. A crash in between repeats the message, with
the same Message-ID, once the lease has run out, and loses none.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from alertgate.clock import Clock
from alertgate.config import Settings, mask
from alertgate.errors import StoreUnavailable
from alertgate.model import Attempt, ChannelName, Notification, NotificationStatus
from alertgate.notify.channels.base import Channel, Outcome, Permanent, Reason, Sent, Transient
from alertgate.notify.render import Story, render
from alertgate.notify.retry import Again, next_try
from alertgate.store import Connection, alerts, incidents, notifications
from alertgate.store.engine import Store
from alertgate.store.notifications import Finish

LEASE = timedelta(seconds=60)
SEND_TIMEOUT = 45.0
"""Seconds for one send: shorter than the lease, so that it ends while the message is still ours."""
POLL = 1.0
"""Seconds between two looks when nothing wakes the loop: what is due later, and what other replicas left."""
SHOWN_ALERTS = 6

log = structlog.stdlib.get_logger("alertgate.deliver")


@dataclass(frozen=True, slots=True)
class _Claim:
    channel: ChannelName
    limit: int


@dataclass(frozen=True, slots=True)
class _End:
    attempt: Attempt
    finish: Finish


class Deliverer:
    """Hands over what is due, on every channel as many at a time as the channel takes.

    `owner` names this process in leases; `new_id` makes an id for a time; `chance` gives a number from 0 to 1.
    """

    def __init__(
        self,
        store: Store,
        channels: Iterable[Channel],
        settings: Settings,
        clock: Clock,
        *,
        owner: str,
        new_id: Callable[[datetime], str],
        chance: Callable[[], float],
    ) -> None:
        self._store = store
        self._channels: Mapping[ChannelName, Channel] = {channel.name: channel for channel in channels}
        self._settings = settings
        self._clock = clock
        self._owner = owner
        self._new_id = new_id
        self._chance = chance
        self._wake = asyncio.Event()
        self._stopping = False
        self._loop: asyncio.Task[None] | None = None
        self._sending: dict[ChannelName, set[asyncio.Task[None]]] = {name: set() for name in self._channels}
        self.last_round: float | None = None
        """When the loop last came round, by the monotonic clock: what health looks at."""

    async def start(self) -> None:
        """Take back what an earlier run of this process left behind, then start the loop."""
        if self._store.dialect == "sqlite":  # nobody else can hold a lease on this file
            left = await self._store.writer.do(_release_all, self._clock.now())
            if left:
                log.info("took back what was being sent when the service ended", notifications=len(left))
        self._loop = asyncio.create_task(self._run(), name="deliver")

    async def stop(self, timeout: float) -> None:  # noqa: ASYNC109  (a grace period, not a cancellation)
        """Claim nothing more, let what is being sent come to its end, and release the rest."""
        self._stopping = True
        self._wake.set()
        if self._loop:
            await self._loop
        sending = {task for tasks in self._sending.values() for task in tasks}
        if sending:
            _, late = await asyncio.wait(sending, timeout=timeout)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        try:
            await self._store.writer.do(_release_owned, (self._owner, self._clock.now()))
        except StoreUnavailable:
            log.warning("leases couldn't be released; they run out within a minute")
        for channel in self._channels.values():
            await channel.close()

    def wake(self) -> None:
        """Look at once: something became due."""
        self._wake.set()

    async def _run(self) -> None:
        while not self._stopping:
            self.last_round = self._clock.monotonic()
            self._wake.clear()
            try:
                await self._round()
            except StoreUnavailable as error:
                log.error("can't look for messages to send; trying again", error=str(error))  # noqa: TRY400
            except Exception:
                log.exception("the delivery loop stumbled; it goes on")
            try:
                await asyncio.wait_for(self._wake.wait(), POLL)
            except TimeoutError:
                continue

    async def _round(self) -> None:
        """Start to send what is due and fits."""
        expired = await self._store.writer.do(_release_expired, self._clock.now())
        if expired:
            log.warning("took over messages whose sender is gone", notifications=expired)
        for name, channel in self._channels.items():
            free = channel.capacity - len(self._sending[name])
            if free > 0:
                for notification in await self._store.writer.do(self._claim, _Claim(name, free)):
                    task = asyncio.create_task(self._deliver(channel, notification), name=f"send-{notification.id}")
                    self._sending[name].add(task)
                    task.add_done_callback(self._sending[name].discard)

    def _claim(self, connection: Connection, claims: Sequence[_Claim]) -> list[list[Notification]]:
        now = self._clock.now()
        return [
            notifications.claim(
                connection, claim.channel, claim.limit, owner=self._owner, now=now, lease_until=now + LEASE
            )
            for claim in claims
        ]

    async def _deliver(self, channel: Channel, notification: Notification) -> None:
        """Send one message, record what became of it, and make room for the next."""
        started_at, start = self._clock.now(), self._clock.monotonic()
        try:
            outcome = await self._send(channel, notification)
        except StoreUnavailable as error:
            log.error("a message waits, because its incident can't be read", error=str(error))  # noqa: TRY400
            return  # nothing was sent; the lease runs out and it is tried again
        except Exception as error:
            log.exception("a message couldn't be made or sent; this is a defect", notification_id=notification.id)
            outcome = Transient(Reason.INTERNAL, f"{type(error).__name__}: {error}")
        seconds = self._clock.monotonic() - start
        attempt = Attempt(
            self._new_id(started_at), notification.id, started_at, seconds, outcome.word, outcome.reason, outcome.reply
        )
        await self._record(notification, attempt, self._finish(notification, outcome))
        self._wake.set()

    async def _send(self, channel: Channel, notification: Notification) -> Outcome:
        story = await self._store.read(lambda connection: self._story(connection, notification))
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                return await channel.send(render(story))
        except TimeoutError:
            return Transient(Reason.TIMEOUT, f"not handed over within {SEND_TIMEOUT:g} s")

    def _story(self, connection: Connection, notification: Notification) -> Story:
        incident = incidents.get(connection, notification.incident_id)
        latest = alerts.latest(connection, notification.incident_id, SHOWN_ALERTS)
        if incident is None or not latest:
            raise LookupError(f"notification {notification.id} has no incident")
        return Story(
            notification,
            incident,
            tuple(latest),
            self._settings.device_name(incident.device),
            self._settings.zone,
            self._clock.now(),
            self._settings.mail_from.rpartition("@")[2],
        )

    def _finish(self, notification: Notification, outcome: Outcome) -> Finish:
        """Decide what becomes of a notification after this outcome."""
        now = self._clock.now()
        if isinstance(outcome, Sent):
            return Finish(notification.id, self._owner, NotificationStatus.SENT, now)
        if isinstance(outcome, Permanent):
            return Finish(notification.id, self._owner, NotificationStatus.FAILED, now)
        give_up_after = timedelta(seconds=self._settings.give_up_after)
        step = next_try(notification.attempts + 1, notification.created_at, now, give_up_after, self._chance())
        if isinstance(step, Again):
            return Finish(notification.id, self._owner, NotificationStatus.PENDING, now, due_at=step.at)
        return Finish(notification.id, self._owner, NotificationStatus.FAILED, now)

    async def _record(self, notification: Notification, attempt: Attempt, finish: Finish) -> None:
        """Record an attempt, however long the store takes: what was sent and isn't recorded would be sent again."""
        while True:
            try:
                ours = await self._store.writer.do(_record, _End(attempt, finish))
                break
            except StoreUnavailable as error:
                log.error("an attempt can't be recorded; trying again", error=str(error))  # noqa: TRY400
                if self._stopping:
                    return
                await asyncio.sleep(POLL)
        facts = {
            "notification_id": notification.id,
            "incident_id": notification.incident_id,
            "channel": notification.channel,
            "to": mask(notification.address),
            "kind": notification.kind,
            "attempt": notification.attempts + 1,
            "reason": attempt.reason,
            "reply": attempt.reply,
            "seconds": round(attempt.seconds, 3),
        }
        if not ours:
            log.warning("a message outlived its lease; another process may have sent it too", **facts)
        elif finish.status is NotificationStatus.SENT:
            log.info("sent", **facts)
        elif finish.status is NotificationStatus.FAILED:
            log.error("failed for good; this recipient was not told", **facts)
        else:
            log.warning(
                "not sent; it is tried again", again_at=finish.due_at.isoformat() if finish.due_at else None, **facts
            )


def _release_all(connection: Connection, times: Sequence[datetime]) -> list[list[str]]:
    return [notifications.release_all(connection, now) for now in times]


def _release_owned(connection: Connection, items: Sequence[tuple[str, datetime]]) -> list[list[str]]:
    return [notifications.release_owned(connection, owner, now) for owner, now in items]


def _release_expired(connection: Connection, times: Sequence[datetime]) -> list[list[str]]:
    return [notifications.release_expired(connection, now) for now in times]


def _record(connection: Connection, ends: Sequence[_End]) -> list[bool]:
    notifications.add_attempts(connection, [end.attempt for end in ends])
    return [notifications.finish(connection, end.finish) for end in ends]
