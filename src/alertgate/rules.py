"""The rules that alerts are judged by, as the settings give them."""

from dataclasses import dataclass
from datetime import timedelta

from alertgate.model import Severity


@dataclass(frozen=True, slots=True)
class GroupingRules:
    """How long an incident keeps quiet towards one recipient, and after how long a silence it is over."""

    interval: timedelta
    resolve_after: timedelta


@dataclass(frozen=True, slots=True)
class SeverityRules:
    """Event globs with their severities, first match wins, and the severity of the rest."""

    rules: tuple[tuple[str, Severity], ...]
    default: Severity
