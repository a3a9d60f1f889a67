"""How long a start takes: from the start of the process to the first 202."""

import asyncio
import sys
import time
from pathlib import Path
from statistics import median

from torture.gate import Gate, free_port

from bench import sides
from bench.figure import Figure
from bench.load import ROUNDS
from bench.posts import alert, post


async def start(directory: Path) -> list[Figure]:
    """Measure the time from the start of the process to the first 202, and the memory then."""
    times: list[tuple[float, float]] = []
    sizes: list[tuple[float, float]] = []
    async with sides.sink() as smtp:
        gate = Gate(directory, {"smtp_port": smtp, "log_level": "info"})
        directory.mkdir()
        await gate.start()
        await gate.stop()  # this makes the schema, so that no measured start does
        for number in range(ROUNDS):
            begun = time.monotonic()
            await gate.spawn()
            await _first_202(gate.port, f"first-{number}")
            ours, large = time.monotonic() - begun, sides.resident(gate.pid)
            await gate.stop()
            begun = time.monotonic()
            port = free_port()
            async with sides.process(sys.executable, "-m", "bench.bare", str(port)) as child:
                await _first_202(port, f"first-{number}")
                nothing, small = time.monotonic() - begun, sides.resident(child.pid)
            times.append((ours, nothing))
            sizes.append((large, small))
    return [
        Figure("start to first 202", "accept and discard", "≤ 2", [a / b for a, b in times], _said(times, ".2f", "s")),
        Figure(
            "resident memory after start",
            "accept and discard",
            "≤ 1.6",
            [a / b for a, b in sizes],
            _said(sizes, ".0f", "MiB"),
        ),
    ]


def _said(pairs: list[tuple[float, float]], form: str, unit: str) -> str:
    ours, theirs = (median(side) for side in zip(*pairs, strict=True))
    return f"{ours:{form}} and {theirs:{form}} {unit}"


async def _first_202(port: int, event_id: str) -> None:
    sent = alert(event="alarm/motion", data="mark-1.", coreid="first", event_id=event_id)
    async with asyncio.timeout(20):
        while True:
            try:
                await post(port, sent)
            except OSError:
                await asyncio.sleep(0.005)
            else:
                return
