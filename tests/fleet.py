"""A house with a small fleet, and a day and a night of it: what the console's pages show in tests and in pictures."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from alertgate.config import Settings
from tests.conftest import API_BEARER, BEARER, load, serving
from tests.fakes import FakeClock, MailSink, mail_sink
from tests.flow.test_stories import House
from tests.pages import KEY

NOW = datetime(2026, 11, 24, 2, 7, 20, tzinfo=UTC)
"""The middle of a night in Berlin, four minutes after water came into the cellar."""
DAY = timedelta(hours=26)
WATCHED = timedelta(minutes=100)
NAMES = ("Front door", "Leak cellar", "Freezer garage", "Boiler", "Shed", "Sump pump", "Window bath", "Greenhouse")
DEVICES = {name: f"3f002b0000000000000000{number:02d}" for number, name in enumerate(NAMES, 1)}
EVERY = {"Front door": "1h", "Leak cellar": "1d", "Freezer garage": "1h", "Shed": "30m", "Sump pump": "1h"}
_TABLES = "".join(
    f'[devices."{DEVICES[name]}"]\nname = "{name}"\n' + (f'expect_every = "{EVERY[name]}"\n' if name in EVERY else "")
    for name in NAMES
)
POLICY = f"""
timezone = "Europe/Berlin"
operator = "Anna"

[people.Anna]
contacts    = ["email:anna@example.org", "sms:4917011111111@sms.example.net after 3m"]
quiet_hours = "22:30-06:30 except critical"
[people.Ben]
contacts    = ["email:ben@example.org"]
[people.Clara]
contacts    = ["sms:4917022222222@sms.example.net"]

[escalations.alarm]
steps = [
  {{ notify = ["Anna", "Ben"] }},
  {{ after = "10m", notify = ["Clara"] }},
]
repeat_every = "5m"
stop_after   = "2h"
[escalations.once]
steps = [{{ notify = ["Anna", "Ben"] }}]

[[routes]]
min_severity = "critical"
escalation   = "alarm"
[[routes]]
escalation = "once"

{_TABLES}
[[events]]
event  = "alive"
vitals = true
"""
SEVERITIES = "leak/*=critical,freezer/*=warning,boiler/*=info,door/*=info"


@asynccontextmanager
async def fleet(directory: Path, **overrides: Any) -> AsyncIterator[House]:
    """Run the house's service, with nothing in its past; its clock stands 26 hours before `NOW`."""
    (directory / "policy.toml").write_text(POLICY, encoding="utf-8")
    clock = FakeClock(NOW - DAY)
    async with mail_sink() as sink, serving(_settings(directory, sink, **overrides), clock=clock) as service:
        yield House(service, sink, clock)


def _settings(directory: Path, sink: MailSink, **overrides: Any) -> Settings:
    given = {
        "particle_webhook_secret": BEARER["Authorization"].removeprefix("Bearer "),
        "api_token": API_BEARER["Authorization"].removeprefix("Bearer "),
        "webhook_secret": "signing-key-0123456789abcdefghi",
        "secret_key": KEY,
        "data_dir": directory / "data",
        "policy_file": directory / "policy.toml",
        "severity_rules": SEVERITIES,
        "port": 0,
        "rate_limit": "100000/minute",
        "particle_rate_limit": "100000/minute",
        "smtp_host": "127.0.0.1",
        "smtp_port": sink.port,
        "smtp_security": "none",
        "smtp_email": "alerts@example.net",
    }
    return load(None, **{**given, **overrides})


async def live(home: House) -> None:
    """Let a day and half a night pass, until `NOW`."""
    await _unreadable(home)
    for ago, name, event, data in sorted(_events(), key=lambda each: -each[0]):
        await _until(home, NOW - timedelta(minutes=ago))
        body = {"event": event, "coreid": DEVICES[name], "data": data}
        answer = await home.service.client.post("/webhook/particle", json=body, headers=BEARER)
        assert answer.status_code in (200, 202), answer.text
        await home.service.settled()
        if event in _ACTS and data["status"] == "firing":
            await _act(home, answer.json()["incident"], *_ACTS[event])
    await _until(home, NOW)
    await home.service.gate.auditor.run()
    await home.service.gate.hourly.run()


async def _until(home: House, moment: datetime) -> None:
    """Move the clock; let what is due be sent, and in the last two hours the devices be watched without a gap."""
    while home.clock.now() < moment:
        is_watched = home.clock.now() >= NOW - WATCHED
        step = timedelta(seconds=25) if is_watched else timedelta(hours=1)
        home.clock.time = min(moment, home.clock.now() + step)
        if is_watched:
            await home.service.gate.device_watch.run()
            await home.service.settled()
    await home.service.settled()


def _events() -> Iterable[tuple[float, str, str, dict[str, Any]]]:
    """Return what devices say: how many minutes before `NOW`, who, and what."""
    for hour in range(26):
        for number, name in enumerate(NAMES):
            if name == "Shed" and hour < 9:
                continue  # it has fallen silent
            battery = 92 - 9 * number + hour // 3
            signal = 70 - 4 * number + (hour * (number + 3)) % 9
            yield 60 * hour + 7 * number + 5, name, "alive", {"battery": battery, "signal": signal}
    for ago in (1180, 1050, 640, 510):
        yield ago, "Front door", "door/front", {"status": "firing", "by": "keypad"}
        yield ago - 2, "Front door", "door/front", {"status": "resolved"}
    yield 1075, "Freezer garage", "freezer/temperature", {"status": "firing", "celsius": -9.5, "limit": -15}
    yield 1040, "Freezer garage", "freezer/temperature", {"status": "resolved", "celsius": -18.0, "limit": -15}
    yield 880, "Boiler", "boiler/pressure", {"status": "firing", "bar": 0.9}
    yield 790, "Boiler", "boiler/pressure", {"status": "resolved", "bar": 1.4}
    yield 300, "Greenhouse", "frost", {"status": "firing", "celsius": 1.5}
    yield 170, "Greenhouse", "frost", {"status": "resolved", "celsius": 3.5}
    yield 9, "Window bath", "window/open", {"status": "firing", "since": "rain began"}
    yield 4, "Leak cellar", "leak/cellar", {"status": "firing", "millimetres": 12, "pump": "off", "battery": 83}
    yield 3, "Leak cellar", "leak/cellar", {"status": "firing", "millimetres": 19, "pump": "off", "battery": 83}


_ACTS = {"boiler/pressure": ("acknowledge", "Ben"), "window/open": ("acknowledge", "Ben")}


async def _act(home: House, incident: str, act: str, by: str) -> None:
    answer = await home.service.client.post(f"/api/incidents/{incident}/{act}", json={"by": by}, headers=API_BEARER)
    assert answer.status_code == 200, answer.text


async def _unreadable(home: House) -> None:
    """Send what can't be read, which somebody looks after, and begin a silence."""
    client = home.service.client
    headers = {**BEARER, "Content-Type": "application/json"}
    for body in (b'{"event": "pump/state", "data": {"on": tru', b"\xff\xfe not text"):
        answer = await client.post("/webhook/particle", content=body, headers=headers)
        assert answer.status_code == 202, answer.text
    for incident in (await client.get("/api/incidents", headers=API_BEARER)).json()["items"]:
        await _act(home, incident["id"], "resolve", "Ben")
    silence = {"device": "Sump pump", "for": "40h", "note": "the pump is being replaced", "by": "Ben"}
    answer = await client.post("/api/silences", json=silence, headers=API_BEARER)
    assert answer.status_code == 201, answer.text
