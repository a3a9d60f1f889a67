"""What every request gets, the health paths, the docs, and the API's one path."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi.responses import StreamingResponse
from hypothesis import given
from hypothesis import strategies as st
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from alertgate.app import create_app, open_gate
from alertgate.web.middleware import clean_path
from tests.builders import for_any
from tests.conftest import API_BEARER, BEARER, Running, listening, serving, sign
from tests.hostile.wire import AUTHORIZATION, BODY, statuses, talk
from tests.scrape import scrape

CHROMIUM = next((path for path in map(Path, ("/usr/bin/chromium", "/usr/bin/chromium-browser")) if path.exists()), None)


@pytest.mark.parametrize("path", ["/health", "/docs", "/nope", "/api/alerts/x", "/webhook/particle"])
async def test_every_answer_carries_the_security_headers_and_an_id(service: Running, path):
    """Good and bad answers alike; and the server doesn't name itself."""
    answer = await service.client.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["x-request-id"])
    assert "server" not in answer.headers
    assert "strict-transport-security" not in answer.headers


async def test_https_behind_a_trusted_proxy_is_kept_to(make_settings):
    """HSTS is sent where the proxy says that the caller came by https."""
    async with serving(make_settings(trusted_proxies="127.0.0.1")) as service:
        answer = await service.client.get("/health", headers={"X-Forwarded-Proto": "https"})
    assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"


@pytest.fixture
async def behind_proxy(make_settings) -> AsyncIterator[Running]:
    """A service that takes the test for its proxy."""
    async with serving(make_settings(trusted_proxies="127.0.0.1")) as running:
        yield running


async def test_a_proxys_request_id_is_kept_if_it_is_harmless(behind_proxy: Running):
    """It goes through to the answer and the stored alert; one with odd characters is replaced."""
    answer = await behind_proxy.client.post(
        "/webhook/particle", json={"event": "e"}, headers={**BEARER, "X-Request-ID": "proxy-1"}
    )
    assert answer.headers["x-request-id"] == "proxy-1"
    assert (await behind_proxy.trail(answer.json()["id"]))["alert"]["request_id"] == "proxy-1"
    answer = await behind_proxy.client.get("/health", headers={"X-Request-ID": "a b\tc"})
    assert answer.headers["x-request-id"] != "a b\tc"


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_requests_log_lines_have_its_own_context(behind_proxy: Running, at_once):
    """On one connection, one behind the other or all at once: an alert's id stands in its own request's lines alone."""
    post = b"POST /webhook/particle HTTP/1.1\r\nHost: x\r\nX-Request-ID: first\r\n%bContent-Length: %d\r\n\r\n%b" % (
        AUTHORIZATION,
        len(BODY),
        BODY,
    )
    live = b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Request-ID: second\r\nConnection: close\r\n\r\n"
    with capture_logs(processors=[merge_contextvars]) as logs:
        assert statuses(await talk(behind_proxy.port, *([post + live] if at_once else [post, live]))) == [202, 200]
    lines = [(line["event"], line["request_id"], "alert_id" in line) for line in logs if "request_id" in line]
    assert lines == [
        ("alert.accepted", "first", True),
        ("request.answered", "first", True),
        ("request.answered", "second", False),
    ]


@pytest.mark.parametrize(
    "template", ["//webhook/{}", "/webhook/{}/", "/webhook//{}", "///webhook///{}////", "/webhook/{}/?a=/b//"]
)
async def test_slashes_too_many_reach_the_webhooks(service: Running, template):
    """Answered as the clean path is, without a redirect, and counted by the route's template."""
    body = b'{"event": "e", "message": "m"}'
    for name, good in (("particle", BEARER), ("generic", {"X-Hub-Signature-256": sign(body)})):
        url = f"http://127.0.0.1:{service.port}{template.format(name)}"
        posts = [await service.client.post(url, content=body, headers=headers) for headers in (good, {})]
        other = await service.client.patch(url)
        clean = await service.client.patch(f"/webhook/{name}")
        assert [answer.status_code for answer in (*posts, other)] == [202, 401, 405]
        assert other.headers["allow"] == clean.headers["allow"]
        assert (await service.trail(posts[0].json()["id"]))["alert"]["event"] == "e"
    counted = scrape((await service.client.get("/metrics")).text)
    routes = {labels["route"] for labels in counted.series("alertgate_requests_total")}
    assert routes == {"/webhook/particle", "/webhook/generic", "/api/alerts/{alert_id}"}


