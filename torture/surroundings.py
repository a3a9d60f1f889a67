"""Faults outside the gate: mail servers, PostgreSQL, the clock, the log."""

import asyncio
import json
import os
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from torture.books import Books
from torture.gate import Gate
from torture.load import Load
from torture.mailbox import Door, Ledger
from torture.oracle import judge, missing
from torture.postgres import Postgres, driver_url
from torture.table import Row

MAIL = {
    "refused": ("refuse", "connection"),
    "hangs at connect": ("hang:connect", "timeout"),
    "hangs at EHLO": ("hang:ehlo", "timeout"),
    "hangs at MAIL": ("hang:mail", "timeout"),
    "hangs at RCPT": ("hang:rcpt", "timeout"),
    "hangs at DATA": ("hang:data", "timeout"),
    "hangs in the content": ("hang:middle", "timeout"),
    "hangs after the content": ("hang:end", "timeout"),
    "drops in the content": ("drop:middle", "connection"),
    "drops after the content": ("drop:end", "connection"),
    "says 421": ("say:mail:421 4.7.0 try again later", "try_later"),
    "says 451": ("say:end:451 4.3.0 try again later", "recipient_busy"),
    "says 452": ("say:rcpt:452 4.2.2 mailbox full", "mailbox_full"),
    "says 535": ("say:mail:535 5.7.8 bad credentials", "credentials"),
    "says 550": ("say:rcpt:550 5.1.1 no such user", "no_such_recipient"),
    "says 552": ("say:end:552 5.3.4 too large", "too_large"),
    "says 554": ("say:end:554 5.7.1 refused as spam", "policy"),
    "greylists": ("greylist", "recipient_busy"),
    "trickles": ("trickle", ""),
}
"""How a mail server fails, and the reason that the gate must log; empty if the server is only slow."""
FAILS_FOR_GOOD = frozenset({"no_such_recipient", "too_large", "policy"})
"""Reasons after which a notification isn't retried, but by `alertgate retry`."""


@dataclass
class Scene:
    """A gate under load, with its mail server."""

    row: Row
    gate: Gate
    load: Load
    door: Door
    books: Books
    ledger: Ledger
    allowed: set[str] = field(default_factory=set)

    async def first(self, what: Callable[[], bool], within: float = 60.0) -> None:
        """Record the seconds until `what` is true; if it isn't within `within` seconds, record a loss."""
        start = time.monotonic()
        while not what():
            if time.monotonic() - start > within:
                self.row.lost.append(f"not recovered after {within:g} s")
                return
            await asyncio.sleep(0.01)
        self.row.recovered.append(time.monotonic() - start)

    async def takes_again(self) -> None:
        """Record the seconds until an alert that is sent from now on is answered 2xx."""
        now = time.monotonic()
        await self.first(lambda: any(a.at >= now and 200 <= a.status < 300 for a in self.load.answers[-50:]))

    async def tells_again(self) -> None:
        """Record the seconds until a mail arrives; after a refused login the next probe is a minute away."""
        count = len(self.ledger.mails)
        await self.first(lambda: len(self.ledger.mails) > count, within=90.0)

    def expect(self, pattern: str) -> None:
        """Require that the log matches a pattern."""
        if self.gate.says(pattern):
            self.row.said = self.row.said or f"log: {pattern}"
        else:
            self.row.lost.append(f"the log doesn't match {pattern!r}")

    async def health_says(self) -> None:
        """Wait until /health answers 503 and says what is wrong with the store."""
        status, text = 0, ""
        for _ in range(100):
            status, text = await self.gate.get("/health")
            if status == 503:
                self.row.said = "/health: " + json.loads(text)["checks"]["store"]
                return
            await asyncio.sleep(0.1)
        self.row.lost.append(f"/health doesn't say what is wrong; it answers {status} {text[:200]}")


