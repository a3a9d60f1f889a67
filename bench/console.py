"""How long the pages of the console take with a month behind them, and how much they ask; without sockets."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine, event
from torture.books import Books
from torture.gate import API, SETTINGS
from torture.postgres import driver_url, postgres

from alertgate.app import create_app, open_gate
from alertgate.config import Settings
from alertgate.settings_load import load
from alertgate.store.engine import Store
from alertgate.web.dependencies import Gate
from bench import fleet
from bench.figure import Figure
from bench.posts import percentile

ROUNDS = 3
TIMES = 20
"""How often each page is opened in a round."""
SHARE = 0.95


@dataclass(frozen=True)
class Opened:
    """One page: milliseconds of each time it was opened, its statements, and its length in bytes."""

    path: str
    milliseconds: Sequence[float]
    queries: int
    length: int

    @property
    def p95(self) -> float:
        """How long it took at most, nearly always."""
        return percentile(sorted(self.milliseconds), SHARE)


async def console(directory: Path) -> list[Figure]:
    """Measure every page on SQLite and on PostgreSQL."""
    found = []
    directory.mkdir(parents=True)
    for path in (directory, directory.parent):
        path.chmod(0o755)  # PostgreSQL runs as another user when this is root
    with postgres(directory) as server:
        for name, address in (("SQLite", None), ("PostgreSQL", server.database())):
            rounds = await _measured(directory / name, address)
            found += _figures(name, rounds)
    return found


def _figures(database: str, rounds: Sequence[Sequence[Opened]]) -> list[Figure]:
    behind = f"{fleet.ALERTS:,} alerts, {fleet.INCIDENTS:,} incidents and {fleet.DEVICES:,} devices"
    last = sorted(rounds[-1], key=lambda each: -each.p95)
    said = "; ".join(f"`{each.path}` {each.p95:.0f} ms" for each in last)
    most = max(last, key=lambda each: each.queries)
    return [
        Figure(
            f"the console's slowest page on {database}, p95, with {behind}",
            "",
            "≤ 50",
            [max(each.p95 for each in opened) for opened in rounds],
            said,
            unit="ms",
        ),
        Figure(
            f"most queries of a page of the console on {database}",
            "",
            "≤ 20",
            [max(each.queries for each in opened) for opened in rounds],
            f"`{most.path}`; the largest page has {max(each.length for each in last) / 1000:.0f} kB",
        ),
    ]


async def _measured(directory: Path, address: str | None) -> list[list[Opened]]:
    settings = _settings(directory, address)
    store = Store(settings)
    store.open(exclusive=True)
    store.close()
    await asyncio.to_thread(fleet.fill, address or settings.data_dir / "alertgate.db", time.time())
    async with opened_console(settings) as (gate, client):
        await gate.hourly.run()
        paths = pages(Books(address or settings.data_dir / "alertgate.db"))
        return [[await measure(client, path) for path in paths] for _ in range(ROUNDS)]


def _settings(directory: Path, address: str | None) -> Settings:
    given: Mapping[str, Any] = {**SETTINGS, "data_dir": directory, "smtp_port": 1, "recipient_sms": ""}
    return load(None, **given, **({"database_url": driver_url(address)} if address else {}))


@asynccontextmanager
async def opened_console(settings: Settings) -> AsyncIterator[tuple[Gate, httpx.AsyncClient]]:
    """Give a gate without its jobs, and somebody who has signed in to its console."""
    gate = open_gate(settings)
    try:
        transport = httpx.ASGITransport(app=create_app(gate))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60) as client:
            form = {"token": API, "name": "bench"}
            signed_in = await client.post("/sign-in", data=form, headers={"Sec-Fetch-Site": "same-origin"})
            if signed_in.status_code != httpx.codes.SEE_OTHER:
                raise RuntimeError(f"signing in was answered {signed_in.status_code}")
            yield gate, client
    finally:
        gate.store.close()


def pages(books: Books) -> list[str]:
    """Return the pages: each of the navigation, the lists with their dearest filters, and one of each kind of thing."""
    [(newest, device)] = books.ask("SELECT id, device FROM incidents ORDER BY id DESC LIMIT 1")
    [(alert,)] = books.ask("SELECT id FROM alerts ORDER BY id DESC LIMIT 1")
    [(busiest,)] = books.ask("SELECT incident_id FROM alerts ORDER BY id LIMIT 1")
    return [
        "/",
        "/incidents",
        "/incidents?status=open",
        "/incidents?status=resolved&severity=critical",
        f"/incidents?device={device}",
        "/incidents?event=nothing",
        "/incidents?text=nothing",
        "/incidents/acts?to=/",
        "/incidents/acts?to=/incidents?text=nothing",
        f"/incidents/{newest}",
        f"/incidents/{busiest}",
        "/devices",
        "/devices?state=fine",
        "/devices?state=offline",
        "/devices?low=yes",
        "/devices?text=nothing",
        f"/devices/{device}",
        f"/devices/{device}?days=30",
        "/people",
        "/silences",
        "/silences/new",
        "/silences/over",
        "/channels",
        "/alerts",
        f"/alerts?device={device}",
        "/alerts?text=nothing",
        f"/alerts/{alert}",
        "/quarantine",
        "/plots",
        "/plots?span=7d",
        "/plots?span=30d",
        "/sessions",
    ]


async def measure(client: httpx.AsyncClient, path: str, times: int = TIMES) -> Opened:
    """Open a page again and again. Raises RuntimeError unless it is one."""
    statements: list[str] = []

    def note(*arguments: Any) -> None:
        statements.append(arguments[2])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        answer = await client.get(path)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    if answer.status_code != httpx.codes.OK:
        raise RuntimeError(f"{path} was answered {answer.status_code}")
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        await client.get(path)
        took.append(1000 * (time.perf_counter() - begun))
    return Opened(path, took, len(statements), len(answer.content))
