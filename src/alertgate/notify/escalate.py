"""What an escalation does next for one incident, and why. Pure.

Keep one `Run` for each incident that was routed (`routes.first`, then `begin`), with the time at which to decide again.
When that time comes, and whenever an alert or a person changes the incident, call `next_step` in a transaction:

- `Wait`: write its time; None means that only a change can make something due.
- `Tell`, `Remind`, `GiveUp`: plan a notification for each of `tellings`, write `advance(run, step, now)`, and call
  `next_step` again, because a step may be over at once.
- `RouteAnew`: call `routes.first` and `begin`. Whoever knows already that the incident is open needn't hear it again.
- `StartAnew`: the incident is open again, so do the same, and tell everybody.
- `End`: nothing is due before the incident is open again. Keep the run: what is held is still told at the hold's end.

`first_firing_at` stays in these three cases. What has become more severe, or was handed back, is routed anew by its
caller. At a reopening ask `run_clock.starts_anew`, and at the end of a hold `tellings.release`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from alertgate.model import IncidentStatus, Severity
from alertgate.notify.step_people import STAND_INS, heard_from, names_so_far, next_on_call_at, people_of, stand_ins
from alertgate.notify.tellings import Telling, tellings
from alertgate.policy.escalations import AGAIN_AFTER_ACK, AT_ONCE, Escalation, Step
from alertgate.policy.people import Person
from alertgate.policy.policy import Policy, Told
from alertgate.policy.routes import Routed
from alertgate.policy.stopped_clock import StoppedClock, all_quiet_until, first_all_quiet, opening

PUNCTUAL = timedelta(seconds=10)
"""What is done this late still counts from when it was due, so that reminders don't drift; later it counts from now."""


class StepReason(StrEnum):
    """Why an escalation does something now, or doesn't."""

    FIRST_STEP = "first_step"  # the route's wait is over, or there is none
    NEXT_STEP = "next_step"  # nobody has acknowledged within the time of the step before
    ALL_QUIET = "all_quiet"  # critical, and all people of the step before are quiet: nobody waits for them
    NOBODY_ON_CALL = "nobody_on_call"  # the step before reaches nobody; or all that are left, until somebody's turn
    STAND_IN = "stand_in"  # nobody is on call for any step, but somebody must hear of it
    REMINDER = "reminder"  # nobody has acknowledged since the last reminder
    NOBODY_ANSWERED = "nobody_answered"  # `stop_after` is over: reminders end
    WAITING = "waiting"  # told only if it isn't over by then
    STEP_RUNS = "step_runs"  # there is still time to acknowledge
    NOTHING_SENT = "nothing_sent"  # a reminder is due, but nobody was reached yet
    ALL_TOLD = "all_told"  # no step and no reminder is left
    OUTSIDE_HOURS = "outside_hours"  # held until the escalation's hours begin
    SILENCED = "silenced"  # held until the silence ends
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    SNOOZE_OVER = "snooze_over"  # nobody has ended the incident meanwhile
    HANDED_BACK = "handed_back"  # whoever had it can't after all
    FORGOTTEN = "forgotten"  # alerts go on, and the acknowledgement is older than `again_after_ack`
    RESOLVED = "resolved"
    ESCALATION_GONE = "escalation_gone"  # the policy has no such escalation or step any more
    PERSON_GONE = "person_gone"  # somebody who was told isn't in the policy any more
    NOBODY_KNOWS = "nobody_knows"  # the policy has changed, and none of its contacts was told


@dataclass(frozen=True, slots=True)
class Run:
    """How far an incident's escalation is: one row of the store."""

    escalation: str
    wait: timedelta = AT_ONCE
    step: int = STAND_INS
    """The number of the last step that was told, from 1."""
    step_at: datetime | None = None
    """From when that step's time counts; None before anybody was told."""
    reminders: int = 0
    reminded_at: datetime | None = None
    """From when the time to the next reminder counts."""
    first_sent_at: datetime | None = None
    """When the first notification was sent, as its sender records it; or failed, if nothing else is on its way."""
    gave_up: bool = False
    told: frozenset[str] = frozenset()
    """The people of the last step, or those who stood in for all, by name."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What decides what an escalation does next."""

    policy: Policy
    run: Run
    severity: Severity
    status: IncidentStatus
    first_firing_at: datetime
    """The first firing of the incident's key that nobody has acknowledged (`starts_anew`)."""
    last_firing_at: datetime | None = None
    acknowledged_at: datetime | None = None
    snoozed_until: datetime | None = None  # the end of an acknowledgement that ends by itself
    silenced_until: datetime | None = None
    """The end of the silences that match now."""
    is_known: bool = True
    """Whether a contact of the policy knows of it, or is about to: else it is routed as if nobody had been told."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing until a time; None: until something changes."""

    until: datetime | None
    reason: StepReason


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell a step that reaches somebody. Its notifications are openings (`handoff` once somebody was told)."""

    number: int
    due_at: datetime
    counts_from: datetime
    """When its time begins: not before the escalation's hours, nor before somebody is awake unless it is critical."""
    tellings: tuple[Telling, ...]
    told: frozenset[str]
    reason: StepReason


