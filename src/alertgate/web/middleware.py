"""The frame around every request: its id, its security headers, its line in the log, and the last catch.

Plain ASGI: Starlette's BaseHTTPMiddleware would cost more than the rest of the request together.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alertgate.clock import Clock
from alertgate.metrics import Metrics
from alertgate.web.problems import internal_problem, response

REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")

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
LONGEST_PATH = 200
"""Characters of a path that are logged."""
HSTS = "max-age=31536000; includeSubDomains"

_RAW = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
_RAW_HTTPS = [*_RAW, (b"strict-transport-security", HSTS.encode())]

log = structlog.stdlib.get_logger("alertgate.access")


class RequestMiddleware:
    """Wraps the whole application. `new_id` makes an id for a time.

    What a route puts into the state's `facts` stands in the request's line: an alert needs no line of its own.
    """

    def __init__(self, app: ASGIApp, clock: Clock, metrics: Metrics, new_id: Callable[[datetime], str]) -> None:
        self._app = app
        self._clock = clock
        self._metrics = metrics
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _given_id(scope) or self._new_id(self._clock.now())
        start = self._clock.monotonic()
        facts: dict[str, Any] = {}
        scope.setdefault("state", {}).update(request_id=request_id, started=start, facts=facts)
        secure = _RAW_HTTPS if scope["scheme"] == "https" else _RAW
        status = 0

        async def framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = message["headers"]
                names = {name for name, _ in given}
                missing = [header for header in secure if header[0] not in names]
                message["headers"] = [*given, *missing, (b"x-request-id", request_id.encode())]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, framed)
            except Exception:
                log.exception("a defect in alertgate", path=scope["path"][:LONGEST_PATH])
                if status:
                    raise  # the answer has begun; the server closes the connection
                await response(internal_problem())(scope, receive, framed)
            self._metrics.answered(scope["method"], _template(scope), status)
            client = scope.get("client")
            log.info(
                "request",
                method=scope["method"],
                path=scope["path"][:LONGEST_PATH],
                status=status,
                ms=round((self._clock.monotonic() - start) * 1000, 1),
                client=client[0] if client else None,
                **facts,
            )


def _template(scope: Scope) -> str:
    """The template of the path, such as `/api/alerts/{alert_id}`; `none` where nothing is at the path."""
    return getattr(scope.get("route"), "path", "none")


def _given_id(scope: Scope) -> str | None:
    """A proxy's or a caller's own request id, if it is a harmless one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return value.decode() if REQUEST_ID.fullmatch(value) else None
    return None
