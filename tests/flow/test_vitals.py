"""What devices say of themselves, from the webhook to the register, and to nobody's phone."""

import json
from datetime import timedelta
from typing import Any

from alertgate.device import Device
from alertgate.store import device_lists
from tests.conftest import API_BEARER, BEARER, Running, serving
from tests.fakes import FakeClock, mail_sink
from tests.flow.test_event_rules import form, subjects
from tests.flow.test_nothing_is_lost import mail_settings

TRACKER = "3f002b000000000000000000"
OTHER = "400022000000000000000000"
POLICY = f"""
[devices."{TRACKER}"]
name = "Boat"
[[events]]
event    = "loc"
vitals   = true
alarm    = "contains(data.trig, 'imu_m')"
severity = "critical"
"""


async def device(service: Running, name: str) -> Device:
    """Return a device as the register has it."""
    found = await service.gate.store.read(lambda connection: device_lists.get(connection, name))
    assert found is not None
    return found


def loc(**fields: Any) -> dict[str, str]:
    """Return a tracker's event."""
    return {"event": "loc", "coreid": TRACKER, "data": json.dumps({"cmd": "loc", **fields})}


async def test_vitals_are_told_to_nobody_and_an_alarm_among_them_to_all(make_settings, tmp_path, database):
    """They are in the archive and at the device; other devices' still raise alerts."""
    policy = tmp_path / "alertgate.toml"
    policy.write_text(POLICY)
    async with mail_sink() as sink:
        clock = FakeClock()
        settings = make_settings(**mail_settings(sink.port), **database, policy_file=policy)
        async with serving(settings, clock=clock) as service:
            answers = [await form(service, **loc(trig=["time"], batt=81.5))]
            clock.move(seconds=5)
            answers.append(await form(service, event="spark/status", data="offline", coreid=TRACKER))
            away = await device(service, TRACKER)
            clock.move(seconds=5)
            await form(service, **loc(trig=["imu_m"], batt=80.5), version="3", productID="1234")
            await form(service, event="spark/status", data="offline", coreid=OTHER)
            told = await subjects(sink, 2)
            back = await device(service, TRACKER)
            listed = await service.client.get("/api/alerts", params={"status": "vitals"}, headers=API_BEARER)
            trail = await service.trail(answers[1]["id"])
            exposed = (await service.client.get("/metrics")).text
    assert [list(answer.items()) for answer in answers] == [
        [("status", "vitals"), ("id", answer["id"])] for answer in answers
    ]
    [alarm, other] = sorted(told)
    assert alarm.startswith("[CRITICAL] ")
    assert "spark/status" in other
    assert (away.battery, away.offline_at, away.last_event) == (81.5, clock.now() - timedelta(seconds=5), "loc")
    assert (back.battery, back.offline_at, back.firmware, back.product) == (80.5, None, "3", "1234")
    assert len(listed.json()["items"]) == 2
    assert trail["incident"] is None
    assert "kept there, and part of no incident" in trail["alert"]["reason"]
    assert 'alertgate_alerts_accepted_total{result="vitals",source="particle"} 2.0' in exposed


async def test_the_register_keeps_what_is_too_much_for_the_archive(make_settings, tmp_path):
    """Vitals are read before an alert's content is shortened, because the disk is almost full."""
    policy = tmp_path / "alertgate.toml"
    policy.write_text(POLICY)
    settings = make_settings(policy_file=policy)
    async with serving(settings, disk_usage=lambda _: (10**12, 10**12, 0)) as service:
        await service.gate.watch.run()
        await form(service, **loc(trig=["time"], log="x" * 10_000, batt=44))
        assert (await device(service, TRACKER)).battery == 44


async def test_every_request_that_is_let_in_is_a_sign_of_life(make_settings):
    """Also one that can't be read, if it says of which device it is."""
    async with serving(make_settings(), clock=FakeClock()) as service:
        body = f'{{"event":"leak","coreid":"{OTHER}","data":{{'
        answer = await service.client.post("/webhook/particle", content=body, headers=BEARER)
        assert answer.json()["status"] == "quarantined"
        assert (await device(service, OTHER)).last_event == "leak"
        refused = await service.client.post("/webhook/particle", json={"event": "x", "coreid": TRACKER})
        assert refused.status_code == 401
        assert await service.gate.store.read(lambda connection: device_lists.get(connection, TRACKER)) is None
