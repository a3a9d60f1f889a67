"""Recording a batch of alerts gives the same incidents as recording them one by one."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alertgate.accept.record import Recorder, Result
from alertgate.accept.rulings import Understood
from alertgate.credential import Credential
from alertgate.group.actions import Action, IncidentActions
from alertgate.id_kind import IdKind
from alertgate.ids import Ids
from alertgate.model import ChannelName, IncidentStatus, Kind, NotificationStatus, Resolution, Severity, Signal
from alertgate.notify.directory import Directory
from alertgate.rules import GroupingRules
from alertgate.store import incidents, leases, notifications
from alertgate.store.engine import Store
from alertgate.store.leases import Lease
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
    recorder = Recorder(RULES, Directory.of([(ChannelName.EMAIL, "me@example.com")]), Ids(None))
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
    recorder = Recorder(RULES, Directory.of(targets), Ids(None))
    with store.transaction() as connection:
        [opened, joined] = recorder.record(connection, [alert(0), alert(1)])
    stored = store.read_now(lambda c: notifications.of_incident(c, opened.incident_id))
    assert (opened.due, joined.due) == (2, 0)
    assert [(each.status, each.due_at) for each in stored] == [(NotificationStatus.PENDING, START)] * 2
    assert joined.reason == f"joined incident {opened.incident_id}; the pending notification will say it"


def test_a_repeat_is_recognised_beside_a_device_that_uses_one_id_for_all(store: Store):
    """Whatever that device has published before, and with whom the repeat shares a commit."""
    recorder = Recorder(RULES, Directory.of([]), Ids(None))
    mine = {"repeat_key": "mine", "id_kind": IdKind.EVENT_ID, "content": "wet", "published_at": START}
    busy = {"repeat_key": "busy", "id_kind": IdKind.EVENT_ID, "content": "wet", "incident_key": "busy"}
    every = [alert(number, **busy, published_at=START + timedelta(seconds=number)) for number in range(1, 400)]
    later = Understood(replace(every[7].alert, id="8", received_at=START + timedelta(hours=1)))
    with store.transaction() as connection:
        recorder.record(connection, [alert(0, **mine), *every])
        again, busy_again, other = recorder.record(
            connection,
            [alert(500, **mine), later, alert(501, **busy)],
        )
    assert again.result is Result.DUPLICATE
    assert (busy_again.result, busy_again.alert_id) == (Result.DUPLICATE, every[7].alert.id)
    assert other.result is Result.ACCEPTED
    assert "its id was used before" in (other.reason or "")


def test_the_all_clear_that_overtook_its_alarm_is_found_among_many(store: Store):
    """A device that says every second that all is well, some of it with a clock that runs ahead."""
    recorder = Recorder(RULES, Directory.of([]), Ids(None))
    over = {"signal": Signal.RESOLVED}
    at = START + timedelta(seconds=100)
    clears = [alert(number, **over, published_at=START - timedelta(hours=1)) for number in range(100)]
    ahead = [alert(110 + number, **over, published_at=at + timedelta(days=1)) for number in range(100)]
    for part in (clears, [alert(101, **over, published_at=at)], ahead):
        with store.transaction() as connection:
            recorder.record(connection, part)
    with store.transaction() as connection:
        [late] = recorder.record(connection, [alert(250, published_at=at - timedelta(seconds=1))])
        incident = incidents.get(connection, late.incident_id or "")
    assert incident is not None
    assert (incident.status, incident.ended_at) == (IncidentStatus.RESOLVED, at)


def test_an_alert_after_resolve_after_resolves_the_old_incident_and_opens_a_new_one(store: Store):
    """Both are stored in one commit, and the next alert of the batch joins the new one."""
    recorder = Recorder(RULES, Directory.of([]), Ids(None))
    late = RULES.resolve_after.total_seconds()
    with store.transaction() as connection:
        [first, second, third] = recorder.record(connection, [alert(0), alert(late), alert(late + 1)])
        ended, opened = (incidents.get(connection, each.incident_id) for each in (first, second))
    assert ended is not None
    assert opened is not None
    assert (ended.status, ended.resolution, ended.alert_count) == (IncidentStatus.RESOLVED, Resolution.SILENCE, 1)
    assert (opened.status, opened.alert_count, third.incident_id) == (IncidentStatus.OPEN, 2, opened.id)


def test_who_is_just_being_told_that_it_is_open_is_told_of_the_end(store: Store):
    """A person ends it meanwhile, it fires again, and somebody knows of that: still the last word must be "over"."""
    directory = Directory.of([(ChannelName.EMAIL, "me@example.com")])
    recorder, actions = Recorder(RULES, directory, Ids(None)), IncidentActions(directory, RULES.interval, Ids(None))
    soon = [START + timedelta(seconds=number) for number in range(60)]
    with store.transaction() as connection:
        [first] = recorder.record(connection, [alert(0)])
        [opening] = notifications.of_incident(connection, first.incident_id or "")
        leases.lease(connection, [opening.id], Lease("me", soon[0], soon[59]))
        actions.resolve(connection, Action(first.incident_id or "", "Ann", Credential.API_TOKEN, soon[1]))
        [again] = recorder.record(connection, [alert(2)])
        actions.acknowledge(connection, Action(again.incident_id or "", "Ann", Credential.API_TOKEN, soon[3]))
        recorder.record(connection, [alert(4, signal=Signal.RESOLVED)])
        told = notifications.of_incident(connection, again.incident_id or "")
    assert again.incident_id != first.incident_id
    assert [(each.kind, each.status) for each in told] == [
        (Kind.OPENING, NotificationStatus.CANCELLED),
        (Kind.RESOLUTION, NotificationStatus.PENDING),
    ]
