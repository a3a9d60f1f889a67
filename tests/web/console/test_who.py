"""Who would be told, asked in the console."""

import re

import pytest

from tests.conftest import API_BEARER, Running, serving
from tests.console import BESIDE, queries, seen, signed_in
from tests.fakes import FakeClock
from tests.web.test_who import POLICY

DOOR = "3f002b000000000000000000"


@pytest.mark.parametrize("device", ["Front door", "front door", DOOR])
@pytest.mark.parametrize(
    "when", [{"at": "Sat 03:00"}, {"at": "now", "on": "2026-11-28T03:00"}, {"on": "2026-11-28T03:00"}]
)
async def test_the_answer_is_a_timeline_with_reasons(make_settings, tmp_path, device, when):
    """The same as the API's, in the viewer's zone; the form keeps what was asked; a silence then is said."""
    file = tmp_path / "alertgate.toml"
    file.write_text(POLICY)
    settings = make_settings(policy_file=file, devices=f"{DOOR}=Front door")
    served = serving(settings, clock=FakeClock())
    async with served as service, signed_in(service, zone="Europe/Berlin") as client:
        await service.particle(event="leak")
        query = {"event": "leak", "device": device, "severity": "warning", "source": "particle", **when}
        page = await asked(client, query)
        text = re.sub(r"\s+", " ", page.text)
        for said in (
            "leak from Front door, warning, 2026-11-28 03:00",
            "[[routes]] 1 sends it to home.",
            "2026-11-28 06:30 3h30m owner, by email:o***@example.org: step 1 (held until then by quiet hours)",
        ):
            assert said in text, text
        assert "owner@" not in page.answer.text
        assert ("value", "Front door") in page.attributes
        assert ("value", device) in page.attributes
        body = {"event": "leak", "for": "7d", "by": "Ben"}
        await service.client.post("/api/silences", json=body, headers=API_BEARER)
        assert "Ben has silenced it until" in re.sub(r"\s+", " ", (await asked(client, query)).text)


async def asked(client, query, status: int = 200):
    """Ask; return the page."""
    return await seen(client, f"/people/who?{'&'.join(f'{name}={value}' for name, value in query.items())}", status)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"event": ""}, "is missing: name an event"),
        ({"event": "x" * 257}, "more than 256 characters"),
        ({"at": "soon"}, 'is no time: write it as in "Sat 03:00"'),
        ({"at": "9999-12-31T23:59"}, "more than 20 years away"),
        ({"at": "03:00", "on": "2026-11-28T03:00"}, "leave one of them out"),
        ({"on": "x"}, "is no time"),
        ({"severity": "loud"}, "is none of info"),
        ({"source": "pigeon"}, "is none of particle"),
        ({"device": "a%E2%80%AEb"}, "can't be shown"),
    ],
)
async def test_what_is_wrong_stands_beside_its_field(service: Running, typed, said):
    """And there is no answer."""
    async with signed_in(service) as client:
        page = await asked(client, {"event": "leak", **typed}, 422)
        assert said in page.text
        assert ("aria-invalid", "true") in page.attributes
        assert ("id", "answer") not in page.attributes


async def test_an_empty_form_asks_for_nothing(service: Running):
    """It is for now; with an event, the recipients of the settings are told at once, with their addresses masked."""
    async with signed_in(service) as client:
        form = await seen(client, "/people/who")
        assert ("id", "answer") not in form.attributes
        assert ("value", "now") in form.attributes
        page = await asked(client, {"event": "<b>leak"})
        assert "everyone is told" in page.text
        assert "at once" in page.text
        assert "<b>leak" not in page.answer.text
        assert "&lt;b&gt;leak" in page.answer.text


async def test_many_devices_are_not_all_suggested(make_settings):
    """Two hundred are; their number costs no more statements."""
    async with serving(make_settings()) as service, signed_in(service) as client:
        few = len(await queries(client, "/people/who?event=leak"))
        for number in range(210):
            await service.particle(event="on", coreid=f"d{number:03}", data={"status": "resolved"})
        assert len(await queries(client, "/people/who?event=leak")) <= min(few + BESIDE, 20)
        assert (await seen(client, "/people/who")).tags.count("option") <= 200 + 10
