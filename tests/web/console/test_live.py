"""The stream that tells open pages what changed: a real server, both databases, and other processes."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from alertgate.app import create_app, open_gate
from alertgate.errors import StoreUnavailable
from alertgate.store import sessions
from alertgate.store.engine import Store
from alertgate.topic import Topic
from alertgate.web.console.hub import Hub
from alertgate.web.console.live import events
from alertgate.web.console.lookout import BLIND_AFTER, Lookout
from tests.conftest import API_BEARER, Running, listening, serving
from tests.console import seen, sent, signed_in
from tests.fakes import FakeClock, until
from tests.scrape import scrape
from tests.store.test_changes import silence
from tests.web.console.test_hub import session

EVERYTHING = sorted(Topic)


@dataclass
class Watcher:
    """A page that is open: what it was told so far."""

    status: int = 0
    headers: httpx.Headers = field(default_factory=httpx.Headers)
    hints: list[dict[str, Any]] = field(default_factory=list)
    ended: bool = False

    async def told(self, *topics: str, after: int = 0, within: float = 20.0) -> dict[str, Any]:
        """Wait until it was told of these topics; return the hint."""

        async def hint() -> dict[str, Any] | None:
            return next((hint for hint in self.hints[after:] if set(topics) <= set(hint["topics"])), None)

        found: dict[str, Any] = await until(hint, within)
        return found

    async def over(self) -> None:
        """Wait until the server ended it."""

        async def is_over() -> bool:
            return self.ended

        await until(is_over)


@asynccontextmanager
async def watching(client: httpx.AsyncClient, query: str = "") -> AsyncIterator[Watcher]:
    """Open a stream, and read it until the block ends. Gives it once it was answered."""
    watcher, answered = Watcher(), asyncio.Event()

    async def read() -> None:
        async with client.stream("GET", f"/live{query}", timeout=httpx.Timeout(30, read=None)) as answer:
            watcher.status, watcher.headers = answer.status_code, answer.headers
            answered.set()
            async for line in answer.aiter_lines():
                if line.startswith("data: {"):
                    watcher.hints.append(json.loads(line.removeprefix("data: ")))
        watcher.ended = True

    task = asyncio.create_task(read())
    await answered.wait()
    try:
        yield watcher
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def streams(service: Running) -> float:
    """Return the metric."""
    return scrape((await service.client.get("/metrics")).text)("alertgate_console_streams")


async def none_open(service: Running) -> bool:
    """Return whether the service has noticed that all are closed."""
    return await streams(service) == 0


async def test_a_page_is_told_of_a_webhook_and_of_what_follows(make_settings, database):
    """First of everything that it shows, as it may be old; then of the incident, and of what people do about it."""
    about = "?about=incidents&about=silences"
    async with serving(make_settings(**database)) as service, signed_in(service) as client:
        async with watching(client, about) as page:
            assert page.status == 200
            assert page.headers["content-type"].startswith("text/event-stream")
            assert page.headers["cache-control"] == "no-store"
            assert await page.told() == {"topics": ["incidents", "silences"], "open": 0}
            assert await streams(service) == 1
            incident = (await service.trail((await service.particle()).json()["id"]))["incident"]["id"]
            assert (await page.told("incidents", after=1))["open"] == 1
            await service.settled()
            before = len(page.hints)
            await service.client.post(f"/api/incidents/{incident}/resolve", headers=API_BEARER, json={})
            assert (await page.told("incidents", after=before))["open"] == 0
        await until(lambda: none_open(service))


async def test_another_process_s_change_is_hinted(make_settings, database):
    """A command that writes to the database while the service runs."""
    settings = make_settings(**database)
    async with serving(settings) as service, signed_in(service) as client, watching(client) as page:
        await page.told(*EVERYTHING)
        command = Store(settings)
        command.open_existing()
        with command.transaction() as connection:
            silence(connection)
        await page.told("silences", "incidents", after=1)
        command.close()


@pytest.mark.postgres
async def test_one_replica_tells_of_what_another_one_does(make_settings, postgres_database, tmp_path):
    """They share the session, too."""
    settings = make_settings(database_url=postgres_database)
    other = open_gate(make_settings(database_url=postgres_database, data_dir=tmp_path / "other"))
    async with (
        serving(settings) as service,
        listening(create_app(other)) as port,
        signed_in(service) as client,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", cookies=client.cookies) as elsewhere,
        watching(elsewhere) as page,
    ):
        await page.told(*EVERYTHING)
        before = len(page.hints)
        await service.particle()
        await page.told("incidents", "alerts", after=before)


async def test_what_is_known_in_memory_alone_is_seen_too(service: Running):
    """A channel is paused by the process that sends on it; the look notices, and says it once."""
    gate, states = service.gate, {Topic.CHANNELS: "up"}
    lookout = Lookout(gate.store, gate.clock, gate.metrics, lambda: states, lambda _: True)
    lasting = replace(session(), ends_at=gate.clock.now() + timedelta(days=1))
    await gate.store.write(lambda connection: sessions.add(connection, lasting))
    stream = lookout.join(lasting, frozenset({Topic.CHANNELS}), lambda: None)
    said = []
    for state in ("up", "up", "paused", "paused"):
        states[Topic.CHANNELS] = state
        await lookout.look()
        said.append(stream.take())
    assert said == [["channels"], [], ["channels"], []]


async def test_whoever_has_not_signed_in_hears_nothing(service: Running):
    """The answer is the sign-in, not a stream."""
    answer = await service.client.get("/live")
    assert (answer.status_code, answer.headers["content-type"]) == (401, "text/html; charset=utf-8")
    async with signed_in(service) as client:
        assert (await client.get("/live?about=nonsense")).status_code == 422


async def test_a_stream_ends_with_its_session(service: Running):
    """Signing out in one tab ends the streams of all tabs of that session, and no other's."""
    async with (
        signed_in(service) as client,
        signed_in(service) as other,
        watching(client) as one,
        watching(client) as two,
        watching(other) as third,
    ):
        await third.told()
        await sent(client, "/sign-out")
        await one.over()
        await two.over()
        assert (third.ended, await streams(service)) == (False, 1)


