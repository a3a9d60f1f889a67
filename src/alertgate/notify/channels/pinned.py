"""Name resolution that is checked, and then kept: nobody is reached whose address was another one a moment before."""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpx

Address = IPv4Address | IPv6Address
NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052, 2.1."""


class Private(httpx.ConnectError):
    """A name leads into a private network, to which nothing may be sent."""


class PinnedTransport(httpx.AsyncBaseTransport):
    """Resolves a host's name once, refuses what isn't on the internet, and connects to the address that was checked.

    Certificates are checked against the name.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to the address that its host's name has now. Raises Private, and what httpx raises."""
        host = request.url.host
        address = await _checked(host, request.url.port or 443)
        pinned = request.url.copy_with(host=str(address))
        extensions = {**request.extensions, "sni_hostname": host}
        sent = httpx.Request(request.method, pinned, headers=request.headers, extensions=extensions)
        sent.stream = request.stream
        response = await self._inner.handle_async_request(sent)
        response.request = request
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


async def _checked(host: str, port: int) -> Address:
    """Return the first address of a host. All of them must be on the internet."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpx.ConnectError(f"{host}: {error.strerror or error}") from error
    addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    if not addresses or not all(map(is_public, addresses)):
        raise Private(f"{host} leads into a private network: set CHANNELS_PRIVATE=true if that is meant")
    return addresses[0]


def is_public(address: Address) -> bool:
    """Tell whether an address is on the internet, also if it is written as IPv6."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is not None:
            return is_public(inner)
        if address in NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    return address.is_global and not address.is_multicast
