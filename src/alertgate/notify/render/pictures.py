"""The pictures in what a device sent, by what their bytes are, whatever they are called. Pure."""

import base64
import binascii
from collections.abc import Iterator
from itertools import islice

from alertgate.model import Json
from alertgate.notify.render.text import Blob, blob, media_type

PICTURES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
MOST = 12
"""Pictures of one alert."""
_BEGINNINGS = ("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR")
"""How the base64 of a picture begins."""


def pictures(data: Json) -> list[Blob]:
    """Return the pictures in a JSON value, in its order."""
    return list(islice(_pictures(data), MOST))


def _pictures(data: Json) -> Iterator[Blob]:
    waiting = [data]
    while waiting:
        value = waiting.pop()
        found = blob(value) or _bare(value)
        if found:
            kind = media_type(found.content)
            if kind in PICTURES:
                yield Blob(kind, found.content)
        elif isinstance(value, dict | list):
            waiting += reversed(list(value.values()) if isinstance(value, dict) else value)


def _bare(value: Json) -> Blob | None:
    """Decode base64 that says of itself that it is a picture."""
    if not isinstance(value, str) or not value.startswith(_BEGINNINGS):
        return None
    try:
        return Blob("", base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError):
        return None
