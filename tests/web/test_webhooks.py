"""The answers table of the two webhooks, on a real server; on both databases where the store makes a difference."""

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import sqlite3

import pytest

from tests.conftest import API_BEARER, BEARER, SIGNING, Running, serving, sign
from tests.fakes import FakeClock, until

JSON = {"Content-Type": "application/json"}
HALF_A_REQUEST = (
    b"POST /webhook/particle HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n"
    b"Authorization: " + BEARER["Authorization"].encode() + b'\r\n\r\n{"event": "left"}'
)


@pytest.fixture
async def stored(make_settings, database):
    """A service on each database, with the outbox."""
    async with serving(make_settings(**database)) as running:
        yield running


async def test_an_accepted_alert_is_answered_with_its_id_and_incident(stored: Running):
    """202 names the alert and its incident, and both are in the store."""
    answer = await stored.particle(data="motion")
    assert answer.status_code == 202
    body = answer.json()
    assert body["status"] == "accepted"
    trail = await stored.trail(body["id"])
    assert trail["alert"]["data"] == "motion"
    assert trail["incident"]["id"] == body["incident"]


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"event": "e", "data": {"zone": 1}, "coreid": "d"}'),
        ("application/json; charset=utf-8", b'{"event": "e", "data": "{\\"zone\\": 1}", "coreid": "d"}'),
        ("application/x-www-form-urlencoded", b"event=e&data=%7B%22zone%22%3A1%7D&coreid=d"),
        (None, b'{"event": "e", "data": {"zone": 1}, "coreid": "d"}'),
    ],
)
async def test_every_form_that_particle_sends_is_accepted(service: Running, method, content_type, body):
    """POST and PUT; JSON, form-encoded, and a custom body without a content type."""
    headers = {**BEARER, **({"Content-Type": content_type} if content_type else {})}
    answer = await service.client.request(method, "/webhook/particle", content=body, headers=headers)
    assert answer.status_code == 202
    trail = await service.trail(answer.json()["id"])
    assert (trail["alert"]["event"], trail["alert"]["data"], trail["alert"]["device"]) == ("e", {"zone": 1}, "d")


async def test_the_same_event_again_is_a_duplicate(stored: Running):
    """A repeat, by event id or by its time, is answered 200 with the first one's id, and stored once."""
    first = await stored.particle(event_id="one")
    again = await stored.particle(event_id="one")
    assert (again.status_code, again.json()) == (200, {"status": "duplicate", "id": first.json()["id"]})
    reused = await stored.particle(event_id="one", data="other")
    assert reused.status_code == 202
    trail = await stored.trail(reused.json()["id"])
    assert trail["alert"]["reason"].startswith("a new alert, although its id was used before")
    first = await stored.particle(published_at="2026-11-23T14:00:00Z", data="x")
    again = await stored.particle(published_at="2026-11-23T14:00:00Z", data="x")
    other = await stored.particle(published_at="2026-11-23T14:00:00Z", data="y")
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    assert other.status_code == 202


async def test_an_unreadable_particle_request_is_kept_whole(stored: Running):
    """202 quarantined: the raw body is in the store, and the recipients are told."""
    body = b'{"event": "\xff'
    answer = await stored.client.post("/webhook/particle", content=body, headers={**BEARER, **JSON})
    assert answer.status_code == 202
    assert answer.json()["status"] == "quarantined"
    assert answer.json()["errors"]
    trail = await stored.trail(answer.json()["id"])
    assert trail["alert"]["raw"] == body.decode(errors="backslashreplace")
    assert [n["kind"] for n in trail["notifications"]] == ["opening"]


async def test_unreadable_requests_are_grouped_like_any_other(stored: Running):
    """A broken template that fires again and again is one incident."""

    async def broken() -> str:
        answer = await stored.client.post("/webhook/particle", content=b'{"event": "e', headers={**BEARER, **JSON})
        return answer.json()["id"]

    first = await broken()

    async def told():
        return (await stored.trail(first))["notifications"][0]["status"] == "sent"

    await until(told)
    await broken()
    trail = await stored.trail(await broken())
    assert trail["incident"]["alert_count"] == 3
    assert len(trail["notifications"]) == 2


