"""SIGKILL while escalations run: who had to be told by when, who must not be told any more, and nobody twice."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from torture.books import Books
from torture.gate import API, Gate
from torture.load import TOKEN
from torture.mailbox import Door, Ledger, Taken
from torture.oracle import drained, unsent
from torture.postgres import Postgres, driver_url
from torture.table import Row

STEP, REPEAT, STOP = 3.0, 4.0, 13.0
"""Seconds: from step to step, from reminder to reminder, and until reminders end."""
STEPS = ("first@example.net", "second@example.net", "third@example.net")
"""Whom each step tells."""
FATES = ("unanswered", "acknowledged", "over")
"""What becomes of an incident. The latter two happen to it after some seconds."""
GRACE = 5.0
"""Seconds that a gate may be late, counted while one serves: the looks at the store, leases, and a loaded machine."""
IN_FLIGHT = 2.0
"""Seconds in which a message may still arrive that was being sent when somebody acknowledged."""
POLICY = f"""
{"".join(f'[people.{name.partition("@")[0]}]{chr(10)}contacts = ["email:{name}"]{chr(10)}' for name in STEPS)}
[escalations.house]
steps = [
  {{ notify = ["first"] }},
  {{ after = "{STEP:g}s", notify = ["second"] }},
  {{ after = "{STEP:g}s", notify = ["third"] }},
]
repeat_every = "{REPEAT:g}s"
stop_after = "{STOP:g}s"
[[routes]]
escalation = "house"
"""
BEGINNINGS = frozenset({"opening", "handoff"})
SAYS = {"acknowledged": "ACKNOWLEDGED", "over": "RESOLVED"}
"""The first word of a message that tells the end, of whatever kind it was planned as."""
NAGGING = BEGINNINGS | {"reminder", "unanswered"}
"""The kinds of message that nobody gets of what is dealt with."""


@dataclass
class Story:
    """One incident: what became of it, and when (monotonic clock)."""

    number: int
    fate: str
    incident: str = ""
    asked_at: float = 0.0
    """When the request began whose answer was 2xx: it is open from then on, or since an answer that was lost."""
    opened_at: float = 0.0
    ended_at: float | None = None
    """When the answer came that it is acknowledged or over."""
    ending_at: float = 0.0
    """When the first request to end it began: its effect may be older than its answer."""


@dataclass
class Uptime:
    """When a gate served."""

    spans: list[tuple[float, float]] = field(default_factory=list)
    up_since: float | None = None

    def began(self) -> None:
        """Note that a gate serves."""
        self.up_since = time.monotonic()

    def ended(self) -> None:
        """Note that it is killed now."""
        if self.up_since is not None:
            self.spans.append((self.up_since, time.monotonic()))
            self.up_since = None

    def between(self, start: float, end: float) -> float:
        """Return for how many seconds a gate served in this time."""
        spans = [*self.spans, (self.up_since, time.monotonic())] if self.up_since is not None else self.spans
        return sum(max(0.0, min(end, until) - max(start, since)) for since, until in spans)


class Sender:
    """Raises, acknowledges and ends incidents, and asks again until each answer is 2xx."""

    def __init__(self, gates: Sequence[Gate], rate: float) -> None:
        self._gates = gates
        self._rate = rate
        self.stories: list[Story] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self, seconds: float) -> None:
        """Raise incidents at the rate for so many seconds, and wait until each met its fate."""
        until = time.monotonic() + seconds
        async with httpx.AsyncClient(timeout=5) as client:
            while time.monotonic() < until:
                story = Story(len(self.stories), FATES[len(self.stories) % len(FATES)])
                self.stories.append(story)
                self._tasks.append(asyncio.create_task(self._tell(client, story)))
                await asyncio.sleep(1 / self._rate)
            await asyncio.gather(*self._tasks)

    async def _tell(self, client: httpx.AsyncClient, story: Story) -> None:
        body = {"event": "leak", "coreid": f"d{story.number}", "published_at": _instant()}
        story.asked_at = time.monotonic()
        accepted = await self._ask(client, "POST", "/webhook/particle", TOKEN, body)
        if accepted["status"] == "duplicate":  # the first answer was lost
            accepted = await self._ask(client, "GET", f"/api/alerts/{accepted['id']}", API)
            story.incident = accepted["incident"]["id"]
        else:
            story.incident = accepted["incident"]
        story.opened_at = time.monotonic()
        if story.fate == "unanswered":
            return
        await asyncio.sleep(random.uniform(0.0, STOP - 1.0))
        story.ending_at = time.monotonic()
        if story.fate == "acknowledged":
            await self._ask(client, "POST", f"/api/incidents/{story.incident}/acknowledge", API, {"by": "somebody"})
        else:
            body = {**body, "published_at": _instant(), "status": "resolved"}
            await self._ask(client, "POST", "/webhook/particle", TOKEN, body)
        story.ended_at = time.monotonic()

    async def _ask(
        self, client: httpx.AsyncClient, method: str, path: str, token: str, body: object = None
    ) -> dict[str, Any]:
        """Ask one gate after the other until one answers 2xx; return the answer."""
        headers = {"Authorization": f"Bearer {token}"}
        while True:
            for gate in self._gates:
                try:
                    address = f"http://127.0.0.1:{gate.port}{path}"
                    answer = await client.request(method, address, json=body, headers=headers)
                except httpx.TransportError:
                    continue
                if answer.is_success:
                    return dict(answer.json())
            await asyncio.sleep(0.05)


def _instant() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{time.time_ns() // 1_000_000 % 1000:03}Z"


@dataclass
class Told:
    """What arrived, with the kind of each message as the store has it."""

    mails: Sequence[Taken]
    kinds: dict[str, str]

    def of(self, story: Story, address: str, kinds: frozenset[str]) -> list[Taken]:
        """Return the first mail of each notification of these kinds about an incident to an address."""
        return [mail for mail in _first(self._about(story, address)) if self._kind(mail) in kinds]

    def of_the_end(self, story: Story, address: str) -> list[Taken]:
        """Return the first mail of each notification to an address that says what became of an incident.

        One that was being sent at a kill may have said before that it is open.
        """
        return _first(mail for mail in self._about(story, address) if mail.says == SAYS.get(story.fate))

    def last_of(self, first: Taken) -> float:
        """Return when the last copy of a mail arrived."""
        return max(mail.at for mail in self.mails if mail.told_by == first.told_by)

    def _kind(self, mail: Taken) -> str:
        return self.kinds.get(mail.told_by, "")

    def _about(self, story: Story, address: str) -> list[Taken]:
        """Return the first copy of each mail: people see one of those with the same id."""
        found: dict[str, Taken] = {}
        for mail in self.mails:
            if mail.incident == story.incident and mail.to == address:
                found.setdefault(mail.message_id, mail)
        return list(found.values())


def _first(mails: Iterable[Taken]) -> list[Taken]:
    found: dict[str, Taken] = {}
    for mail in mails:
        found.setdefault(mail.told_by, mail)
    return list(found.values())


def judge(stories: Sequence[Story], told: Told, uptime: Uptime) -> list[str]:
    """Return a line for each promise that was broken."""
    return [line for story in stories for line in (*_late(story, told, uptime), *_too_much(story, told))]


def _late(story: Story, told: Told, uptime: Uptime) -> list[str]:
    """Return who wasn't told in time. What was due while no gate served is due once one does."""
    lines = []
    for number, address in enumerate(STEPS):
        due = story.opened_at + number * (STEP + GRACE)
        had_to = story.ended_at is None or uptime.between(due, story.ending_at) > GRACE
        began = told.of(story, address, BEGINNINGS)
        if not began and had_to:
            lines.append(f"{address} was never told of incident {story.number} ({story.fate})")
        elif began and (late := uptime.between(due, began[0].at)) > GRACE:
            lines.append(f"{address} was told of incident {story.number} {late:.1f} s late")
        gave_up = [mail.at for one in STEPS for mail in told.of(story, one, frozenset({"unanswered"}))]
        if story.ended_at is None and not gave_up:
            lines.append(f"nobody was told that nobody answered incident {story.number}")
        # What was sent again after a kill may include by then that nobody answered.
        knew = bool(began) and told.last_of(began[0]) < min(gave_up, default=0.0) - IN_FLIGHT
        if story.ended_at is None and knew and not told.of(story, address, frozenset({"unanswered"})):
            lines.append(f"{address} wasn't told that nobody answered incident {story.number}")
        if story.ended_at is not None and began and not told.of_the_end(story, address):
            lines.append(f"{address} wasn't told that incident {story.number} is {story.fate}")
    return lines


