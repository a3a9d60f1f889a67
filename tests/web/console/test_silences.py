"""Silences in the console: what each holds, one begun after a look at that, what is wrong with one, and its end."""

import re
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from tests.conftest import API_BEARER, Running, serving
from tests.console import BESIDE, queries, seen, sent, signed_in
from tests.fakes import FakeClock
from tests.pages import Page

NOWHERE = "01890000-0000-7000-8000-000000000000"
DOORS = {"event": "door/*", "lasting": "2h", "unless": "critical", "note": "carpenter"}


@pytest.fixture
async def gate(make_settings, database) -> AsyncIterator[Running]:
    """A service on each database, with a clock that stands still."""
    async with serving(make_settings(**database), clock=FakeClock()) as running:
        yield running


async def listed(gate: Running) -> list[dict]:
    """Return the silences that aren't over, as the API has them."""
    return (await gate.client.get("/api/silences", headers=API_BEARER)).json()["items"]


async def test_one_is_begun_after_a_look_and_ended(gate):
    """The look stores nothing; pressed twice it is one; it says who, how, why and what it holds, and its end too."""
    async with signed_in(gate, "Ada") as client:
        await gate.particle(event="door/front")
        await gate.particle(event="leak/cellar")
        await gate.particle(event="door/back", data={"severity": "critical"})
        look = Page(await sent(client, "/silences/new", **DOORS, confirmed="no"))
        assert "1 incident that isn't over" in look.text
        assert "door/front" in look.text
        assert "leak/cellar" not in look.text
        assert "critical is held too" not in look.text
        assert await listed(gate) == []
        with capture_logs() as logs:
            for _ in range(2):
                answer = await sent(client, "/silences/new", **look.filled("Begin it"))
                assert (answer.status_code, answer.headers["location"]) == (303, "/silences?said=silence-begun")
        assert [each["event"] for each in logs if each["event"] == "silence.begun"] == ["silence.begun"]
        [made] = await listed(gate)
        assert (made["author"], made["credential"], made["note"]) == ("Ada", "console_token", "carpenter")
        page = await seen(client, "/silences")
        for said in ("active", "door/*", "Ada in the console with API_TOKEN", "carpenter", "what is critical"):
            assert said in page.text
        for notice in ("silence-ended", "silence-was-over"):
            answer = await sent(client, f"/silences/{made['id']}/end")
            assert answer.headers["location"] == f"/silences?said={notice}"
        assert "Nothing is silenced" in (await seen(client, "/silences")).text
        over = (await seen(client, "/silences/over")).text
        assert "door/*" in over
        assert ", by Ada in the console with API_TOKEN" in over
        assert "There is no silence" in Page(await sent(client, f"/silences/{NOWHERE}/end")).text


async def test_what_is_held_is_counted_and_told_at_its_end(gate):
    """The card counts incidents and notifications of what it matches alone; ending it sends them."""
    async with signed_in(gate) as client:
        await sent(client, "/silences/new", **{**DOORS, "unless": ""}, confirmed="yes")
        for number in range(3):
            await gate.particle(event="door/front", coreid=f"door{number}")
        await gate.particle(event="leak/cellar", coreid="leak")
        await gate.gate.escalations.run()
        await gate.settled()
        page = await seen(client, "/silences")
        assert "Holds 3 incidents that aren't over" in page.text
        assert "what is critical is held too" in page.text
        [made] = await listed(gate)
        await sent(client, f"/silences/{made['id']}/end")
        await gate.settled()
        told = (await gate.client.get("/api/notifications?status=sent", headers=API_BEARER)).json()["items"]
        assert len({each["incident_id"] for each in told}) == 4


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"event": ""}, "is missing, and so are device and source"),
        ({"lasting": "soon"}, "is no duration"),
        ({"lasting": ""}, "say how long, as in 2h, or until when"),
        ({"until": "08:00"}, "leave one of them out"),
        ({"lasting": "", "until": "yesterday"}, "is no time"),
        ({"lasting": "91d"}, "more than 90 days"),
        ({"lasting": "", "until": "2020-01-01 08:00"}, "is no time to come"),
        ({"begin": "2028-11-27 08:00"}, "more than 366 days ahead"),
        ({"unless": "info"}, "leaves nothing to silence"),
        ({"unless": "loud"}, "is none of info"),
        ({"event": "x" * 201}, "more than 200 characters"),
        ({"note": "a\u202eb"}, "can't be shown"),
    ],
)
async def test_what_is_wrong_stands_beside_its_field(service: Running, typed, said):
    """Nothing is stored, and nothing that was typed is lost."""
    given = {**DOORS, **typed}
    async with signed_in(service) as client:
        for confirmed in ("no", "yes"):
            answer = await sent(client, "/silences/new", **given, confirmed=confirmed)
            page = Page(answer)
            assert (answer.status_code, said in page.text, "Nothing was done" in page.text) == (422, True, True)
            assert ("aria-invalid", "true") in page.attributes
            assert ("value", given["note"]) in page.attributes
        assert await listed(service) == []


