"""Whoever may send alerts can't fill the disk soon: large bodies are shortened, and a disk that fills is defended."""

import asyncio
import itertools
import json
import secrets

import pytest
from sqlalchemy import text

from alertgate.accept.disk_trouble import Space
from alertgate.accept.volume import CONTENT, KEPT
from tests.builders import incompressible
from tests.conftest import API_BEARER, BEARER, Running, serving
from tests.fakes import FakeClock, until
from tests.flow.test_refused import REFUSE, degraded, own_incidents
from tests.scrape import scrape

LARGE, COUNT = 131_000, 240
GB, MB = 10**9, 10**6
PAGES = 12_000
"""Bytes of a shortened alert with its incident and notification, while the indexes grow at random places."""


def _unreadable(number: int) -> bytes:
    """Return a body that breaks off, of a device that nobody has heard of."""
    return b'{"event":"e","coreid":"%024x","data":"' % number + secrets.token_hex(LARGE // 2).encode()


def _readable(number: int) -> bytes:
    return _unreadable(number) + b'"}'


async def _post_all(service: Running, bodies) -> None:
    """Post with ten connections, and find each accepted."""
    waiting = iter(bodies)

    async def post() -> None:
        for body in waiting:
            answer = await service.client.post("/webhook/particle", content=body, headers=BEARER)
            assert answer.status_code == 202, answer.text

    await asyncio.gather(*(post() for _ in range(10)))


async def _stored(service: Running) -> int:
    """Return the bytes of the database with what is in its log, which has a limit of its own."""
    size = text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
    return await service.gate.store.read(lambda connection: connection.execute(size).scalar_one())


async def _alert(service: Running, answer) -> dict:
    found = await service.client.get(f"/api/alerts/{answer.json()['id']}", headers=API_BEARER)
    return found.json()["alert"]


async def _is_shown(service: Running, title: str) -> None:
    async def shown():
        return any(line.startswith(title) for line in await degraded(service))

    await until(shown)


async def test_a_flood_of_large_bodies_takes_little_of_the_disk(make_settings):
    """240 of 131 kB, each of another device: all are kept; small ones, and the other webhook's, whole."""
    async with serving(make_settings(), clock=FakeClock()) as service:
        before = await _stored(service)
        await _post_all(service, (make(number) for number in range(COUNT // 2) for make in (_unreadable, _readable)))
        took = await _stored(service) - before
        assert took < CONTENT + MB + COUNT * PAGES, f"{took:,} of {COUNT * LARGE:,} bytes"
        await _is_shown(service, "alerts shortened (particle webhook)")

        async def reported():  # a little after it is shown
            return [each for each in await own_incidents(service) if each["event"] == "alertgate/shortened"]

        [own] = await until(reported)
        assert (own["severity"], own["device"]) == ("warning", "particle webhook")
        small = await service.particle(data=json.dumps({"cm": 3, "where": "x" * 1000}))
        assert (await _alert(service, small))["data"] == {"cm": 3, "where": "x" * 1000}
        large = await service.generic(details={"log": "x" * (LARGE - 100)})
        assert len((await _alert(service, large))["data"]["log"]) == LARGE - 100


async def test_below_a_floor_of_free_space_large_bodies_are_shortened_and_old_ones_go(make_settings):
    """A quarter of RETENTION_DAYS is kept then, within a minute; /health says that the disk is almost full."""
    free, clock = [2 * GB], FakeClock()
    settings = make_settings(retention_days=40, resolve_after=60)
    async with serving(settings, clock=clock, disk_usage=lambda _: Space(8 * GB, 0, free[0])) as service:
        old = await service.generic(event="old")
        await service.client.post(
            f"/api/incidents/{old.json()['incident']}/resolve", json={"by": "me"}, headers=API_BEARER
        )
        await service.settled()
        path = f"/api/alerts/{old.json()['id']}"
        clock.move(days=11)
        whole = await service.client.post("/webhook/particle", content=_unreadable(1), headers=BEARER)
        assert len((await _alert(service, whole))["raw"]) > LARGE - 10
        assert (await service.client.get(path, headers=API_BEARER)).status_code == 200
        free[0] = 300 * MB
        clock.move(seconds=61)
        await _is_shown(service, "disk almost full")
        clock.move(seconds=61)

        async def gone():
            return (await service.client.get(path, headers=API_BEARER)).status_code == 404

        await until(gone)
        body = _unreadable(2)
        short = await _alert(service, await service.client.post("/webhook/particle", content=body, headers=BEARER))
        assert short["raw"] == body[:KEPT].decode()
        assert "only the beginning was stored: the disk is almost full" in short["reason"]
        assert not [each for each in await own_incidents(service) if each["event"] == "alertgate/shortened"]
        free[0] = 2 * GB
        clock.move(seconds=61)
        await until(lambda: asyncio.sleep(0, not service.gate.watch.is_disk_low))
        whole = await service.client.post("/webhook/particle", content=_unreadable(3), headers=BEARER)
        assert len((await _alert(service, whole))["raw"]) > LARGE - 10


async def test_what_is_stored_within_an_hour_is_bounded_whatever_the_device(make_settings):
    """Then alerts of each new device are refused, which is told, and accepted again when the answer said so."""
    clock = FakeClock()
    async with serving(make_settings(), clock=clock, most_stored=30_000) as service:
        answers = [await service.particle(coreid=f"{number:024x}") for number in range(30)]
        statuses = [answer.status_code for answer in answers]
        assert statuses == sorted(statuses)
        assert (statuses[0], statuses[-1]) == (202, 429)
        refusal = answers[-1]
        assert refusal.json()["detail"].startswith("This webhook has stored 30,000 bytes within an hour")
        await _is_shown(service, "alerts refused (particle webhook)")
        counted = scrape((await service.client.get("/metrics")).text)
        assert counted("alertgate_rate_limited_total", budget="stored") == statuses.count(429)
        assert (await service.generic()).status_code == 202, "the other webhook has its own"
        clock.move(seconds=int(refusal.headers["retry-after"]))
        assert (await service.particle(coreid="f" * 24)).status_code == 202


REPEATED = _unreadable(1)[:-100] + b'","event_id":"e1","published_at":"2026-11-22T12:00:00.000Z"}'


async def test_a_request_again_and_again_uses_up_nothing(make_settings):
    """One large request that is sent 200 times is stored once: the next one is kept whole, and nobody is told."""
    async with serving(make_settings(), clock=FakeClock(), most_stored=5 * LARGE) as service:

        async def replay() -> None:
            for _ in range(50):
                answer = await service.client.post("/webhook/particle", content=REPEATED, headers=BEARER)
                assert answer.status_code in {200, 202}, answer.text

        await replay()
        await asyncio.gather(*(replay() for _ in range(3)))
        real = await service.client.post("/webhook/particle", content=_unreadable(2), headers=BEARER)
        assert len((await _alert(service, real))["raw"]) > LARGE - 10
        assert not await own_incidents(service)


async def test_what_could_not_be_stored_uses_up_nothing(make_settings):
    """The database refuses an alert ten times: once it takes it, there is as much room as before."""
    async with serving(make_settings(), clock=FakeClock(), most_stored=3 * LARGE) as service:
        store = service.gate.store
        await store.write(lambda connection: connection.execute(text(REFUSE[store.dialect])))
        poison = json.dumps({"event": "poison", "data": "x" * (LARGE - 100)}).encode()
        for _ in range(10):
            assert (await service.client.post("/webhook/particle", content=poison, headers=BEARER)).status_code == 503
        whole = await service.client.post("/webhook/particle", content=_unreadable(2), headers=BEARER)
        assert len((await _alert(service, whole))["raw"]) > LARGE - 10


def _wide(number: int) -> dict[str, str]:
    """Return names as long as they may be, of letters of three bytes each; of another device each time."""
    return {"event": incompressible(256, number), "coreid": incompressible(128, -number)}


def _narrow(number: int) -> dict[str, str]:
    return {"event": f"{number:0256x}", "coreid": f"{number * 7:0128x}"}


NAMES = {
    "an all-clear that makes a hint": lambda number: {**_wide(number), "status": "closed"},
    "long names of three-byte letters": _wide,
    "long names": _narrow,
    "long ids": lambda number: {"event": "e", "coreid": f"{number:x}", "event_id": incompressible(2000, number)},
    "nothing long": lambda number: {"event": "e", "coreid": f"{number:024x}"},
}


@pytest.mark.parametrize("recipients", [1, 8])
@pytest.mark.parametrize("name", NAMES)
async def test_the_budget_bounds_what_the_database_takes(make_settings, name, recipients):
    """Whatever has many bytes: names that stand in indexes too, hints, and a notification for each recipient."""
    people = ",".join(f"somebody.{number}@example.com" for number in range(recipients))
    settings = make_settings(recipient_email=people)
    async with serving(settings, clock=FakeClock(), most_stored=MB) as service:
        before = await _stored(service)
        for number in itertools.count(1):
            answer = await service.particle(**NAMES[name](number))
            if answer.status_code == 429:
                break
            assert answer.status_code == 202
        took = await _stored(service) - before
        assert MB / 4 < took < MB, f"{number} alerts took {took:,} bytes"
