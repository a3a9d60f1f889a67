"""Pages that stay true by themselves, in a real browser."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conftest import API, API_BEARER, Running
from tests.fakes import until
from tests.web.test_link_browser import browser
from tests.web.test_middleware import CHROMIUM

pytest.importorskip("playwright.async_api", reason="playwright isn't installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium isn't installed; .ci/run installs it")


async def becomes(page: Any, expression: str) -> None:
    """Wait until an expression is true. Playwright's own way to wait evaluates it in the page, which forbids that."""
    await until(lambda: page.evaluate(expression))


@asynccontextmanager
async def opened(service: Running, path: str = "/", *, live: str = "Live.") -> AsyncIterator[Any]:
    """Sign in, open a page, and wait until it says whether it is live. The browser may complain of nothing."""
    async with browser() as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        await page.goto(f"{service.client.base_url}/sign-in")
        await page.fill("#token", API)
        await page.get_by_role("button", name="Sign in").first.click()
        said.clear()  # the sign-in may be asked for at first
        await page.goto(f"{service.client.base_url}{path}")
        await becomes(page, f"document.getElementById('live').textContent === '{live}'")
        yield page
        assert said == []


async def test_an_incident_appears_when_a_webhook_comes_in(service: Running):
    """Without reloading: in its place, in the title, on the icon; and when it is over, it goes."""
    async with opened(service) as page:
        await page.evaluate("window.same = true")
        assert await page.title() == "Now · alertgate"
        answer = await service.particle(event="leak/cellar")
        await page.get_by_text("leak/cellar").first.wait_for()
        await becomes(page, "document.title === '(1) Now · alertgate'")
        assert (await page.get_attribute("link[rel=icon]", "href")).startswith("data:image/svg+xml,")
        incident = (await service.trail(answer.json()["id"]))["incident"]["id"]
        await service.client.post(f"/api/incidents/{incident}/resolve", headers=API_BEARER, json={})
        await becomes(page, "document.title === 'Now · alertgate'")
        await page.get_by_text("leak/cellar").first.wait_for(state="detached")
        assert "static/icon.svg" in await page.get_attribute("link[rel=icon]", "href")
        assert await page.evaluate("window.same")


async def test_more_incidents_are_announced_in_one_sentence(service: Running):
    """A screen reader hears the number once, and nothing at each update."""
    async with opened(service) as page:
        for number in range(3):
            await service.particle(coreid=f"{number:024x}", event="leak/cellar")
        await becomes(page, "document.title.startsWith('(3)')")
        await becomes(page, "document.querySelector('p.unseen[role=status]').textContent !== ''")
        assert (await page.text_content("p.unseen[role=status]")).endswith(("incident is open.", "incidents are open."))
        assert await page.text_content("#live") == "Live."


async def test_that_all_is_well_is_looked_at_again_although_nothing_changes(service: Running):
    """What the auditor has found is as old as the page, and "all is well" mustn't outlive it."""
    async with opened(service) as page:
        await page.evaluate("""() => {
          document.querySelector("#verdict .verdict").textContent = "ALL IS WELL";
          document.getElementById("verdict").dataset.fresh = "1";
        }""")
        await becomes(page, "document.querySelector('#verdict .verdict').textContent.includes('no mail server is set')")
        assert await page.get_attribute("#verdict", "data-fresh") == "120"


STAYS = "Not live: this page stays as it was loaded."
NOT_LIVE = r"^Not live since \d\d:\d\d; trying again\.$"
PATCHED = """([before, after]) => {
  document.getElementById("main").innerHTML = `<div id="box" data-live="incidents">${before}</div>`;
  const fresh = `<!DOCTYPE html><title>T</title><main><div id="box" data-live="incidents">${after}</div></main>`;
  window.fetch = async () => new Response(fresh, { headers: { "Content-Type": "text/html" } });
}"""
CARD = (
    '<article id="incident-{0}"><details><summary>{0}</summary>more</details>'
    '<form><input name="note"><button>{0}</button></form></article>'
)


