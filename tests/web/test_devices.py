"""Devices by the API: who is listed, what is known of each, and what people call them; on both databases."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from alertgate.device import Device, DeviceState, Downtime, VitalsHour
from alertgate.store.device_tables import devices, downtimes, vitals
from alertgate.store.engine import Store
from alertgate.store.rows import insert_rows
from tests.conftest import API_BEARER, Running, serving
from tests.fakes import START, FakeClock
from tests.scrape import Scrape, scrape

DOOR, LEAK, SHED, TRACKER = (f"3f002b00000000000000000{number}" for number in range(4))
HOUR = timedelta(hours=1)
POLICY = f"""
[devices."{DOOR}"]
name = "Front door"
expect_every = "1h"
[devices."leak *"]
expect_every = "1d"
grace = "6h"
[devices."{SHED}"]
expect_every = "12h"
"""
SINCE = {"first_seen_at": START - 9 * HOUR, "watched_since": START - 9 * HOUR}
KNOWN = [  # as the watch leaves them, which runs in a service
    Device(
        DOOR,
        **SINCE,
        last_seen_at=START - 3 * HOUR,
        silent_since=START - 3 * HOUR,
        told_at=START - HOUR,
        events=3,
        state=DeviceState.SILENT,
        battery=81.5,
        product="12",
    ),
    Device(LEAK, START - 9 * HOUR, START - 2 * HOUR, name="Leak cellar", state=DeviceState.FINE, battery=12.0),
    Device(SHED, watched_since=START - 5 * HOUR, state=DeviceState.UNKNOWN),
    Device(
        TRACKER,
        START - HOUR,
        START,
        state=DeviceState.FINE,
        vitals={"batt": 50},
        battery=50.0,
        gaps={f"{START:%Y-%m-%d}": {"0": 8, "4": 2}},
    ),
]


def store_devices(store: Store, *known: Device) -> None:
    """Store devices as if they had been heard."""
    with store.transaction() as connection:
        insert_rows(connection, devices, known)


@asynccontextmanager
async def knowing(make_settings, database, tmp_path) -> AsyncIterator[Running]:
    """Run a service that knows four devices, with a clock that stands still."""
    file = tmp_path / "policy.toml"
    file.write_text(POLICY)
    settings = make_settings(policy_file=file, devices=f"{SHED}=Shed", secret_key="k" * 40, **database)
    async with serving(settings, clock=FakeClock()) as running:
        store_devices(running.gate.store, *KNOWN)
        await running.gate.device_names.follow(running.gate.store)
        yield running


@pytest.fixture
async def gate(make_settings, database, tmp_path) -> AsyncIterator[Running]:
    """A service on each database that knows four devices."""
    async with knowing(make_settings, database, tmp_path) as running:
        yield running


async def get(gate: Running, path: str = "", **query: Any) -> Any:
    """Ask about devices; return the answer."""
    return await gate.client.get(f"/api/devices{path}", params=query, headers=API_BEARER)


async def ids(gate: Running, **query: Any) -> list[str]:
    """Return the ids of the devices that are listed."""
    answer = await get(gate, **query)
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["items"]]


async def name(gate: Running, device: str, **body: Any) -> Any:
    """Name a device; return the answer."""
    return await gate.client.patch(f"/api/devices/{device}", json=body, headers=API_BEARER)


async def test_a_device_says_what_is_known_and_expected_of_it(gate):
    """Its name by the policy, the settings or the API; what isn't known is null."""
    door, leak, shed, tracker = (await get(gate)).json()["items"]
    said = {"name": "Front door", "given_name": None, "state": "silent", "expect_every": 3600, "grace": 900}
    seen = {"last_seen_at": (START - 3 * HOUR).isoformat(), "silent_for": 10800, "battery": 81.5, "events": 3}
    stands = {"silent_since": (START - 3 * HOUR).isoformat(), "flapping": False, "resetting": False}
    assert {**door, **said, **seen, **stands} == door
    cellar = {"name": "Leak cellar", "given_name": "Leak cellar", "expect_every": 86400, "grace": 21600}
    assert {**leak, **cellar} == leak
    unheard = {"name": "Shed", "state": "unknown", "silent_for": None, "expect_every": 43200, "grace": 10800}
    assert {**shed, **unheard} == shed
    assert (tracker["name"], tracker["silent_for"], "vitals" in tracker) == (None, 0, False)
    assert (tracker["silent_since"], tracker["flapping"]) == (None, False)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [DOOR, LEAK, SHED, TRACKER]),
        ({"state": "fine"}, [LEAK, TRACKER]),
        ({"device": "FRONT*"}, [DOOR]),
        ({"device": "leak cellar"}, [LEAK]),
        ({"device": "shed"}, [SHED]),
        ({"device": f"*{TRACKER[-3:]}"}, [TRACKER]),
        ({"device": "3f00*", "state": "fine", "limit": 1}, [LEAK]),
        ({"device": "nothing"}, []),
        ({"silent_for": "2h"}, [DOOR, LEAK, SHED]),
        ({"silent_for": "4h"}, [SHED]),
        ({"battery_below": 50}, [LEAK]),
        ({"product": "12"}, [DOOR]),
    ],
)
async def test_devices_are_found_by_what_they_are(gate, query, found):
    """One that was never heard is silent since it is watched; an unknown battery isn't low."""
    assert await ids(gate, **query) == found


