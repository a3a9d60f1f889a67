"""SIGKILL at random moments, and faulty builds that the harness must catch."""

import asyncio
import random
from pathlib import Path

from alertgate.settings_load import load as load_settings
from alertgate.store.engine import Store
from torture.books import Books
from torture.gate import SETTINGS, Gate
from torture.load import Load
from torture.mailbox import Door, Ledger
from torture.oracle import judge, missing
from torture.postgres import Postgres, driver_url
from torture.table import Row

RATE = 300.0


async def crashes(
    name: str,
    directory: Path,
    rounds: int,
    *,
    address: str | None = None,
    program: tuple[str, ...] = ("-m", "alertgate"),
) -> Row:
    """Kill a gate under load again and again. After each kill, check what the dead process left in the database."""
    row = Row(name)
    ledger = Ledger()
    door = Door(ledger, slow=0.003)
    await door.open()
    settings: dict[str, object] = {"smtp_port": door.port}
    if address:
        settings["database_url"] = driver_url(address)
    gate = Gate(directory, settings, program)
    books = Books(address or gate.database)
    load = Load([gate.port], RATE)
    allowed: set[str] = set()
    load.start()
    row.recovered.append(await gate.start())
    try:
        for number in range(rounds):
            if number % 10 == 9:  # every tenth time, kill it during its start too
                await asyncio.sleep(random.uniform(0.0, 0.3))
                await gate.kill()
                await _look(row, load, books, allowed)
                await gate.spawn()
                await asyncio.sleep(random.uniform(0.0, 1.0))
            else:
                await asyncio.sleep(random.uniform(0.1, 1.0))
            await gate.kill()
            row.rounds += 1
            await _look(row, load, books, allowed)
            row.recovered.append(await gate.start())
        await load.stop()
        verdict = await judge(load, books, ledger, allowed)
    finally:
        await load.abandon()
        await gate.stop()
        await door.close()
    row.accepted = len(load.acked)
    row.lost += verdict.lost
    row.twice = verdict.twice
    row.said = f"{ledger.copies()} repeated that were in flight; {len(ledger.mails)} mails"
    return row


async def _look(row: Row, load: Load, books: Books, allowed: set[str]) -> None:
    """Compare the answers with the database while the gate is down."""
    await asyncio.sleep(0.02)  # let the load read the answers that were sent before the kill
    left = await asyncio.to_thread(books.after_a_kill)
    try:
        row.lost += [f"after kill {row.rounds}: {what}" for what in missing(load, left)]
        if not left.sound():
            row.lost.append(f"after kill {row.rounds}: the database fails its integrity checks")
        allowed |= left.in_flight()
        if isinstance(books.place, str) and allowed:
            # Nobody takes over from a dead process before its lease of a minute ends, so end it now.
            books.change("UPDATE notifications SET lease_until = 0 WHERE status = 'sending'")
    finally:
        left.forget_copy()


async def cheats(directory: Path, rounds: int) -> Row:
    """Test the harness: it must catch every faulty build. Also check the pragmas, which no kill can test."""
    row = Row("self-test: cheats caught")
    caught = []
    for variant in ("early", "behind"):
        place = directory / variant
        place.mkdir()
        cheat = await _cheat(variant, place, rounds)
        row.rounds += cheat.rounds
        row.accepted += cheat.accepted
        caught.append(f"{variant}: {len(cheat.lost)} lost")
        if not cheat.lost:
            row.lost.append(f"the faulty build '{variant}' wasn't caught")
    row.lost += pragmas(directory)
    row.said = "; ".join(caught)
    return row


async def _cheat(variant: str, directory: Path, rounds: int) -> Row:
    """Kill a faulty build until it is caught, at most `rounds` times."""
    row = Row(variant)
    door = Door(Ledger())
    await door.open()
    gate = Gate(directory, {"smtp_port": door.port}, ("-m", "torture.variants", variant))
    books = Books(gate.database)
    load = Load([gate.port], 1000.0)
    load.start()
    try:
        while row.rounds < rounds and not row.lost:
            await gate.start()
            await asyncio.sleep(random.uniform(0.3, 0.8))
            await gate.kill()
            row.rounds += 1
            await _look(row, load, books, set())
    finally:
        await load.abandon()
        await door.close()
    row.accepted = len(load.acked)
    return row


def pragmas(directory: Path) -> list[str]:
    """Check that writes are synced. No SIGKILL shows it: the operating system keeps what a dead process wrote."""
    store = Store(load_settings(None, **{**SETTINGS, "data_dir": directory / "pragmas"}))
    store.open(exclusive=True)
    try:
        with store.transaction() as connection:
            level = connection.exec_driver_sql("PRAGMA synchronous").scalar()
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    finally:
        store.close()
    return [] if (level, mode) == (2, "wal") else [f"synchronous is {level} and journal_mode {mode}, not FULL and WAL"]


async def on_postgres(server: Postgres, directory: Path, rounds: int) -> Row:
    """Do the same on PostgreSQL, and check that its settings are as durable."""
    row = await crashes("SIGKILL, PostgreSQL", directory, rounds, address=server.database())
    row.lost += [
        f"PostgreSQL's {name} is off" for name in ("fsync", "full_page_writes") if server.setting(name) != "on"
    ]
    return row
