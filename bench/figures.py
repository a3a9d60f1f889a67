"""Each figure: what is measured against what, in turns, within one run."""

import asyncio
import http.client
import json
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from torture.books import Books
from torture.gate import Gate
from torture.load import TOKEN
from torture.postgres import driver_url, postgres

from bench import sides
from bench.load import Measured, alerts
from bench.mail import Answers, alone, answers, as_bytes, as_object, post
from bench.seed import seed

ROUNDS = 5
SECONDS = 3.0


@dataclass
class Figure:
    """One line of the table. A ratio for each round; `goal` is compared with their median."""

    name: str
    against: str
    goal: str
    ratios: list[float] = field(default_factory=list)
    said: str = ""

    @property
    def middle(self) -> float:
        """The median."""
        return median(self.ratios)

    @property
    def reached(self) -> str:
        """Whether the median is as good as the goal; nothing where it is only reported."""
        if not self.goal:
            return ""
        sign, bound = self.goal.split()
        return "yes" if (self.middle >= float(bound) if sign == "≥" else self.middle <= float(bound)) else "**no**"

    def line(self) -> str:
        """Return it as a line of the table."""
        return (
            f"| {self.name} | {self.against} | {self.goal or 'reported'} | {self.middle:.2f} "
            f"({min(self.ratios):.2f} to {max(self.ratios):.2f}) | {self.reached} | {self.said} |"
        )


def _all_taken(*measured: Measured) -> None:
    for each in measured:
        if each.refused or each.broken:
            raise RuntimeError(f"{each.refused} requests were refused and {each.broken} broke: the figure is worthless")


async def _warm(gate: Gate) -> None:
    """Let every device's incident be open and told, so that what follows is the steady state."""
    _all_taken(await alerts(gate.port, connections=32, seconds=2))
    sent = "SELECT count(*) FROM notifications WHERE status IN ('pending', 'sending') AND kind = 'opening'"
    while Books(gate.database).ask(sent)[0][0]:
        await asyncio.sleep(0.1)


async def accept(directory: Path) -> list[Figure]:
    """Durable accept against accept and discard, and against mailing inline; then memory."""
    many = Figure("durable accept, 32 connections", "accept and discard", "≥ 0.6")
    one = Figure("durable accept, 1 connection", "accept and discard", "≥ 0.33")
    mailing = Figure("durable accept, 32 connections", "Flask that mails inline, for each alert", "≥ 8")
    growth = Figure("resident memory after 100,000 alerts", "after the first thousands", "≤ 1.05")
    async with (
        sides.sink() as smtp,
        sides.bare() as (bare, _),
        sides.inline(smtp) as flask,
        sides.gate(directory, smtp) as gate,
    ):
        await _warm(gate)
        before = sides.resident(gate.pid)
        await alerts(bare, connections=32, seconds=1)
        rates: list[tuple[float, float, float]] = []
        for _ in range(ROUNDS):
            ours = await alerts(gate.port, connections=32, seconds=SECONDS)
            nothing = await alerts(bare, connections=32, seconds=SECONDS)
            inline = await alerts(flask, connections=32, seconds=SECONDS)
            _all_taken(ours, nothing, inline)
            many.ratios.append(ours.rate / nothing.rate)
            mailing.ratios.append(ours.rate / inline.rate)
            rates.append((ours.rate, nothing.rate, inline.rate))
        many.said = f"{median(r[0] for r in rates):,.0f} and {median(r[1] for r in rates):,.0f} requests/s"
        mailing.said = f"{median(r[0] for r in rates):,.0f} and {median(r[2] for r in rates):,.0f} requests/s"
        latencies: list[tuple[float, float]] = []
        for _ in range(ROUNDS):
            ours = await alerts(gate.port, connections=1, seconds=SECONDS)
            nothing = await alerts(bare, connections=1, seconds=SECONDS)
            _all_taken(ours, nothing)
            one.ratios.append(ours.rate / nothing.rate)
            latencies.append((ours.p50, nothing.p50))
        one.said = f"{median(p[0] for p in latencies):.2f} and {median(p[1] for p in latencies):.2f} ms at the median"
        while Books(gate.database).ask("SELECT count(*) FROM alerts")[0][0] < 100_000:
            _all_taken(await alerts(gate.port, connections=32, seconds=3))
        after = sides.resident(gate.pid)
        growth.ratios.append(after / before)
        growth.said = f"{before:.0f} to {after:.0f} MiB; one run"
    return [many, one, mailing, growth]


