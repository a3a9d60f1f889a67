"""How fast alerts are accepted: by default, with a long history, without a mail server, and beside bad requests."""

import asyncio
import shutil
import time
from pathlib import Path
from statistics import median

from torture.books import Books
from torture.gate import free_port

from bench import processor, sides
from bench.figure import Figure
from bench.load import ROUNDS, SECONDS, Measured, alerts, rates, ratios, warm
from bench.seed import registered, seeded


async def accept(directory: Path) -> list[Figure]:
    """Measure durable accept against accept and discard and against mailing inline, its processor time, and memory."""
    ours: list[Measured] = []
    nothing: list[Measured] = []
    inline: list[Measured] = []
    cost: list[float] = []
    single: list[Measured] = []
    single_nothing: list[Measured] = []
    async with (
        sides.sink() as smtp,
        sides.bare() as (bare, _),
        sides.inline(smtp) as flask,
        sides.gate(directory, smtp) as gate,
    ):
        books = Books(gate.database)
        await warm(gate.port, books)
        before = sides.resident(gate.pid)
        await alerts(bare, connections=32, seconds=1)
        for _ in range(ROUNDS):
            used = processor.seconds(gate.pid)
            ours.append(await alerts(gate.port, connections=32))
            cost.append(1000 * (processor.seconds(gate.pid) - used) / ours[-1].requests)
            nothing.append(await alerts(bare, connections=32))
            inline.append(await alerts(flask, connections=32))
        for _ in range(ROUNDS):
            single.append(await alerts(gate.port, connections=1))
            single_nothing.append(await alerts(bare, connections=1))
        while books.ask("SELECT count(*) FROM alerts")[0][0] < 100_000:
            await alerts(gate.port, connections=32)
        after = sides.resident(gate.pid)
    waits = [median(each.p50 for each in side) for side in (single, single_nothing)]
    many, discarded = "durable accept, 32 connections", "accept and discard"
    return [
        Figure(many, discarded, "≥ 0.22", ratios(ours, nothing), rates(ours, nothing)),
        Figure(
            "durable accept, 1 connection",
            discarded,
            "≥ 0.15",
            ratios(single, single_nothing),
            f"{waits[0]:.2f} and {waits[1]:.2f} ms at the median",
        ),
        Figure(many, "Flask that mails inline, for each alert", "≥ 1.3", ratios(ours, inline), rates(ours, inline)),
        Figure("processor time of 1,000 alerts, 32 connections", "", "≤ 0.6", cost, unit="s"),
        Figure(
            "resident memory after 100,000 alerts",
            "after the first thousands",
            "≤ 1.05",
            [after / before],
            f"{before:.0f} to {after:.0f} MiB; one run",
        ),
    ]


async def grown(directory: Path) -> list[Figure]:
    """Measure accept with a long history, and with the mail server down and much pending, against an empty database."""
    nothing: list[Measured] = []
    much: list[Measured] = []
    waiting: list[Measured] = []
    await seeded(directory / "full", incidents=100_000, each=10)
    await seeded(directory / "down", incidents=100_000, each=1, pending=True)
    closed_port = free_port()
    async with (
        sides.sink() as smtp,
        sides.gate(directory / "empty", smtp) as empty,
        sides.gate(directory / "full", smtp) as old,
    ):
        await warm(empty.port, Books(empty.database))
        await warm(old.port, Books(old.database))
        async with sides.gate(directory / "down", closed_port) as cut_off:
            await alerts(cut_off.port, connections=32, seconds=2)
            for _ in range(ROUNDS):
                nothing.append(await alerts(empty.port, connections=32))
                much.append(await alerts(old.port, connections=32))
                waiting.append(await alerts(cut_off.port, connections=32))
    shutil.rmtree(directory / "full")
    return [
        Figure(
            "accept with 1,000,000 alerts and 100,000 incidents",
            "the same, empty",
            "≥ 0.9",
            ratios(much, nothing),
            rates(much, nothing),
        ),
        Figure(
            "accept with SMTP down and 100,000 pending",
            "SMTP up, none pending",
            "≥ 0.9",
            ratios(waiting, nothing),
            rates(waiting, nothing),
        ),
    ]


async def devices(directory: Path) -> list[Figure]:
    """Measure accept with 100,000 registered devices against 200; the same 200 speak."""
    few: list[Measured] = []
    many: list[Measured] = []
    await registered(directory / "many", devices=100_000)
    async with (
        sides.sink() as smtp,
        sides.gate(directory / "few", smtp) as small,
        sides.gate(directory / "many", smtp) as large,
    ):
        await warm(small.port, Books(small.database))
        await warm(large.port, Books(large.database))
        turns = [(small, few), (large, many)]
        for _ in range(ROUNDS):
            for gate, measured in turns:
                measured.append(await alerts(gate.port, connections=32))
            turns.reverse()  # neither side comes second each time
    what = "accept with 100,000 registered devices"
    return [Figure(what, "the same with 200", "≥ 0.95", ratios(many, few), rates(many, few))]


async def beside_bad_requests(directory: Path) -> list[Figure]:
    """Measure a good request's p99 while 500 bad ones a second arrive."""
    alone: list[float] = []
    beside: list[float] = []
    bad: list[float] = []
    async with sides.sink() as smtp, sides.gate(directory, smtp, rate_limit="20/minute;100/10 minutes") as gate:
        await warm(gate.port, Books(gate.database))
        for _ in range(ROUNDS):
            alone.append((await alerts(gate.port, connections=1)).p99)
            count = [0]
            sending = asyncio.create_task(_bad(gate.port, 500, SECONDS, count))
            beside.append((await alerts(gate.port, connections=1)).p99)
            await sending
            bad.append(count[0] / SECONDS)
    return [
        Figure(
            "a good request's p99 beside 500 bad ones a second",
            "without them",
            "≤ 2",
            [one / other for one, other in zip(beside, alone, strict=True)],
            f"{median(beside):.1f} and {median(alone):.1f} ms; {median(bad):.0f} bad a second",
        )
    ]


async def _bad(port: int, rate: float, seconds: float, count: list[int]) -> None:
    """Send requests with a wrong bearer at a steady rate: 401 at first, then 429."""
    request = (
        b"POST /webhook/particle HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong\r\nContent-Length: 2\r\n\r\n{}"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    begun = time.monotonic()
    while (now := time.monotonic()) < begun + seconds:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head[9:12] in {b"401", b"429"}, head
        await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]))
        count[0] += 1
        await asyncio.sleep(max(0.0, begun + count[0] / rate - now))
    writer.close()
