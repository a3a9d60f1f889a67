"""What channels have in common."""

from alertgate.model import ChannelName

AS_MAIL = frozenset({ChannelName.EMAIL, ChannelName.SMS, ChannelName.OUTBOX})
"""The channels whose messages are mails."""
