"""Metrics for Prometheus: each method records one kind of event, and label values come from closed lists.

Every series that can be known in advance is exported from the start as 0: Prometheus' `increase` misses the first
increment of a counter that appears with it.
"""

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from itertools import product
from math import nan

from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, Histogram, Info, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from alertgate.clock import Clock
from alertgate.device import DeviceState
from alertgate.metric_labels import LabelValues
from alertgate.model import ChannelName, Kind, NotificationStatus, Source
from alertgate.proof import Proof

OTHER = "other"
"""The label for values outside their closed list, so that neither a defect nor a caller can create unlimited series."""

OUTCOMES = ("sent", "transient", "permanent")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
WAITING = (NotificationStatus.PENDING, NotificationStatus.SENDING)

QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds, for responses and commits."""
PATIENT = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400, 43200, 86400)
"""Seconds, for notifications, which are retried for a day."""
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)

WEBHOOKS = frozenset({Source.PARTICLE, Source.GENERIC})
ESCALATED = (Kind.OPENING, Kind.HANDOFF, Kind.REMINDER, Kind.UNANSWERED)
_CHANNELS = frozenset(ChannelName)


class Metrics:
    """All metrics, on a registry of their own. Thread-safe."""

    def __init__(self, version: str, clock: Clock, labels: LabelValues) -> None:
        self._clock = clock
        self._channels = tuple(labels.channels)
        self._results = frozenset(labels.results)
        self._reasons = frozenset(labels.reasons)
        self._guards = frozenset(labels.guards)
        self._budgets = frozenset(labels.budgets)
        self._findings = frozenset(labels.findings)
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        Info("alertgate_build", "The running version.", registry=registry).info({"version": version})

        counter, gauge = partial(Counter, registry=registry), partial(Gauge, registry=registry)
        histogram = partial(Histogram, registry=registry)
        self._accepted = counter(
            "alertgate_alerts_accepted_total",
            "Alerts that were stored, or were duplicates of stored ones; `alertgate` is the source of the gate's own.",
            ["source", "result"],
        )
        self._accept_seconds = histogram(
            "alertgate_accept_seconds",
            "Seconds from the start of a webhook request until its alert was stored or found to be a duplicate.",
            ["source"],
            buckets=QUICK,
        )
        self._attempts = counter(
            "alertgate_notifications_total",
            "Attempts to send a message; a digest is one message.",
            ["channel", "outcome", "reason"],
        )
        self._proved = counter(
            "alertgate_notifications_proved_total",
            "Notifications of which it was proved that they got so far: taken by the service, delivered to the phone, "
            "seen, or acknowledged.",
            ["channel", "proof"],
        )
        self._failed = counter(
            "alertgate_notifications_failed_total",
            "Notifications that failed for good: refused, or given up after GIVE_UP_AFTER.",
            ["channel"],
        )
        self._outstanding = gauge(
            "alertgate_outstanding_failures",
            "Failed notifications with which nobody has dealt, in the whole database; every replica reports the same.",
            ["channel"],
        )
        self._delivery_seconds = histogram(
            "alertgate_delivery_seconds",
            "Seconds from the planning of a notification (for an update, from its latest alert) until it was sent.",
            ["channel"],
            buckets=PATIENT,
        )
        self._digests = histogram(
            "alertgate_digest_notifications",
            "Notifications in one digest that was sent.",
            ["channel"],
            buckets=SIZES,
        )
        self._escalated = counter(
            "alertgate_escalation_steps_total",
            "What escalations told after the first notifications: openings after a wait, handoffs, reminders, and that "
            "nobody has answered.",
            ["kind"],
        )
        for kind in ESCALATED:
            self._escalated.labels(kind)
        self._silences = gauge(
            "alertgate_silences_active",
            "Silences that hold what they match now, in the whole database; every replica reports the same.",
        )
        self._silenced = gauge(
            "alertgate_silenced_notifications",
            "Notifications that silences hold, in the whole database; every replica reports the same.",
        )
        self._daily_limit_used = {
            "mail": gauge(
                "alertgate_mail_daily_limit_used_ratio",
                "Share of SMTP_DAILY_LIMIT that was sent in the last 24 hours; 0 without a limit.",
            ),
            "twilio": gauge(
                "alertgate_twilio_daily_limit_used_ratio",
                "Share of TWILIO_DAILY_LIMIT that was sent in the last 24 hours; 0 without a limit.",
            ),
        }
        self._devices = gauge(
            "alertgate_devices",
            "Devices by how they stand, in the whole database; every replica reports the same.",
            ["state"],
        )
        self._device_last_seen = gauge(
            "alertgate_device_last_seen_seconds",
            "Seconds since a device's last sign of life; only with METRICS_DEVICES.",
            ["device", "name"],
        )
        self._depth = gauge(
            "alertgate_queue_depth",
            "Notifications that aren't sent yet, in the whole database, so every replica reports the same.",
            ["channel", "status"],
        )
        self._oldest = gauge(
            "alertgate_queue_oldest_seconds",
            "Seconds for which the oldest pending notification has been due.",
            ["channel"],
        )
        self._up = gauge("alertgate_channel_up", "1 while a channel is up, 0 while it is paused.", ["channel"])
        self._last_success = gauge(
            "alertgate_channel_last_success_timestamp_seconds",
            "Unix time at which this process last sent a notification on a channel.",
            ["channel"],
        )
        self._audit = gauge(
            "alertgate_audit_findings", "Findings of the last audit, at most 20 of each kind.", ["kind"]
        )
        self._console_streams = gauge("alertgate_console_streams", "Pages of the console that this process keeps live.")
        self._store_up = gauge("alertgate_store_up", "1 while the database accepts writes, else 0.")
        self._commit_seconds = histogram(
            "alertgate_store_commit_seconds", "Seconds of one write transaction, including its commit.", buckets=QUICK
        )
        self._batch_size = histogram("alertgate_store_batch_size", "Jobs in one write transaction.", buckets=SIZES)
        self._requests = counter(
            "alertgate_requests_total",
            "Responses, by method, route template and status.",
            ["method", "route", "status"],
        )
        self._lines_left_out = counter(
            "alertgate_request_lines_left_out_total",
            "Requests without a right credential that have no line in the log, because many had one lately.",
        )
        self._auth_failures = counter(
            "alertgate_auth_failures_total", "Requests with a missing or wrong credential.", ["guard"]
        )
        self._rate_limited = counter("alertgate_rate_limited_total", "Requests refused with 429.", ["budget"])
        self._start_at_zero()

    def alert_recorded(self, source: str, result: str, seconds: float) -> None:
        """An alert was stored, or found to be a duplicate, `seconds` after its request began."""
        source = _known_or_other(source, WEBHOOKS)
        self._accepted.labels(source, _known_or_other(result, self._results)).inc()
        self._accept_seconds.labels(source).observe(max(0.0, seconds))

    def own_alert_recorded(self) -> None:
        """An alert about one of alertgate's own troubles was stored."""
        self._accepted.labels(Source.ALERTGATE, "accepted").inc()

    def attempted(self, channel: str, outcome: str, reason: str) -> None:
        """An attempt ended; `outcome` is `sent`, `transient` or `permanent`."""
        self._attempts.labels(
            _known_or_other(channel, _CHANNELS),
            _known_or_other(outcome, OUTCOMES),
            _known_or_other(reason, self._reasons),
        ).inc()

    def delivered(self, channel: str, seconds: float) -> None:
        """A notification was sent, `seconds` after it was planned or, for an update, after its latest alert."""
        channel = _known_or_other(channel, _CHANNELS)
        self._delivery_seconds.labels(channel).observe(max(0.0, seconds))
        self._last_success.labels(channel).set(self._clock.now().timestamp())

    def proved(self, channel: str, proof: str) -> None:
        """A service said that a notification got so far; each rung counts once, and what was skipped doesn't."""
        self._proved.labels(_known_or_other(channel, _CHANNELS), _known_or_other(proof, tuple(Proof))).inc()

    def digest_sent(self, channel: str, notifications: int) -> None:
        """A digest with this many notifications was sent."""
        self._digests.labels(_known_or_other(channel, _CHANNELS)).observe(notifications)

    def escalated(self, kind: str) -> None:
        """An escalation told its people something of this kind."""
        self._escalated.labels(_known_or_other(kind, ESCALATED)).inc()

    def silenced(self, silences: float, notifications: float) -> None:
        """So many silences are active, and hold so many notifications."""
        self._silences.set(silences)
        self._silenced.set(notifications)

    def devices(self, numbers: Mapping[DeviceState, float]) -> None:
        """So many devices are in each state, and none in the states left out."""
        for state in DeviceState:
            self._devices.labels(state).set(numbers.get(state, 0))

    def devices_last_seen(self, seconds: Mapping[tuple[str, str], float]) -> None:
        """Each device, by its id and name, was last heard so many seconds ago."""
        self._device_last_seen.clear()
        for (device, name), age in seconds.items():
            self._device_last_seen.labels(device, name).set(max(0.0, age))

    def daily_limit_used(self, account: str, share: float) -> None:
        """This share of an account's daily limit is used."""
        self._daily_limit_used[account].set(share)

    def failed(self, channel: str) -> None:
        """A notification failed for good: its recipient wasn't notified."""
        self._failed.labels(_known_or_other(channel, _CHANNELS)).inc()

    def outstanding(self, numbers: Mapping[ChannelName, int]) -> None:
        """This many failures are outstanding on each channel, and none on the channels left out."""
        self._outstanding.clear()
        for channel in {*self._channels, *numbers}:
            self._outstanding.labels(channel).set(numbers.get(channel, 0))

    def channel_state(self, channel: str, up: bool) -> None:
        """A channel is up, or paused."""
        self._up.labels(_known_or_other(channel, _CHANNELS)).set(up)

    def queue(
        self, depths: Mapping[tuple[ChannelName, NotificationStatus], int], oldest: Mapping[ChannelName, float]
    ) -> None:
        """The queue now: its length by channel and status, and for how many seconds its oldest entry has been due."""
        self.queue_unknown()
        for channel, status in {*product(self._channels, WAITING), *depths}:
            self._depth.labels(channel, status).set(depths.get((channel, status), 0))
        for channel in {*self._channels, *oldest}:
            self._oldest.labels(channel).set(max(0.0, oldest.get(channel, 0.0)))

    def queue_unknown(self) -> None:
        """The queue can't be read: export nothing rather than old values."""
        self._depth.clear()
        self._oldest.clear()
        self.silenced(nan, nan)
        self.devices(dict.fromkeys(DeviceState, nan))
        self.devices_last_seen({})

    def audit(self, findings: Mapping[str, int]) -> None:
        """The audit found this many of each kind, and none of the kinds left out."""
        for kind in self._findings:
            self._audit.labels(kind).set(findings.get(kind, 0))

    def console_streams(self, number: int) -> None:
        """So many pages of the console are open and told of changes."""
        self._console_streams.set(number)

    def store_state(self, up: bool) -> None:
        """The store accepts writes, or doesn't."""
        self._store_up.set(up)

    def committed(self, jobs: int, seconds: float) -> None:
        """A transaction with this many jobs was committed in `seconds`."""
        self._batch_size.observe(jobs)
        self._commit_seconds.observe(seconds)

    def answered(self, method: str, route: str, status: int) -> None:
        """A response was sent. `route` is the template of the path, never the path itself."""
        self._requests.labels(_known_or_other(method, METHODS), route, status).inc()

    def line_left_out(self) -> None:
        """A request has no line in the log."""
        self._lines_left_out.inc()

    def auth_failed(self, guard: str) -> None:
        """A request had a missing or wrong credential."""
        self._auth_failures.labels(_known_or_other(guard, self._guards)).inc()

    def rate_limited(self, budget: str) -> None:
        """A request exceeded a budget."""
        self._rate_limited.labels(_known_or_other(budget, self._budgets)).inc()

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """Return all metrics and their content type: OpenMetrics if `accept` names it, else Prometheus' text format."""
        series = _Series(self._registry)
        if "application/openmetrics-text" in accept.lower():
            text: bytes = openmetrics.generate_latest(series)  # type: ignore[no-untyped-call]
            return text, openmetrics.CONTENT_TYPE_LATEST
        return generate_latest(series), CONTENT_TYPE_PLAIN_0_0_4

    def _start_at_zero(self) -> None:
        for source in WEBHOOKS:
            self._accept_seconds.labels(source)
            for result in self._results:
                self._accepted.labels(source, result)
        self._accepted.labels(Source.ALERTGATE, "accepted")
        for channel in self._channels:
            self._attempts.labels(channel, "sent", "sent")
            for outcome, reason in product(OUTCOMES[1:], self._reasons - {"sent"}):
                self._attempts.labels(channel, outcome, reason)
            for proof in Proof:
                self._proved.labels(channel, proof)
            self._failed.labels(channel)
            self._delivery_seconds.labels(channel)
            self._digests.labels(channel)
            self._up.labels(channel).set(1)
        self.audit({})
        self.outstanding({})
        for guard in self._guards:
            self._auth_failures.labels(guard)
        for budget in self._budgets:
            self._rate_limited.labels(budget)


class _Series(Collector):
    """A registry without the `_created` series, which are unused and would double the number of series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """Return the metrics."""
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


def _known_or_other(value: str, known: Collection[str]) -> str:
    return value if value in known else OTHER
