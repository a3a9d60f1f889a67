"""The circuit breaker of a channel: when to pause it, and when to probe it. Pure.

A failing channel is paused as a whole and probed with one notification at a time, so that a dead server isn't hammered
and a locked account isn't locked for longer. The other notifications stay pending.

While it is in doubt whether a refusal is about us or about its recipient (`evidence`), only the recipients in doubt
wait: a household must not be silent because of one bad address. A probe goes to whom failed the longest time ago. Who
joins those in doubt may have failed once by chance, while another is dead for days and its probes are rare: so the
pauses between probes begin anew, and the first probe is theirs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from alertgate.notify.channels.base import CHANNEL_WIDE, Outcome, Reason, Sent, Transient
from alertgate.notify.evidence import Evidence, Subject, Tried, Weighed
from alertgate.notify.retry import DELAYS, LAST_DELAY, spread

AT_ONCE = frozenset(
    {
        Reason.CREDENTIALS,
        Reason.DAILY_LIMIT,
        Reason.SENDER_REFUSED,
        Reason.RELAY_REFUSED,
        Reason.HOST_REFUSED,
        Reason.UNCLEAR,
    }
)
"""Reasons that pause a channel at the first failure, because the next attempt would fail the same way."""
PATIENCE = 3
"""How many channel-wide failures in a row, for any other reason, pause a channel."""
LONG = timedelta(minutes=1)
"""A service that asks all of us to wait for so long pauses its channel at once: it bans who goes on."""
SLOW = (timedelta(minutes=1), timedelta(minutes=5), LAST_DELAY)
"""Delays between probes when only an operator, or the next day, can fix the cause."""
SEEN_LATE = frozenset({Reason.SENDER_REFUSED, Reason.DAILY_LIMIT, Reason.UNCLEAR})
"""Reasons that a server may have after it has seen a message's content, which a rehearsal doesn't show."""
DOUBTED = timedelta(days=1)
"""How long a rehearsal that succeeds doesn't end a pause for one of SEEN_LATE: daily limits are over by then."""
RESUMING = spread(LAST_DELAY, 1.0) + timedelta(minutes=2)
"""For so long after a pause what was said of it may still be on its way to its end. Longer than the longest time
between two probes: by then every other process that has paused the channel too has probed it."""
MOST_TRIED = 100
"""How many failures are remembered to choose the next probe."""
NOBODY: Mapping[str, datetime] = MappingProxyType({})
"""Nobody's messages fail."""


class Room(NamedTuple):
    """How many more messages may be claimed, and which."""

    slots: int
    probe: bool = False
    """Whether it is one message that probes the paused channel."""
    without: frozenset[str] = frozenset()
    """Recipients that wait for a probe; of a probe, those whose services asked to wait."""


