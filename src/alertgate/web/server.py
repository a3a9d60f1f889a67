"""The HTTP server: uvicorn with its h11 protocol, and a watcher that closes connections on which nobody asks anything.

uvicorn itself waits forever for the rest of a request's headers, and for the rest of a body that it answered early.
"""

import asyncio
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol, cast

import h11
import structlog
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alertgate.config import Settings
from alertgate.errors import AlertgateError
from alertgate.prove.health import Health
from alertgate.web.signals import Act, Signals

WAIT_TIMEOUT = 10.0
"""Seconds without a request in progress after which a connection is closed."""
WATCH_EVERY = 0.1
"""Seconds."""
CLOSE_TIMEOUT = 1.0
"""Seconds for a connection to close after uvicorn refused its request."""
LARGEST_HEAD = 32 * 1024
"""Bytes of an incomplete request line with headers, chunk header, or trailers, at which h11 gives up."""
MOST_WAITING = 2000
"""Connections without a request in progress; beyond it, those that waited longest are closed."""
MOST_CONNECTIONS = 10_000
"""Connections at which uvicorn answers 503; a bound for memory, far above what MOST_WAITING leaves."""
UNSENT_TIMEOUT = 30_000
"""Milliseconds that a caller may leave an answer unread before the system ends its connection."""
SEND_BUFFER = 64 * 1024
"""Bytes of answers that the system takes at once for a caller who doesn't read. It would take megabytes by itself."""
RECEIVE_BUFFER = 64 * 1024
"""Bytes that the system keeps of a connection from which nothing is read now, and that are read from one at once."""
MOST_FILES = 65_536
"""Open files to ask of the system."""

log = structlog.stdlib.get_logger("alertgate")


class Connection(Protocol):
    """What the watcher needs to know of uvicorn's connections."""

    cycle: Any
    """The latest request and its answer; None before the first."""
    transport: asyncio.Transport


@dataclass(frozen=True, slots=True)
class _Wait:
    """Since when, by the loop's clock, a connection has been without a request in progress; `after` was the last."""

    after: Any
    since: float


