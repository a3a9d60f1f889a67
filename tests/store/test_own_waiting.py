"""What waits because of alertgate's own troubles, and what of that counts for others of them."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection

from alertgate.model import ChannelName, Incident, IncidentStatus, NotificationStatus, Severity, Source
from alertgate.own_events import CHANNEL_EVENT
from alertgate.store import audit, claims, counts, incidents, notifications
from alertgate.store.audit import MayWait
from alertgate.store.engine import Store
from tests.builders import new_incident, new_notification
from tests.fakes import START

EMAIL, SMS = ChannelName.EMAIL, ChannelName.SMS
LATER = START + timedelta(hours=1)


def about(connection: Connection, channel: ChannelName, *, by: ChannelName, **changes) -> str:
    """Plan a critical notification by a channel about the pause of one; return its id."""
    facts = {"source": Source.ALERTGATE, "event": CHANNEL_EVENT, "severity": Severity.CRITICAL, **changes}
    incident = new_incident(key=f"alertgate:{channel}:{by}", device=str(channel), **facts)
    incidents.add(connection, [incident])
    return plan(connection, incident, by)


def plan(connection: Connection, incident: Incident, by: ChannelName) -> str:
    """Plan a notification about an incident; return its id."""
    notification = new_notification(incident, channel=by)
    notifications.add(connection, [notification])
    return notification.id


def due(connection: Connection, channel: ChannelName, *, probe: bool = False) -> set[str]:
    """Return the ids of what is due on a channel."""
    return {each.id for each in claims.due(connection, channel, LATER, probe=probe, most=None)}


def overdue(connection: Connection) -> set[str]:
    """Return the ids of what the auditor finds overdue an hour later."""
    return set(audit.overdue(connection, LATER, [EMAIL, SMS], MayWait((), (), LATER, LATER)))


@pytest.mark.parametrize("status", [IncidentStatus.OPEN, IncidentStatus.ACKNOWLEDGED])
def test_what_is_about_a_paused_channel_waits_for_the_channel_that_it_goes_by(store: Store, status):
    """By another channel it goes at once; both wait where both are paused. It isn't overdue meanwhile."""
    with store.transaction() as connection:
        of_email = about(connection, EMAIL, by=EMAIL, status=status)
        by_sms = about(connection, EMAIL, by=SMS, status=IncidentStatus.RESOLVED)
        assert (due(connection, EMAIL), due(connection, SMS)) == (set(), {by_sms})
        assert overdue(connection) == {by_sms}
        about(connection, SMS, by=SMS, status=status)
        open_too = about(connection, ChannelName.OUTBOX, by=SMS, status=IncidentStatus.OPEN)
        assert due(connection, SMS) == set()
        assert open_too not in overdue(connection)
        assert due(connection, EMAIL, probe=True) == set()
        [probe] = claims.due(connection, EMAIL, LATER, probe=True, most=None, with_own=True)
        assert probe.id == of_email, "better than no probe at all"


def test_a_probe_is_about_what_waits_if_anything_does(store: Store):
    """A message about the channel itself is the last resort."""
    with store.transaction() as connection:
        about(connection, EMAIL, by=EMAIL)
        incident = new_incident(severity=Severity.INFO)
        incidents.add(connection, [incident])
        waiting = plan(connection, incident, EMAIL)
        assert due(connection, EMAIL, probe=True) == due(connection, EMAIL) == {waiting}


def test_a_senders_event_of_the_same_name_waits_for_nothing(store: Store):
    """A device may publish any event."""
    with store.transaction() as connection:
        about(connection, EMAIL, by=SMS)
        theirs = about(connection, EMAIL, by=EMAIL, source=Source.PARTICLE)
        assert due(connection, EMAIL) == {theirs}


def test_own_notifications_make_no_trouble_worse(store: Store):
    """Neither what waits for a channel, nor what the auditor finds."""
    with store.transaction() as connection:
        incident = new_incident(severity=Severity.INFO)
        incidents.add(connection, [incident])
        theirs = plan(connection, incident, EMAIL)
        own = about(connection, SMS, by=EMAIL)
        own_incident = next(each for each in incidents.own_unresolved(connection)).id
        assert counts.worst_waiting(connection, EMAIL) is Severity.INFO
        assert counts.worst_waiting(connection, SMS) is None
        found = audit.concern(connection, [theirs, incident.id, own, own_incident])
        assert found == {theirs: Severity.INFO, incident.id: Severity.INFO}
        assert audit.concern(connection, [own, own_incident]) == {}


def test_the_worst_that_waits_may_be_on_its_way(store: Store):
    """A probe that is being sent counts."""
    with store.transaction() as connection:
        for status, severity in (
            (NotificationStatus.PENDING, Severity.INFO),
            (NotificationStatus.SENDING, Severity.WARNING),
            (NotificationStatus.SENT, Severity.CRITICAL),
        ):
            incident = new_incident(key=f"particle:{status}", severity=severity)
            incidents.add(connection, [incident])
            notifications.add(connection, [new_notification(incident, channel=EMAIL, status=status)])
        assert counts.worst_waiting(connection, EMAIL) is Severity.WARNING
