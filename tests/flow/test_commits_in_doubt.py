"""PostgreSQL's connections are cut at commits, and the gate can't know which of them were done: all is told once."""

import asyncio
import random
import re
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest

from alertgate.store import Connection, escalations
from tests.conftest import API_BEARER, BEARER
from tests.cut_commits import Cut, Cutter, cutter
from tests.fakes import START, until
from tests.flow.household import MINUTE, Household, escalation, household, person, policy, said, step

pytestmark = pytest.mark.postgres

RELEASED_AFTER = 11.0
"""Seconds after which the gate releases what it has claimed and isn't sending: the answer to that commit was lost."""
PEOPLE = (person("owner"), person("partner"), person("neighbour"))
HOME = escalation("home", step("owner", "partner"), step("neighbour", after=30), repeat_every=25 * MINUTE)
HOUSE = policy(PEOPLE, (HOME,))
"""Its times are so far from each other that what is cut off, ten seconds each, brings no further reminder."""
OPENING = "WARNING A new alert."
REMINDER = "WARNING #st reminder, open for # min: nobody has acknowledged it."
HANDOFF = "WARNING Nobody has acknowledged it: owner and partner were told."
TAKEN = "ACKNOWLEDGED partner has it: acknowledged at #:#. You needn't do anything."
RISE = "CRITICAL It got worse: now critical. # alerts in # min, since #:#."
OVER = "RESOLVED It is over: resolved at #:# by its sender. It began at #:#: # alerts in # min."
STORY = {
    "owner@example.com": [OPENING, REMINDER, TAKEN, RISE, OVER],
    "partner@example.com": [OPENING, REMINDER, RISE, OVER],
    "neighbour@example.com": [HANDOFF, TAKEN, RISE, OVER],
}
"""What each person hears of a leak, without its numbers."""


async def taken(ask: Callable[[], Awaitable[httpx.Response]]) -> Any:
    """Ask until it is done, as Particle does."""
    while (answer := await ask()).status_code == 503:
        pass
    assert answer.status_code in (200, 202), answer.text
    return answer.json()


class Leak:
    """A leak that nobody answers at first; then somebody does, it gets worse, and it is over."""

    def __init__(self, home: Household) -> None:
        self.home = home
        self.published = 0

    async def publish(self, data: object) -> str:
        """Publish an event; return its alert's id, once everybody was told."""
        self.published += 1
        event = {"event": "leak", "coreid": "cellar", "data": data, "event_id": f"event-{self.published}"}
        event["published_at"] = self.home.clock.now().isoformat()
        post = self.home.service.client.post
        alert_id = (await taken(lambda: post("/webhook/particle", json=event, headers=BEARER)))["id"]
        await self.told()
        return str(alert_id)

    async def passes(self, minutes: float) -> None:
        """Let time pass; wait until everybody was told."""
        self.home.clock.move(minutes=minutes)
        await self.told()

    async def told(self) -> None:
        """Wait until nothing is due and nothing is claimed, and let time pass for what was cut off."""
        gate, clock = self.home.service.gate, self.home.clock

        async def idle() -> bool:
            return gate.deliverer.last_round == clock.monotonic() and not gate.deliverer.here

        def is_waiting(connection: Connection) -> bool:
            return self.home.service.number_waiting(connection) > 0 or escalations.any_due(connection, clock.now())

        while True:
            await gate.escalations.run()
            gate.deliverer.wake()
            await until(idle)
            if not await gate.store.read(is_waiting):
                return
            clock.move(seconds=RELEASED_AFTER)

    async def happens(self) -> None:
        """Tell it from its beginning to its end."""
        alert_id = await self.publish("water")
        await self.passes(minutes=26)
        await self.passes(minutes=5)
        service = self.home.service
        path = f"/api/incidents/{(await service.trail(alert_id))['incident']['id']}/acknowledge"
        await taken(lambda: service.client.post(path, json={"by": "partner"}, headers=API_BEARER))
        await self.told()
        self.home.clock.move(minutes=2)
        await self.publish({"severity": "critical"})
        self.home.clock.move(minutes=1)
        await self.publish({"status": "resolved"})

    def heard(self) -> dict[str, list[str]]:
        """Return what each person heard of it, without numbers, and without how late that was."""
        heard = defaultdict(list)
        for mail in self.home.sink.messages:
            if "alertgate" not in mail.mail["Subject"]:
                words = said(mail.mail["Subject"], mail.text).partition(" This message is ")[0]
                heard[mail.to].append(re.sub(r"\d+", "#", words))
        return heard


def accepts(changed: set[str]) -> bool:
    """Whether a commit stores an alert."""
    return "alerts" in changed


def claims(changed: set[str]) -> bool:
    """Whether a commit changes notifications alone: it claims them, or gives them back."""
    return changed <= {"notifications", "changes", "link_tokens"}


def records(changed: set[str]) -> bool:
    """Whether a commit records an attempt."""
    return "attempts" in changed


def escalates(changed: set[str]) -> bool:
    """Whether a commit takes an escalation's turn, or is somebody's act."""
    return "escalations" in changed and not accepts(changed)


def most_of(which: Callable[[set[str]], bool], cut: Cut) -> Callable[[set[str]], Cut]:
    """Cut two of three commits of a kind; with every other one, each claim might be cut and each release be done."""
    seen = 0

    def decide(changed: set[str]) -> Cut:
        nonlocal seen
        if not which(changed):
            return Cut.NOT
        seen += 1
        return cut if seen % 3 else Cut.NOT

    return decide


def any_of(seed: int) -> Callable[[set[str]], Cut]:
    """Cut one half of all commits."""
    chance = random.Random(seed)  # noqa: S311  (a test needs the same each time)
    return lambda _: chance.choices(list(Cut), (3, 1, 2))[0]


@pytest.fixture
def proxy(postgres_database: str) -> Iterator[Cutter]:
    """The proxy before PostgreSQL."""
    with cutter(postgres_database) as found:
        yield found


@pytest.fixture
def leak_with(make_settings, postgres_database, proxy, monkeypatch):
    """Return a function that lets the leak happen with commits that are cut as it is told."""
    monkeypatch.setattr("alertgate.notify.attempt.RECORD_AGAIN", 0.0)

    async def happen(decide: Callable[[set[str]], Cut]) -> None:
        database = {"database_url": proxy.url(postgres_database)}
        async with household(make_settings, HOUSE, START, database) as home, home.running():
            leak = Leak(home)
            proxy.decide = decide
            async with asyncio.timeout(300):
                await leak.happens()
            proxy.decide = lambda _: Cut.NOT
        sent = Counter((mail.to, mail.mail["Message-ID"]) for mail in home.sink.messages)
        assert [message for message, number in sent.items() if number > 1] == []
        assert leak.heard() == STORY

    return happen


@pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.AFTER], ids=["before", "after"])
@pytest.mark.parametrize("which", [accepts, claims, records, escalates])
async def test_all_is_told_once_whichever_commit_is_cut(leak_with, proxy, which, cut):
    """Each write that the flow consists of is tried once more after its commit was cut, whether it was done or not."""
    await leak_with(most_of(which, cut))
    assert proxy.cuts
    assert {each for each, _ in proxy.cuts} == {cut}


@pytest.mark.parametrize("seed", range(3))
async def test_all_is_told_once_whatever_commits_are_cut(leak_with, proxy, seed):
    """One half of all commits, those of the gate's own reports and of its upkeep too."""
    await leak_with(any_of(seed))
    assert {each for each, _ in proxy.cuts} == {Cut.BEFORE, Cut.AFTER}