@dataclass(frozen=True, slots=True)
class ChannelState:
    """What is known about a channel since the process started."""

    failures: int = 0
    """Channel-wide failures in a row."""
    paused_at: datetime | None = None
    probe_at: datetime | None = None
    """When to send the next probe, while the channel is paused."""
    in_doubt: bool = False
    """Whether the pause is for the recipients in doubt alone."""
    reason: Reason | None = None
    reply: str = ""
    asked_to_wait: timedelta = timedelta(0)
    """For how long at least, as the service asked with its last answer."""
    failing: Mapping[str, datetime] = field(default_factory=lambda: NOBODY, repr=False)
    """To whom messages failed for a channel-wide reason since the channel last worked, each with the time until which
    its service asked to wait."""
    failed_at: datetime | None = None
    succeeded_at: datetime | None = None
    resumed_at: datetime | None = None
    """When the last pause ended."""
    tried: tuple[Tried, ...] = field(default=(), repr=False)
    """What failed since the channel last worked, the latest last: a probe prefers what isn't here."""
    evidence: Evidence = field(default_factory=Evidence, repr=False)

    @property
    def up(self) -> bool:
        """Whether the channel isn't paused."""
        return self.paused_at is None

    def suspect(self, now: datetime) -> str | None:
        """Return the recipient to rehearse with: who failed last, and, where it is in doubt, one of those in doubt.

        One whose service asked to wait is chosen only if there is no other.
        """
        addresses = [each.address for each in self.tried]
        if self.in_doubt:
            addresses = [address for address in addresses if address in self.evidence.in_doubt]
        waits = self.asked_to_be_left(now)
        return max(addresses, key=lambda address: (address not in waits, addresses.index(address)), default=None)

    def admits(self, address: str) -> bool:
        """Return whether a message to this recipient may be sent that isn't a probe."""
        return self.up or (self.in_doubt and address not in self.evidence.in_doubt)

    def holds_own(self, now: datetime) -> bool:
        """Return whether a message by this channel that deliveries fail can't arrive, or isn't true any more."""
        if self.paused_at is not None:
            return not self.in_doubt
        return self.resumed_at is not None and timedelta(0) <= now - self.resumed_at < RESUMING

    def asked_to_be_left(self, now: datetime) -> frozenset[str]:
        """Return the recipients whose services asked to wait longer."""
        if self._is_set_back(now):
            return frozenset()
        return frozenset(address for address, until in self.failing.items() if now < until)

    def is_probe_due(self, now: datetime) -> bool:
        """Return whether the channel is paused and the time of its next probe has come."""
        return self.probe_at is not None and (now >= self.probe_at or self._is_set_back(now))

    def _is_set_back(self, now: datetime) -> bool:
        """Return whether the clock was set back, so that nothing waits for a time that the wrong clock planned."""
        return self.failed_at is not None and now < self.failed_at

    def room(self, capacity: int, claimed: int, now: datetime) -> Room:
        """Return what may be claimed now: while the channel is paused, one probe at a time and what it admits."""
        if self.up:
            return Room(max(0, capacity - claimed))
        if claimed == 0 and self.is_probe_due(now):
            return Room(1, probe=True, without=self.asked_to_be_left(now))
        if self.in_doubt:
            return Room(max(0, capacity - claimed), without=self.evidence.in_doubt)
        return Room(0)


def after(state: ChannelState, weighed: Weighed, now: datetime, chance: float) -> ChannelState:
    """Return the state after one more attempt. `chance` is a random number from 0 to 1."""
    outcome, resumed_at = weighed.outcome, state.resumed_at if state.up else now
    if isinstance(outcome, Sent):
        return ChannelState(
            reason=state.reason,
            reply=state.reply,
            failed_at=state.failed_at,
            succeeded_at=now,
            resumed_at=resumed_at,
            evidence=weighed.evidence,
        )
    probed = replace(state, evidence=weighed.evidence, tried=_latest_last(state.tried, weighed.tried))
    if outcome.reason is Reason.INTERNAL:  # a defect in alertgate says nothing about the channel
        return state if state.up else _after_probe(probed, now, chance)
    failed = replace(
        probed, reason=outcome.reason, reply=outcome.reply, failed_at=now, asked_to_wait=_asked_to_wait(outcome)
    )
    if outcome.reason in CHANNEL_WIDE:
        address, in_doubt = weighed.tried.address, weighed.subject is Subject.IN_DOUBT
        failing = MappingProxyType({**state.failing, address: now + failed.asked_to_wait})
        failed = replace(failed, failing=failing)
        if state.in_doubt and address not in state.failing:
            return _after_joining(failed, weighed.tried, now, chance, in_doubt=in_doubt)
        return _after_failure(state, failed, now, chance, in_doubt=in_doubt)
    if state.in_doubt:  # that it refuses one for its own sake doesn't tell why it refuses another
        return _after_probe(probed, now, chance)
    # It refused one message, so it works.
    return replace(failed, failures=0, paused_at=None, probe_at=None, resumed_at=resumed_at, tried=(), failing=NOBODY)


def trusted(state: ChannelState, now: datetime) -> ChannelState:
    """Return the state of a channel that was paused, and works, as for another process: one more failure pauses it.

    It stays paused for those in doubt whose services asked to wait longer.
    """
    if waiting := _for_who_asked_to_wait(state, now):
        return waiting
    ended = replace(state, paused_at=None, probe_at=None, in_doubt=False, resumed_at=now, tried=(), failing=NOBODY)
    return replace(ended, failures=PATIENCE - 1)


