"""Which callers count as one, and which addresses are the same. Pure."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

LONGEST_ADDRESS = 64
NAT64 = IPv6Network("64:ff9b::/96")
"""Where a translator shows all of IPv4, one address behind the other (RFC 6052)."""


def network_of(address: str) -> str:
    """Return the IPv4 address, or the IPv6 /64, which a single machine may own as a whole."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:LONGEST_ADDRESS]  # a proxy may forward any text
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    return str(_embedded(parsed) or IPv6Address(int(parsed) >> 64 << 64))


def with_mapped(networks: Iterable[str]) -> list[str]:
    """Return networks, and each IPv4 one also as a socket for both protocols (HOST=::) shows its addresses."""
    return [form for each in networks for form in _forms(each)]


def _forms(network: str) -> list[str]:
    parsed = ip_network(network, strict=False)
    if isinstance(parsed, IPv4Network):
        return [network, f"::ffff:{parsed.network_address}/{96 + parsed.prefixlen}"]
    return [network]


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address stands for, if it does."""
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped
