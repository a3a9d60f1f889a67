"""Who raises alerts on the generic webhook: senders that sign with a library or by hand, and those that can't sign."""

import asyncio
import socket
from datetime import timedelta

import pytest
import standardwebhooks
import svix

from alertgate.cli.init import signing_secret
from tests.conftest import PARTICLE, SIGNING, Running, serving, sign
from tests.fakes import FakeClock, mail_sink
from tests.scrape import scrape

TOKEN = "webhook-token-0123456789abcdef"
BY_TOKEN = {"Authorization": f"Bearer {TOKEN}"}
BODY = '{"event": "backup", "message": "Kein Backup seit Größe ✓"}'


def library_headers(service: Running, secret: str, prefix: str = "webhook", body: str = BODY) -> dict[str, str]:
    """Sign as the libraries for Python do: Svix's with its own names of the headers."""
    now = service.gate.clock.now()
    library = svix if prefix.lower() == "svix" else standardwebhooks
    signature = library.Webhook(secret).sign("msg_1", now, body)
    return {
        f"{prefix}-id": "msg_1",
        f"{prefix}-timestamp": str(int(now.timestamp())),
        f"{prefix}-signature": signature,
    }


async def _post(service: Running, headers: dict[str, str], body: str | bytes = BODY, path: str = "/webhook/generic"):
    return await service.client.post(path, content=body, headers=headers)


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "application/json",
        "application/json; charset=utf-8",
        "APPLICATION/JSON;charset=UTF-8",
        "application/cloudevents+json",
        "text/plain",
        "text/plain; charset=utf-8",
        "text/html",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "nonsense",
        "x" * 5000,
    ],
    ids=lambda value: str(value)[:40],
)
async def test_json_is_taken_whatever_its_content_type_says(service: Running, content_type):
    """Many senders name none, or a wrong one: what counts is that the body is JSON."""
    headers = {"X-Hub-Signature-256": sign(BODY.encode())}
    if content_type is not None:
        headers["Content-Type"] = content_type
    answer = await _post(service, headers)
    assert answer.status_code == 202
    trail = await service.trail(answer.json()["id"])
    assert (trail["alert"]["event"], trail["alert"]["message"]) == ("backup", "Kein Backup seit Größe ✓")


@pytest.mark.parametrize("body", [b"", b"backup failed", b"event=e&message=m", b"<e/>", b"\xff\xfe", b'{"event":'])
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/json"])
async def test_a_body_that_is_no_json_is_answered_clearly(service: Running, content_type, body):
    """400 says what to send, whatever the content type."""
    answer = await _post(service, {"Content-Type": content_type, "X-Hub-Signature-256": sign(body)}, body)
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:alertgate:problem:malformed")
    assert "not valid JSON" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("coding", "status"), [("gzip", 415), ("BR", 415), ("identity, gzip", 415), ("Identity", 202), ("", 202)]
)
async def test_a_compressed_body_is_refused(service: Running, coding, status):
    """415 for a content coding; `identity` is none."""
    answer = await _post(service, {"Content-Encoding": coding, "X-Hub-Signature-256": sign(BODY.encode())})
    assert answer.status_code == status


@pytest.mark.parametrize("prefix", ["webhook", "svix", "SVIX"])
async def test_the_libraries_sign_with_the_secret_that_init_writes(make_settings, prefix):
    """Their headers pass by both of their names, and the message's id makes a repeat a duplicate."""
    secret = signing_secret()
    async with serving(make_settings(webhook_secret=secret)) as service:
        headers = library_headers(service, secret, prefix)
        first, again = await _post(service, headers), await _post(service, headers)
        assert (first.status_code, again.status_code) == (202, 200)
        assert again.json() == {"status": "duplicate", "id": first.json()["id"]}


async def test_signatures_by_hand_use_the_same_secret_as_it_is_typed(make_settings):
    """X-Hub-Signature-256 is keyed with the whole text, `whsec_` too."""
    secret = signing_secret()
    async with serving(make_settings(webhook_secret=secret)) as service:
        assert (await _post(service, {"X-Hub-Signature-256": sign(BODY.encode(), secret)})).status_code == 202
        bare = sign(BODY.encode(), secret.removeprefix("whsec_"))
        assert (await _post(service, {"X-Hub-Signature-256": bare})).status_code == 401


