"""What makers' own words mean, by `[[events]]` rules: from the webhook to the mail."""

import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from alertgate.policy.load import digest
from tests.conftest import API_BEARER, BEARER, serving
from tests.fakes import FakeClock, mail_sink, until
from tests.flow.process import process
from tests.flow.test_nothing_is_lost import mail_settings

RULES = """
[[events]]
event  = "heartbeat"
ignore = true
[[events]]
event    = "leak"
resolved = "contains(['0', '00', 'off', 'false'], to_string(data))"
severity = "critical"
[[events]]
event    = "door"
key      = "[data.floor, data.name]"
resolved = "data.open == `false`"
[[events]]
event    = "online"
about    = "offline"
resolved = true
[[events]]
event    = "backup/*"
source   = "generic"
key      = "data.volume"
resolved = "data.failed == `0`"
severity = "data.failed > `3` && 'critical' || 'warning'"
"""
BROKEN = '[[events]]\nevent = "leak"\nresolved = "data =="\n'


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A policy's file with these rules."""
    path = tmp_path / "alertgate.toml"
    path.write_text(RULES)
    return path


async def subjects(sink, count: int) -> list[str]:
    """Wait for so many mails, and return their subjects."""
    return [mail.mail["Subject"] for mail in await sink.received(count)]


async def form(service, **fields: str) -> Any:
    """Send an event as Particle's default form."""
    answer = await service.client.post("/webhook/particle", data=fields, headers=BEARER)
    assert answer.status_code == 202
    return answer.json()


@pytest.mark.parametrize("over", ["00", "0", "off", "false"])
async def test_a_leak_ends_in_its_own_words(make_settings, rules, over):
    """As a form sends them: a mail for the leak, and one for its end."""
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), policy_file=rules)
        async with serving(settings, clock=FakeClock()) as service:
            await form(service, event="leak", data="01", coreid="bath")
            await sink.received(1)
            await form(service, event="leak", data=over, coreid="bath")
            now = ", now off" if over == "off" else ""
            assert await subjects(sink, 2) == ["[CRITICAL] bath: leak", f"[RESOLVED{now}] bath: leak"]


@pytest.mark.parametrize("over", [0, "0", False])
async def test_a_leak_ends_with_a_number_or_a_boolean(make_settings, rules, over):
    """As JSON sends them."""
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), policy_file=rules)
        async with serving(settings, clock=FakeClock()) as service:
            await service.particle(event="leak", data=1, coreid="bath")
            await sink.received(1)
            await service.particle(event="leak", data=over, coreid="bath")
            assert (await subjects(sink, 2))[1] == "[RESOLVED] bath: leak"


async def test_two_doors_of_one_device_are_two_incidents(make_settings, rules, database):
    """The end of one, `{"open":false}`, isn't the end of the other."""
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), **database, policy_file=rules)
        async with serving(settings, clock=FakeClock()) as service:
            front, back = ({"floor": "ground", "name": name} for name in ("front", "back"))
            opened = [await service.particle(event="door", data={**door, "open": True}) for door in (front, back)]
            await sink.received(2)
            await service.particle(event="door", data={**front, "open": False})
            assert (await subjects(sink, 3))[2].startswith("[RESOLVED]")
            first, second = [(await service.trail(answer.json()["id"]))["incident"] for answer in opened]
    assert [(first["status"], second["status"])] == [("resolved", "open")]


async def test_online_ends_offline(make_settings, rules):
    """Two events about one thing."""
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), policy_file=rules)
        async with serving(settings, clock=FakeClock()) as service:
            began = (await form(service, event="offline", coreid="pump"))["incident"]
            await sink.received(1)
            assert (await form(service, event="online", coreid="pump"))["incident"] == began
            assert await subjects(sink, 2) == ["[WARNING] pump: offline", "[RESOLVED] pump: offline"]


async def test_a_rule_on_a_field_that_is_not_there_ends_nothing(make_settings, rules):
    """The alert's own `status` says ok, but its rule failed: it joins, and its trail says why."""
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), policy_file=rules)
        async with serving(settings, clock=FakeClock()) as service:
            door = {"floor": "ground", "name": "front"}
            began = (await service.particle(event="door", data={**door, "open": True})).json()["incident"]
            await sink.received(1)
            doubtful = (await service.particle(event="door", data={**door, "status": "closed"})).json()
            trail = await service.trail(doubtful["id"])
    assert (doubtful["incident"], trail["incident"]["status"]) == (began, "open")
    assert (
        "`resolved` failed, because data.open is missing or blank; so it fires, whatever its own words say"
        in (trail["alert"]["reason"])
    )


