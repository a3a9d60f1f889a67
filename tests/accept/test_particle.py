"""Particle's bodies."""

import base64
import html
import json
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.accept.intake import IntakeContext
from alertgate.accept.particle import FORM, MOST_FIELDS, read_data, understand
from alertgate.accept.repeats import content_digest
from alertgate.id_kind import IdKind
from alertgate.model import Alert, AlertStatus, Severity, Signal, Source
from alertgate.rules import SeverityRules
from tests.builders import for_any
from tests.fakes import START

JSON = "application/json"
DEVICE = "3f002b000000000000000000"
RECEIPT = IntakeContext(
    "alert-1", START, SeverityRules((("alarm*", Severity.CRITICAL),), Severity.WARNING), "request-1"
)

# Particle's "Webhooks" reference, the request of a webhook with only an event and a URL.
DEFAULT_FORM = b"event=demo&data=mydata&published_at=2017-02-01T21%3A08%3A05.763Z&coreid=3f002b000000000000000000"
DEFAULT_JSON = json.dumps(
    {"event": "demo", "data": "mydata", "published_at": "2017-02-01T21:08:05.763Z", "coreid": DEVICE}
).encode()
DEFAULT_ALERT = Alert(
    id="alert-1",
    received_at=START,
    source=Source.PARTICLE,
    status=AlertStatus.ACCEPTED,
    signal=Signal.FIRING,
    event="demo",
    severity=Severity.WARNING,
    incident_key=f'particle:["{DEVICE}","demo"]',
    device=DEVICE,
    data="mydata",
    published_at=datetime(2017, 2, 1, 21, 8, 5, 763000, UTC),
    content=content_digest(DEVICE, "demo", "mydata", {}),
    request_id="request-1",
)

json_objects = st.dictionaries(
    st.text(),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    ),
    max_size=5,
)


def read(body: bytes, content_type: str | None, context: IntakeContext, query: bytes = b"") -> Alert:
    """Return the alert that a request holds."""
    return understand(body, content_type, context, query).alert


def _json(**fields) -> Alert:
    return read(json.dumps({"event": "demo", "coreid": DEVICE, **fields}).encode(), JSON, RECEIPT)


def _form(**fields) -> Alert:
    return read(urlencode({"event": "demo", "coreid": DEVICE, **fields}).encode(), FORM, RECEIPT)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(DEFAULT_FORM, FORM), (DEFAULT_JSON, JSON), (DEFAULT_JSON, None), (DEFAULT_JSON, "text/plain")],
)
def test_particles_own_bodies_are_read(body, content_type):
    """The default form, byte for byte, JSON, and JSON without a content type all give the same alert."""
    alert = read(body, content_type, RECEIPT)
    assert alert == DEFAULT_ALERT


def test_the_whole_event_is_read():
    """A template of {{{PARTICLE_EVENT_JSON}}} has the event under `name`, and all its fields are kept."""
    body = {
        "name": "alarm/motion",
        "data": "hall",
        "ttl": "60",
        "published_at": "2017-02-01T21:08:05.763Z",
        "coreid": DEVICE,
        "userid": "",
        "version": 7,
        "public": False,
        "productID": 1234,
    }
    alert = read(json.dumps(body).encode(), None, RECEIPT)
    assert (alert.event, alert.device, alert.data, alert.severity) == (
        "alarm/motion",
        DEVICE,
        "hall",
        Severity.CRITICAL,
    )
    assert alert.fields == {
        "name": "alarm/motion",
        "ttl": "60",
        "userid": "",
        "version": 7,
        "public": False,
        "productID": 1234,
    }


def test_event_wins_over_name():
    """`name` is the event only if there is no `event`."""
    assert _json(name="another").event == "demo"


