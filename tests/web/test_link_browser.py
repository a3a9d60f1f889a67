"""The page of a link in a real browser, as wide as a phone: without scripts for people, with scripts for scanners."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.flow.test_stories import House
from tests.web.test_links import everything, incident, link_to, linked
from tests.web.test_middleware import CHROMIUM

playwright = pytest.importorskip("playwright.async_api", reason="playwright isn't installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium isn't installed; .ci/run installs it")
PHONE = {"width": 390, "height": 844}


@asynccontextmanager
async def browser(**options: Any) -> AsyncIterator[Any]:
    """Open a page in Debian's browser."""
    async with playwright.async_playwright() as driver:
        chromium = await driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        context = await chromium.new_context(viewport=PHONE, **options)
        yield await context.new_page()
        await chromium.close()


def address(home: House, path: str) -> str:
    """Return a link's address on this machine."""
    return f"http://127.0.0.1:{home.service.port}{path}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_phone_acknowledges_with_scripts_off(make_settings, scheme):
    """The button is in reach of a thumb, nothing is wider than the phone, and pressing it is all that is needed."""
    async with linked(make_settings) as home, browser(java_script_enabled=False, color_scheme=scheme) as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        answer = await home.says({"status": "firing", "note": "x" * 300}, event=f"leak/{'y' * 60}")
        await page.goto(address(home, link_to(home)))
        button = page.get_by_role("button", name="I'm on it")
        box = await button.bounding_box()
        assert box["height"] >= 64
        assert box["y"] + box["height"] < PHONE["height"]
        for each in await page.locator("main *").all():
            inner = await each.bounding_box()
            assert inner is None or inner["x"] + inner["width"] <= PHONE["width"]
        await button.click()
        assert "You have it." in await page.inner_text("main")
        assert (await incident(home, answer))["incident"]["status"] == "acknowledged"
        await page.get_by_role("link", name="I can't after all").click()
        await page.get_by_role("button", name="Yes, hand it back").click()
        assert "Nobody has it any more." in await page.inner_text("main")
        assert (await incident(home, answer))["incident"]["status"] == "open"
        await page.get_by_role("link", name="It's over").click()
        await page.get_by_role("button", name="Yes, it's over").click()
        assert (await incident(home, answer))["incident"]["status"] == "resolved"
        assert said == []


async def test_a_browser_that_runs_scripts_and_follows_every_link_changes_nothing(make_settings):
    """As a scanner of a mail account does it, twice; the policy has nothing to complain of."""
    async with linked(make_settings) as home, browser() as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        await home.says({"status": "firing"}, event="leak")
        before = await everything(home)
        for path in (link_to(home), link_to(home, "partner")):
            for _ in range(2):
                await page.goto(address(home, path), wait_until="networkidle")
                for href in await page.eval_on_selector_all("a", "links => links.map(link => link.href)"):
                    await page.goto(href, wait_until="networkidle")
        assert await everything(home) == before
        assert said == []
