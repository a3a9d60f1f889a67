"""What events say of their device, in whatever order they come."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.accept.device_signs import MOST_OUTAGES, MOST_RESETS, Presence, Sign, fold, hour_of, sign_of
from alertgate.accept.vitals import Vitals
from alertgate.cli.template import particle_template
from alertgate.device import Device, DeviceState
from alertgate.model import AlertStatus, Source
from tests.builders import DOOR, alert, for_any
from tests.fakes import START

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def sign(published: timedelta = timedelta(0), received: timedelta | None = None, **more) -> Sign:
    """Return a sign that was published so long after the start, and received then unless it says otherwise."""
    at = START + (published if received is None else received)
    return Sign(DOOR, at, **{"published_at": START + published, "event": "beat", **more})


def folded(*signs: Sign, device: Device | None = None) -> Device:
    """Return what is known of a device after these signs."""
    device = device or Device(DOOR)
    for each in signs:
        device = fold(device, each)
    return device


def offline(published: timedelta, received: timedelta | None = None) -> Sign:
    """Return that the cloud says that the device is away."""
    return sign(published, received, event="spark/status", presence=Presence.OFFLINE)


@pytest.mark.parametrize(
    ("changes", "published", "presence"),
    [
        ({}, timedelta(0), Presence.UNSAID),
        ({"published_at": START - HOUR}, -HOUR, Presence.UNSAID),
        ({"published_at": START + 59 * SECOND}, 59 * SECOND, Presence.UNSAID),
        ({"published_at": START + HOUR}, timedelta(0), Presence.UNSAID),
        ({"published_at": START - timedelta(days=2)}, timedelta(0), Presence.UNSAID),
        ({"event": "spark/status", "data": "offline"}, timedelta(0), Presence.OFFLINE),
        ({"event": "spark/status", "data": " Online "}, timedelta(0), Presence.ONLINE),
        ({"event": "spark/status", "data": "auto-update"}, timedelta(0), Presence.UNSAID),
        ({"event": "spark/status", "data": "unsaid"}, timedelta(0), Presence.UNSAID),
        ({"event": "status", "data": "offline"}, timedelta(0), Presence.UNSAID),
        ({"status": AlertStatus.IGNORED}, timedelta(0), Presence.UNSAID),
        ({"status": AlertStatus.QUARANTINED, "event": "spark/status", "data": None}, timedelta(0), Presence.UNSAID),
    ],
)
def test_an_event_is_a_sign_of_its_device_at_a_time_that_can_be_right(changes, published, presence):
    """A clock that is ahead, or off by days, is none: then the receipt counts."""
    found = sign_of(alert(**changes))
    assert (found.device, found.published_at, found.presence) == (DOOR, START + published, presence)


@pytest.mark.parametrize("changes", [{"device": None}, {"device": ""}, {"source": Source.GENERIC}])
def test_what_has_no_device_of_particle_is_no_sign(changes):
    """The source of a generic alert is no device."""
    assert sign_of(alert(**changes)) is None


def test_the_fields_of_a_whole_event_tell_firmware_and_product():
    """As texts, whatever their type; what a template didn't fill in is unknown."""
    found = sign_of(alert(device=DOOR.upper(), fields={"version": 12, "productID": " 1234 "}))
    assert (found.device, found.firmware, found.product) == (DOOR, "12", "1234")
    found = sign_of(alert(fields={"version": "{{PRODUCT_VERSION}}", "productID": {"id": 1}}))
    assert (found.firmware, found.product) == (None, None)
    assert len(sign_of(alert(fields={"version": "9" * 10_000})).firmware) == 64
    form = json.loads(particle_template("https://alerts.example.org", "", "secret"))["form"]
    [firmware] = [name for name, value in form.items() if "PRODUCT_VERSION" in value]
    [product] = [name for name, value in form.items() if "PRODUCT_ID" in value]
    found = sign_of(alert(fields={"version": "", firmware: "7", product: "1234"}))
    assert (found.firmware, found.product) == ("7", "1234"), "as our own template has them"


def test_vitals_are_read_of_the_cloud_and_of_rules_alone():
    """An ordinary alarm with a field named `battery` says nothing of its device."""
    data = {"battery": 50}
    assert sign_of(alert(data=data)).vitals is None
    marked = sign_of(alert(data=data), vitals=True)
    assert (marked.vitals, marked.whole) == (Vitals(battery=50), {"event": "alarm/motion", "data": data})


