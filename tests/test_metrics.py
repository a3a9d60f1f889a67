"""The metrics on their own: what each method counts, and that the number of series is bounded."""

import pytest
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics

from alertgate.device import DeviceState
from alertgate.metric_labels import LabelValues
from alertgate.metrics import Metrics
from alertgate.model import ChannelName, NotificationStatus
from tests.fakes import START, FakeClock
from tests.scrape import Scrape, scrape

EMAIL, SMS, OUTBOX = ChannelName.EMAIL, ChannelName.SMS, ChannelName.OUTBOX
PENDING, SENDING = NotificationStatus.PENDING, NotificationStatus.SENDING


@pytest.fixture
def metrics() -> Metrics:
    """Metrics with short closed lists."""
    labels = LabelValues(
        channels=[EMAIL, SMS],
        results=["accepted", "duplicate"],
        reasons=["sent", "timeout"],
        findings=["overdue", "nobody_told"],
        guards=["api"],
        budgets=["failed"],
    )
    return Metrics("1.2.3", FakeClock(), labels)


def scraped(metrics: Metrics) -> Scrape:
    """Scrape without HTTP."""
    content, content_type = metrics.exposition()
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    return scrape(content.decode())


def test_every_known_series_starts_at_zero(metrics: Metrics):
    """`increase` misses the first increment of a counter that appears with it."""
    found = scraped(metrics)
    assert found("alertgate_alerts_accepted_total", source="particle", result="duplicate") == 0
    assert found("alertgate_alerts_accepted_total", source="generic", result="accepted") == 0
    assert found("alertgate_accept_seconds_count", source="generic") == 0
    assert sorted((s["channel"], s["outcome"], s["reason"]) for s in found.series("alertgate_notifications_total")) == [
        (channel, outcome, reason)
        for channel in ("email", "sms")
        for outcome, reason in (("permanent", "timeout"), ("sent", "sent"), ("transient", "timeout"))
    ]
    assert found("alertgate_notifications_failed_total", channel="sms") == 0
    assert found("alertgate_delivery_seconds_count", channel="email") == 0
    assert found("alertgate_channel_up", channel="email") == 1
    assert found("alertgate_audit_findings", kind="overdue") == 0
    assert found("alertgate_auth_failures_total", guard="api") == 0
    assert found("alertgate_rate_limited_total", budget="failed") == 0
    assert found("alertgate_build_info", version="1.2.3") == 1
    assert found.series("alertgate_channel_last_success_timestamp_seconds") == []


def test_each_method_updates_its_series(metrics: Metrics):
    """One call of each method changes just its own series."""
    metrics.alert_recorded("particle", "accepted", 0.02)
    metrics.attempted("email", "transient", "timeout")
    metrics.attempted("email", "sent", "sent")
    metrics.delivered("email", 7.5)
    metrics.digest_sent("email", 195)
    metrics.daily_limit_used("mail", 0.8)
    metrics.daily_limit_used("twilio", 0.5)
    metrics.devices({DeviceState.FINE: 7, DeviceState.SILENT: 2})
    metrics.devices_last_seen({("3f00", "Door"): 90.0})
    metrics.failed("sms")
    metrics.channel_state("sms", up=False)
    metrics.audit({"overdue": 3})
    metrics.store_state(up=True)
    metrics.committed(4, 0.003)
    metrics.answered("POST", "/webhook/particle", 202)
    metrics.auth_failed("api")
    metrics.rate_limited("failed")
    found = scraped(metrics)
    assert found("alertgate_alerts_accepted_total", source="particle", result="accepted") == 1
    assert found("alertgate_accept_seconds_sum", source="particle") == 0.02
    assert found("alertgate_notifications_total", channel="email", outcome="transient", reason="timeout") == 1
    assert found("alertgate_notifications_total", channel="email", outcome="sent", reason="sent") == 1
    assert found("alertgate_delivery_seconds_bucket", channel="email", le="5.0") == 0
    assert found("alertgate_delivery_seconds_bucket", channel="email", le="10.0") == 1
    assert found("alertgate_channel_last_success_timestamp_seconds", channel="email") == START.timestamp()
    assert found("alertgate_digest_notifications_sum", channel="email") == 195
    assert found("alertgate_digest_notifications_count", channel="email") == 1
    assert found("alertgate_mail_daily_limit_used_ratio") == 0.8
    assert found("alertgate_twilio_daily_limit_used_ratio") == 0.5
    assert found("alertgate_devices", state="silent") == 2
    assert found("alertgate_devices", state="late") == 0
    assert found("alertgate_device_last_seen_seconds", device="3f00", name="Door") == 90
    assert found("alertgate_notifications_failed_total", channel="sms") == 1
    assert found("alertgate_channel_up", channel="sms") == 0
    assert found("alertgate_audit_findings", kind="overdue") == 3
    assert found("alertgate_store_up") == 1
    assert found("alertgate_store_batch_size_sum") == 4
    assert found("alertgate_store_commit_seconds_sum") == 0.003
    assert found("alertgate_requests_total", method="POST", route="/webhook/particle", status="202") == 1
    assert found("alertgate_auth_failures_total", guard="api") == 1
    assert found("alertgate_rate_limited_total", budget="failed") == 1


