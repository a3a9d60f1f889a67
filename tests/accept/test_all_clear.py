"""Whether an alert says that its problem is over."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.accept.all_clear import MOST_LETTERS, MOST_VALUES, DecidedSignal, SignalReason, decide_signal, doubt
from alertgate.model import Signal
from tests.builders import for_any

RESOLVED = DecidedSignal(Signal.RESOLVED, SignalReason.SAYS_RESOLVED)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.sampled_from(["smoke"]), inner),
    max_leaves=20,
)


def _words(text: str) -> list[str]:
    return text.split()


def _on(alarm: str) -> DecidedSignal:
    return DecidedSignal(Signal.FIRING, SignalReason.ALARM_IS_ON, alarm)


@pytest.mark.parametrize(
    ("statuses", "decided"),
    [
        ([], DecidedSignal(Signal.FIRING, SignalReason.NO_STATUS)),
        ([None, 7, " ", ["ok"], {"ok": True}], DecidedSignal(Signal.FIRING, SignalReason.NO_STATUS)),
        (["open"], DecidedSignal(Signal.FIRING, SignalReason.SAYS_FIRING)),
        (["ok"], RESOLVED),
        (["ok", "Closed"], RESOLVED),
        ([None, "ok"], RESOLVED),
        (["ok", "open"], DecidedSignal(Signal.FIRING, SignalReason.CONTRADICTED)),
        (["open", "ok"], DecidedSignal(Signal.FIRING, SignalReason.CONTRADICTED)),
    ],
)
def test_an_alert_is_over_only_if_every_status_says_so(statuses, decided):
    """No status fires, and two that contradict each other are doubtful."""
    assert decide_signal(statuses, [{}]) == decided


@pytest.mark.parametrize(
    ("said", "alarm"),
    [
        ({"smoke": True}, "smoke"),
        ({"Smoke": True}, "smoke"),
        ({" SMOKE ": True}, "smoke"),
        ({"smokeDetected": True}, "smoke"),
        ({"water_leak": True}, "leak"),
        ({"leak-2": True}, "leak"),
        ({"leaks": [False, True]}, "leak"),
        ({"COAlarm": True}, "alarm"),
        ({"tamper": "true"}, "tamper"),
        ({"tamper": " ON "}, "tamper"),
        ({"fire": 1}, "fire"),
        ({"fire": 1.0}, "fire"),
        ({"fire": "1"}, "fire"),
        ({"sensors": {"kitchen": {"gas": True}}}, "gas"),
        ({"sensors": [{"id": 1, "alarm": False}, {"id": 2, "alarm": True}]}, "alarm"),
        ({"alarm": {"id": 1, "kitchen": True}}, "alarm"),
        ({"alarms": {"kitchen": {"active": True}}}, "alarm"),
        ({"smoke": {"state": "Alarm"}}, "smoke"),
        ({"leak": {"channel": 1, "value": 1}}, "leak"),
        ({"leak": {"channel": 1, "status": 1}}, "leak"),
        ({"alarms": [{"name": "smoke", "state": "on"}]}, "alarm"),
        ([{"sos": True}], "sos"),
        ({"leak": {"zone1": False, "zone2": True}}, "leak"),
        ({"leak_zone_2": True}, "leak"),
        ({"leak_zone_2": 1}, "leak"),
        ({"zone2_leak": 1}, "leak"),
        ({"zone2_leak": "yes"}, "leak"),
        ({"valve_leak": True}, "leak"),
        ({"pump_overflow": True}, "overflow"),
        ({"fire_pump": True}, "fire"),
        ({"gas_supply_leak": True}, "gas"),
        ({"co_level_alarm": True}, "alarm"),
        ({"co_level_alarm": 1}, "alarm"),
        ({"alarm": {"id": 1, "level": True}}, "alarm"),
        ({"alarm": {"water_valve": True}}, "alarm"),
        ({"water_valve_leak": True}, "leak"),
        ({"smoke": "firing"}, "smoke"),
        ({"smoke": "tripped"}, "smoke"),
        ({"smoke": "high"}, "smoke"),
        ({"leak": "leak"}, "leak"),
        ({"leak": "open"}, "leak"),
        ({"leak": "YES - kitchen"}, "leak"),
        ({"alarm": "fire"}, "alarm"),
        ({"alarm": "Smoke"}, "alarm"),
        ({"alert": {"state": "tripped"}}, "alert"),
        ({"alarm": {"type": "smoke", "state": "firing"}}, "alarm"),
        ({"alarm": {"type": "x", "smoke": "firing"}}, "smoke"),
        ({"alarms": ["smoke"]}, "alarm"),
        ({"alarms": ["off", "front door", "leak"]}, "alarm"),
        ({"alarms": 2}, "alarm"),
        ({"alarms": "2"}, "alarm"),
        ({"leaks": 3.0}, "leak"),
        ({"alarm_count": 1}, "alarm"),
        ({"alarmCount": 12}, "alarm"),
        ({"alarms_active": 3}, "alarm"),
        ({"active_alarms": 3}, "alarm"),
        ({"smokedetected": True}, "smoke"),
        ({"leakdetected": 1}, "leak"),
        ({"coalarm": True}, "co"),
        ({"isleak": True}, "leak"),
        ({"hasleaks": "yes"}, "leak"),
        ({"smokealarm": True}, "smoke"),
        ({"fireactive": True}, "fire"),
        ({"gasalert": True}, "gas"),
    ],
    ids=str,
)
def test_an_alarm_that_is_on_makes_an_all_clear_doubtful(said, alarm):
    """`{"status":"ok","smoke":true}` fires, however the alarm is spelled and wherever it stands."""
    assert decide_signal(["ok"], [None, said]) == _on(alarm)


@pytest.mark.parametrize(
    "said",
    [
        {"sensors": [{"id": 1, "status": "firing"}]},
        {"sensors": {"a": {"status": "alarm"}}},
        {"sensors": {"a": {"Status ": "Wet"}}},
        [{"status": "ok"}, {"status": "open"}],
    ],
    ids=str,
)
def test_a_nested_status_that_does_not_say_resolved_contradicts(said):
    """Whatever depth it has, and in data that is a list too."""
    assert decide_signal(["ok"], [said]) == DecidedSignal(Signal.FIRING, SignalReason.CONTRADICTED)


@pytest.mark.parametrize(
    "word", ["online", "Connected", "charging", "idle", "unknown", "off", "dry", "", " ", "ok", None, 7, True]
)
def test_a_nested_status_of_something_else_does_not(word):
    """A radio that is connected, or a battery that is charging, says nothing about an alarm."""
    assert decide_signal(["ok"], [{"radio": [{"status": word}]}]) == RESOLVED


@pytest.mark.parametrize("data", [1, 1.0, "1", True, "true", "ON"])
@pytest.mark.parametrize(
    ("event", "alarm"),
    [
        ("leak", "leak"),
        ("kitchen/smoke", "smoke"),
        ("leakDetected", "leak"),
        ("bath/leak/2", "leak"),
        ("no_leak", None),
        ("leak/battery", None),
        ("door", None),
        ("", None),
    ],
)
def test_an_event_that_is_an_alarm_with_data_that_is_on(event, alarm, data):
    """`leak` with data 1 beside `status=ok` is doubtful."""
    doubtful = DecidedSignal(Signal.FIRING, SignalReason.EVENT_IS_ON, alarm)
    assert decide_signal(["ok"], [data, {}], event, data) == (doubtful if alarm else RESOLVED)


@pytest.mark.parametrize("data", [0, 2, "0", "off", "wet", None, "", {}, [1]])
def test_an_event_that_is_an_alarm_with_other_data(data):
    """Readings and texts of an event are what its status says."""
    assert decide_signal(["ok"], [data, {}], "leak", data) == RESOLVED


@pytest.mark.parametrize(
    "said",
    [
        {"status": "ok"},
        {"status": "resolved", "leak": False},
        {"status": "clear", "smoke": 0, "battery": 87},
        {"status": "normal", "temperature": 21.5},
        {"status": "ok", "leak": "dry"},
        {"status": "closed", "door": "front"},
        {"status": "ok", "alarm_enabled": True},
        {"status": "resolved", "alarm": {"type": "smoke", "active": False}},
        {"status": "resolved", "fire": "off"},
        {"status": "ok", "water_valve": True, "water_pump": True, "water_supply": True},
        {"status": "ok", "alarms": 0, "alarm_count": 0, "alarms_active": "0", "alerts": []},
    ],
    ids=json.dumps,
)
def test_ordinary_all_clears_resolve(said):
    """What devices really send when it is over ends the incident."""
    assert decide_signal([said["status"]], [said], "leak", said) == RESOLVED


@pytest.mark.parametrize(
    "word",
    _words(
        "ack acked acknowledged armed available clear cleared closed disabled enabled ended finished gone last muted "
        "no non normal not off ok okay online over previous ready recovered reset resolved silenced stopped supported "
        "test tested was without"
    ),
)
def test_words_that_switch_an_alarm_off(word):
    """Nothing under such a name is an alarm that is on."""
    names = [f"smoke_{word}", f"{word}_smoke", f"smoke{word.title()}"]
    said = [{name: value} for name in names for value in (True, 1, "yes", {"state": True})]
    assert {decide_signal(["ok"], [one]) for one in said} == {RESOLVED}


@pytest.mark.parametrize(
    "word",
    _words(
        "zone pump valve supply level time type id index number nr count duration delay version "
        "description label location message name room text title unit url"
    ),
)
def test_words_of_places_and_kinds_stop_texts_and_numbers_alone(word):
    """`alarm_type` may be any text, and `alarm_id` 1; but `true` is an alarm."""
    assert decide_signal(["ok"], [{f"smoke_{word}": "firing"}]) == RESOLVED
    assert decide_signal(["ok"], [{"smoke": {f"state_{word}": 1}}]) == RESOLVED
    assert word == "count" or decide_signal(["ok"], [{f"smoke_{word}": 1, f"leak_{word}s": 2}]) == RESOLVED
    assert decide_signal(["ok"], [{f"smoke_{word}": True}]) == _on("smoke")
    assert decide_signal(["ok"], [{f"{word}_smoke": 1}]) == _on("smoke")


@pytest.mark.parametrize(
    "word",
    _words(
        "alarm alert burglar burglary co emergency fire firealarm flood flooding gas gasleak glassbreak intruder "
        "intrusion leak leakage leaking moisture overflow overheat overheating panic sabotage smoke smokealarm sos "
        "tamper tampered tampering water waterleak wet"
    ),
)
def test_words_that_name_an_alarm(word):
    """Each counts, as it is and in other words' company."""
    for name in (word, word.upper(), f"{word}s", f"kitchen_{word}", f"{word}Detected"):
        for value in (True, 1, "yes"):
            assert decide_signal(["ok"], [{name: value}]).reason == SignalReason.ALARM_IS_ON


