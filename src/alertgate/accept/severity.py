"""How bad an alert is, with the reason."""

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
"""What senders call the three severities (syslog's and other gateways' words)."""


class DecidedSeverity(NamedTuple):
    """A severity, and what decided it: `payload`, `rule <glob>` or `default`."""

    severity: Severity
    reason: str


def parse_severity(value: Json) -> Severity | None:
    """Read a severity as senders write it; None when it is none."""
    if not isinstance(value, str):
        return None
    word = value.strip().lower()
    return SYNONYMS.get(word) or (Severity(word) if word in set(Severity) else None)


def decide_severity(claimed: Json, event: str, rules: SeverityRules) -> DecidedSeverity:
    """Decide by what the payload claims, else by the first rule whose glob matches the event, else by the default."""
    if (severity := parse_severity(claimed)) is not None:
        return DecidedSeverity(severity, "payload")
    for glob, severity in rules.rules:
        if fnmatchcase(event, glob):
            return DecidedSeverity(severity, f"rule {glob}")
    return DecidedSeverity(rules.default, "default")
