"""What is wrong or doubtful in `[devices]` of alertgate.toml: ids that are nearly one, names that two have. Pure."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from fnmatch import translate
from typing import Any

from alertgate.policy.bounds import did_you_mean
from alertgate.policy.devices import DeviceRule
from alertgate.policy.matchers import is_any
from alertgate.setting_lists import DEVICE_ID, is_nearly_an_id

SHORTEST_MISTYPED = 18
"""Characters from which on what looks like an id is refused: nobody calls a device like that."""
MOST_COMPARED = 200
"""Names among which a similar one is looked for."""

Wrong = tuple[tuple[str, ...], str]
"""Keys below `[devices]`, and what is wrong there, with a remedy."""


def problems(tables: Mapping[str, Mapping[str, Any]]) -> Iterator[Wrong]:
    """Yield what doesn't fit together in tables as the file has them."""
    expecting = [pattern for pattern, table in tables.items() if "expect_every" in table]
    seen: dict[str, str] = {}
    named: dict[str, str] = {}
    for pattern, table in tables.items():
        if len(pattern) >= SHORTEST_MISTYPED and is_nearly_an_id(pattern.lower()):
            yield (pattern,), _NEARLY.format(len(pattern))
        if (other := seen.setdefault(pattern.casefold(), pattern)) != pattern:
            yield (pattern,), f"is the same as {other}, because case doesn't matter: keep one of the two tables"
        if isinstance(name := table.get("name"), str) and (text := _misnamed(pattern, name, named)):
            yield (pattern, "name"), text
        if "grace" in table and not _is_expecting(pattern, expecting):
            yield (pattern, "grace"), "is for nothing: no expect_every applies here; add one, or remove grace"


_NEARLY = (
    "isn't the id of a Particle device: that is 24 of the characters 0-9 and a-f, and this is {} characters; copy it "
    "from Particle's console"
)


def _misnamed(pattern: str, name: str, named: dict[str, str]) -> str | None:
    """Return what is wrong with a device's name; None if nothing is. `named` are the devices by their names so far."""
    if not DEVICE_ID.fullmatch(pattern):
        return "would be the name of every device that matches: name each in the table of its id"
    if DEVICE_ID.fullmatch(name):
        return "is the id of a device: write what people call it"
    other = named.setdefault(name.casefold(), pattern)
    if other.lower() == pattern.lower():
        return None
    return f"is also that of {other}: give them different names, or nobody can tell which of the two is meant"


def _is_expecting(pattern: str, expecting: Collection[str]) -> bool:
    """Return whether an expect_every may apply: the table's own, or that of another one that may match the same."""
    is_id = DEVICE_ID.fullmatch(pattern)
    return any(pattern == other or not (is_id and DEVICE_ID.fullmatch(other)) for other in expecting)


def doubts(rules: Sequence[DeviceRule]) -> Iterator[tuple[str, str]]:
    """Yield the patterns of tables that do nothing, each with why."""
    everything: set[str] = set()
    for rule in rules:
        said = {each.name for each in fields(rule) if each.name != "pattern" and getattr(rule, each.name) is not None}
        if rule.is_id:
            continue
        if not said:
            yield rule.pattern, "says nothing: add expect_every, battery or flaps, or remove it"
        elif said <= everything:
            yield rule.pattern, "never counts: an earlier table for all devices says the same; put this one before it"
        if is_any(rule.pattern):
            everything |= said


def unheard(rules: Sequence[DeviceRule], known: Collection[tuple[str, str | None]]) -> Iterator[tuple[str, str]]:
    """Yield the globs that match none of these devices, given by id and name, each with why."""
    texts = [text.casefold() for device in known for text in device if text]
    for rule in rules:
        if not rule.is_id and not _any_matches(rule.pattern, texts):
            names = [name for _, name in known if name]
            hint = did_you_mean(rule.pattern, names) if len(names) <= MOST_COMPARED else ""
            yield rule.pattern, f"matches no device that was ever heard{hint or ': compare `alertgate devices`'}"


def _any_matches(glob: str, texts: Iterable[str]) -> bool:
    matches = re.compile(translate(glob.casefold())).match
    return any(map(matches, texts))
