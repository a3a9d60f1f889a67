"""What was missed while a channel was away: given up on, told after all, and included, on SQLite and PostgreSQL."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from alertgate.ids import new_id
from alertgate.model import (
    Alert,
    ChannelName,
    Hold,
    Incident,
    IncidentStatus,
    Kind,
    Notification,
    NotificationStatus,
    Resolution,
    Severity,
    Signal,
)
from alertgate.notify.context import Outgoing
from alertgate.notify.missed import Untold
from alertgate.store import alerts, failures, incidents, leases, notifications, untold, upkeep
from alertgate.store.engine import Store
from alertgate.store.leases import Finish
from tests.builders import new_alert, new_incident, new_notification
from tests.fakes import START
from tests.notify.test_claim import CANCELLED, EMAIL, FAILED, PENDING, SENT, Desk, members, sizes

ME, YOU = "me@example.com", "you@example.com"
AWAY = {"missed_since": START}
GIVEN_UP = {**AWAY, "status": FAILED, "finished_at": START + timedelta(hours=24)}


SOON = START + timedelta(hours=49)


@pytest.fixture
def desk(store: Store) -> Desk:
    """A claimer on each database, two days later."""
    return Desk(store, now=START + timedelta(hours=48))


def put(desk: Desk, incident: Incident, *made: Notification, more: tuple[Alert, ...] = ()) -> None:
    """Store an incident with an alert and notifications."""
    with desk.store.transaction() as connection:
        incidents.add(connection, [incident])
        alerts.add(connection, [new_alert(incident_id=incident.id, received_at=incident.opened_at), *more])
        notifications.add(connection, made)


def missed(desk: Desk, count: int, **changes: Any) -> list[str]:
    """Plan notifications of START; return their ids."""
    return desk.plan(count, **{"created_at": START, "due_at": START, "retry_since": START, **changes})


def test_what_was_given_up_on_goes_with_what_waits(desk: Desk):
    """As one digest, which says since when it was missed; each that was given up on says so once it is sent."""
    ids = {*missed(desk, 3, **GIVEN_UP), *missed(desk, 2, **AWAY), *desk.plan(1)}
    claimed = desk.claim(slots=1, probe=True)
    [digest] = claimed.messages
    assert (members(digest), digest.missed_since) == (ids, START)
    assert sum(each.given_up for each in digest.notifications) == 3
    desk.end(claimed.messages)
    stored = [desk.get(id_) for id_ in ids]
    assert {(each.status, each.digest_id, each.finished_at) for each in stored} == {
        (SENT, digest.first.digest_id, desk.now)
    }
    assert sum("given up on at 2026-11-24 14:03 UTC, and sent" in each.reason for each in stored) == 3
    assert desk.send(probe=True) == []


@pytest.mark.parametrize("how", ["released", "failed again"])
def test_a_probe_that_fails_leaves_it_given_up(desk: Desk, how):
    """It isn't pending for a moment, and what it failed for stays; the next probe has it again, as the same digest."""
    ids = missed(desk, 3, **GIVEN_UP)
    claimed = desk.claim(slots=1, probe=True)
    if how == "released":
        with desk.store.transaction() as connection:
            assert set(leases.release_all(connection, desk.now)) == set(ids)
    else:
        with desk.store.transaction() as connection:
            again = desk.now + timedelta(minutes=15)
            ends = [Finish(each, FAILED, desk.now, again, missed=True) for each in claimed.messages[0].notifications]
            assert all(leases.finish(connection, ends))
        assert desk.send() == []
    stored = [desk.get(id_) for id_ in ids]
    assert {(each.status, each.missed_since, each.finished_at) for each in stored} == {
        (FAILED, START, START + timedelta(hours=24))
    }
    [again_] = desk.claim(slots=1, probe=True).messages
    assert again_.first.digest_id == claimed.messages[0].first.digest_id


def test_a_digest_that_failed_is_formed_anew_with_what_came_since(desk: Desk):
    """It fixes nothing for ever; while nothing comes it is the same one."""
    missed(desk, 3, **AWAY)

    def probe() -> Outgoing:
        [digest] = desk.claim(slots=1, probe=True).messages
        desk.end((digest,), PENDING, desk.now + timedelta(minutes=15))
        return digest

    first, second = probe(), probe()
    assert (second.first.digest_id, members(second)) == (first.first.digest_id, members(first))
    [later] = desk.plan(1)
    third = probe()
    assert members(third) == members(first) | {later}
    assert third.first.digest_id != first.first.digest_id


