"""Audit that every notification makes progress, for health, metrics, the log and the external heartbeat."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

import structlog

from alertgate.clock import Clock
from alertgate.metrics import Metrics
from alertgate.model import ChannelName
from alertgate.store import Connection, audit, device_watch
from alertgate.store.audit import MayWait
from alertgate.store.engine import Store

EVERY = 15.0
"""Seconds between two audits."""
PATIENCE = timedelta(seconds=60)
"""How long something may be late before it is a finding."""
FLOOD = timedelta(seconds=60)
"""How long a critical notification may wait for the next digest, in addition."""

log = structlog.stdlib.get_logger("alertgate.audit")


class AuditFinding(StrEnum):
    """What can be wrong; also a metric label."""

    OVERDUE = "overdue"  # due for over a minute on a channel that is up, not claimed, and not held back on purpose
    LEASE_EXPIRED = "lease_expired"  # its lease expired over a minute ago and was not released
    NOBODY_TOLD = "nobody_told"  # an incident about which nobody was or will be notified, open or over
    UNWATCHED = "unwatched"  # the watch of the devices should have looked at one over a minute ago
    UNREADABLE = "unreadable"  # the store can't be read


ADVICE = MappingProxyType(
    {
        AuditFinding.OVERDUE: "notifications are due, but no process sends them; if this persists, restart the service",
        AuditFinding.LEASE_EXPIRED: "the leases of notifications expired and no process released them; if this "
        "persists, restart the service",
        AuditFinding.NOBODY_TOLD: "nobody was or will be notified about an incident; find out why its notifications "
        "failed (`alertgate failures`), and retry or dismiss them",
        AuditFinding.UNWATCHED: "nobody watches the devices, so no silence is told; look for policy.kept, and for "
        "job.defect and job.failed of the device watch, in the log, and restart the service",
        AuditFinding.UNREADABLE: "the store can't be read; the log says why",
    }
)


@dataclass(frozen=True, slots=True)
class Audit:
    """The result of one audit: ids by finding, at most twenty each."""

    at: datetime
    found: Mapping[AuditFinding, Sequence[str]] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the audit found nothing."""
        return not any(self.found.values())

    def say(self) -> list[str]:
        """Return one line for each finding."""
        return [f"{finding}: {len(ids)} ({ADVICE[finding]})" for finding, ids in self.found.items() if ids]


class Auditor:
    """Audits the store.

    `working` returns the channels that are up; `held` those on which the daily limit holds back what isn't critical,
    and `stopped` those on which it holds back everything. `interval` is the longest time between two digests to one
    contact.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        *,
        working: Callable[[], Collection[ChannelName]],
        held: Callable[[], Collection[ChannelName]],
        stopped: Callable[[], Collection[ChannelName]],
        interval: timedelta,
    ) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._working = working
        self._held = held
        self._stopped = stopped
        self._interval = interval
        self.latest: Audit | None = None

    async def run(self) -> Audit:
        """Run an audit; log which findings appeared and which cleared."""
        now = self._clock.now()
        before = self.latest.found if self.latest else {}
        try:
            found = await self._store.read(lambda connection: self._query(connection, now))
        except Exception as error:  # noqa: BLE001  (an audit that can't run is a finding too)
            found = {AuditFinding.UNREADABLE: [str(error)]}
        for finding, ids in found.items():
            if ids and not before.get(finding):
                log.error("audit.found", detail=ADVICE[finding], finding=finding, ids=list(ids))
        for finding, ids in before.items():
            if ids and not found.get(finding):
                log.info("audit.cleared", detail="the finding cleared", finding=finding)
        self._metrics.audit({finding.value: len(found.get(finding, ())) for finding in AuditFinding})
        self.latest = Audit(now, MappingProxyType(found))
        return self.latest

    def _query(self, connection: Connection, now: datetime) -> dict[AuditFinding, Sequence[str]]:
        late_since = now - PATIENCE
        waits = MayWait(self._held(), self._stopped(), late_since - FLOOD, late_since - max(FLOOD, self._interval))
        return {
            AuditFinding.OVERDUE: audit.overdue(connection, late_since, self._working(), waits),
            AuditFinding.LEASE_EXPIRED: audit.expired(connection, late_since),
            AuditFinding.NOBODY_TOLD: audit.untold(connection, late_since),
            AuditFinding.UNWATCHED: device_watch.unwatched(connection, late_since, audit.MOST),
        }
