"""Is every notification on its way? The watcher that feeds health, metrics, the log and the outside heartbeat."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

import structlog

from alertgate.clock import Clock
from alertgate.metrics import Metrics
from alertgate.model import ChannelName
from alertgate.store import Connection, audit
from alertgate.store.engine import Store

EVERY = 15.0
"""Seconds between two audits."""
PATIENCE = timedelta(seconds=60)
"""How long something may be out of its place before it is a finding."""

log = structlog.stdlib.get_logger("alertgate.audit")


class AuditFinding(StrEnum):
    """What can be wrong; also a metric's label."""

    OVERDUE = "overdue"  # due for longer than a minute, its channel works, and nobody has claimed it
    LEASE_EXPIRED = "lease_expired"  # its sender is gone, and nobody has taken over
    NOBODY_TOLD = "nobody_told"  # an open incident of which nobody was told or will be
    UNREADABLE = "unreadable"  # the store can't be asked


ADVICE = MappingProxyType(
    {
        AuditFinding.OVERDUE: "notifications are due and nobody sends them; if it lasts, restart the service",
        AuditFinding.LEASE_EXPIRED: "a process that is gone holds notifications; if it lasts, restart the service",
        AuditFinding.NOBODY_TOLD: "no notification about an open incident was sent or will be; see why they failed, "
        "and retry them",
        AuditFinding.UNREADABLE: "the store can't be asked",
    }
)


@dataclass(frozen=True, slots=True)
class Audit:
    """The result of one audit: ids by finding; at most twenty are named for each."""

    at: datetime
    found: Mapping[AuditFinding, Sequence[str]] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether everything is where it should be."""
        return not any(self.found.values())

    def say(self) -> list[str]:
        """Return one line for each finding."""
        return [f"{finding}: {len(ids)} ({ADVICE[finding]})" for finding, ids in self.found.items() if ids]


class Auditor:
    """Audits the store. `working` gives the channels that are up; `holding_back` those on which updates wait."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        *,
        working: Callable[[], Collection[ChannelName]],
        holding_back: Callable[[], Collection[ChannelName]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._working = working
        self._holding_back = holding_back
        self.latest: Audit | None = None

    async def run(self) -> Audit:
        """Audit now; say in the log what appeared and what is over."""
        now = self._clock.now()
        before = self.latest.found if self.latest else {}
        try:
            found = await self._store.read(lambda connection: self._ask(connection, now))
        except Exception as error:  # noqa: BLE001  (whatever keeps the audit from passing must be seen)
            found = {AuditFinding.UNREADABLE: [str(error)]}
        for finding, ids in found.items():
            if ids and not before.get(finding):
                log.error("audit.found", detail=ADVICE[finding], finding=finding, ids=list(ids))
        for finding, ids in before.items():
            if ids and not found.get(finding):
                log.info("audit.cleared", detail="the finding is over", finding=finding)
        self._metrics.audit({finding.value: len(found.get(finding, ())) for finding in AuditFinding})
        self.latest = Audit(now, MappingProxyType(found))
        return self.latest

    def _ask(self, connection: Connection, now: datetime) -> dict[AuditFinding, Sequence[str]]:
        then = now - PATIENCE
        return {
            AuditFinding.OVERDUE: audit.overdue(connection, then, self._working(), self._holding_back()),
            AuditFinding.LEASE_EXPIRED: audit.expired(connection, then),
            AuditFinding.NOBODY_TOLD: audit.untold(connection, then),
        }
