"""How a list goes on: its next page, or a search that ended before it was through. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alertgate.store.search import Found
from alertgate.uuid7 import time_of
from alertgate.web.console.filters import Filters


@dataclass(frozen=True, slots=True)
class Older:
    """The link to what is older."""

    href: str
    searched_back_to: datetime | None
    """When the oldest row that was looked at is of, if the search ended there."""


def older(found: Found[Any], path: str, filters: Filters) -> Older | None:
    """Return how a list goes on; None if there is nothing more."""
    if found.older is None:
        return None
    return Older(filters.older(path, found.older), time_of(found.older) if found.is_cut else None)
