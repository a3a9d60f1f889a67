"""Everything around the gate fails in turn: mail servers, disks, databases, the clock, the log."""

import asyncio
import json
import os
import resource
import shutil
import sqlite3
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
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
    "says 554": ("say:end:554 5.7.1 refused", "policy"),
    "greylists": ("greylist", "recipient_busy"),
    "trickles": ("trickle", ""),
}
"""How a mail server fails, and the word that the gate must say of it; empty where nothing is wrong, only slow."""


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
        """Note how long from now it takes until something is so."""
        start = time.monotonic()
        while not what():
            if time.monotonic() - start > within:
                self.row.lost.append(f"not recovered after {within:g} s")
                return
            await asyncio.sleep(0.01)
        self.row.recovered.append(time.monotonic() - start)

    async def takes_again(self) -> None:
        """Note how long it takes until an alert that is sent from now on is answered 2xx."""
        now = time.monotonic()
        await self.first(lambda: any(a.at >= now and 200 <= a.status < 300 for a in self.load.answers[-50:]))

    async def tells_again(self) -> None:
        """Note how long it takes until a mail arrives; after a refused login the next probe is a minute away."""
        count = len(self.ledger.mails)
        await self.first(lambda: len(self.ledger.mails) > count, within=90.0)

    def expect(self, pattern: str) -> None:
        """Look whether the log says what is wrong."""
        if self.gate.says(pattern):
            self.row.said = self.row.said or f"log: {pattern}"
        else:
            self.row.lost.append(f"the log doesn't say {pattern!r}")

    async def health_says(self) -> None:
        """Wait until /health says what is wrong with the store."""
        status, text = 0, ""
        for _ in range(100):
            status, text = await self.gate.get("/health")
            if status == 503:
                self.row.said = "/health: " + json.loads(text)["checks"]["store"]
                return
            await asyncio.sleep(0.1)
        self.row.lost.append(f"/health doesn't say what is wrong; it says {status} {text[:200]}")


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
    """Raise a gate and load it; at the end kill it, look at what is on the disk, start it again, and judge."""
    directory.mkdir(exist_ok=True)
    ledger = Ledger()
    door = Door(ledger, slow=slow)
    await door.open()
    given = {"smtp_port": door.port, **({"database_url": driver_url(address)} if address else {}), **settings}
    gate = Gate(directory, given, program)
    books = Books(address or gate.database)
    load = Load([gate.port], rate, devices=12, connections=6)
    played = Scene(row, gate, load, door, books, ledger)
    try:
        await gate.start(stderr)
        load.start()
        await asyncio.sleep(1.0)
        row.rounds += 1
        yield played
        await asyncio.sleep(1.0)
        await _end(played, drain=drain, clock_jumps=clock_jumps)
    finally:
        await load.abandon()
        if gate.child and gate.child.returncode is None:
            await gate.stop(15)
        await door.close()
        row.accepted += len(load.acked)


async def _end(played: Scene, *, drain: float, clock_jumps: bool) -> None:
    """Kill it too, so that nothing is kept by its memory alone; then judge."""
    row, load, books = played.row, played.load, played.books
    load.paused = True
    await asyncio.sleep(0.1)
    await played.gate.kill()
    left = await asyncio.to_thread(books.after_a_kill)
    row.lost += missing(load, left)
    played.allowed |= left.in_flight()
    left.forget_copy()
    if isinstance(books.place, str):
        books.change("UPDATE notifications SET lease_until = 0 WHERE status = 'sending'")
    load.paused = False
    await played.gate.start()
    await load.stop()
    verdict = await judge(load, books, played.ledger, played.allowed, drain=drain, clock_jumps=clock_jumps)
    row.lost += verdict.lost
    row.twice += verdict.twice


async def mail(name: str, directory: Path) -> Row:
    """Let the mail server fail in one way for a while, and then work again."""
    row = Row(f"SMTP {name}")
    mood, word = MAIL[name]
    async with scene(row, directory) as played:
        before = len(played.load.acked)
        if mood == "refuse":
            await played.door.close()
        else:
            played.door.mood = mood
            if mood.split(":")[-1] in {"connect", "ehlo"}:
                await played.door.close()
                await played.door.open()
        await asyncio.sleep(4.5)
        if len(played.load.acked) < before + 60:
            row.lost.append("alerts weren't taken while the mail server was in trouble")
        if word:
            played.expect(f'"reason": "{word}"')
        played.door.mood = "ok"
        if mood == "refuse":
            await played.door.open()
        await played.tells_again()
    return row


