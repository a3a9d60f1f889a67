"""Anybody can call themselves anything: what was done is recorded with the credential that was checked, too."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.cli.test_cli import alertgate
from tests.conftest import API_BEARER, PARTICLE, Running, serving
from tests.fakes import FakeClock, MailSink, mail_sink, until

TOKEN = "generic-token-0123456789abcdef"
OWNER = "the owner, on the command line"
"""What somebody with the API's token calls themselves."""
MAIL = {"smtp_host": "127.0.0.1", "smtp_security": "none", "smtp_email": "alerts@example.net"}


@asynccontextmanager
async def mailing(make_settings, database) -> AsyncIterator[tuple[Running, MailSink, FakeClock]]:
    """A service whose only recipient's mail server refuses them, until told otherwise."""
    async with mail_sink() as sink:
        sink.refused["me@example.com"] = "550 5.1.1 gone"
        own = {"smtp_port": sink.port, "recipient_email": "me@example.com", "webhook_token": TOKEN}
        clock = FakeClock()
        async with serving(make_settings(**database, **MAIL, **own), clock=clock) as service:
            yield service, sink, clock


@pytest.fixture
def beside(database, tmp_path) -> dict[str, str]:
    """The environment of a command that uses the service's database."""
    own = {name.upper(): value for name, value in database.items()}
    mail = {name.upper(): str(value) for name, value in {**MAIL, "recipient_email": "me@example.com"}.items()}
    return {"PARTICLE_WEBHOOK_SECRET": PARTICLE, "DATA_DIR": str(tmp_path / "data"), **mail, **own}


async def by_token(service: Running, **fields: Any) -> str:
    """Send an alert with the generic webhook's token; return its id."""
    body = json.dumps({"event": "backup", "message": "No backup", **fields}).encode()
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    return (await service.client.post("/webhook/generic", content=body, headers=headers)).json()["id"]


async def post(service: Running, path: str, by: str | None = None) -> Any:
    """Act by the API."""
    content = json.dumps({"by": by}).encode() if by else b""
    return (await service.client.post(f"/api{path}", content=content, headers=API_BEARER)).json()


async def failed(service: Running, alert_id: str) -> str:
    """Wait until the last notification about an alert has failed; return its id."""

    async def found() -> str | None:
        last = (await service.trail(alert_id))["notifications"][-1]
        return last["id"] if last["status"] == "failed" else None

    return await until(found)


async def test_people_are_recorded_with_their_credential(make_settings, database, tmp_path, beside):
    """By the API, whatever name it is given, and on the command line; `explain` shows both, and a retry too."""
    async with mailing(make_settings, database) as (service, _, clock):
        alert_id = (await service.particle()).json()["id"]
        first = await failed(service, alert_id)
        clock.move(seconds=1)
        retried = await post(service, f"/notifications/{first}/retry")
        assert retried["retried_with"] == "api_token"
        await failed(service, alert_id)
        done = await alertgate("dismiss", first, "--by", "Anna", cwd=tmp_path, env=beside)
        assert done.returncode == 0
        incident_id = (await service.trail(alert_id))["incident"]["id"]
        clock.move(seconds=1)
        acknowledged = await post(service, f"/incidents/{incident_id}/acknowledge", OWNER)
        assert (acknowledged["acknowledged_by"], acknowledged["acknowledged_with"]) == (OWNER, "api_token")
        back = await post(service, f"/incidents/{incident_id}/hand-back", OWNER)
        assert (back["handed_back_by"], back["handed_back_with"]) == (OWNER, "api_token")
        resolved = await post(service, f"/incidents/{incident_id}/resolve", OWNER)
        assert (resolved["resolved_by"], resolved["resolved_with"]) == (OWNER, "api_token")
        assert resolved["acknowledged_with"] == "api_token"
        trail = await service.trail(alert_id)
        told, _ = trail["notifications"]
        assert (told["dismissed_by"], told["dismissed_with"], told["retried_with"]) == (
            "Anna",
            "command_line",
            "api_token",
        )
        assert trail["alert"]["credential"] == "particle_secret"
        explained = (await alertgate("explain", alert_id, cwd=tmp_path, env=beside)).stdout
    for line in (
        f'the incident was acknowledged by "{OWNER}" with API_TOKEN',
        f'the incident was handed back by "{OWNER}" with API_TOKEN: nobody had it any more',
        f'the incident was resolved by "{OWNER}" with API_TOKEN',
        "email to me@example.com retried manually with API_TOKEN",
        'email to me@example.com dismissed by "Anna" on the command line',
    ):
        assert re.search(rf"^\d\d:\d\d:\d\d\.\d{{3}}  {re.escape(line)}$", explained, re.MULTILINE), explained


async def test_a_retry_on_the_command_line_replaces_an_earlier_one(make_settings, database, tmp_path, beside):
    """The last one counts, and what was dismissed before is neither dismissed nor recorded as such."""
    async with mailing(make_settings, database) as (service, _, clock):
        alert_id = (await service.particle()).json()["id"]
        one = await failed(service, alert_id)
        clock.move(seconds=1)
        await post(service, f"/notifications/{one}/retry")
        await failed(service, alert_id)
        assert (await post(service, f"/notifications/{one}/dismiss", "Bea"))["dismissed_with"] == "api_token"
        assert (await alertgate("retry", one, cwd=tmp_path, env=beside)).returncode == 0
        [told] = (await service.trail(alert_id))["notifications"]
        assert (told["retried_with"], told["dismissed_by"], told["dismissed_with"]) == ("command_line", None, None)


async def test_dismissing_all_is_recorded_alike(make_settings, database):
    """Each of them."""
    async with mailing(make_settings, database) as (service, _, _):
        alerts = [(await service.particle(event=event)).json()["id"] for event in ("one", "two")]
        for alert_id in alerts:
            await failed(service, alert_id)
        await post(service, "/notifications/dismiss", "Anna")
        told = [(await service.trail(alert_id))["notifications"][0] for alert_id in alerts]
    assert [(each["dismissed_by"], each["dismissed_with"]) for each in told] == [("Anna", "api_token")] * 2


async def test_an_alert_and_what_it_ends_are_recorded_with_what_let_it_in(make_settings, database, tmp_path, beside):
    """A signature opened it, and a token ended it; once it is reopened, nobody has ended it."""
    async with mailing(make_settings, database) as (service, _, clock):
        opened = (await service.generic()).json()["id"]
        clock.move(seconds=1)
        ended = await by_token(service, status="ok")
        trail = await service.trail(ended)
        assert (await service.trail(opened))["alert"]["credential"] == "webhook_secret"
        assert (trail["alert"]["credential"], trail["incident"]["resolved_by"]) == ("webhook_token", ended)
        assert trail["incident"]["resolved_with"] == "webhook_token"
        explained = (await alertgate("explain", opened, cwd=tmp_path, env=beside)).stdout
        assert "received by the generic webhook with a signature by WEBHOOK_SECRET (request " in explained
        assert f"the incident was resolved by alert {ended} with WEBHOOK_TOKEN" in explained
        clock.move(seconds=1)
        again = await by_token(service, message="again")
        assert (await service.trail(again))["incident"]["resolved_with"] is None


async def test_an_unreadable_body_is_recorded_with_what_let_it_in(make_settings, database):
    """Quarantined, too."""
    async with serving(make_settings(**database)) as service:
        headers = {"Authorization": f"Bearer {PARTICLE}"}
        answer = await service.client.post("/webhook/particle", content=b"{", headers=headers)
        alert = (await service.trail(answer.json()["id"]))["alert"]
    assert (alert["status"], alert["credential"]) == ("quarantined", "particle_secret")
