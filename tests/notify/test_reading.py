"""The one value that a headline shows: chosen by what the data says, and none rather than a wrong one."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.accept.keys import event_key
from alertgate.model import AlertStatus, Incident, Source
from alertgate.notify.render.message import render
from alertgate.notify.render.reading import LONGEST, reading
from alertgate.words import folded
from tests.builders import DOOR, alert, for_any, incident
from tests.notify.test_render import _context, any_json, any_text


def _headline(event: str, data: object, part: str | None = None, **changes: object) -> str:
    found = reading(alert(event=event, data=data, **changes), event, part)
    return found.after(event) if found else event


@pytest.mark.parametrize(
    ("event", "data", "headline"),
    [
        ("temperature", -4.2, "temperature −4.2"),
        ("temperature", "-4.2 °C", "temperature −4.2 °C"),
        ("temperature", "−4,2°C", "temperature −4,2°C"),
        ("temperature", -4.199999809265137, "temperature −4.2"),
        ("humidity", "61%", "humidity 61%"),
        ("water/level", "12 cm", "water/level 12 cm"),
        ("pressure", "1013.2 hPa", "pressure 1013.2 hPa"),
        ("offset", 1.0, "offset 1"),
        ("freezer", {"celsius": 0}, "freezer 0 °C"),
        ("leak", {"ml": 3}, "leak 3 ml"),
        ("offset", -0.0, "offset 0"),
        ("offset", 0.00012, "offset 0.00012"),
        ("door", "open", "door, open"),
        ("alarm/motion", "hall", "alarm/motion, hall"),
        ("leak", {"value": "wet"}, "leak, wet"),
        ("temperature", {"temperature": -4.2}, "temperature −4.2"),
        ("temperature/high", {"celsius": -9.5, "limit": -15, "door": "open"}, "temperature/high −9.5 °C"),
        ("temperature/high", {"temp_c": -4.2, "humidity": 80}, "temperature/high −4.2 °C"),
        ("temperature/high", {"tempF": 24.5, "humidity": 80}, "temperature/high 24.5 °F"),
        ("freezer", {"temperature": {"value": -4.2, "unit": "°C"}}, "freezer, temperature −4.2 °C"),
        ("freezer", {"temperature": -4.2, "unit": "celsius", "limit": -15}, "freezer, temperature −4.2 °C"),
        ("freezer", {"temperature": -4.2, "temperature_unit": "C", "humidity": 3}, "freezer"),
        ("temperature", {"temperature": -4.2, "temperature_unit": "C", "humidity": 3}, "temperature −4.2 C"),
        ("freezer", {"celsius": "-4.2 °F"}, "freezer −4.2 °F"),
        ("battery/low", {"battery": 12, "unit": "%"}, "battery/low 12 %"),
        ("battery/low", {"battery_percent": 12, "rssi": -70}, "battery/low 12 %"),
        ("freezer", {"temperature": -4.2, "battery": 80, "rssi": -70}, "freezer, temperature −4.2"),
        ("door", {"door": "open", "celsius": 4}, "door, open"),
        ("cellar", {"state": "wet", "celsius": 4}, "cellar, wet"),
    ],
)
def test_a_headline_has_the_value_that_the_data_names(event, data, headline):
    """The event names it, or it is the only number, or the only word; the unit is the one that the data says."""
    assert _headline(event, data) == headline


@pytest.mark.parametrize(
    "data",
    [
        *(0, 1, "0", " 1 ", "01", "true", {"leak": 1}, {"value": "0"}),
        *(None, "", "  ", True, False, [], {}, [1], [{"value": 1}]),
        *("motion in the hall", "two\nlines", "a\tb", "[x]", "<b>", "{{x}}", "\u202eevil", "e\ud800", "3f00", "x" * 25),
        *("2026-11-23", "10:30", "10.0.0.5", "+49 171 2345678", "5551234567", 5551234567, 1764000000, "1e5", "nan"),
        *(float("nan"), float("inf"), 1e300, 10**400, "9" * 5000, "-", "°C", "null"),
        DOOR,
        {"temperature": 4, "humidity": 80},
        {"indoor": "warm", "outdoor": "cold"},
        {"limit": -15},
        {"max_temperature": 8, "min_temperature": 2},
        {"user_id": 7, "seq": 3, "timestamp": 1764000000, "fw_version": 7},
        {"pin": 1234, "alarm_code": 99},
        {"status": "resolved"},
        {"status": "firing", "severity": "critical"},
        {"leak": True},
        {"temperature": None},
        {"temperature": "warm and wet"},
        {"value": 3, "reading": 2},
        {"battery": 80, "rssi": -70},
        {f"sensor_{number}": number for number in range(100)},
    ],
    ids=lambda data: ascii(data)[:30],
)
def test_where_several_values_or_none_could_be_meant_there_is_none(data):
    """A wrong value at night is worse than a look into the mail."""
    assert _headline("cellar", data) == "cellar"


def test_a_unit_is_never_that_of_another_number():
    """Of two numbers, a field called `unit` may be about either."""
    assert _headline("temperature", {"temperature": 4, "humidity": 80, "unit": "%"}) == "temperature 4"
    assert _headline("temperature", {"temperature": 4, "unit": "per fortnight"}) == "temperature 4"
    assert _headline("temperature", {"temperature": 4, "unit": "]\r\nBcc: x"}) == "temperature 4"


def test_what_names_the_part_is_no_value():
    """The door stands beside the device's name already."""
    assert _headline("door", {"door": "Back", "status": "open"}, "back") == "door, open"
    assert _headline("cellar", {"zone": 3, "celsius": 21}, "3") == "cellar 21 °C"


