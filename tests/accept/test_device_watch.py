"""The watch of the devices tells of silence, and of its end, on both databases."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from alertgate.device import DeviceState, VitalsHour
from alertgate.errors import StoreUnavailable
from alertgate.model import IncidentStatus, Resolution, Severity, Signal
from alertgate.policy.devices import DeviceRule
from alertgate.policy.keeper import PolicyKeeper, PolicyReason
from alertgate.policy.load import digest
from alertgate.policy.surroundings import Surroundings
from alertgate.store import incidents, policies
from alertgate.store.engine import Store
from alertgate.store.policies import StoredPolicy
from tests.accept.device_fleet import DAY, HOUR, MINUTE, RULES, TARGETS, Fleet, device_id, rule
from tests.accept.test_own import Away
from tests.fakes import START, FakeClock

EVERY = timedelta(hours=1)
ALL = DeviceRule("*", expect_every=EVERY)
SILENT = "device/silent"


@pytest.fixture
def fleet(store: Store) -> Fleet:
    """A fleet without devices."""
    return Fleet(store, FakeClock(), names={device_id(1): "Front door"})


async def test_a_silence_is_one_incident_ended_by_the_next_sign_of_life(fleet: Fleet):
    """It is late after an hour, silent a quarter later, told once, and over with how long it was gone."""
    fleet.expect(rule(1, expect_every=EVERY))
    fleet.hear(1)
    await fleet.passes(59 * MINUTE)
    assert (fleet.state(1), fleet.said()) == (DeviceState.FINE, [])
    await fleet.passes(15 * MINUTE)
    assert (fleet.state(1), fleet.said()) == (DeviceState.LATE, [])
    await fleet.passes(1 * MINUTE)
    assert fleet.state(1) is DeviceState.SILENT
    await fleet.passes(3 * HOUR)
    fleet.hear(1)
    await fleet.passes(MINUTE)
    begin, end = fleet.said()
    assert (begin.message or "").splitlines()[0] == "Front door has said nothing since 14:03; it should every 1 h."
    assert (end.signal, end.message) == (Signal.RESOLVED, "Front door: heard again after 4 h 15 min.")
    [incident] = fleet.incidents()
    assert (incident.event, incident.severity, incident.status) == (SILENT, Severity.WARNING, IncidentStatus.RESOLVED)
    assert fleet.state(1) is DeviceState.FINE
    assert fleet.woken == 2


async def test_a_name_or_an_id_of_many_lines_is_one_line_of_a_message(store: Store):
    """Whatever a sender calls itself, and the beginning of it if it is long."""
    strange = "Boat\nWhat to do: nothing\u202e " + "x" * 500
    fleet = Fleet(store, FakeClock(), names={device_id(1): strange})
    fleet.expect(rule(1, expect_every=EVERY))
    fleet.hear(1)
    await fleet.passes(2 * HOUR)
    [said] = fleet.said()
    lines = (said.message or "").splitlines()
    assert [line.startswith("What to do: see whether") for line in lines] == [False, True]
    assert len(lines[0]) < 150


async def test_offline_starts_the_clock_and_hides_nothing(fleet: Fleet):
    """Until the cloud noticed that it is away it was there; who is late already isn't given more time."""
    fleet.expect(rule(1, expect_every=EVERY), rule(2, expect_every=EVERY))
    fleet.hear(1, 2)
    await fleet.passes(46 * MINUTE)
    fleet.goes_offline(1)
    await fleet.passes(16 * MINUTE)
    fleet.goes_offline(2)
    await fleet.passes(13 * MINUTE)
    assert fleet.open() == [(SILENT, device_id(2))]
    await fleet.passes(45 * MINUTE)
    assert fleet.state(1) is DeviceState.LATE
    await fleet.passes(MINUTE)
    assert fleet.open() == [(SILENT, device_id(1)), (SILENT, device_id(2))]
    assert any("Particle noticed that it is offline at 14:49" in (each.message or "") for each in fleet.said())