def test_a_label_value_outside_its_closed_list_is_counted_as_other(metrics: Metrics):
    """Neither a defect nor a caller can create unlimited series or put its own text into a label."""
    for foreign in ("one@example.org", "two@example.org"):
        metrics.alert_recorded(foreign, foreign, 1)
        metrics.attempted(foreign, foreign, foreign)
        metrics.delivered(foreign, 1)
        metrics.failed(foreign)
        metrics.channel_state(foreign, up=True)
        metrics.audit({foreign: 1})
        metrics.answered(foreign, "/health", 200)
        metrics.auth_failed(foreign)
        metrics.rate_limited(foreign)
    found = scraped(metrics)
    assert [value for _, _, value in found.labels() if "example" in value] == []
    assert found("alertgate_notifications_total", channel="other", outcome="other", reason="other") == 2
    assert found("alertgate_alerts_accepted_total", source="other", result="other") == 2
    assert found("alertgate_requests_total", method="other", route="/health", status="200") == 2


def test_an_audit_resets_findings_that_are_gone(metrics: Metrics):
    """Each audit reports all findings, so a kind that it leaves out is 0."""
    metrics.audit({"overdue": 2, "nobody_told": 1})
    metrics.audit({"overdue": 1})
    found = scraped(metrics)
    assert found("alertgate_audit_findings", kind="overdue") == 1
    assert found("alertgate_audit_findings", kind="nobody_told") == 0


def test_the_queue_gauges_show_the_present_queue(metrics: Metrics):
    """An empty queue is 0; a channel that is no longer configured is exported while something waits on it."""
    metrics.queue({(EMAIL, PENDING): 5, (OUTBOX, PENDING): 1}, {EMAIL: 12.5, OUTBOX: 3600.0})
    found = scraped(metrics)
    assert found("alertgate_queue_depth", channel="email", status="pending") == 5
    assert found("alertgate_queue_depth", channel="outbox", status="pending") == 1
    assert found("alertgate_queue_oldest_seconds", channel="outbox") == 3600
    metrics.queue({(EMAIL, SENDING): 2}, {EMAIL: -30.0})
    found = scraped(metrics)
    assert found("alertgate_queue_depth", channel="email", status="pending") == 0
    assert found("alertgate_queue_depth", channel="email", status="sending") == 2
    assert found("alertgate_queue_depth", channel="sms", status="pending") == 0
    assert found("alertgate_queue_oldest_seconds", channel="email") == 0  # due later, so nothing is late
    assert found("alertgate_queue_depth", channel="outbox", status="pending") is None


def test_an_unknown_queue_is_left_out(metrics: Metrics):
    """Old values would look like current ones."""
    metrics.queue({(EMAIL, PENDING): 5}, {EMAIL: 1.0})
    metrics.queue_unknown()
    found = scraped(metrics)
    assert found.series("alertgate_queue_depth") + found.series("alertgate_queue_oldest_seconds") == []


def test_a_clock_that_was_set_back_gives_no_negative_duration(metrics: Metrics):
    """The sum of a histogram never decreases."""
    metrics.alert_recorded("particle", "accepted", -1)
    metrics.delivered("email", -5)
    found = scraped(metrics)
    assert found("alertgate_delivery_seconds_sum", channel="email") == 0
    assert found("alertgate_accept_seconds_sum", source="particle") == 0


def test_openmetrics_is_returned_if_accepted(metrics: Metrics):
    """Prometheus sends this Accept header; the text ends with its end marker and passes the strict parser."""
    content, content_type = metrics.exposition("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.1")
    assert content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    names = {family.name for family in openmetrics(content.decode())}
    assert {"alertgate_alerts_accepted", "alertgate_build", "alertgate_delivery_seconds"} <= names


def test_there_are_no_created_series(metrics: Metrics):
    """The library's `_created` series would double the counters."""
    assert [name for name, _ in scraped(metrics).values if name.endswith("_created")] == []


def test_process_metrics_are_exported(metrics: Metrics):
    """Memory and open files are the resources that run out."""
    found = scraped(metrics)
    assert (found("process_resident_memory_bytes") or 0) > 0
    assert (found("process_open_fds") or 0) > 0


def test_metrics_are_not_global(metrics: Metrics):
    """Two gates in one process share no metrics, and the library's own registry stays empty."""
    other = Metrics("2", FakeClock(), LabelValues([EMAIL], ["accepted"], ["sent"], [], [], []))
    metrics.alert_recorded("particle", "accepted", 1)
    assert scraped(other)("alertgate_alerts_accepted_total", source="particle", result="accepted") == 0
    assert [family.name for family in REGISTRY.collect() if family.name.startswith("alertgate")] == []
