"""Who is told about an incident now: the people of a step, and the contacts that know of it already. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from alertgate.local_time import clock_time, day_and_time
from alertgate.model import FIRST_NEWS, Hold, Kind, Severity, Target
from alertgate.notify.directory import Directory
from alertgate.notify.plan import Choice, Expedite, Plan
from alertgate.notify.step_people import STAND_INS
from alertgate.notify.tellings import Telling, TellReason, held
from alertgate.notify.turn import Announcement
from alertgate.policy.escalations import RESERVED, Escalation
from alertgate.policy.people import Person
from alertgate.policy.silences import SilencedUntil, never

HOLDS = {TellReason.AT_ONCE: None} | {TellReason(hold): Hold(hold) for hold in Hold}
WORDS = {
    Hold.QUIET_HOURS: "quiet hours",
    Hold.OUTSIDE_HOURS: "outside the escalation's hours",
    Hold.SILENCED: "silenced",
}


@dataclass(frozen=True, slots=True)
class Recipient:
    """One contact that is told, of whom, and not before when."""

    target: Target
    person: Person
    via: str
    due_at: datetime
    hold: Hold | None = None
    """What it waits for until then."""
    kind: Kind | None = None
    """How its step tells it; None if it is told because it knows of the incident."""
    step: int = 0
    """The number of the step."""
    unknown: bool = False
    """Whether its address isn't known, because the secret that holds it isn't set."""


def of_step(directory: Directory, announcements: Iterable[Announcement]) -> list[Recipient]:
    """Return the contacts of steps, each once, by the telling that is due first."""
    found: dict[Target, Recipient] = {}
    for announced in announcements:
        for telling in announced.tellings:
            one = _of_telling(directory, telling, announced)
            if one.target not in found or one.due_at < found[one.target].due_at:
                found[one.target] = one
    return list(found.values())


def _of_telling(directory: Directory, telling: Telling, announced: Announcement) -> Recipient:
    contact, person = telling.contact, directory.policy.people[telling.person]
    target = directory.target(contact)
    return Recipient(
        target=target or (contact.channel, contact.address),
        person=person,
        via=telling.via,
        due_at=telling.due_at,
        hold=HOLDS[telling.reason],
        kind=announced.kind,
        step=announced.step,
        unknown=target is None,
    )


def who_know(directory: Directory, targets: Iterable[Target], severity: Severity, now: datetime) -> list[Recipient]:
    """Return these contacts, but for those that aren't in the policy any more."""
    found = []
    for target in targets:
        people = directory.people(target)
        if not people:
            continue
        awake = (person for person in people if person.quiet_until(now, severity) is None)
        person = next(awake, people[0])
        found.append(Recipient(target, person, person.name, now))
    return found


def merged(first: Sequence[Recipient], then: Iterable[Recipient]) -> list[Recipient]:
    """Return recipients, each contact once; `first` go before `then`."""
    known = {each.target for each in first}
    return [*first, *(each for each in then if each.target not in known)]


def in_time(
    choice: Choice, recipient: Recipient, escalation: Escalation, severity: Severity, silenced: SilencedUntil = never
) -> Choice:
    """Return a choice that keeps to a contact's own delay, the person's quiet hours, the escalation's, and silences."""
    if isinstance(choice, Plan | Expedite) and choice.due_at:
        silenced = never if choice.kind is Kind.SILENCE else silenced  # it would hold the news of itself
        start = max(choice.due_at, recipient.due_at)
        if recipient.hold is Hold.SILENCED and start > choice.due_at and choice.kind is not Kind.SILENCE:
            return replace(choice, due_at=start, hold=recipient.hold)  # what else holds it is asked then
        due_at, reason = held(recipient.person, escalation, severity, start, silenced)
        hold = HOLDS[reason] if reason else recipient.hold if start > choice.due_at else None
        if (due_at, hold) == (choice.due_at, choice.hold):
            return choice
        return replace(choice, due_at=due_at, hold=hold)
    return choice


def sentence(
    said: str, choice: Choice, recipient: Recipient, escalation: Escalation, now: datetime, zone: ZoneInfo
) -> str:
    """Return who is told, how, when and why, for a trail with times in a zone.

    As in `owner, by email, held until Tue 06:30 (quiet hours): …`.
    """
    if recipient.kind in FIRST_NEWS and escalation.name not in RESERVED:
        step = f"step {recipient.step} of {escalation.name}"
        said = f"{said} ({f'nobody is on call for {escalation.name}' if recipient.step == STAND_INS else step})"
    words = [recipient.person.name, f"by {recipient.target[0]}"]
    if isinstance(choice, Plan | Expedite) and choice.due_at:
        local = choice.due_at.astimezone(zone)
        if choice.hold is Hold.DELAYED:
            words.append(f"at {clock_time(local, '%H:%M:%S')} unless somebody has acknowledged by then")
        elif choice.hold:
            words.append(f"held until {day_and_time(choice.due_at, now, zone)} ({WORDS[choice.hold]})")
        elif choice.due_at <= now:
            words.append("at once")
    return f"{', '.join(words)}: {said}"
