"""The register fills itself in the commit of the alerts, on both databases, and costs little."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, event

from alertgate.accept.device_register import APART, DeviceRegister
from alertgate.accept.device_signs import Presence, Sign, sign_of
from alertgate.accept.record import Recorder, Result
from alertgate.accept.rulings import Understood
from alertgate.accept.vitals import Vitals
from alertgate.device import Device, DeviceState
from alertgate.id_kind import IdKind
from alertgate.ids import Ids
from alertgate.model import AlertStatus
from alertgate.notify.directory import Directory
from alertgate.prove.housekeeping import delete_expired
from alertgate.rules import GroupingRules
from alertgate.store import device_lists, devices
from alertgate.store import device_watch as watch_rows
from alertgate.store.engine import Store
from tests.builders import DOOR, alert, new_alert
from tests.fakes import START, FakeClock

RULES = GroupingRules(interval=timedelta(minutes=5), resolve_after=timedelta(minutes=30))
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


def sign(after: timedelta = timedelta(0), device: str = DOOR, **more) -> Sign:
    """Return a sign that was published and received so long after the start."""
    return Sign(device, START + after, START + after, **{"event": "beat", **more})


def record(store: Store, register: DeviceRegister, *signs: Sign) -> None:
    """Record signs in a transaction of their own."""
    with store.transaction() as connection:
        register.record(connection, signs)


def stored(store: Store, device: str = DOOR) -> Device:
    """Return a device as it is stored."""
    found = store.read_now(lambda connection: device_lists.get(connection, device))
    assert found is not None
    return found


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    """Collect the statements that are about devices."""
    found: list[str] = []

    def note(_connection, _cursor, statement, *_) -> None:
        if "devices" in statement or "vitals" in statement:
            found.append(statement.split()[0])

    with store.transaction() as connection:
        engine = connection.engine
    event.listen(engine, "before_cursor_execute", note)
    yield found
    event.remove(engine, "before_cursor_execute", note)


def test_a_batch_of_many_devices_takes_one_select_and_one_write(store: Store):
    """However many they are, known or new."""
    register = DeviceRegister()
    with statements(store) as made:
        record(store, register, *(sign(number * SECOND / 10, f"d{number % 40}") for number in range(400)))
    assert made == ["SELECT", "INSERT"]
    assert stored(store, "d7").last_seen_at == START + timedelta(seconds=36.7)


def test_a_device_in_a_storm_is_written_once_a_minute(store: Store):
    """And what it said in between is written once the minute is over, so that its last sign of life is right."""
    register = DeviceRegister()
    with statements(store) as made:
        for number in range(60):
            record(store, register, sign(number * SECOND))
    assert made == ["SELECT", "INSERT"]
    with statements(store) as made, store.transaction() as connection:
        register.settle_in(connection, START + 59 * SECOND, every=False)
    assert (made, stored(store).events) == ([], 1)
    with store.transaction() as connection:
        register.settle_in(connection, START + APART, every=False)
    device = stored(store)
    assert (device.last_seen_at, device.events) == (START + 59 * SECOND, 60)


def test_what_was_held_is_kept_if_it_cant_be_written(store: Store):
    """The transaction that was to write it fails, for whatever reason: the next one writes it, and counts it once."""
    register = DeviceRegister()
    record(store, register, sign())
    record(store, register, sign(50 * SECOND))
    record(store, register, sign(55 * SECOND, "recent"))

    def fails(connection: Connection) -> None:
        register.record(connection, [sign(57 * SECOND), sign(61 * SECOND, "new"), sign(62 * SECOND, "recent")])
        raise RuntimeError

    for _ in range(2):
        with pytest.raises(RuntimeError), store.transaction() as connection:
            fails(connection)
    with store.transaction() as connection:
        register.settle_in(connection, START + 65 * SECOND, every=False)
    assert (stored(store).last_seen_at, stored(store).events) == (START + 50 * SECOND, 2)
    record(store, register, sign(66 * SECOND, "new"))
    assert stored(store, "new").events == 1, "nobody believes that it was written before"
    assert stored(store, "recent").events == 1


def test_the_next_event_of_any_device_writes_what_was_held_for_a_minute(store: Store):
    """So that nothing has to be looked for while much comes."""
    register = DeviceRegister()
    record(store, register, sign())
    record(store, register, sign(SECOND))
    with statements(store) as made:
        record(store, register, sign(APART, "another"))
    assert made == ["SELECT", "INSERT"]
    assert stored(store).last_seen_at == START + SECOND


@pytest.mark.parametrize(
    "news",
    [
        {"presence": Presence.OFFLINE, "event": "spark/status"},
        {"presence": Presence.ONLINE, "event": "spark/status"},
        {"vitals": Vitals(battery=9), "whole": {"batt": 9}},
    ],
)
def test_what_tells_more_than_that_a_device_lives_is_written_at_once(store: Store, news):
    """With what was held before it."""
    register = DeviceRegister()
    for number, more in enumerate(({}, {}, news)):
        record(store, register, sign(number * SECOND, **more))
    assert stored(store).events == 3


def test_a_device_that_is_away_or_silent_is_back_at_once(store: Store):
    """Although it was written a second before."""
    register = DeviceRegister()
    record(store, register, sign())
    record(store, register, sign(SECOND, presence=Presence.OFFLINE, event="spark/status"))
    assert stored(store).offline_at == START + SECOND
    record(store, register, sign(2 * SECOND))
    assert (stored(store).offline_at, stored(store).last_seen_at) == (None, START + 2 * SECOND)


def test_two_replicas_agree_about_a_device(store: Store):
    """Each hears some of its events; the last that was published counts, whoever writes it last."""
    one, other = DeviceRegister(), DeviceRegister()
    record(store, other, sign(2 * HOUR, event="newest"))
    record(store, one, replace(sign(2 * HOUR + SECOND, event="late"), published_at=START + HOUR))
    record(store, one, sign(HOUR, presence=Presence.OFFLINE, event="spark/status"))
    device = stored(store)
    assert (device.last_event, device.last_seen_at, device.offline_at) == ("newest", START + 2 * HOUR, None)
    assert (device.events, device.first_seen_at) == (3, START + HOUR)


def test_what_the_watch_and_people_store_stays(store: Store):
    """An event changes what events teach, and nothing else."""
    theirs = Device(DOOR, state=DeviceState.SILENT, watched_since=START, name="Front door", battery_low=True)
    with store.transaction() as connection:
        devices.learn(connection, [theirs])
    record(store, DeviceRegister(), sign(HOUR))
    device = stored(store)
    assert (device.state, device.watched_since, device.name, device.battery_low) == (
        DeviceState.SILENT,
        START,
        "Front door",
        True,
    )
    assert device.due_at == START + HOUR


def test_the_latest_vitals_stay_whole_while_a_device_says_other_things(store: Store):
    """Sixteen kilobytes of them, which other events neither read nor write."""
    register, whole = DeviceRegister(), {"event": "loc", "data": {"log": "ü" * 16_384}}
    record(store, register, sign(vitals=Vitals(battery=80), whole=whole))
    record(store, register, sign(HOUR))
    assert (stored(store).vitals, stored(store).battery) == (whole, 80)


def test_an_hour_of_vitals_is_one_row(store: Store):
    """With the last of each reading, in whatever order they come, and however they share a commit."""
    register = DeviceRegister()
    first = sign(5 * SECOND, vitals=Vitals(battery=80, strength=50))
    second = sign(10 * SECOND, vitals=Vitals(battery=79))
    record(store, register, first, second)
    record(store, register, sign(1 * SECOND, vitals=Vitals(battery=99, strength=1)))
    record(store, register, sign(20 * SECOND, vitals=Vitals(uptime=7)))
    record(store, register, sign(HOUR, vitals=Vitals(battery=70)))
    rows = store.read_now(lambda connection: device_lists.hours(connection, DOOR, START, 10))
    assert [(row.at - START, row.battery, row.strength, row.uptime) for row in rows] == [
        (HOUR, 70, None, None),
        (20 * SECOND, 79, 50, 7),
    ]


@pytest.mark.parametrize("name", ["\0", "\ud800", "\x1a0000", "İ" * 128, "'; DROP TABLE devices", "a" * 128, "🚪"])
def test_any_id_has_a_device_of_its_own(store: Store, name):
    """Also one that a database can't hold, and the case of letters makes no other of it."""
    register = DeviceRegister()
    found = sign_of(alert(device=name))
    assert found is not None
    record(store, register, found, sign_of(alert(device=name.upper())) or found, sign())
    assert stored(store, found.device).last_seen_at == START


