"""A person with a browser that has signed in to the console, without the browser."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from sqlalchemy import Engine, event

from tests.conftest import API, Running
from tests.pages import Page

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
"""What a browser sends with a form of the console's own pages."""


@asynccontextmanager
async def signed_in(service: Running, name: str = "Ada", *, zone: str = "") -> AsyncIterator[httpx.AsyncClient]:
    """Sign in with API_TOKEN; give a client of its own that has the session's cookie."""
    async with httpx.AsyncClient(base_url=service.client.base_url, timeout=30) as client:
        fields = {"token": API, "name": name, "zone": zone}
        answer = await client.post("/sign-in", data=fields, headers=SAME_ORIGIN)
        assert answer.status_code == 303, answer.text
        yield client


async def seen(client: httpx.AsyncClient, path: str, status: int = 200) -> Page:
    """Open a page of the console."""
    answer = await client.get(path)
    assert answer.status_code == status, answer.text
    return Page(answer)


async def sent(client: httpx.AsyncClient, path: str, **fields: Any) -> httpx.Response:
    """Send a form, as a page of the console does."""
    return await client.post(path, data=fields, headers=SAME_ORIGIN)


async def queries(client: httpx.AsyncClient, path: str) -> list[str]:
    """Return the statements that opening a page takes: the fewest of three times, as background jobs ask too."""
    counted = []
    for _ in range(3):
        statements: list[str] = []

        def note(*args: Any, statements: list[str] = statements) -> None:
            statements.append(args[2])

        event.listen(Engine, "before_cursor_execute", note)
        try:
            answer = await client.get(path)
        finally:
            event.remove(Engine, "before_cursor_execute", note)
        assert answer.status_code == 200, answer.text
        counted.append(statements)
    return min(counted, key=len)
