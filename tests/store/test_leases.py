"""Leases of notifications, the same on SQLite and PostgreSQL."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from alertgate.contact_state import ContactState
from alertgate.ids import new_id
from alertgate.model import (
    Attempt,
    ChannelName,
    Hold,
    IncidentStatus,
    Kind,
    Notification,
    NotificationStatus,
    Severity,
)
from alertgate.store import alerts, attempts, claims, incidents, leases, notifications, tables, upkeep
from alertgate.store.engine import Store
from alertgate.store.leases import Finish, Lease
from alertgate.store.notifications import Expedited
from tests.builders import new_alert, new_incident, new_notification
from tests.fakes import START

EMAIL = (ChannelName.EMAIL, "me@example.com")
MORNING = START + timedelta(hours=15)


def test_the_most_severe_is_due_first_then_the_oldest(store: Store):
    """Critical comes before warning, older before newer, no more than asked, and what is leased isn't leased again."""
    incident = new_incident()
    wanted = [
        new_notification(incident, address="critical-old@x.y", severity=Severity.CRITICAL),
        new_notification(incident, address="critical-new@x.y", severity=Severity.CRITICAL, due_at=START + timedelta(1)),
        new_notification(incident, address="warning-older@x.y", due_at=START - timedelta(1)),
        new_notification(incident, address="warning-old@x.y"),
    ]
    now = START + timedelta(2)
    later = new_notification(incident, address="not-due@x.y", due_at=now + timedelta(seconds=1))
    other = new_notification(incident, channel=ChannelName.SMS)
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        notifications.add(connection, [other, later, *reversed(wanted)])
    until = now + timedelta(seconds=60)
    with store.transaction() as connection:
        due = claims.due(connection, ChannelName.EMAIL, now, probe=False, most=3)
        claimed = leases.lease(connection, [each.id for each in due], Lease("me", now, until))
    assert [each.id for each in due] == [n.id for n in wanted[:3]]
    leased = {"status": NotificationStatus.SENDING, "lease_owner": "me", "lease_until": until, "claimed_at": now}
    assert sorted(claimed, key=lambda n: n.id) == sorted((replace(n, **leased) for n in wanted[:3]), key=lambda n: n.id)
    with store.transaction() as connection:
        rest = claims.due(connection, ChannelName.EMAIL, now, probe=False, most=None)
        assert leases.lease(connection, [wanted[0].id], Lease("you", now, until)) == []
    assert [each.id for each in rest] == [wanted[3].id]


@pytest.fixture
def leased(store: Store) -> Notification:
    """A notification that `me` has leased for a minute."""
    incident = new_incident()
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        alerts.add(connection, [new_alert(incident_id=incident.id)])
        notifications.add(connection, [new_notification(incident)])
        [due] = claims.due(connection, ChannelName.EMAIL, START, probe=False, most=1)
        [claimed] = leases.lease(connection, [due.id], Lease("me", START, START + timedelta(seconds=60)))
    return claimed


def test_only_the_owner_of_a_lease_ends_it(store: Store, leased: Notification):
    """Another process can't end the lease; the owner's end is recorded once."""
    end = Finish(leased, NotificationStatus.SENT, START + timedelta(seconds=1))
    with store.transaction() as connection:
        assert leases.finish(connection, [replace(end, leased=replace(leased, lease_owner="you"))]) == [False]
        earlier = replace(leased, claimed_at=START - timedelta(seconds=1))
        assert leases.finish(connection, [replace(end, leased=earlier)]) == [False]
        assert leases.finish(connection, [end]) == [True]
        assert leases.finish(connection, [end]) == [False]
    [stored] = store.read_now(lambda c: notifications.of_incident(c, leased.incident_id))
    assert (stored.status, stored.attempts, stored.lease_owner) == (NotificationStatus.SENT, 1, None)
    assert stored.finished_at == START + timedelta(seconds=1)