async def shown_after(service: Running, page: Any, after: str) -> None:
    """Let something change, and wait until the page shows it."""
    await service.particle(coreid="f" * 24)
    await becomes(page, f"document.getElementById('box').textContent.includes('{after}')")


async def test_what_somebody_does_on_the_page_stays(service: Running):
    """Half a note, an open text, the focus: all of the incident that they belong to, wherever it moves."""
    async with opened(service) as page:
        await page.evaluate(PATCHED, [CARD.format(1) + CARD.format(2), CARD.format(3) + CARD.format(2) + "<p>new</p>"])
        await page.click("#incident-2 summary")
        await page.fill("#incident-2 input", "half a no")
        await shown_after(service, page, "new")
        assert await page.evaluate("[...document.querySelectorAll('article')].map(each => each.id)") == [
            "incident-3",
            "incident-2",
        ]
        assert await page.input_value("#incident-2 input") == "half a no"
        assert await page.evaluate("document.activeElement.closest('article').id") == "incident-2"
        assert await page.evaluate("document.querySelector('#incident-2 details').open")
        assert not await page.evaluate("document.querySelector('#incident-3 details').open")
        assert await page.input_value("#incident-3 input") == ""


async def test_what_somebody_types_isn_t_taken_away(service: Running):
    """A form that the answer no longer has stays until what is in it is sent or given up."""
    async with opened(service) as page:
        await page.evaluate(PATCHED, [CARD.format(1) + CARD.format(2), "<p>new</p>"])
        await page.fill("#incident-1 input", "half a no")
        await shown_after(service, page, "new")
        assert await page.input_value("#incident-1 input") == "half a no"
        assert await page.locator("#incident-2").count() == 0
        await page.fill("#incident-1 input", "")
        await page.evaluate("document.activeElement.blur()")
        await service.particle(coreid="e" * 24)
        await page.locator("#incident-1").wait_for(state="detached")


async def test_no_focus_jumps_to_another_incident_s_button(service: Running):
    """The button under the focus may go with its incident; Enter must not acknowledge the next one."""
    async with opened(service) as page:
        await page.evaluate(PATCHED, [CARD.format(1) + CARD.format(2), CARD.format(2) + "<p>new</p>"])
        await page.focus("#incident-1 button")
        await shown_after(service, page, "new")
        assert await page.evaluate("document.activeElement.localName") == "body"
        await page.focus("#incident-2 button")
        await page.evaluate("document.querySelector('#box p').remove()")
        await shown_after(service, page, "new")
        assert await page.evaluate("document.activeElement.textContent") == "2"


async def test_a_page_says_since_when_it_isn_t_live_and_catches_up(service: Running):
    """Offline, then online again: what came meanwhile is there, without a reload."""
    async with opened(service) as page:
        await page.context.set_offline(True)
        await page.evaluate("dispatchEvent(new Event('offline'))")
        await becomes(page, f"/{NOT_LIVE}/.test(document.getElementById('live').textContent)")
        await service.particle(event="leak/cellar")
        await page.context.set_offline(False)
        await page.get_by_text("leak/cellar").first.wait_for()
        await becomes(page, "document.getElementById('live').textContent === 'Live.'")


async def test_a_page_whose_stream_was_cut_is_live_only_once_the_next_one_speaks(service: Running):
    """The browser has connected again, and nobody knows yet whether changes are seen. An earlier fetch ends now."""
    hint = """stream.onmessage({ data: '{"topics": ["incidents"], "open": 0}' })"""
    async with opened(service) as page:
        await page.evaluate("""() => {
          window.EventSource = class extends EventTarget {
            static OPEN = 1;
            static CLOSED = 2;
            readyState = 1;
            constructor() { super(); window.stream = this; }
            close() {}
          };
          dispatchEvent(new Event("online"));
        }""")
        said = """document.querySelector("#verdict .verdict").textContent = "ALL IS WELL" """
        await page.evaluate(f"{said}; {hint}; stream.readyState = 0; stream.onerror(); stream.readyState = 1")
        await becomes(page, "document.querySelector('#verdict .verdict').textContent.includes('no mail server is set')")
        assert re.match(NOT_LIVE, await page.text_content("#live"))
        await page.evaluate(hint)
        await becomes(page, "document.getElementById('live').textContent === 'Live.'")


