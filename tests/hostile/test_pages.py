"""Whoever fills the store with large alerts doesn't make those who read it keep everybody else waiting."""

from alertgate.web.answers import LARGEST_PAGE, fill_page
from tests.builders import alert
from tests.conftest import API_BEARER, Running

LARGE = "m" * 100_000


async def test_a_page_of_large_alerts_ends_early_and_the_next_goes_on(service: Running):
    """At about 1 MiB, whatever the limit; by the cursors each alert is there once, the newest first."""
    sent = [(await service.particle(event_id=str(number), data=LARGE)).json()["id"] for number in range(25)]
    seen: list[str] = []
    query: dict[str, str] = {"limit": "200"}
    sizes = []
    while query:
        answer = await service.client.get("/api/alerts", params=query, headers=API_BEARER)
        assert answer.status_code == 200
        page = answer.json()
        seen += [item["id"] for item in page["items"]]
        sizes.append(len(answer.content))
        query = {"limit": "200", "cursor": page["next"]} if page["next"] else {}
    assert seen == sent[::-1]
    assert len(sizes) > 2
    assert max(sizes) < LARGEST_PAGE + 2 * len(LARGE)


def test_a_page_reads_no_more_than_it_shows():
    """What would be on the next page isn't even taken from the database; a page has one alert, however large."""
    taken = 0

    def found():
        nonlocal taken
        for number in range(200):
            taken += 1
            yield alert(id=f"a{number}", data="x" * (2 * LARGEST_PAGE if number < 1 else 10))

    page = fill_page(found(), 200)
    assert (len(page.items), page.last, taken) == (1, "a0", 2)
    last = fill_page([alert(id="a1"), alert(id="a2")], 2)
    assert (len(last.items), last.last) == (2, None)
    more = fill_page([alert(id="a1"), alert(id="a2"), alert(id="a3")], 2)
    assert (len(more.items), more.last) == (2, "a2")