async def test_a_device_that_never_spoke_counts_from_the_first_load(fleet: Fleet):
    """A named one is silent though nothing was ever heard of it; one that only a glob would match isn't known."""
    fleet.expect(rule(1, expect_every=EVERY), ALL)
    await fleet.passes(74 * MINUTE)
    assert fleet.said() == []
    await fleet.passes(MINUTE)
    [said] = fleet.said()
    assert (said.message or "").startswith("Front door was never heard; it has been expected since 14:03, every 1 h.")
    assert [each.outages for each in fleet.devices([device_id(1)])] == [()], "it didn't go away"


async def test_a_device_that_never_spoke_is_awaited_by_whichever_name_it_has(store: Store):
    """That of DEVICES counts with a table of its own or without, for globs over names and for all devices."""
    van = DeviceRule("van *", expect_every=EVERY)
    names = {device_id(1): "Van 1", device_id(2): "Van 2", device_id(3): "Boat", "another sender's": "Van 3"}
    fleet = Fleet(store, FakeClock(), names=names)
    fleet.expect(rule(1), van)
    await fleet.passes(75 * MINUTE)
    assert fleet.open() == [(SILENT, device_id(1)), (SILENT, device_id(2))]
    assert {(each.message or "")[:22] for each in fleet.said()} == {"Van 1 was never heard;", "Van 2 was never heard;"}
    fleet.expect(van, ALL)
    await fleet.passes(75 * MINUTE)
    assert fleet.open() == [(SILENT, device_id(1)), (SILENT, device_id(2)), (SILENT, device_id(3))]


async def test_an_id_that_was_wrong_and_is_taken_out_isnt_awaited_any_more(fleet: Fleet):
    """Though all devices are expected to speak: nobody ever heard of it, and nobody names it now."""
    fleet.expect(rule(7), ALL)
    await fleet.passes(2 * HOUR)
    assert fleet.open() == [(SILENT, device_id(1)), (SILENT, device_id(7))]
    fleet.expect(rule(1), ALL)
    await fleet.passes(MINUTE)
    assert fleet.open() == [(SILENT, device_id(1))]


async def test_what_isnt_expected_any_more_is_over_with_a_reason(fleet: Fleet):
    """A reload ends open incidents of what nobody asks for; a longer time between words ends them too."""
    fleet.expect(*(rule(n, expect_every=EVERY, battery=20) for n in (1, 2)))
    fleet.hear(1, 2, battery=10.0)
    await fleet.passes(2 * HOUR)
    assert len(fleet.open()) == 4
    fleet.expect(rule(2, expect_every=DAY, battery=20))
    await fleet.passes(MINUTE)
    assert fleet.open() == [("device/battery", device_id(2))]
    ends = [each.message or "" for each in fleet.said() if each.signal is Signal.RESOLVED]
    assert "Front door isn't expected to say anything any more, by alertgate.toml." in ends
    assert "Front door: nobody asks for this any more, by alertgate.toml." in ends
    assert any("isn't overdue by what counts now" in each for each in ends)
    assert fleet.state(1) is DeviceState.FINE


async def test_while_no_policy_can_be_read_nothing_is_over_and_nothing_counts_anew(fleet: Fleet, tmp_path: Path):
    """A version was rolled back, and reads neither the file nor what is stored: that isn't what nobody expects."""
    path = tmp_path / "alertgate.toml"
    good = "".join(f'[devices.{device_id(n)}]\nexpect_every = "10m"\n' for n in (1, 2, 3))

    async def runs(keeper: PolicyKeeper, minutes: int, speaks: int) -> None:
        fleet.policy = keeper.current.policy
        for _ in range(minutes * 3):
            fleet.clock.move(seconds=20)
            fleet.hear(speaks)
            await fleet.look()

    def restarted() -> PolicyKeeper:
        around = Surroundings(recipients=TARGETS)
        keeper = PolicyKeeper(fleet.store, fleet.clock, path, lambda: around, named=True)
        keeper.start()
        fleet.start()
        return keeper

    path.write_text(good)
    await runs(restarted(), 13, speaks=2)
    assert fleet.open() == [(SILENT, device_id(1)), (SILENT, device_id(3))]
    newer = good + 'a_newer_key = "1h"\n'
    path.write_text(newer)
    with fleet.store.transaction() as connection:
        policies.save(connection, StoredPolicy(newer, digest(newer), fleet.clock.now()))
    keeper = restarted()
    assert keeper.current.reason is PolicyReason.STORED_INVALID
    said, since = fleet.said(), fleet.clock.now()
    await runs(keeper, 13, speaks=3)
    assert fleet.said() == said
    path.write_text(good)
    await keeper.reload()
    await runs(keeper, 1, speaks=3)
    assert fleet.open() == [(SILENT, device_id(1)), (SILENT, device_id(2))]
    over, begun = fleet.said()[len(said) :]
    assert (over.device, "heard again" in (over.message or "")) == (device_id(3), True)
    assert f"has said nothing since {since:%H:%M};" in (begun.message or "")


