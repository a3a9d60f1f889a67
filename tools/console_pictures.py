"""Regenerate the pictures of docs/console.md, the real pages of a simulated fleet: `python -m tools.console_pictures`.

It needs what `tools.pictures` needs. The pages are those that the tests of the console
look at in a browser; a picture is as good as its page was when somebody ran this last.
"""

import asyncio
import base64
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from playwright.async_api import async_playwright
from tests.conftest import API_BEARER, Running
from tests.fleet import DEVICES, fleet, live
from tests.web.console.browsing import Look, looking

from tools.pictures import CHROMIUM, FONTS

PICTURES = Path(__file__).parent.parent / "docs" / "console"
QUALITY = 82
"""Of WebP: text stays sharp, and a picture has less than 150 kB."""
DESK = {"viewport": {"width": 1280, "height": 800}}
TALL = {"viewport": {"width": 1280, "height": 1000}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}


class Picture(NamedTuple):
    """A page, and how it is shown."""

    name: str
    path: str
    form: dict[str, Any]
    scheme: str = "light"


def pictures(incident: str) -> list[Picture]:
    """Return all pictures; `incident` is the id of the one that is told about."""
    return [
        Picture("now", "/", TALL),
        Picture("now-dark", "/", TALL, "dark"),
        Picture("now-phone", "/", PHONE),
        Picture("now-phone-dark", "/", PHONE, "dark"),
        Picture("incident", f"/incidents/{incident}", TALL),
        Picture("incident-phone-dark", f"/incidents/{incident}", PHONE, "dark"),
        Picture("devices", "/devices", DESK),
        Picture("device-dark", f"/devices/{DEVICES['Freezer garage']}", DESK, "dark"),
        Picture("people", "/people", DESK),
        Picture("plots", "/plots", DESK),
    ]


async def _worst(service: Running) -> str:
    """Return the id of the incident that is open and critical."""
    found = (await service.client.get("/api/incidents", headers=API_BEARER)).json()["items"]
    return next(each["id"] for each in found if each["severity"] == "critical" and each["status"] == "open")


async def _take(look: Look, picture: Picture) -> bytes:
    """Return a picture of a page as a browser shows it."""
    await look.open(picture.path)
    session = await look.page.context.new_cdp_session(look.page)
    taken = await session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    return base64.b64decode(taken["data"])


async def take_all() -> None:
    """Write all pictures."""
    PICTURES.mkdir(exist_ok=True)
    with TemporaryDirectory() as temporary:
        directory = Path(temporary)
        fonts = directory / "fonts.conf"
        fonts.write_text(FONTS.format(cache=directory / "fonts"), encoding="utf-8")
        async with fleet(directory) as home, async_playwright() as driver:
            await live(home)
            browser = await driver.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox"], env={**os.environ, "FONTCONFIG_FILE": str(fonts)}
            )
            for each in pictures(await _worst(home.service)):
                zone = {"timezone_id": "Europe/Berlin", "locale": "en-GB"}
                async with looking(browser, home.service, color_scheme=each.scheme, **zone, **each.form) as look:
                    (PICTURES / f"{each.name}.webp").write_bytes(await _take(look, each))
            await browser.close()


if __name__ == "__main__":
    asyncio.run(take_all())
