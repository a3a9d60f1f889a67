"""Rules of the policy, applied to alerts of both webhooks."""

import json
from dataclasses import replace
from typing import Any

import pytest

from alertgate.accept import generic, particle
from alertgate.accept.intake import IntakeContext
from alertgate.model import Alert, AlertStatus, Severity, Signal
from alertgate.policy.load import parse
from alertgate.rules import SeverityRules
from tests.fakes import START

CONTEXT = IntakeContext("alert-1", START, SeverityRules((("leak", Severity.INFO),), Severity.WARNING))


def context(**keys: str) -> IntakeContext:
    """Return a context with one rule for every event, whose values are TOML."""
    rule = "\n".join(["[[events]]", 'event = "*"', *(f"{key} = {value}" for key, value in keys.items())])
    return replace(CONTEXT, rules=parse(rule).events)


def of_particle(data: Any = None, *, fields: dict[str, Any] | None = None, **keys: str) -> Alert:
    """Return Particle's alert of a leak under one rule."""
    body = {"event": "leak", "coreid": "bath", "data": data, **(fields or {})}
    return particle.understand(json.dumps(body).encode(), "application/json", context(**keys)).alert


def of_generic(details: Any = None, *, fields: dict[str, Any] | None = None, **keys: str) -> Alert:
    """Return a generic alert of a backup under one rule."""
    body = {"event": "backup", "message": "No backup", "source": "nas", "details": details, **(fields or {})}
    return generic.understand(json.dumps(body).encode(), None, context(**keys)).alert


@pytest.mark.parametrize(
    ("data", "keys", "signal"),
    [
        ({"status": "resolved"}, {}, Signal.RESOLVED),
        ({"status": "resolved"}, {"resolved": "false"}, Signal.FIRING),
        ({"status": "firing"}, {"resolved": "true"}, Signal.RESOLVED),
        ({"status": "ok", "smoke": True}, {"resolved": "true"}, Signal.RESOLVED),
        ({"status": "resolved"}, {"resolved": '"data.gone"'}, Signal.FIRING),
        ({"status": "resolved"}, {"resolved": '"status"'}, Signal.FIRING),
        ({"status": "resolved"}, {"resolved": "\"status == 'resolved'\""}, Signal.RESOLVED),
        ({"status": "resolved"}, {"severity": '"data.gone"'}, Signal.RESOLVED),
        ({"level": 3}, {"resolved": '"data.gone"'}, Signal.FIRING),
    ],
)
def test_a_rule_decides_whether_it_is_over(data, keys, signal):
    """Before the alert's own words, which end nothing if the rule failed."""
    assert of_particle(data, **keys).signal is signal
    assert of_generic(data, fields={"status": data.get("status")}, **keys).signal is signal


@pytest.mark.parametrize(
    ("keys", "severity"),
    [
        ({}, Severity.INFO),
        ({"severity": '"critical"'}, Severity.CRITICAL),
        ({"severity": '"data.gone"'}, Severity.INFO),
    ],
)
def test_a_rule_decides_how_severe_it_is(keys, severity):
    """Else SEVERITY_RULES do."""
    assert of_particle({"level": 3}, **keys).severity is severity


def test_a_rule_takes_precedence_over_the_alerts_own_severity():
    """Makers' words are what the rule is about."""
    assert of_particle({"severity": "info"}, severity='"critical"').severity is Severity.CRITICAL
    assert of_particle({"severity": "info"}, severity='"data.gone"').severity is Severity.INFO
    assert of_generic(fields={"severity": "info"}, severity='"critical"').severity is Severity.CRITICAL


@pytest.mark.parametrize(
    ("keys", "particles", "generics"),
    [
        ({}, '["bath","leak","door","front"]', '["nas","backup","door","front"]'),
        ({"about": '"thing"'}, '["bath","thing","door","front"]', '["nas","thing","door","front"]'),
        ({"key": '"data.id"'}, '["bath","leak","key","7"]', '["nas","backup","key","7"]'),
        ({"key": '"data.id"', "about": '"thing"'}, '["bath","thing","key","7"]', '["nas","thing","key","7"]'),
        ({"key": '"data.gone"'}, '["bath","leak","door","front"]', '["nas","backup","door","front"]'),
    ],
)
def test_a_rule_decides_which_incident_it_is(keys, particles, generics):
    """`about` stands for the event, `key` for the part; if it failed, the part is found as without a rule."""
    data = {"door": "front", "id": 7}
    assert of_particle(data, **keys).incident_key == f"particle:{particles}"
    assert of_generic(data, **keys).incident_key == f"generic:{generics}"


