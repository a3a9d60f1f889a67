"""What is known about one contact when it is decided what to tell it, and when."""

from dataclasses import dataclass, field
from datetime import datetime

from alertgate.model import ABOUT_OTHERS, Hold, Kind, Severity


@dataclass(frozen=True, slots=True)
class ContactState:
    """The state of one contact's notifications about one incident."""

    pending_id: str | None = None
    """The id of the pending notification, if there is one."""
    pending_attempts: int = 0
    told_at: datetime | None = None
    """When the contact was last notified; a notification that is being sent counts from its claim."""
    failed_at: datetime | None = None
    """When a notification to it last failed for good."""
    told_open_at: datetime | None = None
    """When the contact was last told that the incident is open or acknowledged."""
    updates: int = 0
    """How many updates the contact was sent since the incident last changed, or reminders, which say as much."""
    changes: int = 0
    """How many changes of state the contact was told within the group interval, or is about to be told."""
    summaries: int = 0
    """The same for notifications that tell of several changes together."""
    worst: Severity | None = None
    """The worst severity of what the contact was told within the group interval, or is about to be told."""
    pending_kind: Kind | None = None
    pending_hold: Hold | None = None
    """What the pending notification waits for."""
    pending_due_at: datetime | None = None
    pending_claimed_at: datetime | None = None
    """When it was last claimed: from then on it may have arrived, whatever became of the reply."""
    person: str | None = None
    """Whom the contact's notifications are for."""
    unanswered_at: datetime | None = None
    """When a message was last claimed that doesn't say that the incident is over, and may have arrived: it is being
    sent, or an attempt ended without an answer."""
    believes_open: bool = False
    """Whether it was last told that an earlier incident with the same key is open."""

    is_last_hope: bool = False
    """Whether the person's other contacts were refused, and none of them is told or about to be."""

    @property
    def may_believe_over(self) -> bool:
        """Whether the last thing that the contact was told may be that the incident is over."""
        return self.told_at is not None and self.told_at != self.told_open_at

    @property
    def may_believe_open(self) -> bool:
        """Whether the last thing that the contact was told may be that the incident is open or acknowledged."""
        if self.unanswered_at and (self.told_at is None or self.unanswered_at >= self.told_at):
            return True
        return self.told_at is not None and not self.may_believe_over

    @property
    def knows(self) -> bool:
        """Whether it was or may have been told of the incident, is about to be, or couldn't be."""
        return bool(self.pending_id or self.told_at or self.failed_at or self.unanswered_at)

    @property
    def is_held(self) -> bool:
        """Whether what is pending is held: it is told at the hold's end, also if the incident is over by then."""
        return self.pending_hold in {Hold.QUIET_HOURS, Hold.OUTSIDE_HOURS, Hold.SILENCED}

    @property
    def is_about_others(self) -> bool:
        """Whether what is pending says what somebody else has done, for which nobody is woken."""
        return self.pending_kind in ABOUT_OTHERS

    @property
    def waits_for_interval(self) -> bool:
        """Whether what is pending waits for nothing but the time between two messages to its contact."""
        is_spaced = self.pending_kind in {Kind.UPDATE, Kind.CHANGES}
        return is_spaced and self.pending_hold is None and self.pending_attempts == 0

    @property
    def waits_for_retry(self) -> bool:
        """Whether what is pending was attempted, and nothing but the next attempt's time keeps it."""
        return self.pending_attempts > 0 and not self.is_held

    @property
    def waits_for_delay(self) -> bool:
        """Whether what is pending wasn't attempted yet, because its contact is told after others."""
        return self.pending_hold is Hold.DELAYED and self.pending_claimed_at is None

    @property
    def is_needless_once_over(self) -> bool:
        """Whether what is pending would tell somebody of a later turn, who needn't hear of what is over by then.

        Not if it may have arrived, nor if it is the second contact of somebody whose first one was refused.
        """
        is_later = self.pending_kind is Kind.HANDOFF or (self.waits_for_delay and not self.is_last_hope)
        is_untold = self.told_at is None and self.pending_claimed_at is None
        return is_later and is_untold and not self.is_held and self.pending_id is not None


@dataclass(frozen=True, slots=True)
class Due:
    """What decides whether and how a due notification is sent now."""

    id: str
    address: str = field(repr=False)
    severity: Severity
    kind: Kind
    due_at: datetime
    claimed_at: datetime | None = None
    digest_id: str | None = None
    missed_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Recent:
    """What went to one contact lately. A message that failed and waits for a retry counts from its last claim."""

    messages: int = 0
    """How many messages in the last minute; a digest is one."""
    critical: int = 0
    """How many of them told, alone, of the beginning of something critical or of a rise to it."""
    digest_at: datetime | None = None
    """When the last digest of the last day was claimed, but for those of what was held."""
    ordinary_at: datetime | None = None
    """When the last message that wasn't critical was claimed, if that is within the group interval."""