@asynccontextmanager
async def scene(
    row: Row,
    directory: Path,
    *,
    rate: float = 60.0,
    slow: float = 0.0,
    address: str | None = None,
    program: tuple[str, ...] = ("-m", "alertgate"),
    clock_jumps: bool = False,
    stderr: int | None = None,
    drain: float = 90.0,
    **settings: Any,
) -> AsyncIterator[Scene]:
    """Run a gate under load. At the end kill it, check what is on disk, start it again, and judge."""
    directory.mkdir(exist_ok=True)
    ledger = Ledger()
    door = Door(ledger, slow=slow)
    await door.open()
    given = {"smtp_port": door.port, **({"database_url": driver_url(address)} if address else {}), **settings}
    gate = Gate(directory, given, program)
    books = Books(address or gate.database)
    load = Load([gate.port], rate, devices=12, connections=6)
    run = Scene(row, gate, load, door, books, ledger)
    try:
        await gate.start(stderr)
        load.start()
        await asyncio.sleep(1.0)
        row.rounds += 1
        yield run
        await asyncio.sleep(1.0)
        await _end(run, drain=drain, clock_jumps=clock_jumps)
    finally:
        await load.abandon()
        if gate.child and gate.child.returncode is None:
            await gate.stop(15)
        await door.close()
        row.accepted += len(load.acked)


async def _end(run: Scene, *, drain: float, clock_jumps: bool) -> None:
    """Kill the gate, so that nothing survives in its memory alone; start it again and judge."""
    row, load, books = run.row, run.load, run.books
    load.paused = True
    await asyncio.sleep(0.1)
    await run.gate.kill()
    left = await asyncio.to_thread(books.after_a_kill)
    row.lost += missing(load, left)
    run.allowed |= left.in_flight()
    left.forget_copy()
    if isinstance(books.place, str):
        books.change("UPDATE notifications SET lease_until = 0 WHERE status = 'sending'")
    load.paused = False
    await run.gate.start()
    await load.stop()
    verdict = await judge(load, books, run.ledger, run.allowed, drain=drain, clock_jumps=clock_jumps)
    row.lost += verdict.lost
    row.twice += verdict.twice
    if verdict.lost or verdict.twice:
        row.lost.append(f"what it said: {run.gate.last_words()}")


async def mail(name: str, directory: Path) -> Row:
    """Make the mail server fail in one way for some seconds, then work again."""
    row = Row(f"SMTP {name}")
    mood, reason = MAIL[name]
    async with scene(row, directory) as run:
        before = len(run.load.acked)
        if mood == "refuse":
            await run.door.close()
        else:
            run.door.mood = mood
            if mood.split(":")[-1] in {"connect", "ehlo"}:
                await run.door.close()
                await run.door.open()
        await asyncio.sleep(4.5)
        if len(run.load.acked) < before + 60:
            row.lost.append("alerts weren't accepted while the mail server failed")
        if reason:
            run.expect(f'"reason": "{reason}"')
        run.door.mood = "ok"
        if mood == "refuse":
            await run.door.open()
        await run.tells_again()
        if reason in FAILS_FOR_GOOD:
            await asyncio.sleep(1.0)  # until the last refusals are recorded
            await run.gate.retry_all()
    return row


async def mail_restarts(directory: Path) -> Row:
    """Restart the mail server again and again."""
    row = Row("SMTP restarts under load")
    async with scene(row, directory, slow=0.002) as run:
        for _ in range(5):
            await run.door.close()
            await asyncio.sleep(0.3)
            await run.door.open()
            await run.tells_again()
            row.rounds += 1
        run.expect('"reason": "connection"')
    return row


async def certificates(name: str, directory: Path) -> Row:
    """Present a bad certificate, or offer no STARTTLS: no mail may be sent without TLS that was verified."""
    row = Row(f"SMTP {name}")
    directory.mkdir()
    good, bad = trustme.CA(), trustme.CA()
    good.cert_pem.write_to_path(str(directory / "ca.pem"))
    protected = {"smtp_security": "starttls", "smtp_ca_file": directory / "ca.pem"}
    context = _context(good)
    async with scene(row, directory, smtp_host="localhost", **protected) as run:
        run.door.tls = None if name == "offers no STARTTLS" else _context(bad)
        await run.door.close()
        await run.door.open()
        plain, taken = run.door.plain_mails, len(run.ledger.mails)
        await asyncio.sleep(4.5)
        if len(run.ledger.mails) > taken:
            row.lost.append("a mail was sent without verified TLS")
        run.expect('"reason": "tls"')
        run.door.tls = context
        await run.tells_again()
        if run.door.plain_mails > max(plain, 0) and name == "offers no STARTTLS":
            row.lost.append("MAIL was sent without TLS")
    return row


