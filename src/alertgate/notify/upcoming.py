"""What the escalation of an incident does next, and when, if nothing changes meanwhile. Pure.

The functions that decide when that time comes decide here too.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from alertgate.addresses import mask
from alertgate.model import Incident, IncidentStatus, Kind
from alertgate.notify.escalate import Facts, Run, StepReason
from alertgate.notify.tellings import Telling, TellReason
from alertgate.notify.turn import Announcement, take
from alertgate.policy.matchers import Subject
from alertgate.policy.policy import Policy

MOST_WAITS = 8
"""How many waits may follow each other until somebody is told."""


@dataclass(frozen=True, slots=True)
class Upcoming:
    """The next thing that is said, or the end of what holds it."""

    at: datetime
    reason: StepReason
    kind: Kind | None = None
    """What is said; None if that is decided only then."""
    who: tuple[str, ...] = ()
    """The people who are told, by name; masked if that is an address."""
    number: int = 0
    """Of the step, or of the reminder."""
    hold: TellReason | None = None
    """What holds the message until then, if something does."""


def upcoming(
    policy: Policy,
    incident: Incident,
    subject: Subject,
    run: Run,
    next_at: datetime | None,
    silenced_until: datetime | None,
    now: datetime,
) -> Upcoming | None:
    """Return what comes next; None if nothing does unless something changes. `next_at` is when it is decided again."""
    if incident.status is IncidentStatus.RESOLVED or next_at is None:
        return None
    if silenced_until and silenced_until > now:
        return Upcoming(silenced_until, StepReason.SILENCED)
    facts, at = _facts(policy, incident, run), max(next_at, now)
    for _ in range(MOST_WAITS):
        taken = take(facts, subject, at)
        if taken.announcements:
            return _said(taken.announcements[0], at, taken.anew)
        if taken.next_at is None:
            return None
        at = taken.next_at
    return Upcoming(at, taken.last.reason)


def _facts(policy: Policy, incident: Incident, run: Run) -> Facts:
    return Facts(
        policy=policy,
        run=run,
        severity=incident.severity,
        status=incident.status,
        first_firing_at=incident.first_firing_at or incident.opened_at,
        last_firing_at=incident.last_alert_at,
        acknowledged_at=incident.acknowledged_at,
        snoozed_until=incident.snoozed_until,
    )


def _said(said: Announcement, at: datetime, anew: StepReason | None) -> Upcoming:
    first = min(said.tellings, key=lambda each: each.due_at, default=None)
    due_at = max(first.due_at, at) if first else at
    hold = first.reason if first and first.reason.holds else None
    return Upcoming(due_at, anew or said.reason, said.kind, _names(said.tellings), said.step, hold)


def _names(tellings: Iterable[Telling]) -> tuple[str, ...]:
    """Return whom these tell, each once; the recipients of the settings are named like their addresses."""
    names = (mask(each.person) if each.person == each.contact.address else each.person for each in tellings)
    return tuple(dict.fromkeys(names))
