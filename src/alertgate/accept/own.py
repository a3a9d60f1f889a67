"""Report alertgate's own troubles as alerts of its own, so that people are told of them like of any other.

A trouble is raised in memory, which can't fail and takes no time; a background job reports it to the store, and tries
again while that is away. What is raised meanwhile is one report. Totals are kept in the incident's alerts, so that
restarts and other replicas continue them.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog

from alertgate.accept.heard import Heard
from alertgate.accept.own_report import Open, Report, Reporter, open_incidents
from alertgate.clock import Clock
from alertgate.errors import StoreError
from alertgate.metrics import Metrics
from alertgate.model import Severity
from alertgate.notify.render.text import one_line
from alertgate.prove.trouble_words import title
from alertgate.prove.troubles import (
    CONFIRMED,
    DAILY,
    ENDS,
    LASTING,
    SHOWN_BY_PARTS,
    SILENT,
    Cause,
    Known,
    Step,
    Subject,
    Tally,
    Trouble,
    decide,
    decide_confirmed,
    decide_daily,
    is_news,
    once,
)
from alertgate.store import Connection
from alertgate.store.engine import Store

EVERY = 1.0
"""Seconds between two runs of the job: what is raised within one is told in one message."""
LOOK_EVERY = 15.0
"""Seconds between two looks at the store while nothing was raised here: another process may have left an incident."""
RETRY_AFTER = 10.0
"""Seconds before a report that the store didn't accept is tried again."""
CLOSE_WITHIN = 5.0
"""Seconds for the last report when the service stops."""
LONGEST_SENDER = 60
LONGEST_DETAIL = 200

_WAITS = Report(Step.WAIT)

log = structlog.stdlib.get_logger("alertgate.own")


class _Lasting(NamedTuple):
    """How something that lasts stood, as it was last raised, or reported by another process."""

    tally: Tally
    severity: Severity


@dataclass(slots=True)
class _Pace:
    """When the job works next, in monotonic seconds."""

    looked_at: float = field(default=float("-inf"))
    again_at: float = field(default=float("-inf"))
    failing: bool = False


