"""Which incident an alert belongs to."""

from datetime import timedelta

import pytest

from alertgate.config import GroupingRules
from alertgate.group.decide import Decision, Step, decide, is_quiet
from alertgate.model import IncidentStatus, Severity, Signal, Source
from tests.examples import alert, incident
from tests.fakes import START

RULES = GroupingRules(timedelta(minutes=5), timedelta(minutes=30))
SOON = START + timedelta(minutes=1)
A_MOMENT = timedelta(microseconds=1)


def test_the_first_alert_opens_an_incident():
    """Where nothing is open, an alert opens an incident."""
    assert decide(None, alert(), START, RULES) == Decision(
        Step.OPENED, "opened the incident, because none was open for it"
    )


def test_a_resolution_without_an_incident_changes_nothing():
    """Where nothing is open, there is nothing to resolve."""
    resolved = alert(signal=Signal.RESOLVED, source=Source.GENERIC)
    assert decide(None, resolved, START, RULES) == Decision(
        Step.NOTHING_TO_RESOLVE, "says resolved, but no incident is open for it"
    )


def test_a_devices_data_that_looks_like_an_end_is_told_where_nothing_was_open():
    """A Particle device's data is its own affair: "status": "resolved" must not make an alert vanish."""
    assert decide(None, alert(signal=Signal.RESOLVED), START, RULES).step is Step.OPENED


def test_an_incident_that_somebody_is_still_to_be_told_of_is_not_over():
    """While a message waits, for a mail server that is down say, a later alert joins however long it was quiet."""
    later = START + RULES.resolve_after
    assert decide(incident(), alert(), later, RULES, waiting=True).step is Step.JOINED
    assert decide(incident(), alert(), later, RULES, waiting=False).step is Step.REOPENED


@pytest.mark.parametrize("status", [IncidentStatus.OPEN, IncidentStatus.ACKNOWLEDGED])
@pytest.mark.parametrize("severity", [Severity.WARNING, Severity.INFO])
def test_a_later_alert_joins(status, severity):
    """An alert that is no worse joins the incident, acknowledged or not."""
    assert decide(incident(status=status), alert(severity=severity), SOON, RULES) == Decision(
        Step.JOINED, "joined incident incident-1"
    )


@pytest.mark.parametrize("status", [IncidentStatus.OPEN, IncidentStatus.ACKNOWLEDGED])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Severity.INFO, Severity.WARNING),
        (Severity.INFO, Severity.CRITICAL),
        (Severity.WARNING, Severity.CRITICAL),
    ],
)
def test_a_worse_alert_escalates(status, before, after):
    """An alert that is worse than all before raises the incident."""
    assert decide(incident(status=status, severity=before), alert(severity=after), SOON, RULES) == Decision(
        Step.ESCALATED, f"joined incident incident-1 and raised it from {before} to {after}"
    )


@pytest.mark.parametrize("status", [IncidentStatus.OPEN, IncidentStatus.ACKNOWLEDGED])
@pytest.mark.parametrize("after", [timedelta(0), timedelta(minutes=1), timedelta(days=9)])
def test_a_resolution_ends_the_incident(status, after):
    """A resolution ends what is open, however long it was quiet, and however severe it says to be."""
    assert decide(
        incident(status=status), alert(signal=Signal.RESOLVED, severity=Severity.CRITICAL), START + after, RULES
    ) == Decision(Step.RESOLVED, "resolved incident incident-1")


@pytest.mark.parametrize("severity", list(Severity))
def test_an_alert_after_a_long_silence_opens_a_new_incident(severity):
    """After RESOLVE_AFTER without an alert the old incident is over, whatever comes."""
    assert decide(incident(), alert(severity=severity), START + timedelta(minutes=30), RULES) == Decision(
        Step.REOPENED, "opened a new incident, because incident-1 was quiet for over 30 min"
    )


@pytest.mark.parametrize(
    ("silence", "step"),
    [
        (timedelta(minutes=30) - A_MOMENT, Step.JOINED),
        (timedelta(minutes=30), Step.REOPENED),
        (timedelta(minutes=-5), Step.JOINED),
    ],
)
def test_silence_counts_from_the_last_alert(silence, step):
    """The silence is measured from the last alert, not the first; a clock set back does no harm."""
    old = incident(opened_at=START - timedelta(days=1), last_alert_at=START)
    assert decide(old, alert(), START + silence, RULES).step == step


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
