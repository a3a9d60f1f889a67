"""What people are told about failed notifications that nobody has dealt with, and when that is over."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alertgate.accept.failure_trouble import cause_of, note, summed
from alertgate.model import ChannelName, IncidentStatus, Severity
from alertgate.prove.outstanding import Outstanding
from alertgate.prove.troubles import Cause
from alertgate.store.failures import ContactFailures, Count
from tests.accept.test_own import all_alerts, all_incidents, counts, own_alerts, resolve
from tests.fakes import START, FakeClock

ANNA = ContactFailures(ChannelName.EMAIL, "anna@example.org", 2, Severity.WARNING, START, refused=True)
BEA = ContactFailures(
    ChannelName.SMS, "bea@example.org", 1, Severity.CRITICAL, START - timedelta(hours=1), refused=False
)
TARGETS = [(each.channel, each.address) for each in (ANNA, BEA)]
NONE = Outstanding({}, [], retrying=False)


def outstanding(*contacts: ContactFailures) -> Outstanding:
    """Return these failures as they are read from the store."""
    counts = {each.channel: Count(each.number, "newest") for each in contacts}
    return Outstanding(counts, contacts, retrying=False)


def test_they_are_summed_by_contact_and_cause():
    """Since the first of them; addresses are masked."""
    tally = summed([ANNA, BEA], TARGETS, START)
    assert (tally.count, tally.first, tally.last) == (3, BEA.since, START)
    assert tally.causes == {Cause.RECIPIENT_REFUSED: 2, Cause.GAVE_UP: 1}
    assert tally.senders == {"email a***@example.org": 2, "sms b***@example.org": 1}


@pytest.mark.parametrize(
    ("contact", "targets", "cause"),
    [
        (ANNA, TARGETS, Cause.RECIPIENT_REFUSED),
        (BEA, TARGETS, Cause.GAVE_UP),
        (ANNA, TARGETS[1:], Cause.RECIPIENT_REMOVED),
        (replace(ANNA, channel=ChannelName.SMS), TARGETS, Cause.RECIPIENT_REMOVED),
        (replace(ANNA, away=True), TARGETS, Cause.CHANNEL_AWAY),
        (replace(ANNA, away=True, waits_for_another=True), TARGETS, Cause.SERVICE_REFUSED),
    ],
)
def test_the_cause_says_what_to_do(contact, targets, cause):
    """A recipient who is no longer in the settings isn't to be told any more."""
    assert cause_of(contact, targets) is cause


async def test_it_is_as_severe_as_the_worst_and_ends_with_the_last(store):
    """A second contact and a rise are told; fewer failures aren't; the end is."""
    clock = FakeClock()
    own = own_alerts(store, clock)
    said = []
    for found in (NONE, outstanding(ANNA), outstanding(ANNA, BEA), outstanding(ANNA), NONE):
        note(found, TARGETS, own, clock.now())
        await own.run()
        clock.move(seconds=1)
        said.append([(each.severity, each.status) for each in all_incidents(store)])
    warning, critical = (Severity.WARNING, IncidentStatus.OPEN), (Severity.CRITICAL, IncidentStatus.OPEN)
    assert said == [[], [warning], [critical], [critical], [(Severity.CRITICAL, IncidentStatus.RESOLVED)]]
    assert len(all_alerts(store)) == 3


async def test_what_grows_for_weeks_is_told_seldom(store):
    """When it has doubled: of a thousand failures there are ten reports, by two processes and over restarts."""
    clock = FakeClock()
    own = [own_alerts(store, clock), own_alerts(store, clock)]
    for number in range(1, 1001):
        for each in own:
            note(outstanding(replace(ANNA, number=number)), TARGETS, each, clock.now())
            await each.run()
        clock.move(minutes=10)
        if number % 100 == 0:
            own[number // 100 % 2] = own_alerts(store, clock)
    assert counts(all_alerts(store)) == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert len(all_incidents(store)) == 1


async def test_nothing_is_over_before_the_store_said_so_or_while_one_is_retried(store):
    """A process that knows nothing, or not yet whether it arrived, changes nothing."""
    clock = FakeClock()
    first, second = own_alerts(store, clock), own_alerts(store, clock)
    note(outstanding(ANNA), TARGETS, first, clock.now())
    await first.run()
    for found in (None, replace(NONE, retrying=True)):
        note(found, TARGETS, second, clock.now())
        clock.move(hours=1)
        await second.run()
    assert [each.status for each in all_incidents(store)] == [IncidentStatus.OPEN]
    note(NONE, TARGETS, second, clock.now())
    await second.run()
    assert [each.status for each in all_incidents(store)] == [IncidentStatus.RESOLVED]


async def test_failures_about_own_incidents_alone_raise_nothing(store):
    """They are counted, but alertgate doesn't answer itself."""
    clock = FakeClock()
    own = own_alerts(store, clock)
    note(Outstanding({ChannelName.EMAIL: Count(3, "newest")}, [], retrying=False), TARGETS, own, clock.now())
    await own.run()
    assert all_incidents(store) == []


async def test_once_a_person_has_resolved_it_any_growth_is_told(store):
    """Resolved by hand says that somebody knows of those; the same isn't told again, nor fewer, but one more is."""
    clock = FakeClock()
    own = own_alerts(store, clock)
    said = []
    for number in (10, 10, 4, 5, 5, 6):
        note(outstanding(replace(ANNA, number=number)), TARGETS, own, clock.now())
        clock.move(minutes=1)
        await own.run()
        said.append(len(all_incidents(store)))
        if said == [1]:
            resolve(store, clock)
            clock.move(minutes=1)
            await own.run()
    assert said == [1, 1, 1, 2, 2, 2]
    assert counts(all_alerts(store)) == [10, 5], "open again, it is told once it has doubled"
