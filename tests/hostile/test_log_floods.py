"""Strangers can't fill a disk with lines of the log, nor choose what they say."""

import logging

import pytest
from structlog.testing import capture_logs

from alertgate.line_budget import BURST
from alertgate.telemetry import MALFORMED_REQUEST, MalformedRequests
from tests.conftest import API_BEARER, BEARER, Running, serving
from tests.fakes import FakeClock
from tests.scrape import scrape

MORE = 50
STRANGERS = {
    404: ("GET", "/wp-login.php", {}),
    401: ("POST", "/webhook/particle", {}),
}
"""What costs nothing to send, by the status of its answer."""


@pytest.mark.parametrize("status", STRANGERS)
async def test_strangers_requests_are_sampled_and_counted(make_settings, status):
    """A burst has its lines, the rest is a number: in the metrics, and in the next line of its kind."""
    method, path, headers = STRANGERS[status]
    clock = FakeClock()
    async with serving(make_settings(rate_limit="100000/minute"), clock=clock) as service:
        with capture_logs() as logs:
            for _ in range(BURST + MORE):
                await service.client.request(method, path, headers=headers)
            answered = [line["status"] for line in logs if line["event"] == "request.answered"]
            assert answered == [status] * BURST
            clock.move(seconds=1)
            await service.client.request(method, path, headers=headers)
        assert [line["left_out"] for line in logs if "left_out" in line] == [MORE]
        counted = scrape((await service.client.get("/metrics")).text)
        assert counted("alertgate_request_lines_left_out_total") == MORE
        [series] = counted.series("alertgate_requests_total")
        assert (series["status"], counted("alertgate_requests_total", **series)) == (str(status), BURST + MORE + 1)


async def test_a_flood_hides_no_request_of_ours(make_settings):
    """Whoever has a right credential has a line for each request, whatever strangers do meanwhile."""
    async with serving(make_settings(), clock=FakeClock()) as service:
        with capture_logs() as logs:
            for _ in range(BURST + 1):
                await service.client.get("/health/live")
                await service.client.get("/nowhere")
            logs.clear()
            await service.particle(event_id="1")
            await service.generic()
            for path in ("/api/alerts", "/status", "/api/alerts/00000000-0000-0000-0000-000000000000"):
                await service.client.get(path, headers=API_BEARER)
        assert [line["status"] for line in logs if line["event"] == "request.answered"] == [202, 202, 200, 200, 404]


def test_requests_that_are_none_are_sampled_too():
    """The server warns of each: at most a burst of them, and one a second, are lines."""
    now = [0.0]
    sampled = MalformedRequests("info", lambda: now[0])

    def written() -> bool:
        record = logging.LogRecord("uvicorn.error", logging.WARNING, "", 0, "Invalid HTTP request received.", (), None)
        return sampled.filter(record) and record.msg == MALFORMED_REQUEST

    assert [written() for _ in range(BURST + MORE)] == [True] * BURST + [False] * MORE
    now[0] = 1.0
    assert [written(), written()] == [True, False]


NAMED = {**BEARER, "X-Request-ID": "another-alerts-id"}


async def test_a_strangers_request_id_is_not_believed(service: Running):
    """By it people find a request's lines and its alert: a caller that isn't a trusted proxy can't choose one."""
    answer = await service.client.post("/webhook/particle", json={"event": "e"}, headers=NAMED)
    assert answer.headers["x-request-id"] != "another-alerts-id"
    assert (await service.trail(answer.json()["id"]))["alert"]["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("trusted", "is_believed"),
    [("127.0.0.1", True), ("127.0.0.0/8,::1", True), ("10.0.0.0/8", False), ("127.0.0.2", False)],
)
async def test_a_trusted_proxys_request_id_is_believed(make_settings, trusted, is_believed):
    """Whoever connects counts, and not the address that is forwarded."""
    async with serving(make_settings(trusted_proxies=trusted)) as service:
        for forwarded in ("203.0.113.7", "127.0.0.1"):
            headers = {"X-Request-ID": "proxy-1", "X-Forwarded-For": forwarded}
            answer = await service.client.get("/health/live", headers=headers)
            assert (answer.headers["x-request-id"] == "proxy-1") is is_believed
