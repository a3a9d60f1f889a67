"""What a claim takes, counted in the store, the same on SQLite and PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest

from alertgate.contact_state import Recent
from alertgate.credential import Credential
from alertgate.ids import new_id
from alertgate.model import (
    Attempt,
    ChannelName,
    IncidentStatus,
    Kind,
    Notification,
    NotificationStatus,
    Severity,
    Target,
)
from alertgate.notify.budget import MAIL, TWILIO, DailyLimit
from alertgate.notify.claim import Claim, Claimer, ClaimResult
from alertgate.notify.context import Outgoing
from alertgate.notify.directory import Directory
from alertgate.notify.flood import FloodRules
from alertgate.store import alerts, attempts, claims, incidents, leases, notifications
from alertgate.store.claims import Since
from alertgate.store.engine import Store
from alertgate.store.leases import Finish
from tests.builders import new_alert, new_incident, new_notification
from tests.fakes import START

EMAIL, SMS = ChannelName.EMAIL, ChannelName.SMS
INTERVAL = timedelta(minutes=5)
SENT, PENDING, FAILED = NotificationStatus.SENT, NotificationStatus.PENDING, NotificationStatus.FAILED
CANCELLED = NotificationStatus.CANCELLED


@dataclass
class Desk:
    """A store with a claimer, and the time."""

    store: Store
    now: datetime = START
    limit: int = 5
    daily_limit: int = 0
    phone_limit: int = 0
    targets: tuple[Target, ...] = ((EMAIL, "me@example.com"), (EMAIL, "you@example.com"))

    def plan(self, count: int = 1, **changes: Any) -> list[str]:
        """Plan notifications that are due now, each about an incident of its own; return their ids."""
        planned = []
        with self.store.transaction() as connection:
            for _ in range(count):
                incident = new_incident(key=new_id(START), severity=changes.get("severity", Severity.WARNING))
                made = new_notification(incident, **{"due_at": self.now, "created_at": self.now, **changes})
                incidents.add(connection, [incident])
                alerts.add(connection, [new_alert(incident_id=incident.id)])
                notifications.add(connection, [made])
                planned.append(made.id)
        return planned

    def claim(self, channel: ChannelName = EMAIL, *, slots: int = 50, owner: str = "me", **which: Any):
        """Claim; return the result. `which` is what else a claim may say."""
        rules, directory = FloodRules(self.limit, INTERVAL), Directory.of(self.targets)
        limits = [DailyLimit("mail", "SMTP_DAILY_LIMIT", MAIL, self.daily_limit, "")]
        limits += [DailyLimit("twilio", "TWILIO_DAILY_LIMIT", TWILIO, self.phone_limit, "")]
        claimer = Claimer(rules, limits, directory, owner=owner, new_id=new_id)
        with self.store.transaction() as connection:
            return claimer.claim(connection, Claim(channel, slots, self.now, **which))

    def end(self, messages: tuple[Outgoing, ...], status: NotificationStatus = SENT, due_at: datetime | None = None):
        """End the leases of messages."""
        with self.store.transaction() as connection:
            ends = [Finish(n, status, self.now, due_at) for each in messages for n in each.notifications]
            assert all(leases.finish(connection, ends))

    def send(self, channel: ChannelName = EMAIL, **how: Any) -> list[int]:
        """Claim, and record everything as sent, as one attempt; return the number of members of each message."""
        claimed = self.claim(channel, **how)
        self.end(claimed.messages)
        made = [
            Attempt(new_id(self.now), each.id, self.now, 0.0, "sent", "sent", "250 OK")
            for message in claimed.messages
            for each in message.notifications
        ]
        with self.store.transaction() as connection:
            attempts.add(connection, made)
        return sizes(claimed)

    def recent(self, **changes: timedelta) -> dict[str, Recent]:
        """Return what went lately."""
        times = {"minute": timedelta(minutes=1), "interval": INTERVAL, "day": timedelta(hours=24), **changes}
        since = Since(*(self.now - times[name] for name in ("minute", "interval", "day")), self.now + INTERVAL / 5)
        return self.store.read_now(lambda c: claims.recent(c, EMAIL, ["me@example.com", "you@example.com"], since))

    def get(self, id_: str) -> Notification:
        """Return a notification as it is stored."""
        found = self.store.read_now(lambda c: notifications.get(c, id_))
        assert found
        return found

    def move(self, **amount: float) -> None:
        """Move the clock."""
        self.now += timedelta(**amount)


def sizes(claimed: ClaimResult) -> list[int]:
    """Return the number of members of each claimed message."""
    return [len(each.snapshots) for each in claimed.messages]


@pytest.fixture
def desk(store: Store) -> Desk:
    """A claimer on each database."""
    return Desk(store)


def test_a_flood_is_a_handful_of_messages_and_its_end_is_one(desk: Desk):
    """Five alone, the rest as a digest after three seconds; ten minutes later everything in one message."""
    desk.plan(200)
    claimed = desk.claim()
    assert (sizes(claimed), claimed.again_at) == ([1] * 5, START + timedelta(seconds=3))
    desk.end(claimed.messages)
    desk.move(seconds=2)
    assert desk.send() == []
    desk.move(seconds=1)
    [digest] = desk.claim().messages
    assert (len(digest.snapshots), len({n.digest_id for n in digest.notifications})) == (195, 1)
    assert {(n.status, n.lease_owner) for n in digest.notifications} == {(NotificationStatus.SENDING, "me")}
    assert all(snapshot.incident.id == snapshot.notification.incident_id for snapshot in digest.snapshots)
    desk.end((digest,))
    assert {desk.get(n.id).digest_id for n in digest.notifications} == {digest.first.digest_id}
    desk.move(minutes=10)
    desk.plan(200, kind=Kind.RESOLUTION)
    assert desk.send() == []
    desk.move(seconds=3)
    assert desk.send() == [200]


def test_something_critical_goes_alone_in_the_middle_of_a_flood(desk: Desk):
    """It is claimed at once, and first."""
    desk.plan(20)
    desk.send()
    [critical] = desk.plan(severity=Severity.CRITICAL)
    claimed = desk.claim()
    assert [each.first.id for each in claimed.messages] == [critical]
    desk.move(seconds=3)
    desk.plan(severity=Severity.CRITICAL)
    assert desk.send() == [1, 15]


def test_messages_are_counted_and_a_digest_is_one(desk: Desk):
    """What was sent, is being sent, or waits for a retry; by contact, in the last minute."""
    desk.plan(7)
    desk.plan(1, severity=Severity.CRITICAL, address="you@example.com")
    first = desk.claim().messages
    desk.end(first[:2])
    desk.end(first[2:3], PENDING, START + timedelta(minutes=9))
    assert desk.recent() == {
        "me@example.com": Recent(5, 0, None, START),
        "you@example.com": Recent(1, 1, None, None),
    }
    desk.move(seconds=4)
    assert desk.send() == [2]
    at = START + timedelta(seconds=4)
    assert desk.recent()["me@example.com"] == Recent(6, 0, at, at)
    desk.move(minutes=1)
    assert desk.recent() == {"me@example.com": Recent(0, 0, at, at), "you@example.com": Recent()}
    desk.move(hours=24)
    assert desk.recent() == {}


def test_a_refused_message_is_not_counted(desk: Desk):
    """It went to nobody."""
    desk.plan()
    desk.end(desk.claim().messages, FAILED)
    assert desk.recent() == {}


def test_a_clock_that_was_set_back_holds_nothing_for_long(desk: Desk):
    """Messages from the future would count for hours."""
    desk.plan(8, due_at=START - timedelta(hours=9))
    desk.move(hours=2)
    assert desk.send() == [1, 1, 1, 1, 1, 3]
    desk.move(hours=-1)
    desk.plan(3)
    assert desk.recent() == {}
    assert desk.send() == [1, 1, 1]


@pytest.fixture
def digest(desk: Desk) -> Outgoing:
    """A digest of four that was claimed."""
    desk.limit = 1
    desk.plan(5)
    desk.send()
    desk.move(seconds=3)
    [claimed] = desk.claim().messages
    assert len(claimed.snapshots) == 4
    return claimed


def members(message: Outgoing) -> set[str]:
    """Return the ids of a message's notifications."""
    return {each.id for each in message.notifications}


