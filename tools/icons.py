"""Draw the console's icons as phones want them, from its SVG: `python -m tools.icons`, with Debian's `chromium`.

Android installs a page to the home screen only with icons of 192 and 512 pixels; iOS takes one of 180, and no SVG.
"""

import asyncio
from importlib.resources import files

from playwright.async_api import async_playwright

from tools.pictures import CHROMIUM

STATIC = files("alertgate.web.console") / "static"
ICONS = {"icon-180": (180, True), "icon-192": (192, False), "icon-512": (512, False), "icon-maskable": (512, True)}
"""Each icon's size, and whether it fills its square: the phone then cuts it to its own shape."""
SAFE = 0.8
"""The part of a maskable icon that no phone cuts away (W3C, Web Application Manifest, icon masks)."""


async def draw() -> None:
    """Write the icons."""
    svg = (STATIC / "icon.svg").read_text(encoding="utf-8")
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, (size, fills) in ICONS.items():
            page = await browser.new_page(viewport={"width": size, "height": size})
            drawn = round(size * SAFE) if fills else size
            style = f"body{{margin:0;display:grid;place-items:center;height:100vh}}svg{{width:{drawn}px}}"
            ground = "html{background:#374151}" if fills else ""
            await page.set_content(f"<!DOCTYPE html><style>{style}{ground}</style>{svg}")
            await page.screenshot(path=str(STATIC / f"{name}.png"), omit_background=True)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(draw())