@pytest.mark.parametrize(
    "word",
    _words(
        "resolved resolve ok okay clear cleared closed normal recovered recovery 0 false no off none dry inactive "
        "idle armed unknown n/a 21.5 -3 21,5 07"
    ),
)
def test_texts_that_are_no_alarm(word):
    """An alarm's text that says off, or a reading."""
    assert decide_signal(["ok"], [{"smoke": word, "leak": {"state": word.upper()}, "co": [word]}]) == RESOLVED


@pytest.mark.parametrize(
    "word", _words("active detected firing high on open present triggered tripped true yes smoke leak alarm")
)
def test_texts_that_are_on_where_a_name_may_stand(word):
    """`alarm` and `alert` often hold a name; these words are none."""
    assert decide_signal(["ok"], [{"alert": word.title()}]) == _on("alert")


@pytest.mark.parametrize("word", _words("active detected on present state triggered value"))
def test_words_of_a_state_within_an_alarm(word):
    """They tell whether the alarm around them is on; other names don't."""
    assert decide_signal(["ok"], [{"smoke": {word: "yes"}}]) == _on("smoke")
    assert decide_signal(["ok"], [{"smoke": {"room": "kitchen", "channel": 1}}]) == RESOLVED


@pytest.mark.parametrize(
    "said",
    [
        {"smoke": False},
        {"smoke": None},
        {"smoke": 0},
        {"smoke": "off"},
        {"smoke": ""},
        {"smoke": "  "},
        {"smoke": []},
        {"co": 4, "gas": 0.3, "water": 21.5},
        {"water_level": 1, "alarm_id": 1, "alarm_count": 0, "alarms": -1, "leaks": 0.5},
        {"no_leak": True},
        {"smoke_cleared": True},
        {"alarmEnabled": True},
        {"alarm": {"armed": True, "zone": 1, "volume": 1}},
        {"smoke": {"state": "ok", "value": 0}},
        {"state": "on", "active": True, "value": 1},
        {"water_valve": True, "water_pump": True, "water_supply": True},
        {"alert": "Front door", "alarms": ["front door", "Leak in the cellar is over"], "emergency": "none"},
        {"alert_url": "https://example.org/1", "smoke_message": "no smoke any more", "co_unit": "ppm"},
        {"water": "21.5 °C", "co": "3 ppm", "gas": "0.4%", "moisture": "40 %"},
        {"alarm_2": 2, "fire": 2, "smoke": "2"},
        {"door": True, "online": True, "firmware": True, "leakproof": True, "": True, "\udcff": True},
        "smoke",
        True,
    ],
    ids=ascii,
)
def test_what_is_no_alarm_leaves_an_all_clear_alone(said):
    """Readings, names, counts, and names with another meaning aren't alarms."""
    assert decide_signal(["ok"], [said]) == RESOLVED


