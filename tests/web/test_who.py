"""`GET /api/who`: who would be told, by the policy in force."""

import pytest

from tests.conftest import API_BEARER, serving
from tests.fakes import FakeClock

POLICY = """
timezone = "Europe/Berlin"
[people.owner]
contacts = ["email:owner@example.org"]
quiet_hours = "22:30-06:30"
[escalations.home]
steps = [{ notify = "owner" }]
[[routes]]
device = "Front*"
escalation = "home"
[[routes]]
escalation = "everyone"
"""


@pytest.mark.parametrize("device", ["Front door", "front door", "3f002b000000000000000000"])
async def test_who_would_be_told(make_settings, tmp_path, device):
    """Each message with its reasons, and no address in clear."""
    file = tmp_path / "alertgate.toml"
    file.write_text(POLICY)
    settings = make_settings(policy_file=file, devices="3f002b000000000000000000=Front door")
    async with serving(settings, clock=FakeClock()) as service:
        query = {"event": "leak", "device": device, "at": "Sat 03:00"}
        answer = await service.client.get("/api/who", params=query, headers=API_BEARER)
        name = service.gate.policies.current.name
        assert answer.status_code == 200
        assert "owner@" not in answer.text
        assert answer.json() == {
            "policy": name,
            "at": "2026-11-28T02:00:00+00:00",
            "escalation": "home",
            "route": "[[routes]] 1 sends it to home",
            "told": [
                {
                    "at": "2026-11-28T05:30:00+00:00",
                    "person": "owner",
                    "via": "owner",
                    "contact": "email:o***@example.org",
                    "reason": "first_step",
                    "number": 1,
                    "hold": "quiet_hours",
                    "text": "owner, by email:o***@example.org: step 1 (held until then by quiet hours)",
                }
            ],
        }


async def test_a_question_that_makes_no_sense_is_refused(service):
    """A time that is none, no event, a filter that isn't there; and nobody without the token is answered."""
    queries: list[dict[str, str]] = [{}, {"event": "x", "when": "now"}, {"event": "x", "severity": "loud"}]
    times = ("soon", "0001-01-01 00:00", "9999-12-31T23:59:59-12:00")
    for query in [*queries, *({"event": "x", "at": at} for at in times)]:
        answer = await service.client.get("/api/who", params=query, headers=API_BEARER)
        assert answer.status_code == 422, query
    assert (await service.client.get("/api/who", params={"event": "x"})).status_code == 401
    everyone = await service.client.get("/api/who", params={"event": "x"}, headers=API_BEARER)
    assert (everyone.json()["policy"], everyone.json()["escalation"]) == (None, "everyone")


async def test_without_a_policy_no_address_is_in_clear(make_settings):
    """The recipients of the settings are named like their addresses, which are masked wherever they are shown."""
    async with serving(make_settings(recipient_email="owner@example.org")) as service:
        answer = await service.client.get("/api/who", params={"event": "x"}, headers=API_BEARER)
        assert "owner@" not in answer.text
        [told] = answer.json()["told"]
        assert (told["person"], told["via"], told["contact"].partition(":")[2]) == ("o***@example.org",) * 3
