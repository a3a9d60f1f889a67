"""Every way in which Particle can call, and what its templates make of an event."""

import json

import pytest

from tests.conftest import API_BEARER, BEARER, DEVICE, Running, serving
from tests.fakes import until
from tests.hostile.wire import AUTHORIZATION, statuses, talk

PATH = "/webhook/particle"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_the_fields_may_stand_in_the_query(service: Running, method):
    """GET and DELETE are as good as POST, and a repeat by another method is still one."""
    fields = {"event": "leak", "data": '{"room": "bath"}', "coreid": DEVICE, "event_id": "e1", "fw": "7"}
    answer = await service.client.request(method, PATH, params=fields, headers=BEARER)
    assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
    alert = (await service.trail(answer.json()["id"]))["alert"]
    assert (alert["event"], alert["data"], alert["device"]) == ("leak", {"room": "bath"}, DEVICE)
    assert alert["fields"] == {"fw": "7", "event_id": "e1"}
    again = await service.client.post(PATH, json=fields, headers=BEARER)
    assert (again.status_code, again.json()["id"]) == (200, answer.json()["id"])


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_query_is_guarded_like_a_body(service: Running, method):
    """401 without the token; a token in the query is none."""
    for params in ({"event": "leak"}, {"event": "leak", "access_token": BEARER["Authorization"].split()[1]}):
        answer = await service.client.request(method, PATH, params=params)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="alertgate"')


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PATCH"])
async def test_other_methods_are_not_taken(service: Running, method):
    """405, with the four that are."""
    answer = await service.client.request(method, f"{PATH}?event=leak", headers=BEARER)
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, POST, PUT")


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    ("headers", "body"), [({}, b'{"event": "leak", "fw": "7"}'), (FORM, b"event=leak&fw=7")], ids=["JSON", "form"]
)
async def test_a_query_joins_the_body(service: Running, method, headers, body):
    """The body wins where both name a field; all else is kept."""
    answer = await service.client.request(
        method, f"{PATH}?event=query&coreid=d7&room=bath", content=body, headers={**BEARER, **headers}
    )
    alert = (await service.trail(answer.json()["id"]))["alert"]
    assert (alert["event"], alert["device"], alert["fields"]) == ("leak", "d7", {"room": "bath", "fw": "7"})


async def test_a_query_may_hold_any_bytes(service: Running):
    """Percent-encoded bytes that are no UTF-8 come back as escapes."""
    head = f"GET {PATH}?event=T%FCr&data=%ff%00&coreid=d8 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n".encode()
    assert statuses(await talk(service.port, head + AUTHORIZATION + b"\r\n")) == [202]
    [alert] = (await service.client.get("/api/alerts?device=d8", headers=API_BEARER)).json()["items"]
    assert (alert["status"], alert["event"], alert["data"]) == ("accepted", "T\\udcfcr", "\udcff\x00")


async def test_a_call_without_any_field_is_kept_and_told(service: Running):
    """Even an empty GET is somebody's broken template."""
    answer = await service.client.get(PATH, headers=BEARER)
    assert (answer.status_code, answer.json()["status"]) == (202, "quarantined")


@pytest.mark.parametrize(
    "body",
    [
        {"name": "leak", "value": {"room": "bath"}, "deviceId": DEVICE},
        {"event": {"value": "leak", "context": {"lat": 1}}, "data": {"room": "bath"}, "device_id": DEVICE},
        {"eventName": "leak", "Data": '{"room": "bath"}', "coreId": DEVICE, "published-at": "2026-11-23T14:00:00Z"},
    ],
    ids=["name and value", "an event that is an object", "other spellings"],
)
async def test_other_spellings_are_understood(service: Running, body):
    """Old and foreign templates say the same."""
    answer = await service.client.post(PATH, json=body, headers=BEARER)
    alert = (await service.trail(answer.json()["id"]))["alert"]
    assert (alert["status"], alert["event"], alert["data"], alert["device"]) == (
        "accepted",
        "leak",
        {"room": "bath"},
        DEVICE,
    )


async def test_no_alarm_is_lost_to_a_counter_under_another_name(service: Running):
    """Two devices count their events alike, and a device sends the same day or tick twice: each is an alert."""
    bodies = [
        {"event": "leak", "coreid": "A", "eventId": 7, "data": "x"},
        {"event": "fire", "coreid": "B", "eventId": 7, "data": "y"},
        *[{"event": "leak", "coreid": "C", "published": 1, "data": "wet"}] * 2,
        *[{"event": "leak", "coreid": "C", "published": "2026-11-25", "data": "wet"}] * 2,
    ]
    answers = [await service.client.post(PATH, json=body, headers=BEARER) for body in bodies]
    assert [answer.json()["status"] for answer in answers] == ["accepted"] * 6


async def test_unreadable_bodies_of_different_devices_are_told_each(make_settings):
    """Three devices with one broken template are three incidents, and three messages."""
    settings = make_settings(recipient_email="me@example.com")
    async with serving(settings) as service:
        for device in ("kitchen", "bath", "cellar"):
            body = b'{"name":"leak","value":"he said "hi"", "device_id" : "%b"}' % device.encode()
            answer = await service.client.post(PATH, content=body, headers=BEARER)
            assert answer.json()["status"] == "quarantined"

        async def told():
            files = list((settings.outbox_dir / "new").glob("*"))
            return sorted(file.read_text() for file in files) if len(files) == 3 else None

        mails = await until(told)
    for device in ("bath", "cellar", "kitchen"):
        assert sum(f"Subject: [WARNING] {device}: unreadable alert leak" in mail for mail in mails) == 1


@pytest.mark.parametrize("digits", [4301, 100_000])
async def test_an_endless_html_escape_costs_no_alert(service: Running, digits):
    """Python refuses to read such a number; the alert is told all the same."""
    body = json.dumps({"event": "leak", "data": f"&#{'9' * digits}"})
    answer = await service.client.post(PATH, content=body, headers=BEARER)
    assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
    trail = await service.trail(answer.json()["id"])
    assert [notification["kind"] for notification in trail["notifications"]] == ["opening"]
