"""The oracle: finds alerts that were lost and messages that were sent twice."""

import asyncio
import time

from torture.books import Books, Verdict
from torture.gate import ADDRESSES
from torture.load import Load
from torture.mailbox import Ledger


def missing(load: Load, books: Books) -> list[str]:
    """Return a line for each event that was answered 2xx and isn't stored as answered."""
    stored = books.stored()
    lost = []
    for number, alert_id in list(load.acked.items()):
        kept = stored.get(load.repeat_key(number))
        if kept is None:
            lost.append(f"event {number}, answered with {alert_id}, isn't stored")
        elif alert_id and kept != alert_id:
            lost.append(f"event {number}, answered with {alert_id}, is stored as {kept}")
    lost += [f"event {number} was accepted twice" for number in load.changed]
    return lost + [f"event {number} is stored twice" for number in load.numbers(books.stored_twice())]


async def drained(books: Books, within: float) -> float | None:
    """Wait until no notification is pending or being sent; return the seconds that took, None after `within`."""
    start = time.monotonic()
    while time.monotonic() - start < within:
        if await asyncio.to_thread(books.waiting) == 0:
            return time.monotonic() - start
        await asyncio.sleep(0.2)
    return None


async def judge(
    load: Load, books: Books, ledger: Ledger, allowed: set[str], *, drain: float = 90.0, clock_jumps: bool = False
) -> Verdict:
    """Wait until everything is delivered, then check the store and the mailbox.

    `allowed` names the notifications that were being sent at a kill; those may be repeated.
    """
    verdict = Verdict()
    if await drained(books, drain) is None:
        verdict.lost += unsent(books, drain)
    verdict.lost += missing(load, books)
    if not books.sound():
        verdict.lost.append("the database fails its integrity checks")
    if not clock_jumps:
        verdict.lost += behind(books)
    verdict.lost += unnamed(load, books, ledger) + wrong_last_words(books, ledger, allowed)
    verdict.twice = len(ledger.twice(allowed))
    return verdict


def unsent(books: Books, within: float) -> list[str]:
    """Return a line for each notification that isn't sent yet, as it is stored now."""
    now = time.time_ns() // 1000
    return [f"a notification isn't sent after {within:g} s, at {now}: {each}" for each in books.unsent()]


def behind(books: Books) -> list[str]:
    """Return a line for each incident whose last message was sent before its latest news, by the gate's own times."""
    return [
        f"{address} was last told of incident {incident} before its latest news"
        for incident, address, *_ in books.untold()
    ]


def unnamed(load: Load, books: Books, ledger: Ledger) -> list[str]:
    """Return a line for each open incident and address of which no message named the newest firing alert.

    Whatever was in flight, the last message must name it; otherwise it was sent too early.
    """
    told = ledger.told()
    newest = {incident: set(load.numbers(keys)) for incident, keys in books.newest().items()}
    return [
        f"{address} was never told of {sorted(events)}, the newest of incident {incident}"
        for incident, events in newest.items()
        for address in ADDRESSES
        if events and not events & told.get(address, set())
    ]


def wrong_last_words(books: Books, ledger: Ledger, may_repeat: set[str]) -> list[str]:
    """Return a line for each incident and address whose last message doesn't say how the incident stands.

    A message that may repeat doesn't count: a process that had begun to send it doesn't know what came since.
    """
    over = books.over()
    return [
        f"{address} was last told that incident {incident} is {'over' if mail.says_over else 'open'}, and it isn't"
        for (incident, address), mail in ledger.last_words().items()
        if mail.told_by not in may_repeat and over.get(incident, mail.says_over) is not mail.says_over
    ]
