"""Three gates on one PostgreSQL: one is killed, another is stopped until its leases have ended and then continues."""

import asyncio
import signal
import time
from pathlib import Path

from torture.books import Books
from torture.gate import Gate
from torture.load import Load
from torture.mailbox import Door, Ledger
from torture.oracle import judge, missing
from torture.postgres import Postgres, driver_url
from torture.table import Row

LEASE = 62.0
"""Seconds: a little longer than a lease."""


async def replicas(server: Postgres, directory: Path, *, rounds: int, patient: bool) -> Row:
    """Kill one of three gates and stop another. Each has its own door, which shows who sent a copy.

    With `patient`, the stopped gate sleeps until its leases have really ended. Otherwise they are ended in the
    database; the sleeper can't tell by its clock, so it may send again what it had begun to send.
    """
    row = Row("replicas: killed, paused" + ("" if patient else " (aged)"))
    address = server.database()
    ledger = Ledger()
    doors = [Door(ledger, name=f"door {number}", slow=0.02) for number in range(3)]
    for door in doors:
        await door.open()
    gates = [
        Gate(directory, {"smtp_port": door.port, "database_url": driver_url(address)}, name=f"gate{number}")
        for number, door in enumerate(doors)
    ]
    books = Books(address)
    load = Load([gate.port for gate in gates], 150.0, devices=48, connections=12)
    allowed: set[str] = set()
    try:
        await asyncio.gather(*(gate.start() for gate in gates))
        load.start()
        for number in range(rounds):
            await asyncio.sleep(1.5)
            killed, sleeper = gates[number % 3], gates[(number + 1) % 3]
            await killed.kill()
            await sleeper.signal(signal.SIGSTOP)
            stopped = time.monotonic()
            held = await _held(books)
            allowed |= held
            row.lost += missing(load, books)
            await asyncio.sleep(LEASE if patient else 0.5)
            if not patient:
                names = ", ".join(f"'{name}'" for name in held) or "''"
                books.change(
                    f"UPDATE notifications SET lease_until = 0 WHERE status = 'sending' AND id IN ({names})"  # noqa: S608
                )
            await _taken_over(books, held)
            row.recovered.append(time.monotonic() - stopped - (LEASE if patient else 0.5))
            woken = time.monotonic()
            await sleeper.signal(signal.SIGCONT)
            await asyncio.sleep(3.0)
            if patient:
                row.lost += _needless(ledger, books, doors[(number + 1) % 3].name, doors[(number + 2) % 3].name, woken)
            await killed.start()
            row.rounds += 1
        await load.stop()
        verdict = await judge(load, books, ledger, allowed)
        row.lost += verdict.lost
        row.twice = verdict.twice
    finally:
        await load.abandon()
        for gate in gates:
            await gate.signal(signal.SIGCONT)
            await gate.stop(15)
        for door in doors:
            await door.close()
    row.accepted = len(load.acked)
    row.said = f"{ledger.copies()} repeated that were in flight; {len(ledger.mails)} mails"
    return row


async def _held(books: Books) -> set[str]:
    """Return what the killed and the stopped gate hold: the notifications that are still being sent a second later."""
    held = books.in_flight()
    for _ in range(4):
        await asyncio.sleep(0.25)
        held &= books.in_flight()
    return held


async def _taken_over(books: Books, held: set[str], within: float = 30.0) -> None:
    """Wait until none of these is being sent any more: another gate has taken over and sent them."""
    start = time.monotonic()
    while time.monotonic() - start < within and held & books.in_flight():
        await asyncio.sleep(0.1)


def _needless(ledger: Ledger, books: Books, door: str, survivor: str, woken: float) -> list[str]:
    """Return the messages that the sleeper sent after it woke, although the survivor had sent and recorded them.

    What the killed gate was sending doesn't count: any gate that takes it over sends it, and that may be the sleeper.
    Nor does a message whose answer the survivor didn't get in time, on a busy machine: it must be sent again.
    """
    twice = "SELECT notification_id FROM attempts WHERE outcome = 'sent' GROUP BY notification_id HAVING count(*) > 1"
    recorded = {row[0] for row in books.ask(twice)}
    by_survivor = {mail.told_by for mail in ledger.mails if mail.door == survivor and mail.at < woken} & recorded
    return [
        f"{mail.message_id} was sent again by the gate that had slept"
        for mail in ledger.mails
        if mail.door == door and mail.at > woken and mail.told_by in by_survivor
    ]
