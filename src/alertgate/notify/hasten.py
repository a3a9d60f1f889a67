"""A person's next contact, at once, where nothing reaches them by the ones before. Pure.

A contact `after 3m` waits for somebody to acknowledge what the person's first contacts told. While nothing gets through
by those, because their server is away or refuses, or a daily limit is reached, nobody can, so it doesn't wait: a person
who is told late by a second way is better than one who isn't told.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from alertgate.model import ChannelName, Hold, Notification, NotificationStatus
from alertgate.notify.breaker import AT_ONCE, ChannelState

PATIENCE = timedelta(seconds=30)
"""For so long a first contact is tried, or kept waiting, or its channel is away, before the next is told; an attempt
may take 45 seconds."""
_GONE = frozenset({NotificationStatus.CANCELLED})


class Hastened(NamedTuple):
    """A delayed notification that is due now, and why, to follow the reason for which it was planned."""

    notification: Notification
    because: str


def hasten(
    told: Collection[Notification],
    away: Mapping[ChannelName, ChannelState],
    is_kept: Callable[[Notification], bool],
    now: datetime,
) -> list[Hastened]:
    """Return what needn't wait.

    `told` is all that is said of some incidents; `away` are the channels paused for everybody; `is_kept` tells whether
    a notification isn't even tried now, though its channel takes others.
    """
    found = []
    for delayed in _earliest(told):
        others = [each for each in told if _is_beside(each, delayed) and each.status not in _GONE]
        lasting = {name for name, state in away.items() if _lasts(state, delayed.due_at, now)}
        failing = [each for each in others if _gets_nowhere(each, lasting, is_kept, now)]
        hears = any(each not in failing and not _waits_too(each) for each in others)
        if failing and not hears:
            names = ", ".join(dict.fromkeys(str(each.channel) for each in failing))
            found.append(Hastened(delayed, f"at once, because nothing gets through by {names}"))
    return found


def _earliest(told: Iterable[Notification]) -> Iterator[Notification]:
    """Yield the delayed notification of each person about each incident that is due first."""
    first: dict[tuple[str, str | None], Notification] = {}
    for each in told:
        place = each.incident_id, each.person
        if _waits_too(each) and (place not in first or each.due_at < first[place].due_at):
            first[place] = each
    yield from first.values()


def _is_beside(other: Notification, delayed: Notification) -> bool:
    """Return whether another contact of the same person is told the same, or was since the delayed one was planned."""
    same = (other.incident_id, other.person) == (delayed.incident_id, delayed.person)
    is_news = other.finished_at is None or other.finished_at >= delayed.created_at
    return same and other.id != delayed.id and is_news


def _waits_too(each: Notification) -> bool:
    return each.status is NotificationStatus.PENDING and each.hold is Hold.DELAYED


def _lasts(state: ChannelState, until: datetime, now: datetime) -> bool:
    """Return whether a channel is away for longer than a moment, or surely until then."""
    has_lasted = state.paused_at is not None and now - state.paused_at >= PATIENCE
    return has_lasted or state.reason in AT_ONCE or (state.probe_at is not None and state.probe_at > until)


def _gets_nowhere(
    each: Notification, away: Collection[ChannelName], is_kept: Callable[[Notification], bool], now: datetime
) -> bool:
    """Return whether a notification that isn't delayed fails: for good, again and again, or with all of its channel."""
    if each.status is NotificationStatus.FAILED:
        return True
    if each.status is not NotificationStatus.PENDING or each.hold:
        return False
    if each.channel in away:
        return True
    in_vain = each.attempts > 0 or (each.due_at <= now and is_kept(each))
    return in_vain and now - each.retry_since >= PATIENCE
