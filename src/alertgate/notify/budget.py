"""The daily limit of a mail account. Pure.

Mail providers cut an account off for a day once it has sent too much (Gmail: 500 messages in 24 hours), and then the
one message that matters doesn't go out. So what can wait, waits before that.
"""

from enum import StrEnum

from alertgate.model import ChannelName

MAIL = (ChannelName.EMAIL, ChannelName.SMS)
"""The channels that go through the mail account, and share its daily limit."""
WARN_FROM = 0.80
RESERVE_FROM = 0.95


class Budget(StrEnum):
    """How much of the limit is used."""

    PLENTY = "plenty"
    LOW = "low"  # from 80 %: the operator should know
    RESERVE = "reserve"  # from 95 %: only first messages and critical ones go; updates wait


def budget(sent: int, limit: int) -> Budget:
    """Judge by the messages sent in the last 24 hours; a limit of 0 is none."""
    if limit and sent >= limit * RESERVE_FROM:
        return Budget.RESERVE
    return Budget.LOW if limit and sent >= limit * WARN_FROM else Budget.PLENTY