async def mail_restarts(directory: Path) -> Row:
    """Let the mail server restart again and again."""
    row = Row("SMTP restarts under load")
    async with scene(row, directory, slow=0.002) as played:
        for _ in range(5):
            await played.door.close()
            await asyncio.sleep(0.3)
            await played.door.open()
            await played.tells_again()
            row.rounds += 1
        played.expect('"reason": "connection"')
    return row


async def certificates(name: str, directory: Path) -> Row:
    """Show a bad certificate, or offer no STARTTLS: nothing may be said in the clear."""
    row = Row(f"SMTP {name}")
    directory.mkdir()
    good, bad = trustme.CA(), trustme.CA()
    good.cert_pem.write_to_path(str(directory / "ca.pem"))
    protected = {"smtp_security": "starttls", "smtp_ca_file": directory / "ca.pem"}
    context = _context(good)
    async with scene(row, directory, smtp_host="localhost", **protected) as played:
        played.door.tls = None if name == "offers no STARTTLS" else _context(bad)
        await played.door.close()
        await played.door.open()
        plain, taken = played.door.plain_mails, len(played.ledger.mails)
        await asyncio.sleep(4.5)
        if len(played.ledger.mails) > taken:
            row.lost.append("a mail went out without protection")
        played.expect('"reason": "tls"')
        played.door.tls = context
        await played.tells_again()
        if played.door.plain_mails > max(plain, 0) and name == "offers no STARTTLS":
            row.lost.append("MAIL was said in the clear")
    return row


def _context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@contextmanager
def _mounted(directory: Path, size: str) -> Iterator[None]:
    """Mount a small disk. Raises PermissionError where that isn't allowed."""
    directory.mkdir(parents=True)
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory], capture_output=True, check=False
        ).returncode
    ):
        raise PermissionError("mounting a disk isn't permitted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", directory], check=False)


async def full_disk(directory: Path) -> Row:
    """Fill the disk under load, then free it."""
    row = Row("disk full")
    disk = directory / "disk"
    try:
        with _mounted(disk, "48m"):
            async with scene(row, directory, rate=200, data_dir=disk / "data") as played:
                with (disk / "filler").open("wb", buffering=0) as filler:
                    try:
                        while filler.write(bytes(65536)):
                            pass
                    except OSError:
                        pass
                await _hurt(played)
                (disk / "filler").unlink()
                await played.takes_again()
                played.expect("disk is full|disk I/O error")
    except PermissionError as error:
        row.skipped = str(error)
    return row


async def _hurt(played: Scene, hold: float = 4.0) -> None:
    """While the store is in trouble: /health says so, and nothing that is answered 2xx is missing."""
    await played.health_says()
    await asyncio.sleep(hold)
    played.row.lost += missing(played.load, played.books)


async def disk_errors(directory: Path) -> Row:
    """Let every write that would make a file longer fail, as a broken disk or a quota does."""
    row = Row("disk errors (quota)")
    async with scene(row, directory, rate=200) as played:
        _, hard = resource.prlimit(played.gate.pid, resource.RLIMIT_FSIZE)
        size = played.gate.database.with_name("alertgate.db-wal").stat().st_size
        resource.prlimit(played.gate.pid, resource.RLIMIT_FSIZE, (size, hard))
        await _hurt(played)
        resource.prlimit(played.gate.pid, resource.RLIMIT_FSIZE, (hard, hard))
        await played.takes_again()
        played.expect("disk is full|disk I/O error")
    return row


async def read_only(directory: Path) -> Row:
    """Make the files unwritable under a running gate, even for root, as a disk that went read-only is."""
    row = Row("disk read-only")
    if not shutil.which("chattr"):
        row.skipped = "there is no chattr here"
        return row
    async with scene(row, directory, rate=200) as played:
        # Not its -shm: that is mapped into memory, and a write to it would be a SIGBUS, as no read-only disk gives.
        files = [played.gate.database, played.gate.database.with_name("alertgate.db-wal")]
        if subprocess.run(["chattr", "+i", *files], capture_output=True, check=False).returncode:
            row.skipped = "chattr +i isn't permitted here"
        else:
            try:
                await _hurt(played)
            finally:
                subprocess.run(["chattr", "-i", *files], check=True)
            await played.takes_again()
            played.expect("readonly database|disk I/O error|unable to open")
    return row


