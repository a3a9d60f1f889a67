"""Who would be told of an incident, when and why, if it stayed open and nobody answered. Pure.

The functions that decide for real incidents decide here too, with a clock that is moved from one decision to the next.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alertgate.addresses import mask
from alertgate.model import IncidentStatus
from alertgate.notify.escalate import Facts, GiveUp, Remind, Run, StepReason, Tell, Wait, advance, begin, next_step
from alertgate.notify.tellings import Telling, TellReason, release
from alertgate.policy.escalations import SCHEDULE_MARK
from alertgate.policy.matchers import Subject
from alertgate.policy.people import Contact
from alertgate.policy.policy import Policy
from alertgate.policy.routes import Routed, first

MOST_REMINDERS = 1
"""How many are listed; the following ones are like them."""
SAID_AGAIN = frozenset({StepReason.REMINDER, StepReason.NOBODY_ANSWERED})
"""What is told to those who know already."""
FARTHEST = timedelta(days=14)
MOST_DECISIONS = 5000
"""Two for each reminder: enough for two weeks of those that come every ten minutes, and a third of a second."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One message: when, to whom, and why then."""

    at: datetime
    person: str
    """The name; masked if it is the address, as that of a recipient of the settings is."""
    via: str
    """The name in the step that led to the person: theirs, or a schedule's with its `@`."""
    contact: str
    """The channel and the masked address."""
    reason: StepReason
    """What is told: a step, a reminder, or that nobody answered."""
    number: int | None
    """Of the step, or of the reminder."""
    hold: TellReason


@dataclass(frozen=True, slots=True)
class Forecast:
    """Where an incident goes, and who is told."""

    routed: Routed
    subject: Subject
    opens_at: datetime
    told: tuple[Foreseen, ...]
    reminders: int | None
    """How many there are in all, with those that aren't listed; None if they are too many to count."""


def forecast(policy: Policy, subject: Subject, at: datetime) -> Forecast:
    """Return who would be told of an incident that opens at a time."""
    routed = first(policy.routes, subject)
    course = _Course(policy, subject, at, begin(routed))
    course.run()
    told = sorted(course.told.values(), key=lambda each: each.at)
    return Forecast(routed, subject, at, tuple(told), course.reminders)


class _Course:
    """The course of one incident."""

    def __init__(self, policy: Policy, subject: Subject, at: datetime, run: Run) -> None:
        self._policy, self._subject, self._opens_at, self._run = policy, subject, at, run
        self._first_due: datetime | None = None
        self.told: dict[tuple[str, str, datetime], Foreseen] = {}
        """What is told, by person, contact and time: one message says all that falls on one time."""
        self.reminders: int | None = None
        """How many there are; known once they have ended."""

    def run(self) -> None:
        """Go on decision by decision, and note what is told."""
        now, reminders = self._opens_at, 0
        for _ in range(MOST_DECISIONS):
            decided = next_step(self._facts(now), now)
            if not isinstance(decided, Tell | Remind | GiveUp):
                until = self._wakes_at(decided, now)
                if until is None or until - self._opens_at > FARTHEST:
                    return
                now = until
                continue
            number = getattr(decided, "number", None) or None
            reminders += isinstance(decided, Remind)
            if isinstance(decided, GiveUp):
                self.reminders = reminders
            if not isinstance(decided, Remind) or decided.number <= MOST_REMINDERS:
                self._note(decided.tellings, decided.reason, number)
            self._run = advance(self._run, decided, now)

    def _wakes_at(self, decided: object, now: datetime) -> datetime | None:
        """Return when to decide again: as the decision says, or when the first message that was held goes out."""
        until = decided.until if isinstance(decided, Wait) else None
        held = self._first_due if self._first_due and self._first_due > now else None
        return min(filter(None, (until, held)), default=None)

    def _facts(self, now: datetime) -> Facts:
        sent_at = self._first_due if self._first_due and self._first_due <= now else None
        run, severity = replace(self._run, first_sent_at=sent_at), self._subject.severity
        return Facts(self._policy, run, severity, IncidentStatus.OPEN, first_firing_at=self._opens_at)

    def _note(self, tellings: Sequence[Telling], reason: StepReason, number: int | None) -> None:
        for each in self._released(tellings):
            self._first_due = min(self._first_due or each.due_at, each.due_at)
            person, via = (_shown(name, each.contact) for name in (each.person, each.via))
            foreseen = Foreseen(each.due_at, person, via, each.contact.shown, reason, number, each.reason)
            key = each.person, each.contact.address, each.due_at
            if (before := self.told.get(key)) is None or _takes_over(foreseen, before):
                self.told[key] = foreseen

    def _released(self, tellings: Sequence[Telling]) -> Iterator[Telling]:
        """Yield tellings; what is held for a schedule goes to who is on call at the hold's end."""
        asked: set[str] = set()
        for each in tellings:
            if not each.reason.holds or not each.via.startswith(SCHEDULE_MARK):
                yield each
            elif each.via not in asked:
                asked.add(each.via)
                severity = self._subject.severity
                found = release(self._policy, self._run.escalation, each.via, severity, each.due_at) or (each,)
                yield from (replace(one, reason=each.reason) for one in found)


def _takes_over(step: Foreseen, before: Foreseen) -> bool:
    """Return whether the one message to a contact says that a step tells it, and not what was decided just before.

    As `plan.on_step` has it: what is held stays what it is, and a step isn't said as if it were a reminder.
    """
    return before.reason in SAID_AGAIN and step.reason not in SAID_AGAIN and not before.hold.holds


def _shown(name: str, contact: Contact) -> str:
    """Return a name as others may see it."""
    return mask(name) if name == contact.address else name
