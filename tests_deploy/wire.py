"""Sends raw bytes over TLS to the edge, for requests that no client library would send, and parses the answers.

Run as a program, it is the caller outside: it reads requests as JSON on standard input, and prints the answers.
"""

import json
import os
import re
import socket
import ssl
import sys
from collections.abc import Iterable

from tests_deploy.stack import HOST, HTTPS, NAME, OUTSIDE, ROOT, Answer, run

PATIENCE = 10
"""Seconds for the edge to answer or close: a request that makes it wait for more is a failure."""
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
END_STREAM, END_HEADERS = 1, 4


def speak(address: str, *requests: bytes) -> list[bytes]:
    """Send each request on its own connection, one after the other; return all that the edge answered to each."""
    script = ("ip", "netns", "exec", NAME, sys.executable, "-m", "tests_deploy.wire", address)
    return [came.encode("latin-1") for came in json.loads(run(*script, cwd=ROOT, input=_as_json(requests)))]


def answers(came: bytes) -> list[Answer]:
    """Parse HTTP/1 answers. Fails if there is a byte that belongs to none of them."""
    found = []
    while came:
        head, _, came = came.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        assert re.fullmatch(r"HTTP/1\.[01] \d{3} [ -~]+", first), first
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        status, given = int(first[9:12]), dict(headers)
        if status == 100:
            continue
        assert "transfer-encoding" not in given, "no answer to these requests is long enough"
        if "content-length" not in given:
            assert given["connection"] == "close"
        length = int(given.get("content-length", len(came)))
        assert length <= len(came), "the answer was cut off"
        found.append(Answer(status, headers, came[:length].decode()))
        came = came[length:]
    return found


def over_http2(headers: list[tuple[bytes, bytes]], body: bytes | None) -> bytes:
    """Return one HTTP/2 request with its headers exactly as given: not indexed, compressed or checked."""
    block = b"".join(b"\0" + _string(name) + _string(value) for name, value in headers)
    request = _frame(HEADERS, END_HEADERS | (END_STREAM if body is None else 0), 1, block)
    return PREFACE + _frame(SETTINGS, 0, 0, b"") + request + (_frame(DATA, END_STREAM, 1, body) if body else b"")


def _string(text: bytes) -> bytes:
    """An HPACK string: its length, in seven bits or in two more bytes, then the text."""
    short = min(len(text), 127)
    rest = len(text) - short
    return bytes([short, *([rest % 128 + 128, rest // 128] if short == 127 else [])]) + text


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def _as_json(texts: Iterable[bytes]) -> str:
    return json.dumps([text.decode("latin-1") for text in texts])


def _exchange(address: str, request: bytes) -> bytes:
    """Send, and read until the edge closes; over HTTP/2, which stays open, until the one request has ended."""
    trusted = ssl.create_default_context(cafile=os.environ["AUTHORITY"])
    http2 = request.startswith(PREFACE)
    trusted.set_alpn_protocols(["h2" if http2 else "http/1.1"])
    with (
        socket.create_connection((OUTSIDE, HTTPS), PATIENCE, (address, 0)) as plain,
        trusted.wrap_socket(plain, server_hostname=HOST) as secured,
    ):
        secured.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each waits 40 ms for an acknowledgement
        secured.sendall(request)
        came = b""
        while not (http2 and _over(came)) and (piece := _read(secured)):
            came += piece
    return came


def _read(connection: ssl.SSLSocket) -> bytes:
    """Return the next bytes; none once the edge has closed, even if it closed before it read all of the request."""
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""


def _over(came: bytes) -> bool:
    """Whether the edge has answered the one request, reset it, or sent GOAWAY."""
    while len(came) >= 9 and len(came) >= (whole := 9 + int.from_bytes(came[:3])):
        kind, flags = came[3], came[4]
        if kind in {RESET, GOAWAY} or (kind in {HEADERS, DATA} and flags & END_STREAM):
            return True
        came = came[whole:]
    return False


if __name__ == "__main__":
    print(_as_json([_exchange(sys.argv[1], text.encode("latin-1")) for text in json.load(sys.stdin)]))  # noqa: T201
