"""What a card says of who was told, and the strip of a day, without a service."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from alertgate.model import ChannelName, Hold, IncidentStatus, Kind, NotificationStatus, Severity
from alertgate.policy.policy import Policy
from alertgate.proof import Proof
from alertgate.prove.going_on import GoingOn
from alertgate.store.counts import HourCount
from alertgate.store.open_incidents import Telling
from alertgate.web.console.cards import Card, Cards, Coming
from alertgate.web.console.strip import HOURS, begins_at, strip
from alertgate.web.console.times import Times
from tests.builders import incident
from tests.fakes import START

OPEN = incident()
NOW = START + timedelta(minutes=5)
TIMES = Times(ZoneInfo("UTC"), NOW)
LATER = NOW + timedelta(minutes=10)
TOLD = Telling(
    incident_id=OPEN.id,
    channel=ChannelName.EMAIL,
    address="ann@example.org",
    status=NotificationStatus.SENT,
    person="ann",
    finished_at=START,
    due_at=START,
    hold=None,
    digest_id=None,
    kind=Kind.OPENING,
)
WAITS = replace(TOLD, status=NotificationStatus.PENDING, finished_at=None, due_at=LATER)
FAILED = replace(TOLD, status=NotificationStatus.FAILED)
OUTBOX = ChannelName.OUTBOX
WRITTEN = replace(TOLD, channel=OUTBOX)


def card(*told: Telling, paused: tuple[ChannelName, ...] = (), **changes: object) -> Card:
    """Return the card of an incident of which these contacts were told."""
    about = replace(OPEN, **changes)
    read = GoingOn((about,), {}, {OPEN.id: told}, {}, ())
    return Cards(read, Policy(), lambda _: None, TIMES, paused).card(about, "/")


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ((TOLD,), f"told at {START:%H:%M}"),
        ((replace(TOLD, proof=Proof.DELIVERED),), f"told at {START:%H:%M} (delivered)"),
        ((replace(TOLD, proof=Proof.SEEN),), f"told at {START:%H:%M} (seen)"),
        ((replace(TOLD, status=NotificationStatus.SENDING),), "being told right now"),
        ((replace(WAITS, due_at=START),), "to be told next"),
        ((WAITS,), f"to be told at {LATER:%H:%M}"),
        ((replace(WAITS, hold=Hold.QUIET_HOURS),), f"to be told at {LATER:%H:%M} (quiet hours)"),
        ((replace(WAITS, hold=Hold.SILENCED),), f"to be told at {LATER:%H:%M} (silenced)"),
        ((replace(WAITS, digest_id="d"),), f"to be told at {LATER:%H:%M}, in a digest"),
        ((TOLD, WAITS), f"told at {START:%H:%M}, to be told at {LATER:%H:%M}"),
        ((FAILED,), "couldn't be told"),
        ((WRITTEN,), f"not told: written to the outbox only, at {START:%H:%M}"),
        ((replace(WRITTEN, status=NotificationStatus.SENDING),), "not told: to be written to the outbox only"),
        ((replace(WAITS, channel=OUTBOX),), "not told: to be written to the outbox only"),
        ((replace(TOLD, status=NotificationStatus.CANCELLED),), "not told, as it wasn't needed"),
    ],
)
def test_how_far_a_contact_was_told_is_said_in_words(told, said):
    """As the page of a message's link says it, and what it waits for."""
    [(who, how_far)] = card(*told).told
    assert (who, how_far) == (f"ann, {told[0].channel} a***@example.org", said)


def test_who_waits_for_a_paused_channel_is_not_told_next():
    """The channel is named, as nothing goes out by it."""
    [(_, how_far)] = card(replace(WAITS, due_at=START), paused=(ChannelName.EMAIL,)).told
    assert how_far == "to be told next: email is paused"