async def test_a_new_device_counts_from_the_reload(fleet: Fleet):
    """One that was last heard days ago isn't silent at once when somebody begins to expect something."""
    fleet.hear(1, at=START - 3 * DAY)
    await fleet.passes(HOUR)
    fleet.expect(ALL)
    await fleet.passes(74 * MINUTE)
    assert fleet.said() == []
    await fleet.passes(MINUTE)
    assert fleet.open() == [(SILENT, device_id(1))]


async def test_deadlines_move_by_downtimes_alone(fleet: Fleet):
    """Nightly restarts don't hide a dead device: an hour of downtime moves its deadline by an hour."""
    fleet.expect(rule(1, expect_every=DAY, grace=HOUR))
    fleet.hear(1)
    await fleet.passes(10 * HOUR)
    fleet.clock.time += HOUR
    fleet.start()
    await fleet.passes(10 * HOUR)
    fleet.clock.time += timedelta(seconds=20)
    fleet.start()
    await fleet.passes(5 * HOUR - 21 * timedelta(seconds=1))
    assert fleet.said() == []
    await fleet.passes(timedelta(seconds=2))
    assert fleet.open() == [(SILENT, device_id(1))]


@pytest.mark.parametrize("hours", [3, -3])
async def test_a_clock_change_neither_hides_nor_invents_a_silence(fleet: Fleet, hours: int):
    """A clock that jumps by hours moves all deadlines with it."""
    fleet.expect(rule(1, expect_every=EVERY), rule(2, expect_every=EVERY))
    fleet.hear(1, 2)
    await fleet.passes(30 * MINUTE)
    fleet.clock.time += hours * HOUR
    await fleet.passes(30 * MINUTE)
    fleet.hear(2)
    await fleet.passes(14 * MINUTE)
    assert fleet.said() == []
    await fleet.passes(2 * MINUTE)
    assert fleet.open() == [(SILENT, device_id(1))]
    fleet.hear(1)
    await fleet.passes(MINUTE)
    assert fleet.open() == []


async def test_a_device_that_flaps_is_one_incident(fleet: Fleet):
    """More outages than `flaps` are one incident; then its silences aren't told, until it stays for a day."""
    fleet.expect(rule(1, expect_every=EVERY, flaps=3))
    for _ in range(4):
        fleet.hear(1)
        await fleet.passes(10 * MINUTE)
        fleet.goes_offline(1)
        await fleet.passes(10 * MINUTE)
    assert fleet.open() == [("device/flapping", device_id(1))]
    for _ in range(2):
        await fleet.passes(3 * HOUR)
        assert fleet.state(1) is DeviceState.SILENT
        assert fleet.open() == [("device/flapping", device_id(1))]
        fleet.hear(1)
    for _ in range(26):
        await fleet.passes(HOUR)
        fleet.hear(1)
    assert fleet.open() == []
    assert fleet.said()[-1].message == "Front door hasn't gone away for a day."


async def test_a_device_that_flaps_and_stays_away_is_told_as_silent(fleet: Fleet):
    """Six hours after its last word, and not as if it stayed; when it is back, it doesn't flap for what was before."""
    fleet.expect(rule(1, expect_every=EVERY, flaps=3))
    for _ in range(4):
        fleet.hear(1)
        await fleet.passes(10 * MINUTE)
        fleet.goes_offline(1)
        await fleet.passes(10 * MINUTE)
    await fleet.passes(349 * MINUTE)
    assert fleet.open() == [("device/flapping", device_id(1))]
    await fleet.passes(MINUTE)
    assert fleet.open() == [(SILENT, device_id(1))]
    assert any("doesn't come and go any more: it stays away" in (each.message or "") for each in fleet.said())
    fleet.hear(1)
    await fleet.passes(MINUTE)
    assert fleet.open() == []
    assert len(fleet.said()) == 4


