"""A request's raw body, with a limit of size and time. Only guards read it."""

import asyncio
from contextlib import AbstractAsyncContextManager, AsyncExitStack

from fastapi import Request
from starlette.requests import ClientDisconnect

from alertgate.errors import BodyTooLarge, BodyTooSlow, ClientGone
from alertgate.web.dependencies import Gate

SMALL = 16 * 1024
"""Bytes of a body that are read in any case: uvicorn itself holds up to four times as much of each."""


async def read_body(request: Request, gate: Gate, turn: AbstractAsyncContextManager[None] | None = None) -> bytes:
    """Return the raw body. What is larger than SMALL is read in its `turn`, if there is one, which may raise.

    Raises BodyTooLarge, BodyTooSlow, ClientGone.
    """
    settings = gate.settings
    most = settings.max_body_bytes
    too_large = f"The body is larger than {most:,} bytes (MAX_BODY_BYTES); nothing was stored."
    declared = request.headers.get("content-length", "").lstrip("0")[:20]
    if declared.isdecimal() and int(declared) > most:
        raise BodyTooLarge(too_large)
    body = bytearray()
    try:
        async with asyncio.timeout(settings.body_timeout), AsyncExitStack() as held:
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise BodyTooLarge(too_large)
                if turn and len(body) > SMALL:
                    await held.enter_async_context(turn)
                    turn = None
    except TimeoutError:
        raise BodyTooSlow(
            f"The body didn't arrive within {settings.body_timeout:g} s (BODY_TIMEOUT); nothing was stored."
        ) from None
    except ClientDisconnect:
        raise ClientGone("The caller left before the body was whole; nothing was stored.") from None
    return bytes(body)


def media_type(request: Request) -> str | None:
    """Return the bare media type in lower case, or None when the request names none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() or None
