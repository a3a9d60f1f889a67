"""The one value that a headline shows: chosen by what the data says, and none rather than a wrong one."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.accept.keys import event_key
from alertgate.model import Alert, AlertStatus, ChannelName, Incident, IncidentStatus, Resolution, Source
from alertgate.notify.render.message import render
from alertgate.notify.render.reading import LONGEST, reading
from alertgate.words import folded
from tests.builders import DOOR, alert, for_any, incident, notification
from tests.fakes import START
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
        ("temperature", "21,60 °C", "temperature 21,60 °C"),
        ("temperature", -4.199999809265137, "temperature −4.2"),
        ("temperature", 0, "temperature 0"),
        ("fridge/temperature", "1", "fridge/temperature 1"),
        ("humidity", "61%", "humidity 61%"),
        ("water/level", "12 cm", "water/level 12 cm"),
        ("pressure", "1013.2 hPa", "pressure 1013.2 hPa"),
        ("offset", 1.0, "offset 1"),
        ("freezer", {"celsius": 0}, "freezer 0 °C"),
        ("leak", {"ml": 3}, "leak 3 ml"),
        ("offset", -0.0, "offset 0"),
        ("offset", 0.00012, "offset 0.00012"),
        ("door", "open", "door, open"),
        ("door/open", "open", "door/open"),
        ("leak", {"value": "wet"}, "leak, wet"),
        ("tank", {"value": 1, "unit": "cm"}, "tank 1 cm"),
        ("tank/level", {"value": 12}, "tank/level 12"),
        ("leak", {"value": "wet", "status": "firing", "severity": "high"}, "leak, wet"),
        ("freezer", {"value": -4.2, "unit": "°C", "limit": -15}, "freezer −4.2 °C"),
        ("temperature", {"temperature": -4.2}, "temperature −4.2"),
        (
            "temperature",
            {"celsius": -4.2, "limit": -15, "door": "closed", "battery": {"volts": 3.71}},
            "temperature −4.2 °C",
        ),
        ("freezer", {"celsius": -4.2, "limit": -15, "door": "closed", "battery": {"volts": 3.71}}, "freezer −4.2 °C"),
        ("temperature/high", {"temp_c": -4.2, "humidity": 80}, "temperature/high −4.2 °C"),
        ("temperature/high", {"tempF": 24.5, "humidity": 80}, "temperature/high 24.5 °F"),
        ("temperature/high", {"temp": 1, "ambient_temp": 21}, "temperature/high 1"),
        ("temperature", {"temp": 0, "outside_temp": 21}, "temperature 0"),
        ("freezer", {"temperature": {"value": -4.2, "unit": "°C"}}, "freezer, temperature −4.2 °C"),
        ("freezer", {"temperature": -4.2, "unit": "celsius"}, "freezer, temperature −4.2 °C"),
        ("freezer", {"temperature": -4.2, "unit": "celsius", "limit": -15}, "freezer, temperature −4.2"),
        ("temperature", {"temperature": -4.2, "temperature_unit": "C", "humidity": 3}, "temperature −4.2 °C"),
        ("freezer", {"celsius": "-4.2 °F"}, "freezer −4.2 °F"),
        ("battery/low", {"battery": 12, "unit": "%"}, "battery/low 12 %"),
        ("battery/low", {"battery_percent": 12, "rssi": -70}, "battery/low 12 %"),
        ("co2/high", {"ppm": 1400, "high": 1000}, "co2/high 1400 ppm"),
        ("tank", {"pH": 6.1}, "tank, pH 6.1"),
        ("heating", {"kWh": 3.2}, "heating 3.2 kWh"),
        ("loop", {"mA": 20}, "loop 20 mA"),
        ("freezer", {"temperature": -4.2, "battery": 80, "rssi": -70}, "freezer, temperature −4.2"),
        ("door", {"door": "open", "celsius": 4}, "door, open"),
        ("door/open", {"open": 4, "state": "closed"}, "door/open, closed"),
    ],
)
def test_a_headline_has_the_value_that_the_data_names(event, data, headline):
    """The event names it, or nothing else is measured; the unit is the one that the data says."""
    assert _headline(event, data) == headline


@pytest.mark.parametrize(
    "data",
    [
        *(
            0,
            1,
            41,
            -3,
            "0",
            " 1 ",
            "01",
            "41",
            "-3",
            "true",
            {"value": 41},
            {"value": 41, "unit": "metric"},
            {"leak": 1},
            {"value": "0"},
            {"value": 1},
        ),
        *(None, "", "  ", True, False, [], {}, [1], [{"value": 1}]),
        *("motion in the hall", "two\nlines", "a\tb", "[x]", "<b>", "{{x}}", "\u202eevil", "e\ud800", "3f00", "x" * 25),
        *("2026-11-23", "10:30", "10.0.0.5", "+49 171 2345678", "5551234567", 5551234567, 1764000000, "1e5", "nan"),
        *("21,60", "1,234", "3 metric", "\u0663", "hall", "MyHomeNet", "hunter2", "3.2.1", "5-6"),
        *(float("nan"), float("inf"), 1e300, 10**400, "9" * 5000, "-", "°C", "null"),
        DOOR,
        {"temperature": 4, "humidity": 80},
        {"temperature": None, "humidity": 60},
        {"temperature": float("nan"), "humidity": 60},
        {"temperature": False, "humidity": 60},
        {"temp": 1, "humidity": 60},
        {"temperature": -4.2, "state": "open"},
        {"indoor": "warm", "outdoor": "cold"},
        {"limit": -15},
        {"max_temperature": 8, "min_temperature": 2},
        {"temp_set": -18, "now": -4},
        {"temp_prev": -18.2, "c": -4},
        {"last_temp": -18, "current": -4},
        {"temp_1": -4.2},
        {"pm2_5": 35.2},
        {"level": 3},
        {"user_id": 7, "seq": 3, "timestamp": 1764000000, "fw_version": 7},
        {"pin": 1234, "alarm_code": 99},
        {"passcode": 9911},
        {"ssid": "open"},
        {"status": "resolved"},
        {"status": "firing", "severity": "critical"},
        {"leak": True},
        {"temperature": None},
        {"temperature": "warm and wet"},
        {"value": 3, "reading": 2},
        {"value": 60, "name": "humidity"},
        {"value": 60, "sensor": {"type": "humidity"}},
        {"battery": 80, "rssi": -70},
        {f"sensor_{number}": number for number in range(100)},
    ],
    ids=lambda data: ascii(data)[:30],
)
def test_where_several_values_or_none_could_be_meant_there_is_none(data):
    """A wrong value at night is worse than a look into the mail."""
    assert _headline("cellar", data) == "cellar"


@pytest.mark.parametrize(
    ("event", "data"),
    [
        ("freezer/high", {"t": -4.2, "high": -15}),
        ("temp/high", {"t": 9, "high": 8}),
        ("tank/low", {"weight": 12, "low": 20}),
        ("battery/low", {"v": 3.3, "low": 3.5}),
        ("temperature/critical", {"t": 9, "critical": 8}),
        ("high", {"t": 9, "high": 8}),
        ("door/open", {"open": 4}),
        ("temperature/alarm", {"alarm": 8}),
        ("humidity/high", {"temp": 21, "rh": None}),
        ("temperature/high", {"temp": None, "humidity": 60}),
        ("temperature/high", {"humidity": 60}),
        ("temperature/high", {"temp": "n/a", "value": 60}),
        ("temperature/high", 1),
        ("temperature/high", {"value": 60, "type": "humidity"}),
        ("lock", {"passcode": 9911}),
        *((f"lock/{word}", 9911) for word in ("passcode", "pass", "pwd", "psk", "keypad", "otp", "pin", "lockcode")),
        *((f"modem/{word}", {"value": 9911}) for word in ("imei", "iccid", "ssid", "apiKey", "user_id_token")),
    ],
)
def test_a_limit_a_secret_or_another_measurement_is_never_the_value(event, data):
    """A word of the event such as `high` names no field, and what can't be shown isn't replaced by what can."""
    assert _headline(event, data) == event


def test_what_a_value_measures_is_said_unless_the_event_says_it():
    """A field that the event names is chosen although its value is 1."""
    assert _headline("humidity/high", {"temp": 21, "rh": 1}) == "humidity/high 1"
    assert _headline("temperature/high", {"temp": 1, "humidity": 60}) == "temperature/high 1"
    assert _headline("freezer", {"temp": 1}) == "freezer, temperature 1"


def test_a_unit_is_never_that_of_another_number():
    """Of two numbers, a field called `unit` may be about either, and other words are no units."""
    assert _headline("temperature", {"temperature": 4, "humidity": 80, "unit": "C"}) == "temperature 4"
    assert _headline("battery", {"battery": 80, "supply": 12, "unit": "V"}) == "battery 80"
    for unit in ("metric", "freezer", "A", "%", "per fortnight", "]\r\nBcc: x"):
        assert _headline("temperature", {"temperature": 4, "unit": unit}) == "temperature 4"


def test_what_names_the_part_is_no_value():
    """The door stands beside the device's name already."""
    assert _headline("door", {"door": "Back", "status": "open"}, "back") == "door, open"
    assert _headline("door", {"door": "Back", "value": "open"}, "back") == "door, open"
    assert _headline("cellar", {"zone": 3, "celsius": 21}, "3") == "cellar 21 °C"


