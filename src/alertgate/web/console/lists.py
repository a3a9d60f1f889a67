"""The lists of what is stored: rows that filters look for, and how a list goes on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeVar

from fastapi import Request, Response

from alertgate.model import Severity
from alertgate.store import Connection
from alertgate.store.search import Found, Sought
from alertgate.uuid7 import time_of
from alertgate.web.console.filters import Filters
from alertgate.web.console.pages import shown
from alertgate.web.console.viewer import Viewer
from alertgate.web.dependencies import Gate

ON_A_PAGE = 30
NO_MORE: Mapping[str, object] = MappingProxyType({})
_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class Line:
    """What each line of a list has: a link after its tag."""

    id: str
    tag: str
    color: str
    """A class of the style sheet."""
    name: str
    event: str


@dataclass(frozen=True, slots=True)
class Older:
    """The link to what is older."""

    href: str
    searched_back_to: datetime | None
    """When the oldest row that was looked at is of, if the search ended there."""


async def show_list(
    request: Request,
    gate: Gate,
    viewer: Viewer,
    template: str,
    filters: Filters,
    find: Callable[[Connection, Sought, str | None, int], Found[_Row]],
    line: Callable[[_Row], object],
    most: int = ON_A_PAGE,
    more: Mapping[str, object] = NO_MORE,
    about: Callable[[Connection, Found[_Row]], Mapping[str, object]] = lambda *_: NO_MORE,
) -> Response:
    """Show the newest rows, or those that are looked for; nothing is, if some of the filters can't be used.

    `about` returns what else the template shows of what was found, from the same transaction.
    """
    lines: list[object] = []
    then: Older | None = None
    if not filters.problems:
        read = gate.store.search if filters.sought.text else gate.store.read

        def look(connection: Connection) -> tuple[Found[_Row], Mapping[str, object]]:
            found = find(connection, filters.sought, filters.before, most)
            return found, about(connection, found)

        found, of_found = await read(look)
        more = {**more, **of_found}
        lines = [line(each) for each in found.items]
        then = _older(found, request.url.path, filters)
    values = {"filters": filters, "severities": list(Severity), "lines": lines, "older": then, **more}
    return shown(request, viewer, template, values, 422 if filters.problems else 200)


def _older(found: Found[Any], path: str, filters: Filters) -> Older | None:
    """Return how a list goes on; None if there is nothing more."""
    if found.older is None:
        return None
    return Older(filters.older(path, found.older), time_of(found.older) if found.is_cut else None)