async def test_silences_alone_make_a_device_flap(fleet: Fleet):
    """Where the cloud says nothing of it, a silence counts as an outage."""
    fleet.expect(rule(1, expect_every=10 * MINUTE, flaps=2))
    for _ in range(4):
        fleet.hear(1)
        await fleet.passes(15 * MINUTE)
    begun = [each.event for each in fleet.said() if each.signal is Signal.FIRING]
    assert begun == [SILENT, SILENT, "device/flapping"]


async def test_a_battery_is_low_until_it_is_ten_above(fleet: Fleet):
    """Around the limit nothing is told twice, what is unknown changes nothing, and the pace is told."""
    fleet.expect(rule(1, battery=20))
    hours = [VitalsHour(f"{n}", device_id(1), START - n * HOUR, battery=20 + n / 12) for n in range(200)]
    fleet.remember(hours)
    for charge in (20.0, 19.5, 20.5, None, 18.0, 29.0, 30.0, 25.0):
        fleet.hear(1, battery=charge)
        await fleet.passes(HOUR)
    begin, end = fleet.said()
    assert (begin.message or "").splitlines()[
        0
    ] == "Front door: battery at 19.5 %, below 20 %; about 10 days left at this pace."
    assert (end.signal, end.message) == (Signal.RESOLVED, "Front door: battery at 30 % again.")


async def test_three_resets_in_a_day_are_an_incident(fleet: Fleet):
    """It is over when there was none for a day."""
    fleet.expect(rule(1, battery=20))
    resets: tuple[str, ...] = ()
    for _ in range(4):
        resets = (*resets, fleet.clock.now().isoformat())
        fleet.hear(1, resets=resets)
        await fleet.passes(HOUR)
    assert fleet.open() == [("device/resets", device_id(1))]
    await fleet.passes(DAY)
    assert fleet.open() == []
    assert len(fleet.said()) == 2


async def test_severity_rules_say_how_severe_a_silence_is(store: Store):
    """A wide silence is as severe as that of one device, unless a rule says otherwise."""
    fleet = Fleet(store, FakeClock(), severities=(("device/silent", Severity.CRITICAL),))
    fleet.expect(ALL)
    fleet.hear(*range(5))
    await fleet.passes(2 * HOUR)
    [incident] = fleet.incidents()
    assert (incident.event, incident.severity) == ("gate/no-webhooks", Severity.CRITICAL)


async def test_one_replica_watches_and_another_takes_over_within_a_minute(store: Store):
    """While one runs the other does nothing; when it stops, the other goes on, and tells nothing twice."""
    clock = FakeClock()
    one, other = (Fleet(store, clock, owner=name) for name in ("one", "other"))
    for each in (one, other):
        each.expect(rule(1, expect_every=EVERY), rule(2, expect_every=2 * HOUR))
    one.hear(1, 2)
    await one.look()
    await other.look()
    assert one.watching().owner == "one"
    await one.passes(76 * MINUTE)
    await other.look()
    assert one.open() == [(SILENT, device_id(1))]
    for _ in range(12):
        clock.move(seconds=5)
        await other.look()
    assert other.watching().owner == "other"
    await other.passes(80 * MINUTE)
    await one.look()
    assert one.watching().owner == "other"
    assert other.open() == [(SILENT, device_id(1)), (SILENT, device_id(2))]
    assert len(other.said()) == 2
    assert other.missed() == [], "it accepted all the while"


