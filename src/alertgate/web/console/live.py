"""The stream that tells an open page what has changed, so that it fetches itself anew."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from starlette.types import Receive, Scope, Send

from alertgate.topic import Topic
from alertgate.web.console.hub import Stream
from alertgate.web.console.lookout import Lookout
from alertgate.web.console.pages import ConsoleRoute
from alertgate.web.console.viewer import CurrentViewer
from alertgate.web.dependencies import CurrentGate

KEEP_ALIVE = 15.0
"""Seconds after which a silent stream says that it is alive. Proxies cut silent ones; both ends notice a dead one."""
_ALIVE = format_sse_event(event="alive", data_str="1")  # a comment wouldn't reach the page's script
_RETRY = (2000, 6000)
"""Milliseconds after which a browser connects again, so that after a restart not all do at once."""
_HEADERS = {"X-Accel-Buffering": "no"}
"""nginx would keep the stream back. (Traefik doesn't.)"""

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)


@router.get("/live")
async def live(
    request: Request,  # noqa: ARG001  (ConsoleRoute's errors need it)
    gate: CurrentGate,
    viewer: CurrentViewer,
    about: Annotated[list[Topic] | None, Query()] = None,
) -> Response:
    """Say which topics of a page changed, as server-sent events, until the page is closed or the session ends.

    Raises Unauthenticated, RateLimited, TooManyStreams.
    """
    woken = asyncio.Event()
    stream = gate.lookout.join(viewer.session, frozenset(about or Topic), woken.set)
    return _Events(gate.lookout, stream, woken)


class _Events(StreamingResponse):
    """A stream that is forgotten once its connection is closed, by whoever."""

    media_type = "text/event-stream"

    def __init__(self, lookout: Lookout, stream: Stream, woken: asyncio.Event) -> None:
        said = events(lambda: lookout.open_incidents, lambda: lookout.sees, stream, woken)
        super().__init__(said, headers=_HEADERS)
        self._lookout, self._stream = lookout, stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._lookout.leave(self._stream)


async def events(
    open_incidents: Callable[[], int],
    sees: Callable[[], bool],
    stream: Stream,
    woken: asyncio.Event,
    keep_alive: float = KEEP_ALIVE,
) -> AsyncIterator[bytes]:
    """Yield what a stream is told. Only what a reader has taken is followed by more.

    It ends where nobody sees changes any more: its page then says that it isn't live, and asks again.
    """
    said = None
    yield format_sse_event(retry=random.randint(*_RETRY))  # noqa: S311  (no secret)
    while not stream.over:
        try:
            async with asyncio.timeout(keep_alive):
                await woken.wait()
        except TimeoutError:
            if not sees():
                return
            yield _ALIVE
            continue
        woken.clear()
        topics, number = stream.take(), open_incidents()
        if topics or number != said:
            said = number
            yield format_sse_event(data_str=json.dumps({"topics": topics, "open": number}))