class OwnAlerts:
    """Raises, reports and clears troubles. Only for the thread of the event loop.

    `interval` is GROUP_INTERVAL. `wake` is called when a report has made a notification due.
    """

    def __init__(
        self,
        store: Store,
        reporter: Reporter,
        clock: Clock,
        metrics: Metrics,
        interval: timedelta,
        *,
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._reporter = reporter
        self._clock = clock
        self._metrics = metrics
        self._interval = interval
        self._wake = wake
        self._heard: dict[Subject, Heard] = {}
        self._lasting: dict[Subject, _Lasting | None] = {}
        self._open: dict[Subject, Open] = {}
        self._pace = _Pace()

    def raise_(
        self,
        trouble: Trouble,
        about: str,
        *,
        cause: Cause,
        severity: Severity,
        sender: str = "",
        detail: str = "",
        since: datetime | None = None,
    ) -> None:
        """Note that a trouble occurred once: `about` is the part of the gate that has it, one incident each.

        `sender` names whose alert it affected, and `detail` adds to the cause; they may be any text. `since`: it began
        before now.
        """
        self._hear(Subject(trouble, about), self._occurred(cause, sender, detail, since), severity)

    def clear(self, trouble: Trouble, about: str, *, left_before: datetime | None = None) -> None:
        """Note that a trouble is over, rather than wait until it hasn't occurred for GROUP_INTERVAL.

        `left_before`: only an incident that was opened before this is over.
        """
        now = self._clock.now()
        self._heard.setdefault(Subject(trouble, about), Heard(trouble, now)).over(now, left_before)

    def lasts(
        self,
        trouble: Trouble,
        about: str,
        cause: Cause | None,
        severity: Severity,
        *,
        detail: str = "",
        since: datetime | None = None,
    ) -> None:
        """Note why a trouble of LASTING or CONFIRMED lasts, or with None that it doesn't. Called again and again."""
        tally = self._occurred(cause, "", detail, since) if cause else None
        self.stands(trouble, about, tally, severity, seen_at=self._clock.now())

    def stands(
        self, trouble: Trouble, about: str, tally: Tally | None, severity: Severity, *, seen_at: datetime
    ) -> None:
        """Note how a trouble of LASTING or CONFIRMED stood at a time, None: it was over. Called again and again.

        Only news and a higher severity are raised, and only an end is cleared. The first call clears what an earlier
        process may have left open of LASTING, but not what another replica has raised since `seen_at`: that one saw
        more. Once a person has resolved the incident, any growth is news.
        """
        subject = Subject(trouble, about)
        noted = self._lasting.get(subject)
        if tally is None:
            if noted:
                self.clear(trouble, about)
            elif trouble in LASTING and subject not in self._lasting:
                self.clear(trouble, about, left_before=seen_at)
            self._lasting[subject] = None
        elif noted is None or self._is_news(subject, noted, tally) or severity.rank > noted.severity.rank:
            self._lasting[subject] = _Lasting(tally, severity)
            self._hear(subject, tally, severity)
            self._heard[subject].lasts = trouble in CONFIRMED
        elif subject not in self._open and tally.count < noted.tally.count:
            self._lasting[subject] = _Lasting(tally, severity)  # some were dealt with: more than these is growth

    def _is_news(self, subject: Subject, noted: _Lasting, tally: Tally) -> bool:
        grows = subject not in self._open and tally.count > noted.tally.count
        return grows or is_news(noted.tally, tally)

    def _hear(self, subject: Subject, occurred: Tally, severity: Severity) -> None:
        now = self._clock.now()
        self._heard.setdefault(subject, Heard(subject.trouble, now)).add(occurred, severity, now)

    def _occurred(self, cause: Cause, sender: str, detail: str, since: datetime | None) -> Tally:
        now = self._clock.now()
        occurred = once(now, cause, one_line(sender, LONGEST_SENDER), one_line(detail, LONGEST_DETAIL))
        return replace(occurred, first=min(since or now, now))

    def degraded(self) -> list[str]:
        """Return a line for each trouble, without names: anybody may read it.

        One of SHOWN_BY_PARTS is left out.
        """
        heard = {subject for subject, heard in self._heard.items() if not heard.cleared}
        return [
            f"{title(*subject)}: since {self._since(subject):%Y-%m-%d %H:%M} UTC; its incident says why and what to do"
            for subject in sorted({*heard, *self._open})
            if subject.trouble not in SHOWN_BY_PARTS
        ]

    def _since(self, subject: Subject) -> datetime:
        if found := self._open.get(subject):
            return found.incident.opened_at
        heard = self._heard[subject]
        return heard.unsaid.first if heard.unsaid else heard.last_at

    async def run(self) -> None:
        """Report what is due, if the store accepts it."""
        moment = self._clock.monotonic()
        idle = all(heard.is_said for heard in self._heard.values()) and moment - self._pace.looked_at < LOOK_EVERY
        if idle or moment < self._pace.again_at:
            return
        self._pace.again_at = moment + RETRY_AFTER  # also after a defect
        try:
            await self._report_due()
        except StoreError as error:
            if not self._pace.failing:
                log.warning("trouble.waits", detail="retried until the database accepts it", error=str(error))
            self._pace.failing = True
        else:
            self._pace = _Pace(looked_at=moment)

    async def close(self) -> None:
        """Report what is unsaid, because this process ends. What the store doesn't accept in time is logged."""
        try:
            async with asyncio.timeout(CLOSE_WITHIN):
                await self._report_due(closing=True)
        except (StoreError, TimeoutError) as error:
            unsaid = {title(*subject): heard.unsaid.count for subject, heard in self._heard.items() if heard.unsaid}
            if unsaid:
                log.error("trouble.unsaid", detail="nobody was told of these", counts=unsaid, error=str(error))  # noqa: TRY400

    async def _report_due(self, *, closing: bool = False) -> None:
        """Look at the open incidents, and take each subject's next step. Raises StoreUnavailable.

        All reports are one transaction: no message goes that another report of the same moment makes needless.
        """
        raised = {subject: heard.raised for subject, heard in self._heard.items()}
        self._open = await self._store.read(open_incidents)
        now, heard = self._clock.now(), dict(self._heard)
        for subject in heard.keys() & self._open.keys():
            heard[subject].covered = raised.get(subject, heard[subject].covered)
        known = {subject: each.take(now) for subject, each in heard.items()}
        reports: dict[Subject, Report] = {}
        try:
            reports = await self._reports(known, now, closing=closing)
        finally:
            for subject, each in known.items():
                if reports.get(subject, _WAITS).step is Step.WAIT:
                    heard[subject].put_back(each)
        for subject, report in reports.items():
            self._after(subject, report)

    async def _reports(self, known: Mapping[Subject, Known], now: datetime, *, closing: bool) -> dict[Subject, Report]:
        """Record what is to be reported of what is known and of what is open; return what was done about each."""
        subjects = {*known, *self._open}
        judges = {each: self._judge(each, known.get(each), now, closing=closing) for each in subjects}
        reports = {each: Report(judge(self._open.get(each))) for each, judge in judges.items()}
        loud = [each for each, report in reports.items() if report.step not in SILENT]

        def record(connection: Connection) -> dict[Subject, Report]:
            return {each: self._reporter.record(each, known.get(each), judges[each], now, connection) for each in loud}

        return {**reports, **(await self._store.write(record) if loud else {})}

    def _judge(
        self, subject: Subject, known: Known | None, now: datetime, *, closing: bool
    ) -> Callable[[Open | None], Step]:
        """Return the decision about a subject, which depends on its incident and on what was said of it."""
        lasting = subject.trouble in LASTING

        def judge(found: Open | None) -> Step:
            incident, said = found or (None, None)
            if subject.trouble in DAILY:
                return decide_daily(known, incident, now)
            if subject.trouble in CONFIRMED:
                return decide_confirmed(known, incident, now, closing=closing)
            return decide(known, incident, now, self._interval, said=said, closing=closing, lasting=lasting)

        return judge

    def _after(self, subject: Subject, report: Report) -> None:
        """Count and log a report. Forget a trouble whose end was reported, unless it occurred again meanwhile."""
        if report.step in ENDS:
            self._open.pop(subject, None)
        if report.step in {*ENDS, Step.FORGET} or subject.trouble in DAILY:
            self._forget(subject)
        if report.step is Step.SAID and (found := self._open.get(subject)) and found.said:
            self._lasting[subject] = _Lasting(found.said, found.incident.severity)  # what is news counts from there
        if not (report.alert and report.recorded):
            return
        self._metrics.own_alert_recorded()
        if report.recorded.due:
            self._wake()
        log.warning(
            "trouble.reported",
            detail=one_line(report.alert.message or "", 200),
            alert_id=report.alert.id,
            incident_id=report.recorded.incident_id,
            event_name=report.alert.event,
            severity=report.alert.severity,
            why=report.step,
        )

    def _forget(self, subject: Subject) -> None:
        if subject in self._heard and not self._heard[subject].unsaid:
            del self._heard[subject]