async def locked(directory: Path) -> Row:
    """Let another process hold the database's write lock for longer than the gate waits."""
    row = Row("database locked")
    async with scene(row, directory) as played:
        with closing(sqlite3.connect(played.gate.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await _hurt(played, 7.0)
            other.execute("ROLLBACK")
        await played.takes_again()
        played.expect("database is locked")
    return row


async def postgres_restarts(server: Postgres, directory: Path) -> Row:
    """Stop PostgreSQL under load as a crash would, and start it again."""
    row = Row("PostgreSQL restarts")
    async with scene(row, directory, address=server.database()) as played:
        for _ in range(2):
            await asyncio.to_thread(server.stop)
            await asyncio.sleep(1.0)
            await played.health_says()
            await asyncio.sleep(1.0)
            await asyncio.to_thread(server.start)
            await played.takes_again()
            row.rounds += 1
            await asyncio.sleep(2.0)
        played.expect("The database can't be used")
    return row


async def postgres_cuts(server: Postgres, directory: Path, cuts: int) -> Row:
    """Cut every connection to PostgreSQL, again and again, wherever the gate is just then."""
    row = Row("PostgreSQL connections cut")
    address = server.database()
    async with scene(row, directory, address=address, rate=200, slow=0.005) as played:
        for number in range(cuts):
            await asyncio.to_thread(server.cut, address)
            await asyncio.sleep(0.13 + number % 7 * 0.017)
            row.rounds += 1
        await played.takes_again()
        played.expect("The database can't be used")
    return row


async def clock_jumps(directory: Path) -> Row:
    """Set the wall clock forward and back by an hour while mails are being sent."""
    row = Row("clock jumps by an hour")
    directory.mkdir()
    offset = directory / "offset"
    offset.write_text("0")
    program = ("-m", "torture.variants", f"clock:{offset}")
    async with scene(row, directory, slow=0.05, program=program, clock_jumps=True) as played:
        for seconds in (3600, 0, -3600, 0):
            _replace(offset, str(seconds))
            await asyncio.sleep(2.0)
            await played.tells_again()
            row.rounds += 1
    return row


def _replace(file: Path, text: str) -> None:
    """Write a file so that nobody reads half of it."""
    other = file.with_suffix(".new")
    other.write_text(text)
    other.rename(file)


async def clock_and_dead_server(directory: Path) -> Row:
    """Set the clock back by an hour while the channel is paused and messages wait for a retry."""
    row = Row("clock back, mail server away")
    directory.mkdir()
    offset = directory / "offset"
    offset.write_text("3600")
    program = ("-m", "torture.variants", f"clock:{offset}")
    async with scene(row, directory, program=program, clock_jumps=True) as played:
        await played.door.close()
        await asyncio.sleep(3.0)
        _replace(offset, "0")
        await asyncio.sleep(1.0)
        await played.door.open()
        await played.tells_again()
        played.expect('"reason": "connection"')
    return row


async def log_closed(directory: Path) -> Row:
    """Close the pipe that the log goes to, while every request writes a line."""
    row = Row("log pipe closed")
    reading, writing = os.pipe()
    swallow = asyncio.create_task(asyncio.to_thread(_swallow, reading, time.monotonic() + 4))
    async with scene(row, directory, stderr=writing, log_level="info", rate=200) as played:
        os.close(writing)
        await swallow
        os.close(reading)
        await played.takes_again()
        await asyncio.sleep(2.0)
        if set(played.load.statuses) - {200, 202}:
            row.lost.append(f"answers changed: {dict(played.load.statuses)}")
        played.load.paused = True
        await asyncio.sleep(1.5)
        before = _cpu(played.gate.pid)
        await asyncio.sleep(1.0)
        busy = _cpu(played.gate.pid) - before
        if busy > 0.5:
            row.lost.append(f"the gate is busy with nothing: {busy:.2f} s of a second")
        if (status := await played.gate.stop()) != 0:
            row.lost.append(f"SIGTERM ended with {status}")
        played.load.paused = False
        await played.gate.start()
        row.said = "goes on serving; SIGTERM ends with 0"
    return row


def _swallow(file: int, until: float) -> None:
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
