"""The API: lists, trails, what people say of incidents, replay, and the test of the channels; on both databases."""

import json
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from tests.conftest import API_BEARER, BEARER, Running, serving
from tests.fakes import START, FakeClock, mail_sink, until

KEY = "cursor-key-0123456789abcdefghijk"
NOWHERE = "01890000-0000-7000-8000-000000000000"
MAIL = {"smtp_host": "127.0.0.1", "smtp_security": "none", "smtp_email": "alerts@example.net"}


async def get(service: Running, path: str, **query: Any) -> httpx.Response:
    """Ask the API."""
    return await service.client.get(f"/api{path}", params=query, headers=API_BEARER)


async def post(service: Running, path: str, body: Any = None, content: bytes | None = None) -> httpx.Response:
    """Tell the API something."""
    content = json.dumps(body).encode() if body is not None else content
    return await service.client.post(f"/api{path}", content=content, headers=API_BEARER)


async def listed(service: Running, path: str, **query: Any) -> list[str]:
    """Return the event names of one page."""
    answer = await get(service, path, **query)
    assert answer.status_code == 200, answer.text
    return [item["event"] for item in answer.json()["items"]]


async def incident_of(service: Running, answer: httpx.Response) -> str:
    """Return the id of the incident that a webhook's answer names."""
    assert answer.status_code == 202
    return (await service.trail(answer.json()["id"]))["incident"]["id"]


async def message_in(service: Running, incident_id: str, status: str, count: int = 1) -> dict[str, Any]:
    """Wait until an incident's last message, the `count`-th, has been tried and has a status; return it."""

    async def found():
        messages = (await get(service, f"/incidents/{incident_id}")).json()["notifications"]
        last = messages[-1]
        return last if (len(messages), last["status"]) == (count, status) and last["attempts"] else None

    return await until(found)


@asynccontextmanager
async def mailing(make_settings, database, *recipients: str):
    """A service with a clock that stands still, and the mail server that it sends through."""
    async with mail_sink() as sink:
        settings = make_settings(
            **database, **MAIL, smtp_port=sink.port, recipient_email=",".join(recipients or ["me@example.com"])
        )
        clock = FakeClock()
        async with serving(settings, clock=clock) as service:
            yield service, sink, clock


@pytest.fixture
async def timed(make_settings, database):
    """A service with the outbox and signed cursors, and its clock, which stands still."""
    clock = FakeClock()
    async with serving(make_settings(**database, secret_key=KEY), clock=clock) as service:
        yield service, clock


@pytest.mark.parametrize("path", ["/alerts", "/incidents"])
async def test_pages_neither_repeat_nor_hide_what_is_older(timed, path):
    """What arrives between two pages changes nothing behind the cursor, and the last page has none."""
    service, clock = timed
    for number in range(7):
        clock.move(seconds=1)
        await service.particle(event=f"e{number}")
    first = (await get(service, path, limit=3)).json()
    clock.move(seconds=1)
    await service.particle(event="new")
    second = (await get(service, path, limit=3, cursor=first["next"])).json()
    third = (await get(service, path, limit=3, cursor=second["next"])).json()
    pages = [[item["event"] for item in page["items"]] for page in (first, second, third)]
    assert pages == [["e6", "e5", "e4"], ["e3", "e2", "e1"], ["e0"]]
    assert third["next"] is None


async def test_a_full_last_page_has_no_next(timed):
    """The cursor is null as soon as nothing is left, not one page later."""
    service, _ = timed
    await service.particle()
    assert (await get(service, "/alerts", limit=1)).json()["next"] is None


async def test_alerts_are_filtered(timed):
    """By device, event, severity, status, source and time, alone and together."""
    service, clock = timed
    await service.particle(event="a", coreid="one", data={"severity": "critical"})
    clock.move(seconds=10)
    await service.particle(event="b", coreid="two")
    clock.move(seconds=10)
    await service.generic(event="c")
    await service.client.post("/webhook/particle", content=b'{"event": "d', headers=BEARER)
    assert await listed(service, "/alerts", device="one") == ["a"]
    assert await listed(service, "/alerts", event="b") == ["b"]
    assert await listed(service, "/alerts", severity="critical") == ["a"]
    assert len(await listed(service, "/alerts", status="quarantined")) == 1
    assert await listed(service, "/alerts", source="generic") == ["c"]
    assert await listed(service, "/alerts", until="2026-11-23T14:03:10Z") == ["a"]
    assert await listed(service, "/alerts", since="2026-11-23T14:03:10", until="2026-11-23T14:03:11") == ["b"]
    assert await listed(service, "/alerts", source="particle", device="one", event="b") == []