def test_a_senders_own_words_come_first():
    """Beside a message, a value is shown only if the event names it."""
    assert _headline("backup", {"celsius": 3}, message="No backup") == "backup"
    assert _headline("backup", 3.5, message="No backup") == "backup"
    assert _headline("battery", {"battery": "98 %", "celsius": 3}, message="Nearly full") == "battery 98 %"


_FIELDS = (
    "temperature",
    "temp_c",
    "celsius",
    "humidity",
    "battery",
    "value",
    "state",
    "door",
    "limit",
    "temp_max",
    "pin",
)
_VALUES = (
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from([float("nan"), -4.2, "open", "3 %", "humidity"])
)


@for_any
@given(
    st.dictionaries(st.sampled_from(_FIELDS), _VALUES, max_size=4),
    st.sampled_from(_FIELDS),
    _VALUES,
    st.sampled_from(["temperature/high", "humidity", "door/open", "battery/low", "freezer", "cellar/state"]),
)
def test_another_field_makes_no_other_field_the_value(data, field, value, event):
    """With more data the value stays, or there is none, or it is the new one: never one that was passed over before."""
    others = {name: each for name, each in data.items() if name != field}
    before, after = (reading(alert(event=event, data=each), event) for each in (others, {**others, field: value}))
    assert after is None or after.field in {field, before and before.field}


