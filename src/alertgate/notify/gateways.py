"""The carriers' email-to-SMS gateways, and which of them still deliver.

Sources: sigspan.com/carrier-gateway-shutdown (2026-05-13), textmagic.com's table (2026-06-02), eztalks.com
(2026-06-29).
"""

from datetime import date
from types import MappingProxyType
from typing import NamedTuple

from alertgate.model import ChannelName


class Gateway(NamedTuple):
    """A carrier's gateway. `ends` is its last day, if known; `dead` means that it no longer delivers."""

    carrier: str
    note: str
    dead: bool = False
    ends: date | None = None


def _doubtful(carrier: str) -> Gateway:
    return Gateway(carrier, "unverified or dead")


GATEWAYS = MappingProxyType(
    {
        "tmomail.net": Gateway("T-Mobile", "shut down in December 2024, silently", dead=True),
        "txt.att.net": Gateway("AT&T", "shut down on 17 June 2025", dead=True),
        "mms.att.net": Gateway("AT&T", "shut down on 17 June 2025", dead=True),
        "messaging.sprintpcs.com": Gateway("Sprint", "retired", dead=True),
        "pm.sprint.com": Gateway("Sprint", "retired", dead=True),
        "vtext.com": Gateway("Verizon", "unreliable; ends on 31 March 2027", ends=date(2027, 3, 31)),
        "vzwpix.com": Gateway("Verizon", "unreliable; ends on 31 March 2027", ends=date(2027, 3, 31)),
        "email.uscc.net": _doubtful("US Cellular"),
        "sms.cricketwireless.net": _doubtful("Cricket"),
        "mms.cricketwireless.net": _doubtful("Cricket"),
        "sms.mycricket.com": _doubtful("Cricket"),
        "myboostmobile.com": _doubtful("Boost Mobile"),
        "vmobl.com": _doubtful("Virgin Mobile"),
        "mymetropcs.com": _doubtful("Metro by T-Mobile"),
        "message.alltel.com": _doubtful("Alltel"),
        "text.republicwireless.com": _doubtful("Republic Wireless"),
        "msg.fi.google.com": Gateway("Google Fi", ""),
    }
)


def is_gateway(address: str) -> bool:
    """Return whether an address is at a known SMS gateway."""
    return _domain(address) in GATEWAYS


def is_text_message(channel: ChannelName, address: str) -> bool:
    """Return whether `channel` sends `address` a text message, which has no subject and no HTML."""
    return channel in {ChannelName.SMS, ChannelName.TWILIO} or is_gateway(address)


class GatewayWarning(NamedTuple):
    """What is wrong with a gateway; `dead` means that no message will arrive."""

    dead: bool
    text: str


def gateway_warning(address: str, today: date) -> GatewayWarning | None:
    """Return what an operator should know about the gateway of `address`, or None."""
    gateway = GATEWAYS.get(_domain(address))
    if gateway is None or not gateway.note:
        return None
    dead = gateway.dead or (gateway.ends is not None and today > gateway.ends)
    advice = "no text will arrive; use a paid email-to-SMS gateway or another address" if dead else "plan a replacement"
    return GatewayWarning(dead, f"{gateway.carrier}'s gateway {_domain(address)}: {gateway.note}; {advice}")


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()
