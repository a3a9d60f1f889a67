"""How fast alerts are accepted on PostgreSQL: against SQLite, by replicas, and from an empty database."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from statistics import median

from torture.books import Books
from torture.gate import Gate
from torture.pgbouncer import pgbouncer
from torture.postgres import Postgres, driver_url, postgres

from bench import processor, sides
from bench.figure import Figure
from bench.load import ROUNDS, Measured, alerts, rates, ratios, warm

MOST_REPLICAS = 3
WINDOWS, WINDOW, FRESH_ROUNDS = 4, 5.0, 3
"""How `fresh` loads an empty database: windows, the seconds of each, and rounds."""
FRESH_DEVICES = 400


@contextmanager
def _server(directory: Path) -> Iterator[Postgres]:
    directory.mkdir(parents=True)
    for path in (directory, directory.parent):
        path.chmod(0o755)  # PostgreSQL runs as another user when this is root
    with postgres(directory) as server:
        yield server


async def on_postgres(directory: Path) -> list[Figure]:
    """Measure durable accept on PostgreSQL against SQLite, and its processor time with that of the server."""
    ours: list[Measured] = []
    base: list[Measured] = []
    cost: list[tuple[float, float]] = []
    with _server(directory) as server:
        address, server_pid = server.database(), _pid(server)
        async with (
            sides.sink() as smtp,
            sides.gate(directory / "a", smtp) as sqlite,
            sides.gate(directory / "b", smtp, database_url=driver_url(address)) as other,
        ):
            await warm(sqlite.port, Books(sqlite.database))
            await warm(other.port, Books(address))
            for _ in range(ROUNDS):
                before = processor.seconds(other.pid), processor.seconds(server_pid)
                ours.append(await alerts(other.port, connections=32))
                after = processor.seconds(other.pid), processor.seconds(server_pid)
                service, database = (1000 * (b - a) / ours[-1].requests for a, b in zip(before, after, strict=True))
                cost.append((service, database))
                base.append(await alerts(sqlite.port, connections=32))
    return [
        Figure("durable accept on PostgreSQL, 32 connections", "SQLite", "", ratios(ours, base), rates(ours, base)),
        Figure(
            "processor time of 1,000 alerts on PostgreSQL, 32 connections",
            "",
            "≤ 0.6",
            [sum(each) for each in cost],
            f"{median(c[0] for c in cost):.2f} s of the service and {median(c[1] for c in cost):.2f} of PostgreSQL",
            unit="s",
        ),
    ]


def _pid(server: Postgres) -> int:
    """Return the id of a server's main process, the parent of its backends."""
    return int((Path(server.setting("data_directory")) / "postmaster.pid").read_text().split()[0])


async def pooled(directory: Path) -> list[Figure]:
    """Measure accept through PgBouncer in transaction mode, where no statement is prepared, against direct accept."""
    cost: list[tuple[float, float]] = []
    rate: list[tuple[Measured, Measured]] = []
    with _server(directory) as server:
        addresses = [server.database() for _ in range(2)]
        direct = driver_url(addresses[0])
        with pgbouncer(direct, default_pool_size=5) as pooler:
            assert pooler.process
            through = pooler.url(addresses[1])
            roots = _pid(server), pooler.process.pid
            async with (
                sides.sink() as smtp,
                sides.gate(directory / "a", smtp, database_url=direct) as one,
                sides.gate(directory / "b", smtp, database_url=through) as other,
            ):
                gates = one, other
                for gate, address in zip(gates, addresses, strict=True):
                    await warm(gate.port, Books(address))
                for _ in range(ROUNDS):
                    found = [await _with_cost(gate, roots) for gate in gates]
                    cost.append((found[0][1], found[1][1]))
                    rate.append((found[0][0], found[1][0]))
    straight, pool = ([pair[side] for pair in rate] for side in (0, 1))
    return [
        Figure(
            "processor time of 1,000 alerts through PgBouncer, 32 connections",
            "PostgreSQL",
            "",
            [there / here for here, there in cost],
            f"{median(there for _, there in cost):.2f} and {median(here for here, _ in cost):.2f} s; "
            f"{rates(pool, straight)}",
        ),
    ]


async def _with_cost(gate: Gate, roots: Sequence[int]) -> tuple[Measured, float]:
    """Return what a gate accepts, and the processor seconds of 1,000 alerts with those of the database's processes."""
    before = processor.seconds(gate.pid, *roots)
    found = await alerts(gate.port, connections=32)
    return found, 1000 * (processor.seconds(gate.pid, *roots) - before) / found.requests


async def replicas(directory: Path) -> list[Figure]:
    """Measure accept by one, two and three replicas on one database, with 32 connections in all."""
    taken: dict[int, list[float]] = {count: [] for count in range(1, MOST_REPLICAS + 1)}
    with _server(directory) as server:
        address = server.database()
        async with sides.sink() as smtp, AsyncExitStack() as running:
            ports = []
            for number in range(MOST_REPLICAS):
                replica = sides.gate(directory / str(number), smtp, database_url=driver_url(address))
                ports.append((await running.enter_async_context(replica)).port)
            for port in ports:
                await warm(port, Books(address))
            Books(address).change("ANALYZE")  # each replica plans with statistics; `fresh` measures without them
            for _ in range(ROUNDS):
                for count, rate in taken.items():
                    rate.append(await _together(ports[:count]))
    return [
        Figure(
            f"accept on PostgreSQL by {count} replicas, 32 connections in all",
            "one replica",
            "",
            [many / one for many, one in zip(taken[count], taken[1], strict=True)],
            f"{median(taken[count]):,.0f} and {median(taken[1]):,.0f} requests/s",
        )
        for count in list(taken)[1:]
    ]


async def _together(ports: Sequence[int]) -> float:
    """Return the alerts a second that these replicas accept together."""
    split = zip(ports, shares(32, len(ports)), strict=True)
    found = await asyncio.gather(*(alerts(port, connections=connections) for port, connections in split))
    return sum(each.rate for each in found)


def shares(total: int, parts: int) -> list[int]:
    """Split `total` as evenly as whole numbers allow, the larger parts first."""
    return [total // parts + (number < total % parts) for number in range(parts)]


async def fresh(directory: Path) -> list[Figure]:
    """Measure accept on an empty database, where PostgreSQL has no statistics to plan queries with."""
    rounds: list[list[Measured]] = []
    for number in range(FRESH_ROUNDS):
        place = directory / str(number)
        with _server(place) as server:  # a new one each time: autovacuum makes statistics after a minute
            settings = {"database_url": driver_url(server.database()), "recipient_sms": ""}
            async with sides.sink() as smtp, sides.gate(place / "gate", smtp, **settings) as gate:
                rounds.append(
                    [
                        await alerts(gate.port, connections=32, seconds=WINDOW, devices=FRESH_DEVICES)
                        for _ in range(WINDOWS)
                    ]
                )
    windows = list(zip(*rounds, strict=True))
    whole = f"{WINDOWS * WINDOW:.0f} s"
    return [
        Figure(
            f"accept from an empty PostgreSQL database, last {WINDOW:.0f} of {whole}",
            f"the first {WINDOW:.0f} s",
            "≥ 0.9",
            ratios(windows[-1], windows[0]),
            f"{', '.join(f'{median(each.rate for each in window):,.0f}' for window in windows)} requests/s",
        ),
    ]
