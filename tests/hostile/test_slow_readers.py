"""Callers who ask for something large and don't read it: they hold little memory, in the system and in the service."""

import asyncio
import gzip
import socket
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path

import pytest

from alertgate.app import create_app
from alertgate.web.routes.docs import PIECE
from alertgate.web.server import SEND_BUFFER
from tests.conftest import Running
from tests.fakes import until

CALLERS = 100
SCRIPT = "/docs/swagger-ui-bundle.js"
LARGEST = 4 * SEND_BUFFER
"""Bytes that the system may hold for one caller: it doubles a buffer's size, for what it keeps beside the bytes."""


def unread(port: int) -> dict[str, int]:
    """Return how many bytes the system holds that callers of a port haven't taken, by the caller's address."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    rows = [line.split() for line in lines]
    ours = f"0100007F:{port:04X}"
    return {row[2]: int(row[4].partition(":")[0], 16) for row in rows if row[1] == ours and row[3] == "01"}


def ask(port: int, coding: str) -> socket.socket:
    """Ask for the script, with a small buffer for what comes, and read nothing."""
    caller = socket.socket()
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    caller.connect(("127.0.0.1", port))
    caller.sendall(f"GET {SCRIPT} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {coding}\r\n\r\n".encode())
    return caller


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux, which tells what a connection holds")
@pytest.mark.parametrize("coding", ["gzip", "identity"])
async def test_callers_who_do_not_read_hold_little_memory(service: Running, coding):
    """A hundred of them wait for the script; each holds a small buffer, and others are answered."""
    with ExitStack() as stack:
        for _ in range(CALLERS):
            stack.enter_context(await asyncio.to_thread(ask, service.port, coding))

        async def all_wait() -> dict[str, int]:
            held = unread(service.port)
            return held if sum(1 for held_bytes in held.values() if held_bytes > PIECE) >= CALLERS else {}

        held = await until(all_wait)
        assert max(held.values()) <= LARGEST
        assert (await service.client.get("/health/live")).status_code == 200


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("br;q=1.0, GZIP;q=0.5", "gzip"),
        ("*", "gzip"),
        ("identity", None),
        ("gzip;q=0", None),
        ("*;q=1, gzip; q=0.000", None),
        ("br", None),
        ("", None),
    ],
)
async def test_the_script_is_compressed_for_who_takes_that(service: Running, accepted, coding):
    """It is the same script, and a cache between knows that there are two forms."""
    async with service.client.stream("GET", SCRIPT, headers={"Accept-Encoding": accepted}) as answer:
        raw = b"".join([piece async for piece in answer.aiter_raw()])
    assert (answer.headers.get("content-encoding"), answer.headers["vary"]) == (coding, "Accept-Encoding")
    assert int(answer.headers["content-length"]) == len(raw)
    whole = (files("fastapi_offline") / "static" / "swagger-ui-bundle.js").read_bytes()
    assert (gzip.decompress(raw) if coding else raw) == whole
    assert len(raw) < 500_000 or not coding


async def test_the_script_is_sent_in_pieces(service: Running):
    """The server waits with each until the one before it is nearly sent, so it holds little for a slow caller."""
    sizes: list[int] = []

    async def send(message) -> None:
        sizes.append(len(message.get("body", b"")))

    path = {"path": SCRIPT, "raw_path": SCRIPT.encode(), "scheme": "http", "query_string": b"", "headers": []}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "method": "GET",
        "client": ("127.0.0.1", 1),
        "state": {},
        **path,
    }
    await create_app(service.gate)(scope, asyncio.Event().wait, send)
    assert max(sizes) == PIECE
    assert sum(sizes) > 1_000_000
