"""No path without its credential, no guessing, no forged addresses, and no memory without bounds."""

import asyncio
import gc
import hashlib
import re
from contextlib import AsyncExitStack
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from fastapi.routing import APIRoute
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import BaseRoute, Route

from alertgate.accept.credentials import CredentialCheck, bearer, hub_signature, standard_webhook, twilio_signature
from alertgate.app import create_app
from alertgate.errors import RateLimited, TooManyUnfinished
from alertgate.session import Session, fingerprint, token_mark
from alertgate.store import sessions
from alertgate.web.body import SMALL
from alertgate.web.console.routes import ROUTERS
from alertgate.web.limit_storage import MOST_KEYS
from alertgate.web.limits import Limits
from alertgate.web.unverified import MOST_LARGE, MOST_UNFINISHED, UnverifiedBodies
from tests.builders import for_any
from tests.conftest import API, API_BEARER, BEARER, PARTICLE, SIGNING, Running, serving, sign
from tests.console import SAME_ORIGIN, signed_in, signed_in_by_link
from tests.fakes import START, FakeClock, until
from tests.scrape import scrape
from tests.services.twilio import SETTINGS as TWILIO
from tests.services.twilio import TOKEN as TWILIO_TOKEN
from tests.services.twilio import signature

METRICS = "metrics-token-0123456789abcdef"
TOKEN = "webhook-token-0123456789abcdef"
UUID = "01890000-0000-7000-8000-000000000000"
PUBLIC = {
    "/health",
    "/health/live",
    "/health/ready",
    "/openapi.json",
    "/docs",
    "/docs/start.js",
    "/docs/swagger-ui-bundle.js",
    "/docs/swagger-ui.css",
    "/sign-in",
    "/sign-in-link",
    "/static/{name}",
}
"""Everything that anybody may ask. A path isn't added here without a reason."""
ASKS_IN_ITS_FORM = ("POST", "/sign-in")
"""Its credential is a field of what it is sent."""
BY_LINK = ("/a/", "/sign-in/")
"""Below these a link is its own credential, and what is none leads nowhere."""
METHODS = [
    *("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"),
    *("PROPFIND", "MKCOL", "COPY", "MOVE", "LOCK", "SEARCH", "PURGE", "M-SEARCH", "LINK"),
]


def _flat(routes: list[BaseRoute]) -> list[Route]:
    """All routes, also those of routers that were included and stand nested."""
    found = []
    for route in routes:
        if isinstance(route, Route):
            found.append(route)
        else:
            nested = getattr(route, "routes", None) or getattr(getattr(route, "original_router", None), "routes", None)
            assert nested, f"{route!r} hides its routes from this test"
            found += _flat(nested)
    return found


def _path(template: str) -> str:
    return re.sub(r"\{[^}]*\}", UUID, template.replace("/static/{name}", "/static/console.css"))


@pytest.fixture
async def closed(make_settings):
    """A service on which everything that can have a credential has one."""
    async with serving(
        make_settings(
            metrics_token=METRICS,
            webhook_token=TOKEN,
            rate_limit="100000/minute",
            public_url="https://alerts.example.org",
            **TWILIO,
        )
    ) as running:
        yield running
        assert (await running.particle()).status_code == 202


def _operations(running: Running) -> set[tuple[str, str]]:
    routes = _flat(create_app(running.gate).routes)
    assert {route.path for route in routes} > PUBLIC
    assert sum(isinstance(route, APIRoute) for route in routes) >= 20
    return {(method, route.path) for route in routes for method in route.methods or ()}


async def test_every_path_but_the_public_ones_wants_its_credential(closed: Running):
    """Each route of the real table: 401 without a credential, and 401 with every credential but its own.

    The console's have none among these: not even API_TOKEN opens them by itself.
    """
    others = {
        "none": {},
        "particle": BEARER,
        "api": API_BEARER,
        "metrics": {"Authorization": f"Bearer {METRICS}"},
        "webhook token": {"Authorization": f"Bearer {TOKEN}"},
        "webhook token and a signature": {"Authorization": f"Bearer {TOKEN}", "X-Hub-Signature-256": sign(b"other")},
        "webhook token and another signature": {"Authorization": f"Bearer {TOKEN}", "svix-signature": "v1,AAAA"},
        "signature": {"X-Hub-Signature-256": sign(b"other")},
        "basic": {"Authorization": "Basic " + API},
        "a session that is none": {"Cookie": f"alertgate={API}; __Host-alertgate={API}"},
    }
    own = {"/webhook/particle": "particle", "/metrics": "metrics", "/webhook/generic": "webhook token"}
    own |= {path: "" for _, path in _operations(closed) if path.startswith("/twilio/")}  # a signature of their own
    own |= dict.fromkeys(_console(closed), "")
    for method, template in sorted(_operations(closed)):
        for name, headers in others.items():
            if name == own.get(template, "api"):
                continue
            answer = await closed.client.request(method, _path(template), headers=headers | SAME_ORIGIN)
            refused = answer.status_code == (404 if template.startswith(BY_LINK) else 401)
            is_public = template in PUBLIC and (method, template) != ASKS_IN_ITS_FORM
            assert refused != is_public, (method, template, name)


def _console(running: Running) -> set[str]:
    """Return the paths that want a session of the console."""
    paths = {route.path for router in ROUTERS for route in _flat(list(router.routes))}
    assert {"/", "/sessions", "/sign-out"} <= paths <= {path for _, path in _operations(running)}
    return {path for path in paths - PUBLIC if not path.startswith(BY_LINK)}


PERSONS_ACTS = {
    "/incidents/{incident_id}/acts",
    "/incidents/acts",
    "/silences/new",
    "/silences/{silence_id}/end",
    "/sessions/{session_id}/end",  # of their own, as `test_sessions.py` shows
    "/sessions/end-all",
    "/sign-out",
}
"""What who signed in by a link to their own contact may do: acknowledge, snooze, resolve, silence, and sign out."""
OPERATORS_ACTS = {
    "/devices/{device_id:anything}",  # its name
    "/notifications/dismiss",
    "/notifications/{notification_id}/dismiss",
    "/notifications/{notification_id}/retry",
    "/people/test",
}
"""What needs API_TOKEN."""


async def test_a_persons_session_does_what_is_a_persons_and_sees_all_pages(make_settings):
    """Each form and each page of the console: a new one is put down here as a person's or an operator's."""
    settings = make_settings(recipient_email="anna@example.com", public_url="https://alerts.example.org")
    async with serving(settings) as running:
        console = _console(running)
        operations = {(method, path) for method, path in _operations(running) if path in console}
        assert {method for method, _ in operations} == {"GET", "HEAD", "POST"}
        assert {path for method, path in operations if method == "POST"} == PERSONS_ACTS | OPERATORS_ACTS
        for method, path in sorted(operations):
            async with (
                signed_in_by_link(running, "anna@example.com") as anna,
                anna.stream(method, _path(path), headers=SAME_ORIGIN) as answer,
            ):
                is_refused = answer.status_code == 403
                assert is_refused is (method == "POST" and path in OPERATORS_ACTS), (method, path, answer.status_code)
                assert answer.status_code != 401, (method, path)


