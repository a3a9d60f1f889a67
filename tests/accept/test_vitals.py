"""Where what a device says of itself goes, and what is read in it."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from alertgate.accept import generic, particle
from alertgate.accept.intake import IntakeContext
from alertgate.accept.rulings import Understood
from alertgate.accept.vitals import LARGEST, Vitals, VitalsReason, decide_vitals, read_vitals, whole
from alertgate.model import AlertStatus, Severity, Signal
from alertgate.policy.events import doubts
from alertgate.policy.load import parse
from alertgate.rules import SeverityRules
from tests.accept.test_intake import json_values
from tests.builders import DOOR, for_any
from tests.fakes import START

CONTEXT = IntakeContext("alert-1", START, SeverityRules((), Severity.WARNING))
DIAGNOSTICS = "spark/device/diagnostics/update"
NAMED = f'[devices."{DOOR}"]\n'
LOC = '[[events]]\nevent = "loc"\nvitals = true\n'
HOT = f'{LOC}alarm = "data.temp > `60`"\n'
COLD_AGAIN = f'{HOT}resolved = "data.temp < `50`"\n'


def diagnostics(**device: Any) -> dict[str, Any]:
    """Return what the cloud publishes of a device."""
    return {"device": device, "service": {"device": {"status": "ok"}, "cloud": {"uptime": 3}}}


def understood(policy: str, event: str, data: Any = "", device: str = DOOR, **fields: Any) -> Understood:
    """Return an event of Particle's under a policy."""
    parsed = parse(policy)
    body = {"event": event, "coreid": device, "data": data, **fields}
    context = replace(CONTEXT, rules=parsed.events, devices=parsed.devices)
    return particle.understand(json.dumps(body).encode(), "application/json", context)


@pytest.mark.parametrize(
    ("policy", "event", "data", "status"),
    [
        ("", "spark/status", "offline", AlertStatus.ACCEPTED),
        ("", DIAGNOSTICS, diagnostics(), AlertStatus.ACCEPTED),
        ('[devices."*"]\nexpect_every = "1h"\n', "spark/status", "offline", AlertStatus.ACCEPTED),
        (f'[devices."{"0" * 24}"]\n', "spark/status", "offline", AlertStatus.ACCEPTED),
        (NAMED, "spark/status", "offline", AlertStatus.VITALS),
        (NAMED, DIAGNOSTICS, diagnostics(), AlertStatus.VITALS),
        (NAMED, "spark/device/last_reset", "watchdog", AlertStatus.VITALS),
        (NAMED.upper().replace("DEVICES", "devices"), "spark/status", "offline", AlertStatus.VITALS),
        (NAMED, "spark/flash/status", "failed", AlertStatus.ACCEPTED),
        (NAMED, "leak", "wet", AlertStatus.ACCEPTED),
        (
            f'[[events]]\nevent = "spark/*"\nseverity = "critical"\n{NAMED}',
            "spark/status",
            "offline",
            AlertStatus.VITALS,
        ),
        (
            f'[[events]]\nevent = "spark/*"\nalarm = "data == \'offline\'"\n{NAMED}',
            "spark/status",
            "offline",
            "accepted",
        ),
        (f'[[events]]\nevent = "spark/*"\nalarm = "data == \'offline\'"\n{NAMED}', "spark/status", "online", "vitals"),
        (f'[[events]]\nevent = "spark/*"\nignore = true\n{NAMED}', "spark/status", "offline", AlertStatus.IGNORED),
        (LOC, "loc", {"batt": 80}, AlertStatus.VITALS),
        (LOC, "leak", {"batt": 80}, AlertStatus.ACCEPTED),
        (HOT, "loc", {"temp": 61}, AlertStatus.ACCEPTED),
        (HOT, "loc", {"temp": 40}, AlertStatus.VITALS),
        (HOT, "loc", {}, AlertStatus.ACCEPTED),
        (COLD_AGAIN, "loc", {"temp": 55}, AlertStatus.VITALS),
        (COLD_AGAIN, "loc", {"temp": 45}, AlertStatus.ACCEPTED),
    ],
)
def test_vitals_go_to_their_device_alone_where_somebody_asked_for_it(policy, event, data, status):
    """A rule or a device's own table must say so, and an alarm, or an alarm's end, is an alert all the same."""
    found = understood(policy, event, data)
    assert found.alert.status == status
    assert found.sign is not None
    assert found.is_aside is (status in ("vitals", "ignored"))
    assert not found.is_aside or found.alert.severity is Severity.INFO, "nobody is told: it is no warning"


def test_vitals_without_a_device_are_an_alert():
    """There is nothing to which they could go, and they mustn't be lost; the same holds for a generic alert."""
    assert understood(LOC, "loc", {"batt": 3}, device="").alert.status is AlertStatus.ACCEPTED
    body = {"event": "loc", "message": "Here", "source": "nas"}
    context = replace(CONTEXT, rules=parse(LOC).events)
    assert generic.understand(json.dumps(body).encode(), None, context).alert.status is AlertStatus.ACCEPTED


@pytest.mark.parametrize(
    ("policy", "temp", "signal"),
    [(HOT, 61, Signal.FIRING), (COLD_AGAIN, 45, Signal.RESOLVED), (HOT, None, Signal.RESOLVED)],
)
def test_an_alarm_among_vitals_fires_whatever_its_own_words_say(policy, temp, signal):
    """Unless the rule says that it is over, or nothing at all."""
    found = understood(policy, "loc", {"status": "ok", **({"temp": temp} if temp else {})})
    assert found.alert.signal is signal


