"""Which contacts are told, when, and what holds them. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from alertgate.model import Severity
from alertgate.notify.step_people import people_of
from alertgate.policy.escalations import Escalation
from alertgate.policy.people import Contact, Person
from alertgate.policy.policy import Policy, Told
from alertgate.policy.silences import SilencedUntil, never
from alertgate.policy.stopped_clock import opening

LONGEST_HOLD = timedelta(days=14)
"""Hours and quiet hours that leave no time within two weeks never will; they mustn't keep a message forever."""


class TellReason(StrEnum):
    """Why a contact is told at this time."""

    AT_ONCE = "at_once"
    DELAYED = "delayed"  # the contact has an `after`
    QUIET_HOURS = "quiet_hours"  # held until their end
    OUTSIDE_HOURS = "outside_hours"  # held until the escalation's hours begin
    SILENCED = "silenced"  # held until the silence ends

    @property
    def holds(self) -> bool:
        """Whether it is a hold: told at its end even if the incident is over, but not if it is acknowledged.

        After a silence, of what is over only those are told who believe that it is open.
        """
        return self in {TellReason.QUIET_HOURS, TellReason.OUTSIDE_HOURS, TellReason.SILENCED}


@dataclass(frozen=True, slots=True)
class Telling:
    """One contact that is to be told, when, and why then."""

    person: str
    via: str
    """The name in the step that led to the person: theirs, or a schedule's with its `@`."""
    contact: Contact
    due_at: datetime
    reason: TellReason


def release(
    policy: Policy, escalation: str, via: str, severity: Severity, now: datetime, silenced: SilencedUntil = never
) -> tuple[Telling, ...] | None:
    """Return who is told now, by all their contacts, of what was held; another hold may follow.

    What was held for a schedule goes to who is on call now. None: the person or the escalation is gone from the policy,
    so the incident must be routed anew. Ask once for all that is held for one incident and one `via`.
    """
    found = policy.escalation(escalation)
    told = people_of(policy, found, [via], now) if found else ()
    return tellings(told, found, severity, now, silenced) if found and told else None


def tellings(
    told: Iterable[Told], escalation: Escalation, severity: Severity, now: datetime, silenced: SilencedUntil = never
) -> tuple[Telling, ...]:
    """Return when each contact of these people is told; the one place that decides about holds."""
    found = []
    for each in told:
        start, hold = held(each.person, escalation, severity, now, silenced)
        for contact in each.person.contacts:
            due_at, reason = start, hold or TellReason.AT_ONCE
            if contact.after and hold is TellReason.SILENCED:
                due_at = start + contact.after  # what else holds it is asked then
            elif contact.after:
                due_at, again = held(each.person, escalation, severity, start + contact.after, silenced)
                reason = again or hold or TellReason.DELAYED
            found.append(Telling(each.person.name, each.via, contact, due_at, reason))
    return tuple(found)


def held(
    person: Person, escalation: Escalation, severity: Severity, at: datetime, silenced: SilencedUntil = never
) -> tuple[datetime, TellReason | None]:
    """Return when a message that is due at a time may go to a person, and what holds it; None if nothing does.

    Ask it for whatever is due to a person, not only by a step: an update, an end, an acknowledgement. What else holds
    it after a silence is asked once that is over, which somebody may end long before the night that would follow it.
    """
    start, reason = at, None
    while at - start < LONGEST_HOLD and reason is not TellReason.SILENCED:
        hold = first_hold(person, escalation, severity, at, silenced)
        if hold is None:
            break
        at, reason = hold
    return at, reason


def first_hold(
    person: Person, escalation: Escalation, severity: Severity, at: datetime, silenced: SilencedUntil = never
) -> tuple[datetime, TellReason] | None:
    """Return until when a message that is due at a time is held, and by what, which another hold may follow."""
    if silence_ends_at := silenced(at):
        return silence_ends_at, TellReason.SILENCED
    if opens_at := opening(escalation, at):
        return opens_at, TellReason.OUTSIDE_HOURS
    if quiet_until := person.quiet_until(at, severity):
        return quiet_until, TellReason.QUIET_HOURS
    return None
