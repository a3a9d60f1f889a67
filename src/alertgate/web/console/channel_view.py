"""What the console shows of channels: how each is doing, what waits, and what failed and was never dealt with. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from alertgate.addresses import mask, mask_all
from alertgate.model import ChannelName, Severity, Target
from alertgate.notify.breaker import ChannelState
from alertgate.notify.budget import Budget, DailyLimit, Usage, budget
from alertgate.notify.channels.base import Finding, Level, Outcome, Reason, Transient
from alertgate.notify.names import where
from alertgate.notify.render.text import one_line
from alertgate.proof import Proof
from alertgate.store.counts import Queue
from alertgate.store.failures import Failure
from alertgate.web.console.excerpts import quoted

LONGEST_REPLY = 400
LONGEST = 200
_DOCS: Mapping[ChannelName, str] = MappingProxyType(
    {
        ChannelName.EMAIL: "docs/mail.md",
        ChannelName.SMS: "docs/text-messages.md",
        ChannelName.OUTBOX: "docs/mail.md",
        ChannelName.CALL: "docs/channels/twilio.md",
    }
)
_BUDGETS: Mapping[Budget, str] = MappingProxyType(
    {
        Budget.PLENTY: "",
        Budget.LOW: "near the limit: what isn't critical goes out as digests",
        Budget.RESERVE: "close to the limit: only what is critical goes out",
        Budget.EXHAUSTED: "the limit is reached: nothing goes out until there is room again",
    }
)
_BUDGET_COLORS = {Budget.LOW: "warning", Budget.RESERVE: "critical", Budget.EXHAUSTED: "critical"}
_LEVELS = {Level.FAIL: "critical", Level.WARN: "warning", Level.NOTE: "info", Level.OK: "over"}

Advise = Callable[[ChannelName, Outcome], str | None]
"""Returns what went wrong on a channel and what to change."""


@dataclass(frozen=True, slots=True)
class ChannelCard:
    """A channel that the settings configure, or on which something waits although they don't any more."""

    name: str
    state: str
    color: str
    paused_at: datetime | None
    for_some: bool
    """Whether only those wait who may be the cause, and others are told."""
    probe_at: datetime | None
    advice: str
    succeeded_at: datetime | None
    failed_at: datetime | None
    reason: str
    reply: str
    pending: int
    sending: int
    oldest_due_at: datetime | None
    contacts: int
    """How many contacts are told by it."""
    proofs: tuple[tuple[str, int], ...]
    outstanding: int

    @property
    def is_idle(self) -> bool:
        """Whether nobody is told by it, and there is nothing to say of it."""
        known = self.contacts or self.pending or self.sending or self.proofs or self.outstanding
        return not known and self.color == "over" and self.succeeded_at is None and self.failed_at is None


@dataclass(frozen=True, slots=True)
class LimitCard:
    """How much of an account's daily limit is used."""

    account: str
    setting: str
    sent: int | None
    """None before the first measurement."""
    limit: int
    said: str
    color: str


@dataclass(frozen=True, slots=True)
class FailureRow:
    """A notification that failed for good, and with which nobody has dealt."""

    id: str
    incident_id: str
    event: str
    where: str
    severity: Severity
    to: str
    failed_at: datetime | None
    reason: str
    reply: str


@dataclass(frozen=True, slots=True)
class FindingRow:
    """What an operator should know about the settings."""

    level: Level
    color: str
    what: str
    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the channels now."""

    states: Mapping[ChannelName, ChannelState]
    queues: Mapping[ChannelName, Queue]
    proofs: Mapping[ChannelName, Mapping[str, int]]
    outstanding: Mapping[ChannelName, int]
    targets: Iterable[Target]
    advise: Advise


def cards(facts: Facts) -> list[ChannelCard]:
    """Return a card for each channel; first those that don't work, then those that somebody is told by."""
    contacts = Counter(channel for channel, _ in facts.targets)
    names = [name for name in ChannelName if name in facts.states or name in facts.queues or name in facts.outstanding]
    found = [_card(name, facts, contacts[name]) for name in names]
    return sorted(found, key=lambda card: (card.color == "over", not card.contacts, card.name))


