"""Metrics for Prometheus: each method is named for what happened, and each label value is a word of a closed list.

Every series that can be known beforehand is there from the start with 0: Prometheus' `increase` doesn't see a counter's
first step, if the counter appears with it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, Histogram, Info, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from alertgate.clock import Clock
from alertgate.model import ChannelName, NotificationStatus, Source

OTHER = "other"
"""The label for a word that isn't in its closed list: no defect, and no caller, can make series without end."""

OUTCOMES = ("sent", "transient", "permanent")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
WAITING = (NotificationStatus.PENDING, NotificationStatus.SENDING)

QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds: for answers and commits."""
PATIENT = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400, 43200, 86400)
"""Seconds: for messages, which are tried for a day."""
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)

_SOURCES = frozenset(Source)
_CHANNELS = frozenset(ChannelName)


@dataclass(frozen=True, slots=True)
class LabelValues:
    """The closed lists that label values come from, where a later stage holds them."""

    channels: Collection[ChannelName]
    """The channels that are in use."""
    results: Iterable[str]
    reasons: Iterable[str]
    findings: Iterable[str]
    guards: Iterable[str]
    budgets: Iterable[str]


class Metrics:
    """All that is counted and timed, on a registry of its own. Thread-safe."""

    def __init__(self, version: str, clock: Clock, words: LabelValues) -> None:
        self._clock = clock
        self._channels = tuple(words.channels)
        self._results = frozenset(words.results)
        self._reasons = frozenset(words.reasons)
        self._guards = frozenset(words.guards)
        self._budgets = frozenset(words.budgets)
        self._findings = frozenset(words.findings)
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        Info("alertgate_build", "The version that runs.", registry=registry).info({"version": version})

        self._accepted = Counter(
            "alertgate_alerts_accepted_total",
            "Webhook requests that were stored or known already.",
            ["source", "result"],
            registry=registry,
        )
        self._accept_seconds = Histogram(
            "alertgate_accept_seconds",
            "From the start of a webhook request to its answer, for those that were stored or known already.",
            ["source"],
            buckets=QUICK,
            registry=registry,
        )
        self._attempts = Counter(
            "alertgate_notifications_total",
            "Tries to hand a message over.",
            ["channel", "outcome", "reason"],
            registry=registry,
        )
        self._failed = Counter(
            "alertgate_notifications_failed_total",
            "Messages that failed for good: refused, or given up on.",
            ["channel"],
            registry=registry,
        )
        self._delivery_seconds = Histogram(
            "alertgate_delivery_seconds",
            "From the receipt of what a message tells to its hand-over.",
            ["channel"],
            buckets=PATIENT,
            registry=registry,
        )
        self._depth = Gauge(
            "alertgate_queue_depth",
            "Messages that aren't handed over yet; of the whole database, so the same from every replica.",
            ["channel", "status"],
            registry=registry,
        )
        self._oldest = Gauge(
            "alertgate_queue_oldest_seconds",
            "For how long the oldest message that may be sent has been due.",
            ["channel"],
            registry=registry,
        )
        self._up = Gauge(
            "alertgate_channel_up", "1 while a channel works, 0 while it is paused.", ["channel"], registry=registry
        )
        self._last_success = Gauge(
            "alertgate_channel_last_success_timestamp_seconds",
            "When a channel last handed a message over, since the start.",
            ["channel"],
            registry=registry,
        )
        self._audit = Gauge(
            "alertgate_audit_findings",
            "Messages and incidents that the last audit found where they shouldn't be.",
            ["kind"],
            registry=registry,
        )
        self._store_up = Gauge("alertgate_store_up", "1 while alerts can be stored, else 0.", registry=registry)
        self._commit_seconds = Histogram(
            "alertgate_store_commit_seconds",
            "Time of one writing transaction, its commit included.",
            buckets=QUICK,
            registry=registry,
        )
        self._batch_size = Histogram(
            "alertgate_store_batch_size", "Jobs that share one writing transaction.", buckets=SIZES, registry=registry
        )
        self._requests = Counter(
            "alertgate_requests_total",
            "Answers, by the route's template.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._auth_failures = Counter(
            "alertgate_auth_failures_total", "Requests with no or a wrong credential.", ["guard"], registry=registry
        )
        self._rate_limited = Counter(
            "alertgate_rate_limited_total", "Requests answered 429.", ["budget"], registry=registry
        )
        self._start_at_zero()

    def alert_recorded(self, source: str, result: str, seconds: float) -> None:
        """An alert was stored, or known already, `seconds` after its request began."""
        source = _closed(source, _SOURCES)
        self._accepted.labels(source, _closed(result, self._results)).inc()
        self._accept_seconds.labels(source).observe(max(0.0, seconds))

    def attempted(self, channel: str, outcome: str, reason: str) -> None:
        """A message was tried; `outcome` is `sent`, `transient` or `permanent`."""
        self._attempts.labels(
            _closed(channel, _CHANNELS), _closed(outcome, OUTCOMES), _closed(reason, self._reasons)
        ).inc()

    def delivered(self, channel: str, seconds: float) -> None:
        """A message was handed over, `seconds` after the receipt of the latest alert that it tells of."""
        channel = _closed(channel, _CHANNELS)
        self._delivery_seconds.labels(channel).observe(max(0.0, seconds))
        self._last_success.labels(channel).set(self._clock.now().timestamp())

    def failed(self, channel: str) -> None:
        """A message failed for good: its recipient wasn't told."""
        self._failed.labels(_closed(channel, _CHANNELS)).inc()

    def channel_state(self, channel: str, up: bool) -> None:
        """A channel works, or is paused."""
        self._up.labels(_closed(channel, _CHANNELS)).set(up)

    def queue(
        self, depths: Mapping[tuple[ChannelName, NotificationStatus], int], oldest: Mapping[ChannelName, float]
    ) -> None:
        """What waits now: how many by channel and status, and for how many seconds the oldest has been due."""
        self.queue_unknown()
        for channel, status in {*product(self._channels, WAITING), *depths}:
            self._depth.labels(channel, status).set(depths.get((channel, status), 0))
        for channel in {*self._channels, *oldest}:
            self._oldest.labels(channel).set(max(0.0, oldest.get(channel, 0.0)))

    def queue_unknown(self) -> None:
        """What waits can't be read: say nothing rather than something old."""
        self._depth.clear()
        self._oldest.clear()

    def audit(self, findings: Mapping[str, int]) -> None:
        """The audit found this many of each kind, and none of the others."""
        for kind in self._findings:
            self._audit.labels(kind).set(findings.get(kind, 0))

    def store_state(self, up: bool) -> None:
        """Alerts can be stored, or not."""
        self._store_up.set(up)

    def committed(self, jobs: int, seconds: float) -> None:
        """So many jobs were written in one transaction."""
        self._batch_size.observe(jobs)
        self._commit_seconds.observe(seconds)

    def answered(self, method: str, route: str, status: int) -> None:
        """A request was answered. `route` is the template of its path, never the path itself."""
        self._requests.labels(_closed(method, METHODS), route, status).inc()

    def auth_failed(self, guard: str) -> None:
        """A request had no or a wrong credential."""
        self._auth_failures.labels(_closed(guard, self._guards)).inc()

    def rate_limited(self, budget: str) -> None:
        """A request was over a budget."""
        self._rate_limited.labels(_closed(budget, self._budgets)).inc()

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """Return all metrics and their content type: OpenMetrics if `accept` names it, else Prometheus' text form."""
        series = _Series(self._registry)
        if "application/openmetrics-text" in accept.lower():
            text: bytes = openmetrics.generate_latest(series)  # type: ignore[no-untyped-call]
            return text, openmetrics.CONTENT_TYPE_LATEST
        return generate_latest(series), CONTENT_TYPE_PLAIN_0_0_4

    def _start_at_zero(self) -> None:
        for source in Source:
            self._accept_seconds.labels(source)
            for result in self._results:
                self._accepted.labels(source, result)
        for channel in self._channels:
            self._attempts.labels(channel, "sent", "sent")
            for outcome, reason in product(OUTCOMES[1:], self._reasons - {"sent"}):
                self._attempts.labels(channel, outcome, reason)
            self._failed.labels(channel)
            self._delivery_seconds.labels(channel)
            self._up.labels(channel).set(1)
        self.audit({})
        for guard in self._guards:
            self._auth_failures.labels(guard)
        for budget in self._budgets:
            self._rate_limited.labels(budget)


class _Series(Collector):
    """A registry without the `_created` series, which would double the counters and which nothing here uses."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """Return the metrics."""
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


def _closed(word: str, words: Collection[str]) -> str:
    return word if word in words else OTHER
