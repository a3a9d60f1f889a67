"""JMESPath expressions: checked and bounded when the policy is loaded, evaluated for each event. Pure.

An expression that comes upon null has failed, whatever its value: in JMESPath `data.open != 'yes'` is true, and
`!data.open` is too, if there is no `open`. Only the arguments of `not_null()` may be null.
"""

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, NamedTuple

import jmespath
from jmespath.exceptions import JMESPathError, LexerError, ParseError
from jmespath.functions import Functions
from jmespath.lexer import Lexer
from jmespath.parser import ParsedResult
from jmespath.visitor import TreeInterpreter

from alertgate.model import Json

EVENT_FIELDS = ("event", "data", "device", "message", "source", "severity", "status", "fields")
"""The fields of an event that expressions can use."""
LONGEST_EXPRESSION = 500
"""Characters."""
MOST_LEVELS = 20
"""How deep an expression may nest."""
MOST_WORK = 250
"""How often an expression may look at each value of an event, by an upper bound."""
LARGEST_EVENT = 2000
"""JSON values in an event, of which long texts count as several; expressions aren't evaluated on larger events."""
TEXT_UNIT = 256
"""Characters of a text that count as one value."""

COMPARISONS = frozenset({"eq", "ne", "lt", "lte", "gt", "gte"})
CONSTANTS = frozenset({"true", "false", "null"})
NO_LITERAL = frozenset({"quoted_identifier", "unquoted_identifier"})
UNBOUNDED = frozenset({"join"})
"""Functions whose result isn't bounded by a multiple of their arguments' size."""
ESCAPED = 12
"""Characters of JSON for one of text, as `to_string` writes it."""


class Failure(StrEnum):
    """Why an expression has no value that counts."""

    MISSING = "missing"  # it came upon null: a field that isn't there
    ERROR = "error"  # a function or comparison got a value of the wrong type
    TOO_LARGE = "too_large"  # the event has more than LARGEST_EVENT values
    UNEXPECTED = "unexpected"  # it gave a value of another kind than its use needs


class Value(NamedTuple):
    """What an expression gave: a value, or why there is none. `detail` names what is missing, or the error."""

    value: Json
    failure: Failure | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked JMESPath expression. `doubts` says what in it probably doesn't mean what it was meant to."""

    text: str
    parsed: ParsedResult = field(compare=False, repr=False)
    doubts: tuple[str, ...] = field(default=(), compare=False)


def compile_expression(text: str) -> Expression:
    """Return a checked expression. Raises ValueError, which says what is wrong and what to do."""
    if not text.strip():
        raise ValueError("is empty: leave the key out, or write an expression")
    if len(text) > LONGEST_EXPRESSION:
        raise ValueError(f"has {len(text)} characters: at most {LONGEST_EXPRESSION} are allowed")
    try:
        with warnings.catch_warnings(action="error", category=PendingDeprecationWarning):
            parsed = jmespath.compile(text)
            tokens = list(Lexer().tokenize(text))
    except PendingDeprecationWarning:
        raise ValueError(
            "has text in backticks that isn't JSON: write texts in single quotes, as in 'closed'"
        ) from None
    except JMESPathError as error:
        raise ValueError(_syntax(error, text)) from None
    except RecursionError:
        raise ValueError(f"nests too deeply: at most {MOST_LEVELS} levels are allowed") from None
    except Exception as error:  # noqa: BLE001  (whatever a strange text does to the parser, it is no expression)
        raise ValueError(f"can't be read as a JMESPath expression: {error}") from None
    work = _Checker(text).check(parsed.parsed)
    if work > MOST_WORK:
        raise ValueError(
            f"may take too long on a large event: it looks at each value up to {work} times, and at most {MOST_WORK} "
            "are allowed; use fewer lists, pipes and projections"
        )
    return Expression(text, parsed, tuple(_doubts(tokens)))