@pytest.mark.parametrize("query", [{}, {"device": "*"}])
async def test_pages_follow_each_other(gate, query):
    """In the order of ids; a cursor is good for this list alone."""
    first = (await get(gate, limit=3, **query)).json()
    rest = (await get(gate, limit=3, cursor=first["next"], **query)).json()
    assert [each["id"] for each in first["items"] + rest["items"]] == [DOOR, LEAK, SHED, TRACKER]
    assert rest["next"] is None
    for cursor in (first["next"][:-2] + "xx", "", "é", "AAAA"):
        assert (await get(gate, cursor=cursor)).status_code == 422


@pytest.mark.parametrize(
    "query", [{"state": "asleep"}, {"silent_for": "long"}, {"battery_below": "101"}, {"name": "Shed"}, {"device": ""}]
)
async def test_a_filter_that_is_none_is_refused(gate, query):
    """A misspelt one would list more than was meant."""
    assert (await get(gate, **query)).status_code == 422


async def test_one_device_has_its_vitals_hours_and_incidents(gate):
    """Hours and incidents are those of this device, newest first; no more hours than were asked for."""
    hours = [
        VitalsHour(f"{device}@{age}", device, START - age * HOUR, battery=50.0 - age)
        for device in (TRACKER, LEAK)
        for age in (1, 2, 200)
    ]
    with gate.gate.store.transaction() as connection:
        insert_rows(connection, vitals, hours)
    for event, device in (("one", TRACKER), ("other", LEAK), ("two", TRACKER)):
        await gate.particle(event=event, coreid=device)
    shown = (await get(gate, f"/{TRACKER.upper()}")).json()
    assert (shown["device"]["id"], shown["vitals"]) == (TRACKER, {"batt": 50})
    assert shown["pace"] == {"silences": 10, "half": 60, "most": 125, "longest": 125}
    assert [each["battery"] for each in shown["hours"]] == [49, 48]
    assert [each["event"] for each in shown["incidents"]] == ["two", "one"]
    assert len((await get(gate, f"/{TRACKER}", hours=1)).json()["hours"]) == 1
    assert len((await get(gate, f"/{TRACKER}", hours=2400)).json()["hours"]) == 3
    assert (await get(gate, f"/{TRACKER}", hours=2401)).status_code == 422
    assert (await get(gate, "/nowhere")).status_code == 404


async def test_a_device_is_named_and_loses_its_name(gate):
    """The name counts at once, in messages and globs too; who gave it is in the log."""
    with capture_logs() as logs:
        answer = await name(gate, TRACKER.upper(), name=" Van ", by="Anna")
    assert (answer.status_code, answer.json()["name"], answer.json()["given_name"]) == (200, "Van", "Van")
    [line] = [each for each in logs if each["event"] == "device.named"]
    assert (line["device"], line["by"], line["credential"]) == (TRACKER, "Anna", "api_token")
    assert gate.gate.device_names(TRACKER) == "Van"
    assert answer.json()["due_at"] == START.isoformat()  # the watch looks at what is expected of it by this name
    assert await ids(gate, device="van") == [TRACKER]
    assert (await name(gate, TRACKER, name=None)).json()["name"] is None
    assert gate.gate.device_names(TRACKER) is None