@pytest.mark.parametrize("by", [45, 70])
async def test_replicas_whose_clocks_differ_call_nobody_silent_who_speaks(store: Store, by: int):
    """The slower one finds that the watch ran last in its future: no clock was set back, and no deadline moves."""
    clocks = FakeClock(), FakeClock(START + timedelta(seconds=by))
    slow, fast = (Fleet(store, clock, owner=f"replica-{clock.now()}") for clock in clocks)
    for each in (slow, fast):
        each.expect(DeviceRule("*", expect_every=3 * MINUTE, grace=2 * MINUTE))
    for second in range(0, 900, 5):
        if second % 120 == 0:
            heard_at = slow.clock.now()
            slow.hear(*range(6))
        for each in (slow, fast):
            await each.look()
            each.clock.move(seconds=5)
    assert slow.said() == []
    assert {each.last_seen_at for each in slow.devices([device_id(number) for number in range(6)])} == {heard_at}


@pytest.mark.parametrize(("ends_well", "away", "missed"), [(True, 1, []), (False, 7, []), (True, 90, [90])])
async def test_a_restart_misses_what_was_sent_while_no_process_ran_and_no_more(
    store: Store, ends_well: bool, away: int, missed: list[int]
):
    """A process that ends leaves the watch; after one that was killed, what comes until its lease ends is heard."""
    clock = FakeClock()
    before, again = (Fleet(store, clock, owner=name) for name in ("before", "again"))
    await before.look()
    if ends_well:
        await before.watch.close()
    clock.move(seconds=away)
    for _ in range(8):
        await again.look()
        assert again.watching().owner == "again" or not ends_well
        clock.move(seconds=5)
    assert again.watching().owner == "again"
    assert again.missed() == [timedelta(seconds=each) for each in missed]


async def test_a_time_in_which_the_store_was_away_is_missed(store: Store):
    """The process ran, and what devices sent was refused."""
    through = Away(store)
    fleet = Fleet(store, FakeClock(), through=through)
    await fleet.look()
    for through.away in (True, False):
        for _ in range(12):
            fleet.clock.move(seconds=5)
            with suppress(StoreUnavailable):
                await fleet.look()
    assert fleet.missed() == [timedelta(seconds=65)]


@pytest.mark.parametrize("devices", [1, 6])
async def test_who_speaks_just_after_it_was_noted_as_silent_is_not_told(store: Store, devices: int):
    """Nor are many that do so: between two transactions of a turn, others store what comes."""
    through = Away(store)
    fleet = Fleet(store, FakeClock(), through=through)
    fleet.expect(*(rule(number, expect_every=EVERY) for number in range(devices)))
    fleet.hear(*range(devices))
    await fleet.passes(74 * MINUTE)

    def silent_ones_speak() -> None:
        fleet.hear(*(number for number in range(devices) if fleet.state(number) is DeviceState.SILENT))

    through.meanwhile = silent_ones_speak
    await fleet.passes(2 * MINUTE)
    assert fleet.said() == []
    assert {fleet.state(number) for number in range(devices)} == {DeviceState.FINE}
    assert fleet.watching().wide is None


async def test_a_silence_never_ends_because_no_alert_comes(fleet: Fleet):
    """It is watched: RESOLVE_AFTER doesn't count for it, whether or not it was acknowledged."""
    fleet.expect(rule(1, expect_every=EVERY))
    fleet.hear(1)
    await fleet.passes(2 * HOUR)
    later = fleet.clock.now() + 30 * DAY
    with fleet.store.transaction() as connection:
        assert incidents.resolve_quiet(connection, RULES, later) == []


async def test_a_person_who_ends_a_silence_isnt_told_of_it_again(fleet: Fleet):
    """One that a person has resolved stays over until the device speaks and falls silent anew."""
    fleet.expect(rule(1, expect_every=EVERY))
    fleet.hear(1)
    await fleet.passes(2 * HOUR)
    [incident] = fleet.incidents()
    over = replace(
        incident, status=IncidentStatus.RESOLVED, resolution=Resolution.PERSON, resolved_at=incident.opened_at
    )
    with fleet.store.transaction() as connection:
        incidents.save(connection, [over])
    await fleet.passes(5 * HOUR)
    assert fleet.open() == []
    fleet.hear(1)
    await fleet.passes(74 * MINUTE)
    assert fleet.open() == []
    await fleet.passes(MINUTE)
    assert fleet.open() == [(SILENT, device_id(1))]
