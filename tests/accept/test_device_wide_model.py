"""Whatever fails when, and whoever resolves what: each device that stays silent is told to its people, and once."""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from alertgate.model import Alert, Incident, IncidentStatus, Resolution, Signal
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

SLACK = 5 * RULES.interval
"""Within this somebody is told: an interval after the last that came back, and some ticks until the next look."""
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


@dataclass(frozen=True)
class Pace:
    """How often devices speak."""

    tick: timedelta
    kinds: Sequence[Kind]

    @property
    def watched(self) -> dict[int, Kind]:
        """Return what each device is."""
        return {number: kind for kind in self.kinds for number in kind.numbers}

    @property
    def shortest_outage(self) -> timedelta:
        """Return before when no device is silent: a shorter quiet moves no deadline."""
        return min(kind.every + kind.grace for kind in self.kinds)


DOORS, KITCHEN, SLEEPERS = range(8), range(10, 16), range(20, 24)
SLOW = Pace(
    10 * MINUTE,
    (
        Kind(DOORS, "home", 20 * MINUTE, 5 * MINUTE, 1),
        Kind(KITCHEN, "kitchen", HOUR, 15 * MINUTE, 5),
        Kind(SLEEPERS, "home", 4 * HOUR, HOUR, 18),
    ),
)
QUICK = Pace(
    MINUTE,
    (
        Kind(DOORS, "home", 3 * MINUTE, MINUTE, 2),
        Kind(KITCHEN, "kitchen", 4 * MINUTE, MINUTE, 3),
        Kind(SLEEPERS, "home", 24 * MINUTE, 6 * MINUTE, 18),
    ),
)
NUMBERS = [*DOORS, *KITCHEN, *SLEEPERS]
SITES = {
    "line": {*NUMBERS, UNWATCHED},
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
    st.frozensets(st.sampled_from(NUMBERS), max_size=2),
    st.sampled_from([9, 4, 1, 2, 14, 32]),
    st.booleans(),
)