def test_an_expired_lease_is_released_and_a_valid_one_is_not(store: Store, leased: Notification):
    """A notification is pending again after its lease, unless this process is still sending it."""
    with store.transaction() as connection:
        assert leases.release_expired(connection, START + timedelta(seconds=59), set()) == []
        assert leases.release_expired(connection, START + timedelta(seconds=60), {leased.id}) == []
        assert leases.release_expired(connection, START + timedelta(seconds=60), set()) == [leased.id]
    [stored] = store.read_now(lambda c: notifications.of_incident(c, leased.incident_id))
    assert (stored.status, stored.attempts, stored.due_at) == (NotificationStatus.PENDING, 0, leased.due_at)


def test_a_lease_whose_claim_got_no_reply_is_released(store: Store, leased: Notification):
    """If the reply to a claim's commit was lost, the owner isn't sending, and releases its own lease."""
    soon = START + timedelta(seconds=10)
    with store.transaction() as connection:
        assert leases.release_expired(connection, START + timedelta(seconds=9), set(), "me") == []
        assert leases.release_expired(connection, soon, {leased.id}, "me") == []
        assert leases.release_expired(connection, soon, set(), "you") == []
        assert leases.release_expired(connection, soon, set(), "me") == [leased.id]


def test_what_a_crash_released_may_have_arrived(store: Store):
    """So its end isn't kept from a later step's contact, as it would be if its turn hadn't come."""
    incident = new_incident()
    handoff = new_notification(incident, kind=Kind.HANDOFF)
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        notifications.add(connection, [handoff])

    def is_needless() -> bool:
        states = store.read_now(lambda c: notifications.contact_states(c, [incident.id], START))
        return states[incident.id, EMAIL].is_needless_once_over

    assert is_needless()
    with store.transaction() as connection:
        leases.lease(connection, [handoff.id], Lease("me", START, START + timedelta(minutes=1)))
        assert leases.release_all(connection, START) == [handoff.id]
    assert not is_needless()


@pytest.mark.parametrize("crashes", [1, 2])
@pytest.mark.parametrize("release", ["at start", "expired"])
def test_what_a_crash_cut_off_may_come_twice_where_a_repeat_is_not_recognised(store: Store, release, crashes):
    """The trail says so, once; of a mail it needn't, because its Message-ID stays the same."""
    incident = new_incident()
    planned = [new_notification(incident, channel=name) for name in (ChannelName.EMAIL, ChannelName.TELEGRAM)]
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        notifications.add(connection, planned)
        for number in range(crashes):
            at = START + timedelta(hours=number)
            leases.lease(connection, [each.id for each in planned], Lease("me", at, at + timedelta(minutes=1)))
            if release == "at start":
                leases.release_all(connection, at, unsure=[ChannelName.TELEGRAM])
            else:
                leases.release_expired(connection, at + timedelta(minutes=2), set(), unsure=[ChannelName.TELEGRAM])
    mail, chat = [store.read_now(lambda c, id_=each.id: notifications.get(c, id_)) for each in planned]
    assert mail.reason == planned[0].reason
    assert chat.reason == f"{planned[1].reason}; an attempt ended without an answer, so it may have come twice"


def test_what_a_stop_cut_off_may_come_twice_and_what_it_left_in_the_queue_may_not(store: Store):
    """Only what was being sent when the time to stop was over."""
    incident = new_incident()
    cut_off, queued = (new_notification(incident, channel=ChannelName.TELEGRAM, address=name) for name in "ab")
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        notifications.add(connection, [cut_off, queued])
        leases.lease(connection, [cut_off.id, queued.id], Lease("me", START, START + timedelta(minutes=1)))
        released = leases.release_owned(connection, "me", START, unsure={cut_off.id})
    assert set(released) == {cut_off.id, queued.id}
    found = [store.read_now(lambda c, id_=each.id: notifications.get(c, id_)) for each in (cut_off, queued)]
    assert ["twice" in each.reason for each in found] == [True, False]


def test_a_lease_from_the_future_is_released(store: Store, leased: Notification):
    """After the clock was set back by an hour, its notification doesn't wait for an hour."""
    with store.transaction() as connection:
        assert leases.release_expired(connection, START - timedelta(hours=1), set()) == [leased.id]


