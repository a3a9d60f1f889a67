"""All that an escalation does at one time: the decisions of `escalate`, one after the other until it waits. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from alertgate.model import IncidentStatus, Kind
from alertgate.notify.escalate import (
    End,
    Facts,
    GiveUp,
    Remind,
    RouteAnew,
    Run,
    StartAnew,
    StepReason,
    Tell,
    Wait,
    advance,
    begin,
    next_step,
)
from alertgate.notify.tellings import Telling
from alertgate.policy.matchers import Subject
from alertgate.policy.routes import Routed, first

MOST = 200
"""Decisions at one time. An escalation has fewer steps; a defect mustn't hold up all others."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What contacts are told by one decision, and why."""

    kind: Kind
    tellings: tuple[Telling, ...]
    step: int
    """The number of the step, or of the reminder."""
    reason: StepReason


@dataclass(frozen=True, slots=True)
class Turn:
    """What was decided at one time."""

    run: Run
    last: Wait | End
    """What it does from now on."""
    announcements: tuple[Announcement, ...] = ()
    routed: Routed | None = None
    """Where the incident was routed, if it was."""
    anew: StepReason | None = None
    """Why its acknowledgement is over, if it is: the incident is open again."""

    @property
    def next_at(self) -> datetime | None:
        """When to decide again without a change."""
        return self.last.until if isinstance(self.last, Wait) else None

    @property
    def gave_up(self) -> bool:
        """Whether reminders ended now."""
        return any(each.kind is Kind.UNANSWERED for each in self.announcements)


def take(facts: Facts, subject: Subject, now: datetime, routed: Routed | None = None) -> Turn:
    """Do all that is due now; `routed` if the incident was just routed."""
    announced: list[Announcement] = []
    anew = None
    for _ in range(MOST):
        decided = next_step(facts, now)
        match decided:
            case Wait() | End():
                return Turn(facts.run, decided, tuple(announced), routed, anew)
            case StartAnew():
                routed, anew = first(facts.policy.routes, subject), decided.reason
                facts = replace(facts, status=IncidentStatus.OPEN, run=begin(routed))
            case RouteAnew():
                routed = first(facts.policy.routes, subject)
                run = _rerouted(facts.run, routed) if facts.is_known else begin(routed)
                facts = replace(facts, run=run, is_known=True)
            case Tell() | Remind() | GiveUp():
                announced.append(_announcement(decided, facts.run))
                facts = replace(facts, run=advance(facts.run, decided, now))
            case _:
                assert_never(decided)
    raise RuntimeError(f"the escalation {facts.run.escalation} doesn't come to rest; this is a defect in alertgate")


def _rerouted(before: Run, routed: Routed) -> Run:
    """Return the run after the policy has changed: whom it told is told no more, so reminders count on, or are over."""
    return replace(
        begin(routed), reminders=before.reminders, first_sent_at=before.first_sent_at, gave_up=before.gave_up
    )


def _announcement(decided: Tell | Remind | GiveUp, run: Run) -> Announcement:
    match decided:
        case Tell():
            kind = Kind.OPENING if run.step_at is None else Kind.HANDOFF
            return Announcement(kind, decided.tellings, decided.number, decided.reason)
        case Remind():
            return Announcement(Kind.REMINDER, decided.tellings, decided.number, decided.reason)
    return Announcement(Kind.UNANSWERED, decided.tellings, run.step, decided.reason)