@pytest.mark.parametrize(
    ("data", "read_as"),
    [
        ("motion in the hall", "motion in the hall"),
        ("", ""),
        ("21.5", "21.5"),
        ("true", "true"),
        ('"quoted"', '"quoted"'),
        ('{"t": 21.5, "ok": true}', {"t": 21.5, "ok": True}),
        (' [1, {"a": null}]', [1, {"a": None}]),
        ("{&quot;t&quot;: 21.5, &quot;say&quot;: &quot;a &amp; b&quot;}", {"t": 21.5, "say": "a & b"}),
        ("[&#34;a&#34;,&#x27;]", "[&#34;a&#34;,&#x27;]"),
        ('{"say": "&quot;"}', {"say": "&quot;"}),
        ("{not json", "{not json"),
        ("{{PARTICLE_EVENT_VALUE}}", "{{PARTICLE_EVENT_VALUE}}"),
        ("Tom &amp; Jerry", "Tom &amp; Jerry"),
        ('{"t": NaN}', {"t": "nan"}),
        ("[" * 5000, "[" * 5000),
        ("data:image/jpeg;base64,/9j/4A==", "data:image/jpeg;base64,/9j/4A=="),
        (None, None),
        (21.5, 21.5),
        (False, False),
        ({"t": {"u": [1]}}, {"t": {"u": [1]}}),
        ([], []),
        ({"buffer": {"_type": "buffer", "_data": "aGk="}}, {"buffer": {"_type": "buffer", "_data": "aGk="}}),
    ],
    ids=lambda value: str(value)[:30],
)
def test_data_is_parsed_by_its_format(data, read_as):
    """Text, JSON text, JSON text escaped for HTML, a JSON value and a data: URL are distinguished."""
    assert _json(data=data).data == read_as


def test_data_in_a_form_is_read_too():
    """JSON text in a form is parsed as in JSON."""
    assert _form(data='{"t": 21.5}').data == {"t": 21.5}


def test_typed_publish_keeps_its_data_url():
    """Binary data of the maximum size passes through a form unchanged."""
    url = f"data:application/octet-stream;base64,{base64.b64encode(bytes(range(256)) * 64).decode()}"
    assert _form(data=url).data == url


@pytest.mark.parametrize(
    ("data", "kept"), [(b"caf%e9", "caf\udce9"), (b'{"a":"%ff"}', '{"a":"\udcff"}'), (b"\xff", "\udcff")], ids=ascii
)
def test_data_that_is_not_utf8_is_kept(data, kept):
    """Data in another encoding is kept as surrogates, and the alert is accepted."""
    alert = read(b"event=demo&data=" + data, FORM, RECEIPT)
    assert (alert.status, alert.data) == (AlertStatus.ACCEPTED, kept)


@pytest.mark.parametrize(
    ("fields", "severity"),
    [
        ({}, Severity.WARNING),
        ({"event": "alarm/motion"}, Severity.CRITICAL),
        ({"event": "alarm/motion", "data": {"severity": "info"}}, Severity.INFO),
        ({"data": '{"severity": "critical"}'}, Severity.CRITICAL),
        ({"severity": "critical"}, Severity.CRITICAL),
        ({"severity": "critical", "data": {"severity": "info"}}, Severity.INFO),
        ({"severity": "{{severity}}"}, Severity.WARNING),
        ({"severity": " FATAL\n", "data": {"severity": "so so"}}, Severity.CRITICAL),
        ({"Severity": "err"}, Severity.CRITICAL),
        ({"data": {"SEVERITY ": "Major"}}, Severity.WARNING),
        ({"data": {"severity": ["critical"]}}, Severity.WARNING),
    ],
)
def test_severity_is_the_devices_else_the_rules(fields, severity):
    """The severity in the data comes first, then the template's, then the rules."""
    assert _json(**fields).severity == severity