async def test_strict_mode_answers_422_and_keeps_the_request(make_settings, database):
    """PARTICLE_STRICT names the reasons, and the alert is kept all the same."""
    async with serving(make_settings(particle_strict=True, **database)) as service:
        answer = await service.client.post("/webhook/particle", content=b"{", headers={**BEARER, **JSON})
        assert answer.status_code == 422
        assert answer.json()["errors"]
        kept = answer.json()["detail"].split("alert ")[1].split(".")[0]
        assert (await service.trail(kept))["alert"]["raw"] == "{"


async def test_particle_answers_stay_under_512_bytes(service: Running):
    """Particle publishes the answer to the device in chunks of 512 bytes, each of them billed."""
    answers = [
        await service.particle(event_id="x" * 128),
        await service.particle(event_id="x" * 128),
        await service.client.post("/webhook/particle", json={"event": 7 * ["x"], "coreid": {}}, headers=BEARER),
        await service.particle(event="e" * 300, coreid="d" * 300, event_id="i" * 300),
    ]
    assert [a.status_code for a in answers] == [202, 200, 202, 202]
    assert max(len(a.content) for a in answers) < 512


GOOD = json.dumps({"event": "backup", "message": "No backup"}).encode()


async def test_a_signed_alert_is_accepted(stored: Running):
    """The generic webhook's fields come back from the API."""
    answer = await stored.generic(source="nas", severity="critical", details={"last": "3"}, timestamp=1795000000)
    assert answer.status_code == 202
    alert = (await stored.trail(answer.json()["id"]))["alert"]
    assert (alert["message"], alert["severity"], alert["data"]) == ("No backup", "critical", {"last": "3"})
    assert alert["published_at"].startswith("2026-11-18T")


