"""Devices in the console: who is listed first, what is said of each, and naming one; on both databases."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from alertgate.device import Device, DeviceState, VitalsHour
from alertgate.store.device_tables import vitals
from alertgate.store.engine import Store
from alertgate.store.rows import insert_rows
from alertgate.web.console.device_rows import device_path
from tests.conftest import Running
from tests.console import BESIDE, queries, seen, sent, signed_in
from tests.fakes import START
from tests.web.test_devices import DOOR, HOUR, KNOWN, LEAK, TRACKER, knowing, store_devices

CALLED = ("Front door", "Leak cellar", "Shed", TRACKER)
BIDI = "evil\u202ebidi\u0007"
STRANGE = ["a/b", "//", "line\nbreak", "100%?#&", "\u202eevil", "..", ".", "a b", "ü/../x", "\ud800"]


@pytest.fixture
async def gate(make_settings, database, tmp_path) -> AsyncIterator[Running]:
    """A service on each database that knows four devices."""
    async with knowing(make_settings, database, tmp_path) as running:
        yield running


@pytest.fixture
async def client(gate: Running) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who has signed in with API_TOKEN."""
    async with signed_in(gate) as client:
        yield client


def store_hours(store: Store, device: str, *values: float | None) -> None:
    """Store what a device said of its battery in the last hours, the latest first."""
    hours = [
        VitalsHour(f"{device}@{number}", device, START - number * HOUR, battery=value, strength=value)
        for number, value in enumerate(values)
    ]
    with store.transaction() as connection:
        insert_rows(connection, vitals, hours)


async def names(client: httpx.AsyncClient, path: str) -> list[str]:
    """Return which devices a page lists, in its order."""
    page = await seen(client, path)
    listed = {device_path(each.id): name for each, name in zip(KNOWN, CALLED, strict=True)}
    return [listed[to] for to in page.links.values() if to in listed]


async def test_the_silent_ones_come_first(client):
    """A person at night looks for what is wrong, and reads what was expected of it."""
    page = await seen(client, "/devices")
    assert await names(client, "/devices") == ["Front door", "Shed", "Leak cellar", TRACKER]
    assert "Heard 3 h ago, expected every 1 h" in page.text
    assert "Never heard, expected every 12 h" in page.text
    assert [said for said in page.links if said[0].isdigit()][:4] == ["1 silent", "0 late", "1 unknown", "2 fine"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=fine", ["Leak cellar", TRACKER]),
        ("state=late", []),
        ("state=offline", []),
        ("low=yes", ["Leak cellar"]),
        ("low=yes&state=silent", []),
        ("text=CELL", ["Leak cellar"]),
        ("text=" + DOOR.upper(), ["Front door"]),
        ("text=*", []),
        ("state=&text=&low=", ["Front door", "Shed", "Leak cellar", TRACKER]),
    ],
)
async def test_devices_are_found_by_state_name_and_battery(client, query, expected):
    """A filter that nobody chose leaves all; a star is a star."""
    assert await names(client, f"/devices?{query}") == expected


async def test_a_state_that_there_is_not_is_said_to_be_wrong(client):
    """The page says which states there are, instead of showing none."""
    assert "Choose one of" in (await seen(client, "/devices?state=dead", 422)).text
    await seen(client, "/devices?after=rubbish", 422)


async def test_every_device_is_on_one_page(gate, client):
    """Pages follow each other over states, without a gap and without one twice; each asks as much as any other."""
    few = len(await queries(client, "/devices"))
    states = [DeviceState.SILENT, DeviceState.LATE, DeviceState.UNKNOWN, DeviceState.FINE]
    more = [Device(f"{number:024x}", START, START, state=states[number % 4]) for number in range(70)]
    store_devices(gate.gate.store, *more)
    listed: list[str] = []
    path: str | None = "/devices"
    while path:
        page = await seen(client, path)
        known = {device_path(each.id): each for each in (*more, *KNOWN)}
        listed += [known[to].id for to in page.links.values() if to in known]
        path = page.links.get("More devices")
    assert sorted(listed) == sorted(each.id for each in (*more, *KNOWN))
    by_id = {each.id: states.index(each.state) for each in (*more, *KNOWN)}
    assert [by_id[each] for each in listed] == sorted(by_id.values())
    assert len(await queries(client, "/devices")) <= min(few + BESIDE, 20)
    assert len(await queries(client, "/devices?text=0")) <= few


async def test_a_door_is_said_to_be_open_and_then_to_be_closed(gate, client):
    """What its last incident knows, in the device's own words."""
    await gate.particle(event="door/front", coreid=LEAK, data={"state": "open"})
    page = await seen(client, "/devices")
    assert "1 open incident" in page.text
    assert "door/front, open since now" in page.text
    assert "Nobody has it yet." in (await seen(client, device_path(LEAK))).text
    await gate.particle(event="door/front", coreid=LEAK, data={"status": "closed"})
    assert "over now" in (await seen(client, "/devices")).text
    assert "over now" in (await seen(client, device_path(LEAK))).text


