"""Requests that somebody has seen and sends again: what they can't do, and what they can (SECURITY.md says so)."""

import base64
import hashlib
import hmac
import json
from datetime import datetime, timedelta

import httpx
import pytest

from tests.conftest import API_BEARER, SIGNING, Running, serving, sign
from tests.fakes import FakeClock

LEAK = {"event": "leak", "message": "Water", "source": "nas", "severity": "critical"}
OVER = {"event": "leak", "message": "Dry", "source": "nas", "status": "resolved"}


@pytest.fixture
async def service(make_settings, database):
    """A service whose clock the test moves, on each database."""
    async with serving(make_settings(**database), clock=FakeClock()) as running:
        yield running


async def _hub(service: Running, body: bytes, key: str | None = None) -> httpx.Response:
    headers = {"X-Hub-Signature-256": sign(body)} | ({"Idempotency-Key": key} if key else {})
    return await service.client.post("/webhook/generic", content=body, headers=headers)


def _standard(service: Running, body: bytes, message_id: str, prefix: str = "webhook") -> dict[str, str]:
    stamp = str(int(service.gate.clock.now().timestamp()))
    digest = hmac.new(SIGNING.encode(), f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {f"{prefix}-id": message_id, f"{prefix}-timestamp": stamp, f"{prefix}-signature": signature}


async def _status(service: Running, incident: str) -> str:
    answer = await service.client.get(f"/api/incidents/{incident}", headers=API_BEARER)
    return answer.json()["incident"]["status"]


def _body(alert: dict[str, str], service: Running, ago: timedelta | None = None) -> bytes:
    at = {} if ago is None else {"timestamp": (service.gate.clock.now() - ago).isoformat()}
    return json.dumps({**alert, **at}).encode()


@pytest.mark.parametrize("form", ["isoformat", "timestamp"])
async def test_an_old_all_clear_ends_nothing(service: Running, form):
    """Yesterday's, with its own time in the signed body: the live incident stays open, however the time is written."""
    at = getattr(service.gate.clock.now() - timedelta(days=1), form)()
    yesterdays = json.dumps({**OVER, "timestamp": at}).encode()
    incident = (await _hub(service, _body(LEAK, service))).json()["incident"]
    for key in (None, "k1", "k2"):
        replayed = await _hub(service, yesterdays, key)
        assert replayed.status_code in {200, 202}
        assert await _status(service, incident) == "open"
    service.gate.clock.move(seconds=40)
    fresh = await _hub(service, _body(OVER, service, timedelta(seconds=30)))
    assert (fresh.status_code, await _status(service, incident)) == (202, "resolved")


async def test_an_all_clear_from_before_the_alarm_ends_nothing(service: Running):
    """Young enough to count, but published before what it would end."""
    all_clear = _body(OVER, service, timedelta(seconds=10))
    incident = (await _hub(service, _body(LEAK, service, timedelta(0)))).json()["incident"]
    await _hub(service, all_clear)
    assert await _status(service, incident) == "open"


@pytest.mark.parametrize("before", [True, False], ids=["before the alarm", "after it"])
async def test_an_old_all_clear_again_and_again_hides_no_alarm(service: Running, before):
    """Not the next one either, although that was published before the last replay came."""
    yesterdays = _body(OVER, service, timedelta(days=1))
    alarm = _body(LEAK, service, timedelta(seconds=2))
    for _ in range(3):
        assert (await _hub(service, yesterdays)).status_code in {200, 202}
        service.gate.clock.move(seconds=1)
    answer = (await _hub(service, alarm)).json()
    if not before:
        await _hub(service, yesterdays)
    assert (answer["status"], await _status(service, answer["incident"])) == ("accepted", "open")


def _at(service: Running, seconds: float) -> str:
    return (service.gate.clock.now() + timedelta(seconds=seconds)).isoformat()


@pytest.mark.parametrize("key", [None, "another"], ids=["as it was", "under another key"])
@pytest.mark.parametrize(
    ("alarm", "all_clear"),
    [
        pytest.param(lambda _: {}, -1, id="the alarm has no time"),
        pytest.param(lambda _: {"timestamp": "26.11. 9 Uhr"}, -1, id="an unreadable one"),
        pytest.param(lambda service: {"timestamp": _at(service, -600)}, -1, id="one from a slow clock"),
        pytest.param(lambda service: {"timestamp": _at(service, 0)}, 0, id="the right one"),
        pytest.param(lambda service: {"timestamp": _at(service, 4)}, 4, id="both clocks are 4 s fast"),
        pytest.param(lambda service: {"timestamp": _at(service, 60)}, 60, id="both are 60 s fast"),
    ],
)
async def test_the_last_all_clear_again_does_not_end_the_next_alarm(service: Running, alarm, all_clear, key):
    """Fire, clear, fire, and the clear once more, byte for byte: the incident that goes on stays open."""
    await _hub(service, json.dumps({**LEAK, **alarm(service)}).encode())
    service.gate.clock.move(seconds=5)
    over = json.dumps({**OVER, "timestamp": _at(service, all_clear)}).encode()
    ended = (await _hub(service, over)).json()["incident"]
    assert await _status(service, ended) == "resolved"
    service.gate.clock.move(seconds=1)
    again = (await _hub(service, json.dumps({**LEAK, "n": 2, **alarm(service)}).encode())).json()["incident"]
    for _ in range(2):
        service.gate.clock.move(seconds=70)
        replayed = await _hub(service, over, key)
        assert (replayed.json()["status"], await _status(service, again)) == ("duplicate", "open")
    fresh = json.dumps({**OVER, "timestamp": _at(service, 0)}).encode()
    assert (await _hub(service, fresh)).status_code == 202
    assert await _status(service, again) == "resolved"


@pytest.mark.parametrize("alarm", [{}, {"timestamp": "soon"}], ids=["no time", "an unreadable one"])
async def test_an_all_clear_that_was_held_back_does_not_end_a_later_alarm(service: Running, alarm):
    """It never arrived, so it is no repeat: its own time is before the alarm was received."""
    held_back = _body(OVER, service, timedelta(0))
    service.gate.clock.move(seconds=20)
    incident = (await _hub(service, json.dumps({**LEAK, **alarm}).encode())).json()["incident"]
    service.gate.clock.move(seconds=20)
    assert (await _hub(service, held_back)).status_code == 202
    assert await _status(service, incident) == "open"


@pytest.mark.parametrize(
    "write",
    [
        lambda at: (at + timedelta(hours=1)).isoformat(),
        lambda at: at + timedelta(minutes=2),
        lambda at: at.replace(hour=0).strftime("%a, %d %b %Y %H:%M:%S GMT"),
        lambda at: at.strftime("%a, %d %b %Y %H:%M:%S CET"),
        lambda at: int((at.timestamp() - 3600) * 10**6),
        lambda at: int((at.timestamp() - 3600) * 10**9),
        lambda at: str(int((at.timestamp() - 3600) * 10**9)),
        lambda at: (at - timedelta(hours=1)).strftime("%Y%m%dT%H%M%SZ"),
        lambda at: (at - timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S +00:00"),
        lambda at: at.strftime("%Y/%m/%d %H:%M:%S"),
        lambda at: at.strftime("%d.%m.%Y %H:%M"),
        lambda at: at.strftime("%Y-%m-%d %H:%M:%S CET"),
        lambda at: at.strftime("%Y-%m-%dT24:00:00Z"),
        lambda at: at.strftime("%G-W%V-%u"),
        lambda at: at.strftime("%b %d %H:%M:%S"),
        lambda at: at.strftime("%H:%M:%S"),
        lambda _: -5,
        lambda _: True,
        lambda _: False,
        lambda _: [],
        lambda at: [at],
        lambda at: {"at": at},
        lambda _: "yesterday",
        lambda _: "9" * 10_000,
        lambda _: 10**400,
        lambda _: "\udcff",
    ],
)
async def test_an_all_clear_whose_time_says_nothing_ends_nothing(service: Running, write):
    """Whatever stands there in place of a time of the last minutes: it may be of any age."""
    incident = (await _hub(service, _body(LEAK, service))).json()["incident"]
    service.gate.clock.move(seconds=1)
    body = json.dumps({**OVER, "timestamp": write(service.gate.clock.now())}, default=datetime.isoformat).encode()
    for key in (None, "k"):
        assert (await _hub(service, body, key)).status_code in {200, 202}
        assert await _status(service, incident) == "open"


@pytest.mark.parametrize(
    "write",
    [
        None,
        lambda at: at.strftime("%a, %d %b %Y %H:%M:%S +0000"),
        lambda at: at.strftime("%Y-%m-%d %H:%M:%S +0000 UTC"),
        lambda at: at.strftime("%Y%m%dT%H%M%SZ"),
        lambda at: int(at.timestamp() * 1000),
        lambda at: int(at.timestamp() * 10**9),
        lambda at: at.isoformat(),
        lambda _: None,
        lambda _: " ",
        lambda _: "0001-01-01T00:00:00Z",
    ],
)
@pytest.mark.parametrize("timed", [True, False], ids=["an alarm with a time", "one without"])
async def test_a_good_all_clear_ends_its_incident(service: Running, write, timed):
    """With a time in any common form, and with none, as most senders have it; Go's zero time is none."""
    incident = (await _hub(service, _body(LEAK, service, timedelta(0) if timed else None))).json()["incident"]
    service.gate.clock.move(seconds=2)
    at = {"timestamp": write(service.gate.clock.now())} if write else {}
    assert (await _hub(service, json.dumps({**OVER, **at}).encode())).status_code == 202
    assert await _status(service, incident) == "resolved"


async def test_an_all_clear_without_a_time_can_be_replayed(service: Running):
    """Not promised: a hub signature signs no time, so such a body means the same whenever it comes."""
    all_clear = _body(OVER, service)
    incident = (await _hub(service, _body(LEAK, service))).json()["incident"]
    await _hub(service, all_clear)
    assert await _status(service, incident) == "resolved"


@pytest.mark.parametrize("minutes", [0, 30, 90])
async def test_an_old_body_under_tomorrows_key_swallows_no_alert(service: Running, minutes):
    """Idempotency-Key isn't signed: another content under the same key is an alert of its own."""
    old = json.dumps({**LEAK, "message": "Water, last month"}).encode()
    assert (await _hub(service, old, "2026-11-24")).status_code == 202
    service.gate.clock.move(minutes=minutes)
    for changed in ({"message": "Water, now"}, {"severity": "info"}, {"details": {"cm": 3}}, {"status": "firing"}):
        real = await _hub(service, json.dumps({**LEAK, **changed}).encode(), "2026-11-24")
        assert (real.status_code, real.json()["status"]) == (202, "accepted"), changed


async def test_the_same_words_under_a_known_key_are_told_once_their_incident_is_over(service: Running):
    """Even with equal content a key swallows nothing that nobody would hear of."""
    body = _body(LEAK, service)
    incident = (await _hub(service, body, "k")).json()["incident"]
    assert (await _hub(service, body, "k")).json()["status"] == "duplicate"
    await service.client.post(f"/api/incidents/{incident}/resolve", json={"by": "me"}, headers=API_BEARER)
    again = await _hub(service, body, "k")
    assert (again.status_code, again.json()["status"]) == (202, "accepted")


@pytest.mark.parametrize("fired_before", [False, True], ids=["nothing was open", "it ended an incident"])
async def test_an_old_all_clear_under_tomorrows_key_swallows_no_all_clear(service: Running, fired_before):
    """The key isn't signed: what fires afterwards is over once its own all-clear comes, under that key."""
    over = _body(OVER, service)
    if fired_before:
        await _hub(service, _body(LEAK, service))
    await _hub(service, over, "2026-11-24")
    service.gate.clock.move(minutes=20)
    incident = (await _hub(service, _body(LEAK, service))).json()["incident"]
    real = await _hub(service, over, "2026-11-24")
    assert (real.json()["status"], await _status(service, incident)) == ("accepted", "resolved")
    assert (await _hub(service, over, "2026-11-24")).json()["status"] == "duplicate", "there is nothing left to end"


async def test_one_standard_webhook_is_one_alert_whatever_is_unsigned_beside_it(service: Running):
    """Under three keys, without one, and under its headers' older names: its key is its signed id alone."""
    body = _body(LEAK, service)
    headers, svix = _standard(service, body, "msg-1"), _standard(service, body, "msg-1", "svix")
    answers = [
        await service.client.post("/webhook/generic", content=body, headers={**named, **key})
        for named in (headers, svix)
        for key in ({"Idempotency-Key": "a"}, {"Idempotency-Key": "b"}, {"Idempotency-Key": "c"}, {})
    ]
    assert [answer.status_code for answer in answers] == [202] + [200] * 7
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_a_standard_webhook_is_no_older_than_five_minutes(service: Running):
    """Its time is signed: later it is 401, and with a newer time or another id its signature is wrong."""
    body = _body(OVER, service)
    seen = _standard(service, body, "msg-1")
    incident = (await _hub(service, _body(LEAK, service))).json()["incident"]
    service.gate.clock.move(minutes=5, seconds=1)
    now = str(int(service.gate.clock.now().timestamp()))
    for forged in (seen, {**seen, "webhook-timestamp": now}, {**seen, "webhook-id": "msg-2"}):
        assert (await service.client.post("/webhook/generic", content=body, headers=forged)).status_code == 401
    assert await _status(service, incident) == "open"


async def test_an_unsigned_key_cannot_take_the_place_of_a_signed_id(service: Running):
    """An old body with a hub signature, under the id of a message to come: that message is an alert all the same."""
    body = _body(LEAK, service)
    await _hub(service, body, "msg-2")
    unsigned_id = {"X-Hub-Signature-256": sign(body), "webhook-id": "msg-2"}
    await service.client.post("/webhook/generic", content=body, headers=unsigned_id)
    real = await service.client.post("/webhook/generic", content=body, headers=_standard(service, body, "msg-2"))
    assert (real.status_code, real.json()["status"]) == (202, "accepted")
