"""What a doubtful refusal is about, judged by what the server says to others. Pure.

A server that refuses our sender, our host or our right to relay usually refuses every recipient, but may refuse one
alone: Amazon SES' sandbox says the same words about an unverified sender and an unverified recipient. And some refusals
don't say at all what they are about. So each is held against what else happened lately:

- Another message was accepted since: it is about this recipient (or this message) alone. The channel isn't paused;
  after TRIES more refusals it has failed for good, so that somebody sees it.
- Another recipient was accepted shortly before: the same, but nothing fails for good on that, unless this recipient was
  refused alone before. If the refusals go on, it counts as in doubt.
- Another domain was refused in the same words: it is about us, and the whole channel is paused.
- Nothing else is known: it counts as being about us, but only the recipients in doubt wait. All others are still tried.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from alertgate.notify.channels.base import Outcome, Permanent, Sent, Transient

TRIES = 3
"""After so many refusals of one message, over about a minute, while others were accepted, it has failed for good."""
SHORTLY = timedelta(minutes=10)
"""An acceptance this long before the first refusal still says that the server accepts us."""
REMEMBERED = timedelta(hours=1)
"""How long refusals count: twice as long as the longest wait between two tries, and more."""

_WEB = re.compile(r"[a-z][a-z0-9+.-]*://([^/?#]*)", re.IGNORECASE)
_NO_WORDS = re.compile(r"\S*[@\d]\S*|[^a-z\s]")


class Subject(StrEnum):
    """What an outcome is about, and why."""

    CLEAR = "clear"  # as the outcome says it
    ALONE = "alone"  # this recipient or message alone: the server accepts others
    US = "us"  # about us: it refuses another domain in the same words
    IN_DOUBT = "in_doubt"  # nothing else is known


class Tried(NamedTuple):
    """Which message was tried, and to whom. A digest's retries are the same message."""

    address: str
    message: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """A message that was refused without a clear cause."""

    tried: Tried = field(repr=False)
    words: str
    first_at: datetime
    last_at: datetime
    times: int = 1
    """How often it was refused; counted anew once another message was accepted."""
    subject: Subject = Subject.IN_DOUBT
    others_since: bool = False
    """Whether another message was accepted since, and none was refused in doubt after that."""

    @property
    def domain(self) -> str:
        """The recipient's domain, of a web address the host: what one server says to two says nothing about us."""
        where = _WEB.match(self.tried.address)
        return (where[1] if where else self.tried.address).rpartition("@")[2].lower()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a server said about recipients lately."""

    doubts: tuple[Doubt, ...] = ()
    accepted: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """When each recipient last accepted a message, unless one was refused without a clear cause since."""

    @property
    def in_doubt(self) -> frozenset[str]:
        """The recipients whose refusals count as being about us."""
        return frozenset(doubt.tried.address for doubt in self.doubts if doubt.subject is not Subject.ALONE)


@dataclass(frozen=True, slots=True)
class Weighed:
    """An outcome after it was held against the evidence, and the evidence afterwards."""

    outcome: Outcome
    subject: Subject
    evidence: Evidence
    tried: Tried


def weigh(known: Evidence, tried: Tried, outcome: Outcome, now: datetime) -> Weighed:
    """Decide what an outcome is about."""
    if isinstance(outcome, Sent):
        return Weighed(outcome, Subject.CLEAR, _accepting(known, tried, now), tried)
    if not isinstance(outcome, Transient) or outcome.if_alone is None:
        return Weighed(outcome, Subject.CLEAR, known, tried)
    before = [doubt for doubt in known.doubts if now - REMEMBERED <= doubt.last_at <= now]
    others = [doubt for doubt in before if doubt.tried != tried]
    doubt = _refused_again(next((each for each in before if each.tried == tried), None), tried, outcome.reply, now)
    shortly_before = _accepted_shortly_before(doubt, known.accepted)
    if shortly_before and any(each.others_since and each.tried.address == tried.address for each in others):
        doubt = replace(doubt, others_since=True)  # as its recipient's last message
    subject = _subject(doubt, others, shortly_before=shortly_before)
    accepted = {address: at for address, at in known.accepted.items() if address != tried.address}
    if subject is not Subject.ALONE:  # what was accepted before this says nothing about what is refused from now on
        others = [each if each.tried.address == tried.address else replace(each, others_since=False) for each in others]
    evidence = Evidence((*others, replace(doubt, subject=subject)), MappingProxyType(accepted))
    return Weighed(_judged(outcome, doubt, subject), subject, evidence, tried)


def _accepting(known: Evidence, tried: Tried, now: datetime) -> Evidence:
    """Return the evidence after a message was accepted: every other one that was refused is so alone."""
    kept = [each for each in known.doubts if each.tried != tried and now - REMEMBERED <= each.last_at <= now]
    cleared = tuple(
        replace(each, others_since=True, times=each.times if each.others_since else 0, subject=Subject.ALONE)
        for each in kept
    )
    accepted = {address: at for address, at in known.accepted.items() if now - REMEMBERED <= at <= now}
    return Evidence(cleared, MappingProxyType({**accepted, tried.address: now}))


def _refused_again(before: Doubt | None, tried: Tried, reply: str, now: datetime) -> Doubt:
    words = words_of(reply)
    if before is None:
        return Doubt(tried, words, now, now)
    return replace(before, words=words, last_at=now, times=before.times + 1)


def _accepted_shortly_before(doubt: Doubt, accepted: Mapping[str, datetime]) -> bool:
    """Return whether another recipient was accepted shortly before a message's first refusal, or since."""
    since = doubt.first_at - SHORTLY
    return any(at >= since for address, at in accepted.items() if address != doubt.tried.address)


def _subject(doubt: Doubt, others: list[Doubt], *, shortly_before: bool) -> Subject:
    if doubt.others_since or (shortly_before and doubt.times < TRIES):
        return Subject.ALONE
    same_elsewhere = any(
        each.words == doubt.words and each.domain != doubt.domain and not each.others_since for each in others
    )
    return Subject.US if same_elsewhere else Subject.IN_DOUBT


def _judged(outcome: Transient, doubt: Doubt, subject: Subject) -> Outcome:
    if subject is not Subject.ALONE or outcome.if_alone is None:
        return outcome
    alone = outcome.if_alone
    if isinstance(alone, Permanent) and doubt.others_since and doubt.times >= TRIES:
        return alone
    return replace(outcome, reason=alone.reason, of_content=alone.of_content, if_alone=None)


def words_of(reply: str) -> str:
    """Return a reply's words in lower case, without addresses, numbers and ids, which differ between recipients."""
    return " ".join(_NO_WORDS.sub(" ", reply.lower()).split())