def test_a_senders_own_words_come_first():
    """Beside a message, a value is shown only if the event names it."""
    assert _headline("backup", {"attempt": 3}, message="No backup") == "backup"
    assert _headline("disk", {"disk": "98 %", "attempt": 3}, message="Nearly full") == "disk 98 %"


def test_own_and_unreadable_alerts_have_none():
    """What the gate says of itself is said in words."""
    assert _headline("temperature", 4, status=AlertStatus.QUARANTINED) == "temperature"
    assert _headline("alertgate/refused", {"value": 4}, source=Source.ALERTGATE) == "alertgate/refused"


def _subject(data: object, began: object = None, **about: object) -> str:
    incident_ = incident(**{"event": "temperature", **about})
    alerts = [alert(data=data), *([alert(data=began)] if began is not None else [])]
    subject = render(_context(*alerts, incident=incident_)).subject
    assert subject is not None
    return subject


def test_only_the_brackets_of_a_subject_change():
    """The newest value stands in them; behind them is the one with which it began."""
    assert _subject(-4.2) == "[WARNING] Front door: temperature −4.2"
    assert _subject(-1.8, -4.2) == "[WARNING, now −1.8] Front door: temperature −4.2"
    assert _subject(-4.2, -4.2) == "[WARNING] Front door: temperature −4.2"
    assert _subject("no idea", -4.2) == "[WARNING] Front door: temperature −4.2"
    assert _subject(-1.8, "no idea") == "[WARNING, now −1.8] Front door: temperature"
    assert _subject({"celsius": 3}, {"state": "warm"}) == "[WARNING, now 3 °C] Front door: temperature, warm"
    assert _subject({"humidity": 3}, {"celsius": 4}) == "[WARNING, now humidity 3] Front door: temperature 4 °C"


@pytest.mark.parametrize("length", [0, 60, 90, 110, 115, 120, 130, 300])
def test_a_value_is_shown_whole_or_not_at_all(length):
    """Half of a number would be another one, and the part behind the brackets stays the same all the same."""
    event = "e" * length
    subjects = [_subject(latest, 123456.789, event=event) for latest in (123456.789, 987654.321)]
    titles = {subject.split("] ")[1] for subject in subjects}
    assert len(titles) == 1
    for subject in subjects:
        assert len(subject) <= 140
        assert re.findall(r"\d[\d.]*", subject) in ([], ["123456.789"], ["987654.321"], ["987654.321", "123456.789"])


@for_any
@given(any_json, any_json, any_text, any_text | st.none())
def test_whatever_the_data_a_value_is_short_and_safe(data, began, event, part):
    """It is one line of letters, digits and units, without brackets; and the title doesn't depend on the newest one."""
    found = reading(alert(data=data), event, part)
    if found:
        assert len(found.value) <= 2 * LONGEST
        assert re.search(r"[\s\[\]<>\x00-\x1f\u2028\u202e]", found.value.replace(" ", "")) is None
    about = incident(event=event)
    subjects = [
        render(_context(latest, alert(data=began), incident=about)).subject or ""
        for latest in (alert(data=data), alert(data=began))
    ]
    assert all(subject.splitlines() == [subject] and len(subject) <= 140 for subject in subjects)
    assert len({subject.partition("] ")[2] for subject in subjects}) == 1


@pytest.mark.parametrize(
    ("source", "shown"),
    [(Source.PARTICLE, ["fw_version  7"]), (Source.GENERIC, ["userid      u1", "event_id    e1", "fw_version  7"])],
)
def test_particles_bookkeeping_is_not_shown_to_people(source, shown):
    """Its ids and flags are for programs; empty fields say nothing of any sender."""
    fields = {"userid": "u1", "event_id": "e1", "fw_version": 7, "note": " ", "tags": [], "owner": None}
    if source is Source.PARTICLE:
        fields |= {"productID": 33, "product_id": 33, "PUBLIC": "false", "ttl": 60}
    text = render(_context(alert(source=source, fields=fields))).text
    assert text.split("Also sent:\n")[1].split("\n\n")[0].splitlines() == [f"  {line}" for line in shown]


def test_where_nothing_else_was_sent_nothing_is_said():
    """No heading without rows, and no `no data`."""
    silent = alert(data={"a": "", "b": []}, fields={"userid": "u1"})
    about: Incident = incident(alert_count=3)
    for message in (render(_context(silent)), render(_context(replace(silent, data=None), incident=about))):
        body = f"{message.text}{message.html}"
        assert [words for words in ("Also sent", "no data", "above", "data:", "{}") if words in body] == []


def test_a_sensor_that_reads_nothing_is_shown():
    """A null in the data is no empty field: it may be what is wrong."""
    assert "  celsius  -\n" in render(_context(alert(data={"celsius": None, "note": ""}))).text


def test_a_part_of_a_device_is_compared_in_one_case():
    """An incident's key has it in small letters."""
    key = event_key("particle", DOOR, "door", ("door", folded("Back"))).key
    context = _context(alert(data={"door": "Back", "status": "open"}), incident=incident(event="door", key=key))
    assert render(context).subject == "[WARNING] Front door (back): door, open"
