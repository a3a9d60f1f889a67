"""Text that wants to be more than text, stored wherever somebody can store it, on every page in a real browser."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.conftest import API, API_BEARER, BEARER
from tests.console import SAME_ORIGIN
from tests.fleet import DEVICES, fleet
from tests.flow.test_stories import House
from tests.hostile.test_bodies import ODD, READABLE, UNREADABLE
from tests.web.console.browsing import PHONE, chromium, every_page, looking, needs_browser, of_each

pytestmark = [needs_browser, pytest.mark.asyncio(loop_scope="module")]
RUN = "window.ran=1;alert(1)"
MARKUP = [
    f"<script>{RUN}</script>",
    f'"><img src=x onerror="{RUN}">',
    f"' onmouseover='{RUN}' autofocus onfocus='{RUN}",
    f"</title></textarea></style></pre><svg/onload={RUN}>",
    f"javascript:{RUN}//",
    "<base href=//evil.example><style>*{display:none}</style>",
    '<meta http-equiv="refresh" content="0;url=https://evil.example/">',
    '<a href="https://evil.example/" target=_blank>click</a><iframe src=//evil.example></iframe>',
    "{{ 7*7 }}{% for x in y %}${7*7}<%= 7 %>",
    "&lt;b&gt;&amp;#x202e;&#0;]]><!--",
]
ODDITIES = [
    "x" * 3000,
    "invoice \u202egpj.exe\u2066 and \u2067more",
    "\u200f\u05e9\u05dc\u05d5\u05dd\u200e \u0645\u0631\u062d\u0628\u0627",
    "Z\u0337\u0322" * 200,
    "\U0001f469\u200d\U0001f469\u200d\U0001f467" * 40,
    "line\r\nbreaks\u2028and\u2029more\ttabs\x0b\x0c\x1b[31m\x07\x00",
    "\ufeff\U000e0041\U000e0042\ufffe",
    "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
]
TEXTS = MARKUP + ODDITIES
LOOK = """() => ({
  ran: typeof window.ran,
  scripts: [...document.scripts].filter(one => !one.src.startsWith(location.origin + "/static/")).length,
  foreign: [...document.querySelectorAll("iframe, base, object, embed, meta[http-equiv], style, [style], [autofocus]")]
    .map(one => one.outerHTML.slice(0, 80)),
  handlers: [...document.querySelectorAll("*")]
    .flatMap(one => [...one.attributes]).filter(one => one.name.startsWith("on")).map(one => one.name),
  addresses: [...document.querySelectorAll("[href], [src], [action]")]
    .flatMap(one => [one.href, one.src, one.action]).filter(one => typeof one === "string" && one)
    .filter(one => !one.startsWith(location.origin) && !one.startsWith("data:image/")),
})"""
"""What of a page isn't the console's own."""
CLEAN = {"ran": "undefined", "scripts": 0, "foreign": [], "handlers": [], "addresses": []}
DECEPTIVE = r"""() => [...document.body.innerText.matchAll(
  /.{0,20}[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufeff].{0,20}/gu)]
  .map(found => JSON.stringify(found[0])).slice(0, 3)"""
"""Controls, and what reorders the text around it: such characters are shown for what they are."""


async def _store(home: House) -> None:
    """Store every text wherever it goes."""
    client = home.service.client
    home.sink.answer("RCPT", *(f"550 5.1.1 {text}" for text in MARKUP))
    for number, text in enumerate(TEXTS):
        data = {"status": "firing", "message": text, text: text, "nested": {text: [text]}, "url": text}
        body = {"event": f"hostile/{number}/{text}", "coreid": text, "data": data}
        answer = await client.post("/webhook/particle", json=body, headers=BEARER)
        assert answer.status_code == 202, answer.text
        await home.service.generic(event=f"plain/{text}", message=text, source=text, title=text, details={text: text})
        said = {"by": text[:60], "note": text[:200]}
        if incident := answer.json().get("incident"):
            await client.post(f"/api/incidents/{incident}/acknowledge", json=said, headers=API_BEARER)
        await client.post("/api/silences", json={"device": text, "for": "5h", **said}, headers=API_BEARER)
        name = {"name": text[:60]}
        await client.patch(f"/api/devices/{DEVICES['Boiler']}", json=name, headers=API_BEARER)
        async with httpx.AsyncClient(base_url=client.base_url) as other:
            agent = "".join(each for each in text if each.isascii() and each.isprintable())[:300].strip()
            headers = {**SAME_ORIGIN, "User-Agent": agent}
            await other.post("/sign-in", data={"token": API, "name": text}, headers=headers)
    for body in (*READABLE.values(), *ODD.values(), *UNREADABLE.values(), "".join(MARKUP).encode()):
        await client.post("/webhook/particle", content=body, headers={**BEARER, "Content-Type": "application/json"})
    await home.service.settled()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def home(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[House, Any, list[str]]]:
    """A house that was told all of that, a browser, and the console's pages."""
    directory: Path = tmp_path_factory.mktemp("hostile")
    async with fleet(directory, flood_limit=0) as made, chromium() as browser:
        await _store(made)
        yield made, browser, await every_page(made.service, of_a_kind=3)


async def test_text_stays_text(home):
    """On every page no script runs, nothing is called or linked, nothing deceives, nothing leaves the page's box."""
    house, browser, pages = home
    async with looking(browser, house.service, viewport=PHONE) as look:

        async def wrong() -> list[Any]:
            found = await look.page.evaluate(LOOK)
            odd = await look.page.evaluate(DECEPTIVE)
            return [*([] if found == CLEAN else [found]), *odd, *await look.too_wide()]

        found = await of_each(pages, look, wrong)
        assert found == {}, json.dumps(found, indent=1)
        assert (look.said, look.asked) == ([], [])


async def test_what_a_person_types_stays_text(home):
    """Whatever a filter, an address or the sign-in is given comes back as text."""
    house, browser, pages = home
    async with looking(browser, house.service, viewport=PHONE) as look:
        for path in {page.partition("?")[0] for page in pages if page.count("/") == 1}:
            for text in MARKUP:
                await look.page.goto(str(httpx.URL(look.origin + path, params={"q": text, "said": text, "to": text})))
                assert await look.page.evaluate(LOOK) == CLEAN
        await look.page.goto(str(httpx.URL(f"{look.origin}/sign-in", params={"to": f"javascript:{RUN}"})))
        assert await look.page.evaluate(LOOK) == CLEAN
        assert (look.asked, [said for said in look.said if "status of 4" not in said]) == ([], [])
