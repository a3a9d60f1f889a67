"""`/status`, for whoever looks after the gate."""

from tests.conftest import API_BEARER, Running, serving
from tests.fakes import FakeClock, mail_sink, until
from tests.flow.test_nothing_is_lost import mail_settings


async def test_status_wants_the_api_token(service: Running):
    """It names servers' answers, so it isn't for everybody."""
    assert (await service.client.get("/status")).status_code == 401


async def test_status_counts_what_was_done(make_settings, database):
    """Alerts by status, attempts by outcome, and each channel's state and last success."""
    async with serving(make_settings(**database)) as service:
        await service.particle()
        await service.particle(event="")

        async def sent():
            body = (await service.client.get("/status", headers=API_BEARER)).json()
            done = body["last_hour"]["attempts"] == {"sent": 2} and body["channels"]["outbox"]["sending"] == 0
            return body if done and body["channels"]["outbox"]["last_success"] else None

        status = await until(sent)
    assert status["last_hour"]["alerts"] == {"accepted": 1, "quarantined": 1}
    assert status["last_day"] == status["last_hour"]
    outbox = status["channels"]["outbox"]
    assert (outbox["state"], outbox["pending"], outbox["sending"]) == ("up", 0, 0)
    assert outbox["proved"] == {"sent": 2, "delivered": 0, "seen": 0, "acknowledged": 0}
    assert (status["degraded"], status["mail_budget"]) == ([], "plenty")


async def test_status_shows_exactly_what_it_documents(service: Running):
    """The fields of the OpenAPI document, no more and no fewer."""
    status = (await service.client.get("/status", headers=API_BEARER)).json()
    schemas = (await service.client.get("/openapi.json")).json()["components"]["schemas"]
    assert set(status) == set(schemas["Status"]["properties"])
    assert set(status["channels"]["outbox"]) == set(schemas["ChannelView"]["properties"])
    assert set(status["outstanding_failures"]) == set(schemas["OutstandingFailures"]["properties"])


async def test_status_lists_failures_as_it_documents_them(make_settings):
    """The latest twenty of them, and how many there are."""
    async with mail_sink() as sink:
        sink.refused["me@example.com"] = "550 5.1.1 <me@example.com> unknown"
        async with serving(make_settings(**mail_settings(sink.port)), clock=FakeClock()) as service:
            for number in range(21):
                await service.particle(event=f"e{number}")
            await service.settled()
            found = (await service.client.get("/status", headers=API_BEARER)).json()["outstanding_failures"]
            schemas = (await service.client.get("/openapi.json")).json()["components"]["schemas"]
    assert (found["number"] >= 21, len(found["latest"])) == (True, 20)
    assert all(set(each) == set(schemas["OutstandingFailure"]["properties"]) for each in found["latest"])
    assert {each["reply"] for each in found["latest"]} == {"550 5.1.1 <m***@example.com> unknown"}