def test_a_digest_that_failed_is_claimed_again_as_it_was(desk: Desk, digest: Outgoing):
    """When its retry is due, with the same id and members, whatever else has become due."""
    later = desk.now + timedelta(seconds=5)
    desk.end((digest,), PENDING, later)
    desk.plan(3)
    assert desk.send() == []
    desk.now = later
    [again] = desk.claim().messages
    assert (again.first.digest_id, members(again)) == (digest.first.digest_id, members(digest))
    assert {each.attempts for each in again.notifications} == {1}


def test_a_digest_whose_process_ended_is_claimed_again_as_it_was(desk: Desk, digest: Outgoing):
    """Its leases are released together, and nothing joins it."""
    with desk.store.transaction() as connection:
        assert set(leases.release_all(connection, desk.now)) == members(digest)
    desk.plan(3)
    [again] = desk.claim(owner="you").messages
    assert (again.first.digest_id, members(again)) == (digest.first.digest_id, members(digest))


def test_members_that_are_cancelled_drop_out_of_a_digest(desk: Desk, digest: Outgoing):
    """Somebody acknowledged two of the incidents while the digest waited, and a third while it was being sent."""
    during, *waiting, last = [snapshot.incident for snapshot in digest.snapshots]
    with desk.store.transaction() as connection:
        acknowledged = {"status": IncidentStatus.ACKNOWLEDGED, "acknowledged_by": "Ada", "acknowledged_at": desk.now}
        incidents.save(connection, [replace(during, **acknowledged)])
    desk.end((digest,), PENDING, desk.now)
    with desk.store.transaction() as connection:
        for incident in waiting:
            notifications.cancel(connection, incident.id, "acknowledged by Ada", desk.now)
    [again] = desk.claim().messages
    assert [snapshot.incident.id for snapshot in again.snapshots] == [last.id]
    assert again.snapshots[0].alerts != ()  # it is sent as a message of its own, which shows its alerts
    reasons = {desk.get(id_).reason for id_ in members(digest) - members(again)}
    assert reasons == {"acknowledged by Ada"}


