"""What pydantic found wrong in alertgate.toml, in words: the key, what is wrong, what to do. Pure."""

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from alertgate.policy import document
from alertgate.policy.bounds import did_you_mean
from alertgate.policy.events import EventRule

KEY = "[key]"
"""What pydantic adds to the place of a name that is wrong itself."""
LONGEST_STEP = 64
"""Characters that are shown of one name in a key."""
LISTS = frozenset({"events", "routes"})
"""Tables that are written with two brackets."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_TABLES: Mapping[int | str, type[BaseModel]] = {
    "people": document.PersonTable,
    "schedules": document.ScheduleTable,
    "escalations": document.EscalationTable,
    "routes": document.RouteTable,
    "events": EventRule,
    "week": document.TurnTable,
    "overrides": document.OverrideTable,
    "steps": document.StepTable,
    "devices": document.DeviceTable,
}
"""The table that stands under each key."""
_EXAMPLES: Mapping[str, str] = {
    "contacts": ', as in contacts = ["email:me@example.org"]',
    "notify": ', as in notify = ["owner"]',
    "who": ', as in who = "owner"',
    "steps": ', as in steps = [{ notify = ["owner"] }]',
    "week": ', as in week = [{ days = "mon-fri", who = "owner" }]',
}


def key(location: Sequence[int | str]) -> str:
    """Return a key as the file has it; tables of a list are counted from 1."""
    text = ""
    for step in location:
        if isinstance(step, int):
            text += f"[{step + 1}]"
        elif step != KEY:
            name = shortened(step, LONGEST_STEP)
            name = name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)
            text += f".{name}" if text else name
    return text


def shortened(text: str, longest: int) -> str:
    """Return a text of at most `longest` characters, with an ellipsis if it was longer."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def is_echo(detail: ErrorDetails, details: Sequence[ErrorDetails]) -> bool:
    """Return whether a list is too short only because its elements, which have problems of their own, don't count."""
    location = detail["loc"]
    return detail["type"] == "too_short" and any(
        len(each["loc"]) > len(location) and each["loc"][: len(location)] == location for each in details
    )


def problem(detail: ErrorDetails) -> str:
    """Return what is wrong with a key, and what to do."""
    name = next((step for step in reversed(detail["loc"]) if isinstance(step, str)), "")
    say = _WORDS.get(detail["type"])
    return say(detail, name) if say else f"can't be used: {detail['msg']}"


def _unknown(detail: ErrorDetails, name: str) -> str:
    known = _known_keys(detail["loc"])
    return f"is unknown{did_you_mean(name, known)} (known here: {', '.join(known)})"


def _known_keys(location: Sequence[int | str]) -> Collection[str]:
    """Return the keys of the table in which an unknown one stands."""
    table = next((_TABLES[step] for step in reversed(location[:-1]) if step in _TABLES), document.Document)
    return [field.alias or name for name, field in table.model_fields.items()]


def _no_list(detail: ErrorDetails, name: str) -> str:
    if len(detail["loc"]) == 1 and name in LISTS:
        return f"must be tables: write [[{name}]] with two brackets"
    return f"must be a list{_EXAMPLES.get(name, ': write [ and ] around it')}"


def _no_table(detail: ErrorDetails, name: str) -> str:
    if name in LISTS:
        return f"must be a table: write [[{name}]], and its keys below it"
    return f"must be a table: write its keys as in docs/{'devices' if 'devices' in detail['loc'] else 'people'}.md"


_WORDS: Mapping[str, Callable[[ErrorDetails, str], str]] = {
    "value_error": lambda detail, _: str(detail["ctx"]["error"]),
    "extra_forbidden": _unknown,
    "missing": lambda _, name: f"is missing: add it{_EXAMPLES.get(name, '')}",
    "too_short": lambda _, name: f"is empty: name at least one{_EXAMPLES.get(name, '')}",
    "too_long": lambda detail, _: f"has too many entries: at most {detail['ctx']['max_length']:,} are allowed",
    "tuple_type": _no_list,
    "dict_type": lambda _, name: f"must be tables: write [{name}.NAME], and its keys below it",
    "model_type": _no_table,
}