async def start(directory: Path) -> list[Figure]:
    """From the start of the process to the first 202, and its memory then."""
    figure = Figure("start to first 202", "accept and discard", "≤ 2")
    memory = Figure("resident memory after start", "accept and discard", "≤ 1.6")
    seconds, sizes = [], []
    async with sides.sink() as smtp:
        gate = Gate(directory, {"smtp_port": smtp, "log_level": "info"})
        directory.mkdir()
        await gate.start()
        await gate.stop()  # the schema is made once, not at each start
        for number in range(ROUNDS):
            begun = time.monotonic()
            await gate.spawn()
            await asyncio.to_thread(_first_202, gate.port, f"first-{number}")
            ours, large = time.monotonic() - begun, sides.resident(gate.pid)
            await gate.stop()
            begun = time.monotonic()
            port = sides.free_port()
            async with sides.process(sys.executable, "-m", "bench.bare", str(port)) as child:
                await asyncio.to_thread(_first_202, port, f"first-{number}")
                nothing, small = time.monotonic() - begun, sides.resident(child.pid)
            figure.ratios.append(ours / nothing)
            seconds.append((ours, nothing))
            memory.ratios.append(large / small)
            sizes.append((large, small))
    figure.said = f"{median(s[0] for s in seconds):.2f} and {median(s[1] for s in seconds):.2f} s"
    memory.said = f"{median(s[0] for s in sizes):.0f} and {median(s[1] for s in sizes):.0f} MiB"
    return [figure, memory]


def _first_202(port: int, event_id: str) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            if _post(port, event_id) == 202:
                return
        except OSError:
            time.sleep(0.005)
    raise RuntimeError("no 202 within 20 s")


def _post(port: int, event_id: str) -> int:
    body = json.dumps({"event": "alarm/motion", "data": "mark-1.", "coreid": "first", "event_id": event_id})
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", "/webhook/particle", body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


async def latency(directory: Path) -> list[Figure]:
    """One alert at a time, from POST to the mail server's 250, against Alertmanager's."""
    p50 = Figure("POST to the mail server's 250, p50", "Alertmanager", "≤ 1.0")
    p99 = Figure("POST to the mail server's 250, p99", "Alertmanager", "")
    spread: list[tuple[float, float]] = []
    async with (
        answers() as taken,
        sides.alertmanager(directory / "alertmanager", taken.port) as other,
        sides.gate(directory / "gate", taken.port, recipient_sms="") as gate,
    ):

        async def ours(name: str) -> None:
            body = {"event": "alarm/motion", "data": "on", "coreid": name, "event_id": name}
            await post(gate.port, "/webhook/particle", body, b"202", f"Authorization: Bearer {TOKEN}\r\n")

        async def theirs(name: str) -> None:
            await post(other, "/api/v2/alerts", [{"labels": {"alertname": "motion", "device": name}}], b"200")

        for number in range(ROUNDS + 1):
            mine = await _to_250(taken, ours, f"a{number}")
            their = await _to_250(taken, theirs, f"b{number}")
            if number:  # the first round warms both up
                p50.ratios.append(median(mine) / median(their))
                p99.ratios.append(mine[-2] / their[-2])
                spread.append((1000 * median(mine), 1000 * median(their)))
    p50.said = f"{median(s[0] for s in spread):.1f} and {median(s[1] for s in spread):.1f} ms"
    p99.said = "the second slowest of 100 in each round"
    return [p50, p99]


async def _to_250(taken: Answers, raise_: Callable[[str], Awaitable[None]], name: str) -> list[float]:
    """Return the seconds for each of 100 alerts, in order of length."""
    took = []
    for number in range(100):
        taken.next = asyncio.get_running_loop().create_future()
        begun = time.monotonic()
        posted = asyncio.create_task(raise_(f"{name}-{number}"))
        async with asyncio.timeout(20):
            took.append(await taken.next - begun)
            await posted
    return sorted(took)


DRAINED = 10_000