async def test_a_stream_ends_when_the_session_s_time_is_over(make_settings):
    """Nobody need change anything for that."""
    clock = FakeClock()
    async with (
        serving(make_settings(), clock=clock) as service,
        signed_in(service) as client,
        watching(client) as page,
    ):
        await page.told()
        clock.move(days=31)
        await page.over()


async def test_streams_are_capped_with_a_time_to_come_back(service: Running):
    """The page is shown all the same; it is only not live. Nor does an open page keep a connection to the database."""
    async with signed_in(service) as client:
        async with AsyncExitStack() as tabs:
            for _ in range(12):
                await tabs.enter_async_context(watching(client))
            refused = await client.get("/live")
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
            await seen(client, "/")
        await until(lambda: none_open(service))
        async with watching(client) as page:
            assert page.status == 200


async def test_a_stop_does_not_wait_for_open_pages(make_settings):
    """Streams end at once; the time for a graceful stop is for deliveries."""
    async with httpx.AsyncClient() as outside, AsyncExitStack() as opened:
        async with serving(make_settings(shutdown_timeout=5)) as service, signed_in(service) as client:
            outside.base_url, outside.cookies = client.base_url, client.cookies
            page = await opened.enter_async_context(watching(outside))
            await page.told()
        await page.over()


async def test_a_reader_that_never_reads_is_forgotten_when_it_goes(service: Running):
    """What it was told waits as a set of topics, and the stream is closed with its connection."""
    async with signed_in(service) as client:
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        deaf = socket.create_connection(("127.0.0.1", service.port))
        deaf.sendall(f"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n".encode())

        async def is_open() -> bool:
            return await streams(service) == 1

        await until(is_open)
        deaf.close()
        await until(lambda: none_open(service))


async def test_a_page_of_what_ends_by_itself_looks_again(service: Running):
    """Who is on call, or quiet, and whether a silence lasts: nothing is stored as these end, so nothing is hinted."""
    trail = await service.trail((await service.particle()).json()["id"])
    async with signed_in(service) as client:
        for path in ("/", "/people", "/silences", f"/incidents/{trail['incident']['id']}"):
            assert ("data-fresh", "120") in (await seen(client, path)).attributes


