"""What an alert says: its words, its data, the fields beside it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from alertgate.model import Alert, AlertStatus, Json, Signal, Source
from alertgate.notify.render.reading import words_of
from alertgate.notify.render.text import MOST_READ, blob, clean_beginning, one_line, rows, say


def words(alert: Alert, longest: int) -> str | None:
    """Return what an alert says in words, to show in large type, cut to `longest` characters, or None."""
    if alert.message:
        return clean_beginning(alert.message, longest)
    if alert.status is AlertStatus.QUARANTINED or is_table(alert):
        return None
    return None if _is_empty(alert.data) else clean_beginning(say(alert.data, longest), longest)


def is_table(alert: Alert) -> bool:
    """Return whether an alert's data is shown as a table instead of words."""
    if alert.source is Source.WATCH:  # its data is for programs: the message says it
        return False
    return isinstance(alert.data, dict | list) or blob(alert.data) is not None


def essence(alert: Alert) -> str:
    """Return what an alert says, in the shortest form; empty if the headline already says all of it."""
    if alert.status is AlertStatus.QUARANTINED:
        return one_line(beginning(alert.raw or b"", 200), 200) or "empty body"
    if alert.message:
        return one_line(alert.message, LONGEST_ESSENCE)
    said = {"severity": (alert.severity,), "status": (Signal.RESOLVED, alert.signal)}
    return one_line(_short(alert.data, said), LONGEST_ESSENCE)


def gist(alert: Alert) -> str:
    """Return what an alert's message says, or of the watch's its first line: what to do is no text message's matter."""
    if alert.source is Source.WATCH and alert.message:
        return essence(replace(alert, message=alert.message.partition("\n")[0]))
    return essence(alert)


LONGEST_ESSENCE = 300
"""Characters."""


def beginning(raw: bytes, longest: int) -> str:
    """Return so much of a raw body as is read to show `longest` characters of it."""
    most = longest * MOST_READ
    return raw[:most].decode(errors="replace") + ("…" if len(raw) > most else "")


def _short(data: Json, said: Mapping[str, Sequence[Json]]) -> str:
    """Return data in the shortest form, without the fields that the headline `said` already."""
    if not isinstance(data, dict | list) or blob(data):
        return "" if _is_empty(data) else say(data, LONGEST_ESSENCE)
    if isinstance(data, dict):
        data = {name: value for name, value in with_values(data).items() if value not in said.get(name, ())}
    return ", ".join(f"{name}: {text}" for name, text in rows(data, most=8, longest=60)) if data else ""


def with_values(fields: dict[str, Json]) -> dict[str, Json]:
    """Return the fields that say something. A null in data does: a sensor that can't be read."""
    return {name: value for name, value in fields.items() if value is None or not _is_empty(value)}


def also_sent(alert: Alert) -> dict[str, Json]:
    """Return the fields beside the data that say something to people: Particle's ids and flags don't."""
    unsaid = _BOOKKEEPING if alert.source is Source.PARTICLE else frozenset[str]()
    return {
        name: value
        for name, value in alert.fields.items()
        if not _is_empty(value) and "".join(words_of(name)) not in unsaid
    }


_BOOKKEEPING = frozenset({"userid", "productid", "eventid", "public", "ttl"})
"""Particle's own fields, without separators and in lower case, that are there for programs."""


def _is_empty(value: Json) -> bool:
    return value is None or value in ([], {}) or (isinstance(value, str) and not value.strip())
