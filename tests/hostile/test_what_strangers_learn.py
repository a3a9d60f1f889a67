"""What somebody without a credential learns of the service: that it works or doesn't, and not what is down."""

import pytest

from alertgate.web.routes.ops import SOMETHING
from tests.conftest import API, API_BEARER, BEARER, Running, serving
from tests.fakes import FakeClock, until

PATHS = ("/health", "/health/ready")
NOBODY = {
    "no credential": {},
    "a wrong token": {"Authorization": "Bearer wrong-token-0123456789abcdef"},
    "another webhook's token": BEARER,
    "another scheme": {"Authorization": f"Basic {API}"},
    "two headers": [("Authorization", f"Bearer {API}"), ("Authorization", f"Bearer {API}")],
}


async def _spoil(service: Running) -> str:
    """Let the service refuse an alert of a good sender, and return what it says of that."""
    big = b"x" * (service.gate.settings.max_body_bytes + 1)
    assert (await service.client.post("/webhook/particle", content=big, headers=BEARER)).status_code == 413
    await service.gate.own_alerts.run()
    [what] = service.gate.own_alerts.degraded()
    return what


@pytest.mark.parametrize("headers", NOBODY.values(), ids=NOBODY)
async def test_strangers_learn_that_something_is_wrong_and_not_what(make_settings, headers):
    """Both paths say so in one sentence, which is the same for everything."""
    async with serving(make_settings()) as service:
        await _spoil(service)
        for path in PATHS:
            answer = await service.client.get(path, headers=headers)
            assert (answer.status_code, answer.json()["degraded"]) == (200, [SOMETHING])


async def test_the_api_token_shows_what(make_settings):
    """The present one and the previous one, and what /status says is the same."""
    settings = make_settings(api_token="a-new-api-token-0123456789abcd", api_token_previous=API)
    async with serving(settings) as service:
        what = await _spoil(service)
        for token in ("a-new-api-token-0123456789abcd", API):
            for path in (*PATHS, "/status"):
                answer = await service.client.get(path, headers={"Authorization": f"Bearer {token}"})
                assert answer.json()["degraded"] == [what]


async def test_the_token_cannot_be_guessed_at_the_health_paths(make_settings):
    """Wrong ones are counted as at the API, which then answers 429; a right one works, whoever shares its address."""
    async with serving(make_settings(rate_limit="3/minute"), clock=FakeClock()) as service:
        await _spoil(service)
        for number in range(3):
            guess = {"Authorization": f"Bearer guess-{number}-0123456789abcdef"}
            assert (await service.client.get(PATHS[number % 2], headers=guess)).status_code == 200
        assert (await service.client.get("/api/alerts", headers=guess)).status_code == 429
        for path in PATHS:
            for headers, knows in ((guess, False), (API_BEARER, True)):
                answer = await service.client.get(path, headers=headers)
                assert (answer.status_code, answer.json()["degraded"] != [SOMETHING]) == (200, knows)


async def test_what_is_fine_is_fine_for_everybody(service: Running):
    """Nobody is told of a trouble that isn't there."""

    async def is_fine() -> bool:
        return "degraded" not in (await service.client.get("/health")).json()

    await until(is_fine)