@for_any
@given(st.sampled_from(["smoke", "co", "leakDetected", "zone2_leak"]), json_values)
def test_every_alarm_counts_whatever_stands_around_it(name, rest):
    """Nothing beside an alarm that is on hides it."""
    assert decide_signal(["ok"], [rest, {"a": [rest, {name: True}]}]).signal == Signal.FIRING


@for_any
@given(st.lists(json_values, max_size=3), json_values)
def test_only_a_plain_all_clear_resolves(statuses, said):
    """Whatever an alert says, it is decided, and only a status that says so ends something."""
    decided = decide_signal(statuses, [said])
    assert (decided.signal is Signal.RESOLVED) == (decided.reason is SignalReason.SAYS_RESOLVED)


@pytest.mark.parametrize(
    ("decided", "sentence"),
    [
        (RESOLVED, None),
        (DecidedSignal(Signal.FIRING, SignalReason.NO_STATUS), None),
        (
            DecidedSignal(Signal.FIRING, SignalReason.CONTRADICTED),
            "fires, because one status says resolved and another one doesn't",
        ),
        (
            DecidedSignal(Signal.FIRING, SignalReason.EVENT_IS_ON, "leak"),
            "fires, because its status says resolved, but its event names leak and its data is on",
        ),
        (_on("smoke"), "fires, because its status says resolved, but a field named smoke is on"),
    ],
)
def test_a_doubt_is_told(decided, sentence):
    """A doubtful all-clear says why it fires; anything else goes without saying."""
    assert doubt(decided) == sentence


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("e", [{"list": [0] * MOST_VALUES}]),
        ("e", [{"list": [{"a": []}] * MOST_VALUES}]),
        ("e", [{f"k{number}": 0 for number in range(MOST_VALUES)}]),
        ("e", [{"a": [[0] * 100] * 50}]),
        ("e", [{"k" * (MOST_LETTERS + 1): 0}]),
        ("e", [[{"k" * 1000: 0}] * 40, {}]),
        ("e" * (MOST_LETTERS + 1), [{}]),
    ],
)
def test_an_all_clear_that_is_too_large_to_search_is_doubtful(event, said):
    """An alarm may be on somewhere in it, and to look everywhere would keep all others waiting."""
    decided = decide_signal(["ok"], said, event)
    assert decided == (Signal.FIRING, SignalReason.TOO_LARGE, None)
    assert "too much" in (doubt(decided) or "")
    assert decide_signal(["on"], said, event).reason is SignalReason.SAYS_FIRING


def test_a_large_all_clear_is_one():
    """Five hundred readings with their names are no doubt."""
    readings = [{"sensor": number, "temperature": 21.5, "humidity": 40, "at": "hall"} for number in range(500)]
    assert decide_signal(["ok"], [readings, {}], "climate/report").reason is SignalReason.SAYS_RESOLVED
