"""`/docs` as a person uses it, in a real browser: what it offers to send can be sent, more than once."""

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator

import httpx
import pytest
from playwright.async_api import Page, async_playwright, expect

from alertgate.web.problems import MEDIA_TYPE, PROBLEMS
from tests.conftest import API, PARTICLE, SIGNING, Running, serving
from tests.web.test_middleware import CHROMIUM

TOKEN = "generic-token-0123456789abcdef"
EVENT = {"event": "alarm/motion", "data": "Motion in the hall", "coreid": "3f002b000000000000000000"}
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium isn't installed; .ci/run installs it")


@pytest.fixture
async def service(make_settings) -> AsyncIterator[Running]:
    """A service with all secrets."""
    async with serving(make_settings(webhook_token=TOKEN)) as running:
        yield running


@pytest.fixture
async def page(service: Running) -> AsyncIterator[Page]:
    """The page in a browser, on which nothing may fail."""
    complaints: list[str] = []
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = await browser.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(f"http://127.0.0.1:{service.port}/docs")
        yield page
        await browser.close()
    assert complaints == []


async def authorize(page: Page, scheme: str, secret: str) -> None:
    """Paste a secret where the page says that it stands in `.env`."""
    await page.get_by_role("button", name="Authorize").first.click()
    dialog = page.locator(".modal-ux")
    form = dialog.locator(".auth-container").filter(has=page.get_by_role("heading", name=scheme))
    await expect(form).to_contain_text("from .env")
    await form.get_by_role("textbox").fill(secret)
    await form.get_by_role("button", name="Apply credentials").click()
    await dialog.locator(".btn-done").first.click()


async def execute(page: Page, operation: str) -> tuple[int, dict[str, str]]:
    """Press Execute in an operation that is open; return what was answered."""
    async with page.expect_response(lambda response: "/webhook/" in response.url or "/api/" in response.url) as coming:
        await page.locator(f"{operation} .execute").click()
    response = await coming.value
    return response.status, await response.json()


@needs_chromium
@pytest.mark.parametrize(
    ("operation", "scheme", "secret"),
    [
        ("particle", "ParticleBearer", PARTICLE),
        ("particle_put", "ParticleBearer", PARTICLE),
        ("particle_get", "ParticleBearer", PARTICLE),
        ("particle_delete", "ParticleBearer", PARTICLE),
        ("generic", "WebhookToken", TOKEN),
    ],
)
async def test_what_the_page_offers_can_be_executed_twice(service: Running, page: Page, operation, scheme, secret):
    """Authorize, open, Execute, Execute: two alerts, with what the page shows, and no made-up ids or times."""
    await authorize(page, scheme, secret)
    block = f"#operations-webhooks-{operation}"
    await page.locator(f"{block} .opblock-summary-control").click()
    answers = [await execute(page, block) for _ in range(2)]
    assert [(status, body["status"]) for status, body in answers] == [(202, "accepted")] * 2
    first, second = [(await service.trail(body["id"]))["alert"] for _, body in answers]
    assert first["id"] != second["id"]
    assert (first["published_at"], first["repeat_key"]) == (None, None)
    if operation != "generic":
        assert (first["event"], first["data"], first["device"]) == tuple(EVENT.values())
        assert first["fields"] == {}


@needs_chromium
async def test_the_page_shows_first_what_particle_sends_and_how_to_sign(page: Page):
    """POST before PUT, the form before JSON; and that a page can't sign."""
    methods = page.locator("#operations-tag-webhooks + div .opblock-summary-method")
    await expect(methods).to_have_text(["POST", "PUT", "GET", "DELETE", "POST"])
    await page.locator("#operations-webhooks-particle .opblock-summary-control").click()
    kinds = page.locator("#operations-webhooks-particle .opblock-section-request-body select.content-type option")
    await expect(kinds).to_have_text(["application/x-www-form-urlencoded", "application/json"])
    await page.locator("#operations-webhooks-generic .opblock-summary-control").click()
    generic = page.locator("#operations-webhooks-generic")
    await expect(generic).to_contain_text("This page can't sign.")
    address = page.url.partition("/docs")[0]
    assert not address.endswith(":8000")
    await expect(generic).to_contain_text(f"curl -i {address}/webhook/generic ")


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="needs curl and openssl")
async def test_the_shell_lines_of_the_generic_webhook_work(service: Running, tmp_path):
    """As they stand in the document, in the directory of `.env`."""
    document = (await service.client.get("/openapi.json")).json()
    description = document["paths"]["/webhook/generic"]["post"]["description"]
    [lines] = re.findall(r"```bash\n(.*?)```", description, re.DOTALL)
    (tmp_path / ".env").write_text(f"WEBHOOK_SECRET={SIGNING}\n")
    script = lines.replace("127.0.0.1:8000", f"127.0.0.1:{service.port}")
    done = await asyncio.to_thread(
        subprocess.run, ["bash", "-ec", script], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True
    )
    assert "202 Accepted" in done.stdout
    assert '"status":"accepted"' in done.stdout