@pytest.mark.parametrize(
    "path",
    [
        *("//metrics", "/metrics/", "/status/", "//status", "/health/", "//health/live", "/docs/", "//"),
        *("//api/alerts", "/api//alerts", "/api/alerts/", "//api//incidents/"),
        *("/webhook", "/webhook/", "/webhook//", "/api", "/api//", "/webhook/particle/x/", "/webhooks/particle/"),
        *("/webhook/%2Fparticle", "/webhook/particle%2f", "/%2fwebhook/particle/", "/%2F%2f/webhook/particle"),
        *("/api/../metrics/", "/api//..//metrics", "/webhook/./particle/", "/webhook/particle/%20"),
    ],
)
async def test_other_paths_are_what_they_are(service: Running, path):
    """404: what a proxy may keep from strangers by its path, encoded slashes, and dots, which the edge resolves."""
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    [status] = statuses(await talk(service.port, head))
    assert status == 404


SLASHED = st.lists(st.sampled_from(["/", "//", "webhook", "api", "particle", "metrics", "%", "..", "é", "\n"])).map(
    "".join
)


@for_any
@given(SLASHED | st.text())
def test_a_path_changes_by_its_slashes_alone(path):
    """Cleaning twice is cleaning once, and nothing but slashes goes; outside the webhooks nothing does."""
    cleaned = clean_path(path, path.encode(errors="surrogatepass"))
    assert clean_path(cleaned, b"") == cleaned
    assert cleaned.replace("/", "") == path.replace("/", "")
    assert cleaned == path or (cleaned.startswith("/webhook/") and path.startswith("/"))
    assert cleaned == path or not ("//" in cleaned or cleaned.endswith("/"))
    assert clean_path(path, b"/%2F") == path