def test_due_times_later_than_any_wait_are_brought_forward(store: Store):
    """After the clock was set back, a notification waits for its longest possible delay at most."""
    incident, later = new_incident(), new_incident(key="later", last_alert_at=START + timedelta(hours=2))
    waiting = [
        new_notification(incident, due_at=START + timedelta(hours=1)),
        new_notification(incident, address="b@example.com", due_at=START + timedelta(hours=1), attempts=1),
        new_notification(incident, address="c@example.com", due_at=START + timedelta(hours=1), attempts=7),
        new_notification(incident, address="d@example.com", due_at=START + timedelta(minutes=4)),
        new_notification(incident, address="e@example.com", due_at=START + timedelta(hours=2), kind=Kind.UPDATE),
        new_notification(incident, address="f@example.com", due_at=START + timedelta(minutes=59), kind=Kind.UPDATE),
        new_notification(incident, address="g@example.com", due_at=START + timedelta(minutes=59), kind=Kind.CHANGES),
        new_notification(
            incident,
            address="h@example.com",
            kind=Kind.UPDATE,
            created_at=START + timedelta(minutes=58),
            due_at=START + timedelta(minutes=59),
        ),
        new_notification(incident, address="i@example.com", hold=Hold.DELAYED, due_at=MORNING, created_at=MORNING),
        new_notification(incident, address="j@example.com", hold=Hold.DELAYED, due_at=START + timedelta(minutes=9)),
        new_notification(incident, address="k@example.com", hold=Hold.DELAYED, due_at=START + timedelta(minutes=90)),
        new_notification(later, address="l@example.com", hold=Hold.DELAYED, due_at=START + timedelta(minutes=121)),
        *(
            new_notification(incident, address=f"{hold}@example.com", hold=hold, due_at=MORNING, attempts=attempts)
            for attempts, hold in enumerate((Hold.QUIET_HOURS, Hold.OUTSIDE_HOURS, Hold.SILENCED))
        ),
    ]
    latest = [START + timedelta(minutes=wait) for wait in (5, 1, 15)]
    delayed = START + timedelta(minutes=10)
    with store.transaction() as connection:
        incidents.add(connection, [incident, later])
        notifications.add(connection, waiting)
        assert upkeep.clamp_due_times(connection, latest, START + timedelta(hours=1), delayed, START) == 8
    stored = store.read_now(lambda c: [n for one in (incident, later) for n in notifications.of_incident(c, one.id)])
    assert [n.due_at for n in stored if n.due_at > START + timedelta(hours=2)] == [MORNING] * 3
    due = {n.address[0]: (n.due_at - START).total_seconds() / 60 for n in stored if n.due_at < MORNING}
    assert due == {"m": 5, "b": 1, "c": 15, "d": 4, "e": 60, "f": 59, "g": 5, "h": 5, "i": 10, "j": 9, "k": 90, "l": 10}


@pytest.mark.parametrize(("set_back", "late"), [(timedelta(0), 0), (timedelta(hours=1), 1)])
def test_a_wait_that_a_service_asked_for_is_as_long_as_it_asked(store: Store, set_back, late):
    """It is longer than the usual wait after one attempt; only if the clock was set back it is cut to that."""
    incident = new_incident()
    asked = new_notification(incident, due_at=START + timedelta(minutes=9), attempts=1, claimed_at=START)
    now, waits = START + timedelta(seconds=5) - set_back, (timedelta(minutes=5), timedelta(seconds=6))
    latest = [now + wait for wait in (*waits, timedelta(minutes=18))]
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        notifications.add(connection, [asked])
        assert upkeep.clamp_due_times(connection, latest, latest[-1], latest[0], now) == late


def test_a_channel_that_works_again_brings_retries_forward_but_not_what_is_held(store: Store):
    """A hold lasts for its time, also for what was attempted before it."""
    incident = new_incident()
    waiting = [
        new_notification(incident, address=f"{hold}@example.com", hold=hold, due_at=MORNING, attempts=1)
        for hold in (None, *Hold)
    ]
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        notifications.add(connection, waiting)
        assert upkeep.bring_forward(connection, ChannelName.EMAIL, START) == 2
    stored = store.read_now(lambda c: notifications.of_incident(c, incident.id))
    assert {n.hold for n in stored if n.due_at == START} == {None, Hold.DELAYED}