def test_a_member_that_is_retried_by_hand_leaves_its_digest(desk: Desk, digest: Outgoing):
    """It goes alone, whatever becomes of the others."""
    desk.end((digest,), FAILED)
    one = digest.first
    with desk.store.transaction() as connection:
        notifications.restart(connection, desk.get(one.id), Credential.COMMAND_LINE, desk.now)
    desk.move(minutes=5)
    [again] = desk.claim().messages
    assert (members(again), again.first.digest_id) == ({one.id}, None)


def test_a_probe_takes_one_message_that_may_be_a_digest(desk: Desk, digest: Outgoing):
    """A paused channel is probed with what waits for a retry, though it isn't due, and though it is a flood."""
    desk.end((digest,), PENDING, desk.now + timedelta(minutes=15))
    desk.move(seconds=30)
    assert desk.send(slots=1) == []
    assert desk.send(slots=1, probe=True) == [4]
    desk.plan(9)
    assert desk.send(slots=1, probe=True) == [1]


def test_without_floods_a_claim_takes_as_many_as_there_is_room_for(desk: Desk):
    """The most severe first, each alone, and nothing that isn't due."""
    desk.limit = 0
    desk.plan(8)
    desk.plan(1, due_at=START + timedelta(seconds=1))
    critical = desk.plan(2, severity=Severity.CRITICAL)
    claimed = desk.claim(slots=4)
    assert sizes(claimed) == [1] * 4
    assert {each.first.id for each in claimed.messages[:2]} == set(critical)
    assert desk.send(slots=9) == [1] * 6


def test_the_daily_limit_holds_for_email_and_sms_together(desk: Desk):
    """Each message counts, a digest once; critical ones may use the last part of it, and then nothing goes."""
    desk.limit, desk.daily_limit = 0, 40
    desk.plan(20, severity=Severity.CRITICAL)
    desk.plan(11, channel=SMS, severity=Severity.CRITICAL)
    assert (desk.send(), desk.send(SMS)) == ([1] * 20, [1] * 11)
    desk.plan(30)
    assert desk.send(slots=50) == [1]
    desk.move(minutes=5)
    assert desk.send(slots=50) == [29]
    desk.plan(5, severity=Severity.CRITICAL)
    assert desk.send() == [1] * 5
    desk.plan(5, severity=Severity.CRITICAL, channel=SMS)
    assert (desk.send(), desk.send(SMS)) == ([], [1, 1])
    desk.plan(3)
    desk.move(hours=23)
    assert (desk.send(SMS), desk.send()) == ([], [])
    desk.move(hours=1)
    assert (desk.send(SMS), desk.send()) == ([1] * 3, [1] * 3)


