"""Decide an alert's severity, with the reason."""

from fnmatch import fnmatchcase
from typing import NamedTuple

from alertgate.model import Json, Severity
from alertgate.rules import SeverityRules

SYNONYMS = {
    "crit": Severity.CRITICAL,
    "emergency": Severity.CRITICAL,
    "alert": Severity.CRITICAL,
    "error": Severity.CRITICAL,
    "high": Severity.CRITICAL,
    "warn": Severity.WARNING,
    "medium": Severity.WARNING,
    "notice": Severity.INFO,
    "information": Severity.INFO,
    "informational": Severity.INFO,
    "low": Severity.INFO,
    "debug": Severity.INFO,
}
"""Other names for the three severities, from syslog and other gateways."""


class DecidedSeverity(NamedTuple):
    """A severity, and what decided it: `payload`, `rule <glob>` or `default`."""

    severity: Severity
    reason: str


def parse_severity(value: Json) -> Severity | None:
    """Return the severity that a sender's value names, or None if it names none."""
    if not isinstance(value, str):
        return None
    word = value.strip().lower()
    return SYNONYMS.get(word) or (Severity(word) if word in set(Severity) else None)


def decide_severity(claimed: Json, event: str, rules: SeverityRules) -> DecidedSeverity:
    """Return the payload's severity, else that of the first rule that matches the event, else the default."""
    if (severity := parse_severity(claimed)) is not None:
        return DecidedSeverity(severity, "payload")
    for glob, severity in rules.rules:
        if fnmatchcase(event, glob):
            return DecidedSeverity(severity, f"rule {glob}")
    return DecidedSeverity(rules.default, "default")
