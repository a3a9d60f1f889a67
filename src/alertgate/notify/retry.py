"""When a message that couldn't be handed over is tried again. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

DELAYS = tuple(timedelta(seconds=seconds) for seconds in (5, 15, 45, 120, 300))
LAST_DELAY = timedelta(minutes=15)
SPREAD = 0.2
"""Each delay varies by a fifth either way, so that messages which failed together don't return together."""


@dataclass(frozen=True, slots=True)
class Again:
    """Try again at `at`."""

    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Don't try again."""


def next_attempt(
    attempts: int, since: datetime, now: datetime, give_up_after: timedelta, chance: float
) -> Again | GiveUp:
    """Decide what follows the `attempts`-th failure that may pass (1 for the first).

    `chance` is a random number from 0 to 1. Gives up once the next try would come later than `give_up_after`
    after `since`, when the message was planned or started afresh.
    """
    delay = DELAYS[attempts - 1] if attempts <= len(DELAYS) else LAST_DELAY
    at = now + spread(delay, chance)
    return GiveUp() if at - since > give_up_after else Again(at)


def spread(delay: timedelta, chance: float) -> timedelta:
    """Return a delay moved by up to SPREAD either way; `chance` is a random number from 0 to 1."""
    return delay * (1 - SPREAD + 2 * SPREAD * chance)
