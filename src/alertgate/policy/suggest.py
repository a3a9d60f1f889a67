"""Write an `[[events]]` rule for one event, as text to paste into alertgate.toml. Pure."""

import json
from collections.abc import Iterator

from alertgate.characters import JOINERS
from alertgate.model import Source
from alertgate.policy.events import LONGEST_GLOB, EventRule
from alertgate.policy.expressions import Expression

GLOB_CHARACTERS = frozenset("*?[")
COPIED = ("about", "key", "ignore", "resolved", "severity")
"""The keys that are taken over from a rule that matches the same event."""


def rule_text(event: str, source: Source, base: EventRule | None = None, **changed: str) -> str:
    """Return a rule for one event of one webhook. `changed` has keys with their values as TOML.

    The first rule that matches decides alone, so the new one must come before `base`, the one that matches now, and
    says the same but for what is changed.
    """
    keys = {"event": _quoted(glob_of(event)), "source": _quoted(source)}
    if base:
        keys |= dict(_copied(base))
    return "\n".join(["[[events]]", *(f"{name} = {value}" for name, value in {**keys, **changed}.items())])


def glob_of(event: str) -> str:
    """Return a glob that matches an event, and as few others as a rule's length and characters allow."""
    exact = "".join(f"[{one}]" if one in GLOB_CHARACTERS else _visible(one) for one in event)
    if len(exact) <= LONGEST_GLOB:
        return exact
    loose = "".join("?" if one in GLOB_CHARACTERS else _visible(one) for one in event)
    return loose if len(loose) <= LONGEST_GLOB else f"{loose[: LONGEST_GLOB - 1]}*"


def _visible(character: str) -> str:
    """A rule holds no invisible characters but joiners, because nobody could see why it doesn't match."""
    return character if character.isprintable() or character in JOINERS else "?"


def _copied(base: EventRule) -> Iterator[tuple[str, str]]:
    for name in COPIED:
        value = getattr(base, name)
        if isinstance(value, Expression):
            yield name, _quoted(value.text)
        elif isinstance(value, bool):
            if name in base.model_fields_set:
                yield name, str(value).lower()
        elif value is not None:
            yield name, _quoted(value)


def _quoted(text: str) -> str:
    """Return a TOML basic string: JSON's, but that TOML wants DEL escaped too."""
    return json.dumps(str(text), ensure_ascii=False).replace("\x7f", "\\u007f")
