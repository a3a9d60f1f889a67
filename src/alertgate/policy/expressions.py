"""JMESPath expressions: checked and bounded when the policy is loaded, evaluated for each event. Pure.

An expression that comes upon a gap has failed, whatever its value: in JMESPath `data.open != 'yes'` is true, and
`!(data.open)` is too, if there is no `open`. A gap is null, a field that isn't there, or a text that a template left
empty (`words.is_absent`); `false`, 0, `[]` and `{}` are values. Only the arguments of `not_null()` may be gaps, if they
are paths. A list or an object with a gap inside is one only for what looks inside it.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

import jmespath
from jmespath.exceptions import JMESPathError, JMESPathTypeError, LexerError, ParseError
from jmespath.lexer import Lexer
from jmespath.parser import ParsedResult
from jmespath.visitor import TreeInterpreter

from alertgate.errors import first_line
from alertgate.model import Json
from alertgate.policy.bounds import CONSTANTS, MOST_LEVELS, check
from alertgate.words import is_absent

LONGEST_EXPRESSION = 500
"""Characters."""
LONGEST_ERROR = 200
"""Characters of a library's own message."""

COMPARISONS = frozenset({"eq", "ne", "lt", "lte", "gt", "gte"})
PATHS = frozenset({"field", "subexpression", "index_expression", "index", "current"})
NO_LITERAL = frozenset({"quoted_identifier", "unquoted_identifier"})


class Failure(StrEnum):
    """Why an expression has no value that counts."""

    MISSING = "missing"  # it came upon a gap: a field that isn't there, null, or blank text
    ERROR = "error"  # a function or comparison got a value of the wrong type
    TOO_LARGE = "too_large"  # the event has more than LARGEST_EVENT values
    UNEXPECTED = "unexpected"  # it gave a value of another kind than its use needs


class Value(NamedTuple):
    """What an expression gave: a value, or why there is none.

    `detail` names what is missing, or the error. It holds no value of the event: it is logged.
    """

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
        parsed = jmespath.compile(text)
        tokens = list(Lexer().tokenize(text))
    except JMESPathError as error:
        raise ValueError(_syntax(error, text)) from None
    except RecursionError:
        raise ValueError(f"nests too deeply: at most {MOST_LEVELS} levels are allowed") from None
    except Exception as error:  # noqa: BLE001  (whatever a strange text does to the parser, it is no expression)
        raise ValueError(f"can't be read as a JMESPath expression: {error}") from None
    if any(_is_bare_text(token, text) for token in tokens):
        raise ValueError("has text in backticks that isn't JSON: write texts in single quotes, as in 'closed'")
    check(parsed.parsed, text)
    return Expression(text, parsed, tuple(_doubts(tokens)))


def evaluate(expression: Expression, event: Mapping[str, Json]) -> Value:
    """Evaluate an expression over an event, whose size the caller has checked. Never raises."""
    interpreter = _Interpreter()
    try:
        value = interpreter.visit(expression.parsed.parsed, event)
    except Exception as error:  # noqa: BLE001  (an alert mustn't be lost, whatever a library does with its values)
        if interpreter.missing is None:
            return Value(None, Failure.ERROR, _wrong_type(error))
        value = None
    if interpreter.missing is not None:
        return Value(None, Failure.MISSING, interpreter.missing)
    return Value(value)


def shown(value: Json, longest: int = 60) -> str:
    """Return a value as JSON, cut to a length."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):  # a number of thousands of digits, or a list of thousands of levels
        return "a value that can't be shown"
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def type_name(value: Json) -> str:
    """Return what kind of value this is, for sentences that mustn't show it."""
    return next((name for types, name in _TYPE_NAMES if isinstance(value, types)), "null")


_TYPE_NAMES: Sequence[tuple[type | tuple[type, ...], str]] = (
    (bool, "a boolean"),
    ((int, float), "a number"),
    (str, "a text"),
    (list, "a list"),
    (Mapping, "an object"),
)


