"""The generic JSON body."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.accept.fields import MOST_LEVELS
from alertgate.accept.generic import understand
from alertgate.accept.intake import IntakeContext
from alertgate.accept.repeats import SenderId
from alertgate.errors import FieldError, Invalid, Malformed, Rejected
from alertgate.id_kind import IdKind
from alertgate.model import Alert, AlertStatus, Severity, Signal, Source
from alertgate.rules import SeverityRules
from tests.builders import for_any
from tests.fakes import START

RECEIPT = IntakeContext(
    "alert-1", START, SeverityRules((("backup/*", Severity.CRITICAL),), Severity.WARNING), "request-1"
)


ONCE = SenderId(IdKind.IDEMPOTENCY_KEY, "once")


def read(body: bytes, sender_id: SenderId | None, context: IntakeContext) -> Alert:
    """Return the alert that a body holds."""
    return understand(body, sender_id, context).alert


def _read(sender_id: SenderId | None = None, **fields) -> Alert:
    return read(json.dumps({"event": "backup", "message": "No backup", **fields}).encode(), sender_id, RECEIPT)


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
        content=_read().content,
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
    assert read(json.dumps(body).encode(), ONCE, RECEIPT) == Alert(
        id="alert-1",
        received_at=START,
        source=Source.GENERIC,
        status=AlertStatus.ACCEPTED,
        signal=Signal.RESOLVED,
        event="backup/failed",
        severity=Severity.INFO,
        incident_key='key:["nas","nas-backup"]',
        device="nas",
        message="No backup for 26 hours",
        data={"volume": "tank"},
        fields={"ticket": 7, "source": "nas"},
        published_at=datetime(2026, 11, 23, 12, 0, 0, 0, UTC),
        repeat_key=f'own_time:["nas","{_read(**body).content} 2026-11-23T12:00:00+00:00"]',
        id_kind=IdKind.OWN_TIME,
        content=_read(ONCE, **body).content,
        request_id="request-1",
    )


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({}, 'generic:["generic","backup"]'),
        ({"source": "nas"}, 'generic:["nas","backup"]'),
        ({"dedup_key": "x"}, 'key:["generic","x"]'),
        ({"source": "nas", "dedup_key": "x"}, 'key:["nas","x"]'),
        ({"details": {"door": "front"}}, 'generic:["generic","backup","door","front"]'),
        ({"door": "front", "details": {"volume": "tank"}}, 'generic:["generic","backup","door","front"]'),
        ({"door": "back", "details": {"door": "front"}}, 'generic:["generic","backup","door","front"]'),
        ({"dedup_key": "x", "details": {"door": "front"}}, 'key:["generic","x"]'),
        ({"source": None, "dedup_key": None}, 'generic:["generic","backup"]'),
    ],
)
def test_incidents_go_by_dedup_key_else_by_source_and_event(fields, key):
    """A dedup_key makes alerts one incident; without it, source and event do."""
    assert _read(**fields).incident_key == key


@pytest.mark.parametrize(
    ("sender_id", "repeat_key"),
    [
        (ONCE, 'idempotency_key:["","once"]'),
        (SenderId(IdKind.WEBHOOK_ID, "once"), 'webhook_id:["","once"]'),
        (None, None),
    ],
)
def test_a_senders_id_is_kept_with_its_kind_and_its_source(sender_id, repeat_key):
    """Two systems may use the same id."""
    assert (_read(sender_id).repeat_key, _read(sender_id).id_kind) == (repeat_key, sender_id and sender_id.kind)


@pytest.mark.parametrize("sender_id", [None, ONCE])
def test_an_all_clear_with_a_time_is_known_again_by_what_is_signed(sender_id):
    """By its content and its own time, whatever key stands beside it, unless that is signed too."""
    over = {"status": "ok", "timestamp": "2026-11-23T12:00:00Z"}
    key = _read(sender_id, **over).repeat_key
    assert (_read(**over).repeat_key, _read(sender_id, **over).id_kind) == (key, IdKind.OWN_TIME)
    others = ({"timestamp": 1795435201}, {"source": "b"}, {"message": "b"}, {"n": 2})
    assert len({key, *(_read(sender_id, **{**over, **other}).repeat_key for other in others)}) == 5
    assert _read(SenderId(IdKind.WEBHOOK_ID, "once"), **over).id_kind is IdKind.WEBHOOK_ID
    assert _read(sender_id, **over | {"status": "firing"}).id_kind is (sender_id and sender_id.kind)


@pytest.mark.parametrize("timestamp", ["yesterday", True, [1], {"at": 1}])
def test_an_all_clear_whose_time_cannot_be_read_has_a_key_of_its_own(timestamp):
    """It may be of any age, so it ends nothing, and its trail says why; an alarm isn't touched."""
    over = _read(status="ok", timestamp=timestamp)
    assert (over.incident_key, over.reason) == ('unclear:["alert-1"]', "resolves nothing: its timestamp can't be read")
    assert _read(timestamp=timestamp).incident_key == _read().incident_key