async def test_a_name_of_the_policy_comes_first(gate):
    """A name that was given is kept, and shown as such."""
    answer = (await name(gate, DOOR, name="Back door")).json()
    assert (answer["name"], answer["given_name"]) == ("Front door", "Back door")


async def test_two_devices_do_not_share_a_name(gate):
    """In no case of letters, and wherever the other's name is from; a device may keep its own."""
    for taken in ("front DOOR", "shed", "Leak cellar"):
        answer = await name(gate, TRACKER, name=taken)
        assert (answer.status_code, "already" in answer.json()["detail"]) == (409, True)
    assert (await name(gate, LEAK, name="LEAK CELLAR")).status_code == 200
    assert gate.gate.device_names(TRACKER) is None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"{}", 422),
        (b'{"name": ""}', 422),
        (b'{"name": "a\\nb"}', 422),
        (b'{"name": 3}', 422),
        (b'{"name": "%s"}' % LEAK.encode(), 422),
        (b'{"name": "%s"}' % (b"x" * 65), 422),
        (b'{"nmae": "x"}', 422),
    ],
)
async def test_what_is_no_name_is_refused(gate, body, status):
    """With what to send."""
    answer = await gate.client.patch(f"/api/devices/{TRACKER}", content=body, headers=API_BEARER)
    assert answer.status_code == status
    assert '{"name": "Front door"}' in answer.json()["detail"]


async def test_a_device_that_was_never_heard_has_no_name_by_the_api(gate):
    """It may be mistyped; alertgate.toml names devices that are still to come."""
    answer = await name(gate, replace(KNOWN[0], id="f" * 24).id, name="Attic")
    assert (answer.status_code, "nothing of it was ever received" in answer.json()["detail"]) == (404, True)


async def test_names_count_for_silences_routes_and_whoever_is_told(gate):
    """As those of DEVICES do."""
    await name(gate, TRACKER, name="Van")
    for device, glob in ((DOOR, "front*"), (TRACKER, "van"), (SHED, "shed")):
        await gate.particle(event="alarm", coreid=device)
        wanted = {"event": "alarm", "device": glob, "for": "1h", "by": "Anna"}
        made = await gate.client.post("/api/silences", json=wanted, headers=API_BEARER)
        assert (made.status_code, made.json()["open_incidents"]) == (201, 1)


async def scraped(gate: Running) -> Scrape:
    """Return the metrics."""
    return scrape((await gate.client.get("/metrics")).text)


async def test_metrics_and_status_say_how_many_stand_how(gate):
    """Each device alone only where METRICS_DEVICES asks for it."""
    found = await scraped(gate)
    numbers = {state: found("alertgate_devices", state=state) for state in DeviceState}
    assert numbers == {"fine": 2, "silent": 1, "unknown": 1, "late": 0}
    assert found.series("alertgate_device_last_seen_seconds") == []
    shown = (await gate.client.get("/status", headers=API_BEARER)).json()
    assert (shown["devices"], shown["downtimes"]) == (numbers, [])
    ends = [START - number * HOUR for number in range(7)]
    with gate.gate.store.transaction() as connection:
        insert_rows(connection, downtimes, [Downtime(f"{end:%H}", end - HOUR / 2, end) for end in ends])
    shown = (await gate.client.get("/status", headers=API_BEARER)).json()["downtimes"]
    assert [each["ended_at"] for each in shown] == [end.isoformat() for end in ends[:5]]


async def test_metrics_say_of_each_device_when_it_was_heard_if_asked(make_settings, database):
    """One that was never heard has no series."""
    settings = make_settings(metrics_devices=True, devices=f"{DOOR}=Front door", **database)
    async with serving(settings, clock=FakeClock()) as service:
        store_devices(service.gate.store, *KNOWN)
        found = await scraped(service)
        assert found("alertgate_device_last_seen_seconds", device=DOOR, name="Front door") == 3 * 3600
        assert found("alertgate_device_last_seen_seconds", device=TRACKER, name="") == 0
        assert len(found.series("alertgate_device_last_seen_seconds")) == 3