async def test_an_all_clear_of_an_unknown_part_ends_nothing(make_settings, rules, database):
    """The firmware renamed the field that `key` needs: both doors are one incident, and one that shuts ends nothing."""
    clock = FakeClock()
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), **database, policy_file=rules)
        async with serving(settings, clock=clock) as service:

            async def said(name: str, **fields: Any) -> Any:
                data = {"storey": "ground", "name": name, "open": fields.pop("open")}
                return (await service.particle(event="door", data=data, **fields)).json()

            began = await said("front", open=True)
            await sink.received(1)
            joined, shut = await said("back", open=True), await said("back", open=False)
            trail = await service.trail(shut["id"])
            incident = (await service.trail(began["id"]))["incident"]
            assert joined["incident"] == began["incident"]
            assert (shut["incident"], trail["alert"]["signal"], incident["status"]) == (None, "resolved", "open")
            assert "`key` failed, because data.floor is missing or blank; " in trail["alert"]["reason"]
            # Nor is a door over before it opened, which the all-clear has overtaken.
            times = {name: (clock.now() - timedelta(seconds=age)).isoformat() for name, age in (("was", 9), ("is", 3))}
            await said("gate", open=False, coreid="other", published_at=times["is"])
            late = await said("gate", open=True, coreid="other", published_at=times["was"])
            assert (await service.trail(late["id"]))["incident"]["status"] == "open"
            assert not any(subject.startswith("[RESOLVED]") for subject in await subjects(sink, 2))


@pytest.mark.parametrize(
    "data", ['{"floor":"ground","name":"front","open":""}', '{"floor":"ground","name":"front","open":"{{{open}}}"}']
)
async def test_a_template_that_rendered_nothing_ends_nothing(make_settings, rules, data):
    """A rule that JMESPath would find true for blank text has failed, and the door stays open."""
    rules.write_text('[[events]]\nevent = "door"\nresolved = "!(data.open) || data.open != \'yes\'"\n')
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), policy_file=rules)
        async with serving(settings, clock=FakeClock()) as service:
            began = await form(service, event="door", data='{"name":"front","open":"yes"}', coreid="shed")
            await sink.received(1)
            await form(service, event="door", data=data, coreid="shed")
            assert (await service.trail(began["id"]))["incident"]["status"] == "open"


async def test_an_ignored_heartbeat_is_stored_and_told_to_nobody(make_settings, rules, database):
    """It is no incident, no repeat, no all-clear; it shows in the list, and its reason names the rule."""
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), **database, policy_file=rules)
        async with serving(settings, clock=FakeClock()) as service:
            beat = {"event": "heartbeat", "data": "41", "coreid": "pump", "event_id": "7"}
            answers = [await form(service, **beat) for _ in range(2)]
            await form(service, event="leak", data="1", coreid="bath")
            assert await subjects(sink, 1) == ["[CRITICAL] bath: leak"]
            listed = await service.client.get("/api/alerts", params={"status": "ignored"}, headers=API_BEARER)
            trail = await service.trail(answers[0]["id"])
            status = (await service.client.get("/status", headers=API_BEARER)).json()
            exposed = (await service.client.get("/metrics")).text
    assert [list(answer) for answer in answers] == [["status", "id"]] * 2
    assert {answer["status"] for answer in answers} == {"ignored"}
    assert [item["id"] for item in listed.json()["items"]] == [answer["id"] for answer in reversed(answers)]
    assert (trail["alert"]["reason"], trail["incident"]) == ("ignored by [[events]] 1 (heartbeat)", None)
    assert status["last_hour"]["alerts"] == {"accepted": 1, "ignored": 2}
    assert 'alertgate_alerts_accepted_total{result="ignored",source="particle"} 2.0' in exposed


async def test_an_event_that_was_ignored_is_told_once_its_rule_is_gone(make_settings, rules):
    """The same event delivered again is no repeat of one that nobody was told about."""
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), policy_file=rules)
        async with serving(settings, clock=FakeClock()) as service:
            beat = {"event": "heartbeat", "data": "41", "coreid": "pump", "event_id": "7"}
            assert (await form(service, **beat))["status"] == "ignored"
            rules.write_text("")
            await service.gate.policies.reload()
            assert (await form(service, **beat))["status"] == "accepted"
            assert await subjects(sink, 1) == ["[WARNING] pump: heartbeat"]


