"""How the times of an escalation move when it was held, and when they begin anew. Pure."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from alertgate.notify.escalate import PUNCTUAL, Run
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


def after_holds(run: StoredRun, held_until: Collection[datetime], now: datetime) -> StoredRun:
    """Return an escalation as what was held about its incident is released.

    If that is long after the hold's end, the people of its step hear of it only now, and its time counts from now.
    """
    if run.step_at is None or run.step_at not in held_until or now - run.step_at <= PUNCTUAL:
        return run
    return replace(run, step_at=now, reminded_at=now if run.reminded_at == run.step_at else run.reminded_at)
