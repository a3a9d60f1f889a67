"""Tell people that an account nears its daily limit, and when there is room again. Pure."""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

from alertgate.model import Severity
from alertgate.notify.budget import Budget, budget
from alertgate.prove.troubles import Cause

ROOM_BELOW = 0.70
"""The part of the limit below which there is room again: at 80 %, where it begins, each message could end it."""


class Level(IntEnum):
    """How much is used, from the best to the worst."""

    UNKNOWN = 0  # between room and near, since this process began to look: whatever was told still holds
    ROOM = 1
    NEAR = 2  # from 80 % on, until there is room again
    REACHED = 3  # all of it was used, and there was no room since


TROUBLES: Mapping[Level, tuple[Cause, Severity]] = MappingProxyType(
    {
        Level.NEAR: (Cause.LIMIT_NEAR, Severity.WARNING),
        Level.REACHED: (Cause.LIMIT_REACHED, Severity.CRITICAL),
    }
)
"""What people are told. It gets worse but not better before it is over: each message about it counts too."""


def after(before: Level, sent: int, limit: int) -> Level:
    """Return the level after a look; a `limit` of 0 means that there is none."""
    if sent < limit * ROOM_BELOW or not limit:
        return Level.ROOM
    match budget(sent, limit):
        case Budget.PLENTY:
            return before
        case Budget.EXHAUSTED:
            return Level.REACHED
    return max(before, Level.NEAR)
