"""The parts of a digest whose content a server refused: each half goes on its own, until one message alone is refused.

A part stays as it is: it is never put together with anything else, or what was refused would be sent again and again.
Its id shows that it is one, because it is a UUID of version 8 (RFC 9562, 5.8); all other ids are of version 7. Pure.
"""

from collections.abc import Sequence
from hashlib import sha256
from uuid import UUID

_VERSION_8 = "8"
_PLACE = 14
"""Where the version stands in a UUID's text."""


def part_ids(digest_id: str, members: Sequence[str]) -> dict[str, str]:
    """Return for each member of a digest the id of the half that it belongs to from now on."""
    first = (len(members) + 1) // 2
    ids = _id(digest_id, 1), _id(digest_id, 2)
    return {member: ids[place >= first] for place, member in enumerate(members)}


def is_part(digest_id: str | None) -> bool:
    """Return whether this is the id of a part of a digest."""
    return digest_id is not None and digest_id[_PLACE : _PLACE + 1] == _VERSION_8


def _id(digest_id: str, half: int) -> str:
    """Return the id of one half, the same each time."""
    text = sha256(f"{digest_id}/{half}".encode()).hexdigest()[:32]
    variant = "89ab"[int(text[16], 16) % 4]
    return str(UUID(f"{text[:12]}{_VERSION_8}{text[13:16]}{variant}{text[17:]}"))
