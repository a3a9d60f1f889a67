"""Two replicas on one PostgreSQL: one watches the devices, the other takes over, and each silence is told once."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from alertgate.clock import SystemClock
from alertgate.device import Device, DeviceState
from alertgate.settings_load import load
from alertgate.store import device_watch, rows
from alertgate.store.device_tables import devices
from alertgate.store.engine import Store
from tests.conftest import API_BEARER, BEARER, PARTICLE, serving
from tests.fakes import FakeClock, mail_sink, until
from tests.flow.process import Process, process
from tests.flow.test_nothing_is_lost import mail_settings

pytestmark = pytest.mark.postgres

DOOR, CELLAR, SHED = (f"3f002b00000000000000000{number}" for number in (1, 2, 3))
HOUR = timedelta(hours=1)


def policy_file(directory: Path, text: str) -> Path:
    """Return a policy."""
    path = directory / "alertgate.toml"
    path.write_text(text)
    return path


def store_device(store: Store, device: str, heard_at: datetime) -> None:
    """Store a device that was heard then, and that the watch has to look at."""
    found = Device(device, heard_at, heard_at, heard_at, "beat", state=DeviceState.FINE, watched_since=heard_at - HOUR)
    with store.transaction() as connection:
        rows.update_rows(connection, devices, [replace(found, due_at=heard_at + HOUR)], ["last_seen_at", "due_at"])


def reported(running: Process) -> list[str]:
    """Return the lines in which a replica says what its watch told."""
    return [line for line in running.lines if "watch.reported" in line]


async def test_a_killed_replica_is_followed_by_the_other_and_nothing_is_told_twice(tmp_path, postgres_database):
    """What the first told isn't told again; what falls silent afterwards is told, and what is heard again ends."""
    beats = '[[events]]\nevent = "beat"\nignore = true\n'
    policy = policy_file(tmp_path, f'[devices."*"]\nexpect_every = "1h"\ngrace = "1m"\n{beats}')
    store = Store(load(None, particle_webhook_secret=PARTICLE, data_dir=tmp_path, database_url=postgres_database))
    store.open(exclusive=False)
    async with mail_sink() as sink:
        settings = {"database_url": postgres_database, "policy_file": policy, **mail_settings(sink.port)}
        async with process(tmp_path, **settings) as one, process(tmp_path, **settings) as two:
            store_device(store, DOOR, SystemClock().now() - 2 * HOUR)
            await sink.received(1)

            async def told_by() -> list[Process]:
                return [each for each in (one, two) if reported(each)]

            [watching] = await until(told_by)
            other = two if watching is one else one
            await watching.kill()
            with store.transaction() as connection:  # half a minute passes
                found = device_watch.watching(connection)
                assert found.lease_until
                moved = replace(found, lease_until=found.lease_until - timedelta(seconds=40))
                device_watch.save_watching(connection, moved)
            store_device(store, CELLAR, SystemClock().now() - 2 * HOUR)
            await sink.received(2)
            event = {"event": "beat", "coreid": DOOR}
            assert (await other.client.post("/webhook/particle", json=event, headers=BEARER)).status_code == 202

            async def open_silences() -> list[str] | None:
                answer = await other.client.get("/api/incidents", params={"event": "device/silent"}, headers=API_BEARER)
                found = [each["device"] for each in answer.json()["items"] if each["status"] != "resolved"]
                return found if DOOR not in found else None

            assert await until(open_silences) == [CELLAR]
            assert not any("watch.missed" in line for line in other.lines), "the other one accepted all the while"
            mails = await sink.received(3)
            incidents = (await other.client.get("/api/incidents", headers=API_BEARER)).json()["items"]
    store.close()
    assert len(mails) == 3, "two silences, and that one is over"
    silences = [each["device"] for each in incidents if each["event"] == "device/silent"]
    assert sorted(silences) == [DOOR, CELLAR]


async def test_a_process_that_ends_leaves_the_watch_to_the_next(make_settings, postgres_database):
    """Which begins at once, and has missed nothing."""
    settings, clock = make_settings(database_url=postgres_database), FakeClock()
    async with serving(settings, clock=clock) as one:
        await one.gate.device_watch.run()
        before = one.gate.store.read_now(device_watch.watching)
    clock.move(seconds=2)
    async with serving(settings, clock=clock, template=False) as again:
        await again.gate.device_watch.run()
        after = again.gate.store.read_now(device_watch.watching)
        assert again.gate.store.read_now(device_watch.known_downtimes) == []
    assert (before.owner != after.owner, after.ran_at) == (True, clock.now())


async def test_a_name_given_by_one_replica_counts_for_the_one_that_watches(make_settings, tmp_path, postgres_database):
    """It looks at the device at once, and once only: long before it reads again which names were given."""
    policy = policy_file(tmp_path, '[devices."freezer*"]\nexpect_every = "1h"\n')
    settings = make_settings(database_url=postgres_database, policy_file=policy)
    clock = FakeClock()
    async with serving(settings, clock=clock) as one, serving(settings, clock=clock) as two:
        await one.particle(event="beat", coreid=SHED)
        await one.gate.device_watch.run()

        async def renamed(name: str | None) -> Device:
            body = {"name": name, "by": "Anna"}
            answer = await two.client.patch(f"/api/devices/{SHED}", json=body, headers=API_BEARER)
            assert answer.status_code == 200
            await one.gate.device_watch.run()
            [found] = await one.gate.store.read(lambda connection: device_watch.by_id(connection, [SHED]))
            return found

        assert (await renamed("Shed")).watched_since is None
        await one.gate.device_names.follow(one.gate.store)
        assert (await renamed("Freezer 3")).watched_since == clock.now()
        await one.gate.device_names.follow(one.gate.store)
        assert (await renamed(None)).watched_since is None