def examples(answer) -> list[dict]:
    """Return the examples of one answer."""
    content = answer["content"][MEDIA_TYPE]
    several = [each["value"] for each in content.get("examples", {}).values()]
    return several or [content["example"]]


async def test_each_problem_has_an_example_of_its_own(service: Running):
    """With the answer's status, a known type and title, and no two the same in one answer."""
    known = {(f"urn:alertgate:problem:{kind}", status, title) for status, kind, title in PROBLEMS.values()}
    document = (await service.client.get("/openapi.json")).json()
    answers = [
        (status, answer)
        for path in document["paths"].values()
        for operation in path.values()
        for status, answer in operation["responses"].items()
        if MEDIA_TYPE in answer.get("content", {})
    ]
    assert len(answers) > 60
    for status, answer in answers:
        shown = examples(answer)
        assert {(each["type"], each["status"], each["title"]) for each in shown} <= known
        assert {str(each["status"]) for each in shown} == {status}
        assert len({json.dumps(each) for each in shown}) == len(shown)


@pytest.mark.parametrize(
    ("method", "path", "request_", "status"),
    [
        ("post", "/webhook/particle", {}, 401),
        ("post", "/webhook/generic", {"content": b'{"event":"door"', "token": TOKEN}, 400),
        ("post", "/webhook/generic", {"content": b'{"event":"door"}', "token": TOKEN}, 422),
        ("post", "/webhook/generic", {"content": b"{}", "signature": f"sha256={64 * '0'}"}, 401),
        ("post", "/webhook/generic", {"content": b"{}", "token": TOKEN, "coding": "gzip"}, 415),
        ("post", "/webhook/particle", {"content": b"x" * 131_073, "token": PARTICLE}, 413),
        ("get", "/api/alerts", {}, 401),
        ("get", "/api/alerts?limit=201", {"token": API}, 422),
        ("get", "/api/alerts/{alert_id}", {"token": API, "id": "1"}, 422),
        ("get", "/api/alerts/{alert_id}", {"token": API}, 404),
        ("post", "/api/incidents/{incident_id}/acknowledge", {"token": API, "content": b"by=Anna"}, 400),
        ("post", "/api/incidents/{incident_id}/acknowledge", {"token": API, "content": b'{"by": ""}'}, 422),
        ("post", "/api/notifications/{notification_id}/retry", {"token": API}, 404),
        ("get", "/metrics", {"token": "wrong"}, 401),
    ],
)
async def test_the_examples_are_what_is_answered(make_settings, method, path, request_, status):
    """Word for word, with the ids of the example."""
    own = {"webhook_token": TOKEN} if request_.get("token") == TOKEN else {}
    async with serving(make_settings(**own, metrics_token="metrics-token-0123456789abc")) as service:
        document = (await service.client.get("/openapi.json")).json()
        shown = examples(document["paths"][path.partition("?")[0]][method]["responses"][str(status)])
        used = re.sub(r"\{\w+\}", request_.get("id", "01a20961-af00-73c2-a8c1-d94c243485f2"), path)
        headers = {"Authorization": f"Bearer {request_['token']}"} if "token" in request_ else {}
        headers |= {"Content-Encoding": request_["coding"]} if "coding" in request_ else {}
        headers |= {"X-Hub-Signature-256": request_["signature"]} if "signature" in request_ else {}
        content = {"content": request_["content"]} if "content" in request_ else {}
        answer: httpx.Response = await service.client.request(method, used, headers=headers, **content)
    assert answer.status_code == status
    assert answer.json() in shown