async def test_what_was_previewed_can_be_changed(service: Running):
    """The form comes back as it was; one that holds what is critical says so first."""
    async with signed_in(service) as client:
        look = Page(await sent(client, "/silences/new", **{**DOORS, "unless": ""}, confirmed="no"))
        assert "What is critical is held too" in look.text
        form = Page(await sent(client, "/silences/new", **look.filled("Change it")))
        assert form.status == 200
        assert ("value", "door/*") in form.attributes
        filled = await seen(client, "/silences/new?event=leak&device=d1")
        assert [("value", said) in filled.attributes for said in ("leak", "d1", "2h")] == [True] * 3


async def test_a_time_means_the_same_when_it_is_confirmed_later(gate):
    """What was shown until 14:13 isn't begun until 14:13 tomorrow, and what was to begin by then begins at once."""
    door, leak = ({"event": "door/*", "begin": "14:05", "until": "14:13"}, {"event": "leak/*", "until": "14:13"})
    smoke = {"event": "smoke/*", "begin": "14:05", "lasting": "8m"}
    async with signed_in(gate, zone="UTC") as client:
        looks = [Page(await sent(client, "/silences/new", **given, confirmed="no")) for given in (door, leak, smoke)]
        gate.gate.clock.move(minutes=6)
        for look in looks:
            answer = await sent(client, "/silences/new", **look.filled("Begin it"))
            assert answer.headers["location"] == "/silences?said=silence-begun"
        begun = [(each["begins_at"], each["ends_at"]) for each in await listed(gate)]
        assert begun == [("2026-11-23T14:09:00+00:00", "2026-11-23T14:13:00+00:00")] * 3
        gate.gate.clock.move(minutes=6)
        late = Page(await sent(client, "/silences/new", **looks[0].filled("Begin it")))
        assert (late.status, "is no time to come" in late.text) == (422, True)


async def test_markup_and_marks_are_shown_for_what_they_are(service: Running):
    """A note is text, whatever it holds."""
    async with signed_in(service, "<b>Ada</b>") as client:
        await sent(client, "/silences/new", **{**DOORS, "note": "<script>x</script>"}, confirmed="yes")
        answer = await client.get("/silences")
        assert "<script>x" not in answer.text
        assert "&lt;script&gt;x" in answer.text
        assert "&lt;b&gt;Ada" in answer.text


async def test_many_silences_take_pages_and_no_more_queries(gate):
    """As many statements for a full page as for an empty one; each silence is on one page."""
    async with signed_in(gate) as client:
        few = len(await queries(client, "/silences"))
        for hours in range(1, 61):
            body = {"event": f"e{hours:02}", "for": f"{hours}h", "by": "Ben"}
            await gate.client.post("/api/silences", json=body, headers=API_BEARER)
        assert len(await queries(client, "/silences")) <= min(few + BESIDE, 20)
        first = await seen(client, "/silences")
        second = await seen(client, first.links["Older"])
        names = re.findall(r"\be\d\d\b", first.text + second.text)
        assert len(set(names)) == 60
        assert len(await queries(client, "/silences/over")) <= 20
        gate.gate.clock.move(hours=70)
        over = await seen(client, "/silences/over")
        assert "Older" in over.links
        assert "Nothing is silenced" in (await seen(client, "/silences")).text