def test_what_a_recipient_refused_is_not_told(desk: Desk):
    """Nor what somebody acknowledged, nor to somebody who isn't among the recipients any more."""
    [kept, other] = missed(desk, 2, **GIVEN_UP)
    missed(desk, 1, status=FAILED, finished_at=START)
    [gone] = missed(desk, 1, **GIVEN_UP, address=YOU)
    known = new_incident(key="k", status=IncidentStatus.ACKNOWLEDGED, acknowledged_at=START, acknowledged_by="Ada")
    put(desk, known, new_notification(known, **GIVEN_UP))
    desk.targets = ((EMAIL, ME),)
    [digest] = desk.claim().messages
    assert members(digest) == {kept, other}
    desk.targets = ((EMAIL, ME), (EMAIL, YOU))  # it was a mistake in the settings
    [message] = desk.claim().messages
    assert members(message) == {gone}


def test_what_was_dealt_with_is_not_missed_any_more(desk: Desk):
    """A claim needn't look for what somebody dismissed, or what a later failure counts instead of."""
    missed(desk, 1, **GIVEN_UP, dismissed_at=desk.now, dismissed_by="Ada")
    missed(desk, 1, **GIVEN_UP, superseded_by=new_id(desk.now))
    assert not desk.store.read_now(lambda c: untold.any_missed(c, EMAIL))
    missed(desk, 1, **GIVEN_UP)
    assert desk.store.read_now(lambda c: untold.any_missed(c, EMAIL))


def test_one_incident_is_told_once(desk: Desk):
    """Its opening and its update were given up on, and its end waits: that tells all of it, and the others say so."""
    incident = new_incident(status=IncidentStatus.RESOLVED, resolution=Resolution.ALERT, resolved_at=desk.now)
    opening = new_notification(incident, **GIVEN_UP)
    update = new_notification(incident, **GIVEN_UP, kind=Kind.UPDATE)
    end = new_notification(incident, **AWAY, kind=Kind.RESOLUTION)
    put(desk, incident, opening, update, end)
    assert desk.send(probe=True) == [1]
    assert [desk.get(each.id).status for each in (opening, update, end)] == [CANCELLED, CANCELLED, SENT]
    included = f"given up on, and included in {end.id}, which was sent once the channel worked again"
    assert desk.get(opening.id).reason == included


def test_what_came_after_a_message_was_read_is_not_told_by_it(desk: Desk):
    """A server answers after hours, and the end was given up on meanwhile: that is told next."""
    incident = new_incident(status=IncidentStatus.RESOLVED, resolution=Resolution.ALERT, resolved_at=desk.now)
    opening = new_notification(incident, **AWAY)
    put(desk, incident, opening)
    slow = desk.claim().messages
    desk.move(hours=25)
    end = new_notification(incident, **GIVEN_UP, kind=Kind.RESOLUTION, created_at=desk.now - timedelta(hours=24))
    with desk.store.transaction() as connection:
        notifications.add(connection, [end])
    assert desk.send() == []
    desk.end(slow)
    assert desk.get(end.id).status is FAILED
    assert desk.send() == [1]
    assert desk.get(end.id).status is SENT


def test_of_two_that_were_given_up_on_the_later_one_is_told(desk: Desk):
    """They are about one incident."""
    incident = new_incident()
    both = [new_notification(incident, **GIVEN_UP) for _ in range(2)]
    put(desk, incident, *both)
    assert desk.send() == [1]
    assert [desk.get(each.id).status for each in sorted(both, key=lambda each: each.id)] == [CANCELLED, SENT]


def open_again(desk: Desk, *before: Incident, address: str = ME, **changes: Any) -> Outgoing:
    """Let the same thing fire again, after these incidents; return the message about it."""
    for number, each in enumerate(before):
        put(desk, each, *(new_notification(each, address=to, **GIVEN_UP) for to in (ME, YOU)[: 2 - number % 2]))
    desk.move(minutes=1)
    over = {"status": IncidentStatus.RESOLVED, "resolution": Resolution.SILENCE}
    incident = new_incident(id=new_id(desk.now), opened_at=desk.now, **over)
    put(desk, incident, new_notification(incident, address=address, due_at=desk.now, created_at=desk.now, **changes))
    claimed = desk.claim().messages
    [message] = [each for each in claimed if each.first.incident_id == incident.id]
    desk.end(tuple(each for each in claimed if each is not message), FAILED)  # what the other contact has missed
    return message