@pytest.mark.parametrize(
    "change",
    [{"message": "b"}, {"status": "ok"}, {"severity": "info"}, {"details": {"a": 1}}, {"x": 1}, {"source": "b"}],
)
def test_alerts_that_differ_have_different_digests(change):
    """A reused id then swallows none of them."""
    assert _read(**change).content != _read().content == _read(timestamp=1795435200).content


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
    "body", [b"", b"{", b"event=backup", b'{"event": "\xff"}', b"[" * 5000, b'{"event": "\\ud80"}', b"\xfe\xff"]
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
        ({"event": []}, FieldError("event", "String should have at least 1 character")),
        ({"event": None}, FieldError("event", "Input should be a valid string")),
        ({"message": ""}, FieldError("message", "String should have at least 1 character")),
        ({"message": {}}, FieldError("message", "String should have at least 1 character")),
        ({"message": None}, FieldError("message", "Input should be a valid string")),
    ],
    ids=str,
)
def test_only_an_alert_of_which_nothing_could_be_told_is_invalid(fields, problem):
    """Without an event or a message there is nothing to tell; the field is named, without the value."""
    body = json.dumps({"event": "backup", "message": "No backup", **fields}).encode()
    assert _problems(body) == (Invalid, (problem,))


def test_all_problems_are_named_at_once():
    """A sender can fix its body in one go."""
    assert _problems(b'{"severity": "severe"}') == (
        Invalid,
        (FieldError("event", "Field required"), FieldError("message", "Field required")),
    )


@pytest.mark.parametrize("fields", [{"event": "x" * 128}, {"message": "x" * 8192}, {"source": "x" * 128}])
def test_fields_of_the_maximum_length_are_shown_in_full(fields):
    """A field of exactly the maximum length isn't cut."""
    alert = _read(**fields)
    assert (alert.event, alert.message, alert.device) == (
        fields.get("event", "backup"),
        fields.get("message", "No backup"),
        fields.get("source"),
    )


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"event": "x" * 129}, ("x" * 127 + "…", "No backup", None)),
        ({"message": "x" * 8193}, ("backup", "x" * 8191 + "…", None)),
        ({"source": "x" * 129}, ("backup", "No backup", "x" * 127 + "…")),
        ({"dedup_key": "x" * 257}, ("backup", "No backup", None)),
    ],
    ids=["event", "message", "source", "dedup_key"],
)
def test_what_is_too_long_is_cut_and_kept_whole(fields, shown):
    """A long text doesn't cost the alert, and the API has all of it."""
    alert = _read(**fields)
    assert ((alert.event, alert.message, alert.device), alert.fields) == (shown, fields)


@pytest.mark.parametrize(("name", "longest"), [("event", 128), ("source", 128), ("dedup_key", 256)])
def test_a_cut_makes_no_two_things_one(name, longest):
    """Names that begin alike are incidents of their own, by keys of a bounded length."""
    keys = {_read(**{name: "x" * 100_000 + end}).incident_key for end in ("", "a", "b")}
    assert (len(keys), max(map(len, keys)) <= longest + 30) == (3, True)


