"""Decide an alert's severity, with the reason."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from alertgate.model import Json, Severity
from alertgate.rules import SeverityRules
from alertgate.words import read_severity


class DecidedSeverity(NamedTuple):
    """A severity, and what decided it: `payload`, `rule <glob>` or `default`."""

    severity: Severity
    reason: str


def decide_severity(claimed: Iterable[Json], event: str, rules: SeverityRules) -> DecidedSeverity:
    """Return the first known severity in `claimed`, else that of the first rule that matches, else the default."""
    if severity := next((severity for claim in claimed if (severity := read_severity(claim))), None):
        return DecidedSeverity(severity, "payload")
    for glob, severity in rules.rules:
        if fnmatchcase(event, glob):
            return DecidedSeverity(severity, f"rule {glob}")
    return DecidedSeverity(rules.default, "default")
