"""The counts of each hour: right after restarts, on two replicas and with retention; on both databases."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import count as numbers

import pytest
from sqlalchemy import delete, event

from alertgate.ids import new_id
from alertgate.model import Attempt, Kind, NotificationStatus, Severity
from alertgate.prove.hourly import (
    HOUR,
    KEPT,
    SETTLED,
    HourlyCounter,
    bucket,
    hour_id,
    hours,
    quantile,
)
from alertgate.store import alerts, attempts, hourly, incidents, notifications
from alertgate.store.engine import Store
from alertgate.store.tables import alerts as alert_table
from tests.builders import new_alert, new_incident, new_notification
from tests.fakes import START, FakeClock

SECOND = timedelta(seconds=1)
_keys = numbers()


def told(store: Store, at, *delays, released=None, severity=Severity.WARNING):
    """Store an alert and its incident at a time, and a notification that was sent after each of these delays."""
    with store.transaction() as connection:
        incident = new_incident(id=new_id(at), key=f"k{next(_keys)}", opened_at=at, severity=severity)
        incidents.add(connection, [incident])
        alerts.add(connection, [new_alert(id=new_id(at), received_at=at, severity=severity)])
        for delay in delays:
            sent = new_notification(
                incident,
                id=new_id(at),
                address=f"{delay}@example.com",
                kind=Kind.OPENING,
                status=NotificationStatus.SENT,
                created_at=at,
                released_at=released,
                finished_at=at + delay,
            )
            notifications.add(connection, [sent])
            attempted = at + delay
            attempts.add(connection, [Attempt(new_id(attempted), sent.id, attempted, 1.0, "sent", "ok", "250")])


@pytest.fixture
def clock() -> FakeClock:
    """A clock in the middle of an hour."""
    return FakeClock()


@pytest.fixture
def counter(store: Store, clock: FakeClock) -> HourlyCounter:
    """What counts."""
    return HourlyCounter(store, clock)


def counts(store: Store, at=START):
    """Return what is stored of the hour of a time."""
    found = store.read_now(lambda connection: hourly.of_hours(connection, hours(START + HOUR * KEPT, 2 * KEPT)))
    return found[hour_id(at)].counts if hour_id(at) in found else None


async def test_an_hour_s_alerts_deliveries_and_delays_are_counted(store, counter):
    """By severity, by channel and outcome, and for each incident how soon the first notification was sent."""
    told(store, START - SECOND * 60, SECOND * 2, SECOND * 30)
    told(store, START - SECOND * 60, SECOND * 8, severity=Severity.CRITICAL)
    await counter.run()
    found = counts(store)
    assert found["alerts"] == {"warning": 1, "critical": 1}
    assert found["deliveries"] == {"email": {"sent": 3}}
    assert found["delays"] == {str(bucket(SECOND * 2)): 1, str(bucket(SECOND * 8)): 1}
    assert counter.ran_at == START


async def test_what_is_waited_for_on_purpose_is_no_delay(store, counter):
    """Quiet hours end, and the message goes within seconds."""
    told(store, START - HOUR * 3, HOUR * 3 - SECOND, released=START - SECOND * 3)
    await counter.run()
    assert counts(store)["delays"] == {str(bucket(SECOND * 2)): 1}


async def test_an_incident_counts_in_the_hour_of_its_first_notification_alone(store, counter, clock):
    """Whoever is told in the next hour doesn't hear of something new."""
    told(store, START, SECOND, HOUR)
    clock.move(seconds=2 * 3600)
    await counter.run()
    assert counts(store, START)["delays"] == {str(bucket(SECOND)): 1}
    assert counts(store, START + HOUR)["delays"] == {}


class SlowClock(FakeClock):
    """A clock on which every look takes some time, as on a busy machine."""

    def monotonic(self) -> float:
        self.move(seconds=1.5)
        return super().monotonic()