@pytest.mark.parametrize(
    ("fields", "event", "message", "device", "key"),
    [
        ({"event": 7}, "7", "No backup", None, 'generic:["generic","7"]'),
        ({"event": True}, "true", "No backup", None, 'generic:["generic","true"]'),
        ({"message": 21.5}, "backup", "21.5", None, 'generic:["generic","backup"]'),
        ({"message": ["no", {"a": 1}]}, "backup", '["no", {"a": 1}]', None, 'generic:["generic","backup"]'),
        ({"source": 12}, "backup", "No backup", "12", 'generic:["12","backup"]'),
        ({"source": ""}, "backup", "No backup", None, 'generic:["generic","backup"]'),
        ({"dedup_key": 3}, "backup", "No backup", None, 'key:["generic","3"]'),
        ({"dedup_key": ""}, "backup", "No backup", None, 'generic:["generic","backup"]'),
        ({"dedup_key": []}, "backup", "No backup", None, 'generic:["generic","backup"]'),
    ],
    ids=str,
)
def test_what_is_no_text_is_read_as_text(fields, event, message, device, key):
    """Numbers, and whatever else a sender puts where a text belongs, don't cost the alert."""
    alert = _read(**fields)
    assert (alert.event, alert.message, alert.device, alert.incident_key) == (event, message, device, key)


@pytest.mark.parametrize(
    ("fields", "severity", "kept"),
    [
        ({"severity": " EMERG\n"}, Severity.CRITICAL, {}),
        ({"Severity": "fatal"}, Severity.CRITICAL, {"Severity": "fatal"}),
        ({"severity": "severe"}, Severity.WARNING, {"severity": "severe"}),
        ({"severity": 3}, Severity.WARNING, {"severity": 3}),
        ({"severity": ["critical"]}, Severity.WARNING, {"severity": ["critical"]}),
        ({"severity": ""}, Severity.WARNING, {}),
        ({"event": "backup/x", "severity": "severe"}, Severity.CRITICAL, {"severity": "severe"}),
    ],
    ids=str,
)
def test_an_unknown_severity_is_kept_and_the_rules_decide(fields, severity, kept):
    """A word that nobody knows doesn't cost the alert."""
    alert = _read(**fields)
    assert (alert.severity, alert.fields) == (severity, kept)


@pytest.mark.parametrize(
    ("fields", "signal", "kept"),
    [
        ({"status": "Closed "}, Signal.RESOLVED, {}),
        ({"STATUS": "ok"}, Signal.RESOLVED, {"STATUS": "ok"}),
        ({"status": " FIRING"}, Signal.FIRING, {}),
        ({"status": "over"}, Signal.FIRING, {"status": "over"}),
        ({"status": True}, Signal.FIRING, {"status": True}),
        ({"status": None}, Signal.FIRING, {}),
        ({"details": {"status": "ok"}}, Signal.FIRING, {}),
    ],
    ids=str,
)
def test_an_unknown_status_is_kept_and_fires(fields, signal, kept):
    """Only a known word ends an incident."""
    alert = _read(**fields)
    assert (alert.signal, alert.fields, alert.reason) == (signal, kept, None)


@pytest.mark.parametrize("fields", [{"details": {"smoke": True}}, {"smoke": True}, {"details": '{"smoke": true}'}])
def test_a_doubtful_all_clear_fires_and_says_why(fields):
    """A status that an alarm contradicts ends nothing, and stays to be seen."""
    alert = _read(status="ok", **fields)
    assert (alert.signal, alert.fields["status"], alert.reason) == (
        Signal.FIRING,
        "ok",
        "fires, because its status says resolved, but a field named smoke is on",
    )


@pytest.mark.parametrize(
    "details", [{"status": "firing"}, {"a": [{"status": "open"}]}, [{"status": "alarm"}], '{"status": "down"}'], ids=str
)
def test_a_status_in_the_details_contradicts(details):
    """Details never end anything, but they can say that it isn't over."""
    alert = _read(status="ok", details=details)
    assert (alert.signal, alert.reason) == (
        Signal.FIRING,
        "fires, because one status says resolved and another one doesn't",
    )


