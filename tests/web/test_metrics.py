"""`/metrics` on a real server: who may read it, what it counts, and what it never says."""

import httpx

from alertgate import __version__
from alertgate.accept.record import Result
from alertgate.device import DeviceState
from alertgate.metrics import ESCALATED, METHODS, OUTCOMES
from alertgate.model import ChannelName, NotificationStatus, Source
from alertgate.notify.channels.base import Reason
from alertgate.proof import Proof
from alertgate.prove.audit import AuditFinding
from alertgate.web.guards import Guard
from alertgate.web.limits import RateBudget
from tests.conftest import API, BEARER, DEVICE, PARTICLE, SIGNING, Running, serving
from tests.fakes import FakeClock, until
from tests.scrape import Scrape, scrape

TOKEN, OLD_TOKEN = "metrics-token-0123456789abcdef", "old-metrics-token-0123456789ab"
WRONG = {"Authorization": "Bearer wrong-token-0123456789"}
ADDRESS = "operator-of-the-night@example.org"


def bearer(token: str) -> dict[str, str]:
    """Return the header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


async def taken(service: Running) -> Scrape:
    """Scrape over HTTP."""
    answer = await service.client.get("/metrics")
    assert answer.status_code == 200
    return scrape(answer.text)


async def test_it_is_open_while_no_token_is_set(service: Running):
    """Prometheus beside the service needs no secret."""
    answer = await service.client.get("/metrics")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert answer.headers["cache-control"] == "no-store"


async def test_it_wants_the_token_when_one_is_set(make_settings):
    """The present and the previous token pass; none, a wrong one and the API's don't."""
    async with serving(make_settings(metrics_token=TOKEN, metrics_token_previous=OLD_TOKEN)) as service:
        given = ({}, WRONG, bearer(API), bearer(TOKEN), bearer(OLD_TOKEN))
        answers = [await service.client.get("/metrics", headers=headers) for headers in given]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 200, 200]
    assert answers[0].headers["www-authenticate"] == 'Bearer realm="alertgate"'
    assert scrape(answers[3].text)("alertgate_auth_failures_total", guard="metrics") == 3


async def test_a_previous_token_alone_closes_it(make_settings):
    """A rotation that went half through opens nothing."""
    async with serving(make_settings(metrics_token_previous=OLD_TOKEN)) as service:
        answer = await service.client.get("/metrics", headers=bearer(OLD_TOKEN))
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:alertgate:problem:switched-off")


async def test_openmetrics_is_negotiated(service: Running):
    """As Prometheus asks; an odd version in the header does no harm."""
    for accept in (
        "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
        "application/openmetrics-text;version=x",
    ):
        answer = await service.client.get("/metrics", headers={"Accept": accept})
        assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        assert answer.text.endswith("# EOF\n")


async def test_alerts_are_counted_by_source_and_result(service: Running):
    """Accepted, duplicate and quarantined from Particle; accepted from anything else; with their times."""
    await service.particle(event_id="one")
    await service.particle(event_id="one")
    await service.client.post("/webhook/particle", content=b"{", headers=BEARER)
    await service.generic()
    await service.client.post("/webhook/particle", json={"event": "e"}, headers=WRONG)
    found = await taken(service)
    counted = {
        (source, result): found("alertgate_alerts_accepted_total", source=source, result=result)
        for source in Source
        for result in Result
    }
    assert {key: count for key, count in counted.items() if count} == {
        ("particle", "accepted"): 1,
        ("particle", "duplicate"): 1,
        ("particle", "quarantined"): 1,
        ("generic", "accepted"): 1,
    }
    assert found("alertgate_accept_seconds_count", source="particle") == 3
    assert 0 < (found("alertgate_accept_seconds_sum", source="generic") or 0) < 30


async def test_a_message_is_counted_when_it_is_handed_over(service: Running):
    """One attempt, one delivery with its time, and when that was."""
    await service.particle()

    async def handed_over() -> Scrape | None:
        found = await taken(service)
        return found if found("alertgate_delivery_seconds_count", channel="outbox") else None

    found = await until(handed_over)
    assert found("alertgate_notifications_total", channel="outbox", outcome="sent", reason="sent") == 1
    assert 0 < (found("alertgate_delivery_seconds_sum", channel="outbox") or 0) < 30
    assert found.series("alertgate_channel_last_success_timestamp_seconds") == [{"channel": "outbox"}]
    assert found("alertgate_channel_up", channel="outbox") == 1


class Never:
    """A channel that takes nothing up, so that messages wait."""

    name = ChannelName.EMAIL
    capacity = 0
    repeats_safely = True

    async def send(self, message, _deadline):
        raise NotImplementedError

    async def rehearse(self, _to, _deadline):
        raise NotImplementedError

    async def close(self) -> None:
        pass


async def test_the_queue_is_read_from_the_store(make_settings):
    """What waits and since when, by the clock, although nothing was counted in this process."""
    clock = FakeClock()
    settings = make_settings(smtp_email="gate@example.org", recipient_email="a@example.org,b@example.org")
    async with serving(settings, clock=clock, channels=[Never()]) as service:
        await service.particle()
        clock.move(seconds=45)
        found = await taken(service)
    assert found("alertgate_queue_depth", channel="email", status="pending") == 2
    assert found("alertgate_queue_depth", channel="email", status="sending") == 0
    assert found("alertgate_queue_oldest_seconds", channel="email") == 45


async def test_failed_authentication_and_spent_budgets_are_counted(make_settings):
    """By what was guarded, and by which budget; the answers are what they were."""
    async with serving(make_settings(rate_limit="3/minute", particle_rate_limit="1/minute")) as service:
        await service.client.post("/webhook/particle", json={"event": "e"}, headers=WRONG)
        await service.client.post("/webhook/generic", content=b"{}", headers={"X-Hub-Signature-256": "sha256=0"})
        await service.client.get("/api/alerts/01890000-0000-7000-8000-000000000000")
        assert (await service.client.get("/api/alerts/x")).status_code == 429
        await service.particle()
        assert (await service.particle()).status_code == 429
        found = await taken(service)
    failures = {guard: found("alertgate_auth_failures_total", guard=guard) for guard in Guard}
    assert failures == {"particle": 1, "generic": 1, "api": 2, "metrics": 0, "twilio": 0, "console": 0}
    limited = {budget: found("alertgate_rate_limited_total", budget=budget) for budget in RateBudget}
    links = ("link_address", "link", "sign_in", "sign_in_asker", "sign_in_link", "sign_in_account")
    others = dict.fromkeys(("generic", "stored", "reply", *links), 0)
    assert limited == {"failed": 1, "device": 1, **others}


async def test_requests_are_counted_by_template(service: Running):
    """Paths that callers make up are one series."""
    for path in ("/api/alerts/1", "/api/alerts/2", "/made/up", "/made/up/too"):
        await service.client.get(path)
    await service.client.delete("/health")
    found = await taken(service)
    counts = {
        tuple(series[label] for label in ("method", "route", "status")): found("alertgate_requests_total", **series)
        for series in found.series("alertgate_requests_total")
    }
    assert counts == {
        ("GET", "/api/alerts/{alert_id}", "401"): 2,
        ("GET", "none", "404"): 2,
        ("DELETE", "/health", "405"): 1,
    }


async def test_the_store_is_measured(service: Running):
    """Each commit with its time and its size."""
    await service.particle()
    found = await taken(service)
    commits = found("alertgate_store_commit_seconds_count") or 0
    assert commits > 0
    assert (found("alertgate_store_batch_size_sum") or 0) >= commits
    assert found("alertgate_store_up") == 1


async def test_it_answers_while_the_store_cannot_write(service: Running):
    """That is when somebody looks at it."""
    with service.gate.store.transaction() as connection:
        connection.exec_driver_sql("PRAGMA query_only=ON")
    found = await taken(service)
    assert found("alertgate_store_up") == 0


async def everything(service: Running) -> httpx.Response:
    """Give the service all sorts of requests, good and bad; return the scrape."""
    await service.particle(data="the-data-of-the-alert")
    await service.generic(source="a-source-of-its-own", headers={"X-Request-ID": "an-id-of-its-own"})
    await service.generic(details={"a": 1}, headers={"X-Hub-Signature-256": "sha256=1"})
    await service.client.post("/webhook/particle", json={"event": "e"}, headers=WRONG)
    await service.client.request("PROPFIND", "/a/path/of/its/own?with=query")
    await service.client.get("/api/alerts/01890000-0000-7000-8000-000000000000", headers=bearer(API))

    async def handed_over() -> bool:
        return bool((await taken(service))("alertgate_delivery_seconds_count", channel="outbox"))

    await until(handed_over)
    return await service.client.get("/metrics")


async def test_every_label_is_from_a_closed_list(service: Running):
    """No id, no device, no event name, no path and no address becomes a series of its own."""
    found = scrape((await everything(service)).text)
    paths = set((await service.client.get("/openapi.json")).json()["paths"])
    closed: dict[str, set[str]] = {
        "source": set(Source),
        "result": set(Result),
        "channel": set(ChannelName),
        "outcome": set(OUTCOMES),
        "reason": set(Reason),
        "kind": {*AuditFinding, *ESCALATED},
        "proof": set(Proof),
        "guard": set(Guard),
        "budget": set(RateBudget),
        "method": {*METHODS, "other"},
        "route": {*paths, "/a/{token}", "none"},
        "state": set(DeviceState),
        "status": {*NotificationStatus, *map(str, range(200, 600))},
        "version": {__version__},
    }
    labels = [(name, label, value) for name, label, value in found.labels() if name.startswith("alertgate_")]
    assert [(name, label, value) for name, label, value in labels if label != "le" and value not in closed[label]] == []
    assert {label for _, label, _ in labels} - {"le"} == set(closed)


async def test_nothing_secret_and_nobody_is_named(make_settings):
    """Neither secrets nor recipients, devices, events or what alerts say."""
    async with serving(make_settings(recipient_email=ADDRESS, devices=f"{DEVICE}=Front door")) as service:
        text = (await everything(service)).text
    told = (
        PARTICLE,
        SIGNING,
        API,
        ADDRESS,
        "@",
        DEVICE,
        "Front",
        "alarm",
        "backup",
        "of-the-alert",
        "of-its-own",
        "query",
    )
    assert [word for word in told if word in text] == []


async def test_the_openapi_document_gives_it_a_scheme_of_its_own(service: Running):
    """`MetricsToken` guards this path and no other; health stays open."""
    document = (await service.client.get("/openapi.json")).json()
    operation = document["paths"]["/metrics"]["get"]
    assert operation["security"] == [{"MetricsToken": []}]
    assert set(operation["responses"]) == {"200", "401", "429", "503"}
    assert set(operation["responses"]["200"]["content"]) == {"text/plain"}
    others = [item for p, methods in document["paths"].items() if p != "/metrics" for item in methods.values()]
    assert all({"MetricsToken": []} not in item.get("security", []) for item in others)
    assert "security" not in document["paths"]["/health"]["get"]