moments = st.integers(0, 40).map(lambda number: number * 20 * SECOND)
"""Of which some are the same."""
signs = st.builds(
    lambda published, late, presence, battery, reset: sign(
        published,
        timedelta(minutes=14) + late,
        event=f"e{late.seconds}",
        presence=presence,
        vitals=Vitals(battery=battery, reset="watchdog" if reset else None) if battery else None,
    ),
    moments,
    st.integers(0, 59).map(lambda number: number * SECOND),
    st.sampled_from(Presence),
    st.none() | st.integers(1, 100),
    st.booleans(),
)
"""Signs that are received within a minute, and were published at any time before."""
ORDERLESS = (
    *("first_seen_at", "last_seen_at", "last_published_at", "last_event", "events", "offline_at"),
    *("outages", "resets", "state", "battery_at"),
)


@for_any
@given(st.lists(signs, min_size=1, max_size=8).flatmap(lambda some: st.tuples(st.just(some), st.permutations(some))))
def test_the_order_in_which_events_come_makes_no_difference(orders):
    """They count in the order in which they were published."""
    one, other = (folded(*order) for order in orders)
    assert [getattr(one, name) for name in ORDERLESS] == [getattr(other, name) for name in ORDERLESS]


@for_any
@given(st.lists(signs, min_size=1, max_size=8))
def test_the_last_sign_of_life_is_the_latest_that_was_published(some):
    """By a model that looks at all of them at once; and it is offline if the cloud said so after that."""
    device = folded(*some)
    alive = [each.published_at for each in some if each.presence is not Presence.OFFLINE]
    away = [each.published_at for each in some if each.presence is Presence.OFFLINE]
    last = max(alive, default=None)
    assert device.last_published_at == last
    assert device.offline_at == min((at for at in away if last is None or at > last), default=None)


@pytest.mark.parametrize(
    ("later", "seen"),
    [
        (sign(HOUR, HOUR), HOUR),
        (sign(-MINUTE, HOUR), timedelta(0)),
        (sign(timedelta(0), HOUR), timedelta(0)),
        (offline(HOUR), timedelta(0)),
        (sign(HOUR, event="spark/status", presence=Presence.ONLINE), HOUR),
    ],
    ids=["later", "older", "repeat", "offline", "online"],
)
def test_only_what_was_published_after_the_last_is_a_sign_of_life(later, seen):
    """Not a repeat, nor what is older, nor that it is offline."""
    device = folded(sign(), later)
    assert device.last_seen_at == START + seen
    assert (device.events, device.first_seen_at) == (2, START)


def test_a_queue_of_hours_that_is_flushed_at_once_is_one_sign_of_life():
    """In whatever order it comes: the device lives now, and its last event is the newest one."""
    queue = [sign(number * HOUR, 5 * HOUR + number * SECOND, event=f"e{number}") for number in range(4)]
    for order in permutations(queue):
        device = folded(*order)
        assert (device.last_seen_at, device.last_event) == (queue[-1].at, "e3")


def test_a_clock_of_the_gate_that_was_set_back_makes_no_device_silent():
    """What was seen in the future isn't believed, so the next event is a sign of life."""
    device = folded(sign(timedelta(days=400)), sign())
    assert device.last_seen_at == START


def test_after_a_clock_of_the_gate_that_was_set_back_all_is_news_again():
    """Its battery, that it is reset and that it goes away: what was noted in the future hides none of it."""

    def all_of_it(at: timedelta, battery: float) -> list[Sign]:
        reset = sign(at, event="spark/device/last_reset", vitals=Vitals(reset="watchdog"))
        return [sign(at, vitals=Vitals(battery=battery), whole={"battery": battery}), reset, offline(at + MINUTE)]

    ahead = folded(*all_of_it(timedelta(days=400), 80))
    device = folded(*all_of_it(timedelta(0), 5), *all_of_it(HOUR, 4), device=ahead)
    assert (device.battery, device.battery_at, device.vitals) == (4, START + HOUR, {"battery": 4})
    assert device.resets == tuple(at.isoformat() for at in (START, START + HOUR))
    assert device.outages == tuple((at + MINUTE).isoformat() for at in (START, START + HOUR))
    assert device.offline_at == START + HOUR + MINUTE
    assert folded(sign(), device=ahead).offline_at is None


def test_offline_begins_at_its_own_time_and_ends_with_the_next_sign():
    """Also if it comes just before `online`, or after it."""
    away = folded(sign(), offline(MINUTE, HOUR))
    assert (away.offline_at, away.last_seen_at, away.outages) == (
        START + MINUTE,
        START,
        ((START + MINUTE).isoformat(),),
    )
    back = sign(HOUR, HOUR, event="spark/status", presence=Presence.ONLINE)
    assert folded(back, device=away).offline_at is None
    assert folded(sign(), back, offline(MINUTE, HOUR)).offline_at is None
    assert folded(sign(), offline(HOUR), back).offline_at is None, "in the same millisecond"


