"""Which incident an alert belongs to, and what it does to it."""

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


def decided(current: Incident | None, came, *, waiting: bool = False) -> Decision:
    """Decide with the rules above; an incident that opens is "incident-2"."""
    return decide(current, came, RULES, new_id="incident-2", waiting=waiting)


def test_the_first_alert_opens_an_incident():
    """Where none is open, an alert opens one, with what it says."""
    opened = incident(id="incident-2", severity=Severity.CRITICAL, opened_at=SOON, last_alert_at=SOON)
    assert decided(None, alert(severity=Severity.CRITICAL, received_at=SOON)) == Decision(GroupReason.OPENED, opened)


def test_a_resolution_without_an_incident_changes_nothing():
    """Where none is open, there is nothing to resolve."""
    resolved = alert(signal=Signal.RESOLVED, source=Source.GENERIC)
    assert decided(None, resolved) == Decision(GroupReason.NOTHING_TO_RESOLVE, None)


def test_a_devices_data_that_looks_like_an_end_is_told_where_nothing_was_open():
    """A Particle device's data is its own affair: "status": "resolved" must not make an alert vanish."""
    decision = decided(None, alert(signal=Signal.RESOLVED))
    assert decision == Decision(GroupReason.OPENED_BY_ALL_CLEAR, incident(id="incident-2"))


def test_an_incident_that_somebody_is_still_to_be_told_about_is_not_over():
    """While a notification waits, for a mail server that is down say, a later alert joins however quiet it was."""
    later = alert(received_at=START + RULES.resolve_after)
    assert decided(incident(), later, waiting=True).reason is GroupReason.JOINED
    assert decided(incident(), later, waiting=False).reason is GroupReason.OPENED_AFTER_SILENCE


@pytest.mark.parametrize("status", UNRESOLVED)
@pytest.mark.parametrize("severity", [Severity.WARNING, Severity.INFO])
def test_a_later_alert_joins(status, severity):
    """An alert that is no worse joins the incident, acknowledged or not: one more, and the latest."""
    joined = incident(status=status, alert_count=2, last_alert_at=SOON)
    came = alert(severity=severity, received_at=SOON)
    assert decided(incident(status=status), came) == Decision(GroupReason.JOINED, joined)


def test_an_alert_that_comes_late_does_not_set_the_incident_back():
    """Its time is earlier than the last one's, after the clock was set back."""
    came = alert(received_at=START - timedelta(minutes=1))
    assert decided(incident(), came).incident == incident(alert_count=2)


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
    """An alert that is worse than all before raises it, and what was acknowledged is open again."""
    raised = incident(severity=after, alert_count=2, last_alert_at=SOON)
    came = alert(severity=after, received_at=SOON)
    assert decided(incident(status=status, severity=before), came) == Decision(GroupReason.ROSE, raised)


@pytest.mark.parametrize("status", UNRESOLVED)
@pytest.mark.parametrize("after", [timedelta(0), timedelta(minutes=1), timedelta(days=9)])
def test_a_resolution_ends_the_incident(status, after):
    """A resolution ends what is open, however long it was quiet; the kind of end and the alert stay on record."""
    came = alert(id="alert-2", signal=Signal.RESOLVED, received_at=START + after)
    over = incident(
        status=IncidentStatus.RESOLVED,
        alert_count=2,
        last_alert_at=START + after,
        resolved_at=START + after,
        resolution=Resolution.ALERT,
        resolved_by="alert-2",
    )
    assert decided(incident(status=status), came) == Decision(GroupReason.RESOLVED, over)


@pytest.mark.parametrize("severity", list(Severity))
def test_an_alert_after_a_long_silence_opens_a_new_incident(severity):
    """After RESOLVE_AFTER without an alert the old incident is over, whatever comes."""
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
    """The silence is measured from the last alert, not the first; a clock set back does no harm."""
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
    """An incident without an alert for RESOLVE_AFTER is quiet, unless it is over already."""
    assert is_quiet(incident(status=status), START + silence, RULES) is quiet


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        (Decision(GroupReason.OPENED, incident()), "opened the incident, because none was open for it"),
        (
            Decision(GroupReason.OPENED_AFTER_SILENCE, incident(id="incident-2"), incident()),
            "opened a new incident, because incident-1 was quiet for over 30 min",
        ),
        (
            Decision(GroupReason.OPENED_BY_ALL_CLEAR, incident()),
            "says resolved, but no incident was open for it: told like any other",
        ),
        (Decision(GroupReason.JOINED, incident()), "joined incident incident-1"),
        (
            Decision(GroupReason.ROSE, incident(severity=Severity.CRITICAL)),
            "joined incident incident-1 and raised it to critical",
        ),
        (Decision(GroupReason.RESOLVED, incident()), "resolved incident incident-1"),
        (Decision(GroupReason.NOTHING_TO_RESOLVE, None), "says resolved, but no incident is open for it"),
    ],
)
def test_each_reason_has_a_sentence(decision, expected):
    """The trail says what an alert did to its incident, and why."""
    assert sentence(decision, RULES) == expected
