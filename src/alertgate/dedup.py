"""The key that a sender gives to its alerts, in data or beside it. Pure."""

from collections.abc import Mapping

from alertgate.model import Json


def read_dedup_key(*places: Json) -> str | None:
    """Return the first `dedup_key` in these JSON objects, trimmed; only texts and numbers count."""
    for place in places:
        key = place.get("dedup_key") if isinstance(place, Mapping) else None
        if isinstance(key, str | int | float) and not isinstance(key, bool) and str(key).strip():
            return str(key).strip()
    return None
