"""Bytes on a socket, for requests that no client library would send."""

import asyncio
import re

from tests.conftest import BEARER

AUTHORIZATION = f"Authorization: {BEARER['Authorization']}\r\n".encode()
BODY = b'{"event":"e"}'
HEAD = b"POST /webhook/particle HTTP/1.1\r\nHost: x\r\n" + AUTHORIZATION


async def talk(port: int, *pieces: bytes, leave: bool = False, within: float = 30) -> bytes:
    """Send pieces, then return all that comes until the service closes; `leave`: say that no more will be sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
        if leave:
            writer.write_eof()
        async with asyncio.timeout(within):
            return await _all(reader)
    finally:
        writer.close()


async def _all(reader: asyncio.StreamReader) -> bytes:
    """Return what came, also when the service cut off the rest of what we sent."""
    came = b""
    try:
        while piece := await reader.read(65536):
            came += piece
    except ConnectionResetError:
        pass
    return came


def statuses(answers: bytes) -> list[int]:
    """Return the status of each answer."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]