def _context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


async def postgres_restarts(server: Postgres, directory: Path) -> Row:
    """Stop PostgreSQL under load as in a crash, and start it again."""
    row = Row("PostgreSQL restarts")
    async with scene(row, directory, address=server.database()) as run:
        for _ in range(2):
            await asyncio.to_thread(server.stop)
            await asyncio.sleep(1.0)
            await run.health_says()
            await asyncio.sleep(1.0)
            await asyncio.to_thread(server.start)
            await run.takes_again()
            row.rounds += 1
            await asyncio.sleep(2.0)
        run.expect("The database can't be used")
    return row


async def postgres_cuts(server: Postgres, directory: Path, cuts: int) -> Row:
    """Cut every connection to PostgreSQL again and again, at varying points of the gate's work."""
    row = Row("PostgreSQL connections cut")
    address = server.database()
    async with scene(row, directory, address=address, rate=200, slow=0.005) as run:
        for number in range(cuts):
            await asyncio.to_thread(server.cut, address)
            await asyncio.sleep(0.13 + number % 7 * 0.017)
            row.rounds += 1
        await run.takes_again()
        run.expect("The database can't be used")
    return row


async def clock_jumps(directory: Path) -> Row:
    """Set the wall clock forward and back by an hour while mails are being sent."""
    row = Row("clock jumps by an hour")
    directory.mkdir()
    offset = directory / "offset"
    offset.write_text("0")
    program = ("-m", "torture.variants", f"clock:{offset}")
    # With an interval in which a time of publication can be right although its alert arrives a second late.
    async with scene(row, directory, slow=0.05, program=program, clock_jumps=True, group_interval=10) as run:
        for seconds in (3600, 0, -3600, 0):
            _replace(offset, str(seconds))
            await asyncio.sleep(2.0)
            await run.tells_again()
            row.rounds += 1
    return row


def _replace(file: Path, text: str) -> None:
    """Replace a file atomically."""
    other = file.with_suffix(".new")
    other.write_text(text)
    other.rename(file)


async def clock_and_dead_server(directory: Path) -> Row:
    """Set the clock back by an hour while the channel is paused and notifications wait for a retry."""
    row = Row("clock back, mail server away")
    directory.mkdir()
    offset = directory / "offset"
    offset.write_text("3600")
    program = ("-m", "torture.variants", f"clock:{offset}")
    async with scene(row, directory, program=program, clock_jumps=True) as run:
        await run.door.close()
        await asyncio.sleep(3.0)
        _replace(offset, "0")
        await asyncio.sleep(1.0)
        await run.door.open()
        await run.tells_again()
        run.expect('"reason": "connection"')
    return row


async def log_closed(directory: Path) -> Row:
    """Close the pipe that the log is written to, while every request writes a line."""
    row = Row("log pipe closed")
    reading, writing = os.pipe()
    draining = asyncio.create_task(asyncio.to_thread(_drain_pipe, reading, time.monotonic() + 4))
    async with scene(row, directory, stderr=writing, log_level="info", rate=200) as run:
        os.close(writing)
        await draining
        os.close(reading)
        await run.takes_again()
        await asyncio.sleep(2.0)
        if set(run.load.statuses) - {200, 202}:
            row.lost.append(f"answers changed: {dict(run.load.statuses)}")
        run.load.paused = True
        await asyncio.sleep(1.5)
        before = _cpu(run.gate.pid)
        await asyncio.sleep(1.0)
        busy = _cpu(run.gate.pid) - before
        if busy > 0.5:
            row.lost.append(f"the idle gate used {busy:.2f} s of processor time in a second")
        if (status := await run.gate.stop()) != 0:
            row.lost.append(f"SIGTERM led to exit status {status}")
        run.load.paused = False
        await run.gate.start()
        row.said = "keeps serving; exits with 0 after SIGTERM"
    return row


def _drain_pipe(file: int, until: float) -> None:
    os.set_blocking(file, False)
    while time.monotonic() < until:
        try:
            os.read(file, 65536)
        except BlockingIOError:
            time.sleep(0.01)


def _cpu(pid: int) -> float:
    """Return how many seconds of processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
