"""The periodic jobs that keep pending notifications moving, one method for each."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import partial

import structlog

from alertgate.addresses import mask
from alertgate.clock import Clock
from alertgate.config import Settings
from alertgate.metrics import Metrics
from alertgate.model import ChannelName, Notification
from alertgate.notify import set_back
from alertgate.notify.breaker import ChannelState
from alertgate.notify.budget import PERIOD, Budget, DailyLimit, Usage, budget, daily_limits, holds_back, limit_of
from alertgate.notify.directory import Directory
from alertgate.notify.hasten import hasten
from alertgate.notify.plan import LONGEST_WAIT
from alertgate.notify.retry import DELAYS, LAST_DELAY, spread
from alertgate.store import Connection, claims, leases, upkeep
from alertgate.store.engine import Store
from alertgate.store.leases import CLOCK_SKEW

EVERY = 5.0
"""Seconds between runs."""
HELD_EVERY = timedelta(minutes=1)
"""How often it is noted on a notification that the daily limit holds it back."""

log = structlog.stdlib.get_logger("alertgate.deliver")


class NotificationUpkeep:
    """Runs the jobs, at most once every EVERY seconds. `channels` are in use; `owner` is this process in leases.

    On the channels in `unsure` a message that is sent again isn't recognised as the same.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        clock: Clock,
        metrics: Metrics,
        *,
        channels: Collection[ChannelName],
        directory: Directory,
        owner: str,
        unsure: Collection[ChannelName] = (),
    ) -> None:
        self._unsure = frozenset(unsure)
        self._store = store
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._channels = frozenset(channels)
        self._directory = directory
        self._owner = owner
        self._last_run = float("-inf")
        self._limits = daily_limits(settings)
        self.budgets = {each.account: Budget.PLENTY for each in self._limits}
        """How much of each account's daily limit is used."""
        self.usage: dict[str, Usage] = {}
        """How many messages that is; of no account before the first measurement."""

    async def run_if_due(self, here: frozenset[str], states: Mapping[ChannelName, ChannelState]) -> None:
        """Run all jobs if they are due.

        `here` are the ids of the notifications in this process; `states` are those of its channels. Raises
        StoreUnavailable.
        """
        moment = self._clock.monotonic()
        if moment - self._last_run >= EVERY:
            self._last_run = moment
            await self.run(here, states)

    async def run(self, here: frozenset[str], states: Mapping[ChannelName, ChannelState]) -> None:
        """Run all jobs. Raises StoreUnavailable."""
        await self.release_expired(here)
        await self.clamp_due_times()
        for each in self._limits:
            await self.measure_budget(each)
        away = {name: each for name, each in states.items() if not (each.up or each.in_doubt)}
        await self.note_missed({name: each.paused_at for name, each in away.items() if each.paused_at})
        await self.hasten(away, states)
        await self.give_up()
        await self.leave_outbox()
        await self.reassign_orphaned()

    async def release_expired(self, here: frozenset[str]) -> None:
        """Release stale leases, so that notifications of dead processes are pending again."""

        def release(connection: Connection) -> list[str]:
            now = self._clock.now()  # as in `_clamp`
            return leases.release_expired(connection, now, here, self._owner, self._unsure)

        if expired := await self._store.write(release):
            log.warning("notifications.released", detail="their lease was stale", number=len(expired), ids=expired[:20])

    async def clamp_due_times(self) -> None:
        """Bring forward what is due later than any wait allows, because the clock was set back."""
        if number := await self._store.write(self._clamp):
            log.warning(
                "notifications.clamped",
                detail="they were due later than any wait allows, and are brought forward; was the clock set back?",
                number=number,
            )
        if number := await self._store.write(
            lambda connection: set_back.count_from_now(connection, self._clock.now())  # as in `_clamp`
        ):
            log.warning(
                "escalations.clamped",
                detail="what they wait for counts from now, because it lies further away; was the clock set back?",
                number=number,
            )

    def _clamp(self, connection: Connection) -> int:
        now = self._clock.now()  # not before the transaction: what was written while it waited isn't from the future
        interval = self._settings.grouping.interval
        latest = [now + wait for wait in (interval, *(spread(delay, 1.0) for delay in (*DELAYS, LAST_DELAY)))]
        update = now + max(interval, LONGEST_WAIT)
        people = self._directory.policy.people.values()
        longest = max((contact.after for person in people for contact in person.contacts), default=timedelta(0))
        return upkeep.clamp_due_times(connection, latest, update, now + longest + CLOCK_SKEW, now)

    async def hasten(
        self, away: Mapping[ChannelName, ChannelState], states: Mapping[ChannelName, ChannelState]
    ) -> None:
        """Have a person's next contact told at once, where nothing reaches them by the first ones."""
        now = self._clock.now()

        def is_kept(each: Notification) -> bool:
            """Return whether it isn't even tried: its contact waits for a probe, or a daily limit holds it back."""
            state = states.get(each.channel)
            level = self.budgets.get(limit_of(each.channel, self._limits).account, Budget.PLENTY)
            return holds_back(level, each.severity) or (state is not None and not state.admits(each.address))

        told = await self._store.read(partial(upkeep.beside_delayed, now=now))
        which = [(each.notification.id, each.because) for each in hasten(told, away, is_kept, now)]
        if which and (number := await self._store.write(partial(upkeep.hasten, which=which, now=now))):
            log.warning(
                "notifications.hastened",
                detail="their people's first contacts can't be reached, so the next ones don't wait",
                number=number,
                ids=[notification_id for notification_id, _ in which[:20]],
            )

    async def note_missed(self, away: Mapping[ChannelName, datetime]) -> None:
        """Note on what is due that its channel is away, and since when, for the digest once it works again."""
        now = self._clock.now()
        for channel, since in away.items():
            await self._store.write(partial(upkeep.note_missed, channel=channel, paused_at=since, now=now))

    async def give_up(self) -> None:
        """Fail notifications that have been retried for GIVE_UP_AFTER."""
        now = self._clock.now()
        since = now - timedelta(seconds=self._settings.give_up_after)
        for failed in await self._store.write(lambda connection: upkeep.give_up(connection, since, now)):
            self._metrics.failed(failed.channel)
            log.error(
                "notification.failed",
                detail="given up on after GIVE_UP_AFTER: this recipient is told once the channel works; to try now, "
                f"`alertgate retry {failed.id}`",
                notification_id=failed.id,
                incident_id=failed.incident_id,
                channel=failed.channel,
                to=mask(failed.address),
                reason="gave_up",
            )

    async def leave_outbox(self) -> None:
        """End what waits in the outbox for nobody, once a mail server is set."""
        if ChannelName.OUTBOX in self._channels:
            return
        now, reachable = self._clock.now(), [address for _, address in self._directory.targets]
        if number := await self._store.write(lambda connection: upkeep.leave_outbox(connection, reachable, now)):
            log.info(
                "outbox.left",
                detail="unsent notifications for the outbox were ended, because a mail server is set; no person was "
                "to get them",
                number=number,
            )

    async def reassign_orphaned(self) -> None:
        """Move notifications from channels no longer configured to those that reach their addresses now."""
        now, reachable = self._clock.now(), self._directory.targets
        moved, failed = await self._store.write(
            lambda connection: upkeep.reassign_orphaned(connection, self._channels, reachable, now)
        )
        if moved:
            log.info(
                "notifications.reassigned",
                detail="moved to another channel, because theirs is no longer configured",
                number=len(moved),
            )
        if failed:
            log.error(
                "notifications.failed",
                detail="failed for good: nothing that is set up reaches their recipients; tell them yourself, then run "
                "`alertgate dismiss ID`, or put the address or its channel back and run `alertgate retry ID`",
                number=len(failed),
                ids=failed[:20],
            )

    async def measure_budget(self, shared: DailyLimit) -> None:
        """Count what an account sent in the last 24 hours, log when the level changes, and note what waits."""
        account, limit = shared.account, shared.limit
        if not limit or self._channels.isdisjoint(shared.channels):
            self.usage[account] = Usage(0, 0)
            return
        now = self._clock.now()
        sent = await self._store.read(lambda connection: claims.messages_sent(connection, shared.channels, now, PERIOD))
        self.usage[account] = Usage(sent, limit)
        self._metrics.daily_limit_used(account, sent / limit)
        level = budget(sent, limit)
        if level is not self.budgets[account]:
            detail = _LEVELS[level].format(**shared._asdict())
            log.warning(EVENTS[account], detail=detail, used=sent, limit=limit, budget=level)
        self.budgets[account] = level
        if level in {Budget.RESERVE, Budget.EXHAUSTED}:
            critical = level is Budget.EXHAUSTED
            await self._store.write(
                lambda connection: upkeep.hold(connection, shared.channels, now, critical=critical, every=HELD_EVERY)
            )


EVENTS = {"mail": "mail.daily_limit", "twilio": "twilio.daily_limit"}
_LEVELS = {
    Budget.PLENTY: "what was sent is well below {setting} again",
    Budget.LOW: "{setting} is near: what isn't critical goes out as digests",
    Budget.RESERVE: "{setting} is close: only critical notifications go out, others wait",
    Budget.EXHAUSTED: "{setting} is reached: {stops} goes out until there is room again",
}
