"""Look again and again for what is wrong with the gate itself, and raise it: one method for each trouble.

Each look derives a trouble from the present facts, so that a restart changes nothing. The decisions are in the modules
`…_trouble`; `own.py` reports them. A notification about an own incident never causes one.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import structlog

from alertgate.accept import (
    audit_trouble,
    channel_trouble,
    disk_trouble,
    failure_trouble,
    limit_trouble,
    policy_trouble,
)
from alertgate.accept.disk_trouble import Space
from alertgate.accept.own import OwnAlerts
from alertgate.clock import Clock
from alertgate.errors import StoreError
from alertgate.model import ChannelName, Severity
from alertgate.notify.breaker import ChannelState
from alertgate.notify.budget import Usage
from alertgate.notify.directory import Directory
from alertgate.policy.keeper import PolicyKeeper
from alertgate.prove.audit import Audit, AuditFinding
from alertgate.prove.outstanding import FailureWatch
from alertgate.prove.troubles import Trouble
from alertgate.store import audit, counts
from alertgate.store.engine import Store

DISK = "DATA_DIR"
"""What the incidents about the disk are about."""
LOOK_AT_DISK_EVERY = 60.0
"""Seconds."""
OVER = (None, Severity.INFO)
"""The cause and severity of what isn't, or is over."""

DiskUsage = Callable[[Path], tuple[int, int, int]]
"""Returns the bytes of a disk, all, used and free, as `shutil.disk_usage` does."""

log = structlog.stdlib.get_logger("alertgate.own")


@dataclass(frozen=True, slots=True)
class Watched:
    """What is looked at. `disk` is the directory whose disk counts, or None if nothing is written there."""

    policies: PolicyKeeper
    states: Callable[[], Mapping[ChannelName, ChannelState]]
    directory: Directory
    failures: FailureWatch
    usage: Callable[[], Mapping[str, Usage]]
    latest_audit: Callable[[], Audit | None]
    disk: Path | None
    disk_usage: DiskUsage


class Watch:
    """Raises in `own_alerts` what it sees."""

    def __init__(self, watched: Watched, own_alerts: OwnAlerts, store: Store, clock: Clock) -> None:
        self._watched = watched
        self._own = own_alerts
        self._store = store
        self._clock = clock
        self._limits: dict[str, limit_trouble.Level] = {}
        self._disk = disk_trouble.Level.UNKNOWN
        self._disk_at = float("-inf")
        self._found: dict[AuditFinding, datetime] = {}
        self._audited_at: datetime | None = None

    @property
    def is_disk_low(self) -> bool:
        """Whether the disk was almost full when it was last looked at."""
        return self._disk >= disk_trouble.Level.LOW

    async def run(self) -> None:
        """Look at everything. What needs a store that is away waits for it: it couldn't be told either."""
        policy_trouble.note(self._watched.policies, self._own)
        self.look_at_limits()
        await self.look_at_disk()
        await self.look_at_failures()
        with suppress(StoreError):
            await self.look_at_channels()
        with suppress(StoreError):
            await self.look_at_audit()

    def look_at_limits(self) -> None:
        """Raise that an account nears its daily limit."""
        for account, usage in self._watched.usage().items():
            before = self._limits.get(account, limit_trouble.Level.UNKNOWN)
            level = self._limits[account] = limit_trouble.after(before, usage.sent, usage.limit)
            if level is not limit_trouble.Level.UNKNOWN:
                cause, severity = limit_trouble.TROUBLES.get(level, OVER)
                detail = f"{usage.sent:,} of {usage.limit:,}"
                self._own.lasts(Trouble.LIMIT, account, cause, severity, detail=detail)

    async def look_at_disk(self) -> None:
        """Raise that the disk is almost full; where nothing is written to it, there is always room."""
        now, disk = self._clock.monotonic(), self._watched.disk
        if now - self._disk_at < LOOK_AT_DISK_EVERY:
            return
        self._disk_at = now
        if disk is None:
            self._own.lasts(Trouble.DISK, DISK, *OVER)
            return
        try:
            space = Space(*await asyncio.to_thread(self._watched.disk_usage, disk))
        except OSError as error:
            log.warning("disk.unseen", detail="the disk of DATA_DIR can't be looked at; tried again", error=str(error))
            return
        self._disk = disk_trouble.after(self._disk, space)
        if self._disk is not disk_trouble.Level.UNKNOWN:
            cause, severity = disk_trouble.TROUBLES.get(self._disk, OVER)
            self._own.lasts(Trouble.DISK, DISK, cause, severity, detail=disk_trouble.say(space))

    async def look_at_failures(self) -> None:
        """Raise that failed notifications are outstanding."""
        seen_at = self._clock.now()
        await self._watched.failures.look()
        latest, told = self._watched.failures.latest, self._watched.directory
        failure_trouble.note(latest, told.targets, self._own, seen_at, told.by_secret)

    async def look_at_channels(self) -> None:
        """Raise that a channel has been paused for a while. Raises StoreUnavailable."""
        states, now = self._watched.states(), self._clock.now()
        for name, state in states.items():
            waiting = None
            if channel_trouble.is_long(state, now):
                waiting = await self._store.read(partial(counts.worst_waiting, channel=name))
            if pause := channel_trouble.judge(name, states, self._watched.directory.targets, waiting, now):
                cause, severity = pause.cause, pause.severity
                self._own.lasts(Trouble.CHANNEL, name, cause, severity, detail=pause.reply, since=pause.since)
            else:
                self._own.lasts(Trouble.CHANNEL, name, *OVER)

    async def look_at_audit(self) -> None:
        """Raise what the auditor has found for a while, but for what concerns own incidents alone.

        Raises StoreUnavailable.
        """
        latest = self._watched.latest_audit()
        if latest is None or latest.at == self._audited_at:
            return
        self._found = audit_trouble.found_since(self._found, latest)
        lasting = audit_trouble.lasting(self._found, latest)
        for finding in AuditFinding:
            concern = await self._concern(finding, latest) if finding in lasting else None
            about = audit_trouble.about(finding)
            if concern is None:
                self._own.lasts(Trouble.AUDIT, about, *OVER)
                continue
            cause, since = audit_trouble.CAUSES[finding], self._found[finding]
            self._own.lasts(Trouble.AUDIT, about, cause, concern.severity, detail=concern.detail, since=since)
        self._audited_at = latest.at

    async def _concern(self, finding: AuditFinding, latest: Audit) -> audit_trouble.Concern | None:
        if finding is AuditFinding.UNREADABLE:
            return audit_trouble.UNREADABLE
        if finding is AuditFinding.UNWATCHED:
            return audit_trouble.UNWATCHED
        severities = await self._store.read(partial(audit.concern, ids=latest.found[finding]))
        return audit_trouble.weigh(severities)