async def test_the_two_names_of_a_header_are_never_mixed(make_settings):
    """A signature is judged with the id and the time of its own name; `webhook-…` comes first, as it did."""
    secret = signing_secret()
    async with serving(make_settings(webhook_secret=secret), clock=FakeClock()) as service:
        webhook, svix = (library_headers(service, secret, prefix) for prefix in ("webhook", "svix"))
        mixed = {**webhook, "svix-signature": webhook["webhook-signature"]}
        del mixed["webhook-signature"]
        assert (await _post(service, mixed)).status_code == 401
        assert (await _post(service, {**svix, "webhook-signature": "v1,AAAA"})).status_code == 401
        assert (await _post(service, {**svix, "webhook-id": "another"})).status_code == 202
        again = await _post(service, {**svix, "webhook-id": "yet another"})
        assert again.status_code == 200, "the id that was signed is the one that counts"
        assert (await _post(service, {**webhook, **svix})).status_code == 200
        assert (await _post(service, {**svix, "Idempotency-Key": "fresh"})).status_code == 200, "it isn't signed"
        service.gate.clock.move(seconds=timedelta(minutes=5, seconds=1).total_seconds())
        assert (await _post(service, svix)).status_code == 401


async def test_a_sender_that_cannot_sign_sends_a_token(make_settings):
    """Authorization: Bearer with WEBHOOK_TOKEN is enough: the alert is stored, and the mail goes out."""
    async with mail_sink() as sink:
        settings = make_settings(
            webhook_token=TOKEN,
            smtp_host="127.0.0.1",
            smtp_port=sink.port,
            smtp_security="none",
            smtp_email="alerts@example.net",
            recipient_email="me@example.com",
        )
        async with serving(settings) as service:
            answer = await _post(service, {**BY_TOKEN, "Content-Type": "text/plain"})
            assert answer.status_code == 202
            assert (await service.trail(answer.json()["id"]))["alert"]["event"] == "backup"
            [received] = await sink.received(1)
    assert "Kein Backup seit Größe ✓" in received.text


async def test_signatures_pass_beside_the_token(make_settings):
    """What could sign before still can."""
    async with serving(make_settings(webhook_token=TOKEN)) as service:
        assert (await service.generic()).status_code == 202
        assert (await _post(service, library_headers(service, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))).status_code == 401


@pytest.mark.parametrize(
    "signature",
    [
        {"X-Hub-Signature-256": sign(b"other")},
        {"X-Hub-Signature-256": ""},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": ""},
        {"Svix-Signature": "v1,AAAA", "svix-id": "1", "svix-timestamp": "1"},
    ],
)
async def test_who_presents_a_signature_is_judged_by_it(make_settings, signature):
    """A right token doesn't mend a wrong signature, nor does a wrong token spoil a right signature."""
    async with serving(make_settings(webhook_token=TOKEN)) as service:
        answer = await _post(service, {**BY_TOKEN, **signature})
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Signature realm="alertgate"')
        good = {"X-Hub-Signature-256": sign(BODY.encode()), "Authorization": "Bearer wrong"}
        assert (await _post(service, good)).status_code == 202