def quiet(hours: int, count: int, **changes: Any) -> Incident:
    """Return an incident that ended in silence, opened some hours after the start."""
    at = START + timedelta(hours=hours)
    over = {"status": IncidentStatus.RESOLVED, "resolution": Resolution.SILENCE, "resolved_at": at}
    return new_incident(id=new_id(at), opened_at=at, alert_count=count, **{**over, **changes})


@pytest.mark.parametrize("kind", [Kind.OPENING, Kind.REOPENING, Kind.RESOLUTION, Kind.CHANGES])
def test_the_first_message_says_what_its_contact_was_not_told_before(desk: Desk, kind: Kind):
    """How many alerts, since when, back to the last that it was told of; then they are no failures any more."""
    told = quiet(0, 100)
    put(desk, told, new_notification(told, status=SENT, finished_at=START))
    before = [quiet(1, 3), quiet(2, 5, resolution=Resolution.ALERT)]
    message = open_again(desk, *before, kind=kind)
    assert message.snapshots[0].earlier == Untold(7, START + timedelta(hours=1))
    desk.end((message,))
    found = desk.store.read_now(lambda c: [n for each in before for n in notifications.of_incident(c, each.id)])
    assert {(each.address, each.status) for each in found} == {(ME, CANCELLED), (YOU, FAILED)}


def test_only_what_the_contact_itself_missed_counts(desk: Desk):
    """The last incident was for the other contact alone, and what somebody acknowledged wasn't missed."""
    message = open_again(desk, quiet(1, 3), quiet(2, 5), quiet(3, 7, acknowledged_at=START), address=YOU)
    assert message.snapshots[0].earlier == Untold(3, START + timedelta(hours=1))
    desk.end((message,))
    desk.move(hours=1)
    assert open_again(desk, address=YOU).snapshots[0].earlier is None


def test_alerts_are_counted_that_the_contact_was_not_told_of(desk: Desk):
    """Of an incident that it knows, only those since; ends alone are none."""
    known, over = new_incident(key="k"), new_incident(key="l", status=IncidentStatus.RESOLVED)
    told_at = START + timedelta(hours=1)
    later = told_at + timedelta(minutes=1)
    firing = [new_alert(incident_id=known.id, received_at=later) for _ in range(4)]
    ended = new_alert(incident_id=over.id, received_at=later, signal=Signal.RESOLVED)
    told = {"status": SENT, "claimed_at": told_at, "finished_at": told_at}
    put(desk, known, new_notification(known, **told), new_notification(known, **AWAY), more=tuple(firing))
    put(desk, over, new_notification(over, **told), new_notification(over, **AWAY), more=(ended,))
    [digest] = desk.claim().messages
    assert {each.incident.key: each.news for each in digest.snapshots} == {"k": 4, "l": 0}


def test_an_answer_about_the_recipient_begins_its_time_anew(desk: Desk):
    """The channel works again, and the mailbox is busy: it is retried like any other."""
    [first, other] = missed(desk, 2, **GIVEN_UP)
    [digest] = desk.claim().messages
    desk.end((digest,), PENDING, desk.now + timedelta(seconds=5))
    stored = desk.get(first)
    assert (stored.status, stored.retry_since, stored.finished_at) == (PENDING, desk.now, None)
    desk.move(seconds=5)
    assert {n.id for n in desk.claim().messages[0].notifications} == {first, other}


def test_a_channel_that_is_away_is_noted_on_what_is_due(desk: Desk):
    """With the time when it first became due; but not while another process sends on the channel."""
    [waits] = missed(desk, 1)
    missed(desk, 1, channel=ChannelName.SMS)
    desk.plan(1, due_at=desk.now + timedelta(seconds=1))
    paused_at = desk.now - timedelta(hours=1)
    [sent] = desk.plan(1, address=YOU)

    def note() -> int:
        with desk.store.transaction() as connection:
            return upkeep.note_missed(connection, EMAIL, paused_at, desk.now)

    claimed = [each for each in desk.claim().messages if each.first.id == sent]
    desk.end(tuple(claimed))
    assert note() == 0
    paused_at = desk.now
    desk.move(minutes=1)
    with desk.store.transaction() as connection:
        leases.release_all(connection, desk.now)
    assert note() == 2
    assert note() == 0
    assert desk.get(waits).missed_since == START


@pytest.mark.parametrize(("in_doubt", "expected"), [(False, [3]), (True, [1])])
def test_a_probe_is_the_digest_even_if_nothing_was_noted_yet(desk: Desk, in_doubt: bool, expected: list[int]):
    """The clock may have been set by hours since the upkeep last looked. In doubt, mail isn't away for the others."""
    missed(desk, 3)
    paused_at = desk.now - timedelta(minutes=1)
    claimed = desk.claim(slots=1, probe=True, paused_at=paused_at, in_doubt=in_doubt)
    assert sizes(claimed) == expected


