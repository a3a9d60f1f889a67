"""The circuit breaker of a channel: when to pause it, and when to probe it. Pure.

A failing channel is paused as a whole and probed with one notification at a time, so that a dead server isn't hammered
and a locked account isn't locked for longer. The other notifications stay pending.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alertgate.notify.channels.base import CHANNEL_WIDE, Outcome, Reason, Sent
from alertgate.notify.retry import DELAYS, LAST_DELAY, spread

AT_ONCE = frozenset({Reason.CREDENTIALS, Reason.DAILY_LIMIT, Reason.SENDER_REFUSED})
"""Reasons that pause a channel at the first failure, because the next attempt would fail the same way."""
PATIENCE = 3
"""How many channel-wide failures in a row, for any other reason, pause a channel."""
SLOW = (timedelta(minutes=1), timedelta(minutes=5), LAST_DELAY)
"""Delays between probes when only an operator, or the next day, can fix the cause."""


@dataclass(frozen=True, slots=True)
class ChannelState:
    """What is known about a channel since the process started."""

    failures: int = 0
    """Channel-wide failures in a row."""
    paused_at: datetime | None = None
    probe_at: datetime | None = None
    """When to send the next probe, while the channel is paused."""
    reason: Reason | None = None
    reply: str = ""
    failed_at: datetime | None = None
    succeeded_at: datetime | None = None

    @property
    def up(self) -> bool:
        """Whether the channel isn't paused."""
        return self.paused_at is None

    def free_slots(self, capacity: int, claimed: int, now: datetime) -> int:
        """Return how many more notifications may be claimed now: one at a time while the channel is paused."""
        if self.probe_at is None:
            return max(0, capacity - claimed)
        # If the clock was set back, don't wait for a time that the wrong clock planned.
        set_back = self.failed_at is not None and now < self.failed_at
        return 1 if claimed == 0 and (now >= self.probe_at or set_back) else 0


def after(state: ChannelState, outcome: Outcome, now: datetime, chance: float) -> ChannelState:
    """Return the state after one more attempt. `chance` is a random number from 0 to 1."""
    if isinstance(outcome, Sent):
        return ChannelState(succeeded_at=now, failed_at=state.failed_at, reason=state.reason, reply=state.reply)
    if outcome.reason is Reason.INTERNAL:
        return state  # a defect in alertgate says nothing about the channel
    failed = replace(state, reason=outcome.reason, reply=outcome.reply, failed_at=now)
    if outcome.reason not in CHANNEL_WIDE:
        return replace(failed, failures=0, paused_at=None, probe_at=None)  # it refused one message, so it works
    if state.probe_at and state.failed_at and state.failed_at <= now < state.probe_at:
        return failed  # in flight when the channel was paused, so not a failed probe
    failed = replace(failed, failures=state.failures + 1)
    if state.up and outcome.reason not in AT_ONCE and failed.failures < PATIENCE:
        return failed
    delays = SLOW if outcome.reason in AT_ONCE else (*DELAYS, LAST_DELAY)
    probes = failed.failures - (1 if outcome.reason in AT_ONCE else PATIENCE)
    delay = delays[min(max(probes, 0), len(delays) - 1)]
    return replace(failed, paused_at=state.paused_at or now, probe_at=now + spread(delay, chance))
