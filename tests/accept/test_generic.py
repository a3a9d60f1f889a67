"""The generic JSON body."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.accept.generic import read
from alertgate.accept.intake import IntakeContext
from alertgate.errors import FieldError, Invalid, Malformed, Rejected
from alertgate.model import Alert, AlertStatus, Severity, Signal, Source
from alertgate.rules import SeverityRules
from tests.builders import for_any
from tests.fakes import START

RECEIPT = IntakeContext(
    "alert-1", START, SeverityRules((("backup/*", Severity.CRITICAL),), Severity.WARNING), "request-1"
)


def _read(idempotency_key: str | None = None, **fields) -> Alert:
    return read(json.dumps({"event": "backup", "message": "No backup", **fields}).encode(), idempotency_key, RECEIPT)


def _problems(body: bytes) -> tuple[type[Rejected], tuple[FieldError, ...]]:
    with pytest.raises(Rejected) as caught:
        read(body, None, RECEIPT)
    return type(caught.value), caught.value.errors


def test_a_minimal_body_is_an_alert():
    """An event and a message are enough."""
    assert read(b'{"event": "backup", "message": "No backup"}', None, RECEIPT) == Alert(
        id="alert-1",
        received_at=START,
        source=Source.GENERIC,
        status=AlertStatus.ACCEPTED,
        signal=Signal.FIRING,
        event="backup",
        severity=Severity.WARNING,
        incident_key='generic:["generic","backup"]',
        message="No backup",
        request_id="request-1",
    )


def test_a_full_body_is_an_alert():
    """Every field is used, and unknown ones are kept."""
    body = {
        "event": "backup/failed",
        "message": "No backup for 26 hours",
        "source": "nas",
        "severity": "info",
        "status": "resolved",
        "dedup_key": "nas-backup",
        "timestamp": "2026-11-23T13:00:00+01:00",
        "details": {"volume": "tank"},
        "ticket": 7,
    }
    assert read(json.dumps(body).encode(), "once", RECEIPT) == Alert(
        id="alert-1",
        received_at=START,
        source=Source.GENERIC,
        status=AlertStatus.ACCEPTED,
        signal=Signal.RESOLVED,
        event="backup/failed",
        severity=Severity.INFO,
        incident_key='key:["nas-backup"]',
        device="nas",
        message="No backup for 26 hours",
        data={"volume": "tank"},
        fields={"ticket": 7, "source": "nas"},
        published_at=datetime(2026, 11, 23, 12, 0, 0, 0, UTC),
        repeat_key="generic:once",
        request_id="request-1",
    )


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({}, 'generic:["generic","backup"]'),
        ({"source": "nas"}, 'generic:["nas","backup"]'),
        ({"dedup_key": "x"}, 'key:["x"]'),
        ({"source": "nas", "dedup_key": "x"}, 'key:["x"]'),
        ({"source": None, "dedup_key": None}, 'generic:["generic","backup"]'),
    ],
)
def test_incidents_go_by_dedup_key_else_by_source_and_event(fields, key):
    """A dedup_key makes alerts one incident; without it, source and event do."""
    assert _read(**fields).incident_key == key


@pytest.mark.parametrize(("key", "dedup"), [("once", "generic:once"), ("", None), (None, None)])
def test_only_an_idempotency_key_makes_a_repeat_recognisable(key, dedup):
    """Two equal bodies without a key are two alerts."""
    assert _read(key).repeat_key == dedup


@pytest.mark.parametrize(
    ("fields", "severity"),
    [
        ({"severity": "critical"}, Severity.CRITICAL),
        ({"severity": "WARN"}, Severity.WARNING),
        ({"severity": "error"}, Severity.CRITICAL),
        ({"severity": None}, Severity.WARNING),
        ({"event": "backup/failed"}, Severity.CRITICAL),
        ({"event": "backup/failed", "severity": "low"}, Severity.INFO),
    ],
)
def test_severity_is_the_senders_else_the_rules(fields, severity):
    """The sender's severity comes first, in any system's spelling; then the rules; then the default."""
    assert _read(**fields).severity == severity


@pytest.mark.parametrize("timestamp", ["2026-11-23T12:00:00Z", 1795435200, 1795435200.0, "1795435200"])
def test_a_timestamp_is_iso_or_unix_seconds(timestamp):
    """Both common ways to write a time are read."""
    assert _read(timestamp=timestamp).published_at == datetime(2026, 11, 23, 12, 0, 0, 0, UTC)


def test_nan_is_kept_as_text():
    """Many encoders write NaN; the alert must not be lost for it."""
    alert = read(b'{"event": "e", "message": "m", "details": {"t": NaN}, "x": -Infinity}', None, RECEIPT)
    assert (alert.data, alert.fields) == ({"t": "nan"}, {"x": "-inf"})


@pytest.mark.parametrize(
    "body", [b"", b"{", b"event=backup", b'{"event": "\xff"}', b"[" * 5000, b'"\\ud800"', b"\xfe\xff"]
)
def test_a_body_that_is_not_json_is_malformed(body):
    """A body that isn't JSON is distinguished from JSON with wrong fields."""
    error, problems = _problems(body)
    assert error is Malformed
    assert [problem.field for problem in problems] == [""]
    assert problems[0].message.startswith("Invalid JSON: ")


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"text"'])
def test_json_that_is_not_an_object_is_invalid(body):
    """The error is about the body as a whole."""
    assert _problems(body) == (Invalid, (FieldError("", "Input should be an object"),))


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"event": ""}, FieldError("event", "String should have at least 1 character")),
        ({"event": "x" * 129}, FieldError("event", "String should have at most 128 characters")),
        ({"event": 7}, FieldError("event", "Input should be a valid string")),
        ({"event": None}, FieldError("event", "Input should be a valid string")),
        ({"message": ""}, FieldError("message", "String should have at least 1 character")),
        ({"message": "x" * 8193}, FieldError("message", "String should have at most 8192 characters")),
        ({"source": ""}, FieldError("source", "String should have at least 1 character")),
        ({"source": "x" * 129}, FieldError("source", "String should have at most 128 characters")),
        ({"severity": "severe"}, FieldError("severity", "Input should be 'info', 'warning' or 'critical'")),
        ({"severity": 3}, FieldError("severity", "Input should be 'info', 'warning' or 'critical'")),
        ({"status": "over"}, FieldError("status", "Input should be 'firing' or 'resolved'")),
        ({"dedup_key": ""}, FieldError("dedup_key", "String should have at least 1 character")),
        ({"dedup_key": "x" * 257}, FieldError("dedup_key", "String should have at most 256 characters")),
        ({"timestamp": "yesterday"}, FieldError("timestamp", "is neither ISO 8601 nor Unix seconds")),
        ({"timestamp": True}, FieldError("timestamp", "is neither ISO 8601 nor Unix seconds")),
        ({"timestamp": [1]}, FieldError("timestamp", "is neither ISO 8601 nor Unix seconds")),
        ({"timestamp": "0001-01-01T00:00:00Z"}, FieldError("timestamp", "is neither ISO 8601 nor Unix seconds")),
        ({"details": []}, FieldError("details", "Input should be an object")),
        ({"details": None}, FieldError("details", "Input should be an object")),
    ],
    ids=lambda value: str(value)[:40],
)
def test_each_wrong_field_is_named(fields, problem):
    """A wrong field is named with its problem, and without its value."""
    body = json.dumps({"event": "backup", "message": "No backup", **fields}).encode()
    assert _problems(body) == (Invalid, (problem,))


def test_all_problems_are_named_at_once():
    """A sender can fix its body in one go."""
    assert _problems(b'{"severity": "severe"}') == (
        Invalid,
        (
            FieldError("event", "Field required"),
            FieldError("message", "Field required"),
            FieldError("severity", "Input should be 'info', 'warning' or 'critical'"),
        ),
    )


@pytest.mark.parametrize("fields", [{"event": "x" * 128}, {"message": "x" * 8192}, {"source": "x" * 128}])
def test_fields_of_the_maximum_length_are_accepted(fields):
    """A field of exactly the maximum length is valid."""
    alert = _read(**fields)
    assert (alert.event, alert.message, alert.device) == (
        fields.get("event", "backup"),
        fields.get("message", "No backup"),
        fields.get("source"),
    )


@for_any
@given(st.binary() | st.from_regex(rb'\A\{"event": ?"[^"]*", ?"message": ?.*\}\Z'))
def test_any_bytes_are_an_alert_or_rejected_with_reasons(body):
    """No body raises anything but a rejection with reasons."""
    try:
        alert = read(body, None, RECEIPT)
    except Rejected as error:
        assert error.errors != ()  # noqa: PT017  (either result is correct)
    else:
        assert alert.status == AlertStatus.ACCEPTED
