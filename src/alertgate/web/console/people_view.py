"""What the console shows of people: whether each can be told now, and what proves that each contact works. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from alertgate.addresses import mask_all
from alertgate.model import ChannelName, Notification, NotificationStatus, Severity, Target
from alertgate.notify.breaker import ChannelState
from alertgate.notify.render.text import one_line
from alertgate.notify.tester import Tested
from alertgate.policy.escalations import EVERYONE, OPERATOR, SCHEDULE_MARK
from alertgate.policy.people import Contact, Person
from alertgate.policy.policy import Policy
from alertgate.policy.schedules import Schedule
from alertgate.policy.turns_ahead import Duty, duty
from alertgate.policy.written import show_duration
from alertgate.proof import Proof
from alertgate.store.last_told import LastTold
from alertgate.web.console.excerpts import quoted

LONGEST = 200
LONGEST_REPLY = 300


@dataclass(frozen=True, slots=True)
class ProofLine:
    """What is known of one message: a word, when that was, and what the server or service said."""

    word: str
    color: str
    at: datetime | None = None
    said: str = ""


@dataclass(frozen=True, slots=True)
class ContactCard:
    """A contact, whether it can be told now, and what became of the last messages to it."""

    number: int
    shown: str
    after: str
    """How long after the first ones it is told; empty if at once."""
    trouble: str
    """Why it can't be told now; empty if nothing is known against it."""
    paused_at: datetime | None
    proofs: tuple[ProofLine, ...]
    test: ProofLine | None
    """The last test since the service started."""
    advice: str
    """What to do about the last test."""
    can_be_tested: bool


@dataclass(frozen=True, slots=True)
class Membership:
    """An escalation that a person is told by, in which steps, and the routes that lead there."""

    escalation: str
    steps: str
    routes: str


@dataclass(frozen=True, slots=True)
class PersonCard:
    """A person."""

    number: int
    name: str
    contacts: tuple[ContactCard, ...]
    quiet_until: datetime | None
    quiet_from: datetime | None
    quiet_unless: Severity | None
    has_quiet_hours: bool
    duties: tuple[Duty, ...]
    memberships: tuple[Membership, ...]

    @property
    def is_told(self) -> bool:
        """Whether any escalation names them, beside the one for alertgate's own troubles."""
        return any(each.escalation != OPERATOR for each in self.memberships)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known now of those who are shown."""

    policy: Policy
    now: datetime
    target: Callable[[Contact], Target | None]
    told: Mapping[Target, LastTold]
    states: Mapping[ChannelName, ChannelState]
    last_test: Callable[[Target], Tested | None]


def cards(people: Sequence[tuple[int, Person]], facts: Facts) -> list[PersonCard]:
    """Return people with their places in the policy as cards."""
    return [_card(number, person, facts) for number, person in people]


def _card(number: int, person: Person, facts: Facts) -> PersonCard:
    # What is only worth knowing is held by all quiet hours, so it says when they are.
    return PersonCard(
        number=number,
        name=one_line(person.shown, LONGEST),
        contacts=tuple(_contact(place, each, facts) for place, each in enumerate(person.contacts)),
        quiet_until=person.quiet_until(facts.now, Severity.INFO),
        quiet_from=person.quiet_from(facts.now, Severity.INFO),
        quiet_unless=person.quiet.unless if person.quiet else None,
        has_quiet_hours=person.quiet is not None,
        duties=tuple(_duties(person.name, facts)),
        memberships=tuple(_memberships(person.name, facts.policy)),
    )


def _contact(number: int, contact: Contact, facts: Facts) -> ContactCard:
    target = facts.target(contact)
    test = facts.last_test(target) if target else None
    state = facts.states.get(target[0]) if target else None
    told = facts.told.get(target) if target else None
    return ContactCard(
        number=number,
        shown=contact.shown,
        after=show_duration(contact.after) if contact.after else "",
        trouble=_trouble(contact, target, state),
        paused_at=state.paused_at if state else None,
        proofs=tuple(_proofs(told)) or (ProofLine("never tried", "quiet"),),
        test=_tested(test) if test else None,
        advice=mask_all(test.result.advice or "") if test else "",
        can_be_tested=target is not None and state is not None,
    )


def _trouble(contact: Contact, target: Target | None, state: ChannelState | None) -> str:
    if target is None:
        return f"{contact.secret} isn't set, so its address isn't known and nothing can be sent"
    if state is None:
        return f"its channel, {target[0]}, isn't configured, so nothing can be sent"
    if target[0] is ChannelName.OUTBOX:
        return "no mail server is set: what is for it is only written to the outbox, and nobody reads that"
    if not state.admits(target[1]):
        return f"its channel, {target[0]}, is paused"
    return ""


def _proofs(told: LastTold | None) -> Iterator[ProofLine]:
    """Yield what became of the last message, and, if that doesn't show that the contact works, what did last."""
    if told is None:
        return
    last, attempt = told.last, told.attempt
    said = quoted(attempt.reply, LONGEST_REPLY) if attempt else ""
    if last.status is not NotificationStatus.SENT:
        failed = last.status is NotificationStatus.FAILED or last.given_up
        word = "failed" if failed else "not sent yet" if last.status is not NotificationStatus.CANCELLED else "not sent"
        yield ProofLine(word, "critical", attempt.started_at if attempt else last.finished_at, said)
    if told.proved:
        yield _proved(told.proved)
    if told.sent and (told.proved is None or told.proved.id != told.sent.id):
        at = told.sent.finished_at
        word = "written to the outbox only" if told.sent.channel is ChannelName.OUTBOX else "sent"
        yield ProofLine(word, "info", at, said if told.sent.id == last.id else "")