def test_nothing_is_given_up_on_that_a_contact_was_told(desk: Desk):
    """What is sent isn't missed, and an ordinary failure has no time since when it was."""
    [id_] = desk.plan(1, severity=Severity.CRITICAL)
    claimed = desk.claim()
    desk.end(claimed.messages, FAILED)
    assert (desk.get(id_).status, desk.get(id_).missed_since) == (FAILED, None)
    desk.move(hours=1)
    assert desk.send(probe=True) == []


def test_a_thing_that_is_open_is_not_told_to_be_over(desk: Desk):
    """It fired again since, and its contact was told of that: what was given up on before stays a failure."""
    old = quiet(1, 2)
    put(desk, old, new_notification(old, **GIVEN_UP))
    new = new_incident(id=new_id(desk.now), opened_at=desk.now)
    put(desk, new, new_notification(new, status=SENT, finished_at=desk.now))
    assert desk.send(probe=True) == []
    assert sizes(desk.claim()) == []
    with desk.store.transaction() as connection:
        incidents.save(connection, [replace(new, severity=Severity.CRITICAL)])
    assert [each.status for each in desk.store.read_now(lambda c: notifications.of_incident(c, old.id))] == [
        NotificationStatus.FAILED
    ]


@pytest.mark.parametrize(
    ("newer", "is_told"),
    [
        ({"address": YOU, "status": SENT, "finished_at": START}, True),
        ({"status": FAILED, "finished_at": START}, True),
        ({"status": CANCELLED, "finished_at": START}, True),
        ({"hold": Hold.OUTSIDE_HOURS, "due_at": SOON + timedelta(days=3)}, True),
        ({"status": SENT, "finished_at": START}, False),
        ({"hold": Hold.DELAYED, "due_at": SOON}, False),
        ({**GIVEN_UP, "due_at": SOON}, False),
    ],
)
def test_what_a_contact_missed_is_told_unless_it_hears_of_the_same_thing_since(desk: Desk, newer, is_told):
    """A newer incident may be for others alone, as a route may send it elsewhere; or be held, for days."""
    old = quiet(-1, 2)
    missed_one = new_notification(old, **GIVEN_UP)
    put(desk, old, missed_one)
    new = new_incident(id=new_id(desk.now), opened_at=desk.now)
    put(desk, new, new_notification(new, **newer))
    told = {each.id for message in desk.claim().messages for each in message.notifications}
    assert (missed_one.id in told) is is_told


def test_a_weekend_near_the_daily_limit_and_a_crash(desk: Desk):
    """One digest with all of it, as the reserve is for what is critical; after the crash it is the same message."""
    desk.daily_limit, flat = 100, {"channel": EMAIL, "address": ME}
    desk.plan(96, status=SENT, finished_at=desk.now - timedelta(hours=1), address=YOU)
    ids = {*missed(desk, 50, **GIVEN_UP), *missed(desk, 60, **AWAY, attempts=3), *desk.plan(5)}
    ids |= {*missed(desk, 5, **GIVEN_UP, severity=Severity.CRITICAL)}
    for _ in range(30):
        over = new_incident(status=IncidentStatus.RESOLVED, resolution=Resolution.ALERT, resolved_at=desk.now)
        over = replace(over, key=over.id)
        opening = new_notification(over, **GIVEN_UP, **flat)
        end = new_notification(over, **AWAY, **flat, kind=Kind.RESOLUTION, due_at=START, created_at=START)
        put(desk, over, opening, end)
        ids.add(end.id)
    missed(desk, 7, **GIVEN_UP, dismissed_at=desk.now, dismissed_by="Ada")

    def claim(**how: Any) -> list[Outgoing]:
        return [each for each in desk.claim(**how).messages if each.first.address == ME]

    [digest] = claim(slots=1, probe=True)
    assert (members(digest), digest.missed_since) == (ids, START)
    with desk.store.transaction() as connection:  # it was sent, and the process ended before it recorded that
        assert set(leases.release_all(connection, desk.now)) == ids
    desk.move(minutes=1)
    [again] = claim()
    assert (members(again), again.first.digest_id) == (ids, digest.first.digest_id)
    desk.end((again,))
    assert {desk.get(id_).status for id_ in ids} == {SENT}
    desk.move(hours=1)
    assert claim() == []
    assert desk.store.read_now(failures.number) == 0
