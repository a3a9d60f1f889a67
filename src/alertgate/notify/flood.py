"""Many notifications to one contact: which go alone, which go together as one digest, and which wait. Pure.

A handful of messages a minute goes alone. When there are more, the rest is gathered for a few seconds and goes as one
digest; further digests follow at intervals. What begins to be critical goes alone at once, up to a limit of its own.

What was missed while the channel was away goes as one digest, however little it is and however critical.

Waits are counted from times that don't move (when the oldest became due, when the last digest was claimed), so that a
steady trickle postpones nothing for ever.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby
from operator import attrgetter

from alertgate.contact_state import Due, Recent
from alertgate.model import BEGINNINGS, Severity, worst
from alertgate.notify.budget import Budget
from alertgate.notify.missed import is_missed
from alertgate.notify.parts import is_part

MINUTE = timedelta(minutes=1)
"""The time in which FLOOD_LIMIT messages go alone."""
REMEMBERED = timedelta(hours=24)
"""For so long after a digest, everything else to its contact is gathered first: a flood's all-clears come together."""
GATHER = timedelta(seconds=3)
"""How long notifications are gathered."""
MOST = 2000
"""Notifications in one digest; the rest waits for the next one. It must be recorded well within its lease."""


class FloodReason(StrEnum):
    """Why a message goes now, or why notifications wait."""

    FEW = "few"  # alone: fewer than FLOOD_LIMIT messages went to the contact in the last minute
    CRITICAL = "critical"  # alone: it tells of the beginning of something critical, or of a rise to it
    AGAIN = "again"  # it was claimed before, and waited for a retry
    ONLY_ONE = "only_one"  # alone: nothing else came while it was gathered
    MANY = "many"  # a digest
    MISSED = "missed"  # a digest: what the contact missed while the channel was away, with what else is due
    GATHERING = "gathering"  # waits: more may come within a few seconds
    DIGEST_WAS_SENT = "digest_was_sent"  # waits: the contact was sent a digest (or, near the daily limit, any message)
    MINUTE_IS_FULL = "minute_is_full"  # waits: FLOOD_LIMIT messages went to the contact in the last minute
    RESERVED = "reserved"  # waits: the rest of the daily limit is kept for what is critical


@dataclass(frozen=True, slots=True)
class FloodRules:
    """How much goes to one contact.

    A `limit` of 0 lets everything go alone, but for what was missed, and for what the daily limit changes.
    """

    limit: int
    """FLOOD_LIMIT: messages in a minute, and as many more for the beginnings of what is critical."""
    interval: timedelta
    """GROUP_INTERVAL: the time between two digests in which nothing is critical."""
    gather: timedelta = GATHER
    budget: Budget = Budget.PLENTY


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One message that goes now."""

    members: tuple[Due, ...]
    reason: FloodReason
    digest_id: str | None = None
    """The digest that is sent again; None for a new one, and for a message alone."""

    @property
    def severity(self) -> Severity:
        """The highest severity of its members."""
        return worst(*(member.severity for member in self.members))

    @property
    def due_at(self) -> datetime:
        """When the first of its members became due."""
        return min(member.due_at for member in self.members)

    @property
    def saves(self) -> bool:
        """Whether it may go near the daily limit also if it isn't critical."""
        return self.reason in {FloodReason.MANY, FloodReason.MISSED, FloodReason.ONLY_ONE, FloodReason.AGAIN}

    @property
    def is_alone(self) -> bool:
        """Whether it is about one incident, and was never part of a digest."""
        return self.digest_id is None and len(self.members) == 1


@dataclass(frozen=True, slots=True)
class Wait:
    """Why the rest waits, and when to look again; None if only the daily limit knows."""

    reason: FloodReason
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Choice:
    """What goes now, the most severe first, then the oldest; and why the rest waits."""

    going: tuple[Dispatch, ...] = ()
    waits: tuple[Wait, ...] = ()

    @property
    def again_at(self) -> datetime | None:
        """When to look again."""
        return min((wait.until for wait in self.waits if wait.until), default=None)


