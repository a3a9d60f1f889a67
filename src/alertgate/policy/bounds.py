"""Upper bounds: what an expression may cost on the largest event, known before it ever runs. Pure.

The same walk through a parsed expression finds what is certainly a mistake: unknown fields and functions.
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from jmespath.functions import Functions

from alertgate.model import Json
from alertgate.words import is_absent

EVENT_FIELDS = ("event", "data", "device", "message", "source", "severity", "status", "fields")
"""The fields of an event that expressions can use."""
MOST_LEVELS = 20
"""How deep an expression may nest."""
MOST_WORK = 250
"""How often an expression may look at each value of an event, by an upper bound; `bench.expressions` shows the cost."""
EACH = 5
"""How often it counts if a part of an expression is evaluated for each element, rather than once on a whole list."""
LARGEST_EVENT = 2000
"""JSON values in an event, of which long texts count as several; expressions aren't evaluated on larger events."""
TEXT_UNIT = 256
"""Characters of a text that count as one value."""

STEPS = frozenset({"subexpression", "index_expression", "projection", "value_projection", "filter_projection"})
"""Parts of an expression that go on from their first child. JMESPath reads `!data.open` as `(!data).open`."""
CONSTANTS = frozenset({"true", "false", "null"})
UNBOUNDED = frozenset({"join"})
"""Functions whose result isn't bounded by a multiple of their arguments' size."""
ONE_OF = frozenset({"not_null", "or_expression", "and_expression"})
"""What gives one of its operands, and so nothing larger than the largest of them."""
SMALL = frozenset(
    {"contains", "starts_with", "ends_with", "length", "type", "to_number", "comparator", "not_expression"}
)
"""What gives a boolean, a number or a word, whatever its operands are."""
ESCAPED = 12
"""Characters of JSON for one of text, as `to_string` writes it."""


def check(node: Any, text: str) -> None:
    """Check a parsed expression. Raises ValueError, which says what is wrong and what to do."""
    work = _Checker(text).work(node)
    if work > MOST_WORK:
        raise ValueError(
            f"may take too long on a large event: it can be {work} times the work of reading it, and at most "
            f"{MOST_WORK} times are allowed; use fewer lists, pipes, filters and projections"
        )


def size(value: Json) -> int:
    """Return how many JSON values a value has, or a number above LARGEST_EVENT if it has more than that.

    Long texts and names count as several.
    """
    count, waiting = 0, [value]
    while waiting and count <= LARGEST_EVENT:
        item = waiting.pop()
        count += 1
        if isinstance(item, str):
            count += len(item) // TEXT_UNIT
        elif isinstance(item, Mapping):
            count += sum(len(name) // TEXT_UNIT for name in item)
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return count


class _Growth(NamedTuple):
    """Upper bounds for a part of an expression, as multiples of the size of the value that it is evaluated on."""

    result: int
    work: int


class _Place(NamedTuple):
    """Where a part of an expression stands."""

    root: bool
    """Whether it is evaluated on the event itself, whose fields are known."""
    level: int = 0
    unit: int = 1
    """How often it counts: EACH if it is evaluated for each element."""

    def within(self) -> "_Place":
        """Return the place of a child that is evaluated on the same value."""
        return self._replace(level=self.level + 1)

    def after(self) -> "_Place":
        """Return the place of a later step, which is evaluated on what an earlier one gave."""
        return self._replace(root=False, level=self.level + 1)

    def each(self) -> "_Place":
        """Return the place of a child that is evaluated on each element."""
        return _Place(root=False, level=self.level + 1, unit=EACH)


class _Checker:
    """Checks a parsed expression: its fields, its functions, how deep it nests, and how much work it can be.

    Values are trees: the parts of a list are together no larger than the list. So what is done for each element costs
    at most a multiple of the list's size, and only lists that repeat their elements, such as `[@, @]`, make it grow.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def work(self, node: Any) -> int:
        """Return an upper bound for the work. Raises ValueError."""
        return self._growth(node, _Place(root=True)).work

    def _growth(self, node: Any, place: _Place) -> _Growth:
        if place.level > MOST_LEVELS:
            raise ValueError(f"nests too deeply: at most {MOST_LEVELS} levels are allowed")
        kind = node["type"]
        children: list[Any] = node["children"] if kind != "slice" else []  # whose children are numbers
        if kind in STEPS and children[0]["type"] == "not_expression":
            raise ValueError("has a ! that negates only the name after it: write !(data.open), with parentheses")
        match kind:
            case "field":
                if place.root and node["value"] not in EVENT_FIELDS:
                    raise ValueError(_no_such_field(node["value"], self._text))
                return _Growth(1, place.unit)
            case "literal":
                if is_absent(node["value"]):
                    raise ValueError(_ABSENT)
                return _Growth(size(node["value"]), place.unit)
            case "subexpression" | "index_expression" | "pipe":
                return self._chain(children, place)
            case "projection" | "value_projection" | "filter_projection":
                base = self._growth(children[0], place.within())
                inner = [self._growth(child, place.each()) for child in children[1:]]
                return _Growth(
                    base.result * (inner[0].result + 1),
                    base.work + base.result * sum(part.work + EACH for part in inner),
                )
            case "function_expression":
                return self._function(node, place)
        inside = place.each() if kind == "expref" else place.within()
        parts = [self._growth(child, inside) for child in children]
        results = [part.result for part in parts]
        return _Growth(_result(kind, results), sum(part.work for part in parts) + (sum(results) + 1) * place.unit)

    def _chain(self, steps: Sequence[Any], place: _Place) -> _Growth:
        """Each step is evaluated on the result of the one before."""
        result, work = 1, 0
        for position, step in enumerate(steps):
            growth = self._growth(step, place.within() if position == 0 else place.after())
            work += result * growth.work
            result *= growth.result
        return _Growth(result, work)

    def _function(self, node: Any, place: _Place) -> _Growth:
        name, arguments = node["value"], node["children"]
        _check_function(name, len(arguments))
        parts = [self._growth(argument, place.within()) for argument in arguments]
        given = [part.result for part, argument in zip(parts, arguments, strict=True) if argument["type"] != "expref"]
        values = sum(given)
        each = [part for part, argument in zip(parts, arguments, strict=True) if argument["type"] == "expref"]
        work = sum(part.work for part in parts) + values * (place.unit + sum(part.work for part in each))
        if each:
            return _Growth(values * sum(part.result for part in each) + 1, work)
        return _Growth(values * ESCAPED + 1 if name == "to_string" else _result(name, given), work)


def _result(kind: str, operands: Sequence[int]) -> int:
    """Return an upper bound for the size of a result, from those of the operands."""
    if kind in SMALL:
        return 1
    return max(operands, default=1) if kind in ONE_OF else sum(operands) + 1


_ABSENT = (
    "has a null or a blank text in it, but every expression that comes upon one fails: to ask whether data is null, "
    "blank or not there, write not_null(data, 'nothing') == 'nothing'"
)


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
