"""What the tables of alertgate.toml say of each other: names that are nobody's, routes that are never reached. Pure.

It looks at the TOML itself, and passes over what pydantic refuses, so that every problem is known at once.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from alertgate.policy import device_tables
from alertgate.policy.bounds import did_you_mean
from alertgate.policy.escalations import RESERVED, SCHEDULE_MARK

LONGEST_NAME = 64
"""Characters."""
MOST_COMPARED = 200
"""Names among which a similar one is looked for."""
MATCHERS = frozenset({"event", "device", "source", "min_severity"})

Location = tuple[int | str, ...]
Tables = Mapping[str, Any]


class Problem(NamedTuple):
    """What is wrong, and where."""

    location: Location
    text: str


class _Known(NamedTuple):
    """The names that the file gives."""

    people: Collection[str]
    schedules: Collection[str]
    escalations: Collection[str]

    @classmethod
    def of(cls, found: Tables) -> "_Known":
        """Return those of a file."""
        people, schedules, escalations = (
            frozenset(name for name, _ in _named(found, key)) for key in ("people", "schedules", "escalations")
        )
        return cls(people, schedules, escalations | RESERVED)


def problems(found: Tables) -> Iterator[Problem]:
    """Yield what doesn't fit together."""
    known = _Known.of(found)
    yield from _unknown(("operator",), found.get("operator"), known)
    for name, schedule in _named(found, "schedules"):
        where = ("schedules", name)
        yield from _unknown((*where, "otherwise"), schedule.get("otherwise"), known, schedules=False)
        for key in ("week", "overrides"):
            for place, table in _listed(schedule, key):
                yield from _unknown((*where, key, place, "who"), table.get("who"), known, schedules=False)
    for name, escalation in _named(found, "escalations"):
        for place, step in _listed(escalation, "steps"):
            yield from _unknown(("escalations", name, "steps", place, "notify"), step.get("notify"), known)
    yield from _routes(list(_listed(found, "routes")), known)
    for keys, text in device_tables.problems(dict(_named(found, "devices"))):
        yield Problem(("devices", *keys), text)


def _routes(routes: Sequence[tuple[int, Tables]], known: _Known) -> Iterator[Problem]:
    everything: int | None = None
    for place, table in routes:
        name = table.get("escalation")
        if isinstance(name, str) and name not in known.escalations:
            yield Problem(("routes", place, "escalation"), _nobody(name, "escalations", known.escalations))
        if everything is not None:
            text = (
                f"is never reached: route {everything + 1} takes everything, for it has no matcher; put this one first"
            )
            yield Problem(("routes", place), text)
        elif not MATCHERS & table.keys():
            everything = place
    if routes and everything is None:
        yield Problem(("routes",), "must end with one that matches everything: add [[routes]] with an escalation alone")


def _unknown(location: Location, mentioned: Any, known: _Known, *, schedules: bool = True) -> Iterator[Problem]:
    """Yield which of these names are nobody's."""
    for name in [mentioned] if isinstance(mentioned, str) else mentioned if isinstance(mentioned, list) else ():
        if isinstance(name, str) and (text := _wrong(name, known, schedules=schedules)):
            yield Problem(location, text)


def _wrong(name: str, known: _Known, *, schedules: bool) -> str | None:
    """Return why a name is nobody's; None if it is somebody's."""
    plain = name.removeprefix(SCHEDULE_MARK)
    if plain == name:
        if name in known.people:
            return None
        if schedules and name in known.schedules:
            return f"names {name}, which is a schedule: write {SCHEDULE_MARK}{name}"
        return _nobody(name, "people", known.people)
    if not schedules:
        return f"names {_cut(name)}, but only people can be on call: write their names"
    return None if plain in known.schedules else _nobody(plain, "schedules", known.schedules)


def _nobody(name: str, table: str, known: Collection[str]) -> str:
    hint = did_you_mean(name, known) if len(known) <= MOST_COMPARED and len(name) <= LONGEST_NAME else ""
    return f"names {_cut(name)}, but there is no [{table}.{_cut(name)}]{hint or ': add it'}"


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"


def _named(found: Tables, key: str) -> Iterator[tuple[str, Tables]]:
    """Yield the tables of `[key.NAME]`; one that is no table counts as an empty one."""
    tables = found.get(key)
    for name, table in tables.items() if isinstance(tables, dict) else ():
        yield name, table if isinstance(table, dict) else {}


def _listed(found: Tables, key: str) -> Iterator[tuple[int, Tables]]:
    """Yield the tables of a list with their places."""
    tables = found.get(key)
    for place, table in enumerate(tables if isinstance(tables, list) else ()):
        if isinstance(table, dict):
            yield place, table