async def test_a_standard_webhook_is_accepted_and_its_repeat_is_a_duplicate(stored: Running):
    """The three Standard Webhooks headers are as good as X-Hub-Signature-256."""
    stamp = str(int(stored.gate.clock.now().timestamp()))
    digest = hmac.new(SIGNING.encode(), b"msg_1." + stamp.encode() + b"." + GOOD, hashlib.sha256).digest()
    headers = {
        **JSON,
        "webhook-id": "msg_1",
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
    first = await stored.client.post("/webhook/generic", content=GOOD, headers=headers)
    again = await stored.client.post("/webhook/generic", content=GOOD, headers=headers)
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json() == {"status": "duplicate", "id": first.json()["id"]}


async def test_an_endless_idempotency_key_is_told_from_others(service: Running):
    """A key that is too long to keep costs no alert, and is no other alert's."""
    keys = ["k" * 300, "k" * 300, "k" * 300 + "x"]
    assert [(await service.generic({"Idempotency-Key": key})).status_code for key in keys] == [202, 200, 202]


async def test_an_idempotency_key_makes_a_repeat_a_duplicate(stored: Running):
    """The same key again is answered 200, and nothing new is stored."""
    first = await stored.generic({"Idempotency-Key": "k1"})
    again = await stored.generic({"Idempotency-Key": "k1"})
    assert (first.status_code, again.status_code, again.json()["id"]) == (202, 200, first.json()["id"])


async def test_a_dedup_key_makes_one_incident(stored: Running):
    """Alerts of one source with one dedup key join, whatever their event; resolved ends it, and the next reopens it."""
    one = (await stored.generic(dedup_key="k", source="a")).json()
    two = (await stored.generic(dedup_key="k", source="a", event="other")).json()
    done = (await stored.generic(dedup_key="k", source="a", status="resolved")).json()
    again = (await stored.generic(dedup_key="k", source="a")).json()
    other = (await stored.generic(dedup_key="k", source="b")).json()
    assert one["incident"] == two["incident"] == done["incident"] == again["incident"] != other["incident"]
    assert (await stored.generic(dedup_key="none", status="resolved")).json()["incident"] is None


@pytest.mark.parametrize(
    ("body", "status", "fields"),
    [
        (b"{", 400, [""]),
        (b"", 400, [""]),
        (b"\xff", 400, [""]),
        (b"[]", 422, [""]),
        (b"{}", 422, ["event", "message"]),
        (b'{"event": "", "message": "m"}', 422, ["event"]),
        (b'{"event": "e", "message": null, "severity": "purple"}', 422, ["message"]),
    ],
)
async def test_a_wrong_generic_body_names_each_field(service: Running, body, status, fields):
    """400 for what isn't JSON, 422 for what isn't an alert; nothing of the input is repeated."""
    answer = await service.client.post(
        "/webhook/generic", content=body, headers={**JSON, "X-Hub-Signature-256": sign(body)}
    )
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert [error["field"].partition(".")[0] for error in problem["errors"]] == fields
    assert "purple" not in answer.text


@pytest.mark.parametrize(
    ("fields", "shown", "kept"),
    [
        ({"event": "e" * 129}, {"event": "e" * 127 + "…"}, {"event": "e" * 129}),
        ({"message": "m" * 8193}, {"message": "m" * 8191 + "…"}, {"message": "m" * 8193}),
        ({"source": "s" * 300}, {"device": "s" * 127 + "…"}, {"source": "s" * 300}),
        ({"dedup_key": "k" * 300}, {}, {"dedup_key": "k" * 300}),
        ({"severity": "purple"}, {"severity": "warning"}, {"severity": "purple"}),
        ({"severity": " EMERG "}, {"severity": "critical"}, {}),
        ({"status": "odd"}, {"signal": "firing"}, {"status": "odd"}),
        ({"details": [1]}, {"data": [1]}, {}),
        ({"details": "disk 3"}, {"data": None}, {"details": "disk 3"}),
        ({"timestamp": "soon"}, {"published_at": None}, {"timestamp": "soon"}),
        ({"message": 7, "event": 8}, {"message": "7", "event": "8"}, {}),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_a_decoration_costs_no_alert(service: Running, fields, shown, kept):
    """What is too long is cut, what isn't understood is set aside, and the whole can be seen."""
    answer = await service.generic(**fields)
    assert answer.status_code == 202
    alert = (await service.trail(answer.json()["id"]))["alert"]
    assert ({name: alert[name] for name in shown}, alert["fields"]) == (shown, kept)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong-token-0123456789"},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": "Bearer"},
        {"Authorization": BEARER["Authorization"] + "x"},
        {"Authorization": BEARER["Authorization"][:-1]},
    ],
)
async def test_a_wrong_bearer_is_refused(service: Running, headers):
    """401 with WWW-Authenticate, as a problem that doesn't repeat the credential."""
    answer = await service.client.post("/webhook/particle", json={"event": "e"}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="alertgate"'
    assert answer.headers["content-type"] == "application/problem+json"
    assert "wrong-token" not in answer.text


async def test_a_wrong_signature_is_refused(service: Running):
    """A signature over other bytes, with another key, or none at all: 401."""
    for headers in ({}, {"X-Hub-Signature-256": sign(b"other")}, {"X-Hub-Signature-256": sign(GOOD, "other key")}):
        answer = await service.client.post("/webhook/generic", content=GOOD, headers={**JSON, **headers})
        assert answer.status_code == 401
        assert "www-authenticate" in answer.headers


async def test_the_bearer_is_checked_before_the_body_is_read(service: Running):
    """A caller without a credential is answered while its body is still outstanding."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=300) as connection:
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(
            connection, b"POST /webhook/particle HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
        )
        answer = await loop.sock_recv(connection, 4096)
    assert answer.startswith(b"HTTP/1.1 401 ")


async def test_both_secrets_are_valid_while_one_is_rotated(make_settings):
    """The previous secret passes beside the present one, on every guard."""
    settings = make_settings(
        particle_webhook_secret_previous="old-particle-0123456789",
        webhook_secret_previous="old-signing-0123456789",
        api_token_previous="old-api-token-0123456789",
    )
    async with serving(settings) as service:
        for token in (BEARER["Authorization"], "Bearer old-particle-0123456789"):
            answer = await service.client.post(
                "/webhook/particle", json={"event": "e"}, headers={"Authorization": token}
            )
            assert answer.status_code == 202
        for key in (SIGNING, "old-signing-0123456789"):
            headers = {**JSON, "X-Hub-Signature-256": sign(GOOD, key)}
            answer = await service.client.post("/webhook/generic", content=GOOD, headers=headers)
            assert answer.status_code == 202
        identity = answer.json()["id"]
        for token in (API_BEARER["Authorization"], "Bearer old-api-token-0123456789"):
            answer = await service.client.get(f"/api/alerts/{identity}", headers={"Authorization": token})
            assert answer.status_code == 200


async def test_what_has_no_secret_is_off_and_says_so(make_settings):
    """503 with the name of the setting, and no Retry-After, because waiting won't help."""
    settings = make_settings(particle_webhook_secret=None, webhook_secret=None, api_token=None)
    async with serving(settings) as service:
        answers = {
            "PARTICLE_WEBHOOK_SECRET": await service.client.post("/webhook/particle"),
            "WEBHOOK_SECRET": await service.client.post("/webhook/generic"),
            "API_TOKEN": await service.client.get("/api/alerts/x"),
        }
    for setting, answer in answers.items():
        assert answer.status_code == 503
        assert f"because {setting} isn't set" in answer.json()["detail"]
        assert "retry-after" not in answer.headers


async def test_a_body_over_the_cap_is_refused(service: Running):
    """413, by the declared length, and by counting where none is declared."""
    big = b"x" * 131_073
    declared = await service.client.post("/webhook/particle", content=big, headers=BEARER)

    async def chunks():
        for _ in range(9):
            yield b"x" * 16_384

    counted = await service.client.post("/webhook/particle", content=chunks(), headers=BEARER)
    signed = await service.client.post("/webhook/generic", content=big, headers={"X-Hub-Signature-256": sign(big)})
    assert [answer.status_code for answer in (declared, counted, signed)] == [413, 413, 413]
    assert {answer.headers["content-type"] for answer in (declared, counted, signed)} == {"application/problem+json"}


async def test_a_body_of_just_the_cap_is_accepted(make_settings):
    """The cap itself still passes."""
    async with serving(make_settings(max_body_bytes=2048)) as service:
        body = b'{"event": "e", "data": "%s"}'
        body %= b"x" * (2048 - len(body) + 2)
        assert len(body) == 2048
        answer = await service.client.post("/webhook/particle", content=body, headers=BEARER)
        assert answer.status_code == 202


async def test_a_body_that_trickles_is_cut_off(make_settings):
    """408 once BODY_TIMEOUT has passed; nothing is stored."""
    async with serving(make_settings(body_timeout=0.2)) as service:
        loop = asyncio.get_running_loop()
        with socket.create_connection(("127.0.0.1", service.port), timeout=300) as connection:
            connection.setblocking(False)
            await loop.sock_sendall(connection, HALF_A_REQUEST)
            answer = await loop.sock_recv(connection, 4096)
        assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_client_that_leaves_early_stores_nothing_and_breaks_nothing(service: Running, caplog):
    """A body that stops half-way is no alert, no traceback, and the next request is served."""
    loop = asyncio.get_running_loop()
    connection = socket.create_connection(("127.0.0.1", service.port), timeout=300)
    connection.setblocking(False)
    await loop.sock_sendall(connection, HALF_A_REQUEST)
    connection.close()
    answer = await service.particle()
    assert answer.status_code == 202
    assert (await service.trail(answer.json()["id"]))["incident"]["alert_count"] == 1
    assert not [record for record in caplog.records if record.exc_info]


async def test_the_wrong_method_is_answered_405(service: Running):
    """With the methods that the path takes."""
    answer = await service.client.get("/webhook/generic")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    answer = await service.client.head("/webhook/particle")
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, POST, PUT")


async def test_a_store_in_trouble_is_answered_503_and_never_2xx(make_settings, tmp_path):
    """When the commit can't be made the caller is told to come back, and it works again once the trouble is over."""
    async with serving(make_settings()) as service:
        store = service.gate.store
        with store.transaction() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=50")  # or the test would wait for five seconds
        lock = sqlite3.connect(tmp_path / "data" / "alertgate.db", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")  # another process holds the database
        answer = await service.particle()
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "nothing was stored" in answer.json()["detail"]
        lock.execute("ROLLBACK")
        lock.close()
        assert (await service.particle()).status_code == 202


async def test_failed_authentication_is_rate_limited_everywhere(make_settings):
    """After RATE_LIMIT failures an address is answered 429 on every path, unless its credential is right."""
    clock = FakeClock()
    async with serving(make_settings(rate_limit="3/minute"), clock=clock) as service:
        paths = ["/webhook/particle", "/api/alerts/x", "/webhook/particle"]
        codes = [(await service.client.request("GET" if "api" in p else "POST", p)).status_code for p in paths]
        assert codes == [401, 401, 401]
        answer = await service.client.get("/api/alerts/x")
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= 60
        for path in ("/webhook/particle", "/webhook/generic"):
            assert (await service.client.post(path)).status_code == 429
        assert (await service.client.get("/api/alerts", headers=API_BEARER)).status_code == 200
        assert (await service.generic()).status_code == 202
        clock.move(seconds=61)
        assert (await service.client.post("/webhook/particle")).status_code == 401


async def test_somebody_elses_wrong_token_does_not_silence_particle(make_settings):
    """Particle calls for everybody from the same few addresses: the right token passes whatever failed before it."""
    async with serving(make_settings(rate_limit="1/minute"), clock=FakeClock()) as service:
        codes = [(await service.client.post("/webhook/particle")).status_code for _ in range(3)]
        assert codes == [401, 429, 429]
        assert (await service.particle()).status_code == 202


async def test_the_generic_webhook_is_rate_limited_by_address(make_settings):
    """Good requests count too."""
    async with serving(make_settings(rate_limit="2/minute"), clock=FakeClock()) as service:
        assert [(await service.generic()).status_code for _ in range(3)] == [202, 202, 429]
        assert (await service.particle()).status_code == 202


async def test_a_particle_device_has_a_budget_of_its_own(make_settings):
    """One device's storm doesn't cost another device its alerts."""
    async with serving(make_settings(particle_rate_limit="2/minute"), clock=FakeClock()) as service:
        assert [(await service.particle()).status_code for _ in range(3)] == [202, 202, 429]
        assert (await service.particle(coreid="another")).status_code == 202


async def test_a_forwarded_address_is_believed_from_a_trusted_proxy_alone(make_settings):
    """X-Forwarded-For chooses the budget only when the peer is in TRUSTED_PROXIES."""
    one, two = {"X-Forwarded-For": "198.51.100.1"}, {"X-Forwarded-For": "198.51.100.2"}
    async with serving(make_settings(rate_limit="1/minute"), clock=FakeClock()) as service:
        assert [(await service.generic(h)).status_code for h in (one, two)] == [202, 429]
    settings = make_settings(rate_limit="1/minute", trusted_proxies="127.0.0.0/8")
    async with serving(settings, clock=FakeClock()) as service:
        assert [(await service.generic(h)).status_code for h in (one, two, two)] == [202, 202, 429]


async def test_the_outbox_gets_what_came_in(make_settings, database):
    """With no mail server the message is a file in the Maildir."""
    settings = make_settings(recipient_email="me@example.com", **database)
    async with serving(settings) as service:
        await service.particle(data="motion in the hall")

        async def files():
            return list((settings.outbox_dir / "new").glob("*"))

        [file] = await until(files)
        assert b"motion in the hall" in file.read_bytes()