async def test_a_month_is_counted_in_many_short_runs(store):
    """A service that stops waits for a run, so none takes long; until all are counted, none says that it is."""
    clock = SlowClock()
    told(store, START - HOUR * 200)
    counter, stored = HourlyCounter(store, clock), [0]
    while counter.ran_at is None:
        await counter.run()
        stored.append(len(store.read_now(lambda connection: hourly.of_hours(connection, hours(clock.now(), KEPT)))))
        assert 0 < stored[-1] - stored[-2] <= 2 * 24
    assert stored[-1] == 201
    assert counts(store, START - HOUR * 200)["alerts"] == {"warning": 1}


async def test_a_restart_counts_what_was_missed(store, counter, clock):
    """An hour that was cut by a stop, and the hours in which nothing ran."""
    told(store, START)
    await counter.run()
    told(store, START + SECOND)
    told(store, START + HOUR * 2)
    clock.move(seconds=5 * 3600)
    await HourlyCounter(store, clock).run()
    assert [counts(store, START + HOUR * n)["alerts"] for n in range(3)] == [{"warning": 2}, {}, {"warning": 1}]


async def test_what_retention_deletes_stays_counted(store, counter, clock):
    """An hour that is settled is never counted again."""
    told(store, START)
    clock.move(seconds=(HOUR + SETTLED).total_seconds())
    await counter.run()
    with store.transaction() as connection:
        connection.execute(delete(alert_table))
    clock.move(seconds=3600)
    await counter.run()
    assert counts(store)["alerts"] == {"warning": 1}


async def test_hours_are_forgotten_after_a_month(store, counter, clock):
    """The table doesn't grow."""
    told(store, START)
    await counter.run()
    clock.move(seconds=KEPT * 3600)
    await counter.run()
    assert counts(store) is None


async def test_an_hour_that_a_clock_was_ahead_of_is_counted_when_it_comes(store, counter, clock):
    """A clock that was a day ahead has counted tomorrow's hours as over, with nothing in them."""
    told(store, START)
    clock.move(days=1, hours=3)
    await counter.run()
    clock.set_back(days=1, hours=3)
    clock.move(days=1)
    told(store, clock.now())
    await counter.run()
    assert counts(store, clock.now())["alerts"] == {"warning": 1}


async def test_replicas_agree(store, counter, clock):
    """Both count the same hours, and each hour has one row."""
    told(store, START, SECOND)
    await counter.run()
    before = counts(store)
    await HourlyCounter(store, clock).run()
    assert counts(store) == before


@pytest.fixture
def writes(store: Store) -> Iterator[list[str]]:
    """The statements that write, from now on."""
    seen: list[str] = []
    engine = store._write_engine

    def note(*arguments) -> None:
        seen.append(arguments[2])

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


async def test_while_nothing_comes_nothing_is_written(store, counter, clock, writes):
    """An idle service on an SD card writes twice an hour: its first count and its last."""
    told(store, START)
    await counter.run()
    before = len(writes)
    for _ in range(5):
        clock.move(seconds=60)
        await counter.run()
    assert len(writes) == before
    clock.move(seconds=3600 + SETTLED.total_seconds())
    await counter.run()
    assert len(writes) > before


@pytest.mark.parametrize("seconds", [0, 0.05, 0.1, 1, 59, 3600, 86400 * 30])
def test_a_delay_is_a_fifth_too_long_at_most(seconds):
    """And never too short."""
    found = quantile({bucket(timedelta(seconds=seconds)): 1}, 0.5)
    assert max(seconds, 0.1) <= found * 1.000001
    assert found <= max(seconds, 0.1) * 1.2000001


def test_quantiles_are_those_of_the_nearest_rank():
    """Of twenty delays, 95 % are the first nineteen."""
    buckets = {0: 10, 5: 9, 30: 1}
    assert quantile(buckets, 0.5) == pytest.approx(0.1)
    assert quantile(buckets, 0.95) == pytest.approx(0.1 * 1.2**5)
    assert quantile(buckets, 1) == pytest.approx(0.1 * 1.2**30)
    assert quantile({}, 0.5) is None
