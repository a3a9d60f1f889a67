"""What people do in the console with a real browser: live, without scripts, and with the keyboard alone."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.conftest import API
from tests.fleet import DEVICES, fleet
from tests.flow.test_stories import House
from tests.web.console.browsing import PHONE, Look, chromium, every_page, looking, needs_browser, of_each

pytestmark = [needs_browser, pytest.mark.asyncio(loop_scope="module")]
Place = tuple[House, Any]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    """A house in which nothing is going on, and a browser; each test has incidents of its own."""
    async with fleet(tmp_path_factory.mktemp("acts"), flood_limit=0) as home, chromium() as browser:
        yield home, browser


async def _alarm(home: House, event: str, device: str = "Leak cellar") -> str:
    """Let a device raise an alarm; return its incident, once those who are told at once were told."""
    answer = await home.says({"status": "firing", "millimetres": 12}, event=event, device=DEVICES[device])
    return answer["incident"]


async def test_an_incident_appears_by_itself_and_is_acknowledged(place: Place):
    """The page isn't loaded again: the incident comes, its number stands in the title, and what it stops is shown."""
    home, browser = place
    async with looking(browser, home.service) as look:
        await look.page.evaluate("window.loadedOnce = true")
        await look.page.wait_for_function("() => document.getElementById('live').textContent.startsWith('Live')")
        incident = await _alarm(home, "leak/live")
        card = look.page.locator(f"#incident-{incident}")
        await card.wait_for()
        await look.page.wait_for_function("() => document.title.startsWith('(1)')")
        assert "to be told" in await card.inner_text()
        assert await look.page.evaluate("window.loadedOnce")
        await card.get_by_role("button", name="I'm on it").click()
        await look.page.wait_for_load_state()
        assert "You have it" in await look.page.locator("main > .notice").inner_text()
        await look.page.wait_for_url(f"{look.origin}/")  # so that it isn't said again when the page is loaded again
        assert "Ada has it" in await card.inner_text()
        assert "not told, as it wasn't needed" in await card.inner_text()
        trail = (await home.service.client.get(f"/api/incidents/{incident}", headers=_bearer())).json()
        statuses = {each["channel"]: each["status"] for each in trail["notifications"]}
        assert statuses == {"email": "sent", "sms": "cancelled"}
        assert (look.said, look.asked) == ([], [])
        await card.get_by_role("link", name="It's over").click()
        await look.page.get_by_role("button", name="over").click()
        await look.page.wait_for_load_state()
        assert await card.count() == 0


def _bearer() -> dict[str, str]:
    return {"Authorization": f"Bearer {API}"}


async def test_everything_works_without_scripts(place: Place):
    """Signing in, acknowledging, snoozing, handing back, ending and silencing; the page says how old it is."""
    home, browser = place
    async with looking(browser, home.service, viewport=PHONE, java_script_enabled=False) as look:
        page = look.page
        incident = await _alarm(home, "leak/plain")
        await look.open("/")
        card = page.locator(f"#incident-{incident}")
        assert "As of" in await page.inner_text("footer")
        await card.get_by_role("button", name="I'm on it").click()
        assert "Ada has it" in await card.inner_text()
        await card.get_by_role("button", name="Snooze 1 h").click()
        assert "snoozed" in (await card.inner_text()).lower()
        await card.get_by_role("link", name="Hand it back").click()
        await page.get_by_role("button", name="Yes, hand it back").click()
        assert "Ada can't after all: nobody has it." in await card.inner_text()
        await card.get_by_role("link", name="It's over").click()
        await page.get_by_role("button", name="over").click()
        assert await card.count() == 0
        for path in await every_page(home.service):
            await look.open(path)
            assert await page.locator("h1").count() == 1
        await page.get_by_role("button", name="Sign out").first.click()
        assert "signed out" in (await page.inner_text("body")).lower()
        assert (await page.goto(look.origin)).status == 401
        assert look.asked == []


FOCUSED = """() => {
  const one = document.activeElement;
  if (one === document.body) return null;
  const style = getComputedStyle(one);
  return {
    said: (one.getAttribute("aria-label") ?? one.innerText ?? one.name).trim().slice(0, 60),
    seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 && one.checkVisibility(),
    number: [...document.querySelectorAll("*")].indexOf(one),
  };
}"""
REACHABLE = """() => [
  ...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")
].filter(one => one.checkVisibility() && !one.disabled).map(one => [...document.querySelectorAll("*")].indexOf(one))"""


async def _tabbed(look: Look) -> list[dict[str, Any]]:
    """Press Tab from the top of a page until it begins again; return what had the focus, in order."""
    order: list[dict[str, Any]] = []
    for _ in range(400):
        await look.page.keyboard.press("Tab")
        focused = await look.page.evaluate(FOCUSED)
        if focused is None or (order and focused["number"] == order[0]["number"]):
            break
        order.append(focused)
    return order


