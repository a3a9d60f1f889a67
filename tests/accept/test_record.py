"""Batches of alerts take their places in incidents as they would one by one."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alertgate.accept.record import Recorder
from alertgate.app import Ids
from alertgate.config import GroupingRules
from alertgate.model import Alert, ChannelName, IncidentStatus, NotificationStatus, Severity, Signal
from alertgate.notify.lease import Leases
from alertgate.store import incidents, notifications
from alertgate.store.engine import Store
from tests.fakes import START
from tests.store.test_store import an_alert

RULES = GroupingRules(interval=timedelta(minutes=5), resolve_after=timedelta(minutes=30))


def alert(number: int, **changes) -> Alert:
    """The alert that came so many seconds after the start."""
    at = START + timedelta(seconds=number)
    return replace(an_alert(), id=Ids(None)(at), received_at=at, dedup=None, incident_id=None, **changes)


@pytest.mark.parametrize(
    ("last", "status", "severity"),
    [
        ({}, IncidentStatus.OPEN, Severity.WARNING),
        ({"severity": Severity.CRITICAL}, IncidentStatus.OPEN, Severity.CRITICAL),
        ({"signal": Signal.RESOLVED}, IncidentStatus.RESOLVED, Severity.WARNING),
    ],
    ids=["joined", "escalated", "resolved"],
)
@pytest.mark.parametrize("at_once", [1, 2, 4], ids=lambda number: f"{number} at once")
def test_an_incident_is_the_same_however_its_alerts_are_batched(store: Store, last, status, severity, at_once):
    """Its state, its count and its time don't depend on which alerts share a commit."""
    recorder = Recorder(RULES, [(ChannelName.EMAIL, "me@example.com")], Ids(None))
    warning = {"severity": Severity.WARNING}
    came = [*(alert(number, **warning) for number in range(3)), alert(3, **{**warning, **last})]
    results = []
    for start in range(0, len(came), at_once):
        with store.transaction() as connection:
            results += recorder.record(connection, came[start : start + at_once])
    [incident_id] = {result.incident_id for result in results}
    with store.transaction() as connection:
        incident = incidents.get(connection, incident_id)
    assert (incident.status, incident.severity, incident.alert_count, incident.last_alert_at) == (
        status,
        severity,
        4,
        came[-1].received_at,
    )


def test_what_is_due_at_once_is_leased_in_the_same_commit(store: Store):
    """Who has room for it gets the message with what it is about; what comes later, or doesn't fit, is pending."""
    targets = [(ChannelName.EMAIL, "a@example.com"), (ChannelName.EMAIL, "b@example.com")]
    now = START + timedelta(seconds=1)
    recorder = Recorder(RULES, targets, Ids(None), Leases("me", now, {ChannelName.EMAIL: 1}).grant)
    first, second = alert(0), alert(1)
    with store.transaction() as connection:
        [opened, joined] = recorder.record(connection, [first, second])
    stored = store.read_now(lambda c: notifications.of_incident(c, opened.incident_id))
    [facts] = opened.leased
    assert (opened.due, joined.due, joined.leased) == (2, 0, ())
    assert [each.status for each in stored] == [NotificationStatus.SENDING, NotificationStatus.PENDING]
    assert facts.notification == stored[0]
    assert (facts.incident.alert_count, [each.id for each in facts.alerts]) == (2, [second.id, first.id])
    with store.transaction() as connection:
        [later] = recorder.record(connection, [alert(2)])
    assert (later.due, later.leased) == (0, ())
