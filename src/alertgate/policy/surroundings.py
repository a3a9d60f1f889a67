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
            "is no mail address, but text messages go by mail to a phone's SMS gateway: write sms:NUMBER@GATEWAY "
            "(docs/text-messages.md)"
        )
    check_address(address)


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
    secrets: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """The values of `CONTACT_…`, by name."""
    recipients: Sequence[Target] = field(default=(), repr=False)
    """Whom the settings name; they are told where the file names no people."""