@pytest.mark.parametrize("token", ["webhook-token-0123456789abcde", SIGNING, PARTICLE, TOKEN.upper()])
async def test_a_wrong_token_is_refused(make_settings, token):
    """401 that names the scheme and the setting, and not what was sent."""
    async with serving(make_settings(webhook_token=TOKEN)) as service:
        answer = await _post(service, {"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="alertgate"')
        assert "WEBHOOK_TOKEN" in answer.json()["detail"]
        assert token not in answer.text


async def test_the_token_opens_the_generic_webhook_alone(make_settings):
    """Neither Particle's webhook nor the API takes it."""
    async with serving(make_settings(webhook_token=TOKEN)) as service:
        assert (await _post(service, BY_TOKEN, path="/webhook/particle")).status_code == 401
        assert (await service.client.get("/api/alerts", headers=BY_TOKEN)).status_code == 401


async def test_both_tokens_pass_while_one_is_rotated(make_settings):
    """The previous token passes beside the present one, and alone it opens nothing."""
    async with serving(make_settings(webhook_token=TOKEN, webhook_token_previous="old-token-0123456789")) as service:
        for token in (TOKEN, "old-token-0123456789"):
            assert (await _post(service, {"Authorization": f"Bearer {token}"})).status_code == 202
    async with serving(make_settings(webhook_token_previous="old-token-0123456789")) as service:
        assert (await _post(service, {"Authorization": "Bearer old-token-0123456789"})).status_code == 401


async def test_without_a_secret_only_the_token_passes_and_a_signature_is_told_so(make_settings):
    """401 that says which setting is missing and what does work."""
    async with serving(make_settings(webhook_secret=None, webhook_token=TOKEN)) as service:
        assert (await _post(service, BY_TOKEN)).status_code == 202
        signed = await service.generic()
        unsigned = await _post(service, {})
    assert (signed.status_code, signed.headers["www-authenticate"]) == (401, 'Bearer realm="alertgate"')
    assert signed.json()["detail"] == (
        "Signatures are switched off here, because WEBHOOK_SECRET isn't set. "
        "Send Authorization: Bearer with WEBHOOK_TOKEN."
    )
    assert unsigned.json()["detail"] == "No credential was sent. Send Authorization: Bearer with WEBHOOK_TOKEN."


async def test_without_a_token_a_bearer_is_told_so(service: Running):
    """WEBHOOK_TOKEN is off unless it is set: the secret itself is no bearer token."""
    for token in (TOKEN, SIGNING, "None"):
        answer = await _post(service, {"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Signature realm="alertgate"')
        assert answer.json()["detail"].startswith(
            "Bearer tokens are switched off here, because WEBHOOK_TOKEN isn't set. Sign the raw body with"
        )


async def test_with_neither_the_webhook_is_off(make_settings):
    """503 that names both settings, whatever is sent."""
    async with serving(make_settings(webhook_secret=None)) as service:
        answers = [await _post(service, {}), await _post(service, BY_TOKEN), await service.generic()]
    assert [answer.status_code for answer in answers] == [503, 503, 503]
    assert "WEBHOOK_SECRET isn't set, nor is WEBHOOK_TOKEN" in answers[0].json()["detail"]


@pytest.mark.parametrize("settings", [{"webhook_token": TOKEN}, {"webhook_token": TOKEN, "webhook_secret": None}, {}])
@pytest.mark.parametrize("header", [b"", b"Authorization: Bearer wrong-token-0123456789\r\n"])
async def test_a_token_is_checked_before_the_body_is_read(make_settings, settings, header):
    """Who sends none or a wrong one is answered while the body is still outstanding."""
    async with serving(make_settings(**settings)) as service:
        loop = asyncio.get_running_loop()
        with socket.create_connection(("127.0.0.1", service.port), timeout=300) as connection:
            connection.setblocking(False)
            head = b"POST /webhook/generic HTTP/1.1\r\nHost: x\r\n" + header + b"Content-Length: 1000\r\n\r\n{"
            await loop.sock_sendall(connection, head)
            answer = await loop.sock_recv(connection, 4096)
    assert answer.startswith(b"HTTP/1.1 401 ")


async def test_failures_with_a_token_are_counted_and_limited(make_settings):
    """As for signatures: counted in the metrics, and 429 once the budget is spent; the right token passes."""
    async with serving(make_settings(webhook_token=TOKEN, rate_limit="3/minute"), clock=FakeClock()) as service:
        guesses = [(await _post(service, {"Authorization": f"Bearer {n:020}"})).status_code for n in range(5)]
        assert guesses == [401, 401, 401, 429, 429]
        refused = await _post(service, {"Authorization": "Bearer wrong"})
        assert (refused.status_code, refused.json()["detail"].partition(".")[0]) == (
            429,
            "Too many failed requests from this address",
        )
        assert (await service.client.get("/api/alerts")).status_code == 429, "one budget for all paths"
        counted = scrape((await service.client.get("/metrics")).text)
        assert counted("alertgate_auth_failures_total", guard="generic") == 6
        assert (await _post(service, BY_TOKEN)).status_code == 202


async def test_a_token_is_limited_by_address_like_a_signature(make_settings):
    """Good requests count too."""
    async with serving(make_settings(webhook_token=TOKEN, rate_limit="2/minute"), clock=FakeClock()) as service:
        assert [(await _post(service, BY_TOKEN)).status_code for _ in range(3)] == [202, 202, 429]


async def test_an_idempotency_key_works_with_a_token(make_settings):
    """The same key again is a duplicate."""
    async with serving(make_settings(webhook_token=TOKEN)) as service:
        headers = {**BY_TOKEN, "Idempotency-Key": "k1"}
        assert [(await _post(service, headers)).status_code for _ in range(2)] == [202, 200]
