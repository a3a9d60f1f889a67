"""Tell people that a channel has been paused for a while. Pure.

Each process has its own view of a channel: it may fail from one machine alone.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from alertgate.addresses import mask_all
from alertgate.model import ChannelName, Severity, Target
from alertgate.notify.breaker import ChannelState
from alertgate.notify.channels.base import Reason
from alertgate.prove.troubles import Cause

AFTER = timedelta(minutes=1)
"""How long a channel must be paused: most pauses end with the first probe."""

CAUSES: Mapping[Reason, Cause] = MappingProxyType(
    {
        Reason.CREDENTIALS: Cause.CHANNEL_LOGIN,
        Reason.TOO_MANY_LOGINS: Cause.CHANNEL_LOGINS,
        Reason.TRY_LATER: Cause.CHANNEL_BUSY,
        Reason.DAILY_LIMIT: Cause.CHANNEL_LIMIT,
        Reason.SENDER_REFUSED: Cause.CHANNEL_SENDER,
        Reason.RELAY_REFUSED: Cause.CHANNEL_RELAY,
        Reason.HOST_REFUSED: Cause.CHANNEL_HOST,
        Reason.UNCLEAR: Cause.CHANNEL_REFUSED,
        Reason.CONNECTION: Cause.CHANNEL_CONNECTION,
        Reason.TLS: Cause.CHANNEL_TLS,
        Reason.TIMEOUT: Cause.CHANNEL_TIMEOUT,
        Reason.STORAGE: Cause.CHANNEL_STORAGE,
    }
)
"""The causes of the reasons that pause a channel."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause that people are told of."""

    cause: Cause
    severity: Severity
    reply: str
    """The server's last answer, with masked addresses."""
    since: datetime


def is_long(state: ChannelState, now: datetime) -> bool:
    """Return whether a channel has been paused for long enough. A clock that was set back doesn't postpone it."""
    return state.paused_at is not None and not timedelta(0) <= now - state.paused_at < AFTER


def judge(
    name: ChannelName,
    states: Mapping[ChannelName, ChannelState],
    targets: Collection[Target],
    worst_waiting: Severity | None,
    now: datetime,
) -> Pause | None:
    """Return the pause of a channel, or None if there is none to tell.

    A pause is as severe as the worst that waits for it, and critical where nobody in `targets` can be told by any
    channel. One that is paused for recipients in doubt works for all others.
    """
    state = states[name]
    if not is_long(state, now) or state.paused_at is None:
        return None
    anybody = any(states[channel].admits(address) for channel, address in targets if channel in states)
    severity = (worst_waiting or Severity.INFO) if anybody else Severity.CRITICAL
    cause = CAUSES.get(state.reason, Cause.CHANNEL_REFUSED) if state.reason else Cause.CHANNEL_REFUSED
    return Pause(cause, severity, mask_all(state.reply), min(state.paused_at, now))