class WaitingConnections:
    """Closes connections without a request in progress: after WAIT_TIMEOUT, or sooner when there are more than `most`.

    That is everyone who connected and is silent, sends headers slowly, or keeps sending a body that was answered.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._waits: dict[Connection, _Wait] = {}

    def check(self, connections: Iterable[Connection], now: float) -> None:
        """Look at all connections, and close those that waited too long."""
        waiting = [connection for connection in connections if _is_waiting(connection)]
        self._waits = {connection: self._wait(connection, now) for connection in waiting}
        longest_first = sorted(self._waits, key=lambda connection: self._waits[connection].since)
        excess = len(longest_first) - self._most
        for position, connection in enumerate(longest_first):
            if position < excess or now - self._waits[connection].since >= WAIT_TIMEOUT:
                connection.transport.close()

    def _wait(self, connection: Connection, now: float) -> _Wait:
        known = self._waits.get(connection)
        return known if known and known.after is connection.cycle else _Wait(connection.cycle, now)


def _is_waiting(connection: Connection) -> bool:
    in_progress = connection.cycle is not None and not connection.cycle.response_complete
    return not in_progress and not connection.transport.is_closing()


class Server(uvicorn.Server):
    """uvicorn's server, with the watcher. Calls `on_listening` with its URL.

    `health` turns not ready at a stop. `on_stop` ends answers that would go on for ever.
    `acts` are what `signals` run while it serves.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        health: Health,
        *,
        most_waiting: int = MOST_WAITING,
        on_listening: Callable[[str], None] | None = None,
        on_stop: Callable[[], None] | None = None,
        signals: Signals | None = None,
        acts: Mapping[int, Act] | None = None,
    ) -> None:
        super().__init__(config)
        self._health = health
        self._on_listening = on_listening
        self._on_stop = on_stop
        self._signals = signals
        self._acts = acts or {}
        self._waiting = WaitingConnections(min(most_waiting, _file_limit() // 2))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop, and report as not ready from now on."""
        self._health.draining = True
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGQUIT as at SIGTERM, besides what uvicorn does."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGQUIT, lambda _, frame: self.handle_exit(signal.SIGTERM, frame))
        try:
            with super().capture_signals():
                yield
        finally:
            signal.signal(signal.SIGQUIT, before)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_log_loop_error)
        await super().startup(sockets)
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        host = f"[{host}]" if ":" in host else host
        log.info("server.listening", host=host, port=port)
        if self._signals:
            self._signals.attach(self._acts)
        if self._on_listening:
            self._on_listening(f"http://{host}:{port}")

    def end_streams(self) -> None:
        """End answers that would go on for ever."""
        if self._on_stop:
            self._on_stop()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for the answers in progress, then stop the application."""
        self.end_streams()
        await super().shutdown(sockets)

    async def main_loop(self) -> None:
        """Serve until a stop is asked for."""
        watcher = asyncio.create_task(self.watch(), name="connection watcher")
        await super().main_loop()
        if self._signals:
            self._signals.detach()
        watcher.cancel()

    async def watch(self) -> None:
        """Close connections that wait too long, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            connections = cast("set[Connection]", self.server_state.connections)
            self._waiting.check(connections, loop.time())
            await asyncio.sleep(WATCH_EVERY)


def _log_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an error that reached the event loop, except for a malformed body after its request was answered.

    uvicorn tries to answer such a body with a 400; h11 refuses a second answer; the event loop closes the connection.
    """
    if not isinstance(context.get("exception"), h11.LocalProtocolError):
        loop.default_exception_handler(context)


class RefusedBodies:
    """Drops the application's answer to a request whose body was malformed.

    uvicorn has answered it 400 by then, and is closing the connection. h11 refuses a second answer to one request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the application's lifespan."""
        refusal: h11.LocalProtocolError | None = None

        async def send_unless_refused(message: Message) -> None:
            nonlocal refusal
            if refusal is None:
                try:
                    await send(message)
                except h11.LocalProtocolError as error:
                    refusal = error

        await self._app(scope, receive, send_unless_refused)
        if refusal and not await _disconnects(receive):
            raise refusal  # the answer itself is wrong, which is a defect


async def _disconnects(receive: Receive) -> bool:
    """Wait for the connection to close, which takes a turn or two of the event loop. Tell whether it did."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_TIMEOUT):
            while (await receive())["type"] != "http.disconnect":
                pass
            return True
    return False


def server_config(application: ASGIApp, settings: Settings) -> uvicorn.Config:
    """Return how uvicorn serves `application`."""
    return uvicorn.Config(
        RefusedBodies(application),
        host=settings.host,
        port=settings.port,
        http="h11",
        h11_max_incomplete_event_size=LARGEST_HEAD,
        limit_concurrency=min(MOST_CONNECTIONS, _file_limit() * 3 // 4),
        timeout_keep_alive=5,
        log_config=None,  # telemetry.py has set up logging
        access_log=False,  # RequestMiddleware writes a line for each request
        server_header=False,
        proxy_headers=False,  # create_app adds uvicorn's middleware, for TRUSTED_PROXIES alone
        ws="none",
        timeout_graceful_shutdown=int(settings.shutdown_timeout),
    )


def listen(host: str, port: int) -> socket.socket:
    """Bind the address before anything else starts. Raises AlertgateError that says why that failed."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)  # connections inherit these
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNSENT_TIMEOUT)
        try:
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise AlertgateError(
            f"alertgate can't listen on {host}:{port}: {error.strerror}. "
            "Set HOST and PORT to an address of this machine that is free."
        ) from None
    return listener


def allow_many_files() -> None:
    """Raise the limit of open files as far as the system allows: callers mustn't use up what mail and disk need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _file_limit() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_FILES if soft == resource.RLIM_INFINITY else soft