async def test_whoever_is_signed_out_elsewhere_comes_to_the_sign_in(service: Running):
    """And back to the same page afterwards."""
    async with browser() as page:
        await page.goto(f"{service.client.base_url}/sign-in")
        await page.fill("#token", API)
        await page.get_by_role("button", name="Sign in").first.click()
        await page.goto(f"{service.client.base_url}/incidents?status=open")
        await becomes(page, "document.getElementById('live').textContent === 'Live.'")
        await page.request.post(
            f"{service.client.base_url}/sign-out", headers={"Sec-Fetch-Site": "same-origin"}, max_redirects=0
        )
        await page.locator("#token").wait_for()
        assert await page.input_value("input[name=to]") == "/incidents?status=open"


async def test_a_hidden_page_holds_no_stream(service: Running):
    """Browsers open six connections to a host over HTTP/1.1: pages in the background mustn't use them up."""
    async with opened(service) as page:
        other = await page.context.new_page()
        await other.goto(f"{service.client.base_url}/")
        await page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        hub = service.gate.lookout

        async def streams(number: int) -> bool:
            return hub.streams == number

        await until(lambda: streams(1))
        await other.close()
        await until(lambda: streams(0))
        assert re.match(NOT_LIVE, await page.text_content("#live"))
        await page.evaluate("delete document.hidden")
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await until(lambda: streams(1))
        await becomes(page, "document.getElementById('live').textContent === 'Live.'")


async def test_a_menu_over_the_page_keeps_nothing_from_it(service: Running):
    """What a right click or a long press opens takes the end of the press with it."""
    async with opened(service) as page:
        await page.evaluate("""() => {
          const heading = document.querySelector("h1");
          heading.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true, button: 2 }));
          heading.dispatchEvent(new MouseEvent("contextmenu", { bubbles: true, button: 2 }));
        }""")
        await service.particle(event="leak/cellar")
        await page.get_by_text("leak/cellar").first.wait_for()


@pytest.mark.parametrize(
    "path",
    [
        "/incidents/{incident}/acts?act=snooze-longer&to=%2F",
        "/incidents/acts?to=/",
        "/incidents?before={later}",
        "/people/who",
        "/silences/new",
    ],
)
async def test_a_page_that_does_not_follow_says_so(service: Running, path):
    """One that asks, or an older one of a list: what it shows is as old as it says, whatever happens meanwhile."""
    incident = (await service.particle(event="leak/cellar")).json()["incident"]
    path = path.format(incident=incident, later="f" * 8 + incident[8:])
    async with opened(service, path, live=STAYS) as page:
        shown = "document.getElementById('main').innerHTML + document.querySelector('#as-of time').dateTime"
        before = await page.evaluate(shown)
        acknowledged = f"/api/incidents/{incident}/acknowledge"
        await service.client.post(acknowledged, headers=API_BEARER, json={"by": "bob"})
        await service.particle(event="leak/attic")
        await becomes(page, "document.title.startsWith('(2)')")
        assert await page.evaluate(shown) == before


async def test_relative_times_are_true_whatever_the_browsers_clock_says(service: Running):
    """It is hours ahead when the page is loaded, and hours behind when that fetches itself."""
    await service.particle(event="leak/cellar")
    async with opened(service) as page:
        for hours in (3, -3):
            await page.clock.set_fixed_time(datetime.now(UTC) + timedelta(hours=hours))
            if hours > 0:
                await page.reload()
                await becomes(page, "document.getElementById('live').textContent === 'Live.'")
            else:
                await service.particle(event="leak/attic")
                await page.get_by_text("leak/attic").first.wait_for()
            await page.evaluate("tick()")
            said = await page.evaluate("[...document.querySelectorAll('time[data-ago]')].map(each => each.textContent)")
            assert said
            assert not [each for each in said if " h" in each], said
