"""How a person's action changes an incident."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alertgate.credential import Credential
from alertgate.group.transitions import Transition, TransitionResult, acknowledge, hand_back, resolve, snooze
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


@pytest.mark.parametrize("snoozed_until", [None, LATER + timedelta(hours=1)], ids=["acknowledged", "snoozed"])
def test_handing_back_opens_it_and_keeps_who_had_it(snoozed_until):
    """With the name, the credential and the time of whoever handed it back."""
    had = {"acknowledged_at": START, "acknowledged_by": "Bea", "acknowledged_with": Credential.LINK}
    before = incident(
        status=IncidentStatus.ACKNOWLEDGED, acknowledged_changes=3, snoozed_until=snoozed_until, changes=3, **had
    )
    after = replace(before, status=IncidentStatus.OPEN, acknowledged_changes=None, handed_back_at=LATER)
    after = replace(after, handed_back_by="Anna", handed_back_with=Credential.CONSOLE)
    found = hand_back(before, "Anna", Credential.CONSOLE, LATER)
    assert found == Transition(TransitionResult.CHANGED, after, "handed back by Anna")
    assert hand_back(after, "Cy", Credential.LINK, LATER).result is TransitionResult.ALREADY
    assert not after.is_dealt_with


@pytest.mark.parametrize("take", [acknowledge, lambda *who: snooze(*who[:3], LATER + timedelta(hours=1), who[3])])
def test_whoever_takes_it_next_has_not_handed_it_back(take):
    """Or the end of their snooze would be told as if they had."""
    back = {"handed_back_at": START, "handed_back_by": "Anna", "handed_back_with": Credential.LINK}
    taken = take(incident(acknowledged_at=START, **back), "Bea", Credential.LINK, LATER).incident
    assert (taken.handed_back_at, taken.handed_back_by, taken.handed_back_with) == (None, None, None)


def test_what_is_over_cannot_be_handed_back():
    """Nobody is asked again about what a person or an alert has ended."""
    over = incident(status=IncidentStatus.RESOLVED, acknowledged_at=START)
    reason = "it is resolved, and can no longer become open"
    refused = hand_back(over, "Anna", Credential.API_TOKEN, LATER)
    assert refused == Transition(TransitionResult.REFUSED, over, reason)
