"""Rules for grouping and severities, as the settings define them."""

from dataclasses import dataclass
from datetime import timedelta

from alertgate.model import Severity


@dataclass(frozen=True, slots=True)
class GroupingRules:
    """The time between two updates to one contact, and the time without an alert that resolves an incident."""

    interval: timedelta
    resolve_after: timedelta
    again_after_ack: timedelta = timedelta(hours=4)
    """An acknowledged incident doesn't end for lack of alerts sooner than this after its acknowledgement."""


@dataclass(frozen=True, slots=True)
class SeverityRules:
    """Event globs with their severities, of which the first match wins, and the default severity."""

    rules: tuple[tuple[str, Severity], ...]
    default: Severity
