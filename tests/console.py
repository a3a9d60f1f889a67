"""A person with a browser that has signed in to the console, without the browser."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from sqlalchemy import Engine, event

from alertgate.session import LINK_LASTS, SignIn, fingerprint
from alertgate.store import sessions
from tests.conftest import API, Running
from tests.pages import Page

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
"""What a browser sends with a form of the console's own pages."""
BESIDE = 8
"""Statements of background jobs that may be counted with a page's: far fewer than one for each row would be."""


@asynccontextmanager
async def signed_in(service: Running, name: str = "Ada", *, zone: str = "") -> AsyncIterator[httpx.AsyncClient]:
    """Sign in with API_TOKEN; give a client of its own that has the session's cookie."""
    async with httpx.AsyncClient(base_url=service.client.base_url, timeout=30) as client:
        fields = {"token": API, "name": name, "zone": zone}
        answer = await client.post("/sign-in", data=fields, headers=SAME_ORIGIN)
        assert answer.status_code == 303, answer.text
        yield client


@asynccontextmanager
async def signed_in_by_link(service: Running, person: str, *, agent: str = "") -> AsyncIterator[httpx.AsyncClient]:
    """Sign in as a person of the policy, by a link that was not sent; give a client of its own."""
    path = await link_for(service, person)
    headers = {"User-Agent": agent} if agent else {}
    async with httpx.AsyncClient(base_url=service.client.base_url, headers=headers, timeout=30) as client:
        answer = await client.post(path, headers=SAME_ORIGIN)
        assert answer.status_code == 303, answer.text
        yield client


async def link_for(service: Running, person: str) -> str:
    """Return the path of a new link that signs a person in."""
    gate, token = service.gate, secrets.token_urlsafe(16)
    now = gate.clock.now()
    link = SignIn(gate.new_id(now), fingerprint(token), person, now, now + LINK_LASTS)
    await gate.store.write(lambda connection: sessions.add_link(connection, link))
    return f"/sign-in/{token}"


async def seen(client: httpx.AsyncClient, path: str, status: int = 200) -> Page:
    """Open a page of the console."""
    answer = await client.get(path)
    assert answer.status_code == status, answer.text
    return Page(answer)


async def sent(client: httpx.AsyncClient, path: str, **fields: Any) -> httpx.Response:
    """Send a form, as a page of the console does."""
    return await client.post(path, data=fields, headers=SAME_ORIGIN)


async def queries(client: httpx.AsyncClient, path: str) -> list[str]:
    """Return the statements that opening a page takes: the fewest of ten times, as background jobs ask too."""
    counted = []
    for _ in range(10):
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