def test_an_alert_of_vitals_says_why_it_is_in_no_incident():
    """Its reason names the rule, or [devices]; its key and its identity are its own."""
    by_rule = understood(HOT, "loc", {"temp": 40}, event_id="7").alert
    assert by_rule.reason == (
        "[[events]] 1 (loc) says: no alarm; vitals of its device: kept there, and part of no incident"
    )
    assert (by_rule.incident_key, by_rule.repeat_key, by_rule.content) == ('vitals:["alert-1"]', None, None)
    by_name = understood(NAMED, "spark/status", "offline").alert
    assert by_name.reason == (
        "what Particle's cloud says of a device that [devices] names: kept there, and part of no incident"
    )


def test_the_reason_is_one_of_a_closed_list():
    """So that it can be counted."""
    [rule] = parse(LOC).events
    ruling = understood(LOC, "loc", {}).ruling
    assert ruling.rule == rule
    assert decide_vitals("loc", DOOR, ruling, named=False) is VitalsReason.MARKED
    assert decide_vitals("spark/status", DOOR, None, named=True) is VitalsReason.NAMED
    assert decide_vitals("loc", DOOR, None, named=True) is VitalsReason.NONE
    assert decide_vitals("loc", None, ruling, named=True) is VitalsReason.NONE
    hot = understood(HOT, "loc", {"temp": 99}).ruling
    assert decide_vitals("loc", DOOR, hot, named=False) is VitalsReason.ALARM


def test_what_counts_for_nothing_is_doubted():
    """An alarm of what isn't vitals, and vitals of what has no device."""
    told = dict(doubts(parse('[[events]]\nevent = "leak"\nalarm = true\n').events))
    assert list(told) == ["events[1].alarm"]
    told = dict(doubts(parse('[[events]]\nevent = "leak"\nvitals = true\nsource = "generic"\n').events))
    assert list(told) == ["events[1].vitals"]
    assert not [*doubts(parse('[[events]]\nevent = "spark/*"\nalarm = true\n').events)]


FULL = {
    "network": {"signal": {"at": "Wi-Fi", "strength": 88.33, "quality": 45.83, "strengthv": -77}},
    "power": {"battery": {"charge": 81.5, "state": "discharging"}, "source": "USB host"},
    "system": {"uptime": 99, "memory": {"used": 41900, "total": 167600}},
}


@pytest.mark.parametrize(
    ("event", "data", "vitals"),
    [
        (DIAGNOSTICS, diagnostics(**FULL), Vitals(81.5, "USB host", 88.33, 45.83, 99, 25.0)),
        (DIAGNOSTICS, diagnostics(power={"battery": {"charge": {"err": -210}}, "source": {"err": -1}}), Vitals()),
        (DIAGNOSTICS, diagnostics(power={"battery": {"charge": 0}}), Vitals(battery=0)),
        (DIAGNOSTICS, diagnostics(power={"battery": {"charge": True}}), Vitals()),
        (DIAGNOSTICS, diagnostics(power={"battery": {"charge": 101}}), Vitals()),
        (DIAGNOSTICS, diagnostics(power={"battery": {"charge": 10**400}}), Vitals()),
        (DIAGNOSTICS, diagnostics(power=[1]), Vitals()),
        (DIAGNOSTICS, diagnostics(system={"memory": {"used": 5, "total": 0}}), Vitals()),
        (DIAGNOSTICS, diagnostics(system={"memory": {"used": 5, "total": 4}}), Vitals()),
        (DIAGNOSTICS, {"batt": 3}, Vitals()),
        (DIAGNOSTICS, "no object", None),
        ("spark/device/last_reset", "power_brownout", Vitals(reset="power_brownout")),
        ("spark/device/last_reset", "Panic, hard_fault", Vitals(reset="panic, hard_fault")),
        ("spark/device/last_reset", None, None),
        ("spark/status", "online", None),
        (
            "loc",
            {"cmd": "loc", "trig": ["time"], "batt": 98.8, "cell": 37.5, "loc": {"lck": 1}},
            Vitals(98.8, None, 37.5),
        ),
        ("loc", {"Battery": "87 %", "power": "solar"}, Vitals(87, "solar")),
        ("loc", {"battery": {"err": -210}, "soc": 12}, Vitals(12)),
        ("loc", {"state": {"battery": 44, "uptime": 7}}, Vitals(44, uptime=7)),
        ("loc", {"batt": 3.92}, Vitals()),
        ("loc", {"batt": 3}, Vitals(3)),
        ("loc", {"signal": -71, "batt": "low"}, Vitals()),
        ("health", diagnostics(**FULL), Vitals(81.5, "USB host", 88.33, 45.83, 99, 25.0)),
    ],
)
def test_readings_are_read_where_they_are_and_unknown_where_they_are_none(event, data, vitals):
    """What a device couldn't measure is unknown and not 0, and so is what can't be a percentage, or may be volts."""
    assert read_vitals(event, data) == vitals


@for_any
@given(json_values)
def test_anything_can_be_read(data):
    """Whatever a device sends as its vitals, reading it doesn't fail."""
    for event in ("loc", DIAGNOSTICS, "spark/device/last_reset", "spark/status"):
        read_vitals(event, data)


@pytest.mark.parametrize(
    ("reset", "bad"),
    [("power_brownout", True), ("watchdog", True), ("panic, hard_fault", False), ("user", False), (None, False)],
)
def test_brownouts_and_watchdog_resets_are_bad(reset, bad):
    """The others were wanted, or are a defect of the firmware."""
    assert Vitals(reset=reset).was_bad_reset is bad


def test_the_latest_vitals_are_kept_whole_up_to_a_bound():
    """Particle's largest event fits; of what is larger only its name is kept."""
    large = {"log": "x" * 16_384}
    assert whole("loc", large) == {"event": "loc", "data": large}
    assert whole("loc", "x" * LARGEST) == {"event": "loc", "too_large": True}
