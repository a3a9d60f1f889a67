"""What strangers send from an address must not keep a right credential out: not behind a bridge, and not by IPv6."""

import asyncio
import json
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.types import Message

from alertgate.app import create_app, open_gate
from alertgate.web.network import network_of
from tests.conftest import API_BEARER, BEARER, Running, copy_template, listening, serving, sign
from tests.fakes import FakeClock

TOKEN = "webhook-token-0123456789abcdef"
EVENT = {"event": "leak", "message": "Water in the cellar"}
BODY = json.dumps(EVENT).encode()
SIGNED = {"X-Hub-Signature-256": sign(BODY)}
WRONG = {
    "none": {},
    "a wrong hub signature": {"X-Hub-Signature-256": f"sha256={'0' * 64}"},
    "a wrong Standard Webhooks signature": {
        "webhook-id": "m",
        "webhook-timestamp": "1",
        "webhook-signature": "v1,AAAA",
    },
    "a wrong token": {"Authorization": "Bearer wrong"},
}


@asynccontextmanager
async def _guarded(make_settings, **settings):
    settings = {"rate_limit": "20/minute;100/10 minutes", "webhook_token": TOKEN, **settings}
    async with serving(make_settings(**settings), clock=FakeClock()) as service:
        yield service


async def _spend(service: Running, headers, **more) -> None:
    """Fail until the address is answered 429."""
    posts = [
        await service.client.post("/webhook/generic", content=BODY, headers={**headers, **more}) for _ in range(22)
    ]
    assert [post.status_code for post in posts] == [401] * 20 + [429] * 2


async def _right(service: Running, **headers: str) -> dict[str, int]:
    """Use each right credential once; return the answers."""
    post, get = service.client.post, service.client.get
    by_token = {"Authorization": f"Bearer {TOKEN}"}
    answers = {
        "signed": await post("/webhook/generic", content=BODY, headers={**SIGNED, **headers}),
        "token": await post("/webhook/generic", content=BODY, headers={**by_token, **headers}),
        "particle": await post("/webhook/particle", json=EVENT, headers={**BEARER, **headers}),
        "api": await get("/api/alerts", headers={**API_BEARER, **headers}),
        "status": await get("/status", headers={**API_BEARER, **headers}),
    }
    return {name: answer.status_code for name, answer in answers.items()}


ALL_PASS = {"signed": 202, "token": 202, "particle": 202, "api": 200, "status": 200}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
async def test_failures_from_an_address_keep_no_right_credential_out(make_settings, wrong):
    """Twenty-two posts without a right credential, then each right one from the same address."""
    async with _guarded(make_settings) as service:
        await _spend(service, wrong)
        assert await _right(service) == ALL_PASS


async def test_strangers_use_up_nothing_of_a_senders_own_limit(make_settings):
    """Of twenty signed posts in a minute all pass, whatever failed before; the next is over the sender's own limit."""
    async with _guarded(make_settings) as service:
        await _spend(service, {})
        posts = [await service.client.post("/webhook/generic", content=BODY, headers=SIGNED) for _ in range(21)]
        assert [post.status_code for post in posts] == [202] * 20 + [429]


async def test_behind_a_bridge_that_shows_all_callers_as_one_address(make_settings):
    """As Docker does with IPv6 callers of a network without IPv6: the proxy forwards one address for everybody."""
    async with _guarded(make_settings, trusted_proxies="127.0.0.1") as service:
        bridge = {"X-Forwarded-For": "172.30.80.1"}
        await _spend(service, {}, **bridge)
        assert await _right(service, **bridge) == ALL_PASS


