"""A TCP connection to whichever address of a host answers first: Happy Eyeballs (RFC 8305)."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence

from aiohappyeyeballs import AddrInfoType, start_connection

from alertgate.notify.channels.base import AttemptFailed, Reason, Transient

HEAD_START = 0.25
"""Seconds until the next address is tried as well, if one hasn't answered (RFC 8305, 5)."""

Resolve = Callable[[str, int], Awaitable[Sequence[AddrInfoType]]]
"""Returns the addresses of a host and port, as `getaddrinfo` does."""


async def resolve(host: str, port: int) -> Sequence[AddrInfoType]:
    """Ask the system's resolver, in a thread."""
    return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)


async def dial(host: str, port: int, within: float, resolve: Resolve = resolve) -> socket.socket:
    """Return a socket that is connected to a host, within so many seconds. Raises AttemptFailed.

    An address whose packets vanish, as IPv6 behind some routers, costs HEAD_START and not all the time there is.
    """
    tried = ""
    try:
        async with asyncio.timeout(within):
            found = await resolve(host, port)
            tried = ", ".join(dict.fromkeys(shown(address) for *_, address in found))
            return await start_connection(found, happy_eyeballs_delay=HEAD_START)
    except TimeoutError:
        if not tried:
            raise _failed(
                Reason.TIMEOUT, f"the name {host} wasn't resolved within {within:g} s: check the DNS"
            ) from None
        text = (
            f"no answer from {host} within {within:g} s (tried {tried}): a firewall may block it, or the port is wrong"
        )
        raise _failed(Reason.TIMEOUT, text) from None
    except (
        socket.gaierror,
        UnicodeError,
    ) as error:  # UnicodeError: no host name at all, such as one with an empty label
        text = f"the name {host} can't be resolved ({error}): check SMTP_HOST, and the DNS"
        raise _failed(Reason.CONNECTION, text) from error
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: uvloop's word for some of the system's errors
        text = f"can't connect to {host} (tried {tried or 'no address'}): {error}"
        raise _failed(Reason.CONNECTION, text) from error


def shown(address: Sequence[object]) -> str:
    """Return an address as `192.0.2.1:587` or `[2001:db8::1]:587`."""
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


def _failed(reason: Reason, text: str) -> AttemptFailed:
    return AttemptFailed(Transient(reason, text))