@pytest.mark.parametrize(
    ("fields", "signal"),
    [
        ({"data": {"status": "resolved"}}, Signal.RESOLVED),
        ({"data": '{"status": "resolved"}'}, Signal.RESOLVED),
        ({"data": {"status": " OK\n"}}, Signal.RESOLVED),
        ({"data": {"Status": "Closed"}}, Signal.RESOLVED),
        ({"data": "{&quot;status&quot;:&quot;recovered&quot;}"}, Signal.RESOLVED),
        ({"status": "Normal"}, Signal.RESOLVED),
        ({"status": "clear", "data": "kitchen"}, Signal.RESOLVED),
        ({"status": "clear", "data": {"status": "ok"}}, Signal.RESOLVED),
        ({"data": {"status": "firing"}}, Signal.FIRING),
        ({"data": {"status": ["resolved"]}}, Signal.FIRING),
        ({"data": {"status": True}}, Signal.FIRING),
        ({"data": [{"status": "ok"}]}, Signal.FIRING),
        ({"data": "resolved"}, Signal.FIRING),
    ],
    ids=str,
)
def test_a_device_can_say_that_it_is_over(fields, signal):
    """A `status` in the data or beside it ends the incident, in many words; anything else fires."""
    alert = _json(**fields)
    assert (alert.signal, alert.reason) == (signal, None)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (
            {"data": {"status": "ok", "smoke": True}},
            "fires, because its status says resolved, but a field named smoke is on",
        ),
        (
            {"data": {"status": "ok"}, "tamper": "1"},
            "fires, because its status says resolved, but a field named tamper is on",
        ),
        (
            {"data": {"status": "ok"}, "status": "open"},
            "fires, because one status says resolved and another one doesn't",
        ),
        (
            {"data": [{"status": "firing"}], "status": "ok"},
            "fires, because one status says resolved and another one doesn't",
        ),
        (
            {"event": "kitchen/leak", "data": "1", "status": "ok"},
            "fires, because its status says resolved, but its event names leak and its data is on",
        ),
    ],
)
def test_a_doubtful_all_clear_fires_and_says_why(fields, reason):
    """What may not be over isn't ended."""
    alert = _json(**fields)
    assert (alert.signal, alert.reason) == (Signal.FIRING, reason)


@pytest.mark.parametrize(("value", "text"), [(7, "7"), (7.5, "7.5"), ("7", "7")])
def test_a_template_without_quotes_sends_numbers(value, text):
    """Names and ids that look like numbers are read as text."""
    alert = _json(event=value, coreid=value, event_id=value)
    assert (alert.event, alert.device, alert.repeat_key) == (text, text, f'event_id:["{text}","{text}"]')


@pytest.mark.parametrize("unfilled", ["{{PARTICLE_DEVICE_ID}}", "{{{PARTICLE_DEVICE_ID}}}", "", "  ", None])
def test_an_unfilled_template_variable_is_no_device(unfilled):
    """A template variable that Particle didn't fill in counts as absent."""
    alert = _json(coreid=unfilled)
    assert (alert.status, alert.device, alert.incident_key) == (AlertStatus.ACCEPTED, None, 'particle:["","demo"]')


@pytest.mark.parametrize("published_at", ["{{PARTICLE_PUBLISHED_AT}}", "yesterday", 1e300, ["2017"]])
def test_a_time_that_cannot_be_read_is_kept(published_at):
    """The alert has no time, and keeps the value that was sent."""
    alert = _json(published_at=published_at)
    assert (alert.published_at, alert.fields) == (None, {"published_at": published_at})


def test_an_event_id_is_the_devices_own():
    """Firmware of two devices may number its events alike."""
    first, second = _json(event_id="1"), _json(event_id="1", coreid="3f002b000000000000000001")
    assert (first.repeat_key, first.id_kind) == (f'event_id:["{DEVICE}","1"]', IdKind.EVENT_ID)
    assert second.repeat_key != first.repeat_key


def test_an_event_has_one_digest_through_any_template():
    """In either form, in any order, with and without what Particle adds, and escaped for HTML or not."""
    turned = b"&".join(reversed(DEFAULT_FORM.split(b"&"))) + b"&fw_version=8&userid=5&event_id=e-1"
    bodies = [(DEFAULT_FORM, FORM), (DEFAULT_JSON, JSON), (turned, FORM)]
    assert {read(body, content_type, RECEIPT).content for body, content_type in bodies} == {DEFAULT_ALERT.content}
    escaped = {"data": "{&quot;door&quot;:&quot;front&quot;}", "published_at": DEFAULT_ALERT.published_at.isoformat()}
    assert _json(**escaped).content == _json(**{**escaped, "data": {"door": "front"}}).content


