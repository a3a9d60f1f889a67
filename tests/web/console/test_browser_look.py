"""Every page of the console in a real browser: usable by everybody, on any screen, and small."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from tests.conftest import Running
from tests.fleet import fleet, live
from tests.web.console.browsing import (
    DESK,
    PHONE,
    WALL,
    Look,
    chromium,
    every_page,
    looking,
    needs_browser,
    of_each,
)

Axe = pytest.importorskip("axe_playwright_python.async_playwright", reason="axe isn't installed").Axe
pytestmark = [needs_browser, pytest.mark.asyncio(loop_scope="module")]
FIRST_PAGE = 60_000
"""Bytes of all that a browser loads for the first page."""


@dataclass(frozen=True)
class Console:
    """A house's console, a browser, and the pages there are."""

    service: Running
    browser: Any
    pages: list[str]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def console(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Console]:
    """The console of a house after a day and half a night; these tests change nothing there."""
    async with fleet(tmp_path_factory.mktemp("fleet")) as home, chromium() as browser:
        await live(home)
        pages = await every_page(home.service)
        assert "/incidents/acts?to=%2F" in pages  # more than one incident is open that nobody has
        yield Console(home.service, browser, pages)


CONTRAST = {"resultTypes": ["violations"], "runOnly": ["color-contrast"]}
"""All that depends on a page's colours."""


async def _violations(look: Look) -> list[str]:
    """Return what axe finds wrong, light and dark: the rule, and the first places."""
    await look.page.emulate_media(color_scheme="light")
    found = (await Axe().run(look.page)).response["violations"]
    await look.page.emulate_media(color_scheme="dark")
    found += (await Axe().run(look.page, options=CONTRAST)).response["violations"]
    return [f"{each['id']}: {[node['html'][:160] for node in each['nodes'][:3]]}" for each in found]


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
async def test_axe_finds_nothing_wrong(console: Console, viewport: dict[str, int]):
    """On no page, light or dark: contrast, names, headings, landmarks, and whatever else its rules are about."""
    async with looking(console.browser, console.service, viewport=viewport) as look:
        found = await of_each(console.pages, look, lambda: _violations(look))
        assert found == {}, json.dumps(found, indent=1)
        assert (look.said, look.asked) == ([], [])
        for path in ("/sign-in", "/incidents/none"):
            await look.page.goto(look.origin + path)
            assert await _violations(look) == []


@pytest.mark.parametrize("viewport", [PHONE, DESK, WALL], ids=["phone", "desk", "wall"])
async def test_nothing_is_wider_than_the_screen(console: Console, viewport: dict[str, int]):
    """On any page, from 360 pixels to a wall's display; what must be wide scrolls by itself."""
    async with looking(console.browser, console.service, viewport=viewport) as look:
        assert await of_each(console.pages, look, look.too_wide) == {}


SMALL = """() => [...document.querySelectorAll("button, .go, input:not([type=hidden]), select, summary, .top a")]
  .filter(one => one.checkVisibility() && !one.matches("[type=checkbox], [type=radio]"))
  .filter(one => one.getBoundingClientRect().height < 43.5)
  .map(one => one.outerHTML.slice(0, 120))"""
"""What is lower than a thumb needs; a checkbox's label is part of it."""


async def test_every_button_is_as_high_as_a_thumb_needs(console: Console):
    """On any page of a phone: 44 pixels."""
    async with looking(console.browser, console.service, viewport=PHONE) as look:
        assert await of_each(console.pages, look, lambda: look.page.evaluate(SMALL)) == {}


async def test_a_walls_display_is_used_and_can_be_read_from_afar(console: Console):
    """The content is nearly as wide as the screen, and a line of text is as high as three metres need."""
    async with looking(console.browser, console.service, viewport=WALL) as look:
        await look.open("/")
        box = await look.page.locator("main").bounding_box()
        assert box["width"] > 0.9 * WALL["width"]
        assert (await look.page.locator("h1").bounding_box())["height"] >= 60


async def test_the_first_page_is_small(console: Console):
    """What a browser loads for it, with style sheet, script and icon, is less than 60 kB."""
    async with looking(console.browser, console.service, sign_in=False) as look:
        await look.sign_in()
        loaded: dict[str, int] = {}
        context = await console.browser.new_context(storage_state=await look.page.context.storage_state())
        page = await context.new_page()

        def note(answer: Any) -> None:
            if not answer.url.startswith(f"{look.origin}/live"):  # which ends with the page
                loaded[answer.url] = int(answer.headers["content-length"])

        page.on("response", note)
        await page.goto(f"{look.origin}/", wait_until="load")
        await context.close()
    assert any(url.endswith("/") for url in loaded)
    assert any("console.css" in url for url in loaded)
    assert sum(loaded.values()) <= FIRST_PAGE, loaded


async def test_the_scheme_is_the_viewers(console: Console):
    """A dark page is dark by style alone."""
    grounds = {}
    for scheme in ("light", "dark"):
        async with looking(console.browser, console.service, color_scheme=scheme, sign_in=False) as look:
            await look.page.goto(f"{look.origin}/sign-in")
            grounds[scheme] = await look.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert grounds == {"light": "rgb(255, 255, 255)", "dark": "rgb(11, 15, 23)"}