async def test_incidents_are_filtered(timed):
    """By device, event, severity, status, source and time of opening."""
    service, clock = timed
    await service.particle(event="a", coreid="one", data={"severity": "critical"})
    clock.move(seconds=10)
    over = await incident_of(service, await service.generic(event="b"))
    await post(service, f"/incidents/{over}/resolve")
    assert await listed(service, "/incidents") == ["b", "a"]
    assert await listed(service, "/incidents", status="resolved") == ["b"]
    assert await listed(service, "/incidents", status="open") == ["a"]
    assert await listed(service, "/incidents", device="one", event="a", severity="critical", source="particle") == ["a"]
    assert await listed(service, "/incidents", since="2026-11-23T14:03:10Z") == ["b"]


async def test_a_time_can_be_pasted_from_an_answer(timed):
    """`+00:00` in a query string is a space by the rules of URLs, and understood all the same."""
    service, _ = timed
    await service.particle()
    [alert] = (await get(service, "/alerts")).json()["items"]
    assert alert["received_at"].endswith("+00:00")
    pasted = await service.client.get(f"/api/alerts?since={alert['received_at']}", headers=API_BEARER)
    assert len(pasted.json()["items"]) == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 201}, "limit"),
        ({"severity": "loud"}, "severity"),
        ({"status": "open"}, "status"),
        ({"source": "mail"}, "source"),
        ({"since": "yesterday"}, "since"),
        ({"until": "2026-13-01"}, "until"),
        ({"devise": "d"}, "devise"),
        ({"cursor": ""}, "cursor"),
        ({"cursor": "x" * 101}, "cursor"),
        ({"cursor": "not base64 \N{DOOR}"}, "cursor"),
        ({"cursor": "AAAA"}, "cursor"),
    ],
)
async def test_a_wrong_parameter_is_named(service: Running, query, field):
    """422 with the field; a filter that doesn't exist is wrong too."""
    answer = await get(service, "/alerts", **query)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_a_cursor_is_only_good_where_it_was_made(timed):
    """One that was changed or lost its signature, or belongs to the other list, is 422."""
    service, clock = timed
    for number in range(3):
        clock.move(seconds=1)
        await service.particle(event=f"e{number}")
    cursor = (await get(service, "/alerts", limit=1)).json()["next"]
    changed = ("A" if cursor[0] != "A" else "B") + cursor[1:]
    answers = [
        await get(service, "/alerts", cursor=cursor),
        await get(service, "/alerts", cursor=changed),
        await get(service, "/alerts", cursor=cursor[:22]),
        await get(service, "/incidents", cursor=cursor),
    ]
    assert [answer.status_code for answer in answers] == [200, 422, 422, 422]


async def test_without_a_key_cursors_go_unsigned(make_settings):
    """Lists work while SECRET_KEY isn't set; what isn't a cursor is refused all the same."""
    clock = FakeClock()
    async with serving(make_settings(), clock=clock) as service:
        for number in range(2):
            clock.move(seconds=1)
            await service.particle(event=f"e{number}")
        cursor = (await get(service, "/alerts", limit=1)).json()["next"]
        assert await listed(service, "/alerts", cursor=cursor) == ["e0"]
        assert (await get(service, "/alerts", cursor=cursor[:-1])).status_code == 422


async def test_an_incident_comes_with_its_alerts_and_messages(timed):
    """The latest 20 alerts, newest first, and each message with its attempts."""
    service, _ = timed
    answers = [await service.particle(event_id=f"n{number}") for number in range(22)]
    incident_id = await incident_of(service, answers[0])
    trail = (await get(service, f"/incidents/{incident_id}")).json()
    assert (trail["incident"]["id"], trail["incident"]["alert_count"]) == (incident_id, 22)
    assert {alert["id"] for alert in trail["alerts"]} <= {answer.json()["id"] for answer in answers}
    ids = [alert["id"] for alert in trail["alerts"]]
    assert (len(ids), ids) == (20, sorted(ids, reverse=True))
    opening = await until(lambda: _first_sent(service, incident_id))
    assert [attempt["outcome"] for attempt in opening["attempts"]] == ["sent"]