def evaluate(expression: Expression, event: Mapping[str, Json]) -> Value:
    """Evaluate an expression over an event, whose size the caller has checked. Never raises."""
    interpreter = _Interpreter()
    try:
        value = interpreter.visit(expression.parsed.parsed, event)
    except Exception as error:  # noqa: BLE001  (an alert mustn't be lost, whatever a library does with its values)
        return Value(None, Failure.ERROR, _first_line(error))
    if interpreter.missing is not None:
        return Value(None, Failure.MISSING, interpreter.missing)
    return Value(value)


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


def shown(value: Json, longest: int = 60) -> str:
    """Return a value as JSON, cut to a length."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):  # a number of thousands of digits, or a list of thousands of levels
        return "a value that can't be shown"
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


class _Interpreter(TreeInterpreter):
    """Notes what was null on the way to a value."""

    def __init__(self) -> None:
        super().__init__()
        self.missing: str | None = None
        """The first part of the expression that gave null; empty if it has no name."""
        self._alternatives = 0

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        may_be_null = node["type"] == "function_expression" and node["value"] == "not_null"
        before = self.missing
        self._alternatives += may_be_null
        value = super().visit(node, *args, **kwargs)
        self._alternatives -= may_be_null
        if value is None and node["type"] != "literal" and not self._alternatives and before is None:
            self.missing = _path(node) or self.missing or ""
        return value


def _path(node: Any) -> str:
    """Return the name of a field or a path to it, or an empty text for any other part of an expression."""
    if node["type"] == "field":
        return str(node["value"])
    if node["type"] == "subexpression":
        names = [_path(child) for child in node["children"]]
        return ".".join(names) if all(names) else ""
    return ""


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

    def check(self, node: Any) -> int:
        """Return an upper bound for the work. Raises ValueError."""
        return self._growth(node, root=True, level=0).work

    def _growth(self, node: Any, *, root: bool, level: int) -> _Growth:
        if level > MOST_LEVELS:
            raise ValueError(f"nests too deeply: at most {MOST_LEVELS} levels are allowed")
        kind = node["type"]
        children: list[Any] = node["children"] if kind != "slice" else []  # whose children are numbers
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


def _syntax(error: JMESPathError, text: str) -> str:
    """Return why a text is no expression, with the remedy for frequent mistakes."""
    if isinstance(error, LexerError):
        remedy = "; to compare, write ==" if error.lexer_value == "=" else ""
        return f"can't be read at character {error.lexer_position + 1}: {error.message}{remedy}"
    if not isinstance(error, ParseError):
        return f"can't be read: {_first_line(error)}"
    if error.token_type in (None, "EOF"):
        return "ends too early: something is missing after its last character"
    token, position = error.token_value, error.lex_position
    remedies = {
        "NUMBER": f"; write numbers in backticks, `{token}`",
        "UNQUOTED_IDENTIFIER": {"and": "; write &&", "or": "; write ||", "not": "; write !"}.get(str(token), ""),
    }
    return f"can't be read at character {position + 1} of {len(text)} ({token}){remedies.get(error.token_type or '', '')}"


def _doubts(tokens: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a warning for each comparison with a field whose name looks as if a text or a constant was meant."""
    for position, token in enumerate(tokens):
        if token["type"] not in COMPARISONS or not 0 < position < len(tokens) - 2:
            continue
        before, after = tokens[position - 1], tokens[position + 1]
        sides = (
            (before, after, position < 2 or tokens[position - 2]["type"] != "dot"),
            (after, before, tokens[position + 2]["type"] not in ("dot", "lparen")),
        )
        for side, other, alone in sides:
            if not alone or other["type"] not in NO_LITERAL:
                continue
            if side["type"] == "quoted_identifier":
                yield f"compares with a field called {side['value']}: write a text in single quotes, '{side['value']}'"
            elif side["type"] == "unquoted_identifier" and side["value"] in CONSTANTS:
                yield f"compares with a field called {side['value']}: write the value in backticks, `{side['value']}`"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
