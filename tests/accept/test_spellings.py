"""Other spellings and shapes of Particle's fields."""

import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.accept.particle import FORM
from alertgate.accept.spellings import OTHER_NAMES, Spelled, is_absent, respell
from alertgate.model import AlertStatus
from tests.accept.test_particle import DEVICE, RECEIPT, read
from tests.builders import for_any

AT = "2026-11-23T14:00:00Z"
FIELDS = {"event": "leak", "data": "kitchen", "coreid": DEVICE, "published_at": AT, "event_id": "e1"}


@pytest.mark.parametrize(
    "spelled",
    [
        {"eventName": "leak", "value": "kitchen", "deviceId": DEVICE, "publishedAt": AT, "eventId": "e1"},
        {"event_name": "leak", "Data": "kitchen", "device_id": DEVICE, "published-at": AT, "event-id": "e1"},
        {"EVENT": "leak", "DATA": "kitchen", "coreId": DEVICE, "Published At": AT, "EVENT_ID": "e1"},
        {" event ": "leak", "event_value": "kitchen", "core-id": DEVICE, "published_At": AT, "eventID": "e1"},
    ],
)  # fmt: skip
def test_other_spellings_are_understood(spelled):
    """Case, hyphens, underscores, white space and the common other names make no difference."""
    assert respell(spelled) == Spelled(FIELDS, {})


def test_a_whole_event_keeps_its_name():
    """`name` is the event's where there is no other, and stays among the fields."""
    assert respell({"name": "leak", "value": 3}) == Spelled({"name": "leak", "event": "leak", "data": 3}, {})


@pytest.mark.parametrize(
    "fields",
    [
        {"event": "leak", "name": "Kitchen", "eventName": "other"},
        {"event": "leak", "data": "", "coreid": "a", "device_id": "b"},
        {"event": "leak", "data": 0, "value": 1},
        {"event": "leak", "device_id": "a", "deviceId": "b"},
        {"event": "leak", "device": "kitchen", "id": 7, "timestamp": 1, "published": 1},
        {"event": "leak", "coreid": None, "device_id": " ", "deviceId": "{{PARTICLE_DEVICE_ID}}"},
        {"event": ["leak"], "coreid": {}},
        {"event": {"value": 21.5, "context": {}}},
        {"event": {"data": "kitchen"}},
        {"event": "{not json"},
        {"event": "[1]"},
        {},
    ],
    ids=str,
)
def test_what_is_not_plain_stays_as_it_is(fields):
    """A field's own name counts first; where two others differ, or nothing is said, nothing is guessed."""
    assert respell(fields) == Spelled(fields, {})


def test_two_spellings_that_agree_are_one():
    """The same id under two names is still unambiguous."""
    assert respell({"event": "leak", "device_id": "a", "deviceId": "a"}).fields == {"event": "leak", "coreid": "a"}


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        ({"value": "leak", "context": {"lat": 1}}, {}),
        ({"name": "leak", "value": "kitchen", "ttl": 60}, {"data": "kitchen"}),
        ({"event": "leak", "data": {"t": 1}, "deviceId": DEVICE}, {"data": {"t": 1}, "coreid": DEVICE}),
    ],
    ids=["Ubidots", "name and value", "whole"],
)
@pytest.mark.parametrize("as_text", [False, True])
def test_an_event_that_is_an_object_is_understood(event, fields, as_text):
    """Its name is found, what else it says fills what is absent, and the object itself is kept."""
    sent = {"event": json.dumps(event) if as_text else event, "fw": 7}
    assert respell(sent) == Spelled({"fw": 7, **fields, "event": "leak"}, {"event": event})


def test_an_event_within_does_not_hide_what_stands_beside_it():
    """The outer fields count first."""
    spelled = respell({"event": {"name": "leak", "coreid": "inner"}, "coreid": "outer", "data": None, "value": 3})
    assert spelled.fields == {"coreid": "outer", "data": 3, "event": "leak"}


def test_ids_and_times_may_be_wrapped_too():
    """Ubidots' shape is understood for every name, and kept."""
    wrapped = {"coreid": {"value": DEVICE, "context": {}}, "event_id": {"value": 7}}
    assert respell({"event": "leak", **wrapped}) == Spelled({"event": "leak", "coreid": DEVICE, "event_id": 7}, wrapped)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (json.dumps({"name": "leak", "value": "kitchen", "deviceId": DEVICE}).encode(), None),
        (json.dumps({"event": {"value": "leak", "context": {}}, "data": "kitchen", "coreId": DEVICE}).encode(), None),
        (urlencode({"Event": "leak", "value": "kitchen", "device_id": DEVICE}).encode(), FORM),
        (urlencode({"event": json.dumps({"name": "leak", "data": "kitchen", "coreid": DEVICE})}).encode(), FORM),
    ],
)
def test_bodies_in_other_spellings_are_alerts(body, content_type):
    """They are the event and the device that they say, with all their data."""
    alert = read(body, content_type, RECEIPT)
    assert (alert.status, alert.event, alert.data, alert.device, alert.incident_key) == (
        AlertStatus.ACCEPTED,
        "leak",
        "kitchen",
        DEVICE,
        f'particle:["{DEVICE}","leak"]',
    )


