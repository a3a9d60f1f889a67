"""Who may look at the console: signing in with API_TOKEN, and out."""

import pytest

from tests.conftest import API, Running
from tests.console import SAME_ORIGIN, seen, sent, signed_in


async def test_who_has_the_token_signs_in_and_out(service: Running):
    """The first page names whoever signed in; after signing out the same cookie shows nothing."""
    async with signed_in(service, "Ada") as client:
        assert "Ada" in (await seen(client, "/")).text
        cookies = dict(client.cookies)
        assert (await sent(client, "/sign-out")).status_code == 303
        client.cookies.update(cookies)
        assert "Sign in" in (await seen(client, "/", 401)).text


@pytest.mark.parametrize(
    "headers",
    [{}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "none"}, {"Origin": "https://evil.example"}],
)
async def test_a_form_from_elsewhere_does_nothing(service: Running, headers):
    """Neither signing in nor what somebody who has signed in sends."""
    refused = await service.client.post("/sign-in", data={"token": API}, headers=headers)
    assert (refused.status_code, refused.cookies.get("alertgate")) == (403, None)
    async with signed_in(service) as client:
        assert (await client.post("/sign-out", headers=headers)).status_code == 403
        await seen(client, "/")


@pytest.mark.parametrize(
    "to", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/\n/evil.example"]
)
async def test_signing_in_leads_to_no_other_host(service: Running, to):
    """Only a path of this service is where somebody comes back to."""
    fields = {"token": API, "to": to}
    answer = await service.client.post("/sign-in", data=fields, headers=SAME_ORIGIN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
