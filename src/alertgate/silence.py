"""A silence: for a time, nobody is told of the incidents that it matches. What would be said is held."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from alertgate.credential import Credential
from alertgate.model import Severity


class SilenceState(StrEnum):
    """Whether a silence holds what it matches."""

    PENDING = "pending"  # it begins later
    ACTIVE = "active"
    OVER = "over"  # it came to its end, or somebody ended it


@dataclass(frozen=True, slots=True)
class Silence:
    """One row of the store. `policy.silences` says what it holds."""

    id: str
    event: str | None
    """A glob, as those of a route are; None matches everything."""
    device: str | None
    source: str | None
    min_severity: Severity | None
    unless: Severity | None
    """What is at least as severe is told all the same."""
    begins_at: datetime
    ends_at: datetime
    author: str
    credential: Credential
    note: str | None
    created_at: datetime
    removed_at: datetime | None = None
    """When somebody ended it before its end."""
    removed_by: str | None = None
    removed_with: Credential | None = None

    @property
    def over_at(self) -> datetime:
        """When it stops holding anything."""
        return min(self.ends_at, self.removed_at or self.ends_at)

    @property
    def ever_lasts(self) -> bool:
        """Whether it holds anything at any time: not if somebody ended it before it began."""
        return self.begins_at < self.over_at

    def state(self, now: datetime) -> SilenceState:
        """Return whether it has begun, and is over."""
        if self.over_at <= now:
            return SilenceState.OVER
        return SilenceState.ACTIVE if self.begins_at <= now else SilenceState.PENDING

    def lasts(self, at: datetime) -> bool:
        """Return whether it holds what it matches at a time."""
        return self.begins_at <= at < self.over_at