def test_attempts_are_stored_once(store: Store, leased: Notification):
    """If the reply to a commit was lost, storing the same attempts again isn't an error."""
    attempt = Attempt("a" * 36, leased.id, START, 0.1, "sent", "sent", "250 OK", None)
    with store.transaction() as connection:
        assert attempts.add(connection, [attempt]) == set()
        assert attempts.add(connection, [attempt]) == {attempt.id}
    assert store.read_now(lambda c: attempts.of_notifications(c, [leased.id])) == [attempt]


@pytest.mark.parametrize(
    ("newer", "status"),
    [
        ({}, NotificationStatus.CANCELLED),
        ({"status": NotificationStatus.SENT}, NotificationStatus.CANCELLED),
        ({"address": "b@example.com"}, NotificationStatus.PENDING),
        ({"hold": Hold.QUIET_HOURS, "due_at": MORNING}, NotificationStatus.PENDING),
    ],
)
def test_a_retry_is_needless_only_if_its_contact_hears_of_the_newer_incident(store: Store, leased, newer, status):
    """The incident has ended meanwhile, and the same thing fires again."""
    old = store.read_now(lambda c: incidents.get(c, leased.incident_id))
    assert old
    new = replace(new_incident(id=new_id(START + timedelta(minutes=9))), key=old.key)
    with store.transaction() as connection:
        incidents.save(connection, [replace(old, status=IncidentStatus.RESOLVED)])
        incidents.add(connection, [new])
        notifications.add(connection, [new_notification(new, **newer)])
        assert leases.finish(connection, [Finish(leased, NotificationStatus.PENDING, START, START)]) == [True]
    found = store.read_now(lambda c: notifications.get(c, leased.id))
    assert found
    assert found.status is status


def test_a_process_releases_its_own_leases(store: Store, leased: Notification):
    """A process that stops releases its own leases, and no others."""
    with store.transaction() as connection:
        assert leases.release_owned(connection, "you", START) == []
        assert leases.release_owned(connection, "me", START) == [leased.id]


def test_a_retried_notification_supersedes_what_was_planned_meanwhile(store: Store, leased: Notification):
    """If an attempt fails while an update is pending, the update is cancelled: the retried one includes it."""
    incident = store.read_now(lambda c: incidents.get(c, leased.incident_id))
    assert incident is not None
    update = new_notification(incident, id=new_id(START + timedelta(seconds=1)), kind=Kind.UPDATE)
    again = START + timedelta(seconds=5)
    with store.transaction() as connection:
        notifications.add(connection, [update])
        end = Finish(leased, NotificationStatus.PENDING, START, due_at=again)
        assert leases.finish(connection, [end]) == [True]
    first, second = store.read_now(lambda c: notifications.of_incident(c, leased.incident_id))
    assert (first.id, first.status, first.due_at, first.attempts) == (leased.id, NotificationStatus.PENDING, again, 1)
    assert (second.status, second.reason) == (
        NotificationStatus.CANCELLED,
        f"included in {leased.id}, which is retried",
    )


def test_a_failed_attempt_is_not_retried_once_the_incident_is_acknowledged(store: Store, leased: Notification):
    """A notification that was being sent during the acknowledgement is cancelled if its attempt fails."""
    incident = store.read_now(lambda c: incidents.get(c, leased.incident_id))
    assert incident is not None
    acknowledged = {"status": IncidentStatus.ACKNOWLEDGED, "acknowledged_by": "Ada", "acknowledged_at": START}
    with store.transaction() as connection:
        incidents.save(connection, [replace(incident, **acknowledged)])
        leases.finish(connection, [Finish(leased, NotificationStatus.PENDING, START, due_at=START)])
    [after] = store.read_now(lambda c: notifications.of_incident(c, leased.incident_id))
    assert (after.status, after.reason) == (NotificationStatus.CANCELLED, "acknowledged by Ada")


def test_an_illegal_change_of_state_is_refused(store: Store, leased: Notification):
    """A lease can't end in a state that the table of transitions doesn't allow."""
    with pytest.raises(ValueError, match="can't go from sending to lost"), store.transaction() as connection:
        leases.finish(connection, [Finish(leased, "lost", START)])  # type: ignore[arg-type]