class _Interpreter(TreeInterpreter):
    """Takes blank text for null, and notes the gaps that it came upon on the way to a value."""

    def __init__(self) -> None:
        super().__init__()
        self.missing: str | None = None
        """The first part of the expression that was a gap; empty if it has no name."""
        self._may_be_null = False
        self._parts: list[Json] = []
        """The values of the children of the node that is being visited."""

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        before, may_be_null, siblings = self.missing, self._may_be_null, self._parts
        kind = node["value"] if node["type"] == "function_expression" else node["type"]
        self._may_be_null, self._parts = kind == "not_null" or (may_be_null and kind in PATHS), []
        value = super().visit(node, *args, **kwargs)
        if kind != "literal" and is_absent(value):
            value = None
            if before is None and not may_be_null:
                self.missing = _path(node) or self.missing or ""
        elif self.missing is None and kind in _LOOKS_INSIDE:
            self.missing = _gap_inside(node, self._parts, _LOOKS_INSIDE[kind])
        self._may_be_null, self._parts = may_be_null, siblings
        siblings.append(value)
        return value


def _gap_inside(node: Any, values: Sequence[Json], has_gap: Callable[[Json], bool]) -> str | None:
    """Return what has a gap inside that decides the value of a part, or None. `values` are those of its children."""
    if node["type"] == "comparator" and not all(isinstance(value, list | dict) for value in values):
        return None
    children = zip(node["children"], values, strict=False)  # && and || don't always need their second one
    found = next((child for child, value in children if child["type"] != "literal" and has_gap(value)), None)
    return f"a value in {_path(found) or 'a list or an object'}" if found else None


def _has_gap(value: Json) -> bool:
    return any(map(is_absent, _members(value)))


def _has_gap_at_any_depth(value: Json) -> bool:
    waiting = [value]
    while waiting:
        for member in _members(waiting.pop()):
            if is_absent(member):
                return True
            waiting.append(member)
    return False


def _has_only_gaps(value: Json) -> bool:
    members = _members(value)
    return bool(members) and all(map(is_absent, members))


def _members(value: Json) -> Collection[Json]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


_LOOKS_INSIDE: Mapping[str, Callable[[Json], bool]] = {
    **dict.fromkeys(("contains", "to_string", "comparator"), _has_gap_at_any_depth),
    **dict.fromkeys(("length", "max", "min", "sort"), _has_gap),
    # These ask whether a list or an object is empty.
    **dict.fromkeys(("not_expression", "and_expression", "or_expression"), _has_only_gaps),
}
"""Functions, and other parts of an expression, whose value depends on what is inside of lists and objects.

Projections and filters visit each element, and the other functions that take lists only pass them on or refuse null.
"""


def _path(node: Any) -> str:
    """Return the name of a field or a path to it, or an empty text for most other parts of an expression."""
    if node["type"] == "comparator":  # it gives null if it orders what has no order
        return "a number or a text to compare"
    if node["type"] == "field":
        return str(node["value"])
    if node["type"] == "subexpression":
        names = [_path(child) for child in node["children"]]
        return ".".join(names) if all(names) else ""
    return ""


def _syntax(error: JMESPathError, text: str) -> str:
    """Return why a text is no expression, with the remedy for frequent mistakes."""
    if isinstance(error, LexerError):
        remedy = "; to compare, write ==" if error.lexer_value == "=" else ""
        return f"can't be read at character {error.lexer_position + 1}: {error.message}{remedy}"
    if not isinstance(error, ParseError):
        return f"can't be read: {first_line(error)[:LONGEST_ERROR]}"
    if error.token_type in (None, "EOF"):
        return "ends too early: something is missing after its last character"
    token, position = error.token_value, error.lex_position
    remedies = {
        "NUMBER": f"; write numbers in backticks, `{token}`",
        "UNQUOTED_IDENTIFIER": {"and": "; write &&", "or": "; write ||", "not": "; write !"}.get(str(token), ""),
    }
    return (
        f"can't be read at character {position + 1} of {len(text)} ({token}){remedies.get(error.token_type or '', '')}"
    )


def _is_bare_text(token: Mapping[str, Any], text: str) -> bool:
    """Return whether a literal in backticks isn't JSON; jmespath takes it as a text, and warns where nobody looks."""
    if token["type"] != "literal" or not isinstance(token["value"], str):
        return False
    start = token["start"]
    return text[start] == "`" and text[start + 1 :].lstrip()[:1] != '"'


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


def _wrong_type(error: Exception) -> str:
    """Return what went wrong, without the value that JMESPath's message has."""
    if isinstance(error, JMESPathTypeError):
        return f"{error.function_name}() can't take {type_name(error.current_value)}"
    if isinstance(error, TypeError):  # names types alone
        return first_line(error)[:LONGEST_ERROR]
    return type(error).__name__