async def _first_sent(service: Running, incident_id: str) -> Any:
    messages = (await get(service, f"/incidents/{incident_id}")).json()["notifications"]
    return next((message for message in messages if message["status"] == "sent"), None)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/incidents/{NOWHERE}"),
        ("POST", f"/incidents/{NOWHERE}/acknowledge"),
        ("POST", f"/incidents/{NOWHERE}/hand-back"),
        ("POST", f"/incidents/{NOWHERE}/resolve"),
        ("POST", f"/notifications/{NOWHERE}/retry"),
        ("POST", f"/notifications/{NOWHERE}/dismiss"),
    ],
)
async def test_what_is_not_there_is_404(timed, method, path):
    """401 without the token, 404 with it, 422 for an id that is none."""
    client = timed[0].client
    assert (await client.request(method, f"/api{path}")).status_code == 401
    missing = await client.request(method, f"/api{path}", headers=API_BEARER)
    assert (missing.status_code, missing.json()["type"]) == (404, "urn:alertgate:problem:not-found")
    wrong = await client.request(method, f"/api{path.replace(NOWHERE, 'x')}", headers=API_BEARER)
    field = "notification_id" if "notifications" in path else "incident_id"
    assert (wrong.status_code, [error["field"] for error in wrong.json()["errors"]]) == (422, [field])


async def test_acknowledging_cancels_what_is_pending(make_settings, database):
    """The incident says who and when, the message that waited why it won't come; one log line for all of it."""
    async with mailing(make_settings, database) as (service, sink, clock):
        sink.answer("RCPT", "450 4.2.1 busy")
        incident_id = await incident_of(service, await service.particle())
        await message_in(service, incident_id, "pending")
        clock.move(seconds=1)
        with capture_logs() as logs:
            answer = await post(service, f"/incidents/{incident_id}/acknowledge", {"by": " Anna "})
        assert answer.status_code == 200
        incident = answer.json()
        assert (incident["status"], incident["acknowledged_by"]) == ("acknowledged", "Anna")
        assert incident["acknowledged_at"] == "2026-11-23T14:03:01+00:00"
        [line] = [line for line in logs if line["event"] == "incident.acknowledged"]
        assert (line["incident_id"], line["by"], line["cancelled"]) == (incident_id, "Anna", 1)
        cancelled = await message_in(service, incident_id, "cancelled")
        assert (cancelled["reason"], cancelled["finished_at"]) == (
            "acknowledged by Anna",
            "2026-11-23T14:03:01+00:00",
        )
        await service.particle(data="again")
        await message_in(service, incident_id, "cancelled")
    assert sink.messages == []


async def test_acknowledging_again_changes_nothing(timed):
    """200, and the first one to say so stays on record; no second line in the log."""
    service, clock = timed
    incident_id = await incident_of(service, await service.particle())
    first = await post(service, f"/incidents/{incident_id}/acknowledge", {"by": "Anna"})
    clock.move(seconds=1)
    with capture_logs() as logs:
        again = await post(service, f"/incidents/{incident_id}/acknowledge", {"by": "Bea"})
    assert (again.status_code, again.json()) == (200, first.json())
    assert [line for line in logs if line["event"].startswith("incident.")] == []


async def test_handing_back_opens_it_once(timed):
    """What nobody has stays as it is; the incident says who handed it back; what is over can't be."""
    service, clock = timed
    incident_id = await incident_of(service, await service.particle())
    path = f"/incidents/{incident_id}/hand-back"
    unchanged = await post(service, path, {"by": "Bea"})
    assert (unchanged.status_code, unchanged.json()["handed_back_by"]) == (200, None)
    await post(service, f"/incidents/{incident_id}/acknowledge", {"by": "Anna"})
    clock.move(seconds=1)
    with capture_logs() as logs:
        first = await post(service, path, {"by": "Bea"})
        again = await post(service, path, {"by": "Cy"})
    assert (first.status_code, again.status_code, again.json()) == (200, 200, first.json())
    incident = first.json()
    assert (incident["status"], incident["acknowledged_by"], incident["handed_back_by"]) == ("open", "Anna", "Bea")
    assert (incident["handed_back_at"], incident["handed_back_with"]) == ("2026-11-23T14:03:01+00:00", "api_token")
    [line] = [line for line in logs if line["event"].startswith("incident.")]
    assert (line["event"], line["detail"], line["by"]) == ("incident.handed_back", "handed back by Bea", "Bea")
    await post(service, f"/incidents/{incident_id}/resolve")
    refused = await post(service, path)
    assert (refused.status_code, "can no longer become open" in refused.json()["detail"]) == (409, True)


