"""A real browser that looks at the console, and all of the console's pages that a person can come to."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from tests.conftest import API, Running
from tests.console import signed_in
from tests.web.test_middleware import CHROMIUM

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="chromium isn't installed; .ci/run installs it")
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 800}
WALL = {"width": 3840, "height": 2160}
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{24}")
TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  const wide = [...document.body.querySelectorAll("*")].filter(one => {
    if (one.closest(".scroll, .top nav, pre, svg, .skip, .unseen")) return false;
    const box = one.getBoundingClientRect();
    return box.width > 0 && (box.right > width + 1 || box.left < -1);
  });
  const scrolls = document.documentElement.scrollWidth > width ? ["the page scrolls sideways"] : [];
  return [...scrolls, ...wide.map(one => `${one.outerHTML.slice(0, 120)} …`)].slice(0, 5);
}"""
"""What of a page reaches beyond the screen; tables and the bar of pages scroll by themselves."""


@asynccontextmanager
async def chromium() -> AsyncIterator[Any]:
    """Run Debian's browser."""
    playwright = pytest.importorskip("playwright.async_api", reason="playwright isn't installed")
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        await browser.close()


@dataclass
class Look:
    """A page in the browser, and what it did that no page of the console does."""

    page: Any
    origin: str
    said: list[str] = field(default_factory=list)
    """Errors and complaints, as of the policy; the names of failed requests; dialogs."""
    asked: list[str] = field(default_factory=list)
    """Addresses elsewhere that it called."""

    def watch(self) -> None:
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.on("dialog", self._dismiss)
        self.page.on("request", self._note)

    def _hear(self, message: Any) -> None:
        if message.type in {"error", "warning"} and "status of 401" not in message.text:
            self.said.append(message.text)

    async def _dismiss(self, dialog: Any) -> None:
        self.said.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    def _note(self, request: Any) -> None:
        if not request.url.startswith((self.origin, "data:")):
            self.asked.append(request.url)

    async def open(self, path: str) -> None:
        answer = await self.page.goto(self.origin + path)
        assert answer.status == 200, f"{path}: {answer.status}"

    async def too_wide(self) -> list[str]:
        return await self.page.evaluate(TOO_WIDE)

    async def sign_in(self, name: str = "Ada") -> None:
        await self.page.goto(f"{self.origin}/sign-in")
        await self.page.fill("#token", API)
        await self.page.fill("#name", name)
        await self.page.press("#token", "Enter")
        await self.page.wait_for_selector("nav[aria-label='Pages']")


@asynccontextmanager
async def looking(browser: Any, service: Running, *, sign_in: bool = True, **options: Any) -> AsyncIterator[Look]:
    """Open a window of its own, signed in, at whatever time the service believes it is."""
    context = await browser.new_context(**{"viewport": DESK, **options})
    if options.get("java_script_enabled", True):
        await context.clock.set_fixed_time(service.gate.clock.now())
    look = Look(await context.new_page(), f"http://127.0.0.1:{service.port}")
    look.watch()
    if sign_in:
        await look.sign_in()
    yield look
    await context.close()


class _Links(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if tag == "a" and href:
            self.found.append(href)


async def every_page(service: Running, of_a_kind: int = 1) -> list[str]:
    """Follow all links of the console; return the pages' paths, of each kind the first few."""
    kinds: dict[str, int] = {}
    pages: list[str] = []
    waiting = ["/", "/sessions"]
    seen = set(waiting)
    async with signed_in(service) as client:
        while waiting:
            path = waiting.pop(0)
            kind = _kind(path)
            if kinds.get(kind, 0) >= of_a_kind or (answer := await _page(client, path)) is None:
                continue
            kinds[kind] = kinds.get(kind, 0) + 1
            pages.append(path)
            for href in _Links(answer).found:
                there = urlsplit(urljoin(path, href))
                to = there.path + (f"?{there.query}" if there.query else "")
                if not there.netloc and there.scheme == "" and to not in seen:
                    seen.add(to)
                    waiting.append(to)
    return pages


def _kind(path: str) -> str:
    """Return what pages with other ids and other values of the same filters share."""
    address = urlsplit(path)
    names = sorted(part.partition("=")[0] for part in address.query.split("&"))
    return _ID.sub("{id}", address.path) + "?" + "&".join(names)


async def _page(client: httpx.AsyncClient, path: str) -> str | None:
    """Return a page's text; None for what isn't one, such as a file to keep."""
    async with client.stream("GET", path) as answer:
        assert answer.status_code == 200, f"{path} answers {answer.status_code}"
        if not answer.headers["content-type"].startswith("text/html"):
            return None
        return (await answer.aread()).decode()


async def of_each(pages: Iterable[str], look: Look, ask: Callable[[], Awaitable[Any]]) -> dict[str, Any]:
    """Open each page and ask something; return the answers that aren't empty."""
    found = {}
    for path in pages:
        await look.open(path)
        if answer := await ask():
            found[path] = answer
    return found