def test_the_state_of_a_contact(store: Store, leased: Notification):
    """A notification that is being sent counts as told; a pending one comes with its attempts, kind and times."""
    incident_id = leased.incident_id
    states = store.read_now(lambda c: notifications.contact_states(c, [incident_id], START))
    assert states == {
        (incident_id, EMAIL): ContactState(None, 0, START, changes=1, worst=Severity.WARNING, unanswered_at=START)
    }
    with store.transaction() as connection:
        leases.finish(connection, [Finish(leased, NotificationStatus.PENDING, START, due_at=START)])
    states = store.read_now(lambda c: notifications.contact_states(c, [incident_id], START))
    pending = ContactState(leased.id, 1, None, changes=1, worst=Severity.WARNING, pending_kind=Kind.OPENING)
    assert states == {(incident_id, EMAIL): replace(pending, pending_due_at=START, pending_claimed_at=START)}
    assert store.read_now(lambda c: notifications.contact_states(c, [], START)) == {}


@pytest.mark.parametrize("kind", [Kind.OPENING, Kind.RESOLUTION])
def test_who_a_lost_lease_may_have_told(store: Store, leased: Notification, kind: Kind):
    """Whose message was being sent when its process died may have it, also once that message is cancelled."""
    incident_id = leased.incident_id
    with store.transaction() as connection:
        connection.execute(update(tables.notifications).values(kind=kind))
        assert leases.release_all(connection, START) == [leased.id]
        notifications.cancel(connection, incident_id, "acknowledged", START)
    [state] = store.read_now(lambda c: notifications.contact_states(c, [incident_id], START)).values()
    assert (state.pending_id, state.told_at) == (None, None)
    assert state.unanswered_at == (START if kind is Kind.OPENING else None)
    assert state.knows is state.may_believe_open is (kind is Kind.OPENING)


def test_what_was_given_back_told_nobody(store: Store, leased: Notification):
    """A process that ends in good order has begun only what was cut off."""
    with store.transaction() as connection:
        assert leases.release_owned(connection, "me", START) == [leased.id]
    [state] = store.read_now(lambda c: notifications.contact_states(c, [leased.incident_id], START)).values()
    assert state.unanswered_at is None


def test_what_a_contact_was_told_lately_is_counted(store: Store):
    """Changes of state within a time, summaries of them, and updates since the last change; and what was said last."""
    incident = new_incident(changed_at=START)
    minutes = [START + timedelta(minutes=minute) for minute in range(10)]
    told = [
        (Kind.OPENING, minutes[0], IncidentStatus.OPEN),
        (Kind.RESOLUTION, minutes[1], IncidentStatus.RESOLVED),
        (Kind.CHANGES, minutes[2], IncidentStatus.OPEN),
        (Kind.UPDATE, minutes[3], IncidentStatus.OPEN),
        (Kind.UPDATE, minutes[4], IncidentStatus.ACKNOWLEDGED),
    ]
    sent = [
        new_notification(incident, kind=kind, status=NotificationStatus.SENT, created_at=at, finished_at=at, told=state)
        for kind, at, state in told
    ]
    gone = [
        new_notification(incident, kind=Kind.RESOLUTION, status=status, created_at=minutes[5], finished_at=minutes[5])
        for status in (NotificationStatus.CANCELLED, NotificationStatus.FAILED)
    ]
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        notifications.add(connection, sent + gone)
    counted = {}
    for since in (minutes[0] - timedelta(minutes=1), minutes[0], minutes[2]):
        states = store.read_now(lambda c, since=since: notifications.contact_states(c, [incident.id], since))
        counted[since] = states[incident.id, EMAIL]
    everything = ContactState(
        None, 0, minutes[4], minutes[5], minutes[4], updates=2, changes=2, summaries=1, worst=Severity.WARNING
    )
    assert list(counted.values()) == [
        everything,
        replace(everything, changes=1),
        replace(everything, changes=0, summaries=0),
    ]
    assert not everything.may_believe_over
    assert replace(everything, told_open_at=minutes[3]).may_believe_over


