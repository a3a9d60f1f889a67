"""Recording a batch of alerts gives the same incidents as recording them one by one."""

from datetime import timedelta

import pytest

from alertgate.accept.record import Recorder
from alertgate.accept.rulings import Understood
from alertgate.app import Ids
from alertgate.model import ChannelName, IncidentStatus, NotificationStatus, Resolution, Severity, Signal
from alertgate.rules import GroupingRules
from alertgate.store import incidents, notifications
from alertgate.store.engine import Store
from tests.builders import new_alert
from tests.fakes import START

RULES = GroupingRules(interval=timedelta(minutes=5), resolve_after=timedelta(minutes=30))


def alert(number: float, **changes) -> Understood:
    """Return the alert received `number` seconds after the start."""
    at = START + timedelta(seconds=number)
    return Understood(new_alert(id=Ids(None)(at), received_at=at, **changes))


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
    received = [*(alert(number, **warning) for number in range(3)), alert(3, **{**warning, **last})]
    results = []
    for start in range(0, len(received), at_once):
        with store.transaction() as connection:
            results += recorder.record(connection, received[start : start + at_once])
    [incident_id] = {result.incident_id for result in results}
    with store.transaction() as connection:
        incident = incidents.get(connection, incident_id)
    assert (incident.status, incident.severity, incident.alert_count, incident.last_alert_at) == (
        status,
        severity,
        4,
        received[-1].alert.received_at,
    )


def test_notifications_that_are_due_at_once_are_counted(store: Store):
    """The first alert makes a notification to each contact due; the next one makes none due while they are pending."""
    targets = [(ChannelName.EMAIL, "a@example.com"), (ChannelName.EMAIL, "b@example.com")]
    recorder = Recorder(RULES, targets, Ids(None))
    with store.transaction() as connection:
        [opened, joined] = recorder.record(connection, [alert(0), alert(1)])
    stored = store.read_now(lambda c: notifications.of_incident(c, opened.incident_id))
    assert (opened.due, joined.due) == (2, 0)
    assert [(each.status, each.due_at) for each in stored] == [(NotificationStatus.PENDING, START)] * 2
    assert joined.reason == f"joined incident {opened.incident_id}; the pending notification will say it"


def test_an_alert_after_resolve_after_resolves_the_old_incident_and_opens_a_new_one(store: Store):
    """Both are stored in one commit, and the next alert of the batch joins the new one."""
    recorder = Recorder(RULES, [], Ids(None))
    late = RULES.resolve_after.total_seconds()
    with store.transaction() as connection:
        [first, second, third] = recorder.record(connection, [alert(0), alert(late), alert(late + 1)])
        ended, opened = (incidents.get(connection, each.incident_id) for each in (first, second))
    assert ended is not None
    assert opened is not None
    assert (ended.status, ended.resolution, ended.alert_count) == (IncidentStatus.RESOLVED, Resolution.SILENCE, 1)
    assert (opened.status, opened.alert_count, third.incident_id) == (IncidentStatus.OPEN, 2, opened.id)
