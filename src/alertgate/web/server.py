"""The HTTP server: uvicorn, with the limits on connections and requests that it hasn't itself.

uvicorn with httptools waits for ever for a request's headers, takes any amount of them, reads on for ever after an
early answer, takes a chunked body's trailers for headers, and an upgrading request's body for the next request.
"""

import asyncio
import json
import resource
import socket
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any, cast

import httptools
import structlog
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from alertgate.config import Settings
from alertgate.errors import AlertgateError
from alertgate.web.middleware import SECURITY_HEADERS
from alertgate.web.problems import MEDIA_TYPE, problem

HEAD_TIMEOUT = 10.0
"""Seconds for the first line and the headers to arrive; longer than uvicorn's five for the next request to begin."""
LINGER = 5.0
"""Seconds beyond BODY_TIMEOUT after which a body that is still arriving, read or not, ends its connection."""
LARGEST_HEAD = 32 * 1024
"""Bytes of first line and headers, of trailers, or of anything else that no body is made of."""
MOST_WAITING = 2000
"""Connections without a request in work; when there are more, the one that has waited longest is closed."""
UNSENT_TIMEOUT = 30_000
"""Milliseconds for which a caller may leave an answer unread, before the system ends its connection."""
MOST_FILES = 65_536
"""Open files that are asked of the system."""

DETAILS = {
    400: "This is no HTTP request that can be understood; nothing was stored.",
    408: f"The request's headers didn't arrive within {HEAD_TIMEOUT:g} s; nothing was stored.",
    431: f"The request's first line and headers are larger than {LARGEST_HEAD:,} bytes; nothing was stored.",
}

log = structlog.stdlib.get_logger("alertgate.web")


@dataclass(slots=True)
class Bounds:
    """What all connections of one server share."""

    body_within: float
    """Seconds for a body, from its headers on."""
    most_waiting: int
    waiting: dict["Connection", None] = field(default_factory=dict)
    """The connections without a request in work; the one that has waited longest is the first."""


class Parser(httptools.HttpRequestParser):
    """A parser that takes no upgrade, as a server may.

    httptools ends a request that asks for one with its headers, and takes its body for the next request. Here such a
    request is parsed once more, as one that doesn't ask.
    """

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._begin()

    def _begin(self) -> None:
        super().__init__(self._connection)
        self.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does: such data is passed over

    def feed_data(self, data: Any) -> None:
        """Parse what has come."""
        while True:
            try:
                super().feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                head = self._connection.head_without_upgrade()
                self._begin()  # after `Connection: close` it would pass over what comes
                super().feed_data(head)
                data = memoryview(data)[upgrade.args[0] :]
            else:
                return


