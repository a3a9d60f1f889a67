"""Watch the devices, every few seconds: one replica does, by a lease in the store, and another takes over from it."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

import structlog

from alertgate.accept.device_turn import Told, Turn
from alertgate.accept.device_watch import GAP, Expectations, Listening
from alertgate.clock import Clock
from alertgate.errors import StoreError
from alertgate.metrics import Metrics
from alertgate.model import Source
from alertgate.notify.directory import Directory
from alertgate.notify.render.text import one_line
from alertgate.policy.device_names import NONE
from alertgate.policy.policy import Policy
from alertgate.store.engine import Store

EVERY = 5.0
"""Seconds between two looks."""
EXPECT_EVERY = 86400.0
"""Seconds after which all devices are compared with the policy, though it didn't change: names may have."""

log = structlog.stdlib.get_logger("alertgate.watch")


class DeviceWatch:
    """Takes its turn where no other replica does. `wake` is called when a notification has become due.

    `names` are those of DEVICES: who has one is expected to speak, though it may never have.
    """

    def __init__(
        self,
        store: Store,
        turn: Turn,
        directory: Directory,
        clock: Clock,
        *,
        metrics: Metrics,
        wake: Callable[[], None],
        names: Mapping[str, str] = NONE,
    ) -> None:
        self._store = store
        self._turn = turn
        self._directory = directory
        self._clock = clock
        self._metrics = metrics
        self._wake = wake
        self._names = names
        self._expected: tuple[Policy, float] | None = None
        """By which policy the devices were compared last, and when, in monotonic seconds."""
        self._expectations = Expectations(())
        self._looked_at: datetime | None = None
        """When it last looked, and the store worked."""
        self._listens_since = clock.now()
        """Since when that goes on without a gap: what devices say is accepted since then."""
        self._moment = clock.monotonic()
        """When it last looked, or began, in monotonic seconds."""

    async def run(self) -> None:
        """Decide about the devices that are due; nothing while no policy can be read. Raises StoreUnavailable."""
        now, moment = self._clock.now(), self._clock.monotonic()
        await self._run(self._listening(now), now)
        self._looked_at, self._moment = now, moment

    async def close(self) -> None:
        """Note until when this process accepts, and leave the watch to another one at once, if the store works."""
        now = self._clock.now()
        with suppress(StoreError):
            await self._change(partial(self._turn.stand_still, listening=self._listening(now), now=now))

    def _listening(self, now: datetime) -> Listening:
        """Return since when this process accepts, and for how long it has run since it last looked."""
        if self._looked_at is None or abs(now - self._looked_at) > GAP:
            self._listens_since = now
        return Listening(self._listens_since, timedelta(seconds=self._clock.monotonic() - self._moment))

    async def _run(self, listening: Listening, now: datetime) -> None:
        if self._directory.policy.stands_in:
            self._expected = None
            await self._change(partial(self._turn.stand_still, listening=listening, now=now))
            return
        to_compare = self._is_to_compare()
        needed = await self._store.read(lambda connection: self._turn.needed(connection, now))
        if not needed and not (to_compare and await self._store.read(lambda c: self._turn.is_mine(c, now))):
            return
        told = await self._store.write(partial(self._turn.begin, listening=listening, now=now))
        if told is None:
            self._expected = None  # another replica watches; whatever it expects, it is compared anew after it
            return
        self._after(told)
        if to_compare:
            await self._expect()
        await self._look()

    def _is_to_compare(self) -> bool:
        policy, moment = self._directory.policy, self._clock.monotonic()
        expected = self._expected
        return expected is None or expected[0] is not policy or moment - expected[1] >= EXPECT_EVERY

    async def _expect(self) -> None:
        """Compare all devices with what the policy says of them."""
        policy, moment = self._directory.policy, self._clock.monotonic()
        self._expectations = Expectations(policy.devices, self._names)
        now, after = self._clock.now(), ""
        await self._change(partial(self._turn.expect, expectations=self._expectations, changed=[], now=now))
        while True:
            unlike = partial(self._turn.unlike, expectations=self._expectations, after=after, now=now)
            changed, last = await self._store.read(unlike)
            if changed:
                await self._change(
                    partial(self._turn.expect, expectations=self._expectations, changed=changed, now=now)
                )
            if last is None:
                break
            after = last
        self._expected = policy, moment

    async def _look(self) -> None:
        now, expectations = self._clock.now(), self._expectations
        after: str | None = ""
        while after is not None:
            told, after = await self._store.write(
                partial(self._turn.look, expectations=expectations, after=after, now=now)
            )
            self._after(told)
        await self._change(partial(self._turn.tell, expectations=expectations, now=now))

    async def _change(self, act: Callable[..., Told]) -> None:
        self._after(await self._store.write(act))

    def _after(self, told: Told) -> None:
        """Log what was told, and have it sent."""
        if told.due:
            self._wake()
        for alert in told.alerts:
            if alert.source is Source.ALERTGATE:
                self._metrics.own_alert_recorded()
            log.warning(
                "watch.reported",
                detail=one_line(alert.message or "", 200),
                alert_id=alert.id,
                event_name=alert.event,
                signal=alert.signal,
                device=alert.device,
            )