def _proved(proved: Notification) -> ProofLine:
    word, by = proved.proof or Proof.SENT, proved.proved_by or ""
    via = f"{word} (by {quoted(by, LONGEST)})" if by else f"{word} by {proved.channel}"
    return ProofLine(via, "over", proved.proved_at or proved.finished_at)


def _tested(test: Tested) -> ProofLine:
    result = test.result
    said = "; ".join(filter(None, (result.text, result.proof_text)))
    word = f"test {result.proof or Proof.SENT}" if result.sent else "test failed"
    return ProofLine(word, "over" if result.sent else "critical", test.at, quoted(said, LONGEST_REPLY))


def _duties(name: str, facts: Facts) -> Iterator[Duty]:
    for schedule in facts.policy.schedules.values():
        if name in members(schedule):
            yield duty(schedule, name, facts.now)


def members(schedule: Schedule) -> set[str]:
    """Return who may ever be on call in a schedule."""
    parts = (schedule.otherwise, *(turn.who for turn in schedule.week), *(each.who for each in schedule.overrides))
    return {name for who in parts for name in who}


def _memberships(name: str, policy: Policy) -> Iterator[Membership]:
    """Yield the escalations by which a person is told, also by a schedule."""
    names = {name, *(f"{SCHEDULE_MARK}{each.name}" for each in policy.schedules.values() if name in members(each))}
    for escalation in (EVERYONE, OPERATOR, *policy.escalations):
        found = policy.escalation(escalation)
        steps = [number for number, step in enumerate(found.steps, 1) if names & {*step.notify}] if found else []
        if steps and (escalation in policy.escalations or _leads_to(policy, escalation)):
            shown = ", ".join(f"step {number}" for number in steps) if escalation in policy.escalations else ""
            yield Membership(one_line(escalation, LONGEST), shown, _routes(policy, escalation))


def _leads_to(policy: Policy, escalation: str) -> bool:
    """Return whether anything goes to one of the escalations that every policy has."""
    if escalation == OPERATOR:
        return True
    return not policy.routes or any(route.escalation == escalation for route in policy.routes)


def _routes(policy: Policy, escalation: str) -> str:
    """Return from where incidents come to an escalation."""
    if escalation == OPERATOR:
        return "alertgate's own troubles"
    numbers = [str(number) for number, route in enumerate(policy.routes, 1) if route.escalation == escalation]
    if numbers:
        return f"[[routes]] {', '.join(numbers)}"
    return "no route leads there" if policy.routes else "everything, as there are no routes"