@pytest.mark.parametrize(
    ("told", "changes", "alarm"),
    [
        ((TOLD,), {}, ""),
        ((WAITS,), {}, ""),
        ((TOLD, replace(FAILED, address="b")), {}, ""),
        ((FAILED,), {}, "NOBODY COULD BE TOLD"),
        ((), {}, "NOBODY WAS TOLD of it, and nobody will be"),
        ((WRITTEN,), {}, "NOBODY WAS TOLD of it, only the outbox has it"),
        ((replace(WAITS, channel=OUTBOX),), {}, "NOBODY WAS TOLD of it, only the outbox has it"),
        ((WRITTEN, TOLD), {}, ""),
        ((WRITTEN, FAILED), {}, "NOBODY COULD BE TOLD"),
        ((FAILED,), {"status": IncidentStatus.ACKNOWLEDGED}, ""),
    ],
)
def test_that_nobody_was_told_is_no_detail(told, changes, alarm):
    """As long as nobody has it: then whoever reads the page is the first to know."""
    found = card(*told, **changes).alarm
    assert found.startswith(alarm) if alarm else not found


def test_what_the_outbox_gets_is_nothing_that_comes_next():
    """Somebody else in words would be somebody who was told; and nobody is told by what is still to be written."""
    assert card(WRITTEN).next == ()
    assert card(replace(WAITS, channel=OUTBOX)).next == ()
    assert card(TOLD, WRITTEN).next == (Coming("Nobody else is told, unless something changes."),)


def test_those_who_wait_for_the_same_come_together_and_without_an_address():
    """By name; a recipient of the settings is named like its address, which is masked."""
    bare = replace(WAITS, address="bob@example.org", person="bob@example.org")
    assert card(WAITS, bare).next == (Coming("ann by email and b***@example.org", LATER),)


def test_what_comes_next_stands_in_the_order_of_time_with_what_it_says():
    """The contact that comes later before the update; what a person did isn't called the alarm."""
    sooner = replace(WAITS, channel=ChannelName.SMS, hold=Hold.DELAYED, due_at=NOW + timedelta(minutes=3))
    update = replace(WAITS, address="bob@example.org", person="bob", kind=Kind.UPDATE)
    taken = replace(update, kind=Kind.ACKNOWLEDGEMENT, hold=Hold.QUIET_HOURS, due_at=LATER + timedelta(hours=1))
    assert card(update, sooner).next == (
        Coming("ann by sms", sooner.due_at, "unless acknowledged"),
        Coming("an update to bob by email", LATER),
    )
    assert card(taken).next == (Coming("who has it, to bob by email", taken.due_at, "(quiet hours)"),)


def test_who_waits_for_a_paused_channel_comes_when_it_works_again():
    """Whatever time is noted: that is when it is tried, and nobody knows whether it works then."""
    late = replace(WAITS, due_at=START)
    retried = replace(WAITS, address="bob@example.org", person="bob")
    found = card(late, retried, paused=(ChannelName.EMAIL,)).next
    assert found == (Coming("ann by email and bob by email, once email works again"),)


def test_many_contacts_are_counted():
    """A card stays small, whoever is told."""
    found = card(*(replace(TOLD, address=f"{number}@example.org") for number in range(23)))
    assert (len(found.told), found.more_told) == (20, 3)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "Europe/Berlin", "Australia/Lord_Howe"])
def test_the_strip_ends_with_the_hour_that_runs_by_the_readers_clock(zone):
    """Also where that hour begins at a quarter of another, and on the days of a change."""
    for now in (datetime(2026, 10, 25, 12, 20, 3, 7, tzinfo=UTC), datetime(2026, 3, 29, 1, 0, tzinfo=UTC)):
        times = Times(ZoneInfo(zone), now)
        begun = begins_at(times)
        assert timedelta(hours=HOURS - 1) <= now - begun < timedelta(hours=HOURS)
        assert begun + timedelta(hours=HOURS - 1) <= now
        assert (begun + timedelta(hours=HOURS - 1)).astimezone(times.zone).minute == 0


def test_the_strip_shows_each_hour_that_had_alerts_and_what_came_ahead_of_the_clock():
    """An alert of a replica whose clock is ahead counts to the last hour."""
    ahead = [HourCount(23, Severity.CRITICAL, 1), HourCount(24, Severity.CRITICAL, 1)]
    found = strip([HourCount(0, Severity.INFO, 2), *ahead], TIMES)
    assert [said for _, said in found.hours] == ["2 info", "2 critical"]
    assert found.text.startswith("4 alerts in the last 24 hours: 2 critical, 2 info.")
    assert strip([], TIMES).text == "No alert came in the last 24 hours."