@pytest.mark.parametrize("data", ["t={{t}}", "{{a}} {{b}}", "{{", "Mustache: {{x}}", "{{a}"])
def test_text_with_braces_is_what_was_sent(data):
    """Only a text that is just one variable is unfilled."""
    assert respell({"event": "leak", "data": data, "value": 3}).fields == {"event": "leak", "data": data, "value": 3}
    assert read(json.dumps({"event": "leak", "data": data, "value": 3}).encode(), None, RECEIPT).data == data


@pytest.mark.parametrize("variable", ["{{PARTICLE_EVENT_VALUE}}", " {{{PARTICLE_EVENT_VALUE}}}\n"])
def test_an_unfilled_variable_stays_among_the_fields(variable):
    """Another name's value takes its place, and it can still be seen."""
    alert = read(json.dumps({"event": "leak", "data": variable, "value": 3}).encode(), None, RECEIPT)
    assert (alert.data, alert.fields) == (3, {"data": variable})
    alert = read(json.dumps({"event": "leak", "data": variable}).encode(), None, RECEIPT, b"data=4")
    assert (alert.data, alert.fields) == ("4", {"data": variable})
    alert = read(json.dumps({"event": "leak", "coreid": variable}).encode(), None, RECEIPT)
    assert (alert.device, alert.fields) == (None, {"coreid": variable})


@pytest.mark.parametrize(
    ("said", "query", "event", "device"),
    [
        ({"event": "leak", "coreid": ""}, b"coreid=K", "leak", "K"),
        ({"event": "leak", "coreid": None}, b"deviceId=K", "leak", "K"),
        ({"event": "leak", "coreid": "{{PARTICLE_DEVICE_ID}}"}, b"coreid=K", "leak", "K"),
        ({"event": "leak", "coreId": "BODY"}, b"coreid=QUERY", "leak", "BODY"),
        ({"event": "leak", "device_id": "BODY"}, b"coreId=QUERY", "leak", "BODY"),
        ({"event": "", "coreid": "BODY"}, b"event=leak", "leak", "BODY"),
        ({"eventName": "leak"}, b"event=query&coreid=K", "leak", "K"),
        ({"name": "Kitchen"}, b"event=leak&coreid=K", "leak", "K"),
    ],
    ids=str,
)
@pytest.mark.parametrize("is_form", [False, True])
def test_a_bodys_value_counts_unless_it_is_absent(said, query, event, device, is_form):
    """However each side spells it; a `name` beside an event is just a name."""
    body = urlencode({name: value or "" for name, value in said.items()}) if is_form else json.dumps(said)
    alert = read(body.encode(), FORM if is_form else None, RECEIPT, query)
    assert (alert.event, alert.device) == (event, device)


def test_an_id_in_the_body_under_another_name_makes_no_repeat_with_the_querys():
    """The id that counts isn't the one that has Particle's name."""
    assert read(b'{"event":"leak","eventId":7}', None, RECEIPT, b"event_id=9").repeat_key is None


any_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.sampled_from(["{}", "{{x}} {{y}}", "a {{b", '{"name":"x"}', "{{x}}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.sampled_from(["name", "value"]), inner),
    max_leaves=10,
)


@for_any
@given(st.dictionaries(st.sampled_from(["Event", "name", "deviceId", "core_id", "value", "x"]), any_json), any_json)
def test_particles_own_names_are_never_overruled(others, data):
    """Whatever stands beside them, Particle's own fields are what they are."""
    fields = respell({**others, **FIELDS, "data": {"d": data}}).fields
    assert {name: fields[name] for name in OTHER_NAMES} == {**FIELDS, "data": {"d": data}}


@for_any
@given(
    st.dictionaries(st.text() | st.sampled_from(["event", "Event", "name", "deviceId", "coreid", "value"]), any_json)
)
def test_nothing_is_lost(fields):
    """Each value that was sent is still there, under some name."""
    spelled = respell(fields)
    kept = [*spelled.fields.values(), *spelled.replaced.values(), None, ""]
    kept += [value for value in fields.values() if is_absent(value)]  # an unfilled variable beside what it stands for
    assert [value for value in fields.values() if value not in kept and _read(value) not in kept] == []


def _read(value):
    return (
        json.loads(value) if isinstance(value, str) and value.startswith("{") and not value.startswith("{{") else value
    )