def test_own_and_unreadable_alerts_have_none():
    """What the gate says of itself is said in words."""
    assert _headline("temperature", 4, status=AlertStatus.QUARANTINED) == "temperature"
    assert _headline("alertgate/refused", {"value": 4}, source=Source.ALERTGATE) == "alertgate/refused"


def _subject(data: object, began: object = None, **about: object) -> str:
    incident_ = incident(**{"event": "temperature", "alert_count": 1 + (began is not None), **about})
    alerts = [_alert(data), *([_alert(began)] if began is not None else [])]
    subject = render(_context(*alerts, incident=incident_)).subject
    assert subject is not None
    return subject


def _alert(data: object, **changes: object) -> Alert:
    return alert(**{"event": "temperature", "data": data, **changes})


def test_only_the_brackets_of_a_subject_change():
    """They have the newest value, or the last known one; behind them is the one with which it began."""
    assert _subject(-4.2) == "[WARNING] Front door: temperature −4.2"
    assert _subject(-1.8, -4.2) == "[WARNING, now −1.8] Front door: temperature −4.2"
    assert _subject(0, -4.2) == "[WARNING, now 0] Front door: temperature −4.2"
    assert _subject(-4.2, -4.2) == "[WARNING] Front door: temperature −4.2"
    assert _subject(-1.8, "no idea") == "[WARNING, now −1.8] Front door: temperature"
    assert _subject({"celsius": 3}, {"state": "warm"}) == "[WARNING, now 3 °C] Front door: temperature, warm"


@pytest.mark.parametrize("data", ["no idea", {"celsius": None}, {"celsius": float("nan")}, {"humidity": 3}, True])
def test_a_value_that_is_no_longer_known_does_not_look_like_the_present(data):
    """A sensor that fails leaves the last value that it said."""
    assert _subject(data, {"celsius": 5}) == "[WARNING, last 5 °C] Front door: temperature 5 °C"


OVER = {"status": IncidentStatus.RESOLVED, "resolution": Resolution.ALERT, "resolved_at": START}


def test_an_all_clear_says_the_last_value():
    """Said by its sender it is how things are now; without one, the last one is said, even if it is the first."""
    assert _subject(-18.4, -4.2, **OVER) == "[RESOLVED, now −18.4] Front door: temperature −4.2"
    assert _subject({"status": "resolved"}, 5, **OVER) == "[RESOLVED, last 5] Front door: temperature 5"
    door = {"state": "open"}
    assert _subject({"state": "closed"}, door, **OVER) == "[RESOLVED, now closed] Front door: temperature, open"
    assert _subject(door, door, **OVER) == "[RESOLVED, last open] Front door: temperature, open"
    alerts = [_alert({"status": "resolved"}), _alert(12), _alert(5)]
    context = _context(*alerts, incident=incident(event="temperature", alert_count=3, **OVER))
    assert render(context).subject == "[RESOLVED, last 12] Front door: temperature 5"


