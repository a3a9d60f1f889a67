"""Escalations: steps that are told one after the other until somebody acknowledges. `notify/escalate.py` decides."""

from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from alertgate.model import Severity
from alertgate.policy.wall_clock import Hours

AT_ONCE = timedelta(0)
STOP_AFTER = timedelta(hours=2)
AGAIN_AFTER_ACK = timedelta(hours=4)
EVERYONE = "everyone"
"""The name of the escalation that tells all people at once; it applies where the policy has no routes."""
OPERATOR = "operator"
"""The name of the one for alertgate's own troubles."""
RESERVED = frozenset({EVERYONE, OPERATOR})
SCHEDULE_MARK = "@"


@dataclass(frozen=True, slots=True)
class Step:
    """Whom to tell, and how long after the step before; the first one's `after` counts from the end of the wait."""

    notify: tuple[str, ...]
    """Names of people, and of schedules with an `@` before them; looked up when the step is due, not before."""
    after: timedelta = AT_ONCE
    min_severity: Severity | None = None
    """A step above the incident's severity is left out, together with its `after`."""

    def is_for(self, severity: Severity) -> bool:
        """Return whether it is for incidents of a severity."""
        return self.min_severity is None or severity.rank >= self.min_severity.rank


@dataclass(frozen=True, slots=True)
class Escalation:
    """Steps, and how often those who were told are reminded."""

    name: str
    steps: tuple[Step, ...]
    zone: ZoneInfo
    repeat_every: timedelta | None = None
    """The time between two reminders; None if there are none."""
    stop_after: timedelta = STOP_AFTER
    """When reminders end, counted from the first notification that was sent."""
    again_after_ack: timedelta = AGAIN_AFTER_ACK
    hours: Hours | None = None
    """Outside of them everything is held until they begin; None if it never is."""
