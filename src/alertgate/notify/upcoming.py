"""What the escalation of an incident does next, and when, if nothing changes meanwhile. Pure.

The functions that decide when that time comes decide here too.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from alertgate.addresses import mask
from alertgate.model import Incident, IncidentStatus, Kind
from alertgate.notify.escalate import Facts, Run, StepReason
from alertgate.notify.tellings import Telling, TellReason
from alertgate.notify.turn import Announcement, take
from alertgate.policy.matchers import Subject
from alertgate.policy.policy import Policy

MOST_WAITS = 8
"""How many waits and reminders may follow each other until somebody else is told."""
SAID_AGAIN = frozenset({Kind.REMINDER, Kind.UNANSWERED})
"""What is told to those who know already."""


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
) -> tuple[Upcoming, ...]:
    """Return what comes next: the next reminder, and whoever else is told then; nothing if only a change tells them.

    `next_at` is when it is decided again.
    """
    if incident.status is IncidentStatus.RESOLVED or next_at is None:
        return ()
    if silenced_until and silenced_until > now:
        return (Upcoming(silenced_until, StepReason.SILENCED),)
    facts, at = _facts(policy, incident, run), max(next_at, now)
    found: list[Upcoming] = []
    for _ in range(MOST_WAITS):
        taken = take(facts, subject, at)
        said = [each for each in taken.announcements if not found or each.kind not in SAID_AGAIN]
        found += [one for each in said for one in _said(each, at, taken.anew)]
        if taken.next_at is None or any(each.kind not in SAID_AGAIN for each in said):
            return _in_order(found)
        facts, at = replace(facts, run=taken.run), taken.next_at
    return _in_order(found) or (Upcoming(at, taken.last.reason),)


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


def _in_order(found: list[Upcoming]) -> tuple[Upcoming, ...]:
    return tuple(sorted(found, key=lambda each: each.at))


def _said(said: Announcement, at: datetime, anew: StepReason | None) -> list[Upcoming]:
    """Return an announcement: one for each time at which it reaches somebody first."""
    reached: dict[str, Telling] = {}
    for each in sorted(said.tellings, key=lambda each: each.due_at):
        reached.setdefault(each.person, each)
    together: dict[tuple[datetime, TellReason | None], list[Telling]] = {}
    for each in reached.values():
        together.setdefault((max(each.due_at, at), each.reason if each.reason.holds else None), []).append(each)
    found = [Upcoming(due, said.reason, said.kind, _names(of), said.step, hold) for (due, hold), of in together.items()]
    first, *later = found or [Upcoming(at, said.reason, said.kind, number=said.step)]
    return [replace(first, reason=anew or said.reason), *later]


def _names(tellings: Iterable[Telling]) -> tuple[str, ...]:
    """Return whom these tell, each once; the recipients of the settings are named like their addresses."""
    names = (mask(each.person) if each.person == each.contact.address else each.person for each in tellings)
    return tuple(dict.fromkeys(names))