@dataclass(frozen=True, slots=True)
class Remind:
    """Remind those of the steps so far who are awake. Nobody's reminder is held: the held opening says it."""

    number: int
    due_at: datetime
    tellings: tuple[Telling, ...]
    reason: StepReason = StepReason.REMINDER


@dataclass(frozen=True, slots=True)
class GiveUp:
    """End the reminders (cancel those that are pending, and nothing else), and say that nobody answered."""

    tellings: tuple[Telling, ...]
    reason: StepReason = StepReason.NOBODY_ANSWERED


@dataclass(frozen=True, slots=True)
class StartAnew:
    """The acknowledgement is over."""

    reason: StepReason


@dataclass(frozen=True, slots=True)
class RouteAnew:
    """The policy has changed, so that this run can't go on."""

    reason: StepReason


@dataclass(frozen=True, slots=True)
class End:
    """Nothing is due any more."""

    reason: StepReason


Next = Wait | Tell | Remind | GiveUp | StartAnew | RouteAnew | End


def begin(routed: Routed) -> Run:
    """Return the run of an incident that was routed, or routed anew."""
    return Run(routed.escalation, routed.wait)


def advance(run: Run, done: Next, now: datetime) -> Run:
    """Return the run after what was decided is done."""
    match done:
        case Tell():
            first = run.step_at is None
            return replace(
                run,
                step=done.number,
                step_at=done.counts_from,
                reminded_at=done.counts_from if first else run.reminded_at,
                told=done.told,
            )
        case Remind():
            return replace(run, reminders=done.number, reminded_at=_counted(done.due_at, now))
        case GiveUp():
            return replace(run, gave_up=True)
    return run


def is_running(decided: Next) -> bool:
    """Return whether something is due without a change or an alert: such an incident isn't over for lack of alerts."""
    if isinstance(decided, Wait):
        return decided.until is not None and decided.reason is not StepReason.ACKNOWLEDGED
    return not isinstance(decided, End)


def next_step(facts: Facts, now: datetime) -> Next:
    """Decide what an incident's escalation does next."""
    escalation = facts.policy.escalation(facts.run.escalation)
    if facts.status is IncidentStatus.RESOLVED:
        return End(StepReason.RESOLVED)
    if facts.status is IncidentStatus.ACKNOWLEDGED:
        return _while_acknowledged(facts, escalation, now)
    if escalation is None or facts.run.step > len(escalation.steps):
        return RouteAnew(StepReason.ESCALATION_GONE)
    if not facts.run.told <= facts.policy.people.keys():
        return RouteAnew(StepReason.PERSON_GONE)
    if facts.run.step_at and not facts.is_known:
        return RouteAnew(StepReason.NOBODY_KNOWS)
    return _wait(facts, escalation, now) or _Open(facts, escalation, now).next()


def _wait(facts: Facts, escalation: Escalation, now: datetime) -> Wait | None:
    """Return what holds everything now; None if nothing does."""
    if facts.silenced_until and now < facts.silenced_until:
        return Wait(facts.silenced_until, StepReason.SILENCED)
    # The first step is planned outside the hours too: what is over before they begin is held, not dropped.
    opens_at = opening(escalation, now) if facts.run.step_at else None
    return Wait(opens_at, StepReason.OUTSIDE_HOURS) if opens_at else None


def _while_acknowledged(facts: Facts, escalation: Escalation | None, now: datetime) -> Next:
    if facts.snoozed_until:
        over = facts.snoozed_until <= now
        return StartAnew(StepReason.SNOOZE_OVER) if over else Wait(facts.snoozed_until, StepReason.SNOOZED)
    again_after = escalation.again_after_ack if escalation else AGAIN_AFTER_ACK
    lasts_until = facts.acknowledged_at + again_after if facts.acknowledged_at else now
    if facts.last_firing_at and lasts_until <= facts.last_firing_at:
        return StartAnew(StepReason.FORGOTTEN)
    return Wait(lasts_until if lasts_until > now else None, StepReason.ACKNOWLEDGED)


def _counted(due_at: datetime, now: datetime) -> datetime:
    return due_at if now - due_at <= PUNCTUAL else now