async def test_resolving_tells_each_address_that_was_told_once(make_settings, database):
    """Whoever heard of the beginning hears of the end at once; the refused one doesn't; again changes nothing."""
    async with mailing(make_settings, database, "gone@example.com", "me@example.com") as (service, sink, clock):
        sink.answer("RCPT", "550 5.1.1 gone")
        incident_id = await incident_of(service, await service.particle())
        await sink.received(1)

        async def settled():
            messages = (await get(service, f"/incidents/{incident_id}")).json()["notifications"]
            return {message["status"]: message["address"] for message in messages}.keys() == {"failed", "sent"}

        await until(settled)
        told = sink.messages[0].to
        clock.move(seconds=1)
        answer = await post(service, f"/incidents/{incident_id}/resolve", {"by": "Anna"})
        assert (answer.status_code, answer.json()["status"], answer.json()["resolved_by"]) == (200, "resolved", "Anna")
        last = await message_in(service, incident_id, "sent", count=3)
        assert (last["kind"], last["address"], last["reason"]) == ("resolution", told, "resolved")
        again = await post(service, f"/incidents/{incident_id}/resolve")
        assert (again.status_code, again.json()) == (200, answer.json())
        assert len((await get(service, f"/incidents/{incident_id}")).json()["notifications"]) == 3
    assert [received.to for received in sink.messages] == [told, told]


async def test_what_is_over_is_not_acknowledged(timed):
    """409, and the next alert opens a new incident."""
    service, _ = timed
    incident_id = await incident_of(service, await service.particle())
    assert (await post(service, f"/incidents/{incident_id}/resolve")).json()["resolved_by"] == "api"
    refused = await post(service, f"/incidents/{incident_id}/acknowledge")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:alertgate:problem:conflict")
    assert await incident_of(service, await service.particle(data="again")) != incident_id


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b'{"by": ""}', 422, "by"),
        (b'{"by": "   "}', 422, "by"),
        (json.dumps({"by": "x" * 129}).encode(), 422, "by"),
        (b'{"by": "two\\nlines"}', 422, "by"),
        (b'{"by": 1}', 422, "by"),
        (b'{"who": "Anna"}', 422, "who"),
        (b"[]", 422, ""),
        (b"by=Anna", 400, ""),
        (b"\xff", 400, ""),
    ],
)
async def test_a_wrong_name_changes_nothing(service: Running, body, status, field):
    """Each wrong body is a problem that names the field, and the incident stays open."""
    incident_id = await incident_of(service, await service.particle())
    for path in ("acknowledge", "hand-back", "resolve"):
        answer = await post(service, f"/incidents/{incident_id}/{path}", content=body)
        assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (status, [field])
    assert (await get(service, f"/incidents/{incident_id}")).json()["incident"]["status"] == "open"


async def test_a_failed_message_is_sent_after_all(make_settings, database):
    """It is pending at once with all its patience, and goes out; then there is nothing to try again."""
    async with mailing(make_settings, database) as (service, sink, clock):
        sink.answer("RCPT", "550 5.1.1 gone")
        incident_id = await incident_of(service, await service.particle())
        failed = await message_in(service, incident_id, "failed")
        clock.move(seconds=90)
        with capture_logs() as logs:
            answer = await post(service, f"/notifications/{failed['id']}/retry")
        assert (answer.status_code, answer.json()["id"]) == (200, failed["id"])
        assert answer.json()["retry_since"] == "2026-11-23T14:04:30+00:00"
        assert answer.json()["attempts"][:1] == failed["attempts"]
        assert [line["notification_id"] for line in logs if line["event"] == "notification.retried"] == [failed["id"]]
        sent = await message_in(service, incident_id, "sent")
        assert [attempt["reason"] for attempt in sent["attempts"]] == ["no_such_recipient", "sent"]
        refused = await post(service, f"/notifications/{failed['id']}/retry")
        assert (refused.status_code, "is sent" in refused.json()["detail"]) == (409, True)


