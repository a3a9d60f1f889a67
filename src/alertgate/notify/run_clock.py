"""How the times of an escalation move when it was held, and when they begin anew. Pure."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from alertgate.model import Notification, Severity
from alertgate.notify.escalate import PUNCTUAL, Run
from alertgate.notify.step_people import STAND_INS, heard_from, people_of
from alertgate.policy.escalations import AT_ONCE
from alertgate.policy.policy import Policy
from alertgate.store.escalations import StoredRun


def starts_anew(policy: Policy, run: Run, over_for: timedelta, *, dealt_with: bool) -> bool:
    """Return whether a reopening begins a new run, with `first_firing_at` now; else the old one goes on.

    An all-clear counts only once it has lasted as long as what the run was waiting for: a door that shuts for five
    seconds every nine minutes still reaches a wait of ten. So it is for a new incident of the same key.
    """
    return dealt_with or over_for >= _awaited(policy, run)


def _awaited(policy: Policy, run: Run) -> timedelta:
    """Return how long the run was waiting for what it would have done next."""
    escalation = policy.escalation(run.escalation)
    steps = escalation.steps if escalation else ()
    after = steps[run.step].after if run.step < len(steps) else AT_ONCE
    return after if run.step_at else run.wait + after


def resumed(run: Run, since: datetime, until: datetime) -> Run:
    """Return the run after a silence: its clock stood still meanwhile."""

    def counted(at: datetime | None) -> datetime | None:
        return at + (until - max(at, since)) if at and at < until else at

    return replace(
        run,
        step_at=counted(run.step_at),
        reminded_at=counted(run.reminded_at),
        first_sent_at=counted(run.first_sent_at),
    )


def after_holds(
    policy: Policy, run: StoredRun, severity: Severity, held: Collection[Notification], now: datetime
) -> StoredRun:
    """Return an escalation as what was held about its incident is decided about: its step counts from when it is heard.

    That is now, if the hold's end is long over. If a change of the policy has brought the decision forward, it is when
    the step's people hear of it by the new one.
    """
    if run.step_at is None:
        return run
    if run.step_at > now:
        heard_at = _heard_at(policy, run, severity, held, now) or run.step_at
    elif now - run.step_at > PUNCTUAL and run.step_at in {each.due_at for each in held}:
        heard_at = now
    else:
        return run
    return replace(run, step_at=heard_at, reminded_at=heard_at if run.reminded_at == run.step_at else run.reminded_at)


def _heard_at(
    policy: Policy, run: StoredRun, severity: Severity, held: Collection[Notification], now: datetime
) -> datetime | None:
    """Return when the people of the last step hear what is decided about now; None if none of it is theirs."""
    escalation = policy.escalation(run.escalation)
    if escalation is None or run.step > len(escalation.steps):
        return None
    names = run.told if run.step == STAND_INS else escalation.steps[run.step - 1].notify
    if not any((each.via or each.person) in names for each in held):
        return None
    told = people_of(policy, escalation, names, now)
    return heard_from(escalation, told, severity, now) if told else None
