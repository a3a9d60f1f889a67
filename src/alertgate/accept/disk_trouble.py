"""Tell people that the disk of DATA_DIR is almost full, and when there is room again. Pure."""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import NamedTuple

from alertgate.model import Severity
from alertgate.prove.troubles import Cause

LOW_PART = 0.05
LOW_BYTES = 500 * 10**6
"""What is free is little below both: of a small disk a twentieth, of a large one what alerts take in months."""
FULL_PART = 0.1
"""The part of that below which hardly anything is free."""
ROOM = 1.5
"""How many times that must be free until it is over: logs and the database's own log come and go."""
GB, MB = 10**9, 10**6


class Space(NamedTuple):
    """The bytes of a disk, as `shutil.disk_usage` returns them."""

    total: int
    used: int
    free: int


class Level(IntEnum):
    """How full the disk is, from the best to the worst."""

    UNKNOWN = 0  # between room and low, since this process began to look: whatever was told still holds
    ROOM = 1
    LOW = 2
    FULL = 3


TROUBLES: Mapping[Level, tuple[Cause, Severity]] = MappingProxyType(
    {
        Level.LOW: (Cause.DISK_LOW, Severity.WARNING),
        Level.FULL: (Cause.DISK_FULL, Severity.CRITICAL),
    }
)
"""What people are told. It gets worse but not better before it is over."""


def after(before: Level, space: Space) -> Level:
    """Return the level after a look."""
    little = min(space.total * LOW_PART, LOW_BYTES)
    if space.free >= little * ROOM:
        return Level.ROOM
    if space.free >= little:
        return before
    return Level.FULL if space.free < little * FULL_PART else max(before, Level.LOW)


def say(space: Space) -> str:
    """Return what is free, such as `312 MB of 16.0 GB`."""
    return f"{_size(space.free)} of {_size(space.total)}"


def _size(size: int) -> str:
    return f"{size / GB:.1f} GB" if size >= GB else f"{size // MB} MB"
