"""Whatever fails when, and whoever resolves what: each device that stays silent is told to its people."""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alertgate.model import Incident, IncidentStatus, Resolution
from alertgate.policy.escalations import Escalation, Step
from alertgate.policy.matchers import Matcher
from alertgate.policy.policy import UTC
from alertgate.policy.routes import Route
from alertgate.settings_load import load
from alertgate.store.engine import Store
from tests.accept.device_fleet import HOUR, MINUTE, RULES, Fleet, device_id, rule
from tests.builders import examples
from tests.conftest import PARTICLE, copy_template
from tests.fakes import FakeClock

TICK = 10 * MINUTE
SLACK = 5 * RULES.interval
"""Within this somebody is told: an interval after the last that came back, and some ticks until the next look."""
SHORTEST_OUTAGE = 25 * MINUTE
"""No device is silent before: a shorter quiet moves no deadline."""
UNWATCHED = 99


@dataclass(frozen=True)
class Kind:
    """Devices of which the same is expected; they speak somewhat more often."""

    numbers: range
    people: str
    every: timedelta
    grace: timedelta
    speaks: int
    """Every so many ticks."""


KINDS = (
    Kind(range(8), "home", 20 * MINUTE, 5 * MINUTE, 1),
    Kind(range(10, 16), "kitchen", HOUR, 15 * MINUTE, 5),
    Kind(range(20, 24), "home", 4 * HOUR, HOUR, 18),
)
WATCHED = {number: kind for kind in KINDS for number in kind.numbers}
SITES = {
    "line": {*WATCHED, UNWATCHED},
    "doors": set(range(5)),
    "kitchen": set(range(10, 15)),
    "cellar": {5, 6, 14, 15, 20, 21},
}


@dataclass(frozen=True)
class Stage:
    """What is down for a while, and whether a person resolves first all that is open of wide silences."""

    down: frozenset[str]
    dead: frozenset[int]
    ticks: int
    resolves: bool


stages = st.builds(
    Stage,
    st.frozensets(st.sampled_from(sorted(SITES)), max_size=2),
    st.frozensets(st.sampled_from(sorted(WATCHED)), max_size=2),
    st.sampled_from([9, 3, 1, 2, 14, 32]),
    st.booleans(),
)


class World:
    """A fleet at several sites, and what a person would say of it."""

    def __init__(self, store: Store) -> None:
        self.fleet = Fleet(
            store, FakeClock(), names={device_id(n): f"{kind.people} {n}" for n, kind in WATCHED.items()}
        )
        steps = {each: Escalation(each, (Step(tuple(self.fleet.policy.people)),), UTC) for each in ("home", "kitchen")}
        routes = (Route("kitchen", Matcher("device/*", "kitchen *")), Route("home"))
        self.fleet.policy = replace(self.fleet.policy, routes=routes, escalations=steps)
        rules = [rule(n, expect_every=kind.every, grace=kind.grace, flaps=1000) for n, kind in WATCHED.items()]
        self.fleet.expect(*rules)
        self.tick = 0
        self.heard: dict[int, datetime] = {}
        self.any_heard = self.fleet.clock.now()
        self.outages: list[tuple[datetime, datetime]] = []

    async def begin(self) -> None:
        """Hear all of them once."""
        self.hear([*WATCHED, UNWATCHED])
        await self.fleet.look()

    def hear(self, numbers: Sequence[int]) -> None:
        """Hear devices."""
        now = self.fleet.clock.now()
        self.fleet.hear(*numbers)
        watched = [number for number in numbers if number in WATCHED]
        if watched and now - self.any_heard >= SHORTEST_OUTAGE:
            self.outages.append((self.any_heard, now))
        self.any_heard = now if watched else self.any_heard
        self.heard |= dict.fromkeys(watched, now)

    async def live(self, stage: Stage) -> None:
        """Let a stage pass."""
        if stage.resolves:
            for each in self.fleet.incidents():
                if each.event == "gate/no-webhooks" and each.status is not IncidentStatus.RESOLVED:
                    self.fleet.resolve(each)
        down = stage.dead.union(*(SITES[site] for site in stage.down))
        for _ in range(stage.ticks):
            await self.fleet.passes(TICK)
            self.tick += 1
            speak = [n for n, kind in WATCHED.items() if (self.tick + n) % kind.speaks == 0]
            self.hear([number for number in (*speak, UNWATCHED) if number not in down])
            await self.fleet.look()
            self.check()

    def check(self) -> None:
        """Each that is silent for longer than its time is told to its people, and none is told that isn't late."""
        now, incidents = self.fleet.clock.now(), self.fleet.incidents()
        open_now = {each.device for each in incidents if each.event == "device/silent" and is_open(each)}
        for number, kind in WATCHED.items():
            heard = self.heard[number]
            moved = sum((end - max(begin, heard) for begin, end in self.outages if end > heard), timedelta())
            if now - heard <= kind.every:
                assert device_id(number) not in open_now, f"{number} is called silent, and spoke at {heard}"
            alone = [each for each in incidents if each.device == device_id(number) and each.event == "device/silent"]
            told_since = sum(each.opened_at > heard for each in alone)
            assert told_since <= (2 if moved else 1), f"{number} was told again, though it hasn't spoken since {heard}"
            if now > heard + kind.every + kind.grace + moved + SLACK and device_id(number) not in open_now:
                told = [each for each in incidents if self.tells(each, number, now)]
                assert told, f"nobody was told of {number}, which last spoke at {heard}; it is {now}"

    def tells(self, incident: Incident, number: int, now: datetime) -> bool:
        """Return whether a wide silence tells the people of a device of it, or did until a person resolved it."""
        kind, heard = WATCHED[number], self.heard[number]
        if incident.event != "gate/no-webhooks" or self.fleet.escalation(incident) != kind.people:
            return False
        if is_open(incident):
            was_named = incident.opened_at >= heard + kind.every
            quiet_until = self.outages[-1][1] if self.outages else incident.opened_at
            is_quiet = self.any_heard <= incident.opened_at or incident.opened_at < quiet_until >= now - SLACK
            return was_named or is_quiet
        if incident.resolution is not Resolution.PERSON or incident.resolved_at is None:
            return False
        return incident.opened_at >= heard + kind.every or incident.resolved_at >= heard + kind.every + kind.grace


def is_open(incident: Incident) -> bool:
    """Return whether an incident isn't over."""
    return incident.status is not IncidentStatus.RESOLVED


@settings(max_examples=examples(8), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(stages, min_size=1, max_size=5))
def test_whoever_stays_silent_is_told_to_its_people(course: list[Stage]):
    """Sites lose their power, the line dies, single devices die, and people resolve what they were told."""

    async def live(store: Store) -> None:
        world = World(store)
        await world.begin()
        for stage in course:
            await world.live(stage)

    with tempfile.TemporaryDirectory() as directory:
        made = load(None, particle_webhook_secret=PARTICLE, data_dir=Path(directory))
        copy_template(made)
        store = Store(made)
        store.open(exclusive=True)
        try:
            asyncio.run(live(store))
        finally:
            store.close()
