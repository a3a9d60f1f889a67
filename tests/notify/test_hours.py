"""What quiet hours and an escalation's hours hold of what becomes due within them."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alertgate.ids import new_id
from alertgate.model import ChannelName, Hold, Kind, Notification, Severity
from alertgate.notify.claim import Claim, Claimer
from alertgate.notify.directory import Directory
from alertgate.notify.flood import FloodRules
from alertgate.policy.policy import Policy
from alertgate.store import incidents, notifications
from alertgate.store.engine import Store
from tests.builders import new_incident, new_notification
from tests.flow.household import escalation, every_night, person, policy, step
from tests.flow.test_escalations import berlin

NIGHT, MORNING = berlin(24, 2), berlin(24, 6, 30)
INTERVAL = timedelta(minutes=5)
HOUSE = policy((person("owner", "22:30-06:30"), person("partner")), (escalation("home", step("owner", "partner")),))
OFFICE = policy((person("owner"),), (escalation("work", step("owner"), hours=every_night("08:00-21:00")),))
WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL


def claimed(store: Store, house: Policy, now: datetime, severity: Severity, *planned: Notification) -> list[str]:
    """Plan notifications about as many incidents; return to whom what is due is sent."""
    claimer = Claimer(
        FloodRules(2, INTERVAL), (), Directory(lambda: house, set(ChannelName)), owner="me", new_id=new_id
    )
    with store.transaction() as connection:
        for each in planned:
            about = new_incident(id=each.incident_id, key=each.id, severity=severity, opened_at=each.due_at)
            incidents.add(connection, [about])
            notifications.add(connection, [each])
        messages = claimer.claim(connection, Claim(ChannelName.EMAIL, 9, now)).messages
    return sorted(each.address for message in messages for each in message.notifications)


def made(name: str = "owner", **changes: object) -> Notification:
    """Return a notification to somebody that was due in the evening."""
    evening = berlin(23, 22)
    plain = new_notification(new_incident(id=new_id(evening)), address=f"{name}@example.com")
    return replace(plain, **{"person": name, "via": name, "due_at": evening, "created_at": evening, **changes})


@pytest.mark.parametrize(
    ("house", "severity", "changes", "hold", "until"),
    [
        (HOUSE, WARNING, {}, Hold.QUIET_HOURS, MORNING),
        (HOUSE, WARNING, {"attempts": 3}, Hold.QUIET_HOURS, MORNING),
        (HOUSE, WARNING, {"kind": Kind.RESOLUTION}, Hold.QUIET_HOURS, MORNING),
        (HOUSE, WARNING, {"hold": Hold.DELAYED}, Hold.QUIET_HOURS, MORNING),
        (HOUSE, CRITICAL, {}, None, None),
        (HOUSE, CRITICAL, {"severity": CRITICAL}, None, None),
        (HOUSE, CRITICAL, {"severity": Severity.INFO, "kind": Kind.ACKNOWLEDGEMENT}, Hold.QUIET_HOURS, MORNING),
        (HOUSE, WARNING, {"person": "a name of old", "via": "a name of old"}, Hold.QUIET_HOURS, MORNING),
        (HOUSE, WARNING, {"person": None, "via": None}, Hold.QUIET_HOURS, MORNING),
        (HOUSE, WARNING, {"name": "partner"}, None, None),
        (HOUSE, WARNING, {"name": "stranger"}, None, None),
        (OFFICE, CRITICAL, {}, Hold.OUTSIDE_HOURS, berlin(24, 8)),
    ],
)
def test_what_is_due_at_night_is_held_unless_it_is_critical(store: Store, house, severity, changes, hold, until):
    """By the person's hours or the escalation's; to whom it is in the policy of now."""
    one = made(**changes)
    going = claimed(store, house, NIGHT, severity, one)
    found = store.read_now(lambda c: notifications.get(c, one.id))
    assert found
    assert (going, found.hold) == (([], hold) if hold else ([one.address], one.hold))
    if hold:
        assert (found.due_at, found.person, found.via) == (until, "owner", "owner")
        assert "due now, but held until Tue 0" in found.reason


def test_a_flood_that_waits_for_its_digest_is_held_once_somebody_sleeps(store: Store):
    """Two go at once, and the rest waits for some seconds, in which the owner's quiet hours begin."""
    before = berlin(23, 22, 30) - timedelta(seconds=1)
    many = [made(due_at=before) for _ in range(6)]
    assert len(claimed(store, HOUSE, before, WARNING, *many)) == 2
    assert claimed(store, HOUSE, before + timedelta(minutes=5), WARNING) == []
    found = [store.read_now(lambda c, one=one: notifications.get(c, one.id)) for one in many]
    assert sorted(each.hold for each in found if each and each.hold) == [Hold.QUIET_HOURS] * 4


def test_a_digest_of_what_is_critical_is_retried_at_night_and_others_leave_it(store: Store):
    """The server has refused both for now, and their retries are due."""
    together = {"attempts": 1, "digest_id": new_id(NIGHT)}
    calm = made(**together)
    assert claimed(store, HOUSE, NIGHT, WARNING, calm) == []
    found = store.read_now(lambda c: notifications.get(c, calm.id))
    assert found
    assert (found.digest_id, found.attempts) == (None, 1)
    assert claimed(store, HOUSE, NIGHT, CRITICAL, made(**together, severity=CRITICAL)) == ["owner@example.com"]
