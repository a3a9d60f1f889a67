"""Upper bounds: what an expression may cost on the largest event, known before it ever runs. Pure.

The same walk through a parsed expression finds what is certainly a mistake: unknown fields and functions.
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from jmespath.functions import Functions

from alertgate.model import Json

EVENT_FIELDS = ("event", "data", "device", "message", "source", "severity", "status", "fields")
"""The fields of an event that expressions can use."""
MOST_LEVELS = 20
"""How deep an expression may nest."""
MOST_WORK = 250
"""How often an expression may look at each value of an event, by an upper bound."""
LARGEST_EVENT = 2000
"""JSON values in an event, of which long texts count as several; expressions aren't evaluated on larger events."""
TEXT_UNIT = 256
"""Characters of a text that count as one value."""

STEPS = frozenset({"subexpression", "index_expression", "projection", "value_projection", "filter_projection"})
"""Parts of an expression that go on from their first child. JMESPath reads `!data.open` as `(!data).open`."""
CONSTANTS = frozenset({"true", "false", "null"})
UNBOUNDED = frozenset({"join"})
"""Functions whose result isn't bounded by a multiple of their arguments' size."""
ESCAPED = 12
"""Characters of JSON for one of text, as `to_string` writes it."""


def check(node: Any, text: str) -> None:
    """Check a parsed expression. Raises ValueError, which says what is wrong and what to do."""
    work = _Checker(text).work(node)
    if work > MOST_WORK:
        raise ValueError(
            f"may take too long on a large event: it looks at each value up to {work} times, and at most {MOST_WORK} "
            "are allowed; use fewer lists, pipes and projections"
        )


def size(value: Json) -> int:
    """Return how many JSON values a value has, or a number above LARGEST_EVENT if it has more than that."""
    count, waiting = 0, [value]
    while waiting and count <= LARGEST_EVENT:
        item = waiting.pop()
        count += 1
        if isinstance(item, str):
            count += len(item) // TEXT_UNIT
        elif isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return count


class _Growth(NamedTuple):
    """Upper bounds for a part of an expression, as multiples of the size of the value that it is evaluated on."""

    result: int
    work: int


class _Checker:
    """Checks a parsed expression: its fields, its functions, how deep it nests, and how much work it can be.

    Values are trees: the parts of a list are together no larger than the list. So what is done for each element costs
    at most a multiple of the list's size, and only lists that repeat their elements, such as `[@, @]`, make it grow.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def work(self, node: Any) -> int:
        """Return an upper bound for the work. Raises ValueError."""
        return self._growth(node, root=True, level=0).work

    def _growth(self, node: Any, *, root: bool, level: int) -> _Growth:
        if level > MOST_LEVELS:
            raise ValueError(f"nests too deeply: at most {MOST_LEVELS} levels are allowed")
        kind = node["type"]
        children: list[Any] = node["children"] if kind != "slice" else []  # whose children are numbers
        if kind in STEPS and children[0]["type"] == "not_expression":
            raise ValueError("has a ! that negates only the name after it: write !(data.open), with parentheses")
        match kind:
            case "field":
                if root and node["value"] not in EVENT_FIELDS:
                    raise ValueError(_no_such_field(node["value"], self._text))
                return _Growth(1, 1)
            case "literal":
                return _Growth(size(node["value"]), 1)
            case "subexpression" | "index_expression" | "pipe":
                return self._chain(children, root=root, level=level)
            case "projection" | "value_projection" | "filter_projection":
                base = self._growth(children[0], root=root, level=level + 1)
                inner = [self._growth(child, root=False, level=level + 1) for child in children[1:]]
                return _Growth(
                    base.result * (inner[0].result + 1), base.work + base.result * sum(part.work + 1 for part in inner)
                )
            case "function_expression":
                return self._function(node, root=root, level=level)
        root = root and kind != "expref"  # which is evaluated on elements
        parts = [self._growth(child, root=root, level=level + 1) for child in children]
        results = sum(part.result for part in parts)
        result = 1 if kind in ("comparator", "not_expression") else results + 1
        return _Growth(result, sum(part.work for part in parts) + results + 1)

    def _chain(self, steps: Sequence[Any], *, root: bool, level: int) -> _Growth:
        """Each step is evaluated on the result of the one before."""
        result, work = 1, 0
        for position, step in enumerate(steps):
            growth = self._growth(step, root=root and position == 0, level=level + 1)
            work += result * growth.work
            result *= growth.result
        return _Growth(result, work)

    def _function(self, node: Any, *, root: bool, level: int) -> _Growth:
        name, arguments = node["value"], node["children"]
        _check_function(name, len(arguments))
        parts = [self._growth(argument, root=root, level=level + 1) for argument in arguments]
        values = sum(
            part.result for part, argument in zip(parts, arguments, strict=True) if argument["type"] != "expref"
        )
        each = [part for part, argument in zip(parts, arguments, strict=True) if argument["type"] == "expref"]
        result = values * sum(part.result for part in each) if each else values
        work = sum(part.work for part in parts) + values * (1 + sum(part.work for part in each))
        return _Growth((result * ESCAPED if name == "to_string" else result) + 1, work)


def _check_function(name: str, given: int) -> None:
    """Raise ValueError for a function that doesn't exist, isn't allowed, or gets too few or too many arguments."""
    if name in UNBOUNDED:
        raise ValueError(f"calls {name}(), which isn't allowed here; `key` takes a list, as in [data.floor, data.room]")
    known = Functions.FUNCTION_TABLE.get(name)
    if known is None:
        raise ValueError(f"calls {name}(), which JMESPath doesn't have{did_you_mean(name, Functions.FUNCTION_TABLE)}")
    wanted, variadic = len(known["signature"]), known["signature"][-1].get("variadic", False)
    if given < wanted or (given > wanted and not variadic):
        least = "at least " if variadic else ""
        raise ValueError(f"calls {name}() with {given} arguments; it takes {least}{wanted}")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a question that names a similar word, or an empty text."""
    similar = get_close_matches(word, list(known), n=1)
    return f"; did you mean {similar[0]}?" if similar else ""


def _no_such_field(name: str, text: str) -> str:
    """Return why a field at the top of an expression is a mistake, with the likeliest remedy."""
    if f'"{name}"' in text:
        return f"looks for a field called {name}: double quotes name a field; write the text in single quotes, '{name}'"
    if name in CONSTANTS:
        return f"looks for a field called {name}: write the value in backticks, `{name}`"
    return (
        f"looks for {name}, but an event has only {', '.join(EVENT_FIELDS)}: "
        f"write data.{name} for a field of the data, or '{name}' for the text"
    )