async def drain(directory: Path) -> list[Figure]:
    """Pending notifications handed over, against aiosmtplib alone with the same mails."""
    figure = Figure(f"draining {DRAINED:,} pending notifications", "aiosmtplib alone", "≥ 0.8")
    ready = Figure("the same", "aiosmtplib alone, mails as bytes", "")
    rates: list[tuple[float, float, float]] = []
    async with sides.sink() as smtp:
        for number in range(ROUNDS):
            place = directory / str(number)
            await _seeded(place, incidents=DRAINED, each=1, pending=True)
            served = Gate(place, {"smtp_port": smtp, "log_level": "info", "recipient_sms": ""})
            books = Books(served.database)
            await served.start()
            begun, first = time.monotonic(), _sent(books)
            while (sent := _sent(books)) < DRAINED:
                await asyncio.sleep(0.02)
            ours = (sent - first) / (time.monotonic() - begun)
            await served.stop()
            shutil.rmtree(place)
            composed = await alone(smtp, DRAINED // 2, as_object())
            raw = await alone(smtp, DRAINED // 2, as_bytes())
            figure.ratios.append(ours / composed)
            ready.ratios.append(ours / raw)
            rates.append((ours, composed, raw))
    figure.said = f"{median(r[0] for r in rates):,.0f} and {median(r[1] for r in rates):,.0f} messages/s"
    ready.said = f"{median(r[0] for r in rates):,.0f} and {median(r[2] for r in rates):,.0f} messages/s"
    return [figure, ready]


def _sent(books: Books) -> int:
    return int(books.ask("SELECT count(*) FROM notifications WHERE status = 'sent'")[0][0])


async def _seeded(directory: Path, *, incidents: int, each: int, pending: bool = False) -> None:
    """Make a database with a history in it."""
    directory.mkdir(parents=True)
    gate = Gate(directory, {"smtp_port": 1})
    await gate.start()
    await gate.stop()
    await asyncio.to_thread(seed, gate.database, time.time(), incidents=incidents, each=each, pending=pending)


async def grown(directory: Path) -> list[Figure]:
    """Accept with a long history, and with the mail server down and much pending, against neither."""
    full = Figure("accept with 1,000,000 alerts and 100,000 incidents", "the same, empty", "≥ 0.9")
    down = Figure("accept with SMTP down and 100,000 pending", "SMTP up, none pending", "≥ 0.9")
    await _seeded(directory / "full", incidents=100_000, each=10)
    await _seeded(directory / "down", incidents=100_000, each=1, pending=True)
    nobody = sides.free_port()
    async with (
        sides.sink() as smtp,
        sides.gate(directory / "empty", smtp) as empty,
        sides.gate(directory / "full", smtp) as old,
    ):
        await _warm(empty)
        await _warm(old)
        async with sides.gate(directory / "down", nobody) as cut_off:
            await alerts(cut_off.port, connections=32, seconds=2)
            for _ in range(ROUNDS):
                nothing = await alerts(empty.port, connections=32, seconds=SECONDS)
                much = await alerts(old.port, connections=32, seconds=SECONDS)
                waiting = await alerts(cut_off.port, connections=32, seconds=SECONDS)
                _all_taken(nothing, much, waiting)
                full.ratios.append(much.rate / nothing.rate)
                down.ratios.append(waiting.rate / nothing.rate)
    shutil.rmtree(directory / "full")
    return [full, down]


async def bad_company(directory: Path) -> list[Figure]:
    """A good request's p99 while 500 bad ones a second arrive."""
    figure = Figure("a good request's p99 beside 500 bad ones a second", "without them", "≤ 2")
    said = []
    async with sides.sink() as smtp, sides.gate(directory, smtp, rate_limit="20/minute;100/10 minutes") as gate:
        await _warm(gate)
        for _ in range(ROUNDS):
            alone = await alerts(gate.port, connections=1, seconds=SECONDS)
            count = [0]
            nuisance = asyncio.create_task(_bad(gate.port, 500, SECONDS, count))
            beside = await alerts(gate.port, connections=1, seconds=SECONDS)
            await nuisance
            _all_taken(alone, beside)
            figure.ratios.append(beside.p99 / alone.p99)
            said.append((beside.p99, alone.p99, count[0] / SECONDS))
    figure.said = (
        f"{median(s[0] for s in said):.1f} and {median(s[1] for s in said):.1f} ms; "
        f"{median(s[2] for s in said):.0f} bad a second"
    )
    return [figure]


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


async def on_postgres(directory: Path) -> list[Figure]:
    """Durable accept on PostgreSQL against SQLite."""
    figure = Figure("durable accept on PostgreSQL, 32 connections", "SQLite", "")
    rates = []
    directory.mkdir()
    directory.chmod(0o755)  # PostgreSQL runs as another user when this is root
    with postgres(directory) as server:
        address = server.database()
        async with (
            sides.sink() as smtp,
            sides.gate(directory / "a", smtp) as sqlite,
            sides.gate(directory / "b", smtp, database_url=driver_url(address)) as other,
        ):
            await _warm(sqlite)
            await alerts(other.port, connections=32, seconds=2)
            while Books(address).ask("SELECT count(*) FROM notifications WHERE status = 'sent'")[0][0] < 400:
                await asyncio.sleep(0.1)
            for _ in range(ROUNDS):
                ours = await alerts(other.port, connections=32, seconds=SECONDS)
                base = await alerts(sqlite.port, connections=32, seconds=SECONDS)
                _all_taken(ours, base)
                figure.ratios.append(ours.rate / base.rate)
                rates.append((ours.rate, base.rate))
    figure.said = f"{median(r[0] for r in rates):,.0f} and {median(r[1] for r in rates):,.0f} requests/s"
    return [figure]


ALL: dict[str, Callable[[Path], Awaitable[list[Figure]]]] = {
    "accept": accept,
    "start": start,
    "latency": latency,
    "drain": drain,
    "grown": grown,
    "bad": bad_company,
    "postgres": on_postgres,
}
