"""JMESPath expressions: checked and bounded when the policy is loaded, evaluated for each event. Pure.

An expression that comes upon null has failed, whatever its value: in JMESPath `data.open != 'yes'` is true, and
`!(data.open)` is too, if there is no `open`. Only the arguments of `not_null()` may be null, if they
are paths.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

import jmespath
from jmespath.exceptions import JMESPathError, LexerError, ParseError
from jmespath.lexer import Lexer
from jmespath.parser import ParsedResult
from jmespath.visitor import TreeInterpreter

from alertgate.model import Json
from alertgate.policy.bounds import CONSTANTS, MOST_LEVELS, check

LONGEST_EXPRESSION = 500
"""Characters."""

COMPARISONS = frozenset({"eq", "ne", "lt", "lte", "gt", "gte"})
PATHS = frozenset({"field", "subexpression", "index_expression", "index", "current"})
NO_LITERAL = frozenset({"quoted_identifier", "unquoted_identifier"})


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
        return Value(None, Failure.ERROR, _first_line(error))
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


class _Interpreter(TreeInterpreter):
    """Notes what was null on the way to a value."""

    def __init__(self) -> None:
        super().__init__()
        self.missing: str | None = None
        """The first part of the expression that gave null; empty if it has no name."""
        self._may_be_null = False

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        before, may_be_null = self.missing, self._may_be_null
        is_choice = node["type"] == "function_expression" and node["value"] == "not_null"
        self._may_be_null = is_choice or (may_be_null and node["type"] in PATHS)
        value = super().visit(node, *args, **kwargs)
        self._may_be_null = may_be_null
        if value is None and node["type"] != "literal" and not may_be_null and before is None:
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


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
