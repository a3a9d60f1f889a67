"""HTTP clients, and whether they obey the environment's proxy variables. What stays on this machine never does.

What a server answers is read up to a size and a time that the caller names: it may never end.
"""

import asyncio
import os
from ipaddress import ip_address
from typing import Any, NamedTuple

import httpx

from alertgate.errors import EnvironmentUnusable

PROXY_VARIABLES = frozenset({"http_proxy", "https_proxy", "all_proxy"})
TLS_VARIABLES = frozenset({"ssl_cert_file", "ssl_cert_dir"})
LOOPBACK = ("all://localhost", "all://*.localhost", "all://127.0.0.1", "all://[::1]")
"""What no client reaches through a proxy, as httpx writes it."""


NO_HEADERS = httpx.Headers()


class Answer(NamedTuple):
    """The status of an answer, as much of its body as was wanted, and its headers."""

    status: int
    body: bytes
    headers: httpx.Headers = NO_HEADERS

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return httpx.codes.is_success(self.status)


async def ask(
    client: httpx.AsyncClient, method: str, url: httpx.URL | str, *, within: float, most: int = 0, **sent: Any
) -> Answer:
    """Send a request; return its answer with the first `most` bytes of the body, all of it within `within` seconds.

    The rest is never read, and its connection closed. Raises httpx.HTTPError.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(within), client.stream(method, url, **sent) as answer:
            if most:
                async for some in answer.aiter_raw():
                    body += some
                    if len(body) >= most:
                        break
    except TimeoutError:
        raise httpx.ReadTimeout(f"no whole answer within {within:g} s") from None
    return Answer(answer.status_code, bytes(body[:most]), answer.headers)


def is_local(url: str) -> bool:
    """Tell whether a URL leads to this machine. Raises httpx.InvalidURL."""
    host = httpx.URL(url).host.lower().rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def open_client(
    *, proxied: bool, verify: bool = True, limits: httpx.Limits | None = None, **options: Any
) -> httpx.AsyncClient:
    """Return a client, which uses the environment's proxy if `proxied`. Raises EnvironmentUnusable.

    `verify` may only be false for a client that never speaks TLS: it then reads no certificates.
    """
    limits = limits or httpx.Limits()
    try:
        if proxied:
            return httpx.AsyncClient(verify=verify, limits=limits, mounts=dict.fromkeys(LOOPBACK), **options)
        return httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(verify=verify, limits=limits), **options)
    except OSError as error:
        raise EnvironmentUnusable(
            f"The certificates can't be read that the environment names in {_set(TLS_VARIABLES)} "
            f"({error.strerror or error}). Correct the variable or unset it."
        ) from None
    except (ImportError, ValueError, httpx.InvalidURL):  # their texts may hold the proxy's password
        raise EnvironmentUnusable(
            f"A proxy that the environment names in {_set(PROXY_VARIABLES)} can't be used: only http:// and https:// "
            "ones can, written as http://host:port. Correct the variable, unset it, or set NO_PROXY=*."
        ) from None


def proxies_named(url: str) -> str | None:
    """Return the variables that name a proxy for a URL, or None."""
    return _set(frozenset({f"{httpx.URL(url).scheme}_proxy", "all_proxy"})) or None


def _set(variables: frozenset[str]) -> str:
    return ", ".join(sorted(name for name, value in os.environ.items() if value and name.lower() in variables))