def test_a_repeat_is_no_sign_of_life(store: Store):
    """Nor is it counted; an ignored event, one of vitals and one that can't be read are signs."""
    recorder = Recorder(RULES, Directory.of([]), Ids(None))

    def received(number: int, **changes) -> Understood:
        at = START + number * HOUR
        known = {"repeat_key": "7", "id_kind": IdKind.EVENT_ID, "content": "wet", "published_at": START}
        made = new_alert(id=Ids(None)(at), received_at=at, device=DOOR, **{**known, **changes})
        return Understood(made, sign=sign_of(made))

    def recorded(understood: Understood) -> Result:
        with store.transaction() as connection:
            [result] = recorder.record(connection, [understood])
        return result.result

    assert recorded(received(0)) is Result.ACCEPTED
    assert recorded(received(1)) is Result.DUPLICATE
    assert (stored(store).last_seen_at, stored(store).events) == (START, 1)
    for number, status in enumerate((AlertStatus.IGNORED, AlertStatus.VITALS, AlertStatus.QUARANTINED), 2):
        changes = {"status": status, "repeat_key": None, "published_at": None, "incident_key": f"k{number}"}
        assert recorded(received(number, **changes)) == status.value
        assert stored(store).last_seen_at == START + number * HOUR


def test_a_batch_that_fails_leaves_no_device_without_its_row(store: Store):
    """What was rolled back is written with the next sign, or at the end of the minute."""
    register = DeviceRegister()
    with store.transaction() as connection:
        register.record(connection, [sign()])
        connection.rollback()
    record(store, register, sign(SECOND))
    with store.transaction() as connection:
        register.settle_in(connection, START + 2 * SECOND, every=True)
    assert stored(store).last_seen_at == START + SECOND


