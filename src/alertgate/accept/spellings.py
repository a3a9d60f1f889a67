"""Other names and shapes of Particle's fields, as custom templates send them. Pure.

If two fields could be meant, neither is used: both stay among the alert's other fields.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from alertgate.accept.fields import json_in
from alertgate.model import Json
from alertgate.words import is_absent, is_variable

OTHER_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "event": ("eventname", "name"),
        "data": ("eventdata", "eventvalue", "value"),
        "coreid": ("deviceid",),
        "published_at": (),
        "event_id": (),
    }
)
"""Particle's fields with their other names, in order of precedence, in lower case and without separators."""

_BETWEEN_WORDS = re.compile(r"[\s_.-]")


class Spelled(NamedTuple):
    """Fields by Particle's names, and what these took the place of: objects around a value, unfilled variables."""

    fields: dict[str, Json]
    replaced: dict[str, Json]


def respell(fields: dict[str, Json], *, is_named: bool = False) -> Spelled:
    """Return fields by Particle's names; a field that already has such a name and a value is unchanged.

    If the event `is_named` elsewhere, a field called `name` isn't the event's.
    """
    spelled = _renamed(fields, is_named=is_named)
    objects = {name: spelled[name] for name in ("coreid", "event_id", "published_at") if _has_value(spelled.get(name))}
    values = {name: wrapped["value"] for name, wrapped in objects.items()}
    if around := _object(spelled.get("event")):
        inner = _inner(around)
        values |= {name: value for name, value in inner.items() if name == "event" or is_absent(spelled.get(name))}
        objects |= {"event": around} if inner else {}
    found = {**spelled, **values}
    return Spelled(found, {**_unfilled(fields, found), **objects})


def joined(asked: dict[str, Json], said: dict[str, Json]) -> dict[str, Json]:
    """Return a query's and a body's fields: the body's, but for those of Particle's names that only the query fills."""
    return {
        **asked,
        **{key: v for key, v in said.items() if not (key in asked and key in OTHER_NAMES and is_absent(v))},
    }


def respell_both(asked: dict[str, Json], said: dict[str, Json]) -> Spelled:
    """Return a query's and a body's fields, each by Particle's names before they are joined."""
    if not asked:
        return respell(said)
    one = respell(asked)
    other = respell(said, is_named=not is_absent(one.fields.get("event")))
    fields = joined(one.fields, other.fields)
    return Spelled(fields, {**one.replaced, **_unfilled(other.fields, fields), **other.replaced})


def _unfilled(before: dict[str, Json], after: dict[str, Json]) -> dict[str, Json]:
    """Return the unfilled variables under Particle's names that another value took the place of."""
    return {name: value for name in OTHER_NAMES if is_variable(value := before.get(name)) and after[name] != value}


def _inner(around: dict[str, Json]) -> dict[str, Json]:
    """Return the fields in an `event` object: a whole event, or Ubidots' `{"value": "leak", "context": …}`."""
    inner = _renamed(around, is_named=False)
    if _is_name(inner.get("event")):
        return {name: value for name, value in inner.items() if name in OTHER_NAMES}
    return {"event": around["value"]} if _is_name(around.get("value")) else {}


def _is_name(value: Json) -> bool:
    return isinstance(value, str) and not is_absent(value)


def _has_value(value: Json) -> bool:
    """Return whether a value is an object with a value, such as Ubidots' `{"value": …, "context": …}`."""
    return isinstance(value, dict) and not is_absent(value.get("value"))


def _renamed(fields: dict[str, Json], *, is_named: bool) -> dict[str, Json]:
    """Return the fields, renamed to those of Particle's names that are absent."""
    absent = [name for name in OTHER_NAMES if is_absent(fields.get(name))]
    if not absent:
        return fields
    spelled: dict[str, list[str]] = {}
    for key in fields:
        spelled.setdefault(_BETWEEN_WORDS.sub("", key.lower()), []).append(key)
    found: dict[str, Json] = {}
    taken: set[str] = set()
    for name in absent:
        others = tuple(other for other in OTHER_NAMES[name] if not (is_named and other == "name"))
        if keys := _keys(name, others, spelled, fields):
            found[name] = fields[keys[0]]
            taken.update(key for key in keys if key != "name")  # Particle's whole event has a `name`, which is kept
    return {**{key: value for key, value in fields.items() if key not in taken}, **found} if found else fields


def _keys(name: str, others: tuple[str, ...], spelled: dict[str, list[str]], fields: dict[str, Json]) -> list[str]:
    """Return the keys of the first name that has a value, or none if their values differ."""
    for spelling in (name.replace("_", ""), *others):
        keys = [key for key in spelled.get(spelling, ()) if not is_absent(fields[key])]
        if keys:
            return keys if all(fields[key] == fields[keys[0]] for key in keys) else []
    return []


def _object(value: Json) -> dict[str, Json] | None:
    """Return an `event` that is an object, or JSON text of one, as forms send it; None for anything else."""
    found = json_in(value) if isinstance(value, str) else value
    return found if isinstance(found, dict) else None