def test_texts_and_calls_share_a_limit_that_mail_does_not_use(desk: Desk):
    """What is critical has the last of it; when it is used up nothing goes by phone, and mail goes on."""
    desk.limit, desk.phone_limit = 0, 3
    desk.plan(2, channel=ChannelName.TWILIO)
    desk.plan(2, channel=ChannelName.CALL)
    assert (desk.send(ChannelName.TWILIO), desk.send(ChannelName.CALL)) == ([1] * 2, [])
    desk.plan(2, channel=ChannelName.CALL, severity=Severity.CRITICAL)
    assert desk.send(ChannelName.CALL) == [1]
    desk.plan(5)
    assert (desk.send(ChannelName.CALL), desk.send()) == ([], [1] * 5)


def test_near_the_daily_limit_digests_take_the_place_of_single_messages(desk: Desk):
    """From 80 % on, at most one message in an interval, unless it is critical."""
    desk.limit, desk.daily_limit = 0, 10
    desk.plan(8, severity=Severity.CRITICAL)
    desk.send()
    desk.plan(30)
    assert desk.send() == []
    desk.move(seconds=3)
    assert desk.send() == [30]  # the ninth
    desk.move(minutes=1)
    desk.plan(1, severity=Severity.CRITICAL)
    desk.plan(1)
    assert desk.send() == [1]  # the tenth, and the last
    assert desk.send() == []


@pytest.mark.parametrize(("used", "severity", "probed"), [(8, "info", 1), (19, "info", 0), (19, "critical", 1)])
def test_near_the_daily_limit_a_paused_channel_is_probed_too(desk: Desk, used, severity, probed):
    """Otherwise it would stay paused while nothing critical waits; but the reserve is for what is critical."""
    desk.limit, desk.daily_limit = 0, 10 if used == 8 else 20
    desk.plan(used, severity=Severity.CRITICAL)
    desk.send()
    desk.plan(1, severity=Severity(severity), attempts=1, due_at=START + timedelta(minutes=9))
    assert desk.send(slots=1, probe=True) == [1] * probed


def test_what_is_being_sent_counts_against_the_daily_limit(desk: Desk):
    """Otherwise a slow server, or a second replica, would let the limit be exceeded."""
    desk.limit, desk.daily_limit = 0, 3
    desk.plan(9, severity=Severity.CRITICAL)
    assert sizes(desk.claim(slots=2)) == [1, 1]
    assert sizes(desk.claim(slots=2, owner="you")) == [1]
    assert sizes(desk.claim(slots=2)) == []


def test_messages_from_the_outbox_do_not_use_the_daily_limit(desk: Desk):
    """It isn't the mail account's."""
    desk.limit, desk.daily_limit = 0, 2
    desk.plan(9, channel=ChannelName.OUTBOX)
    assert desk.send(ChannelName.OUTBOX) == [1] * 9


@pytest.mark.postgres
@pytest.mark.parametrize(("limit", "daily_limit"), [(5, 0), (0, 7)])
def test_replicas_that_claim_at_the_same_time_keep_the_limits(make_settings, postgres_database, limit, daily_limit):
    """Whoever comes second counts what the first one has claimed."""
    stores = [Store(make_settings(database_url=postgres_database)) for _ in range(3)]
    for store in stores:
        store.open(exclusive=False)
    desks = [Desk(store, limit=limit, daily_limit=daily_limit) for store in stores]
    desks[0].plan(100)
    desks[0].plan(20, severity=Severity.CRITICAL)
    start = Barrier(len(desks))

    def claim(number: int) -> list[int]:
        start.wait()
        return [size for _ in range(10) for size in sizes(desks[number].claim(slots=2, owner=f"replica {number}"))]

    with ThreadPoolExecutor(len(desks)) as pool:
        claimed = [size for sizes_ in pool.map(claim, range(len(desks))) for size in sizes_]
    assert claimed == [1] * (daily_limit or limit)
    for store in stores:
        store.close()