async def test_rules_are_about_generic_alerts_too(make_settings, rules):
    """Over `details`, and before the sender's own `dedup_key`, `status` and `severity`."""
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), policy_file=rules)
        async with serving(settings, clock=FakeClock()) as service:
            backup = {"event": "backup/nightly", "source": "nas", "dedup_key": "nas", "severity": "info"}
            await service.generic(**backup, details={"volume": "tank", "failed": 5})
            await sink.received(1)
            await service.generic(**backup, details={"volume": "boot", "failed": 1}, status="ok")
            await sink.received(2)
            await service.generic(**backup, details={"volume": "tank", "failed": 0})
            assert await subjects(sink, 3) == [
                "[CRITICAL] nas (tank): backup/nightly",
                "[WARNING] nas (boot): backup/nightly",
                "[RESOLVED] nas (tank): backup/nightly",
            ]


async def test_a_hostile_event_is_stored_whatever_its_rule_makes_of_it(make_settings, rules):
    """Too large, too deep, or of the wrong type: it fires, and is told."""
    deep: Any = 0
    for _ in range(150):
        deep = [deep]
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), policy_file=rules)
        async with serving(settings, clock=FakeClock()) as service:
            for number, data in enumerate([[0] * 5000, deep, {"open": 10**300}, "\x00"]):
                answer = await service.particle(event="door", data=data, coreid=f"d{number}")
                assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
            await sink.received(4)


async def test_a_broken_file_leaves_the_running_policy_in_force(tmp_path, rules):
    """SIGHUP reads the file: a broken one is logged with its problem and shown in /health; a good one ends that."""
    async with process(tmp_path) as running:

        async def logged(event: str, count: int) -> list[str] | None:
            lines = [line for line in running.lines if event in line]
            return lines if len(lines) >= count else None

        async def health() -> Any:
            return (await running.client.get("/health", headers=API_BEARER)).json()

        assert (await health())["policy"] == digest(RULES)[:12]
        rules.write_text(BROKEN)
        running.child.send_signal(signal.SIGHUP)
        [line] = await until(lambda: logged("policy.kept", 1))
        assert "events[1].resolved ends too early: something is missing after its last character" in line
        shown = await health()
        assert (shown["status"], shown["policy"]) == ("healthy", digest(RULES)[:12])
        kept = f"the last good policy ({digest(RULES)[:12]}) stays in force"
        assert shown["degraded"] == [f"the policy file alertgate.toml is invalid (the log names each problem); {kept}"]
        assert (await form(running, event="heartbeat"))["status"] == "ignored"
        rules.write_text('[[events]]\nevent = "nothing"\n')
        running.child.send_signal(signal.SIGHUP)
        await until(lambda: logged("policy.loaded", 2))
        assert "degraded" not in await health()
        assert (await form(running, event="heartbeat"))["status"] == "accepted"
        assert await running.stop() == 0


async def test_a_vanished_file_leaves_the_policy_in_force_at_the_next_start(tmp_path, rules):
    """A mount that is gone after a reboot doesn't turn the rules off."""
    async with process(tmp_path) as running:
        assert (await form(running, event="heartbeat"))["status"] == "ignored"
    rules.unlink()
    async with process(tmp_path) as running:
        assert (await form(running, event="heartbeat"))["status"] == "ignored"
        [trouble] = (await running.client.get("/health", headers=API_BEARER)).json()["degraded"]
    assert trouble.startswith("the policy file alertgate.toml is missing; the last good policy (")


@pytest.mark.postgres
async def test_replicas_have_one_policy(make_settings, rules, tmp_path, postgres_database):
    """One reads a new file; the other, which has none, follows within seconds."""
    shared = {"database_url": postgres_database}
    with_file = make_settings(**shared, policy_file=rules)
    without = make_settings(**shared, data_dir=tmp_path / "other")
    async with serving(with_file) as one, serving(without) as other:
        assert (await form(other, event="heartbeat"))["status"] == "ignored"
        rules.write_text('[[events]]\nevent = "leak"\nignore = true\n')
        await one.gate.policies.reload()

        async def followed() -> bool:
            return (await form(other, event="leak"))["status"] == "ignored"

        await until(followed)
        assert (await form(other, event="heartbeat"))["status"] == "accepted"