async def test_no_session_but_one_that_lasts_opens_the_console(closed: Running):
    """Each page, each form: 401 with a cookie that is wrong, cut, another's name, expired, revoked, or of nobody."""
    paths = sorted((method, path) for method, path in _operations(closed) if path in _console(closed))
    store, now = closed.gate.store, closed.gate.clock.now()

    async def stored(secret: str) -> Session:
        found = await store.read(lambda connection: sessions.find(connection, fingerprint(secret), now))
        assert found
        return found

    async with signed_in(closed) as client, signed_in(closed) as revoked, signed_in(closed) as expired:
        good, ended, late = (each.cookies["alertgate"] for each in (client, revoked, expired))
        await revoked.post("/sign-out", headers=SAME_ORIGIN)
        someone, over = await stored(good), await stored(late)
        await store.write(lambda connection: sessions.end(connection, over.id))
        await store.write(lambda connection: sessions.add(connection, replace(over, ends_at=now)))
        forged = {
            "of a person who was never there": {"person": "Mallory", "token_mark": someone.token_mark},
            "of a token that was changed": {"token_mark": token_mark("x" * 32)},
            "of no token": {"token_mark": None},
        }
        secrets = dict.fromkeys(forged, "")
        for number, (name, changes) in enumerate(forged.items()):
            secrets[name] = f"forged-{number}"
            made = replace(someone, id=closed.gate.new_id(now), hash=fingerprint(secrets[name]), **changes)
            await store.write(lambda c, made=made: sessions.add(c, made))
        cookies = {name: f"alertgate={secret}" for name, secret in secrets.items()}
        cookies |= {
            "the other name": f"__Host-alertgate={good}",
            "another name": f"session={good}",
            "in capitals": f"ALERTGATE={good}",
            "cut": f"alertgate={good[:-1]}",
            "longer": f"alertgate={good}=",
            "its hash": f"alertgate={fingerprint(good)}",
            "its id": f"alertgate={someone.id}",
            "empty": "alertgate=",
            "nothing": "alertgate",
            "huge": "alertgate=" + "x" * 20_000,
            "wildcard": "alertgate=%",
            "quoted": "alertgate=' OR ''='",
            "revoked": f"alertgate={ended}",
            "expired": f"alertgate={late}",
        }
        for name, cookie in cookies.items():
            for method, template in paths:
                headers = {"Cookie": cookie, **SAME_ORIGIN, **API_BEARER}
                answer = await closed.client.request(method, _path(template), headers=headers)
                assert answer.status_code == 401, (name, method, template)
        assert (await client.get("/")).status_code == 200


