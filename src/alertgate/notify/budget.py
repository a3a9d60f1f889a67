"""The daily limit of a mail account. Pure.

Mail providers block an account for a day once it has sent too much (Gmail: 500 messages in 24 hours), and then even a
critical notification can't go out. So less urgent ones are held back before the limit is reached.
"""

from enum import StrEnum

from alertgate.model import ChannelName

MAIL = (ChannelName.EMAIL, ChannelName.SMS)
"""The channels that use the mail account and share its daily limit."""
WARN_FROM = 0.80
RESERVE_FROM = 0.95


class Budget(StrEnum):
    """How much of the limit is used."""

    PLENTY = "plenty"
    LOW = "low"  # from 80 %: warn the operator
    RESERVE = "reserve"  # from 95 %: send only openings and critical notifications


def budget(sent: int, limit: int) -> Budget:
    """Return the level for `sent` messages in the last 24 hours; a `limit` of 0 means no limit."""
    if limit and sent >= limit * RESERVE_FROM:
        return Budget.RESERVE
    return Budget.LOW if limit and sent >= limit * WARN_FROM else Budget.PLENTY