def test_a_rules_key_takes_precedence_over_a_dedup_key():
    """Unless it failed; `about` alone doesn't touch it."""
    mine = {"dedup_key": "mine"}
    assert of_generic({"id": 7}, fields=mine, key='"data.id"').incident_key == 'generic:["nas","backup","key","7"]'
    for keys in ({}, {"key": '"data.gone"'}, {"about": '"thing"'}):
        assert of_generic({"id": 7}, fields=mine, **keys).incident_key == 'key:["nas","mine"]'


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        ({"status": "ok", "door": "front"}, {}),
        ({"door": "front"}, {"resolved": "true"}),
        ({"status": "ok", "dedup_key": "mine"}, {}),
        ({"id": None, "status": "ok"}, {}),
        ({"id": " ", "status": "ok"}, {}),
        ({"id": {"nr": 7}, "status": "ok"}, {}),
    ],
)
def test_an_all_clear_whose_key_failed_belongs_to_no_incident(data, keys):
    """It stays an all-clear, which is no alarm, but nobody knows which part is over."""
    more = {"status": data.get("status"), "dedup_key": "mine"}
    for alert in (of_particle(data, key='"data.id"', **keys), of_generic(data, fields=more, key='"data.id"', **keys)):
        assert (alert.signal, alert.incident_key) == (Signal.RESOLVED, 'unclear:["alert-1"]')
        assert alert.reason is not None
        assert alert.reason.endswith("so its own fields say which part is firing, and it can't end an incident")


def test_an_alert_fires_if_both_key_and_resolved_failed():
    """As without `key`: its own words can't end anything, and its own fields say which part it is about."""
    alert = of_particle({"status": "ok", "door": "front"}, key='"data.id"', resolved='"data.gone"')
    assert (alert.signal, alert.incident_key) == (Signal.FIRING, 'particle:["bath","leak","door","front"]')


def test_an_ignored_alert_has_nothing_in_common_with_any_other():
    """No key, no repeat, no all-clear; all of it is stored."""
    alert = of_particle({"status": "ok"}, fields={"event_id": "7"}, ignore="true")
    assert (alert.status, alert.incident_key) == (AlertStatus.IGNORED, 'ignored:["alert-1"]')
    assert (alert.repeat_key, alert.id_kind, alert.content) == (None, None, None)
    assert (alert.data, alert.reason) == ({"status": "ok"}, "ignored by [[events]] 1 (*)")


def test_a_rule_replaces_the_doubt_about_the_alerts_own_words():
    """The trail gives one reason, not two that contradict each other."""
    data = {"status": "ok", "smoke": True}
    assert of_particle(data, resolved="true").reason == "[[events]] 1 (*) says: resolved"
    doubt = "fires, because its status says resolved, but a field named smoke is on"
    assert of_particle(data, severity='"info"').reason == f"[[events]] 1 (*) says: info; {doubt}"
    assert of_particle(data).reason == doubt


def test_an_unreadable_body_is_never_ignored():
    """No rule decides about what nobody has read."""
    alert = particle.understand(b'{"event":"leak', "application/json", context(ignore="true")).alert
    assert (alert.status, alert.signal) == (AlertStatus.QUARANTINED, Signal.FIRING)


def test_expressions_see_each_webhooks_fields():
    """Under the names of the page."""
    fields = {"status": "ok", "severity": "info", "more": "yes"}
    names = '"[event, source, device, status, severity, fields.more, data.door]"'
    key = of_particle({"door": "front"}, fields=fields, key=names).incident_key
    parts = json.loads(key.removeprefix("particle:"))
    assert parts[2:] == ["key", "leak", "particle", "bath", "ok", "info", "yes", "front"]
    key = of_generic({"door": "front"}, fields=fields, key='"[message, source, device, status, severity]"').incident_key
    assert json.loads(key.removeprefix("generic:"))[2:] == ["key", "no backup", "generic", "nas", "ok", "info"]