def test_a_device_that_is_away_for_days_is_away_since_it_went():
    """However often the cloud says it again."""
    device = folded(sign(), *(offline(number * timedelta(hours=20)) for number in range(1, 5)))
    assert device.offline_at == START + timedelta(hours=20)
    assert len(device.outages) == 2, "of a day"


def test_a_late_offline_is_the_outage_that_the_watch_saw_before():
    """On cellular it comes 46 minutes late: what was silent by then went away once."""
    heard = folded(sign(), sign(MINUTE))
    silent = replace(heard, state=DeviceState.SILENT, outages=(heard.last_published_at.isoformat(),))
    away = folded(sign(SECOND, HOUR), offline(HOUR), device=silent)
    assert (away.outages, away.offline_at) == (((START + HOUR).isoformat(),), START + HOUR)
    assert folded(sign(SECOND, HOUR), device=silent).offline_at is None, "the cloud said nothing of it"


def test_outages_and_resets_are_bounded():
    """A device that flaps for ever takes no more room than one that did so for a day."""
    device = Device(DOOR)
    bad = Vitals(reset="watchdog")
    for number in range(0, 1500, 7):
        device = replace(device, outages=tuple((START + n * SECOND).isoformat() for n in range(number)))
        device = fold(device, offline(number * SECOND))
        device = fold(device, sign(number * SECOND, vitals=bad, event="spark/device/last_reset"))
    assert (len(device.outages), len(device.resets)) == (MOST_OUTAGES, MOST_RESETS)
    assert device.outages[-1] == device.resets[-1] == (START + 1498 * SECOND).isoformat()
    assert folded(offline(timedelta(days=2)), device=device).outages == ((START + timedelta(days=2)).isoformat(),)


def test_the_newest_reading_counts_and_unknown_ones_change_nothing():
    """What a device couldn't measure leaves what it said before, with the time at which it said it."""
    first = sign(received=HOUR, vitals=Vitals(battery=80, strength=50), whole={"n": 1})
    second = sign(HOUR, vitals=Vitals(strength=60), whole={"n": 2})
    for order in permutations([first, second]):
        device = folded(*order)
        assert (device.battery, device.battery_at, device.strength) == (80, START, 60)
        assert (device.vitals, device.vitals_at) == ({"n": 2}, START + HOUR)


def test_a_sign_of_vitals_makes_a_row_of_its_hour():
    """By the time at which it was published; one without a reading makes none."""
    half_past = datetime(2026, 11, 25, 3, 30, tzinfo=START.tzinfo)
    said = Sign(DOOR, half_past, half_past, "loc", vitals=Vitals(battery=80, uptime=5))
    row = hour_of(said)
    assert (row.id, row.at, row.battery, row.uptime) == (f"{DOOR}@2026-11-25T03", half_past, 80, 5)
    assert hour_of(replace(said, vitals=Vitals(reset="user"))) is None
    assert hour_of(sign()) is None


@pytest.mark.parametrize(
    ("before", "later", "due"),
    [
        (Device(DOOR), sign(HOUR), HOUR),
        (folded(sign()), sign(HOUR), None),
        (folded(sign()), offline(HOUR), HOUR),
        (folded(sign(), offline(MINUTE)), sign(HOUR), HOUR),
        (folded(sign()), sign(HOUR, vitals=Vitals(battery=8)), HOUR),
        (folded(sign(vitals=Vitals(battery=8))), sign(HOUR, vitals=Vitals(battery=8)), None),
        (folded(sign()), sign(HOUR, vitals=Vitals(reset="watchdog")), HOUR),
        (replace(folded(sign()), state=DeviceState.SILENT), sign(HOUR), HOUR),
        (replace(folded(sign()), state=DeviceState.LATE), sign(HOUR), HOUR),
        (replace(folded(sign()), state=DeviceState.SILENT), sign(-HOUR, HOUR), None),
        (Device(DOOR, watched_since=START), sign(HOUR), HOUR),
    ],
)
def test_the_watch_decides_at_once_where_something_is_to_be_decided(before, later, due):
    """Of a device that is new, back or away, or says something of its battery or resets; not of one that just lives."""
    after = fold(replace(before, due_at=None), later)
    assert after.due_at == (None if due is None else START + due)
    assert fold(replace(before, due_at=START - HOUR), later).due_at == START - HOUR, "never later"


def test_a_device_is_fine_from_its_first_sign_of_life_on():
    """And unknown before it: that it is offline is none. A silent one is the watch's to judge."""
    assert folded(offline(MINUTE)).state is DeviceState.UNKNOWN
    device = folded(offline(MINUTE), sign(HOUR))
    assert (device.state, device.state_at) == (DeviceState.FINE, START + HOUR)
    assert folded(sign(HOUR), device=replace(device, state=DeviceState.SILENT)).state is DeviceState.SILENT