@pytest.mark.parametrize("how", [Resolution.SILENCE, Resolution.PERSON])
def test_an_end_without_an_alert_shows_no_value_as_its_own(how):
    """The value is older than the end, whose time a text message has."""
    over = {**OVER, "resolution": how, "resolved_at": START + timedelta(minutes=40)}
    about = incident(event="temperature", alert_count=2, last_alert_at=START, **over)
    context = _context(_alert({"celsius": -1.8}), _alert({"celsius": -4.2}), incident=about)
    mail = render(context)
    assert mail.subject == "[RESOLVED, last −1.8 °C] Front door: temperature −4.2 °C"
    assert mail.text.startswith("RESOLVED  Front door: temperature\n")
    text = render(replace(context, notification=notification(channel=ChannelName.SMS))).text
    assert text.startswith("RESOLVED Front door: temperature at 14:43 (")
    assert text.endswith(" - last: celsius: -1.8")
    assert _subject(-4.2, **over) == "[RESOLVED, last −4.2] Front door: temperature −4.2"


def test_a_value_of_long_ago_is_not_now():
    """Alerts come in another order than they were published, and mails go out late."""
    about, minute = incident(event="temperature", alert_count=3), timedelta(minutes=1)
    newest = _alert(7, published_at=START - minute / 2, received_at=START - minute / 4)
    older = _alert(6, published_at=START - minute, received_at=START)
    assert render(_context(older, newest, _alert(5, received_at=START - minute), incident=about)).subject == (
        "[WARNING, last 7] Front door: temperature 5"
    )
    late = _context(_alert(6), _alert(5), incident=about, now=START + timedelta(hours=3))
    assert render(late).subject == "[WARNING, last 6] Front door: temperature 5"
    assert render(replace(late, alerts=late.alerts[1:], incident=replace(about, alert_count=1))).subject == (
        "[WARNING] Front door: temperature 5"
    )


def test_a_value_of_another_event_is_not_shown_as_that_of_the_incident():
    """Rules and senders can make one incident of several events."""
    about = incident(event="cpu", alert_count=2)
    context = _context(alert(event="disk", data="3 GB"), alert(event="cpu", data="97 %"), incident=about)
    mail = render(context)
    assert mail.subject == "[WARNING, last 97 %] Front door: cpu 97 %"
    assert mail.text.startswith("WARNING  Front door: cpu\n")
    text = render(replace(context, notification=notification(channel=ChannelName.SMS))).text
    assert text.startswith("WARNING Front door: cpu at 14:03")
    assert text.endswith(" - 3 GB")


def test_the_subject_of_an_unreadable_alert_has_no_value():
    """It isn't the unreadable one's."""
    unreadable = alert(status=AlertStatus.QUARANTINED, data=None, raw=b"{", event="temperature")
    context = _context(unreadable, _alert(5), incident=incident(event="temperature", alert_count=2))
    assert render(context).subject == "[WARNING] Front door: unreadable alert temperature"


def _long(event: str, latest: float) -> str:
    alerts = [alert(event=event, data=latest), alert(event=event, data=123456.789)]
    return render(_context(*alerts, incident=incident(event=event, alert_count=2))).subject or ""


@pytest.mark.parametrize("length", [0, 60, 90, 110, 115, 120, 130, 300])
def test_a_value_is_shown_whole_or_not_at_all(length):
    """Half of a number would be another one, and the part behind the brackets stays the same all the same."""
    event = "e" * length
    subjects = [_long(event, latest) for latest in (123456.789, 987654.321)]
    titles = {subject.split("] ")[1] for subject in subjects}
    assert len(titles) == 1
    for subject in subjects:
        assert len(subject) <= 140
        assert re.findall(r"\d[\d.]*", subject) in ([], ["123456.789"], ["987654.321"], ["987654.321", "123456.789"])


@for_any
@given(any_json, any_json, any_text, any_text | st.none())
def test_whatever_the_data_a_value_is_short_and_safe(data, began, event, part):
    """It is one line of letters, digits and units, without brackets; and the title doesn't depend on the newest one."""
    found = reading(alert(data=data, event=event), event, part)
    if found:
        assert len(found.value) <= 2 * LONGEST
        assert re.search(r"[\s\[\]<>\x00-\x1f\u2028\u202e]", found.value.replace(" ", "")) is None
    about = incident(event=event, alert_count=2)
    subjects = [
        render(_context(latest, alert(data=began, event=event), incident=about)).subject or ""
        for latest in (alert(data=data, event=event), alert(data=began, event=event))
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


def test_a_part_of_a_device_is_said_once():
    """An incident's key has it in small letters; it stands beside the device's name."""
    key = event_key("particle", DOOR, "door", ("door", folded("Back"))).key
    opened = alert(event="door", data={"door": "Back", "status": "open"})
    context = _context(opened, incident=incident(event="door", key=key))
    assert render(context).subject == "[WARNING] Front door (back): door, open"
    text = render(replace(context, notification=notification(channel=ChannelName.SMS))).text
    assert text == "WARNING Front door (back): door, open at 14:03"