class OneWrite:
    """A transport that sends the head of an answer together with the first piece of its body.

    uvicorn writes them one by one, and each is a system call and a packet.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self.is_closing = transport.is_closing
        self.get_extra_info = transport.get_extra_info

    def write(self, data: bytes) -> None:
        """Send, unless it is a head."""
        if not self._head and data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 100"):
            self._head = data
        else:
            self._transport.write(self._head + data)
            self._head = b""

    def flush(self) -> None:
        """Send what there is."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        """Send what there is, and close."""
        self.flush()
        self._transport.close()


class Connection(HttpToolsProtocol):
    """One caller's connection, bounded in time and size."""

    def __init__(self, *args: Any, bounds: Bounds, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parser = Parser(self)
        self._bounds = bounds
        self._deadline: float | None = None
        """By the event loop's clock."""
        self._timer: asyncio.TimerHandle | None = None
        self._in_head = False
        self._in_body = False
        self._idle_bytes = 0
        """What has come since the parser last made something of it."""
        self._too_large = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request."""
        super().connection_made(transport)
        self._one_write = OneWrite(transport)
        self.transport = cast("asyncio.Transport", self._one_write)
        self._wait()
        waiting = self._bounds.waiting
        if len(waiting) > self._bounds.most_waiting:
            next(iter(waiting)).end()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        self._bounds.waiting.pop(self, None)
        self._disarm()
        self._set_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, as long as something comes of it."""
        self._idle_bytes += len(data)
        super().data_received(data)
        if self._idle_bytes > LARGEST_HEAD and not self.transport.is_closing():
            self._too_large = True
            self.send_400_response("")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head = True
        self._arm(HEAD_TIMEOUT)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its headers are here."""
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > LARGEST_HEAD:
            self._too_large = True
            raise ValueError("too large")  # the parser gives up, and `send_400_response` is called
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise ValueError("a tunnel")
            return  # it comes again, without
        super().on_headers_complete()
        self._in_head, self._in_body = False, True
        self._idle_bytes = 0
        self._arm(self._bounds.body_within)
        self._bounds.waiting.pop(self, None)
        self.headers = []  # what follows are trailers: no proxy has checked them as headers

    def on_body(self, body: bytes) -> None:
        """A piece of its body is here."""
        self._idle_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """It is here as a whole."""
        if self.parser.should_upgrade():
            return
        self._in_body = False
        self._idle_bytes = 0
        self._disarm()
        super().on_message_complete()
        if self.cycle.response_complete:
            self._wait()

    def on_response_complete(self) -> None:
        """It is answered."""
        self._one_write.flush()
        super().on_response_complete()
        if self.transport.is_closing() or not self.cycle.response_complete:
            return  # in the second case the next request was here already
        if self._in_head or self._in_body:
            self._bounds.waiting[self] = None  # what is still coming in keeps its deadline
        else:
            self._wait()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  (uvicorn's own words)
        """Refuse what can't be parsed; no request gets two answers, and one that was whole gets its own."""
        if self._in_body:
            if self.cycle.response_started:
                self.end()
            else:
                self._refuse(431 if self._too_large else 400)
        elif self._in_work():
            self._answer_and_end()
        else:
            self._refuse(431 if self._too_large else 400)

    def end(self) -> None:
        """Close, once what was written is sent."""
        self._bounds.waiting.pop(self, None)
        self._disarm()
        self.transport.close()

    def head_without_upgrade(self) -> bytes:
        """Return the first line and the headers that have just come, but for the wish for an upgrade."""
        line = b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        headers = [b"%s: %s" % (name, value) for name, value in self.headers if name != b"upgrade"]
        return b"\r\n".join([line, *headers, b"", b""])

    def _in_work(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _answer_and_end(self) -> None:
        self.cycle.keep_alive = False
        self.flow.pause_reading()

    def _refuse(self, status: int) -> None:
        log.info("refused before it was a request", status=status, client=self.client[0] if self.client else None)
        phrase = HTTPStatus(status).phrase
        body = json.dumps(problem(status, phrase.lower().replace(" ", "-"), phrase, DETAILS[status])).encode()
        headers = {
            **SECURITY_HEADERS,
            "Content-Type": MEDIA_TYPE,
            "Content-Length": str(len(body)),
            "Connection": "close",
        }
        head = "".join(f"{name.lower()}: {value}\r\n" for name, value in headers.items())
        self.transport.write(f"HTTP/1.1 {status} {phrase}\r\n{head}\r\n".encode() + body)
        self.end()

    def _wait(self) -> None:
        """No request is in work."""
        self._in_head = False
        self._arm(HEAD_TIMEOUT)
        self._bounds.waiting[self] = None

    def _late(self) -> None:
        if self._in_head and self._in_work():
            self._answer_and_end()  # the late one comes after one that isn't answered yet
        elif self._in_head:
            self._refuse(408)
        else:
            self.end()

    def _arm(self, seconds: float) -> None:
        """Set the deadline. One timer that looks at it now and then costs less than one for each part of a request."""
        self._deadline = self.loop.time() + seconds
        if self._timer is None or self._timer.when() > self._deadline:
            self._set_timer()

    def _disarm(self) -> None:
        self._deadline = None

    def _set_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
        if self._deadline:  # a timer for right now would be no timer to uvloop
            self._timer = self.loop.call_at(max(self._deadline, self.loop.time() + 0.001), self._look)
        else:
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._deadline and self._deadline <= self.loop.time():
            self._deadline = None
            self._late()
        else:
            self._set_timer()


def server_config(application: Any, settings: Settings, most_waiting: int = MOST_WAITING) -> uvicorn.Config:
    """Return how uvicorn is to serve `application`."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    bounds = Bounds(settings.body_timeout + LINGER, min(most_waiting, files // 2))
    return uvicorn.Config(
        application,
        host=settings.host,
        port=settings.port,
        http=cast("type[asyncio.Protocol]", partial(Connection, bounds=bounds)),
        log_config=None,  # ours is set up already
        access_log=False,  # the frame writes its own line
        server_header=False,
        proxy_headers=False,  # the application reads them itself, from TRUSTED_PROXIES alone
        ws="none",
        timeout_graceful_shutdown=int(settings.shutdown_timeout),
    )


def listen(host: str, port: int) -> socket.socket:
    """Take the address before anything else starts. Raises AlertgateError that says why it can't be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # connections inherit it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNSENT_TIMEOUT)
        listener.bind(address)
    except OSError as error:
        raise AlertgateError(
            f"alertgate can't listen on {host}:{port}: {error.strerror}. "
            "Set HOST and PORT to an address of this machine that is free."
        ) from None
    return listener


def allow_many_files() -> None:
    """Raise the limit of open files as far as the system lets us: callers mustn't use up what mail and disk need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
