"""A steady load for minutes: memory, latency, file descriptors and the database must stay flat."""

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

from torture.books import Books
from torture.gate import Gate
from torture.load import Answer, Load
from torture.mailbox import Door, Ledger
from torture.oracle import drained
from torture.table import Row

DAY = 60.0
"""Seconds that a day lasts for the gate's retention, so that there is something to delete."""
WARM = 60.0
"""Seconds until caches and pools are filled; samples count from twice as long on."""


@dataclass
class Sample:
    """The gate's state at a moment, and its speed since the previous sample."""

    minute: float
    resident: float
    """MiB."""
    descriptors: int
    database: float
    """MiB, with its write-ahead log."""
    alerts: int
    p50: float
    """Milliseconds."""
    p99: float
    posted: int
    refused: int
    mails: int

    def line(self) -> str:
        """Return the sample as a line of the table."""
        return (
            f"{self.minute:6.1f} {self.resident:8.1f} {self.descriptors:4} {self.database:8.1f} {self.alerts:7}"
            f" {self.p50:8.1f} {self.p99:8.1f} {self.posted:7} {self.refused:7} {self.mails:6}"
        )


HEAD = (
    f"{'minute':>6} {'RSS MiB':>8} {'fds':>4} {'db MiB':>8} {'alerts':>7} {'p50 ms':>8} {'p99 ms':>8}"
    f" {'posted':>7} {'not 2xx':>7} {'mails':>6}"
)


async def soak(directory: Path, minutes: float, rate: float, *, every: float = 60.0) -> tuple[Row, list[Sample]]:
    """Load a gate steadily, take a sample every `every` seconds, and report in the row what grew."""
    row = Row(f"soak, {minutes:g} min at {rate:g}/s", rounds=1)
    directory.mkdir(exist_ok=True)
    ledger = Ledger()
    door = Door(ledger)
    await door.open()
    settings = {
        "smtp_port": door.port,
        "group_interval": 5,
        "resolve_after": 15,
        "retention_days": 1,
        "log_level": "info",
    }
    gate = Gate(directory, settings, ("-m", "torture.variants", f"brisk:{DAY}"))
    books = Books(gate.database)
    load = Load([gate.port], rate, connections=16, lifetime=20.0)
    samples: list[Sample] = []
    try:
        await gate.start()
        load.start()
        start = time.monotonic()
        print(HEAD, flush=True)
        while time.monotonic() - start < minutes * 60 - 1:
            load.answers.clear()
            await asyncio.sleep(min(every, start + minutes * 60 - time.monotonic()))
            samples.append(await _sample(gate, books, load, ledger, (time.monotonic() - start) / 60))
            print(samples[-1].line(), flush=True)
            row.lost += _missing_lately(load, books)
        await load.stop()
        if await drained(books, 30) is None:
            row.lost.append("notifications aren't sent after 30 s")
        row.twice = ledger.copies()
    finally:
        await load.abandon()
        await gate.stop()
        await door.close()
    row.accepted = len(load.acked)
    row.lost += unsteady(samples, rate, every)
    last = samples[-1]
    row.said = f"RSS {samples[0].resident:.0f} to {last.resident:.0f} MiB, p99 {last.p99:.0f} ms"
    return row, samples


def _missing_lately(load: Load, books: Books) -> list[str]:
    """Return a line for each recent event that was answered 2xx and isn't stored; retention may delete older ones."""
    recent = [number for number in load.acked if number >= load.issued - int(load.rate * 10)]
    stored = books.stored()
    return [f"event {number} isn't stored" for number in recent if load.repeat_key(number) not in stored]


async def _sample(gate: Gate, books: Books, load: Load, ledger: Ledger, minute: float) -> Sample:
    answers = list(load.answers)
    seconds = sorted(answer.seconds for answer in answers)
    files = [gate.database, gate.database.with_name("alertgate.db-wal")]
    return Sample(
        minute=minute,
        resident=int(Path(f"/proc/{gate.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20,
        descriptors=len(list(Path(f"/proc/{gate.pid}/fd").iterdir())),
        database=sum(file.stat().st_size for file in files if file.exists()) / 2**20,
        alerts=(await asyncio.to_thread(books.ask, "SELECT count(*) FROM alerts"))[0][0],
        p50=1000 * _quantile(seconds, 0.5),
        p99=1000 * _quantile(seconds, 0.99),
        posted=len(answers),
        refused=_refused(answers),
        mails=len(ledger.mails),
    )


def _refused(answers: list[Answer]) -> int:
    return sum(not 200 <= answer.status < 300 for answer in answers)


def _quantile(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0


def unsteady(samples: list[Sample], rate: float, every: float) -> list[str]:
    """Return a line for each value that grew by more than noise from the first warm sample to the last."""
    warm = [sample for sample in samples if sample.minute * 60 >= 2 * WARM] or samples[-1:]
    first, last = warm[0], warm[-1]
    found = []
    if last.resident > first.resident * 1.2 + 10:
        found.append(f"memory grew from {first.resident:.0f} to {last.resident:.0f} MiB")
    if last.descriptors > first.descriptors + 8:
        found.append(f"file descriptors grew from {first.descriptors} to {last.descriptors}")
    if last.database > first.database * 1.3 + 48:
        found.append(f"the database grew from {first.database:.0f} to {last.database:.0f} MiB")
    if last.p50 > first.p50 * 3 + 20:
        found.append(f"latency grew from {first.p50:.0f} to {last.p50:.0f} ms at the median")
    if any(sample.refused for sample in samples):
        found.append(f"{sum(sample.refused for sample in samples)} requests weren't answered 2xx")
    if sum(sample.posted for sample in samples) < 0.9 * rate * every * len(samples):
        found.append("the gate didn't keep up with the rate")
    return found
