"""The policy in force, as frozen objects: what events mean, and who is told what, when. `load.py` makes it from TOML.

A policy is whole: names have been checked, zones resolved, and without a file `EVERYONE` tells all recipients of the
settings at once. Keep a name (of an escalation, a person, a schedule) in the store, and look it up here each time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from alertgate.policy.devices import DeviceRule
from alertgate.policy.escalations import EVERYONE, OPERATOR, SCHEDULE_MARK, Escalation, Step
from alertgate.policy.events import EventRule
from alertgate.policy.people import Person
from alertgate.policy.routes import Route
from alertgate.policy.schedules import Schedule, on_call

NOTHING: Mapping[str, None] = MappingProxyType({})
UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Told:
    """A person, and by which name of a step: their own, or that of a schedule with its `@`."""

    person: Person
    via: str


@dataclass(frozen=True, slots=True)
class Policy:
    """What alertgate.toml says, or what applies without it."""

    events: tuple[EventRule, ...] = ()
    zone: ZoneInfo = UTC
    """Of the times in the file."""
    people: Mapping[str, Person] = field(default_factory=lambda: MappingProxyType({}))
    schedules: Mapping[str, Schedule] = field(default_factory=lambda: MappingProxyType({}))
    escalations: Mapping[str, Escalation] = field(default_factory=lambda: MappingProxyType({}))
    """Those of the file; `escalation` also has the two that every policy has."""
    routes: tuple[Route, ...] = ()
    operator: tuple[str, ...] = ()
    """Who hears of alertgate's own troubles; everyone if it is empty."""
    devices: tuple[DeviceRule, ...] = ()
    readers_zone: ZoneInfo = UTC
    """Of the times in messages, pages, trails and commands: the one that the settings name, else the file's."""
    stands_in: bool = False
    """Whether it stands in for one that this version can't read, and that may say much of which this says nothing."""

    @property
    def has_people(self) -> bool:
        """Whether it names people; else they are the recipients of the settings, each named like their address."""
        return any(contact.address != one.name for one in self.people.values() for contact in one.contacts)

    def escalation(self, name: str) -> Escalation | None:
        """Return an escalation; None if the policy has none of this name any more."""
        everyone = tuple(self.people)
        if name == EVERYONE:
            return Escalation(EVERYONE, (Step(everyone),), self.zone)
        if name == OPERATOR:
            return Escalation(OPERATOR, (Step(self.operator or everyone),), self.zone)
        return self.escalations.get(name)

    def told(self, names: Iterable[str], at: datetime) -> tuple[Told, ...]:
        """Return the people behind a step's names at a time, each once. Names that are gone are left out."""
        found: dict[str, Told] = {}
        for via in names:
            for name in self._behind(via, at):
                if (person := self.people.get(name)) and name not in found:
                    found[name] = Told(person, via)
        return tuple(found.values())

    def _behind(self, via: str, at: datetime) -> tuple[str, ...]:
        if not via.startswith(SCHEDULE_MARK):
            return (via,)
        schedule = self.schedules.get(via.removeprefix(SCHEDULE_MARK))
        return on_call(schedule, at).who if schedule else ()
