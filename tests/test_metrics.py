"""The metrics by themselves: what each method counts, and that nothing grows without end."""

import pytest
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics

from alertgate.metrics import LabelValues, Metrics
from alertgate.model import ChannelName, NotificationStatus
from tests.fakes import START, FakeClock
from tests.scrape import Scrape, scrape

EMAIL, SMS, OUTBOX = ChannelName.EMAIL, ChannelName.SMS, ChannelName.OUTBOX
PENDING, SENDING = NotificationStatus.PENDING, NotificationStatus.SENDING


@pytest.fixture
def metrics() -> Metrics:
    """Metrics with short closed lists."""
    words = LabelValues(
        channels=[EMAIL, SMS],
        results=["accepted", "duplicate"],
        reasons=["sent", "timeout"],
        findings=["overdue", "nobody_told"],
        guards=["api"],
        budgets=["failed"],
    )
    return Metrics("1.2.3", FakeClock(), words)


def taken(metrics: Metrics) -> Scrape:
    """Scrape without HTTP."""
    content, content_type = metrics.exposition()
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    return scrape(content.decode())


def test_every_series_that_can_be_known_is_there_with_zero(metrics: Metrics):
    """A counter that appeared with its first step would hide that step from `increase`."""
    found = taken(metrics)
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


def test_each_method_counts_what_it_is_named_for(metrics: Metrics):
    """One call of each, and what it changes."""
    metrics.alert_recorded("particle", "accepted", 0.02)
    metrics.attempted("email", "transient", "timeout")
    metrics.attempted("email", "sent", "sent")
    metrics.delivered("email", 7.5)
    metrics.failed("sms")
    metrics.channel_state("sms", up=False)
    metrics.audit({"overdue": 3})
    metrics.store_state(up=True)
    metrics.committed(4, 0.003)
    metrics.answered("POST", "/webhook/particle", 202)
    metrics.auth_failed("api")
    metrics.rate_limited("failed")
    found = taken(metrics)
    assert found("alertgate_alerts_accepted_total", source="particle", result="accepted") == 1
    assert found("alertgate_accept_seconds_sum", source="particle") == 0.02
    assert found("alertgate_notifications_total", channel="email", outcome="transient", reason="timeout") == 1
    assert found("alertgate_notifications_total", channel="email", outcome="sent", reason="sent") == 1
    assert found("alertgate_delivery_seconds_bucket", channel="email", le="5.0") == 0
    assert found("alertgate_delivery_seconds_bucket", channel="email", le="10.0") == 1
    assert found("alertgate_channel_last_success_timestamp_seconds", channel="email") == START.timestamp()
    assert found("alertgate_notifications_failed_total", channel="sms") == 1
    assert found("alertgate_channel_up", channel="sms") == 0
    assert found("alertgate_audit_findings", kind="overdue") == 3
    assert found("alertgate_store_up") == 1
    assert found("alertgate_store_batch_size_sum") == 4
    assert found("alertgate_store_commit_seconds_sum") == 0.003
    assert found("alertgate_requests_total", method="POST", route="/webhook/particle", status="202") == 1
    assert found("alertgate_auth_failures_total", guard="api") == 1
    assert found("alertgate_rate_limited_total", budget="failed") == 1


def test_a_word_outside_its_closed_list_is_counted_as_other(metrics: Metrics):
    """No defect and no caller makes series without end, and nothing foreign becomes a label."""
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
    found = taken(metrics)
    assert [value for _, _, value in found.labels() if "example" in value] == []
    assert found("alertgate_notifications_total", channel="other", outcome="other", reason="other") == 2
    assert found("alertgate_alerts_accepted_total", source="other", result="other") == 2
    assert found("alertgate_requests_total", method="other", route="/health", status="200") == 2


def test_an_audit_takes_back_what_it_no_longer_finds(metrics: Metrics):
    """Each audit says all there is."""
    metrics.audit({"overdue": 2, "nobody_told": 1})
    metrics.audit({"overdue": 1})
    found = taken(metrics)
    assert found("alertgate_audit_findings", kind="overdue") == 1
    assert found("alertgate_audit_findings", kind="nobody_told") == 0


def test_the_queue_is_what_waits_now(metrics: Metrics):
    """What is gone counts 0; a channel that is no longer configured shows while something waits on it."""
    metrics.queue({(EMAIL, PENDING): 5, (OUTBOX, PENDING): 1}, {EMAIL: 12.5, OUTBOX: 3600.0})
    found = taken(metrics)
    assert found("alertgate_queue_depth", channel="email", status="pending") == 5
    assert found("alertgate_queue_depth", channel="outbox", status="pending") == 1
    assert found("alertgate_queue_oldest_seconds", channel="outbox") == 3600
    metrics.queue({(EMAIL, SENDING): 2}, {EMAIL: -30.0})
    found = taken(metrics)
    assert found("alertgate_queue_depth", channel="email", status="pending") == 0
    assert found("alertgate_queue_depth", channel="email", status="sending") == 2
    assert found("alertgate_queue_depth", channel="sms", status="pending") == 0
    assert found("alertgate_queue_oldest_seconds", channel="email") == 0  # due later: nothing is late
    assert found("alertgate_queue_depth", channel="outbox", status="pending") is None


def test_an_unknown_queue_is_left_out(metrics: Metrics):
    """Old figures would look like good ones."""
    metrics.queue({(EMAIL, PENDING): 5}, {EMAIL: 1.0})
    metrics.queue_unknown()
    found = taken(metrics)
    assert found.series("alertgate_queue_depth") + found.series("alertgate_queue_oldest_seconds") == []


def test_a_clock_that_was_set_back_makes_no_negative_time(metrics: Metrics):
    """A histogram's sum only ever grows."""
    metrics.alert_recorded("particle", "accepted", -1)
    metrics.delivered("email", -5)
    found = taken(metrics)
    assert found("alertgate_delivery_seconds_sum", channel="email") == 0
    assert found("alertgate_accept_seconds_sum", source="particle") == 0


def test_openmetrics_is_given_to_those_who_ask_for_it(metrics: Metrics):
    """Prometheus asks like this; the text must end with its end mark and parse strictly."""
    content, content_type = metrics.exposition("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.1")
    assert content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    names = {family.name for family in openmetrics(content.decode())}
    assert {"alertgate_alerts_accepted", "alertgate_build", "alertgate_delivery_seconds"} <= names


def test_no_series_tells_when_another_was_made(metrics: Metrics):
    """The library's `_created` series would double the counters."""
    assert [name for name, _ in taken(metrics).values if name.endswith("_created")] == []


def test_process_metrics_are_there(metrics: Metrics):
    """Memory and open files are what runs out."""
    found = taken(metrics)
    assert (found("process_resident_memory_bytes") or 0) > 0
    assert (found("process_open_fds") or 0) > 0


def test_nothing_is_global(metrics: Metrics):
    """Two gates in one process don't count into each other, nor into the library's own registry."""
    other = Metrics("2", FakeClock(), LabelValues([EMAIL], ["accepted"], ["sent"], [], [], []))
    metrics.alert_recorded("particle", "accepted", 1)
    assert taken(other)("alertgate_alerts_accepted_total", source="particle", result="accepted") == 0
    assert [family.name for family in REGISTRY.collect() if family.name.startswith("alertgate")] == []