@pytest.mark.parametrize(
    "change",
    [
        {"event": "demo2"},
        {"data": "mydata2"},
        {"data": None},
        {"coreid": DEVICE[:-1] + "1"},
        {"status": "ok"},
        {"t": 3},
    ],
)
def test_a_change_in_any_field_is_another_event(change):
    """Whatever differs may be another event, so it has another digest."""
    changed = _json(**{**json.loads(DEFAULT_JSON), **change}).content
    assert changed is not None
    assert changed != DEFAULT_ALERT.content


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"published_at": ""},
        {"published_at": None},
        {"published_at": "{{PARTICLE_PUBLISHED_AT}}"},
        {"published_at": "{{{PARTICLE_PUBLISHED_AT}}}", "event_id": "{{{PARTICLE_EVENT_ID}}}"},
        {"published_at": "2017-02-01T21:08:05.763Z", "coreid": ""},
        {"published_at": "2017-02-01T21:08:05.763Z", "coreid": "{{PARTICLE_DEVICE_ID}}"},
        {"event_id": "  "},
    ],
)
def test_without_time_or_device_every_event_is_new(fields):
    """Two equal bodies may be two events, so neither is dropped as a repeat of the other."""
    assert (_json(**fields).repeat_key, _json(**fields).content) == (None, None)


@pytest.mark.parametrize(
    "fields",
    [
        {"eventId": 7},
        {"event-id": "e1"},
        {"event_id": {"value": 7}},
        {"event": {"name": "leak", "event_id": 7}},
        {"event": {"name": "leak", "published_at": "2017-02-01T21:08:05Z"}, "coreid": "C"},
        {"published": 1, "coreid": "C"},
        {"published": "2026-11-25", "coreid": "C"},
        {"publishedAt": "2017-02-01T21:08:05Z", "coreid": "C"},
        {"published_at": {"value": "2017-02-01T21:08:05Z"}, "coreid": "C"},
    ],
    ids=str,
)
def test_only_particles_own_names_make_a_repeat(fields):
    """Under another name an id may be a counter and a time a date, and the next alarm would be lost."""
    alert = _json(**fields)
    assert (alert.status, alert.repeat_key, alert.content) == (AlertStatus.ACCEPTED, None, None)


