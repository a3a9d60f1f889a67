"""A web server for a fake service: it notes each request, and answers as its service would, or as a test says."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


Answer = Callable[[Asked], Awaitable[Response] | Response]


class FakeService:
    """What was asked, and what is answered next: `script` first, then `usual`."""

    def __init__(self, usual: Answer) -> None:
        self.usual = usual
        self.asked: list[Asked] = []
        self.script: deque[Response | Answer] = deque()
        self.url = ""

    def answer(self, status: int, body: Any = "", headers: dict[str, str] | None = None) -> None:
        """Answer the next request that isn't answered yet so: with a text, or with JSON."""
        kind = PlainTextResponse if isinstance(body, str) else JSONResponse
        self.script.append(kind(body, status, headers))

    async def handle(self, request: Request) -> Response:
        asked = Asked(
            request.method,
            request.url.path,
            dict(request.query_params),
            dict(request.headers),
            await request.body(),
        )
        self.asked.append(asked)
        found = self.script.popleft() if self.script else self.usual
        if isinstance(found, Response):
            return found
        made = found(asked)
        return made if isinstance(made, Response) else await made


@asynccontextmanager
async def serve(service: FakeService) -> AsyncIterator[FakeService]:
    """Serve a fake on loopback while the block runs; `url` says where."""
    methods = ["GET", "POST", "PUT", "DELETE", "PATCH"]
    app = Starlette(routes=[Route("/{path:path}", service.handle, methods=methods)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=0))
    task = asyncio.create_task(server.serve())
    while not server.started:
        assert not task.done(), "the fake service can't be started"
        await asyncio.sleep(0.005)
    [listening] = server.servers
    service.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield service
    finally:
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await task