async def test_a_failed_message_gives_way_to_one_that_is_pending(make_settings, database):
    """409 names the message that will say it."""
    async with mailing(make_settings, database) as (service, sink, _):
        sink.answer("RCPT", "550 5.1.1 gone", "450 4.2.1 busy")
        incident_id = await incident_of(service, await service.particle())
        failed = await message_in(service, incident_id, "failed")
        await service.particle(data="again")

        async def pending():
            messages = (await get(service, f"/incidents/{incident_id}")).json()["notifications"]
            return next((message for message in messages if message["status"] == "pending"), None)

        waiting = await until(pending)
        refused = await post(service, f"/notifications/{failed['id']}/retry")
        assert (refused.status_code, waiting["id"] in refused.json()["detail"]) == (409, True)


async def test_notifications_are_listed_and_filtered(make_settings, database):
    """By status, channel, severity, incident, time, and whether they are outstanding; each with its last attempt."""
    async with mailing(make_settings, database, "gone@example.com", "me@example.com") as (service, sink, clock):
        sink.refused["gone@example.com"] = "550 5.1.1 gone"
        incident_id = await incident_of(service, await service.particle(severity="critical"))
        await service.settled()
        clock.move(seconds=10)
        await service.particle(event="other", data={"severity": "info"})
        await service.settled()

        async def found(**query: Any) -> list[tuple[str, str, str]]:
            items = (await get(service, "/notifications", **query)).json()["items"]
            return [(each["severity"], each["status"], each["last_attempt"]["reply"][:3]) for each in items]

        about = await found(incident_id=incident_id)
        assert sorted(about) == [("critical", "failed", "550"), ("critical", "sent", "250")]
        assert await found(severity="info", status="failed") == [("info", "failed", "550")]
        assert await found(channel="email", until="2026-11-23T14:03:10Z", outstanding=True, severity="critical") == [
            ("critical", "failed", "550")
        ]
        assert await found(channel="sms") == []
        assert (await get(service, "/notifications", source="particle")).status_code == 422


async def test_pages_of_notifications_neither_repeat_nor_hide(make_settings, database):
    """With a filter too."""
    async with mailing(make_settings, database) as (service, sink, _):
        sink.refused["me@example.com"] = "550 5.1.1 gone"
        for number in range(5):
            await service.particle(event=f"e{number}")
            await service.settled()
        first = (await get(service, "/notifications", outstanding=True, limit=3)).json()
        second = (await get(service, "/notifications", outstanding=True, limit=200, cursor=first["next"])).json()
        ids = [each["id"] for each in (*first["items"], *second["items"])]
        assert (ids, len(set(ids)) >= 5) == (sorted(ids, reverse=True), True)
        assert second["next"] is None


async def test_a_test_message_goes_to_every_recipient(make_settings):
    """Each server's own answer, in the order of the recipients; the channels stay open for alerts."""
    async with mailing(make_settings, {}, "gone@example.com", "me@example.com") as (service, sink, _):
        sink.answer("RCPT", "550 5.1.1 gone")
        answer = await post(service, "/send-test")
        assert answer.status_code == 200
        assert answer.json() == {
            "ok": False,
            "items": [
                {
                    "channel": "email",
                    "address": "gone@example.com",
                    "sent": False,
                    "reply": "no_such_recipient: 550 5.1.1 gone",
                    "proof": None,
                },
                {
                    "channel": "email",
                    "address": "me@example.com",
                    "sent": True,
                    "reply": "250 2.0.0 OK queued as 0001",
                    "proof": "sent",
                },
            ],
        }
        assert (await post(service, "/send-test")).json()["ok"] is True
        assert await listed(service, "/alerts") == []
        await service.particle()
        assert len(await sink.received(5)) == 5


async def test_lists_have_the_documented_fields(timed):
    """Pages and trails have exactly the fields that the OpenAPI document gives them."""
    service, _ = timed
    incident_id = await incident_of(service, await service.particle())
    schemas = (await service.client.get("/openapi.json")).json()["components"]["schemas"]
    for path, name, item in (("/alerts", "AlertList", "AlertView"), ("/incidents", "IncidentList", "IncidentView")):
        page = (await get(service, path)).json()
        assert set(page) == set(schemas[name]["properties"])
        assert set(page["items"][0]) == set(schemas[item]["properties"])
    trail = (await get(service, f"/incidents/{incident_id}")).json()
    assert set(trail) == set(schemas["IncidentTrailView"]["properties"])
    page = await until(lambda: _listed_notifications(service))
    assert set(page) == set(schemas["NotificationList"]["properties"])
    assert set(page["items"][0]) == set(schemas["ListedNotification"]["properties"])
    assert set(trail["notifications"][0]) == set(schemas["NotificationView"]["properties"])
    tried = (await post(service, "/send-test")).json()
    assert set(tried) == set(schemas["TestSendList"]["properties"])
    assert set(tried["items"][0]) == set(schemas["TestSendView"]["properties"])


