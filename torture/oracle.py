"""The oracle: it tells whether anything was lost, and whether anybody was told twice."""

import asyncio
import time

from torture.books import Books, Verdict
from torture.gate import ADDRESSES
from torture.load import Load
from torture.mailbox import Ledger


def missing(load: Load, books: Books) -> list[str]:
    """Return what was answered 2xx and isn't in the store as answered."""
    stored = books.stored()
    lost = []
    for number, alert_id in list(load.acked.items()):
        kept = stored.get(load.repeat_key(number))
        if kept is None:
            lost.append(f"event {number}, answered with {alert_id}, isn't stored")
        elif alert_id and kept != alert_id:
            lost.append(f"event {number}, answered with {alert_id}, is stored as {kept}")
    return lost + [f"event {number} was accepted twice" for number in load.changed]


async def drained(books: Books, within: float) -> float | None:
    """Wait until no notification is on its way; return how many seconds that took, None when it didn't happen."""
    start = time.monotonic()
    while time.monotonic() - start < within:
        if await asyncio.to_thread(books.waiting) == 0:
            return time.monotonic() - start
        await asyncio.sleep(0.2)
    return None


async def judge(
    load: Load, books: Books, ledger: Ledger, allowed: set[str], *, drain: float = 90.0, clock_jumps: bool = False
) -> Verdict:
    """Let everything be delivered, then look: in the store, and in the mailbox.

    `allowed` names the notifications that were being sent at a kill, which may be repeated.
    """
    verdict = Verdict()
    if await drained(books, drain) is None:
        verdict.lost += [f"{books.waiting()} messages are still on their way after {drain:g} s"]
    verdict.lost += missing(load, books)
    if not books.sound():
        verdict.lost.append("the database isn't in order")
    if not clock_jumps:
        verdict.lost += behind(books)
    told = ledger.told()
    for event in load.numbers(books.newest()):
        # Whatever was in flight when: the last message names the newest alert, or it came too early.
        verdict.lost += [
            f"{address} was never told of event {event}, the newest of its device"
            for address in ADDRESSES
            if event not in told.get(address, set())
        ]
    verdict.twice = len(ledger.twice({f"{notification}@example.net" for notification in allowed}))
    return verdict


def behind(books: Books) -> list[str]:
    """Return the incidents whose last message was sent before their last alert came, by the gate's own times."""
    return [
        f"{address} was last told of incident {incident} before its latest alert"
        for incident, address, *_ in books.untold()
    ]