async def test_an_answer_that_is_streamed_begins_at_once(make_settings):
    """Its head and each piece leave as they come, not with the next one: an event stream mustn't look dead."""
    app = create_app(open_gate(make_settings()))
    more = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        await more.wait()
        yield b"piece"

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(pieces())

    async with listening(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(10):
            assert b"x-content-type-options: nosniff" in await reader.readuntil(b"\r\n\r\n")
            more.set()
            assert await reader.read() == b"5\r\npiece\r\n0\r\n\r\n"
        writer.close()


async def test_a_defect_is_answered_and_logged(make_settings):
    """500 with the request's id, as a problem without a traceback; the log has that."""
    app = create_app(open_gate(make_settings()))

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("oh no")

    with capture_logs() as logs:
        async with listening(app) as port:
            answer = await talk(port, b"GET /broken HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert statuses(answer) == [500]
    assert b"urn:alertgate:problem:internal" in answer
    assert b"oh no" not in answer
    [failed] = [line for line in logs if line["event"] == "request.failed"]
    assert (failed["log_level"], failed["path"], failed["exc_info"]) == ("error", "/broken", True)


async def test_health_says_that_it_can_store(service: Running):
    """The three paths, as the design states them."""
    health = await service.client.get("/health")
    assert health.status_code == 200
    assert set(health.json()) == {"status", "timestamp", "version"}
    assert health.json()["status"] == "healthy"
    assert (await service.client.get("/health/live")).json() == {"status": "live"}
    ready = await service.client.get("/health/ready")
    assert (ready.status_code, ready.json()) == (
        200,
        {"status": "ready", "checks": {"store": "ok", "delivery": "ok", "draining": "ok"}, "degraded": []},
    )


async def test_health_says_why_it_cannot_store(make_settings):
    """A database that takes no write is 503 with the reason, on /health and /health/ready, and live stays up."""
    async with serving(make_settings()) as service:
        with service.gate.store.transaction() as connection:
            connection.exec_driver_sql("PRAGMA query_only=ON")
        health = await service.client.get("/health")
        ready = await service.client.get("/health/ready")
        live = await service.client.get("/health/live")
    assert (health.status_code, ready.status_code, live.status_code) == (503, 503, 200)
    assert health.json()["status"] == "unhealthy"
    assert health.json()["checks"] == {"store": "the database can't be used; the log says why"}


async def test_a_draining_service_is_not_ready(service: Running):
    """A load balancer stops sending to a service that is stopping."""
    service.gate.health.draining = True
    ready = await service.client.get("/health/ready")
    assert (ready.status_code, ready.json()["checks"]["draining"]) == (503, "the service is stopping")


async def test_the_api_wants_its_token(service: Running):
    """401 without and with Particle's token, 404 and 422 with the right one."""
    path = "/api/alerts/01890000-0000-7000-8000-000000000000"
    assert (await service.client.get(path)).status_code == 401
    assert (await service.client.get(path, headers=BEARER)).status_code == 401
    missing = await service.client.get(path, headers=API_BEARER)
    assert (missing.status_code, missing.json()["type"]) == (404, "urn:alertgate:problem:not-found")
    wrong = await service.client.get("/api/alerts/x", headers=API_BEARER)
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "alert_id")


async def test_a_trail_with_odd_text_is_valid_json(service: Running):
    """Bytes that are no UTF-8 come back as JSON escapes."""
    body = b"event=e&data=%FF%00&coreid=d"
    headers = {**BEARER, "Content-Type": "application/x-www-form-urlencoded"}
    answer = await service.client.post("/webhook/particle", content=body, headers=headers)
    assert answer.json()["status"] == "accepted"
    assert (await service.trail(answer.json()["id"]))["alert"]["data"] == "\udcff\x00"


async def test_the_trail_has_the_documented_fields(service: Running):
    """The API's answer has exactly the fields that the OpenAPI document gives it."""
    answer = await service.particle()
    trail = await service.trail(answer.json()["id"])
    schemas = (await service.client.get("/openapi.json")).json()["components"]["schemas"]
    assert set(trail["alert"]) == set(schemas["AlertView"]["properties"])
    assert set(trail["incident"]) == set(schemas["IncidentView"]["properties"])
    assert set(trail["notifications"][0]) == set(schemas["NotificationView"]["properties"])


async def test_the_openapi_document_shows_bodies_answers_and_credentials(service: Running):
    """Both request bodies of Particle, every answer with a schema, and the security schemes."""
    document = (await service.client.get("/openapi.json")).json()
    for method in ("post", "put"):
        particle = document["paths"]["/webhook/particle"][method]
        assert set(particle["requestBody"]["content"]) == {"application/json", "application/x-www-form-urlencoded"}
        assert set(particle["responses"]) == {"200", "202", "401", "408", "413", "422", "429", "503"}
        assert particle["security"] == [{"ParticleBearer": []}]
    assert list(document["paths"]["/webhook/particle"]) == ["post", "put", "get", "delete"]
    operations = [operation["operationId"] for operation in document["paths"]["/webhook/particle"].values()]
    assert operations == ["particle", "particle_put", "particle_get", "particle_delete"]
    for method in ("get", "delete"):
        particle = document["paths"]["/webhook/particle"][method]
        parameters = {parameter["name"]: parameter["required"] for parameter in particle["parameters"]}
        assert parameters == {"event": True, "data": False, "coreid": False, "published_at": False, "event_id": False}
        assert ("requestBody" in particle, particle["security"]) == (False, [{"ParticleBearer": []}])
    generic = document["paths"]["/webhook/generic"]["post"]
    assert set(generic["responses"]) == {"200", "202", "400", "401", "408", "413", "415", "422", "429", "503"}
    assert generic["security"] == [{"HubSignature": []}, {"StandardWebhooks": []}, {"WebhookToken": []}]
    parameters = {parameter["name"] for parameter in generic["parameters"]}
    assert parameters == {"Idempotency-Key", "webhook-id", "webhook-timestamp"}
    for answer in (*particle["responses"].values(), *generic["responses"].values()):
        assert all("schema" in content for content in answer["content"].values())


async def test_the_docs_can_be_switched_off(make_settings):
    """DOCS_ENABLED=false takes both paths away."""
    async with serving(make_settings(docs_enabled=False)) as service:
        codes = [(await service.client.get(path)).status_code for path in ("/docs", "/openapi.json", "/health")]
    assert codes == [404, 404, 200]


@pytest.mark.skipif(CHROMIUM is None, reason="chromium isn't installed; .ci/run installs it")
async def test_the_docs_work_in_a_browser_under_the_strict_policy(service: Running, tmp_path):
    """Swagger UI renders every path in a real browser, with no outside host and no policy violation."""
    command = [
        str(CHROMIUM),
        *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
        *("--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path}/profile"),
        *("--enable-logging=stderr", "--v=0", "--virtual-time-budget=8000", "--dump-dom"),
        f"http://127.0.0.1:{service.port}/docs",
    ]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=300, check=True)
    for path in ("/webhook/particle", "/webhook/generic", "/health", "/api/alerts/"):
        assert path in done.stdout.replace("\u200b", "")
    assert "Content Security Policy" not in done.stderr
