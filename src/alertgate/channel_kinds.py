"""What channels have in common."""

from alertgate.model import ChannelName

AS_MAIL = frozenset({ChannelName.EMAIL, ChannelName.SMS, ChannelName.OUTBOX})
"""The channels whose messages are mails."""
RINGING = frozenset({ChannelName.PUSHOVER})
"""The channels whose messages may ring until somebody answers, or their service is told that nobody needs to."""
