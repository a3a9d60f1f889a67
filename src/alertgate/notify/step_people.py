"""Whom a step tells now, and who hears instead if nobody is on call for it. Pure."""

from collections.abc import Collection, Iterable
from datetime import datetime

from alertgate.model import Severity
from alertgate.policy.escalations import OPERATOR, SCHEDULE_MARK, Escalation
from alertgate.policy.policy import Policy, Told
from alertgate.policy.stopped_clock import all_quiet_until, opening
from alertgate.policy.turns_ahead import changes

STAND_INS = 0
"""The number of the step while none has reached anybody: others may stand in for its people."""


def names_so_far(escalation: Escalation, step: int, stand_ins: Collection[str], severity: Severity) -> Collection[str]:
    """Return whom an escalation has told up to a step: names of people, and of schedules with their `@`."""
    if step == STAND_INS:
        return sorted(stand_ins)
    return [name for each in escalation.steps[:step] if each.is_for(severity) for name in each.notify]


def people_of(policy: Policy, escalation: Escalation, names: Iterable[str], at: datetime) -> tuple[Told, ...]:
    """Return the people behind a step's names; outside the escalation's hours, those who are behind them at the start.

    What is said outside the hours is held until they begin, and goes to who is on call then.
    """
    return policy.told(names, opening(escalation, at) or at)


def heard_from(escalation: Escalation, told: Iterable[Told], severity: Severity, at: datetime) -> datetime:
    """Return from when on a step that tells these people at a time is heard, and its own time counts.

    Not before the escalation's hours, nor before somebody is awake; but what is critical waits for nobody's sleep.
    """
    opens_at = opening(escalation, at) or at
    people = () if severity is Severity.CRITICAL else [each.person for each in told]
    return all_quiet_until(people, opens_at, severity) or opens_at


def next_on_call_at(policy: Policy, escalation: Escalation, names: Iterable[str], at: datetime) -> datetime | None:
    """Return when somebody is behind these names next, within the hours; None if nobody is within two weeks.

    Nobody is now.
    """
    asked = tuple(names)
    schedules = (policy.schedules.get(name.removeprefix(SCHEDULE_MARK)) for name in asked if name[:1] == SCHEDULE_MARK)
    turns = {change for schedule in schedules if schedule for change, _ in changes(schedule, at)[1:]}
    moments = (opening(escalation, turn) or turn for turn in turns)
    return min((moment for moment in moments if policy.told(asked, moment)), default=None)


def stand_ins(policy: Policy, severity: Severity, at: datetime) -> tuple[Told, ...]:
    """Return who hears if nobody is on call for any step: who hears of alertgate's own troubles.

    If nobody of them would hear of something critical now, everybody is told.
    """
    operator = policy.escalation(OPERATOR)
    told = policy.told(operator.steps[0].notify, at) if operator else ()
    asleep = severity is Severity.CRITICAL and all_quiet_until((each.person for each in told), at, severity)
    return told if told and not asleep else policy.told(policy.people, at)