class World:
    """A fleet at several sites, and what a person would say of it."""

    def __init__(self, store: Store, pace: Pace) -> None:
        self.pace, self.watched = pace, pace.watched
        self.fleet = Fleet(
            store, FakeClock(), names={device_id(n): f"{kind.people} {n}" for n, kind in self.watched.items()}
        )
        steps = {each: Escalation(each, (Step(tuple(self.fleet.policy.people)),), UTC) for each in ("home", "kitchen")}
        routes = (Route("kitchen", Matcher("device/*", "kitchen *")), Route("home"))
        self.fleet.policy = replace(self.fleet.policy, routes=routes, escalations=steps)
        rules = [rule(n, expect_every=kind.every, grace=kind.grace, flaps=1000) for n, kind in self.watched.items()]
        self.fleet.expect(*rules)
        self.tick = 0
        self.heard: dict[int, datetime] = {}
        self.any_heard = self.fleet.clock.now()
        self.outages: list[tuple[datetime, datetime]] = []
        self.seen: set[str] = set()
        """The alerts of wide silences that were checked."""
        self.told: dict[str, list[Alert]] = {"home": [], "kitchen": []}
        """What told whom of wide silences, since a person resolved the last."""

    async def begin(self) -> None:
        """Hear all of them once."""
        self.hear([*NUMBERS, UNWATCHED])
        await self.fleet.look()

    def hear(self, numbers: Sequence[int]) -> None:
        """Hear devices."""
        now = self.fleet.clock.now()
        self.fleet.hear(*numbers)
        watched = [number for number in numbers if number in self.watched]
        if watched and now - self.any_heard >= self.pace.shortest_outage:
            self.outages.append((self.any_heard, now))
        self.any_heard = now if watched else self.any_heard
        self.heard |= dict.fromkeys(watched, now)

    async def live(self, stage: Stage) -> None:
        """Let a stage pass."""
        if stage.resolves:
            for each in self.fleet.incidents():
                if is_wide(each) and is_open(each):
                    self.fleet.resolve(each)
            self.told = {people: [] for people in self.told}
        down = stage.dead.union(*(SITES[site] for site in stage.down))
        for _ in range(stage.ticks):
            await self.fleet.passes(self.pace.tick)
            self.check_once()
            self.tick += 1
            speak = [n for n, kind in self.watched.items() if (self.tick + n) % kind.speaks == 0]
            self.hear([number for number in (*speak, UNWATCHED) if number not in down])
            await self.fleet.look()
            self.check_once()
            self.check()

    def check_once(self) -> None:
        """What is told of many tells their people of a device that they don't know of yet."""
        people = {each.key: self.fleet.escalation(each) for each in self.fleet.incidents() if is_wide(each)}
        for alert in self.fleet.said():
            if alert.event == "gate/no-webhooks" and alert.signal is Signal.FIRING and alert.id not in self.seen:
                to = people[alert.incident_key]
                news = [n for n, kind in self.watched.items() if kind.people == to and self.is_news(n, alert)]
                assert news, f"{to} was told again at {alert.received_at}: {alert.message}"
                self.seen.add(alert.id)
                self.told[to].append(alert)

    def is_news(self, number: int, alert: Alert) -> bool:
        """Return whether a device is overdue by then, and nothing told its people before."""
        kind, heard = self.watched[number], self.heard[number]
        late_at = heard + kind.every
        if alert.received_at < late_at:
            return False

        def tells(before: Alert) -> bool:
            is_named = before.received_at >= late_at + kind.grace / 10
            is_of_all = (before.message or "").startswith("Nothing from Particle")
            return is_named or (is_of_all and self.any_heard <= before.received_at)

        return self.moved(heard) > timedelta() or not any(map(tells, self.told[kind.people]))

    def moved(self, heard: datetime) -> timedelta:
        """Return for how long nobody could be heard since then."""
        return sum((end - max(begin, heard) for begin, end in self.outages if end > heard), timedelta())

    def check(self) -> None:
        """Each that is silent for longer than its time is told to its people, and none is told that isn't late."""
        now, incidents = self.fleet.clock.now(), self.fleet.incidents()
        open_now = {each.device for each in incidents if each.event == "device/silent" and is_open(each)}
        for number, kind in self.watched.items():
            heard = self.heard[number]
            moved = self.moved(heard)
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
        kind, heard = self.watched[number], self.heard[number]
        if not is_wide(incident) or self.fleet.escalation(incident) != kind.people:
            return False
        if is_open(incident):
            at = incident.changed_at or incident.opened_at  # when it was reopened, if it was
            was_named = at >= heard + kind.every
            quiet_until = self.outages[-1][1] if self.outages else at
            is_quiet = self.any_heard <= at or at < quiet_until >= now - SLACK
            return was_named or is_quiet
        if incident.resolution is not Resolution.PERSON or incident.resolved_at is None:
            return False
        return incident.opened_at >= heard + kind.every or incident.resolved_at >= heard + kind.every + kind.grace


def is_open(incident: Incident) -> bool:
    """Return whether an incident isn't over."""
    return incident.status is not IncidentStatus.RESOLVED


def is_wide(incident: Incident) -> bool:
    """Return whether an incident is a wide silence."""
    return incident.event == "gate/no-webhooks"


def twice(*sites: str) -> list[Stage]:
    """Return that sites are down twice, and the second time soon after the end of the first."""
    down = Stage(frozenset(sites), frozenset(), 14, resolves=False)
    up = replace(down, down=frozenset(), ticks=4)
    return [up, down, up, down]


@settings(max_examples=examples(8), deadline=None, suppress_health_check=list(HealthCheck))
@example(QUICK, twice("line"))
@example(QUICK, twice("doors", "kitchen"))
@given(st.sampled_from([SLOW, QUICK]), st.lists(stages, min_size=1, max_size=5))
def test_whoever_stays_silent_is_told_to_its_people_once(pace: Pace, course: list[Stage]):
    """Sites lose their power, the line dies, single devices die, and people resolve what they were told."""

    async def live(store: Store) -> None:
        world = World(store, pace)
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