async def test_the_keyboard_alone_is_enough(place: Place):
    """Tab reaches everything in the order of the page and shows where it is; the skip link comes first; Enter acts."""
    home, browser = place
    async with looking(browser, home.service) as look:
        incident = await _alarm(home, "leak/keys")
        await look.open("/")
        order = await _tabbed(look)
        assert order[0]["said"] == "Skip to the content"
        assert [each["said"] for each in order if not each["seen"]] == []
        numbers = [each["number"] for each in order]
        assert numbers == sorted(numbers)
        assert set(await look.page.evaluate(REACHABLE)) <= set(numbers)
        await look.open("/")
        await look.page.keyboard.press("Tab")
        await look.page.keyboard.press("Enter")
        for _ in range(20):
            await look.page.keyboard.press("Tab")
            if (await look.page.evaluate(FOCUSED))["said"].startswith("I'm on it"):
                break
        await look.page.keyboard.press("Enter")
        card = look.page.locator(f"#incident-{incident}")
        await card.get_by_text("Ada has it").wait_for()


@pytest.mark.parametrize("scripts", [True, False], ids=["live", "without scripts"])
async def test_many_are_taken_at_once_with_the_keyboard_alone(place: Place, scripts: bool):
    """On a phone: the link comes before the cards, its page asks and fits, and its button takes exactly those."""
    home, browser = place
    async with looking(browser, home.service, viewport=PHONE, java_script_enabled=scripts) as look:
        event = f"power/{scripts}/{'long' * 15}"
        ids = [await _alarm(home, event, device) for device in ("Leak cellar", "Boiler", "Shed")]
        await look.open("/")
        link = look.page.get_by_role("link", name="I'm on it: all 3")
        if scripts:
            await _focus(look, "I'm on it: all 3")
            await look.page.keyboard.press("Enter")
        else:
            await link.press("Enter")
        button = look.page.get_by_role("button", name="I'm on it: all 3")
        await button.wait_for()
        assert await look.page.inner_text("h1") == "Are you on all 3 of these?"
        assert "Boiler, Leak cellar and Shed" in await look.page.inner_text("table")
        hidden = "one => one.scrollWidth - one.clientWidth"
        assert await look.page.locator("main .scroll").evaluate(hidden) == 0  # the devices are seen at once
        assert await look.too_wide() == []
        late = await _alarm(home, f"power/late/{scripts}")
        await button.press("Enter")
        await look.page.get_by_text("You have all 3. 1 has come since.").wait_for()
        await look.page.get_by_role("button", name="I'm on it").press("Enter")
        await look.page.get_by_text("You have them all.").wait_for()
        for incident in (*ids, late):
            assert "Ada has it" in await look.page.locator(f"#incident-{incident}").inner_text()
        assert await link.count() == 0
        assert (look.said, look.asked) == ([], [])
        for incident in (*ids, late):
            await home.service.client.post(f"/api/incidents/{incident}/resolve", json={"by": "Ada"}, headers=_bearer())


async def _focus(look: Look, said: str) -> None:
    """Press Tab until what says so has the focus."""
    for _ in range(40):
        await look.page.keyboard.press("Tab")
        focused = await look.page.evaluate(FOCUSED)
        if focused and focused["said"] == said:
            assert focused["seen"]
            return
    raise AssertionError(f"Tab doesn't reach {said}")


async def test_tab_reaches_everything_on_every_page(place: Place):
    """Nothing needs a pointer, and the focus is always seen."""
    home, browser = place
    async with looking(browser, home.service) as look:

        async def wrong() -> list[Any]:
            order = await _tabbed(look)
            unreached = set(await look.page.evaluate(REACHABLE)) - {each["number"] for each in order}
            return [*(each["said"] for each in order if not each["seen"]), *unreached]

        assert await of_each(await every_page(home.service), look, wrong) == {}


@pytest.mark.parametrize(("focused", "then"), [("I'm on it", ""), ("Snooze 1 h", "Snooze 1 h")])
async def test_no_focus_comes_to_another_act_of_an_incident(place: Place, focused: str, then: str):
    """Somebody else takes it, and the first button goes: Enter mustn't snooze what they have."""
    home, browser = place
    async with looking(browser, home.service) as look:
        incident = await _alarm(home, f"leak/focus/{len(then)}")
        card = look.page.locator(f"#incident-{incident}")
        await card.get_by_role("button", name=focused).focus()
        path = f"/api/incidents/{incident}/acknowledge"
        await home.service.client.post(path, headers=_bearer(), json={"by": "Ben"})
        await card.get_by_text("Ben has it").wait_for()
        assert await look.page.evaluate("document.activeElement.closest('button')?.textContent ?? ''") == then