async def test_a_silent_stream_says_that_it_is_alive():
    """Proxies cut what is silent, and the page's script knows by it that the connection lives. A number is told too."""
    hub, woken = Hub(), asyncio.Event()
    stream = hub.join(session(), frozenset(Topic), woken.set)
    number = 7
    said = events(lambda: number, lambda: True, stream, woken, keep_alive=0)
    assert (await anext(said)).startswith(b"retry: ")
    assert await anext(said) == b"event: alive\ndata: 1\n\n"
    hub.turn()
    assert json.loads((await anext(said)).decode().removeprefix("data: ")) == {"topics": EVERYTHING, "open": 7}
    woken.set()
    number = 8
    assert json.loads((await anext(said)).decode().removeprefix("data: ")) == {"topics": [], "open": 8}
    hub.close()
    assert [more async for more in said] == []


async def test_nothing_is_asked_while_nobody_watches(service: Running):
    """The look costs no statement."""

    class Untouchable:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

    nobody = Lookout(Untouchable(), service.gate.clock, service.gate.metrics, dict, lambda _: True)
    await nobody.look()


async def test_everybody_hears_the_number_at_once(service: Running):
    """Even of very many: it costs no page. What to fetch they hear in turns."""
    gate, heard = service.gate, []
    lasting = replace(session(), ends_at=gate.clock.now() + timedelta(days=1))
    await gate.store.write(lambda connection: sessions.add(connection, lasting))
    lookout = Lookout(gate.store, gate.clock, gate.metrics, dict, lambda _: True, Hub(most_hints=1))
    streams = [lookout.join(lasting, frozenset(Topic), lambda number=number: heard.append(number)) for number in (0, 1)]
    await lookout.look()
    assert (heard, lookout.open_incidents) == ([0], 0)
    await service.particle()
    await lookout.look()
    assert (heard, lookout.open_incidents) == ([0, 1, 0, 1], 1)
    assert [bool(stream.take()) for stream in streams] == [True, True]


async def test_a_look_that_failed_is_made_again(service: Running):
    """A database that doesn't answer for a moment loses no change."""
    gate = service.gate

    class Failing:
        """The store, whose first reads fail."""

        fails = 0

        async def marks(self) -> Any:
            return await gate.store.marks()

        async def read(self, act: Any) -> Any:
            if self.fails:
                self.fails -= 1
                raise StoreUnavailable("gone")
            return await gate.store.read(act)

    store: Any = Failing()
    lasting = replace(session(), ends_at=gate.clock.now() + timedelta(days=1))
    await gate.store.write(lambda connection: sessions.add(connection, lasting))
    lookout = Lookout(store, gate.clock, gate.metrics, dict, lambda _: True)
    stream = lookout.join(lasting, frozenset(Topic), lambda: None)
    await lookout.look()
    stream.take()
    await service.particle()
    store.fails = 1
    with pytest.raises(StoreUnavailable):
        await lookout.look()
    await lookout.look()
    assert ("incidents" in stream.take(), lookout.open_incidents) == (True, 1)


async def test_a_stream_ends_once_nobody_sees_what_changes(service: Running):
    """The database doesn't answer: a page that is told nothing for that must not go on as live."""
    gate, clock, woken = service.gate, FakeClock(), asyncio.Event()

    class Failing:
        """The store, which can't say what has changed."""

        async def marks(self) -> Any:
            raise StoreUnavailable("gone")

    store: Any = Failing()
    lookout = Lookout(store, clock, gate.metrics, dict, lambda _: True)
    await lookout.look()
    stream = lookout.join(session(), frozenset(Topic), woken.set)
    said = events(lambda: 0, lambda: lookout.sees, stream, woken, keep_alive=0)
    assert (await anext(said)).startswith(b"retry: ")
    for _ in range(2):
        clock.move(seconds=BLIND_AFTER / 2)
        with pytest.raises(StoreUnavailable):
            await lookout.look()
        assert (await anext(said)).startswith(b"event: alive")
    clock.move(seconds=1)
    assert [more async for more in said] == []