def _card(name: ChannelName, facts: Facts, contacts: int) -> ChannelCard:
    state, queue = facts.states.get(name), facts.queues.get(name, Queue(0, 0, None))
    known = state or ChannelState()
    proofs = facts.proofs.get(name, {})
    return ChannelCard(
        name=name,
        state=state_word(name, state),
        color=_color(name, state, contacts),
        paused_at=known.paused_at,
        for_some=known.in_doubt,
        probe_at=known.probe_at,
        advice="" if known.up else _advice(name, known, facts.advise),
        succeeded_at=known.succeeded_at,
        failed_at=known.failed_at,
        reason=(known.reason or "").replace("_", " "),
        reply=quoted(known.reply, LONGEST_REPLY),
        pending=queue.pending,
        sending=queue.sending,
        oldest_due_at=queue.oldest_due_at,
        contacts=contacts,
        proofs=tuple((proof.value, number) for proof in Proof if (number := proofs.get(proof, 0))),
        outstanding=facts.outstanding.get(name, 0),
    )


def _color(name: ChannelName, state: ChannelState | None, contacts: int) -> str:
    if state is None or not state.up:
        return "critical"
    return "warning" if name is ChannelName.OUTBOX and contacts else "over"


def state_word(name: ChannelName, state: ChannelState | None) -> str:
    """Return how a channel is doing in a word; None is one that isn't configured."""
    up = "tells nobody" if name is ChannelName.OUTBOX else "up"
    return "not configured" if state is None else up if state.up else "paused"


def _advice(name: ChannelName, state: ChannelState, advise: Advise) -> str:
    return mask_all(advise(name, Transient(state.reason or Reason.UNCLEAR, state.reply)) or "")


def limits(known: Iterable[DailyLimit], usage: Mapping[str, Usage], accounts: Iterable[str]) -> list[LimitCard]:
    """Return what each account in use has sent today; one without a limit too."""
    in_use = set(accounts)
    return [_limit(each, usage.get(each.account)) for each in known if each.account in in_use]


def _limit(limit: DailyLimit, usage: Usage | None) -> LimitCard:
    level = budget(usage.sent, limit.limit) if usage else Budget.PLENTY
    return LimitCard(
        limit.account,
        limit.setting,
        usage.sent if usage else None,
        limit.limit,
        _BUDGETS[level],
        _BUDGET_COLORS.get(level, ""),
    )


def failure_rows(found: Iterable[Failure], device_name: Callable[[str | None], str | None]) -> list[FailureRow]:
    """Return outstanding failures as rows."""
    return [_failure(each, device_name(each.incident.device)) for each in found]


def _failure(failure: Failure, name: str | None) -> FailureRow:
    notification, incident, attempt = failure.notification, failure.incident, failure.attempt
    person = notification.person
    to = f"{notification.channel}:{mask(notification.address)}"
    return FailureRow(
        id=notification.id,
        incident_id=incident.id,
        event=one_line(incident.event, LONGEST),
        where=where(incident, name),
        severity=notification.severity,
        to=to if person in (None, notification.address) else f"{one_line(person, LONGEST)}, {to}",
        failed_at=notification.finished_at,
        reason=attempt.reason.replace("_", " ") if attempt else "",
        reply=quoted(attempt.reply, LONGEST_REPLY) if attempt else "",
    )


def finding_rows(found: Iterable[Finding]) -> list[FindingRow]:
    """Return what is to be known about the settings, the worst first; what is as it should be is left out."""
    order = list(_LEVELS)
    doubtful = sorted((each for each in found if each.level is not Level.OK), key=lambda each: order.index(each.level))
    return [FindingRow(each.level, _LEVELS[each.level], mask_all(each.what), mask_all(each.text)) for each in doubtful]


def missing_rows(missing: Mapping[ChannelName, str]) -> list[tuple[str, str, str]]:
    """Return the channels that aren't configured: each with what to set, and the page that says how."""
    return [(name, text, _DOCS.get(name, f"docs/channels/{name}.md")) for name, text in sorted(missing.items())]
