"""The background job of escalations: takes the turns that are due, and releases what was held."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import structlog

from alertgate.clock import Clock
from alertgate.errors import StoreError, StoreRefused
from alertgate.metrics import Metrics
from alertgate.notify.escalate import StepReason
from alertgate.notify.escalator import Escalator
from alertgate.notify.holds import NOBODYS, Releaser
from alertgate.notify.turns import AFTER_DEFECT, DEFECT, Taken, TurnTaker
from alertgate.policy.policy import Policy
from alertgate.store import Connection, escalations, holds
from alertgate.store.engine import Store

MOST = 100
"""Escalations in one transaction: requests wait for it."""
NOBODYS_EVERY = 10.0
"""Seconds after which is looked again for what waits for addresses by which nobody is told any more."""

log = structlog.stdlib.get_logger("alertgate.escalate")


class EscalationJob:
    """Runs again and again; replicas share the work. `wake` is called when something became due."""

    def __init__(
        self,
        store: Store,
        escalator: Escalator,
        turns: TurnTaker,
        releaser: Releaser,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._escalator = escalator
        self._turns = turns
        self._releaser = releaser
        self._clock = clock
        self._metrics = metrics
        self._decided_by: Policy | None = None
        self._decided_since = clock.now()
        self._nobodys_at = -NOBODYS_EVERY
        """When was looked for what waits for nobody, by the monotonic clock."""
        self._failing = False

    async def run(self) -> int:
        """Do all that is due; return how many notifications that made due. What the database can't do now waits."""
        try:
            due = await self._run()
        except StoreError as error:
            if not self._failing:
                log.warning("escalations.wait", detail="tried again until the database works", error=str(error))
            self._failing = True
            return 0
        self._failing = False
        return due

    async def _run(self) -> int:
        await self._follow_policy()
        ended = await self._end_nobodys()
        now = self._clock.now()
        if not (ended or await self._store.read(partial(escalations.any_due, now=now))):
            return 0
        due = 0
        try:
            while taken := await self._store.write(partial(self._turns.take, now=now, most=MOST)):
                due += self._noted(taken)
            while await self._store.write(partial(self._releaser.release, now=now, most=MOST)):
                pass
        except Exception as error:
            if isinstance(error, StoreError) and not isinstance(error, StoreRefused):
                raise
            due += await self._one_by_one(now)
        if released := await self._store.write(partial(self._releaser.send, now=now)):
            log.info("notifications.unheld", detail="what held them has ended", number=released)
        return due + released

    async def _one_by_one(self, now: datetime) -> int:
        """Do what is due about each incident in a transaction of its own: a defect in one holds up no other."""
        due = 0
        for incident_id in await self._store.read(partial(escalations.all_due, now=now)):
            try:
                taken = await self._store.write(partial(self._turns.take_one, incident_id=incident_id, now=now))
                due += self._noted(taken)
                await self._store.write(partial(self._releaser.release_about, ids=[incident_id], now=now))
            except Exception as error:
                if isinstance(error, StoreError) and not isinstance(error, StoreRefused):
                    raise
                log.exception("escalation.defect", detail=DEFECT, incident_id=incident_id)
                later = partial(escalations.postpone, incident_id=incident_id, now=now, until=now + AFTER_DEFECT)
                await self._store.write(later)
        return due

    async def _follow_policy(self) -> None:
        """Have everything decided anew once the policy has changed, also since before the start."""
        policy = self._escalator.policy
        if policy is not self._decided_by:
            await self._store.write(self._look_again)
            self._decided_by, self._decided_since = policy, self._clock.now()
            self._nobodys_at = -NOBODYS_EVERY

    def _look_again(self, connection: Connection) -> None:
        now = self._clock.now()
        escalations.look_again(connection, now)
        escalations.route_anew(connection, self._escalator.directory.named, StepReason.NOBODY_KNOWS, now)
        holds.look_again(connection, now)

    async def _end_nobodys(self) -> int:
        """Cancel what waits for addresses by which nobody is told any more; return how much.

        What was being sent meanwhile is found later. What was planned since this process has its policy may be by a
        newer one, or by secrets that only another replica has read.
        """
        if self._clock.monotonic() - self._nobodys_at < NOBODYS_EVERY:
            return 0
        self._nobodys_at = self._clock.monotonic()
        since, now = self._decided_since, self._clock.now()
        gone = self._escalator.directory.gone(await self._store.read(partial(holds.waited_for, planned_before=since)))
        if not gone:
            return 0
        ids = await self._store.read(partial(holds.waiting_for, addresses=gone, planned_before=since))
        ended = 0
        for first in range(0, len(ids), MOST):
            some = ids[first : first + MOST]
            ended += await self._store.write(partial(self._releaser.end_nobodys, ids=some, addresses=gone, now=now))
        if ended:
            log.info("notifications.nobodys", detail=NOBODYS, number=ended)
        return ended

    def _noted(self, taken: Sequence[Taken]) -> int:
        """Count and log what escalations did; return how many notifications they made due."""
        for each in taken:
            self._note(each)
        return sum(each.due for each in taken)

    def _note(self, taken: Taken) -> None:
        """Count and log what an escalation did."""
        turn = taken.turn
        for announced in turn.announcements:
            self._metrics.escalated(announced.kind)
            log.info(
                "escalation.step",
                detail=announced.reason,
                incident_id=taken.incident_id,
                escalation=taken.escalation,
                kind=announced.kind,
                number=announced.step,
                contacts=len(announced.tellings),
            )
        if turn.anew:
            log.info(
                "incident.unacknowledged",
                detail="its acknowledgement is over, and its escalation starts anew",
                incident_id=taken.incident_id,
                reason=turn.anew,
            )