async def test_a_machine_with_a_whole_ipv6_network_has_one_budget(make_settings):
    """A new address of its /64 for each try is the same caller; another /64 is another."""
    async with _guarded(make_settings, trusted_proxies="127.0.0.1") as service:
        tries = [
            await service.client.post("/webhook/generic", headers={"X-Forwarded-For": f"2001:db8:0:7:{n:x}::{n:x}"})
            for n in range(22)
        ]
        assert [each.status_code for each in tries] == [401] * 20 + [429] * 2
        mapped = await service.client.post("/webhook/generic", headers={"X-Forwarded-For": "::ffff:192.0.2.1"})
        other = await service.client.post("/webhook/generic", headers={"X-Forwarded-For": "2001:db8:0:8::1"})
        assert (mapped.status_code, other.status_code) == (401, 401)
        assert await _right(service, **{"X-Forwarded-For": "2001:db8:0:7::1"}) == ALL_PASS


async def _seen(make_settings, trusted: str, peer: str, forwarded: str) -> tuple[str, bool]:
    """Return the caller's address in the log, and whether the request's id was believed, for a peer's request."""
    async with serving(make_settings(trusted_proxies=trusted)) as service:
        sent: list[Message] = []
        headers = [(b"x-forwarded-for", forwarded.encode()), (b"x-request-id", b"proxy-1")]
        scope = {"type": "http", "asgi": {"version": "3.0"}, "method": "GET", "path": "/health/live", "scheme": "http"}

        async def send(message: Message) -> None:
            sent.append(message)

        scope |= {
            "client": (peer, 1),
            "headers": headers,
            "query_string": b"",
            "raw_path": b"/health/live",
            "state": {},
        }
        await create_app(service.gate)(scope, asyncio.Event().wait, send)
        return scope["client"][0], (b"x-request-id", b"proxy-1") in sent[0]["headers"]


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "seen"),
    [
        ("127.0.0.1", "127.0.0.1", "203.0.113.7", ("203.0.113.7", True)),
        ("127.0.0.1", "::ffff:127.0.0.1", "203.0.113.7", ("203.0.113.7", True)),
        ("10.0.0.0/8", "::ffff:10.1.2.3", "203.0.113.7, ::ffff:10.9.9.9", ("203.0.113.7", True)),
        ("10.0.0.0/8", "::ffff:11.1.2.3", "203.0.113.7", ("::ffff:11.1.2.3", False)),
        ("::1", "::ffff:127.0.0.1", "203.0.113.7", ("::ffff:127.0.0.1", False)),
    ],
)
async def test_a_trusted_proxy_is_known_through_a_socket_for_both_protocols(
    make_settings, trusted, peer, forwarded, seen
):
    """With HOST=:: an IPv4 proxy shows as ::ffff:…; without its word all callers would share one budget."""
    assert await _seen(make_settings, trusted, peer, forwarded) == seen


async def test_a_real_socket_for_both_protocols(make_settings):
    """Two callers behind a proxy that connects by IPv4 to `::` have budgets of their own."""
    settings = make_settings(rate_limit="1/minute", trusted_proxies="127.0.0.1")
    copy_template(settings)
    gate = open_gate(settings, clock=FakeClock())
    async with listening(create_app(gate), host="::") as port, httpx.AsyncClient() as client:
        url = f"http://127.0.0.1:{port}/api/alerts"
        answers = [
            (await client.get(url, headers={"X-Forwarded-For": caller})).status_code
            for caller in ("203.0.113.7", "203.0.113.7", "203.0.113.8")
        ]
    assert answers == [401, 429, 401]


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8:0:7::1", "2001:db8:0:7:ffff::1", True),
        ("2001:db8:0:7::1", "2001:db8:0:8::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "64:ff9b::192.0.2.1", True),
        ("64:ff9b::192.0.2.1", "64:ff9b::192.0.2.2", False),
        ("64:ff9b:1::192.0.2.1", "64:ff9b:1::192.0.2.2", True),
        ("a" * 64 + "b", "a" * 64 + "c", True),
    ],
)
def test_which_callers_count_as_one(one, other, is_same):
    """An IPv6 /64 may be one machine's; behind NAT64, or a socket for both protocols, each IPv4 address is its own."""
    assert (network_of(one) == network_of(other)) is is_same