async def test_what_is_held_is_written_when_the_service_stops(store: Store):
    """So that a restart makes no device seem silent for longer."""
    register, clock = DeviceRegister(), FakeClock()
    record(store, register, sign(-2 * SECOND), sign(-SECOND))
    record(store, register, sign())
    await register.settle(store, clock)
    assert stored(store).last_seen_at == START - SECOND
    await register.close(store, clock)
    assert stored(store).last_seen_at == START


def test_gaps_are_counted_from_sign_to_sign(store: Store):
    """By the day on which they ended."""
    register = DeviceRegister()
    for number in (0, 1, 2, 5):
        record(store, register, sign(number * HOUR))
    counts = [count for of_day in stored(store).gaps.values() for count in of_day.values()]
    assert sorted(counts) == [1, 2]


async def test_old_hours_and_devices_that_spoke_once_are_deleted(store: Store):
    """Not one that spoke more often, is watched or has a name: it may be the one that died."""
    register, old = DeviceRegister(), timedelta(days=-91)
    for name in ("once", "twice", "watched", "named"):
        record(store, register, sign(old, name, vitals=Vitals(battery=5)))
    record(store, register, sign(old + SECOND, "twice", vitals=Vitals(battery=5)))
    record(store, register, sign(-HOUR, "young", vitals=Vitals(battery=5)))
    with store.transaction() as connection:
        connection.exec_driver_sql("UPDATE devices SET watched_since = 1 WHERE id = 'watched'")
        connection.exec_driver_sql("UPDATE devices SET name = 'Shed' WHERE id = 'named'")
        watch_rows.add(connection, [Device("mistyped"), Device("awaited", watched_since=START)])
    await delete_expired(store, FakeClock(), 90)
    names = ("mistyped", "awaited", "once", "twice", "watched", "named", "young")
    left = store.read_now(lambda connection: {name for name in names if device_lists.get(connection, name)})
    hours = store.read_now(lambda c: {name: len(device_lists.hours(c, name, START + 2 * old, 9)) for name in names})
    assert left == {"awaited", "twice", "watched", "named", "young"}
    assert {name for name, count in hours.items() if count} == {"young"}
