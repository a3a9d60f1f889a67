"""What every request gets: an id, security headers, a line in the log, and an answer even after a defect.

Plain ASGI: Starlette's BaseHTTPMiddleware costs more than the rest of a request, and runs it in a task of its own.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from ipaddress import ip_address, ip_network

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alertgate.clock import Clock
from alertgate.line_budget import LineBudget
from alertgate.metrics import Metrics
from alertgate.web.paths import logged_path
from alertgate.web.problems import ambiguous_length_problem, internal_problem, response

REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
_CONVERTOR = re.compile(r":\w+(?=\})")
"""What Starlette's template of a path says of a parameter's form."""
SLASHES = re.compile("//+")

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
CLEANED = "/webhook/"
"""The paths in which extra slashes are ignored."""
LET_IN = "let_in"
"""Where a request's state says which credential a guard found right; nothing before it did."""
HSTS = "max-age=31536000; includeSubDomains"

_RAW = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
_RAW_HTTPS = [*_RAW, (b"strict-transport-security", HSTS.encode())]

log = structlog.stdlib.get_logger("alertgate.access")


class RequestMiddleware:
    """Wraps the whole application. `new_id` makes an id for a time.

    What a route binds with `structlog.contextvars` stands in the request's line too. Who has no right credential can
    cause only so many lines, or a stranger could fill the disk.
    """

    def __init__(self, app: ASGIApp, clock: Clock, metrics: Metrics, new_id: Callable[[datetime], str]) -> None:
        self._app = app
        self._clock = clock
        self._metrics = metrics
        self._new_id = new_id
        self._lines = LineBudget()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = self._clock.monotonic()
        headers = dict(scope["headers"])
        request_id = _given_id(headers) or self._new_id(self._clock.now())
        scope["path"] = clean_path(scope["path"], scope.get("raw_path") or b"")
        scope.setdefault("state", {}).update({"request_id": request_id, "started": started, LET_IN: None})
        _bind(request_id)
        answer = Answer(send, request_id, secure=scope["scheme"] == "https")
        if _has_two_lengths(headers):
            await _refuse_two_lengths(scope, receive, answer.send)
        else:
            await self._serve(scope, receive, answer)
        self._record(scope, answer.status, started)

    async def _serve(self, scope: Scope, receive: Receive, answer: "Answer") -> None:
        """Call the application. A defect is answered 500, if nothing was answered yet."""
        try:
            await self._app(scope, receive, answer.send)
        except Exception:
            log.exception("request.failed", path=logged_path(scope["path"]), detail="This is a defect in alertgate.")
            if answer.status:
                raise  # the server closes the connection
            await response(internal_problem())(scope, receive, answer.send)

    def _record(self, scope: Scope, status: int, started: float) -> None:
        """Count the answer, and write the request's line, unless strangers caused many such lines lately."""
        self._metrics.answered(scope["method"], _template(scope), status)
        now = self._clock.monotonic()
        left_out = 0 if scope["state"].get(LET_IN) else self._lines.take(status, now)
        if left_out is None:
            self._metrics.line_left_out()
            return
        client = scope.get("client")
        log.info(
            "request.answered",
            method=scope["method"],
            path=logged_path(scope["path"]),
            status=status,
            ms=round((now - started) * 1000, 1),
            client=client[0] if client else None,
            **({"left_out": left_out} if left_out else {}),
        )


class RequestIds:
    """Drops the `X-Request-ID` of whoever isn't a trusted proxy: by it lines of the log are found, and alerts.

    Stands before whatever puts a forwarded address in place of the proxy's.
    """

    def __init__(self, app: ASGIApp, trusted: Sequence[str]) -> None:
        self._app = app
        self._trusted = [ip_network(each, strict=False) for each in trusted]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and not self._is_trusted(scope.get("client")):
            scope["headers"] = [header for header in scope["headers"] if header[0] != b"x-request-id"]
        await self._app(scope, receive, send)

    def _is_trusted(self, client: tuple[str, int] | None) -> bool:
        try:
            address = ip_address(client[0]) if client else None
        except ValueError:
            return False
        return address is not None and any(address in network for network in self._trusted)


class Answer:
    """Sends an answer with its request's id and the security headers that it doesn't set itself."""

    status = 0
    """0 as long as no answer has begun."""

    def __init__(self, send: Send, request_id: str, *, secure: bool) -> None:
        self._send = send
        self._request_id = request_id.encode()
        self._security = _RAW_HTTPS if secure else _RAW

    async def send(self, message: Message) -> None:
        """Send one part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = message["headers"]
            names = {name for name, _ in given}
            missing = [header for header in self._security if header[0] not in names]
            message["headers"] = [*given, *missing, (b"x-request-id", self._request_id)]
        await self._send(message)


def clean_path(path: str, raw_path: bytes) -> str:
    """Return the path without doubled and trailing slashes: `/webhook/particle` for `//webhook/particle/`.

    There is no redirect, because Particle doesn't follow one. Only for the webhooks: a proxy that blocks `/metrics` or
    `/api/` needn't block `/metrics/` and `//api/` too. A percent-encoded slash is data (RFC 3986, 2.2), so a path
    whose `raw_path` has one is returned unchanged.
    """
    cleaned = SLASHES.sub("/", path).rstrip("/")
    return cleaned if cleaned.startswith(CLEANED) and b"%2f" not in raw_path.lower() else path


def _bind(request_id: str) -> None:
    """Begin the context of this request's log lines: a pipelined request inherits that of the one before."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)


def _has_two_lengths(headers: dict[bytes, bytes]) -> bool:
    return b"content-length" in headers and b"transfer-encoding" in headers


async def _refuse_two_lengths(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 400 and close, so that nothing behind the request is read as one (RFC 9112, 6.1)."""
    await response(ambiguous_length_problem(), {"Connection": "close"})(scope, receive, send)


def _template(scope: Scope) -> str:
    """The template of the path, such as `/api/alerts/{alert_id}`; `none` where nothing is at the path."""
    return _CONVERTOR.sub("", getattr(scope.get("route"), "path", "none"))


def _given_id(headers: dict[bytes, bytes]) -> str | None:
    """A trusted proxy's own request id, if it is harmless."""
    given = headers.get(b"x-request-id", b"")
    return given.decode() if REQUEST_ID.fullmatch(given) else None
