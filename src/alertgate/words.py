"""The words that senders use for a status and a severity, and the texts that stand for nothing. Pure."""

import re
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType

from alertgate.model import Json, Severity, Signal

RESOLVED_WORDS = frozenset(
    {"resolved", "resolve", "ok", "okay", "clear", "cleared", "closed", "normal", "recovered", "recovery"}
)
"""The values of `status` that resolve an incident; any other fires."""

DOUBTFUL_WORDS = frozenset({"closed"})
"""Those of them that may be the alarm itself: `closed` of a valve. The others say in any case that all is well."""

SEVERITY_WORDS: Mapping[str, Severity] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                *("critical", "crit", "emergency", "emerg", "alert", "fatal", "panic", "disaster"),
                *("high", "page", "error", "err"),
            ),
            Severity.CRITICAL,
        ),
        **dict.fromkeys(("warning", "warn", "major", "minor", "medium"), Severity.WARNING),
        **dict.fromkeys(
            ("info", "informational", "information", "notice", "debug", "ok", "none", "low"), Severity.INFO
        ),
    }
)
"""Names for the three severities, from syslog, Alertmanager, Zabbix, PagerDuty and others."""


_VARIABLE = re.compile(r"\s*\{\{[^{}]*\}\}\s*|\s*\{\{\{[^{}]*\}\}\}\s*")


def is_absent(value: Json) -> bool:
    """Return whether a value is null, blank, or just a template variable that Particle didn't fill in."""
    return value is None or (isinstance(value, str) and (not value or value.isspace() or is_variable(value)))


def is_variable(value: Json) -> bool:
    """Return whether a value is just a template variable that Particle didn't fill in."""
    return isinstance(value, str) and "{{" in value and _VARIABLE.fullmatch(value) is not None


def read_word(value: Json) -> str | None:
    """Return text in lower case without surrounding white space, or None if nothing remains."""
    return value.strip().casefold() or None if isinstance(value, str) else None


def folded(text: str) -> str:
    """Return a text in one case and with single spaces: names that differ in nothing else are the same."""
    return " ".join(text.split()).casefold()


def read_signal(value: Json) -> Signal | None:
    """Return what a `status` means, or None if it isn't text."""
    word = read_word(value)
    if word is None:
        return None
    return Signal.RESOLVED if word in RESOLVED_WORDS else Signal.FIRING


def read_severity(value: Json) -> Severity | None:
    """Return what a `severity` means, or None if the word isn't known."""
    return SEVERITY_WORDS.get(read_word(value) or "")


def values_of(name: str, *places: Json) -> Iterator[Json]:
    """Yield a field's values in these objects, in order; its name matches in any case and with white space."""
    for place in places:
        if isinstance(place, dict):
            yield from values_by_name(place, (name,)).get(name, ())


def values_by_name(place: Mapping[str, Json], names: Collection[str]) -> dict[str, list[Json]]:
    """Return the values of an object's fields with these names, as `values_of` yields them, in one pass."""
    found: dict[str, list[Json]] = {}
    for key, value in place.items():
        if key in names:
            found.setdefault(key, []).insert(0, value)  # written exactly so, it comes before other spellings
        elif (word := read_word(key)) in names and word:
            found.setdefault(word, []).append(value)
    return found