def test_an_event_that_is_an_alarm_with_details_that_are_on_is_no_all_clear():
    """`leak` with 1 for its details is as doubtful as a device's."""
    assert (_read(event="leak", status="ok", details=1).signal, _read(event="leak", status="ok", details=0).signal) == (
        Signal.FIRING,
        Signal.RESOLVED,
    )


@pytest.mark.parametrize(
    "timestamp",
    ["yesterday", True, [1], "0001-01-01T00:00:00Z", -1, 10**20, 1e300, "{{time}}", {"at": 1}, "\udcff"],
    ids=ascii,
)
def test_a_timestamp_that_cannot_be_read_is_kept(timestamp):
    """The alert counts without its time, and shows what was sent instead."""
    alert = _read(timestamp=timestamp)
    assert (alert.published_at, alert.fields) == (None, {"timestamp": timestamp})


@pytest.mark.parametrize(
    ("details", "data", "kept"),
    [
        ({}, None, {}),
        ([], None, {}),
        (None, None, {}),
        ("", None, {}),
        ([1, {"a": 2}], [1, {"a": 2}], {}),
        ('{"a": 1}', {"a": 1}, {}),
        ("disk 3", None, {"details": "disk 3"}),
        (21.5, None, {"details": 21.5}),
        (False, None, {"details": False}),
    ],
    ids=str,
)
def test_details_of_any_kind_are_shown(details, data, kept):
    """Details that aren't an object are a table if they can be, else they stand among the other fields."""
    alert = _read(details=details)
    assert (alert.data, alert.fields) == (data, kept)


@pytest.mark.parametrize(
    ("body", "message", "data"),
    [
        (b'{"event": "e", "message": "a\\udfffb", "details": {"a": "\\ud800"}}', "a\\udfffb", {"a": "\ud800"}),
        (b'\xef\xbb\xbf{"event": "e", "message": "m"}', "m", None),
        ('{"event": "e", "message": "é"}'.encode("utf-16"), "é", None),
        (b'{"event": "e", "message": "m", "details": {"n": ' + b"9" * 5000 + b"}}", "m", {"n": "9" * 5000}),
    ],
    ids=["lone surrogates", "a byte order mark", "UTF-16", "5,000 digits"],
)
def test_odd_json_is_an_alert(body, message, data):
    """What Python's parser takes and pydantic's doesn't costs no alert."""
    alert = read(body, None, RECEIPT)
    assert (alert.message, alert.data) == (message, data)


@pytest.mark.parametrize("depth", [199, 230, 400])
def test_what_is_nested_deep_is_kept_as_text_from_some_depth_on(depth):
    """Nesting costs no alert, up to what Python's parser can take."""
    data = read(b'{"event": "e", "message": "m", "details": ' + b"[" * depth + b"]" * depth + b"}", None, RECEIPT).data
    for _ in range(min(depth, MOST_LEVELS) - 1):
        [data] = data
    assert data == ([] if depth <= MOST_LEVELS else ["[" * (depth - MOST_LEVELS) + "]" * (depth - MOST_LEVELS)])


@pytest.mark.parametrize("name", ["x", "severity", "status", "timestamp", "source", "dedup_key"])
def test_no_field_is_nested_too_deep(name):
    """Deep nesting costs no alert in any field."""
    body = b'{"event": "e", "message": "m", "%b": ' % name.encode() + b'[{"a": ' * 200 + b"1" + b"}]" * 200 + b"}"
    alert = read(body, None, RECEIPT)
    json.dumps(alert.fields)


def test_nesting_without_end_is_malformed():
    """What no parser here can take is refused, and says so."""
    body = b'{"event": "e", "message": "m", "details": ' + b"[" * 60_000 + b"]" * 60_000 + b"}"
    error, [problem] = _problems(body)
    assert (error, problem.message.startswith("Invalid JSON: ")) == (Malformed, True)


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


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@for_any
@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ["source", "severity", "status", "dedup_key", "timestamp", "details", "Status", "smoke"], any_json
        ),
    )
)
def test_no_decoration_costs_an_alert(fields):
    """Whatever stands beside event and message, the alert goes through, and can be stored."""
    alert = _read(**fields)
    assert (alert.event, alert.message) == ("backup", "No backup")
    json.dumps([alert.data, alert.fields], allow_nan=False)
