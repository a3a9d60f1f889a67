"""What a policy's file needs to know of the service around it: its zone, channels, secrets and recipients. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from zoneinfo import ZoneInfo

from alertgate.addresses import check_address
from alertgate.model import ChannelName, Target

AddressCheck = Callable[[str], None]
"""Raises ValueError, which says why a channel can't carry an address; the address in it is masked."""


def _check_gateway(address: str) -> None:
    if "@" not in address:
        raise ValueError(
            "is neither a mail address at a phone's SMS gateway nor a number: write sms:NUMBER@GATEWAY, or, by Twilio, "
            "sms:+15551234567 (docs/text-messages.md)"
        )
    check_address(address)


def channel_of(channel: ChannelName, address: str) -> ChannelName:
    """Return the channel of a contact: a text message goes to a number by Twilio, and to an address by mail."""
    is_number = channel is ChannelName.SMS and address.startswith("+")
    return ChannelName.TWILIO if is_number else channel


BY_MAIL: Mapping[ChannelName, AddressCheck] = MappingProxyType(
    {ChannelName.EMAIL: check_address, ChannelName.SMS: _check_gateway}
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The service around a policy."""

    zone: ZoneInfo | None = None
    """The zone that the settings name: that of who reads messages, and of a file that names none."""
    channels: Mapping[ChannelName, AddressCheck] = field(default_factory=lambda: BY_MAIL)
    """The channels that contacts may name."""
    missing: Mapping[ChannelName, str] = field(default_factory=lambda: MappingProxyType({}))
    """What to set before a channel can be used that isn't there, such as `set PUSHOVER_TOKEN`."""
    secrets: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """The values of `CONTACT_…`, by name."""
    recipients: Sequence[Target] = field(default=(), repr=False)
    """Whom the settings name; they are told where the file names no people."""

    def check(self, channel: ChannelName, address: str) -> None:
        """Raise ValueError unless there is a channel that can carry an address."""
        means = channel_of(channel, address)
        lacks = self.missing.get(means) or (None if means in self.channels else "it isn't set up here")
        if lacks:
            raise ValueError(f"can't be told by {means} yet: {lacks}")
        self.channels[means](address)