class _Open:
    """Decides for an open incident that nothing holds as a whole."""

    def __init__(self, facts: Facts, escalation: Escalation, now: datetime) -> None:
        self._facts, self._policy, self._run = facts, facts.policy, facts.run
        self._escalation, self._severity, self._now = escalation, facts.severity, now
        self._names = names_so_far(escalation, facts.run.step, facts.run.told, facts.severity)
        self._audience = facts.policy.told(self._names, now)
        if facts.run.step_at and not self._audience and self._is_critical:
            self._audience = stand_ins(facts.policy, facts.severity, now)

    def next(self) -> Next:
        """Return what is due, or when something will be. A reminder comes before a step that is due with it."""
        reminder = self._reminder()
        gives_up_at = self._gives_up_at() if reminder and self._audience else None
        if gives_up_at and gives_up_at <= self._now:
            return GiveUp(self._tellings(self._audience))
        due = [each for each in (reminder, self._step()) if each]
        if not due:
            return Wait(None, StepReason.ALL_TOLD)
        at, decided = min(due, key=lambda each: each[0])
        if at <= self._now:
            return decided
        return Wait(min(at, gives_up_at or at), decided.reason if isinstance(decided, Wait) else StepReason.STEP_RUNS)

    def _step(self) -> tuple[datetime, Next] | None:
        """Return the next step for this severity that reaches somebody, with when it is due; None if there is none."""
        run = self._run
        steps = enumerate(self._escalation.steps[run.step :], run.step + 1)
        left = {number: step for number, step in steps if step.is_for(self._severity)}
        if not left:
            return None
        first = min(left)
        due_at, reason = self._step_due(left[first])
        if due_at > self._now:
            return due_at, Wait(due_at, StepReason.STEP_RUNS if run.step_at else StepReason.WAITING)
        for number, step in left.items():
            if told := people_of(self._policy, self._escalation, step.notify, self._now):
                reason = reason if number == first else StepReason.NOBODY_ON_CALL
                return due_at, self._tell(number, due_at, told, reason)
        turn = self._next_turn(name for step in left.values() for name in step.notify)
        if run.step_at is None and (self._is_critical or turn is None):
            told = stand_ins(self._policy, self._severity, opening(self._escalation, self._now) or self._now)
            return due_at, self._tell(STAND_INS, due_at, told, StepReason.STAND_IN)
        return turn

    def _tell(self, number: int, due_at: datetime, told: Sequence[Told], reason: StepReason) -> Tell:
        """Return that a step is told; whoever stood in for its people knows already."""
        stood_in = self._run.told if self._run.step == STAND_INS else ()
        counts_from = heard_from(self._escalation, told, self._severity, _counted(due_at, self._now))
        names = frozenset(each.person.name for each in told)
        telling = self._tellings(each for each in told if each.person.name not in stood_in)
        return Tell(number, due_at, counts_from, telling, names, reason)

    def _next_turn(self, names: Iterable[str]) -> tuple[datetime, Wait] | None:
        """Return when somebody is behind these names next, of whom nobody is now; None if nobody ever is."""
        begins_at = next_on_call_at(self._policy, self._escalation, names, self._now)
        return (begins_at, Wait(begins_at, StepReason.NOBODY_ON_CALL)) if begins_at else None

    def _step_due(self, step: Step) -> tuple[datetime, StepReason]:
        """Return when a step is due, and why then."""
        run = self._run
        if run.step_at is None or run.step == STAND_INS:
            return run.step_at or self._facts.first_firing_at + run.wait + step.after, StepReason.FIRST_STEP
        # Not who is on call now: a change of shift to somebody asleep doesn't stop the clock of somebody awake.
        people = [each.person for each in self._policy.told(self._escalation.steps[run.step - 1].notify, run.step_at)]
        if not people:
            return run.step_at, StepReason.NOBODY_ON_CALL
        if not self._is_critical:
            return self._passes(people, run.step_at, step.after), StepReason.NEXT_STEP
        ends_at = self._passes((), run.step_at, step.after)
        if quiet_at := first_all_quiet(people, run.step_at, ends_at, self._severity):
            return quiet_at, StepReason.ALL_QUIET
        return ends_at, StepReason.NEXT_STEP

    def _reminder(self) -> tuple[datetime, Next] | None:
        """Return the next reminder with when it is due; None if there is none."""
        run, every = self._run, self._escalation.repeat_every
        if every is None or run.gave_up or run.step_at is None or run.reminded_at is None:
            return None
        if not self._audience:
            return self._next_turn(self._names)
        due_at = self._audience_hears(run.reminded_at, every)
        if run.step_at <= self._now:  # else that step's people sleep, and those of the steps before are reminded
            due_at = max(due_at, run.step_at + every / 2)
        people = [each.person for each in self._audience]
        due_at = max(due_at, all_quiet_until(people, self._now, self._severity) or due_at)
        if run.first_sent_at is None and due_at <= self._now:
            return self._now + every, Wait(self._now + every, StepReason.NOTHING_SENT)
        awake = [each for each in self._audience if not each.person.quiet_until(self._now, self._severity)]
        return due_at, Remind(run.reminders + 1, due_at, self._tellings(awake))

    def _gives_up_at(self) -> datetime | None:
        sent_at = self._run.first_sent_at
        return self._audience_hears(sent_at, self._escalation.stop_after) if sent_at else None

    def _audience_hears(self, start: datetime, span: timedelta) -> datetime:
        """Return when `span` has passed since `start` with somebody awake who was told."""
        return self._passes((each.person for each in self._audience), start, span)

    def _passes(self, people: Iterable[Person], start: datetime, span: timedelta) -> datetime:
        return StoppedClock(people, self._severity, self._escalation).passes(start, span)

    def _tellings(self, told: Iterable[Told]) -> tuple[Telling, ...]:
        return tellings(told, self._escalation, self._severity, self._now)

    @property
    def _is_critical(self) -> bool:
        return self._severity is Severity.CRITICAL