def choose(due: Iterable[Due], recent: Mapping[str, Recent], now: datetime, rules: FloodRules) -> Choice:
    """Decide for all contacts of one channel. `recent` has what went to each address lately."""
    of_contact = attrgetter("address")
    choices = [
        decide(list(group), recent.get(address, Recent()), now, rules)
        for address, group in groupby(sorted(due, key=of_contact), of_contact)
    ]
    going = sorted((each for choice in choices for each in choice.going), key=_urgency)
    return Choice(tuple(going), tuple(wait for choice in choices for wait in choice.waits))


def decide(due: Sequence[Due], recent: Recent, now: datetime, rules: FloodRules) -> Choice:
    """Decide for one contact which due notifications go now, alone or as a digest, and until when others wait."""
    if rules.budget is Budget.EXHAUSTED:
        return Choice(waits=(Wait(FloodReason.RESERVED, None),)) if due else Choice()
    contact = _Contact(recent, now, rules)
    due = contact.send_missed(due)
    contact.send_digests_again([each for each in due if each.digest_id])
    loose = sorted((each for each in due if each.digest_id is None), key=_urgency)
    if rules.budget is Budget.RESERVE:
        loose = contact.reserve(loose)
    loose = contact.send_again(loose)
    loose = contact.send_critical(loose)
    contact.gather(contact.send_few(loose))
    return Choice(tuple(sorted(contact.going, key=_urgency)), tuple(contact.waits))


