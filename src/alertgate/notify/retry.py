"""When a notification is retried after a failed attempt. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

DELAYS = tuple(timedelta(seconds=seconds) for seconds in (5, 15, 45, 120, 300))
LAST_DELAY = timedelta(minutes=15)
SPREAD = 0.2
"""Each delay varies by a fifth either way, so that notifications which failed together aren't retried together."""


@dataclass(frozen=True, slots=True)
class Again:
    """Retry at `at`."""

    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Don't retry."""


def next_attempt(
    attempts: int, since: datetime, now: datetime, give_up_after: timedelta, chance: float
) -> Again | GiveUp:
    """Decide what follows the `attempts`-th transient failure (1 for the first).

    `chance` is a random number from 0 to 1. Gives up once the next attempt would come later than `give_up_after`
    after `since`: when the notification was planned, last replayed, or given its latest alert to report.
    """
    delay = DELAYS[attempts - 1] if attempts <= len(DELAYS) else LAST_DELAY
    at = now + spread(delay, chance)
    return GiveUp() if at - since > give_up_after else Again(at)


def spread(delay: timedelta, chance: float) -> timedelta:
    """Return a delay with jitter of up to SPREAD either way; `chance` is a random number from 0 to 1."""
    return delay * (1 - SPREAD + 2 * SPREAD * chance)
