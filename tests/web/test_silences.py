"""Silences by the API: what is stored, what is refused and why, who ended them; on both databases."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from alertgate.credential import Credential
from alertgate.errors import Invalid
from alertgate.group.silencing import MOST, Wanted, problems
from alertgate.store import Connection
from alertgate.web.silence_views import SilenceRequest
from tests.conftest import API_BEARER, Running, serving
from tests.fakes import START, FakeClock

NOWHERE = "01890000-0000-7000-8000-000000000000"
DOORS = {"event": "door/*", "for": "2h", "by": " Anna ", "note": " carpenter "}


@pytest.fixture
async def gate(make_settings, database) -> AsyncIterator[Running]:
    """A service on each database, with a clock that stands still."""
    async with serving(make_settings(**database), clock=FakeClock()) as running:
        yield running


async def ask(gate: Running, **body: Any) -> Any:
    """Ask for a silence; return the answer."""
    return await gate.client.post("/api/silences", json=body, headers=API_BEARER)


async def get(gate: Running, path: str = "", method: str = "GET") -> Any:
    """Ask about silences; return the answer."""
    return await gate.client.request(method, f"/api/silences{path}", headers=API_BEARER)


async def test_a_silence_is_stored_listed_and_ended(gate):
    """With who asked and who ended it; the first person stays on record, and the list leaves it out then."""
    await gate.particle(event="door/front")
    with capture_logs() as logs:
        answer = await ask(gate, **DOORS)
    assert answer.status_code == 201
    made = answer.json()
    assert made.pop("open_incidents") == 1
    wanted = {"event": "door/*", "author": "Anna", "note": "carpenter", "state": "active", "credential": "api_token"}
    assert {**made, **wanted} == made
    assert (made["begins_at"], made["ends_at"]) == (START.isoformat(), (START + timedelta(hours=2)).isoformat())
    [line] = [each for each in logs if each["event"] == "silence.begun"]
    assert (line["by"], line["event_glob"], "note" in line) == ("Anna", "door/*", False)
    assert (await get(gate, f"/{made['id']}")).json() == made
    assert (await get(gate)).json() == {"items": [made], "next": None}
    for by in ("Ben", "Cleo"):
        ended = await get(gate, f"/{made['id']}?by={by}", "DELETE")
        assert (ended.status_code, ended.json()["removed_by"], ended.json()["state"]) == (200, "Ben", "over")
    assert (await get(gate)).json()["items"] == []
    assert [each["id"] for each in (await get(gate, "?over=true")).json()["items"]] == [made["id"]]


async def test_one_that_came_to_its_end_cannot_be_ended(gate):
    """It is 409, and 404 for one that never was; without a token all is 401."""
    made = (await ask(gate, **DOORS)).json()
    gate.gate.clock.move(hours=2)
    over = await get(gate, f"/{made['id']}", "DELETE")
    assert (over.status_code, "came to its end at 2026-11-23 16:03:00 UTC" in over.json()["detail"]) == (409, True)
    assert [(await get(gate, f"/{NOWHERE}", method)).status_code for method in ("GET", "DELETE")] == [404, 404]
    for method, path in (("GET", ""), ("POST", ""), ("GET", f"/{NOWHERE}"), ("DELETE", f"/{NOWHERE}")):
        assert (await gate.client.request(method, f"/api/silences{path}")).status_code == 401


async def test_silences_are_listed_in_pages(gate):
    """Newest first, without repeats."""
    ids = [(await ask(gate, **{**DOORS, "for": f"{hours}h"})).json()["id"] for hours in range(1, 6)]
    found, cursor = [], ""
    while cursor is not None:
        page = (await get(gate, f"?limit=2{f'&cursor={cursor}' if cursor else ''}")).json()
        found += [each["id"] for each in page["items"]]
        cursor = page["next"]
    assert found == ids[::-1]
    assert (await get(gate, "?cursor=xx")).status_code == 422


HOSTILE = ["do\nor", "\x00", "a\u202eb", "\u200b"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        *(({name: value}, name) for name in ("event", "device", "source", "note") for value in [*HOSTILE, "", 3]),
        *(({name: "x" * 201}, name) for name in ("event", "device", "source")),
        ({"note": "x" * 301}, "note"),
        ({"by": "a\u202eb"}, "by"),
        ({"by": "x" * 129}, "by"),
        ({"event": None}, ""),
        ({"for": None}, ""),
        ({"ends_at": "2026-11-23T15:00:00Z"}, ""),
        ({"for": "soon"}, "for"),
        ({"for": "0s"}, "for"),
        ({"for": "91d"}, "for"),
        ({"for": "9" * 400 + "s"}, "for"),
        ({"for": None, "ends_at": "2026-11-23T14:03:00Z"}, "ends_at"),
        ({"for": None, "ends_at": "9999-12-31T23:59:59-14:00"}, "ends_at"),
        ({"for": None, "ends_at": "0001-01-01T00:00:00+14:00"}, "ends_at"),
        ({"for": None, "ends_at": True}, "ends_at"),
        ({"begins_at": "2028-01-01T00:00:00Z"}, "begins_at"),
        ({"begins_at": "9999-12-31T23:59:59Z"}, "begins_at"),
        ({"begins_at": "2026-11-24T00:00:00Z", "for": None, "ends_at": "2026-11-23T23:00:00Z"}, "ends_at"),
        ({"min_severity": "high"}, "min_severity"),
        ({"unless": "info"}, "unless"),
        ({"unless": "warning", "min_severity": "critical"}, "unless"),
        ({"min_severty": "critical"}, "min_severty"),
    ],
    ids=str,
)
def test_what_cannot_be_silenced_is_refused(changes, field):
    """Each field that is wrong is named."""
    body = {name: value for name, value in {**DOORS, **changes}.items() if value is not None}
    try:
        wanted = SilenceRequest.read(json.dumps(body).encode())
        found = tuple(problems(wanted.wanted(Credential.API_TOKEN), START))
    except Invalid as error:
        found = error.errors
    assert {each.field for each in found} == {field}


@pytest.mark.parametrize("changes", [{"for": "soon"}, {"for": "91d"}])
async def test_a_refusal_says_what_to_do(service, changes):
    """With an example; nothing is stored."""
    answer = await ask(service, **{**DOORS, **changes})
    assert (answer.status_code, [each["field"] for each in answer.json()["errors"]]) == (422, ["for"])
    assert "nothing was changed. Send what to silence" in answer.json()["detail"]
    assert (await get(service)).json()["items"] == []


async def test_a_body_that_is_no_object_is_refused(service):
    """As 400 or 422, with an example of what to send."""
    for body in (b"", b"{", b"[]", b'"x"', b"\xff", b"[" * 5000):
        answer = await service.client.post("/api/silences", content=body, headers=API_BEARER)
        assert answer.status_code in (400, 422)
        assert '{"event": "door/*", "for": "2h", "by": "Anna"}' in answer.json()["detail"]


async def test_markup_is_kept_as_it_is(service):
    """Whoever shows it escapes it; here it is JSON."""
    made = (await ask(service, **{**DOORS, "event": "<b>*", "note": "<script>alert(1)</script>"})).json()
    assert (made["event"], made["note"]) == ("<b>*", "<script>alert(1)</script>")


async def test_a_beginning_that_is_past_is_now(service):
    """And `for` counts from then."""
    before = service.gate.clock.now()
    made = (await ask(service, **DOORS, begins_at="2020-01-01T00:00:00Z")).json()
    assert made["begins_at"] >= before.isoformat()


async def test_there_are_only_so_many_silences(service):
    """Each costs a comparison with every incident that speaks."""
    wanted = Wanted("Anna", Credential.API_TOKEN, lasting=timedelta(hours=1), event="x")
    now = service.gate.clock.now()

    def fill(connection: Connection) -> None:
        for _ in range(MOST):
            service.gate.silencer.begin(connection, wanted, now)

    await service.gate.store.write(fill)
    answer = await ask(service, **DOORS)
    assert (answer.status_code, "500 silences" in answer.text) == (422, True)


@pytest.mark.parametrize("path", ["alerts", "incidents"])
async def test_trails_show_what_silences_held(gate, path):
    """Those that lasted while the incident wasn't over, and no others."""
    before = (await ask(gate, **DOORS)).json()
    await get(gate, f"/{before['id']}", "DELETE")
    gate.gate.clock.move(minutes=1)
    held = (await ask(gate, **DOORS)).json()
    await ask(gate, **{**DOORS, "event": "leak"})
    answer = (await gate.particle(event="door/front")).json()
    one = answer["id"] if path == "alerts" else answer["incident"]
    trail = (await gate.client.get(f"/api/{path}/{one}", headers=API_BEARER)).json()
    assert [each["id"] for each in trail["silences"]] == [held["id"]]
    assert trail["notifications"] == []
    assert trail["escalation"]["reason"] == "silenced"