@pytest.mark.parametrize(
    ("body", "content_type", "error"),
    [
        (b"", None, "Invalid JSON: EOF while parsing a value at line 1 column 0"),
        (b"", FORM, "event: Field required"),
        (b"\xff\xfe\x00", JSON, "Invalid JSON: expected value at line 1 column 1"),
        (b"not json", JSON, "Invalid JSON: expected ident at line 1 column 2"),
        (b"event=demo", None, "Invalid JSON: expected value at line 1 column 1"),
        (b"null", None, "Input should be an object"),
        (b"[]", None, "Input should be an object"),
        (b'"demo"', None, "Input should be an object"),
        (b"{}", None, "event: Field required"),
        (b"data=x", FORM, "event: Field required"),
        (b'{"event": "demo"}', FORM, "event: Field required"),
        (b"event=", FORM, "event: String should have at least 1 character"),
        (b'{"event": null}', None, "event: Input should be a valid string"),
        (b'{"event": true}', None, "event: Input should be a valid string"),
        (b'{"event": "\\ud800"}', None, "Invalid JSON: unexpected end of hex escape at line 1 column 18"),
        (b'{"event": ["demo"]}', None, "event: Input should be a valid string"),
        (b'{"event": "%b"}' % (b"x" * 257), None, "event: String should have at most 256 characters"),
        (b'{"event": "demo", "coreid": {}}', None, "coreid: Input should be a valid string"),
        (
            b'{"event": "demo", "coreid": "%b"}' % (b"x" * 129),
            None,
            "coreid: String should have at most 128 characters",
        ),
        (b'{"event": "demo", "event_id": true}', None, "event_id: Input should be a valid string"),
        (b"&".join([b"a=1"] * (MOST_FIELDS + 1)), FORM, "Max number of fields exceeded"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_unreadable_body_is_quarantined_whole(body, content_type, error):
    """An unreadable body is kept as received, with the reason, and still fires."""
    alert = read(body, content_type, RECEIPT)
    assert (alert.status, alert.signal, alert.errors, alert.raw) == (
        AlertStatus.QUARANTINED,
        Signal.FIRING,
        (error,),
        body,
    )
    assert (alert.id, alert.received_at, alert.request_id, alert.repeat_key) == ("alert-1", START, "request-1", None)


@pytest.mark.parametrize("depth", [199, 300, 60_000])
def test_deep_nesting_does_no_harm(depth):
    """A body of any nesting depth is read or quarantined."""
    alert = read(b'{"event": "demo", "data": ' + b"[" * depth + b"]" * depth + b"}", JSON, RECEIPT)
    assert alert.status == (AlertStatus.ACCEPTED if depth < 200 else AlertStatus.QUARANTINED)


def test_a_body_without_any_name_is_called_unreadable():
    """What names neither event nor device has the default severity, and a digest for its sender."""
    alert = read(b"????", None, RECEIPT)
    assert (alert.event, alert.device, alert.incident_key, alert.severity) == (
        "unreadable",
        None,
        f'unreadable:["{sha256(b"????").hexdigest()[:32]}","unreadable"]',
        Severity.WARNING,
    )


@pytest.mark.parametrize(
    "body",
    [
        # Two braces around the value of a device that publishes JSON, or three around text with quotes.
        b'{"event":"alarm/motion","data":"{"t":1}","coreid":"3f002b000000000000000000"}',
        b'{"event": "alarm/motion", "data": "he said "hi"", "coreid" : "3f002b000000000000000000"}',
        b'{"coreid":"3f002b000000000000000000","event":"alarm/motion","data":}',
        b'{"event":"alarm/motion","data":"{"event":"inner","coreid":"0"}","coreid":"3f002b000000000000000000"}',
        b'{"event":"alarm/motion","data":"\xff\n","coreid":"3f002b000000000000000000"}',
        b'{"event":"alarm/motion","coreid":"3f002b000000000000000000","data":"cut of',
    ],
)
def test_event_and_device_are_extracted_from_a_broken_template(body):
    """They decide the incident key and the severity, although quotes in the data broke the body."""
    alert = read(body, None, RECEIPT)
    assert (alert.status, alert.event, alert.device, alert.severity, alert.raw) == (
        AlertStatus.QUARANTINED,
        "alarm/motion",
        DEVICE,
        Severity.CRITICAL,
        body,
    )
    assert alert.incident_key == f'unreadable:["{DEVICE}","alarm/motion"]'


@pytest.mark.parametrize("event", ["", "x" * 129, "a\nb", 'a\\"b'])
def test_only_plain_names_are_extracted(event):
    """A name with control characters or escapes, or an overlong one, isn't extracted."""
    assert read(f'{{"event":"{event}","data":"'.encode(), None, RECEIPT).event == "unreadable"


@pytest.mark.parametrize(("name", "longest"), [("event", 256), ("coreid", 128), ("event_id", 128)])
def test_names_of_the_maximum_length_are_accepted(name, longest):
    """A name of exactly the maximum length is valid."""
    assert _json(**{name: "x" * longest}).status == AlertStatus.ACCEPTED


def test_as_many_fields_as_allowed_are_kept():
    """Unknown fields of a form are kept, up to the limit."""
    fields = {f"f{number}": str(number) for number in range(MOST_FIELDS - 2)}
    assert _form(**fields).fields == fields


QUERY = b"event=alarm%2Fmotion&coreid=3f002b000000000000000000&room=hall&data=%7B%22t%22%3A1%7D"


def test_a_query_string_alone_is_an_event():
    """GET and DELETE have no body; their fields are the query's."""
    alert = read(b"", None, RECEIPT, QUERY)
    assert (alert.status, alert.event, alert.device, alert.data, alert.fields, alert.severity) == (
        AlertStatus.ACCEPTED,
        "alarm/motion",
        DEVICE,
        {"t": 1},
        {"room": "hall"},
        Severity.CRITICAL,
    )


@pytest.mark.parametrize(
    ("body", "content_type"), [(b'{"event": "demo", "fw": "7"}', JSON), (b"event=demo&fw=7", FORM)]
)
def test_a_query_string_joins_the_body(body, content_type):
    """The body wins where both name a field, and all other fields are kept."""
    alert = read(body, content_type, RECEIPT, QUERY)
    assert (alert.event, alert.device, alert.data, alert.fields) == (
        "demo",
        DEVICE,
        {"t": 1},
        {"room": "hall", "fw": "7"},
    )


def test_a_query_may_hold_any_bytes():
    """What is no UTF-8 is shown as such, and costs no alert."""
    alert = read(b"", None, RECEIPT, b"event=T%FCr&data=%ff&room=%e9")
    assert (alert.status, alert.event, alert.data, alert.fields) == (
        AlertStatus.ACCEPTED,
        "T\\udcfcr",
        "\udcff",
        {"room": "\udce9"},
    )


def test_a_query_that_cannot_be_read_costs_no_alert():
    """Beside a body it is kept as it came; alone it is quarantined whole."""
    query = b"&".join([b"a=1"] * (MOST_FIELDS + 1))
    beside, alone = read(b'{"event": "demo"}', JSON, RECEIPT, query), read(b"", None, RECEIPT, query)
    assert (beside.status, beside.fields) == (AlertStatus.ACCEPTED, {"query": query.decode()})
    assert (alone.status, alone.raw, alone.errors) == (
        AlertStatus.QUARANTINED,
        query,
        ("Max number of fields exceeded",),
    )


def test_the_query_of_an_unreadable_body_is_kept_and_names_it():
    """What the query says isn't lost with the body."""
    alert = read(b"{", JSON, RECEIPT, QUERY)
    assert (alert.status, alert.event, alert.device, alert.raw, alert.incident_key) == (
        AlertStatus.QUARANTINED,
        "alarm/motion",
        DEVICE,
        b"{",
        f'unreadable:["{DEVICE}","alarm/motion"]',
    )
    assert alert.fields == {"event": "alarm/motion", "coreid": DEVICE, "room": "hall", "data": '{"t":1}'}


@pytest.mark.parametrize("digits", [4300, 4301, 100_000])
def test_an_escape_that_no_number_can_hold_is_harmless(digits):
    """Python refuses to read numbers of more than 4,300 digits; such a text is shown as it came."""
    data = f"&#{'9' * digits}"
    assert (_json(data=data).status, _json(data=data).data) == (AlertStatus.ACCEPTED, data)


class _FailOnce:
    """Severity rules with a defect, which shows once."""

    default = Severity.WARNING

    def __init__(self) -> None:
        self._defects = iter([KeyError("hunter2")])

    @property
    def rules(self):
        for defect in self._defects:
            raise defect
        return ()


def test_any_exception_while_a_body_is_read_quarantines_it():
    """A defect that nobody has thought of costs no alert; it is named, without what it was about."""
    alert = read(DEFAULT_JSON, JSON, replace(RECEIPT, severities=_FailOnce()))
    assert (alert.status, alert.errors, alert.raw) == (
        AlertStatus.QUARANTINED,
        ("reading it failed: KeyError",),
        DEFAULT_JSON,
    )


@for_any
@given(json_objects)
def test_json_survives_escaping_for_html(value):
    """JSON that two braces escaped is read as the device wrote it."""
    assert read_data(html.escape(json.dumps(value))) == value


@for_any
@given(json_objects)
def test_form_and_json_carry_the_same_data(value):
    """Data is the same from a form, as JSON text, and as a JSON value."""
    assert _form(data=json.dumps(value)).data == _json(data=json.dumps(value)).data == _json(data=value).data == value


@for_any
@given(st.text(min_size=1, max_size=64), st.text())
def test_any_event_and_text_pass_through_a_form(event, data):
    """Percent-encoding by Particle preserves event and data."""
    alert = read(f"event={quote(event, safe='')}&data={quote(data, safe='')}".encode(), FORM, RECEIPT)
    assert (alert.event, alert.data) == (event, read_data(data))


@for_any
@given(
    st.binary()
    | st.text().map(lambda text: f'{{"event":"e","data":"{text}","coreid":"d"}}'.encode())
    | json_objects.map(lambda fields: json.dumps({"event": "e", **fields}).encode())
    | st.dictionaries(
        st.sampled_from(["event", "data", "coreid", "published_at", "event_id", "name", "severity"]),
        st.binary().map(lambda value: quote(value).encode()),
    ).map(lambda fields: b"&".join(name.encode() + b"=" + value for name, value in fields.items())),
    st.sampled_from([FORM, JSON, None, "text/html"]) | st.text(),
    st.binary() | st.sampled_from([b"event=q&coreid=d", b"event=%ff"]),
)
def test_no_request_makes_it_raise(body, content_type, query):
    """Any bytes of any content type become an alert that is accepted, or quarantined with its bytes and a reason."""
    alert = read(body, content_type, RECEIPT, query)
    if alert.status == AlertStatus.QUARANTINED:
        assert (alert.raw, len(alert.errors) > 0) == (body or query, True)
    else:
        assert (alert.raw, alert.errors, alert.event != "") == (None, (), True)
    json.dumps([alert.data, alert.fields], allow_nan=False)
