"""What 10,000 open incidents with running escalations cost while nothing happens, and while people are reminded."""

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, closing
from pathlib import Path

from torture.gate import Gate

from bench import processor, sides
from bench.figure import Figure
from bench.seed import seeded

RUNNING = 10_000
ROUNDS = 3
SECONDS = 5.0
"""The length of a round."""
HOUR = 3600.0
POLICY = """
[people.me]
contacts = ["email:me@example.com"]
[escalations.house]
steps = [{{ notify = ["me"] }}]
repeat_every = "{repeat}"
stop_after = "7d"
[[routes]]
escalation = "house"
"""
_SENT = "UPDATE notifications SET status = 'sent', told = 'open', finished_at = due_at, attempts = 1"
_RUNS = """
INSERT INTO escalations (incident_id, escalation, route, begun_at, wait, step, step_at, reminders, reminded_at,
                         first_sent_at, gave_up, told, reason, next_at)
SELECT id, 'house', '[[routes]] 1', opened_at, 0, 1, opened_at, 0, {now} - {hour} + rowid * {apart},
       opened_at, 0, '["me"]', 'step_runs', {now} + rowid * {apart} FROM incidents
"""


async def escalations(directory: Path) -> list[Figure]:
    """Measure the processor time of a service beyond that of one without incidents, all at the same time."""
    async with sides.sink() as smtp, AsyncExitStack() as stack:
        idle = await stack.enter_async_context(_gate(directory / "idle", smtp, "2h"))
        gates = []
        for name, repeat in (("waiting", "2h"), ("reminding", "1h")):
            place = directory / name
            await seeded(place, incidents=RUNNING, each=1, pending=True)
            await asyncio.to_thread(_run, place / "data" / "alertgate.db", time.time())
            gates.append(await stack.enter_async_context(_gate(place, smtp, repeat)))
        for gate in gates:
            await _decided(gate)
        await _round(idle, gates)  # each is decided anew after a start
        rounds = [await _round(idle, gates) for _ in range(ROUNDS)]
        reminders = _reminders(gates[1])
    waiting, reminding = zip(*rounds, strict=True)
    what = f"{RUNNING:,} running escalations, processor time of a minute"
    said = f"one reminder an hour of each, sent; {reminders:,} so far"
    return [
        Figure(f"{what}, nothing due", "", "≤ 1", waiting, "beyond a service without incidents", unit="s"),
        Figure(f"{what}, with reminders", "", "", reminding, said, unit="s"),
    ]


def _gate(directory: Path, smtp: int, repeat: str) -> AbstractAsyncContextManager[Gate]:
    directory.mkdir(parents=True, exist_ok=True)
    policy = directory / "alertgate.toml"
    policy.write_text(POLICY.format(repeat=repeat))
    return sides.gate(directory, smtp, policy_file=policy, recipient_email="", recipient_sms="")


def _run(file: Path, now: float) -> None:
    """Have each incident's first message sent, and its next reminder due at a time of its own in the coming hour."""
    micro = 1_000_000
    apart = int(HOUR * micro / RUNNING)
    with closing(sqlite3.connect(file, timeout=60)) as connection:
        connection.execute(_SENT)
        connection.execute(_RUNS.format(now=int(now * micro), hour=int(HOUR * micro), apart=apart))
        connection.commit()


async def _decided(gate: Gate) -> None:
    """Wait until every escalation was decided by the policy of this start, and what that made due was sent."""
    query = "SELECT count(*) FROM escalations WHERE next_at < {now}"
    pending = "SELECT count(*) FROM notifications WHERE status <> 'sent'"
    async with asyncio.timeout(60):
        while _count(gate, query.format(now=int((time.time() - 2) * 1e6))) or _count(gate, pending):
            await asyncio.sleep(0.2)


def _reminders(gate: Gate) -> int:
    return _count(gate, "SELECT count(*) FROM notifications WHERE kind = 'reminder'")


def _count(gate: Gate, query: str) -> int:
    with closing(sqlite3.connect(f"file:{gate.database}?mode=ro", uri=True, timeout=20)) as connection:
        return int(connection.execute(query).fetchone()[0])


async def _round(idle: Gate, gates: Sequence[Gate]) -> list[float]:
    """Return the processor seconds of a minute of each gate, beyond those of the idle one."""
    before = [processor.seconds(gate.pid) for gate in (idle, *gates)]
    start = time.monotonic()
    await asyncio.sleep(SECONDS)
    minutes = (time.monotonic() - start) / 60
    first, *others = (
        (processor.seconds(gate.pid) - used) / minutes for gate, used in zip((idle, *gates), before, strict=True)
    )
    return [each - first for each in others]
