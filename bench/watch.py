"""What watching 100,000 devices costs: the processor time of a minute in which nobody is silent."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alertgate.accept.device_reports import DeviceReporter
from alertgate.accept.device_turn import Turn
from alertgate.accept.device_watch_job import EVERY, DeviceWatch
from alertgate.accept.record import Recorder
from alertgate.device import Device, DeviceState
from alertgate.ids import Ids
from alertgate.notify.directory import Directory
from alertgate.policy.devices import DeviceRule
from alertgate.policy.policy import Policy
from alertgate.settings_load import load
from alertgate.store import rows
from alertgate.store.device_tables import devices
from alertgate.store.engine import Store
from bench.figure import Figure

TOKEN = "benchmark-token-0123456789"  # noqa: S105  (no door that anybody could come in by is open)
DEVICES = 100_000
MINUTES = 5
START = datetime(2026, 11, 23, 14, 3, tzinfo=UTC)


@dataclass
class MovedClock:
    """A clock that the benchmark moves: minutes needn't be waited for."""

    time: datetime = START

    def now(self) -> datetime:
        """Return the time."""
        return self.time

    def monotonic(self) -> float:
        """Return it in seconds."""
        return self.time.timestamp()


async def watch(directory: Path) -> list[Figure]:
    """Measure the minutes of fleets that speak every day, every hour and every ten minutes."""
    found = []
    for hours in (26, 1, 1 / 6):
        every = timedelta(hours=hours)
        values, compared = await _minutes(directory / f"{hours:g}", every)
        goal = "≤ 0.5" if hours >= 1 else ""
        said = f"{compared:.1f} s to compare all with the policy at the start and every hour"
        name = f"watching {DEVICES:,} devices, each expected every {every}, processor time of a minute"
        found.append(Figure(name, "", goal, values, said, unit="s"))
    return found


async def _minutes(directory: Path, every: timedelta) -> tuple[list[float], float]:
    settings = load(None, particle_webhook_secret=TOKEN, data_dir=directory)
    store = Store(settings)
    store.open(exclusive=True)
    try:
        clock = MovedClock()
        with store.transaction() as connection:
            columns = [name for name in Device.__dataclass_fields__ if name != "id"]
            for portion in _portions(every):
                rows.update_rows(connection, devices, portion, columns)
        watched = _watch(store, clock, every)
        begun = time.process_time()
        await watched.run()
        compared = time.process_time() - begun
        return [await _minute(watched, clock) for _ in range(MINUTES)], compared
    finally:
        store.close()


def _portions(every: timedelta) -> Iterable[list[Device]]:
    """Yield devices that spoke at any time since half of that, and are due at any time within it."""
    for first in range(0, DEVICES, 1000):
        yield [
            Device(
                f"{n:024x}",
                first_seen_at=START - every,
                last_seen_at=START - every / 2 * (n * 7919 % DEVICES) / DEVICES + timedelta(minutes=MINUTES),
                state=DeviceState.FINE,
                watched_since=START - every,
                due_at=START + every * (n * 7919 % DEVICES) / DEVICES,
                vitals={"device": {"power": {"battery": {"charge": 64}}, "network": {"signal": {"strength": 78}}}},
            )
            for n in range(first, first + 1000)
        ]


def _watch(store: Store, clock: MovedClock, every: timedelta) -> DeviceWatch:
    policy = Policy(devices=(DeviceRule("*", expect_every=every, battery=20),))
    directory, ids = Directory(lambda: policy, ()), Ids(None)
    settings = load(None, particle_webhook_secret=TOKEN)
    recorder = Recorder(settings.grouping, directory, ids)
    reporter = DeviceReporter(recorder, directory, ids, settings.severities, lambda _: None)
    return DeviceWatch(
        store, Turn(reporter, "bench", settings.grouping.interval, ids), directory, clock, wake=lambda: None
    )


async def _minute(watched: DeviceWatch, clock: MovedClock) -> float:
    begun = time.process_time()
    for _ in range(round(60 / EVERY)):
        clock.time += timedelta(seconds=EVERY)
        await watched.run()
    await asyncio.sleep(0)
    return time.process_time() - begun
