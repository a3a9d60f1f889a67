"""How a person's action changes an incident."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alertgate.credential import Credential
from alertgate.group.transitions import Transition, TransitionResult, acknowledge, resolve
from alertgate.model import IncidentStatus, Resolution
from tests.builders import incident
from tests.fakes import START

LATER = START + timedelta(minutes=1)


def test_acknowledging_records_who_and_when():
    """An open incident becomes acknowledged, with the name, the credential and the time."""
    open_ = incident()
    after = replace(open_, status=IncidentStatus.ACKNOWLEDGED, acknowledged_at=LATER, acknowledged_by="Anna")
    after = replace(after, acknowledged_with=Credential.API_TOKEN, acknowledged_changes=open_.changes)
    assert Transition(TransitionResult.CHANGED, after, "acknowledged by Anna") == acknowledge(
        open_, "Anna", Credential.API_TOKEN, LATER
    )


@pytest.mark.parametrize("status", [IncidentStatus.OPEN, IncidentStatus.ACKNOWLEDGED])
def test_resolving_records_who_and_when(status):
    """An open or acknowledged incident becomes resolved, and keeps who acknowledged it."""
    before = incident(status=status, acknowledged_by="Bea")
    after = replace(
        before,
        status=IncidentStatus.RESOLVED,
        resolved_at=LATER,
        resolution=Resolution.PERSON,
        resolved_by="Anna",
        resolved_with=Credential.API_TOKEN,
    )
    assert Transition(TransitionResult.CHANGED, after, "resolved by Anna") == resolve(
        before, "Anna", Credential.API_TOKEN, LATER
    )


@pytest.mark.parametrize(
    ("decide", "status"), [(acknowledge, IncidentStatus.ACKNOWLEDGED), (resolve, IncidentStatus.RESOLVED)]
)
def test_repeating_an_action_changes_nothing(decide, status):
    """The first person stays on record."""
    before = incident(status=status)
    assert Transition(TransitionResult.ALREADY, before, f"it is already {status}") == decide(
        before, "Anna", Credential.API_TOKEN, LATER
    )


def test_a_resolved_incident_cannot_be_acknowledged():
    """Only an alert can open it again."""
    over = incident(status=IncidentStatus.RESOLVED)
    reason = "it is resolved, and can no longer become acknowledged"
    assert Transition(TransitionResult.REFUSED, over, reason) == acknowledge(over, "Anna", Credential.API_TOKEN, LATER)
