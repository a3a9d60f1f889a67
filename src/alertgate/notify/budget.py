"""The daily limit of a mail account. Pure.

Mail providers block an account for a day once it has sent too much (Gmail: 500 messages in 24 hours), and then even a
critical notification can't go out. So messages are saved before the limit is reached, and none exceeds it. A digest is
one message. Claims count, each in its own transaction, so that neither connections nor replicas add up to more.
"""

import math
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol, TypeVar

from alertgate.model import ChannelName, Severity

MAIL = (ChannelName.EMAIL, ChannelName.SMS)
"""The channels that use the mail account and share its daily limit."""
PERIOD = timedelta(hours=24)
LOW_FROM = 0.80
RESERVED = 0.10
"""The part of the limit that is kept for what is critical: one message at least."""


class Budget(StrEnum):
    """How much of the limit is used."""

    PLENTY = "plenty"
    LOW = "low"  # from 80 %: what isn't critical goes as digests, at most one per GROUP_INTERVAL and contact
    RESERVE = "reserve"  # the last tenth: only what is critical goes
    EXHAUSTED = "exhausted"  # nothing goes, until some of the messages are a day old


class Usage(NamedTuple):
    """How many messages the mail account sent within the period; a `limit` of 0 means no limit."""

    sent: int
    limit: int


class _Message(Protocol):
    @property
    def severity(self) -> Severity: ...
    @property
    def saves(self) -> bool: ...


M = TypeVar("M", bound=_Message)


def budget(sent: int, limit: int) -> Budget:
    """Return the level for `sent` messages in the last 24 hours; a `limit` of 0 means no limit."""
    reserved = math.ceil(limit * RESERVED)
    if not limit or sent < min(limit * LOW_FROM, limit - reserved):
        return Budget.PLENTY
    if sent >= limit:
        return Budget.EXHAUSTED
    return Budget.RESERVE if sent >= limit - reserved else Budget.LOW


def affordable(messages: Sequence[M], sent: int, limit: int) -> list[M]:
    """Return those of the messages, the most urgent first, that the limit allows, one after the other.

    `saves` says of a message that it went through what saves messages: it was gathered, or counted before.
    """
    kept: list[M] = []
    for message in messages:
        level = budget(sent + len(kept), limit)
        if level is Budget.EXHAUSTED:
            break
        allowed = {Budget.PLENTY: True, Budget.LOW: message.saves, Budget.RESERVE: False}[level]
        if allowed or message.severity is Severity.CRITICAL:
            kept.append(message)
    return kept
