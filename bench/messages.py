"""How fast messages reach the mail server: after one alert, and from a long queue."""

import asyncio
import shutil
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from statistics import median

from torture.books import Books
from torture.gate import Gate

from bench import sides
from bench.figure import Figure
from bench.load import ROUNDS
from bench.mail import Answers, alone, answers, as_bytes, as_object
from bench.posts import alert, post, request
from bench.seed import seeded

DRAINED = 5_000


async def latency(directory: Path) -> list[Figure]:
    """Measure one alert at a time, from POST to the mail server's 250, against Alertmanager."""
    times: list[tuple[list[float], list[float]]] = []
    async with (
        answers() as taken,
        sides.alertmanager(directory / "alertmanager", taken.port) as other,
        sides.gate(directory / "gate", taken.port, recipient_sms="") as gate,
    ):

        async def ours(name: str) -> None:
            await post(gate.port, alert(event="alarm/motion", data="on", coreid=name, event_id=name))

        async def theirs(name: str) -> None:
            body = [{"labels": {"alertname": "motion", "device": name}}]
            await post(other, request("/api/v2/alerts", body), 200)

        for number in range(ROUNDS + 1):
            mine = await _to_250(taken, ours, f"a{number}")
            their = await _to_250(taken, theirs, f"b{number}")
            if number:  # the first round is a warm-up
                times.append((mine, their))
    middles = [(1000 * median(mine), 1000 * median(their)) for mine, their in times]
    return [
        Figure(
            "POST to the mail server's 250, p50",
            "Alertmanager",
            "≤ 4.5",
            [mine / their for mine, their in middles],
            f"{median(m[0] for m in middles):.1f} and {median(m[1] for m in middles):.1f} ms",
        ),
        Figure(
            "POST to the mail server's 250, p99",
            "Alertmanager",
            "",
            [mine[-2] / their[-2] for mine, their in times],
            "the second slowest of 100 in each round",
        ),
    ]


async def _to_250(taken: Answers, send: Callable[[str], Coroutine[None, None, None]], name: str) -> list[float]:
    """Return the seconds for each of 100 alerts, sorted."""
    took = []
    for number in range(100):
        taken.next = asyncio.get_running_loop().create_future()
        begun = time.monotonic()
        posted = asyncio.create_task(send(f"{name}-{number}"))
        async with asyncio.timeout(20):
            took.append(await taken.next - begun)
            await posted
    return sorted(took)


async def drain(directory: Path) -> list[Figure]:
    """Measure how fast pending notifications are sent, against aiosmtplib alone with the same mail."""
    rates: list[tuple[float, float, float]] = []
    mail = await _sample(directory / "sample")
    async with sides.sink() as smtp:
        for number in range(ROUNDS):
            ours = await _drained(directory / str(number), smtp)
            composed = await alone(smtp, DRAINED // 2, as_object(mail))
            rates.append((ours, composed, await alone(smtp, DRAINED // 2, as_bytes(mail))))
    ours, composed, raw = (median(side) for side in zip(*rates, strict=True))
    return [
        Figure(
            f"draining {DRAINED:,} pending notifications",
            "aiosmtplib alone",
            "≥ 0.3",
            [each[0] / each[1] for each in rates],
            f"{ours:,.0f} and {composed:,.0f} messages/s",
        ),
        Figure(
            "the same",
            "aiosmtplib alone, mails as bytes",
            "",
            [each[0] / each[2] for each in rates],
            f"{ours:,.0f} and {raw:,.0f} messages/s",
        ),
    ]


async def _sample(directory: Path) -> bytes:
    """Return the service's own mail about one alert."""
    async with answers() as taken, sides.gate(directory, taken.port, recipient_sms="") as gate:
        taken.next = asyncio.get_running_loop().create_future()
        await post(gate.port, alert(event="e", data='{"zone":"hall","battery":50}', coreid="old-1", event_id="1"))
        async with asyncio.timeout(20):
            await taken.next
    return taken.latest


async def _drained(directory: Path, smtp: int) -> float:
    """Return the messages a second that the service sends from a database full of pending notifications."""
    await seeded(directory, incidents=DRAINED, each=1, pending=True)
    gate = Gate(directory, {"smtp_port": smtp, "log_level": "info", "recipient_sms": ""})
    books = Books(gate.database)
    await gate.start()
    begun, first = time.monotonic(), _sent(books)
    while (sent := _sent(books)) < DRAINED:
        await asyncio.sleep(0.02)
    rate = (sent - first) / (time.monotonic() - begun)
    await gate.stop()
    shutil.rmtree(directory)
    return rate


def _sent(books: Books) -> int:
    return int(books.ask("SELECT count(*) FROM notifications WHERE status = 'sent'")[0][0])