class _Contact:
    """Takes the decisions about one contact in turn; each returns what is left to the next."""

    def __init__(self, recent: Recent, now: datetime, rules: FloodRules) -> None:
        self.going: list[Dispatch] = []
        self.waits: list[Wait] = []
        self._recent = recent
        self._now = now
        self._rules = rules
        self._messages = recent.messages
        """The messages in the last minute, with those that go now."""
        self._digest_at = recent.digest_at
        """When the last digest went; now, if one does."""

    def send_missed(self, due: Sequence[Due]) -> list[Due]:
        """What was missed goes together, with what else is due; but what begins to be critical now goes alone.

        It takes the place of digests that failed meanwhile. If nothing came since, it is the same one again. The parts
        of one whose content was refused stay as they are.
        """
        missed = {each.id for each in due if is_missed(each.missed_since, self._now) and not is_part(each.digest_id)}
        own = {each.id for each in due if is_part(each.digest_id) or (each.id not in missed and _begins_critical(each))}
        together = sorted((each for each in due if each.id not in own), key=_urgency)[:MOST]
        if not missed or len(together) < 2:
            return list(due)  # one is no digest
        rest = [each for each in due if each.id in own]
        [digest_id, *others] = {each.digest_id for each in together}
        digest = Dispatch(tuple(together), FloodReason.MISSED, None if others else digest_id)
        if self._rules.budget is Budget.RESERVE and digest.severity is not Severity.CRITICAL:
            self.waits.append(Wait(FloodReason.RESERVED, None))
            return rest
        self._send(digest)
        self._digest_at = self._now
        return rest

    def send_digests_again(self, members: Sequence[Due]) -> None:
        """A digest that failed, or whose process ended, goes again with the same members, unless another went since.

        The parts of one go at once, one after the other.
        """
        of_digest = attrgetter("digest_id")
        for digest_id, group in groupby(sorted(members, key=of_digest), of_digest):
            digest = Dispatch(tuple(group), FloodReason.AGAIN, digest_id)
            if self._rules.budget is Budget.RESERVE and digest.severity is not Severity.CRITICAL:
                self.waits.append(Wait(FloodReason.RESERVED, None))
                continue
            claimed_at = max((each.claimed_at for each in digest.members if each.claimed_at), default=None)
            at = self._next_digest_at(digest.members)
            if is_part(digest_id) or claimed_at == self._digest_at or at is None or at <= self._now:
                self._send(digest, counts=not self._is_counted(claimed_at))
                self._digest_at = self._now
            else:
                self.waits.append(Wait(FloodReason.DIGEST_WAS_SENT, at))

    def reserve(self, due: Sequence[Due]) -> list[Due]:
        """Leave what isn't critical until the daily limit has room."""
        critical = [each for each in due if each.severity is Severity.CRITICAL]
        if len(critical) < len(due):
            self.waits.append(Wait(FloodReason.RESERVED, None))
        return critical

    def send_again(self, due: Sequence[Due]) -> list[Due]:
        """What was claimed within the last minute is counted already, so that it may be sent again."""
        for each in due:
            if self._is_counted(each.claimed_at):
                self._send(Dispatch((each,), FloodReason.AGAIN), counts=False)
        return [each for each in due if not self._is_counted(each.claimed_at)]

    def send_critical(self, due: Sequence[Due]) -> list[Due]:
        """Beginnings of what is critical go alone, until the minute's limit of them is reached."""
        beginnings = [each for each in due if _begins_critical(each)]
        alone = beginnings[: max(0, self._rules.limit - self._recent.critical)] if self._rules.limit else beginnings
        return self._send_alone(due, alone, FloodReason.CRITICAL)

    def send_few(self, due: Sequence[Due]) -> list[Due]:
        """Without a flood in the last day, messages go alone until the minute's limit is reached."""
        thrifty = self._rules.budget is Budget.LOW
        candidates = [each for each in due if not thrifty or each.severity is Severity.CRITICAL]
        if self._rules.limit:
            room = 0 if self._recent.digest_at else max(0, self._rules.limit - self._messages)
            candidates = candidates[:room]
        return self._send_alone(due, candidates, FloodReason.FEW)

    def gather(self, due: Sequence[Due]) -> None:
        """The rest is gathered, and goes as one digest; or alone, if it is only one."""
        if not due:
            return
        ready_at = min(each.due_at for each in due) + self._rules.gather
        digest_at = self._next_digest_at(due)
        waits = [Wait(FloodReason.GATHERING, ready_at), Wait(FloodReason.DIGEST_WAS_SENT, digest_at)]
        if len(due) == 1 and self._rules.limit and self._messages >= self._rules.limit:
            waits.append(Wait(FloodReason.MINUTE_IS_FULL, due[0].due_at + MINUTE))
        open_waits = [wait for wait in waits if wait.until and wait.until > self._now]
        if open_waits:
            self.waits.append(max(open_waits, key=lambda wait: wait.until or self._now))
        else:
            self._send(Dispatch(tuple(due[:MOST]), FloodReason.MANY if len(due) > 1 else FloodReason.ONLY_ONE))

    def _send_alone(self, due: Sequence[Due], alone: Sequence[Due], reason: FloodReason) -> list[Due]:
        for each in alone:
            self._send(Dispatch((each,), reason))
        sent = {each.id for each in alone}
        return [each for each in due if each.id not in sent]

    def _send(self, dispatch: Dispatch, *, counts: bool = True) -> None:
        self.going.append(dispatch)
        self._messages += counts

    def _next_digest_at(self, members: Sequence[Due]) -> datetime | None:
        """Return when a digest of these may follow the last one, or None if there was none."""
        critical = any(each.severity is Severity.CRITICAL for each in members)
        last = [self._digest_at]
        if self._rules.budget is Budget.LOW and not critical:
            last.append(self._recent.ordinary_at)
        times = [at for at in last if at]
        return max(times) + (min(MINUTE, self._rules.interval) if critical else self._rules.interval) if times else None

    def _is_counted(self, claimed_at: datetime | None) -> bool:
        return claimed_at is not None and claimed_at > self._now - MINUTE


def _begins_critical(each: Due) -> bool:
    return each.severity is Severity.CRITICAL and each.kind in BEGINNINGS


def _urgency(each: Due | Dispatch) -> tuple[int, datetime]:
    return -each.severity.rank, each.due_at