def rehearsed(state: ChannelState, outcome: Outcome, now: datetime, chance: float) -> ChannelState:
    """Return the state after a rehearsal: a probe without a message, because none waits for the paused channel.

    Whether it fails or says too little, the pauses between probes grow: each rehearsal logs in, and servers ban whoever
    does that too often.
    """
    if state.up:  # a message was sent meanwhile
        return state
    # Not in the future, even if the clock was set back: the next probe would be due at once, again and again.
    failed_at = min(state.failed_at or now, now)
    probed = replace(state, failures=state.failures + 1, failed_at=failed_at, asked_to_wait=_asked_to_wait(outcome))
    if outcome.reason in CHANNEL_WIDE:
        failed = replace(probed, reason=outcome.reason, reply=outcome.reply, failed_at=now)
        return _with_next_probe(failed, now, chance)
    says_too_little = state.reason in SEEN_LATE and now - failed_at < DOUBTED
    if outcome.reason is Reason.INTERNAL or says_too_little:
        return _with_next_probe(probed, now, chance)
    return trusted(state, now)


def _for_who_asked_to_wait(state: ChannelState, now: datetime) -> ChannelState | None:
    """Return the state of a channel that is paused for those in doubt alone whose services asked to wait, if any did.

    The end of its pause would make their messages due, and their answers would pause it again.
    """
    waiting = state.asked_to_be_left(now) & state.evidence.in_doubt
    if not waiting:
        return None
    failing = {address: until for address, until in state.failing.items() if address in waiting}
    doubts = tuple(doubt for doubt in state.evidence.doubts if doubt.tried.address in waiting)
    return replace(
        state,
        in_doubt=True,
        probe_at=min(failing.values()),
        failing=MappingProxyType(failing),
        evidence=replace(state.evidence, doubts=doubts),
    )


def _after_failure(
    before: ChannelState, failed: ChannelState, now: datetime, chance: float, *, in_doubt: bool
) -> ChannelState:
    """Return the state after a channel-wide failure."""
    if not before.is_probe_due(now) and not before.up:
        # In flight when the channel was paused, or to a recipient that didn't have to wait: not a failed probe.
        return replace(failed, in_doubt=before.in_doubt and in_doubt)
    failed = replace(failed, failures=before.failures + 1)
    is_clear = failed.reason in AT_ONCE or (failed.asked_to_wait >= LONG and not in_doubt)
    if before.up and not is_clear and failed.failures < PATIENCE:
        return failed
    paused = replace(failed, paused_at=before.paused_at or now, in_doubt=in_doubt)
    return _with_next_probe(paused, now, chance)


def _after_joining(failed: ChannelState, tried: Tried, now: datetime, chance: float, *, in_doubt: bool) -> ChannelState:
    """Return the state after a recipient has joined those in doubt, or has shown that it is about us."""
    failures = 1 if failed.reason in AT_ONCE else PATIENCE
    next_first = (tried, *(each for each in failed.tried if each != tried))
    joined = replace(failed, failures=failures, in_doubt=in_doubt, tried=next_first)
    return _with_next_probe(joined, now, chance)


def _after_probe(probed: ChannelState, now: datetime, chance: float) -> ChannelState:
    """Return the state after an attempt that doesn't change whether the channel is paused."""
    if not probed.is_probe_due(now):
        return probed
    return _with_next_probe(replace(probed, failed_at=now, asked_to_wait=timedelta(0)), now, chance)


def _asked_to_wait(outcome: Outcome) -> timedelta:
    return (outcome.retry_in if isinstance(outcome, Transient) else None) or timedelta(0)


def _with_next_probe(paused: ChannelState, now: datetime, chance: float) -> ChannelState:
    at_once = paused.reason in AT_ONCE
    delays = SLOW if at_once and paused.reason is not Reason.UNCLEAR else (*DELAYS, LAST_DELAY)
    probes = paused.failures - (1 if at_once else PATIENCE)
    delay = delays[min(max(probes, 0), len(delays) - 1)]
    asked = paused.asked_to_wait
    if paused.in_doubt and paused.evidence.in_doubt:  # whoever may be tried first
        asked = min(paused.failing.get(address, now) for address in paused.evidence.in_doubt) - now
    return replace(paused, probe_at=now + max(spread(delay, chance), asked))


def _latest_last(tried: tuple[Tried, ...], latest: Tried) -> tuple[Tried, ...]:
    return (*(each for each in tried if each != latest), latest)[-MOST_TRIED:]
