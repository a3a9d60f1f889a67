"""Which incident an alert belongs to, and how it changes that incident."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alertgate.group.decide import Decision, GroupReason, decide, is_quiet, sentence
from alertgate.model import Incident, IncidentStatus, Resolution, Severity, Signal, Source
from alertgate.rules import GroupingRules
from tests.builders import alert, incident
from tests.fakes import START

RULES = GroupingRules(timedelta(minutes=5), timedelta(minutes=30))
SOON = START + timedelta(minutes=1)
A_MOMENT = timedelta(microseconds=1)
UNRESOLVED = [IncidentStatus.OPEN, IncidentStatus.ACKNOWLEDGED]


def decided(current: Incident | None, new_alert, *, waiting: bool = False) -> Decision:
    """Decide with the rules above; an incident that opens is "incident-2"."""
    return decide(current, new_alert, RULES, new_id="incident-2", waiting=waiting)


def test_the_first_alert_opens_an_incident():
    """If none is open, an alert opens one with its own event, device and severity."""
    opened = incident(id="incident-2", severity=Severity.CRITICAL, opened_at=SOON, last_alert_at=SOON)
    assert decided(None, alert(severity=Severity.CRITICAL, received_at=SOON)) == Decision(GroupReason.OPENED, opened)


@pytest.mark.parametrize("source", Source)
@pytest.mark.parametrize("severity", Severity)
def test_an_all_clear_never_opens_an_incident(source, severity):
    """A late or repeated all-clear, or one that a device sends at its start, is no alarm, however severe."""
    resolved = alert(signal=Signal.RESOLVED, source=source, severity=severity)
    assert decided(None, resolved) == Decision(GroupReason.NOTHING_TO_RESOLVE, None)


def test_an_incident_with_a_waiting_notification_stays_open():
    """While a notification waits, a later alert joins even after RESOLVE_AFTER, for example if mail is down."""
    later = alert(received_at=START + RULES.resolve_after)
    assert decided(incident(), later, waiting=True).reason is GroupReason.JOINED
    assert decided(incident(), later, waiting=False).reason is GroupReason.OPENED_AFTER_SILENCE


@pytest.mark.parametrize("status", UNRESOLVED)
@pytest.mark.parametrize("severity", [Severity.WARNING, Severity.INFO])
def test_a_later_alert_joins(status, severity):
    """An alert that isn't more severe joins the incident, acknowledged or not, and updates its count and time."""
    joined = incident(status=status, alert_count=2, last_alert_at=SOON)
    new_alert = alert(severity=severity, received_at=SOON)
    assert decided(incident(status=status), new_alert) == Decision(GroupReason.JOINED, joined)


def test_an_alert_with_an_earlier_time_keeps_the_incidents_time():
    """After the clock was set back, an alert's time is before that of the last one."""
    new_alert = alert(received_at=START - timedelta(minutes=1))
    assert decided(incident(), new_alert).incident == incident(alert_count=2)


@pytest.mark.parametrize("status", UNRESOLVED)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Severity.INFO, Severity.WARNING),
        (Severity.INFO, Severity.CRITICAL),
        (Severity.WARNING, Severity.CRITICAL),
    ],
)
def test_a_worse_alert_raises_the_incident(status, before, after):
    """An alert more severe than all before raises the incident, and reopens an acknowledged one."""
    raised = incident(severity=after, alert_count=2, last_alert_at=SOON)
    new_alert = alert(severity=after, received_at=SOON)
    assert decided(incident(status=status, severity=before), new_alert) == Decision(GroupReason.ROSE, raised)


@pytest.mark.parametrize("status", UNRESOLVED)
@pytest.mark.parametrize("after", [timedelta(0), timedelta(minutes=1), timedelta(days=9)])
def test_a_resolution_ends_the_incident(status, after):
    """A resolution resolves the incident even after a long silence; the incident records the alert."""
    new_alert = alert(id="alert-2", signal=Signal.RESOLVED, received_at=START + after)
    over = incident(
        status=IncidentStatus.RESOLVED,
        alert_count=2,
        last_alert_at=START + after,
        resolved_at=START + after,
        resolution=Resolution.ALERT,
        resolved_by="alert-2",
    )
    assert decided(incident(status=status), new_alert) == Decision(GroupReason.RESOLVED, over)


@pytest.mark.parametrize("severity", list(Severity))
def test_an_alert_after_resolve_after_opens_a_new_incident(severity):
    """After RESOLVE_AFTER without an alert, the old incident is resolved, whatever the new severity."""
    now = START + timedelta(minutes=30)
    ended = replace(incident(), status=IncidentStatus.RESOLVED, resolved_at=now, resolution=Resolution.SILENCE)
    opened = incident(id="incident-2", severity=severity, opened_at=now, last_alert_at=now)
    decision = decided(incident(), alert(severity=severity, received_at=now))
    assert decision == Decision(GroupReason.OPENED_AFTER_SILENCE, opened, ended)


@pytest.mark.parametrize(
    ("silence", "reason"),
    [
        (timedelta(minutes=30) - A_MOMENT, GroupReason.JOINED),
        (timedelta(minutes=30), GroupReason.OPENED_AFTER_SILENCE),
        (timedelta(minutes=-5), GroupReason.JOINED),
    ],
)
def test_silence_counts_from_the_last_alert(silence, reason):
    """RESOLVE_AFTER counts from the last alert, not the first, also after the clock was set back."""
    old = incident(opened_at=START - timedelta(days=1), last_alert_at=START)
    assert decided(old, alert(received_at=START + silence)).reason is reason


@pytest.mark.parametrize(
    ("status", "silence", "quiet"),
    [
        (IncidentStatus.OPEN, timedelta(minutes=30), True),
        (IncidentStatus.OPEN, timedelta(minutes=30) - A_MOMENT, False),
        (IncidentStatus.ACKNOWLEDGED, timedelta(minutes=31), True),
        (IncidentStatus.ACKNOWLEDGED, timedelta(0), False),
        (IncidentStatus.RESOLVED, timedelta(days=1), False),
    ],
)
def test_only_an_unresolved_incident_is_quiet(status, silence, quiet):
    """An incident without an alert for RESOLVE_AFTER is quiet, unless it is already resolved."""
    assert is_quiet(incident(status=status), START + silence, RULES) is quiet


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        (Decision(GroupReason.OPENED, incident()), "opened the incident, because none was open for it"),
        (
            Decision(GroupReason.OPENED_AFTER_SILENCE, incident(id="incident-2"), incident()),
            "opened a new incident, because incident-1 had no alert for 30 min",
        ),
        (Decision(GroupReason.JOINED, incident()), "joined incident incident-1"),
        (
            Decision(GroupReason.ROSE, incident(severity=Severity.CRITICAL)),
            "joined incident incident-1 and raised it to critical",
        ),
        (Decision(GroupReason.RESOLVED, incident()), "resolved incident incident-1"),
        (
            Decision(GroupReason.NOTHING_TO_RESOLVE, None),
            "says resolved, but no incident is open for it; nobody is told",
        ),
    ],
)
def test_each_reason_has_a_sentence(decision, expected):
    """The trail says what an alert did to its incident, and why."""
    assert sentence(decision, RULES) == expected