async def _listed_notifications(service: Running) -> Any:
    page = (await get(service, "/notifications")).json()
    return page if page["items"] else None


ANSWERS = {
    ("get", "/api/alerts"): {"200", "401", "422", "429", "503"},
    ("get", "/api/alerts/{alert_id}"): {"200", "401", "404", "422", "429", "503"},
    ("get", "/api/incidents"): {"200", "401", "422", "429", "503"},
    ("get", "/api/incidents/{incident_id}"): {"200", "401", "404", "422", "429", "503"},
    ("post", "/api/incidents/{incident_id}/acknowledge"): {
        *("200", "400", "401", "404", "408", "409", "413", "422", "429", "503")
    },
    ("post", "/api/incidents/{incident_id}/snooze"): {
        *("200", "400", "401", "404", "408", "409", "413", "422", "429", "503")
    },
    ("post", "/api/incidents/{incident_id}/hand-back"): {
        *("200", "400", "401", "404", "408", "409", "413", "422", "429", "503")
    },
    ("post", "/api/incidents/{incident_id}/resolve"): {
        *("200", "400", "401", "404", "408", "413", "422", "429", "503")
    },
    ("get", "/api/notifications"): {"200", "401", "422", "429", "503"},
    ("post", "/api/notifications/{notification_id}/retry"): {"200", "401", "404", "409", "422", "429", "503"},
    ("post", "/api/notifications/{notification_id}/dismiss"): {
        *("200", "400", "401", "404", "408", "409", "413", "422", "429", "503")
    },
    ("post", "/api/notifications/dismiss"): {*("200", "400", "401", "408", "413", "422", "429", "503")},
    ("get", "/api/silences"): {"200", "401", "422", "429", "503"},
    ("post", "/api/silences"): {*("201", "400", "401", "408", "413", "422", "429", "503")},
    ("get", "/api/silences/{silence_id}"): {"200", "401", "404", "422", "429", "503"},
    ("delete", "/api/silences/{silence_id}"): {"200", "401", "404", "409", "422", "429", "503"},
    ("get", "/api/devices"): {"200", "401", "422", "429", "503"},
    ("get", "/api/devices/{device_id}"): {"200", "401", "404", "422", "429", "503"},
    ("patch", "/api/devices/{device_id}"): {*("200", "400", "401", "404", "408", "409", "413", "422", "429", "503")},
    ("post", "/api/send-test"): {"200", "401", "429", "503"},
    ("get", "/api/who"): {"200", "401", "422", "429", "503"},
}


async def test_the_openapi_document_shows_every_answer_of_the_api(service: Running):
    """Each path with its token, its answers, and a schema that is there for each; errors are problems."""
    document = (await service.client.get("/openapi.json")).json()
    shown = {
        (method, path): set(operation["responses"])
        for path, methods in document["paths"].items()
        if path.startswith("/api/")
        for method, operation in methods.items()
    }
    assert shown == ANSWERS
    for method, path in ANSWERS:
        operation = document["paths"][path][method]
        assert operation["security"] == [{"ApiToken": []}]
        for code, answer in operation["responses"].items():
            [(kind, content)] = answer["content"].items()
            assert kind == ("application/json" if code in {"200", "201"} else "application/problem+json")
            assert content["schema"]["$ref"].removeprefix("#/components/schemas/") in document["components"]["schemas"]
    filters = {parameter["name"] for parameter in document["paths"]["/api/alerts"]["get"]["parameters"]}
    assert filters == {"device", "event", "severity", "status", "source", "since", "until", "limit", "cursor"}


async def test_the_time_of_the_tests_is_the_clocks(timed):
    """Incidents and alerts carry the time at which they came."""
    service, _ = timed
    await service.particle()
    [incident] = (await get(service, "/incidents")).json()["items"]
    assert incident["opened_at"] == START.isoformat()
