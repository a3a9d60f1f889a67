"""Whether a column has a text somewhere in it, in any case, on both databases."""

from collections.abc import Callable, Iterable
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Text, func, or_, type_coerce
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

_CAPITALS = str.maketrans(ascii_uppercase, ascii_lowercase)


class _Holds(FunctionElement[bool]):
    """Whether one text has another one in it. LIKE would take a minute where the texts are long and of one letter."""

    type = Boolean()
    inherit_cache = True


@compiles(_Holds)
def _holds(element: _Holds, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **kwargs)}) > 0"


@compiles(_Holds, "sqlite")
def _holds_on_sqlite(element: _Holds, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"instr({compiler.process(element.clauses, **kwargs)}) > 0"


def contains(column: ColumnElement[Any], text: str, stored: Callable[[str], str]) -> ColumnElement[bool]:
    """Return whether a column has a text, as it is stored."""
    lower = func.lower(type_coerce(column, Text))
    return or_(*(_Holds(lower, each) for each in spellings(text, stored)))


def spellings(text: str, stored: Callable[[str], str]) -> Iterable[str]:
    """Return what a database may make small letters of, of a text in any case: not all know other than ASCII's."""
    written = [stored(each) for each in (text, text.lower(), text.upper(), text.title())]
    return dict.fromkeys(lower(each) for each in written for lower in (str.lower, _ascii_lower))


def _ascii_lower(text: str) -> str:
    return text.translate(_CAPITALS)