def _too_much(story: Story, told: Told) -> list[str]:
    """Return who was told twice, too early, or of what was dealt with."""
    lines = []
    for number, address in enumerate(STEPS):
        counts = Counter({kind: len(told.of(story, address, frozenset({kind}))) for kind in NAGGING})
        most = (STOP + GRACE) / REPEAT  # reminders end that long after the first message, which may be late itself
        if counts["opening"] + counts["handoff"] > 1 or counts["unanswered"] > 1 or counts["reminder"] > most:
            lines.append(f"{address} was told too often of incident {story.number}: {dict(counts)}")
        if len(told.of_the_end(story, address)) > 1:
            lines.append(f"{address} was told twice that incident {story.number} is {story.fate}")
        nagged = [mail for mail in told.of(story, address, NAGGING) if mail.says not in SAYS.values()]
        if any(mail.at < story.asked_at + number * STEP for mail in nagged):
            lines.append(f"{address} was told of incident {story.number} before the step was due")
        if story.ended_at is not None and any(mail.at > story.ended_at + IN_FLIGHT for mail in nagged):
            lines.append(f"{address} was told of incident {story.number} after it was {story.fate}")
    return lines


async def escalations(name: str, directory: Path, kills: int, *, address: str | None = None, replicas: int = 1) -> Row:
    """Kill one gate after the other while escalations run, and start it again."""
    row, ledger = Row(name), Ledger()
    directory.mkdir(exist_ok=True)
    policy = directory / "alertgate.toml"
    policy.write_text(POLICY)
    door = Door(ledger, slow=0.003)
    await door.open()
    settings: dict[str, object] = {
        "smtp_port": door.port,
        "recipient_email": "",
        "recipient_sms": "",
        "policy_file": policy,
        "group_interval": 60,
    }
    if address:
        settings["database_url"] = driver_url(address)
    gates = [Gate(directory, settings, name=f"gate{number}") for number in range(replicas)]
    books, uptime, allowed = Books(address or gates[0].database), Uptime(), set[str]()
    sender = Sender(gates, rate=2.0)
    try:
        for gate in gates:
            row.recovered.append(await gate.start())
        uptime.began()
        raising = asyncio.create_task(sender.run(kills * 1.6))
        for number in range(kills):
            await asyncio.sleep(random.uniform(0.3, 2.0))
            await _kill(gates[number % replicas], row, books, uptime, allowed, alone=replicas == 1)
        await raising
        await asyncio.sleep(len(STEPS) * STEP + STOP)
        if await drained(books, 60) is None:
            row.lost += unsent(books, 60)
    finally:
        for gate in gates:
            await gate.stop()
        await door.close()
    kinds = {row[0]: row[1] for row in books.ask("SELECT id, kind FROM notifications")}
    row.lost += judge(sender.stories, Told(ledger.mails, kinds), uptime)
    row.twice = len(ledger.twice(allowed))
    row.accepted = len(sender.stories)
    row.said = f"{ledger.copies()} repeated that were in flight; {len(ledger.mails)} mails"
    return row


async def _kill(gate: Gate, row: Row, books: Books, uptime: Uptime, allowed: set[str], *, alone: bool) -> None:
    await gate.kill()
    if alone:
        uptime.ended()
    left = books.in_flight()
    allowed |= left
    if isinstance(books.place, str) and left:
        # Nobody takes over from a dead process before its lease of a minute ends, so end it now.
        books.change("UPDATE notifications SET lease_until = 0 WHERE status = 'sending'")
    row.rounds += 1
    row.recovered.append(await gate.start())
    if alone:
        uptime.began()


async def on_postgres(server: Postgres, directory: Path, kills: int) -> Row:
    """Do the same with two gates on PostgreSQL, one of which always serves."""
    return await escalations("escalations, two replicas", directory, kills, address=server.database(), replicas=2)