def test_a_pending_notification_can_be_expedited(store: Store):
    """A pending notification gets the new severity and the earlier due time."""
    incident = new_incident()
    planned = new_notification(incident, due_at=START + timedelta(minutes=5))
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        notifications.add(connection, [planned])
        notifications.expedite(connection, [Expedited(planned.id, Severity.CRITICAL, START)])
    [stored] = store.read_now(lambda c: notifications.of_incident(c, incident.id))
    assert (stored.severity, stored.due_at) == (Severity.CRITICAL, START)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Kind.REMINDER, (Kind.RESOLUTION, "resolved")),
        (Kind.UNANSWERED, (Kind.RESOLUTION, "resolved")),
        (Kind.OPENING, (Kind.OPENING, "because")),
    ],
)
def test_what_becomes_another_kind_has_the_reason_of_that(store: Store, kind, expected):
    """A reminder that will tell the end isn't sent because nobody has answered; the first news stays what it is."""
    incident = new_incident()
    planned = new_notification(incident, kind=kind, reason="because")
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        notifications.add(connection, [planned])
        told = Expedited(planned.id, Severity.WARNING, START, Kind.RESOLUTION, reason="resolved")
        notifications.expedite(connection, [told])
    [stored] = store.read_now(lambda c: notifications.of_incident(c, incident.id))
    assert (stored.kind, stored.reason) == expected


def test_expediting_what_is_overdue_keeps_its_place(store: Store):
    """A notification that is due already isn't moved behind others that became due later."""
    incident = new_incident()
    overdue = new_notification(incident, due_at=START)
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        notifications.add(connection, [overdue])
        now = START + timedelta(seconds=30)
        notifications.expedite(connection, [Expedited(overdue.id, Severity.CRITICAL, now)])
    [stored] = store.read_now(lambda c: notifications.of_incident(c, incident.id))
    assert (stored.severity, stored.due_at) == (Severity.CRITICAL, START)


def test_attempts_are_kept_in_order(store: Store, leased: Notification):
    """Attempts are returned as they were recorded, oldest first."""
    made = [
        Attempt(new_id(START + timedelta(seconds=n)), leased.id, START, 0.25, "transient", "timeout", f"reply {n}\x00")
        for n in range(3)
    ]
    with store.transaction() as connection:
        attempts.add(connection, list(reversed(made)))
    assert store.read_now(lambda c: attempts.of_notifications(c, [leased.id])) == made
    assert store.read_now(lambda c: attempts.of_notifications(c, [])) == []


def test_two_released_notifications_to_one_contact_become_one(store: Store, leased: Notification):
    """If both were being sent when their process ended, only the later one is pending again."""
    incident = store.read_now(lambda c: incidents.get(c, leased.incident_id))
    assert incident is not None
    later = replace(leased, id=new_id(START + timedelta(seconds=1)), kind=Kind.UPDATE)
    with store.transaction() as connection:
        notifications.add(connection, [later])
        assert leases.release_all(connection, START) == [leased.id, later.id]
    stored = store.read_now(lambda c: notifications.of_incident(c, leased.incident_id))
    assert [each.status for each in stored] == [NotificationStatus.CANCELLED, NotificationStatus.PENDING]


def test_many_leases_end_in_one_commit_with_different_results(store: Store):
    """Sent, failed and pending again at once; the end of a lost lease changes nothing."""
    incident = new_incident()
    own = {"status": NotificationStatus.SENDING, "lease_owner": "me", "claimed_at": START}
    sent, failed, again, lost = [new_notification(incident, address=f"{n}@x.y", **own) for n in range(4)]
    at = START + timedelta(seconds=1)
    ends = [
        Finish(sent, NotificationStatus.SENT, at),
        Finish(failed, NotificationStatus.FAILED, at),
        Finish(again, NotificationStatus.PENDING, at, due_at=at),
        Finish(replace(lost, claimed_at=at), NotificationStatus.SENT, at),
    ]
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        notifications.add(connection, [sent, failed, again, lost])
        assert leases.finish(connection, ends) == [True, True, True, False]
    by_id = {each.id: each for each in store.read_now(lambda c: notifications.of_incident(c, incident.id))}
    ended = {"attempts": 1, "lease_owner": None, "lease_until": None}
    assert [by_id[end.leased.id] for end in ends] == [
        replace(sent, status=NotificationStatus.SENT, finished_at=at, **ended),
        replace(failed, status=NotificationStatus.FAILED, finished_at=at, **ended),
        replace(again, status=NotificationStatus.PENDING, due_at=at, **ended),
        lost,
    ]
