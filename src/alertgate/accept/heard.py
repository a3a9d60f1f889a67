"""What one process has heard of a trouble of the gate, and what of that isn't reported yet."""

from dataclasses import dataclass
from datetime import datetime

from alertgate.model import Severity, worst
from alertgate.prove.troubles import BEGIN_ONCE, CONFIRMED, Known, Tally, Trouble, add_up


@dataclass(slots=True)
class Heard:
    """What was raised about a subject in this process."""

    trouble: Trouble
    last_at: datetime
    unsaid: Tally | None = None
    severity: Severity = Severity.INFO
    raised: int = 0
    covered: int = 0
    """How many of `raised` had occurred when the incident was last seen open."""
    cleared: bool = False
    left_before: datetime | None = None
    """Only an incident that was opened before this counts as cleared; None: any."""
    lasts: bool = False
    """Whether it is one of CONFIRMED, and lasts here."""

    @property
    def is_said(self) -> bool:
        """Whether there is nothing to report until it changes, or until somebody has to confirm that it lasts."""
        return self.trouble in BEGIN_ONCE and not self.unsaid and not self.cleared

    def add(self, occurred: Tally, severity: Severity, now: datetime) -> None:
        """Add what occurred."""
        self.unsaid = add_up(self.trouble, self.unsaid, occurred)
        self.severity = worst(self.severity, severity)
        self.last_at = now
        self.raised += 1
        self.cleared = False

    def over(self, now: datetime, left_before: datetime | None = None) -> None:
        """Note that it is over here: what every process sees for itself may last elsewhere."""
        if self.trouble not in CONFIRMED:
            self.cleared, self.left_before = True, left_before
        elif self.lasts:
            self.lasts, self.last_at = False, now

    def take(self, now: datetime) -> Known:
        """Return what is known; what is unsaid counts as said, unless it is put back."""
        last_at = now if self.lasts else self.last_at
        known = Known(
            last_at,
            self.unsaid,
            self.severity,
            self.raised > self.covered,
            self.cleared,
            self.lasts,
            self.left_before,
        )
        self.unsaid, self.severity = None, Severity.INFO
        return known

    def put_back(self, known: Known) -> None:
        """Take back that it was said."""
        if known.unsaid:
            self.unsaid = add_up(self.trouble, known.unsaid, self.unsaid)
            self.severity = worst(known.severity, self.severity)