async def test_no_form_of_another_site_reaches_the_console(closed: Running):
    """Each unsafe route of the console, with a session that is right: 403, and nothing is done."""
    others = [
        *({}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"}),
        *(
            {"Origin": "null"},
            {"Origin": "https://evil.example"},
            {"Origin": "https://alerts.example.org.evil.example"},
        ),
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://alerts.example.org"},
    ]
    unsafe = {
        (method, route.path)
        for router in ROUTERS
        for route in _flat(list(router.routes))
        for method in (route.methods or set()) - {"GET", "HEAD"}
    }
    assert len(unsafe) >= 6
    async with signed_in(closed) as client:
        for method, template in sorted(unsafe):
            for headers in others:
                answer = await client.request(method, _path(template), headers=headers)
                assert answer.status_code == 403, (method, template, headers)
                assert not answer.headers.get("set-cookie")
        assert (await client.get("/")).status_code == 200


async def test_slashes_too_many_get_around_no_guard(closed: Running):
    """Each route, written with doubled slashes and one at the end: 401 or 404 without a credential, never more."""
    for method, template in sorted(_operations(closed)):
        path = _path(template)
        for odd in (
            f"/{path}",
            f"{path}/",
            f"{path}//",
            path.replace("/", "//"),
            f"/webhook/..{path}/",
            f"/api/{path}",
        ):
            answer = await closed.client.request(method, f"http://127.0.0.1:{closed.port}{odd}")
            assert answer.status_code in {401, 404, 405}, (method, odd)


async def test_every_method_on_every_path_is_answered_in_good_order(closed: Running):
    """What a path doesn't take is 405 with the right Allow, also with every credential; nothing is 500."""
    taken: dict[str, set[str]] = {}
    for method, template in _operations(closed):
        taken.setdefault(template, set()).add(method)
    for template, allowed in taken.items():
        for method in METHODS:
            answer = await closed.client.request(method, _path(template), headers=API_BEARER)
            if method in allowed:
                assert answer.status_code < 500, (method, template)
                continue
            assert answer.status_code == 405, (method, template)
            assert set(answer.headers["allow"].split(", ")) == allowed
            assert answer.headers["content-type"] == "application/problem+json"
    for method in METHODS:
        assert (await closed.client.request(method, "/nowhere")).status_code == 404


NO_CREDENTIALS = [
    b"",
    b"Bearer",
    b"bearer:%b",
    b"Bearer%b",
    b"Basic %b",
    b"Digest %b",
    b"Bearer %b%b",
    b"Bearer %b %b",
    b"Bearer %b,Bearer %b",
    b"Bearer\t%b",
    b'Bearer "%b"',
    b"Bearer %b\xe4",
    b"Bearer \xe4%b",
    b"Bearer \xff\xfe\x80",
    "Bearer пароль".encode(),
    b"Bearer None",
    b"Bearer null",
    b"Bearer undefined",
    b"Bearer **********",
    b"Bearer " + b"a" * 30_000,
]
"""`%b` stands for the right token."""


@pytest.mark.parametrize(
    ("method", "path", "secret"),
    [("POST", "/webhook/particle", PARTICLE), ("POST", "/webhook/generic", TOKEN), ("GET", "/api/alerts", API)],
)
async def test_what_is_no_credential_is_refused(closed: Running, method, path, secret):
    """401: doubled, quoted, joined, cut, non-ASCII, empty, huge, or a masked secret copied from a log."""
    token = secret.encode()
    for credential in [*NO_CREDENTIALS, b"Bearer " + token[:-1], b"Bearer " + token[1:]]:
        headers = [(b"Authorization", credential.replace(b"%b", token))]
        answer = await closed.client.request(method, path, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json"), credential
        assert secret not in answer.text


@for_any
@given(st.lists(st.binary(max_size=80), max_size=3), st.binary(max_size=80))
def test_no_guess_passes_any_guard(guesses, body):
    """Whatever bytes headers hold, as Starlette decodes them: no guard raises, and none lets them in."""
    headers = [guess.decode("latin-1") for guess in guesses]
    verdicts = [
        bearer([f"Bearer {header}" for header in headers], [PARTICLE]),
        hub_signature(headers, body, [SIGNING]),
        *(standard_webhook(header, header, header, body, [SIGNING], START) for header in headers),
        twilio_signature(headers, ["https://x/twilio/sms"], [("Body", header) for header in headers], [TWILIO_TOKEN]),
    ]
    assert CredentialCheck.OK not in verdicts


async def test_what_is_no_signature_is_refused(closed: Running):
    """401: empty, cut, doubled, of another kind, of nothing secret; and one that is right beside one that is wrong."""
    body = b'{"event":"e","message":"m"}'
    good = sign(body)
    digest = good.removeprefix("sha256=")
    for bad in [
        *("", "sha256=", digest, good[:-1], good + "0", "sha1=" + digest, "SHA512=" + digest),
        *(good + "," + good, good + " " + good, "sha256=" + good, "sha256=" + "0" * 64, "sha256=" + "\xe4" * 64),
        "sha256=" + hashlib.sha256(body).hexdigest(),
    ]:
        for headers in ([bad], [good, bad], [bad, good]):
            pairs = [(b"X-Hub-Signature-256", header.encode("latin-1")) for header in headers]
            answer = await closed.client.post("/webhook/generic", content=body, headers=pairs)
            assert answer.status_code == 401, headers


async def test_what_twilio_did_not_sign_is_refused_and_slowed(make_settings):
    """401: cut, doubled, of another path, of other fields, of a body that is no form; and counted."""
    public, path, fields = "https://alerts.example.org", "/twilio/sms", {"From": "+491701111111", "Body": "ok"}
    good = signature(f"{public}{path}", fields)
    settings = make_settings(public_url=public, rate_limit="9/minute", **TWILIO)
    async with serving(settings, clock=FakeClock()) as service:
        other = signature(f"{public}/twilio/status", fields)
        for bad in ([good[:-1]], [good, good], [good, other], [other], [good + "="], ["="], ["\xff" * 28]):
            pairs = [(b"X-Twilio-Signature", each.encode("latin-1")) for each in bad]
            assert (await service.client.post(path, data=fields, headers=pairs)).status_code == 401, bad
        signed = {"X-Twilio-Signature": good}
        more = await service.client.post(path, data={**fields, "To": "x"}, headers=signed)
        none = await service.client.post(path, content=b"\xff" * 1000, headers=signed)
        many = await service.client.post(path, content=b"a=b&" * 5000, headers=signed)
        assert [answer.status_code for answer in (more, none, many)] == [401, 401, 429]
        assert (await service.client.post(path, data=fields, headers=signed)).status_code == 200
        large = await service.client.post(path, content=b"a" * 200_000, headers=signed)
        assert large.status_code == 413
        counted = scrape((await service.client.get("/metrics")).text)
    assert counted("alertgate_auth_failures_total", guard="twilio") == 10


async def test_guessing_a_bearer_is_slowed_and_counted(make_settings):
    """After the budget 429 with Retry-After; both kinds of answer are counted. The right bearer still passes."""
    async with serving(make_settings(rate_limit="20/minute"), clock=FakeClock()) as service:
        guesses = [{"Authorization": f"Bearer guess-{n:030}"} for n in range(50)]
        answers = [await service.client.get("/api/alerts", headers=guess) for guess in guesses]
        assert [answer.status_code for answer in answers] == [401] * 20 + [429] * 30
        assert all(int(answer.headers["retry-after"]) > 0 for answer in answers[20:])
        assert (await service.client.get("/api/alerts", headers=API_BEARER)).status_code == 200
        counted = scrape((await service.client.get("/metrics")).text)
    assert counted("alertgate_auth_failures_total", guard="api") == 50
    assert counted("alertgate_rate_limited_total", budget="failed") == 30


FORGED = [
    *({"X-Forwarded-For": f"198.51.100.{n}"} for n in range(3)),
    {"X-Forwarded-For": "127.0.0.1, 198.51.100.9"},
    {"X-Real-IP": "198.51.100.10"},
    {"Forwarded": "for=198.51.100.11"},
    {"X-Client-IP": "198.51.100.12", "CF-Connecting-IP": "198.51.100.13", "True-Client-IP": "198.51.100.14"},
    {"X-Forwarded-For": "\xff" * 100},
]


async def test_a_forged_address_gets_no_budget_of_its_own(make_settings):
    """Of an untrusted peer no header is believed; of a trusted one only what it added itself, at the end."""
    async with serving(make_settings(rate_limit="1/minute"), clock=FakeClock()) as service:
        wrong = [await service.client.get("/api/alerts", headers=_latin(headers)) for headers in FORGED]
        assert [answer.status_code for answer in wrong] == [401] + [429] * (len(FORGED) - 1)
    trusting = make_settings(
        rate_limit="1/minute", trusted_proxies="127.0.0.1", data_dir=service.gate.settings.data_dir
    )
    async with serving(trusting, clock=FakeClock()) as service:
        chains = [f"{forged}, 203.0.113.7" for forged in ("198.51.100.1", "198.51.100.2", "127.0.0.1", "x", "")]
        wrong = [await service.client.get("/api/alerts", headers={"X-Forwarded-For": chain}) for chain in chains]
        assert [answer.status_code for answer in wrong] == [401] + [429] * (len(chains) - 1)


def _latin(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]


async def test_large_bodies_without_a_checked_signature_are_read_a_few_at_a_time(service: Running):
    """One address can't fill the memory with bodies: others of it wait, and other addresses don't notice."""
    bodies = UnverifiedBodies(service.gate.metrics, patience=0.01)

    async def held_turn(held: AsyncExitStack, address: str) -> None:
        await held.enter_async_context(await held.enter_async_context(bodies.reading(address)))

    async with AsyncExitStack() as held:
        for _ in range(MOST_LARGE):
            await held_turn(held, "192.0.2.1")
        with pytest.raises(TooManyUnfinished, match="unfinished large requests of this address"):
            await held_turn(AsyncExitStack(), "192.0.2.1")
        await held_turn(held, "192.0.2.2")
        assert len(bodies._turns) == 2
        bodies._patience = 20
        waiting = asyncio.create_task(held_turn(held, "192.0.2.1"))
        await asyncio.sleep(0)
        assert not waiting.done()
        await held.pop_all().aclose()
        await waiting
    gc.collect()
    assert (len(bodies), len(bodies._turns)) == (0, 0), "an address that holds none takes no memory"


def _unfinished(size: int, address: str = "127.0.0.1") -> bytes:
    head = b"POST /webhook/generic HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: x\r\nContent-Length: 131000\r\n"
    return head + b"X-Forwarded-For: %b\r\n\r\n" % address.encode() + b"m" * size


async def _begin(service: Running, held: AsyncExitStack, request: bytes) -> asyncio.StreamReader:
    """Send a part of a request, and return what the answer will come by."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    held.callback(writer.close)
    writer.write(request)
    await writer.drain()
    return reader


async def _read(service: Running, number: int) -> None:
    async def all_are_read() -> bool:
        return len(service.gate.unverified) == number

    await until(all_are_read)


async def test_slow_bodies_without_a_signature_keep_only_large_ones_of_their_address_waiting(make_settings):
    """Twenty large requests that never end hold up large signed ones of their address; small ones, and others, pass."""
    settings = make_settings(webhook_token=TOKEN, body_timeout=20, trusted_proxies="127.0.0.1")
    large = "m" * 2 * SMALL
    async with serving(settings) as service, AsyncExitStack() as held:
        for _ in range(MOST_LARGE):
            await _begin(service, held, _unfinished(len(large)))

        async def all_are_read():
            turns = service.gate.unverified._turns.get("127.0.0.1")
            return turns is not None and turns.locked()

        await until(all_are_read)
        signed = asyncio.create_task(service.generic(message=large))
        assert (await service.generic()).status_code == 202
        assert (await service.generic({"X-Forwarded-For": "198.51.100.1"}, message=large)).status_code == 202
        by_token = {"Authorization": f"Bearer {TOKEN}"}
        answer = await service.client.post("/webhook/generic", json={"event": "e", "message": "m"}, headers=by_token)
        assert answer.status_code == 202
        assert not signed.done()
        await held.pop_all().aclose()
        assert (await signed).status_code == 202


@pytest.mark.parametrize("size", [1, 7 * SMALL], ids=["small", "large"])
async def test_a_crowd_of_unfinished_bodies_is_bounded_and_keeps_nobody_out(make_settings, size):
    """Of too many the crowded address loses the one it began first; others go on, and alerts pass."""
    settings = make_settings(body_timeout=600, trusted_proxies="127.0.0.1")
    async with serving(settings) as service, AsyncExitStack() as held:
        other = await _begin(service, held, _unfinished(size, "198.51.100.1"))
        await _read(service, 1)
        first = await _begin(service, held, _unfinished(size))
        await _read(service, 2)
        later = [await _begin(service, held, _unfinished(size)) for _ in range(MOST_UNFINISHED + 50)]
        answer = await first.read()
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"\r\nconnection: close\r\n" in answer.lower()
        assert b"Too many unfinished requests" in answer
        await _read(service, MOST_UNFINISHED)
        assert (await service.generic()).status_code == 202
        assert (await service.generic({"X-Forwarded-For": "203.0.113.1"}, message="m" * 2 * SMALL)).status_code == 202
        assert not other.at_eof()
        assert not later[-1].at_eof()


async def test_who_is_quiet_for_longer_than_any_limit_is_forgotten(make_settings):
    """Devices and callers of last week take no memory; whoever may still be over a limit is kept."""
    async with serving(make_settings(rate_limit="2/minute;3/hour", particle_rate_limit="2/minute")) as service:
        clock = FakeClock()
        limits = Limits(service.gate.settings, clock, service.gate.metrics)
        for number in range(100):
            limits.count_device(f"old {number}")
            limits.count_failure(f"192.0.2.{number}")
        clock.move(minutes=59)
        limits.count_device("new")
        assert len(limits.storage) == 301
        clock.move(minutes=2)
        for number in range(150):
            limits.count_device(f"newer {number}")
        assert len(limits.storage) == 151


async def test_addresses_without_end_fill_a_bounded_memory(make_settings):
    """No more than MOST_KEYS are remembered, whatever comes; the one who fails right now still is."""
    async with serving(make_settings(rate_limit="2/minute", particle_rate_limit="2/minute")) as service:
        clock = FakeClock()
        limits = Limits(service.gate.settings, clock, service.gate.metrics)
        for number in range(5 * MOST_KEYS):
            limits.count_failure(str(IPv4Address(number)))
        assert len(limits.storage) == MOST_KEYS
        for number in range(MOST_KEYS):
            limits.count_device("d" * 128 + str(number))
            limits.count_failure(f"2001:db8:0:{number % 65536:x}::{number:x}")
        limits.count_failure("\xff" * 100_000)
        assert len(limits.storage) == MOST_KEYS
        assert max(map(len, limits.storage)) < 300
        for _ in range(2):
            limits.count_failure("203.0.113.7")
        with pytest.raises(RateLimited):
            limits.check_failures("203.0.113.7")
