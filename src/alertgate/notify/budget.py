"""The daily limits of the mail account and of Twilio's. Pure.

Mail providers block an account for a day once it has sent too much (Gmail: 500 messages in 24 hours), and then even a
critical notification can't go out; and each text and call costs money. So messages are saved before a limit is reached,
and none exceeds it. A digest is one message. Claims count, each in its own transaction, so that neither connections nor
replicas add up to more.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol, TypeVar

from alertgate.config import Settings
from alertgate.model import ChannelName, Severity

MAIL = (ChannelName.EMAIL, ChannelName.SMS)
"""The channels that use the mail account and share its daily limit."""
TWILIO = (ChannelName.TWILIO, ChannelName.CALL)
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
    """How many messages an account sent within the period; a `limit` of 0 means no limit."""

    sent: int
    limit: int


class DailyLimit(NamedTuple):
    """The limit of one account, which its channels share; 0 means that there is none."""

    account: str
    """`mail` or `twilio`, as in metrics and in what is said of it."""
    setting: str
    channels: tuple[ChannelName, ...]
    limit: int
    stops: str
    """What doesn't go out once it is reached."""


NO_LIMIT = DailyLimit("", "", (), 0, "")


def daily_limits(settings: Settings) -> tuple[DailyLimit, ...]:
    """Return the limits of all accounts, of the mail account first."""
    return (
        DailyLimit("mail", "SMTP_DAILY_LIMIT", MAIL, settings.smtp_daily_limit, "no mail, and no text by mail,"),
        DailyLimit(
            "twilio", "TWILIO_DAILY_LIMIT", TWILIO, settings.twilio_daily_limit, "no text and no call by Twilio"
        ),
    )


def limit_of(channel: ChannelName, limits: Iterable[DailyLimit]) -> DailyLimit:
    """Return the limit that a channel shares."""
    return next((each for each in limits if channel in each.channels), NO_LIMIT)


def channels_at(limits: Collection[DailyLimit], budgets: Mapping[str, Budget], level: Budget) -> list[ChannelName]:
    """Return the channels whose account has come to a level."""
    return [channel for each in limits if budgets.get(each.account) is level for channel in each.channels]


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


def holds_back(level: Budget, severity: Severity) -> bool:
    """Return whether nothing of this severity goes out at a level, by itself or in a digest."""
    return level is Budget.EXHAUSTED or (level is Budget.RESERVE and severity is not Severity.CRITICAL)


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