async def test_sparklines_say_in_words_what_they_show(gate, client):
    """Who can't see one reads its range."""
    store_hours(gate.gate.store, LEAK, 12, 40, *[None] * 8, 90)
    page = await seen(client, "/devices")
    assert "Battery: 12 %, between 12 % and 90 % in the last 7 days" in page.text
    assert "LOW" in page.text


async def test_a_device_s_page_tells_its_story(gate, client):
    """State, incidents, vitals as plots with their numbers, what is expected, and what could be."""
    store_hours(gate.gate.store, TRACKER, *range(50, 100))
    await gate.particle(event="door/front", coreid=TRACKER, data={"state": "open"})
    page = await seen(client, device_path(TRACKER))
    assert "charge between 50 and 99 %" in page.text
    assert "Nothing: it may be silent for ever" in page.text
    assert "Nothing is suggested: known for less than a fortnight." in page.text
    assert "10 silences between two signs of life" in page.text
    assert "door/front" in page.text
    for number in range(30):
        await gate.particle(event=f"e{number}", coreid=TRACKER, data={"state": "open"})
    assert "And 11 more" in (await seen(client, device_path(TRACKER))).text
    assert "A sign of life every 1 h, silent after 15 min of grace" in (await seen(client, device_path(DOOR))).text


async def test_regular_devices_have_a_suggestion_to_paste(gate, client):
    """The lines of `alertgate devices --suggest`, for this device alone."""
    days = {f"{START - timedelta(days=day):%Y-%m-%d}": {"20": 4} for day in range(14)}
    device = Device("9" * 24, START - timedelta(days=20), START, state=DeviceState.FINE, gaps=days)
    store_devices(gate.gate.store, device)
    page = await seen(client, device_path(device.id))
    assert f'[devices."{device.id}"]' in page.text
    assert "expect_every = " in page.text
    assert "could be watched" not in page.text


@pytest.mark.parametrize("device", STRANGE)
async def test_any_text_is_the_id_of_a_device(gate, client, device):
    """Slashes, line breaks, dots and what deceives: the list's link finds its page, which shows it for what it is."""
    store_devices(gate.gate.store, Device(device, START, START, state=DeviceState.FINE))
    path = device_path(device)
    assert str(httpx.URL(gate.client.base_url).join(path).raw_path, "ascii") == path
    page = await seen(client, path)
    assert "Heard now" in page.text
    assert "\u202e" not in page.text
    assert (await sent(client, path, name="Named")).status_code == 303
    assert "Named" in (await seen(client, path)).text


async def test_text_of_devices_is_never_markup(gate, client):
    """Names, events, words and firmware."""
    device = Device(
        "<b>id</b>", START, START, state=DeviceState.FINE, name="<i>x</i>", firmware="<u>", last_event="<s>"
    )
    store_devices(gate.gate.store, device)
    await gate.gate.device_names.follow(gate.gate.store)
    await gate.particle(event="<em>e</em>", coreid="<b>id</b>", data={"message": "<q>q</q>"})
    for path in ("/devices", device_path(device.id)):
        page = await seen(client, path)
        assert not {"b", "i", "u", "s", "em", "q"} & set(page.tags)
        assert "<i>x</i>" in page.text


async def test_an_unknown_device_has_a_page_that_says_so(client):
    """The address may be old, or the device was never heard."""
    assert "There is no device nobody" in (await seen(client, "/devices/nobody", 404)).text
    assert (await sent(client, "/devices/nobody", name="x")).status_code == 404
    for no_text in ("%ff%fe", "%F0%9F", "a%80"):
        assert "There is no device" in (await seen(client, f"/devices/{no_text}", 404)).text


async def test_a_device_is_named_as_by_the_api(client):
    """Its name is shown at once, and an empty one takes it away."""
    path = device_path(TRACKER)
    answer = await sent(client, path, name="  Car ")
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, path)
    assert "Car" in (await seen(client, "/devices?text=car")).text
    await sent(client, path, name="")
    assert "No device is like that" in (await seen(client, "/devices?text=car")).text


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [("front DOOR", 409, "is called front DOOR already"), ("x" * 65, 422, "Nothing was changed"), (BIDI, 422, "shown")],
)
async def test_a_name_that_can_t_be_used_stays_in_the_form(client, name, status, words):
    """The page says what is wrong, and nothing that was written is lost."""
    answer = await sent(client, device_path(TRACKER), name=name)
    assert answer.status_code == status
    assert words in answer.text
    assert "Nothing was changed" in answer.text
