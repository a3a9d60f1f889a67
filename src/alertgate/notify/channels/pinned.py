"""Name resolution that is checked, and then kept: nobody is reached whose address was another one a moment before."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpx

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
"""Returns the addresses of a host, the best first. Raises OSError."""
NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052, 2.1."""
GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All that is given out of IPv6; the rest is special, local or old (RFC 4291, 2.5.4)."""
MOST_TRIED = 3
"""Addresses of one host."""
CONNECTED_WITHIN = 5.0
"""Seconds for an address, if there is another one to try."""


class Private(httpx.ConnectError):
    """A name leads into a private network, to which nothing may be sent."""


async def resolve(host: str, port: int) -> list[Address]:
    """Return the addresses that the system's resolver has for a host. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


class PinnedTransport(httpx.AsyncBaseTransport):
    """Resolves a host's name once, refuses what isn't on the internet, and connects to an address that was checked.

    Certificates are checked against the name. A connection's was, against the name that it was opened for, so each
    name has a transport of its own: by its address alone another one would be taken for it.
    """

    def __init__(self, open_transport: Callable[[], httpx.AsyncBaseTransport], resolve: Resolve = resolve) -> None:
        self._open = open_transport
        self._resolve = resolve
        self._by_host: dict[str, httpx.AsyncBaseTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to an address that its host's name has now. Raises Private, and what httpx raises."""
        host = request.url.raw_host.decode("ascii")
        addresses = in_turn(await self._checked(host, request.url.port or 443))
        if host not in self._by_host:
            self._by_host[host] = self._open()
        failed: httpx.TransportError | None = None
        for address in addresses:
            try:
                return await self._send(request, host, address, is_last=address is addresses[-1])
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:  # nothing was sent yet
                failed = failed or error
        raise failed or httpx.ConnectError(f"{host} has no address")

    async def _send(self, request: httpx.Request, host: str, address: Address, *, is_last: bool) -> httpx.Response:
        extensions = {**request.extensions, "sni_hostname": host}
        if not is_last:
            extensions["timeout"] = {**request.extensions.get("timeout", {}), "connect": CONNECTED_WITHIN}
        pinned = request.url.copy_with(host=str(address))
        sent = httpx.Request(request.method, pinned, headers=request.headers, extensions=extensions)
        sent.stream = request.stream
        response = await self._by_host[host].handle_async_request(sent)
        response.request = request
        return response

    async def _checked(self, host: str, port: int) -> Sequence[Address]:
        """Return the addresses of a host. All of them must be on the internet."""
        try:
            addresses = await self._resolve(host, port)
        except OSError as error:
            raise httpx.ConnectError(f"{host}: {error.strerror or error}") from error
        if not addresses or not all(map(is_public, addresses)):
            raise Private(f"{host} leads into a private network: set CHANNELS_PRIVATE=true if that is meant")
        return addresses

    async def aclose(self) -> None:
        """Close the connections."""
        for each in self._by_host.values():
            await each.aclose()


def in_turn(addresses: Sequence[Address]) -> list[Address]:
    """Return the addresses to try: the best, then one of the other version of IP, as one of both may not work."""
    found = list(dict.fromkeys(addresses))
    others = [each for each in found if each.version != found[0].version]
    return list(dict.fromkeys([*found[:1], *others[:1], *found]))[:MOST_TRIED]


def is_public(address: Address) -> bool:
    """Tell whether an address is on the internet, also if it is written as IPv6."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is not None:
            return is_public(inner)
        if address in NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in GLOBAL_UNICAST:
            return False
    return address.is_global and not address.is_multicast
