"""What a person hears about how events are understood: from the webhook, or the policy's file, to the mail."""

import tomllib
from typing import Any

import pytest

from alertgate.policy.load import digest
from alertgate.store import policies
from alertgate.store.policies import StoredPolicy
from tests.conftest import API_BEARER, Running, serving
from tests.fakes import START, FakeClock, MailSink, mail_sink, until
from tests.flow.test_nothing_is_lost import mail_settings

PARTS, ALL_CLEAR, POLICY = "too many parts", "alarm or all-clear?", "file can't be used"
GOOD = '[[events]]\nevent = "leak"\nseverity = "critical"\n'
BAD = '[[events]]\nevent = "leak"\nresolved = "data =="\n'


def about(sink: MailSink, title: str) -> list[str]:
    """Return the subjects of alertgate's own mails with a title."""
    return [each.mail["Subject"] for each in sink.messages if f"alertgate: {title}" in each.mail["Subject"]]


async def open_incidents(service: Running, **wanted: str) -> list[dict[str, Any]]:
    """Return the open incidents, newest first."""
    params = {"status": "open", "limit": "200", **wanted}
    answer = await service.client.get("/api/incidents", params=params, headers=API_BEARER)
    return answer.json()["items"]


async def test_forty_parts_of_one_device_are_33_incidents_and_one_hint(make_settings, database):
    """The all-clear of part 35 leaves open what it shares; that of part 3 ends its own."""
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), **database, devices="d1=Cellar", flood_limit=0)
        async with serving(settings, clock=FakeClock()) as service:
            answers = [await service.particle(coreid="d1", data={"probe": f"room {n}"}) for n in range(40)]
            assert [answer.status_code for answer in answers] == [202] * 40
            mails = await sink.received(34)
            assert len(await open_incidents(service, source="particle")) == 33
            assert about(sink, PARTS) == [f"[WARNING] alertgate: {PARTS} (alarm/motion from Cellar)"]
            [hint] = [each.text for each in mails if PARTS in each.mail["Subject"]]
            assert "The latest is probe room 32." in hint
            cleared = [
                await service.particle(coreid="d1", data={"probe": f"room {n}", "status": "ok"}) for n in (35, 3)
            ]
            assert [answer.json()["incident"] for answer in cleared] == [None, answers[3].json()["incident"]]
            shared = await service.trail(answers[35].json()["id"])
            assert shared["incident"]["status"] == "open"
            await sink.received(35)
        assert len(sink.messages) == 35
        assert sink.messages[-1].mail["Subject"].startswith("[RESOLVED] Cellar")


async def test_a_doubtful_all_clear_is_told_with_the_rule_that_makes_it_an_alarm(make_settings, tmp_path, database):
    """Pasted from the mail into alertgate.toml, the rule makes the same body an alarm."""
    path = tmp_path / "alertgate.toml"
    path.write_text(GOOD)
    body = {"event": 'valve "main" [*]', "coreid": "d1", "data": {"status": "closed"}}
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), **database, policy_file=path)
        async with serving(settings, clock=FakeClock()) as service:
            answer = await service.particle(**body)
            assert (answer.status_code, answer.json()["incident"]) == (202, None)
            [mail] = await sink.received(1)
            assert mail.mail["Subject"] == f'[INFO] alertgate: {ALL_CLEAR} (valve "main" [*] from d1)'
            lines = mail.text.splitlines()
            start = lines.index("[[events]]")
            rule = "\n".join(lines[start : lines.index("", start)])
            assert tomllib.loads(rule)["events"] == [
                {"event": 'valve "main" [[][*]]', "source": "particle", "resolved": False}
            ]
            path.write_text(f"{rule}\n{GOOD}")
            await service.gate.policies.reload()
            alarm = await service.particle(**body)
            assert alarm.json()["incident"]
            mails = await sink.received(2)
            scraped = (await service.client.get("/metrics")).text
        assert [each.mail["Subject"] for each in mails[1:]] == ['[WARNING] d1: valve "main" [*], closed']
        assert 'alertgate_alerts_accepted_total{result="accepted",source="alertgate"} 1.0' in scraped


async def test_each_device_is_told_once_however_often_it_says_it(make_settings):
    """A second device has a hint of its own; the same again has none, and no hint is ever told to be over."""
    clock = FakeClock()
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), resolve_after=60)
        async with serving(settings, clock=clock) as service:
            body = {"event": "valve", "data": {"status": "closed"}}
            for device in ("d1", "d2", "d1", "d2"):
                await service.particle(**body, coreid=device)
            await sink.received(2)
            await service.settled()
            clock.move(hours=1)
            await service.particle(**body, coreid="d1")
            await service.gate.own_alerts.run()
            assert len(await open_incidents(service, source="alertgate")) == 2
            await service.particle(event="leak", coreid="d1", data={"status": "resolved"})
            await service.particle(event="leak", coreid="d1", data="wet")
            await sink.received(3)
        assert sorted(each.mail["Subject"] for each in sink.messages) == [
            f"[INFO] alertgate: {ALL_CLEAR} (valve from d1)",
            f"[INFO] alertgate: {ALL_CLEAR} (valve from d2)",
            "[WARNING] d1: leak, wet",
        ]


@pytest.mark.parametrize("way", ["reload", "follow"])
async def test_a_policy_that_cannot_be_used_is_told_until_it_is_mended(make_settings, tmp_path, way):
    """By a file that is bad, or by what another version has stored: one mail, however long it lasts, and its end."""
    path = tmp_path / "alertgate.toml"
    path.write_text(GOOD)
    clock = FakeClock()
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), policy_file=path)
        async with serving(settings, clock=clock) as service:
            keeper = service.gate.policies
            if way == "reload":
                path.write_text(BAD)
                await keeper.reload()
            else:
                foreign = StoredPolicy("[people.owner]", digest("[people.owner]"), START)
                await service.gate.store.write(lambda connection: policies.save(connection, foreign))
                await keeper.follow()
            [mail] = await sink.received(1)
            assert mail.mail["Subject"] == f"[WARNING] alertgate: {POLICY} (policy)"
            why = {"reload": "invalid.", "follow": "the stored policy is from another version of alertgate."}[way]
            assert f"Policy file not used since 14:03: {why}" in mail.text
            degraded = (await service.client.get("/health", headers=API_BEARER)).json()["degraded"]
            assert [line.split(";")[0] for line in degraded] == [(keeper.trouble or "").split(";")[0]]
            await service.settled()
            for _ in range(10):
                clock.move(hours=3)
                await keeper.reload() if way == "reload" else await keeper.follow()
                await service.gate.own_alerts.run()
            assert [each["event"] for each in await open_incidents(service)] == ["alertgate/policy"]
            path.write_text(f"{GOOD}# mended\n")
            await keeper.reload()
            over = (await sink.received(2))[1]
            assert over.mail["Subject"] == f"[RESOLVED] alertgate: {POLICY} (policy)"
            assert "A good policy is in force again" in over.text
            assert "degraded" not in (await service.client.get("/health", headers=API_BEARER)).json()
        assert len(sink.messages) == 2


async def test_a_start_with_a_mended_file_says_that_it_is_over(make_settings, tmp_path):
    """The process that reported it is gone; the next one reads a good file."""
    path = tmp_path / "alertgate.toml"
    path.write_text(GOOD)
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), policy_file=path)
        async with serving(settings):
            path.write_text(BAD)
        async with serving(settings) as service:
            await sink.received(1)
            assert len(await open_incidents(service)) == 1
        path.write_text(GOOD)
        async with serving(settings) as service:
            await sink.received(2)

            async def over() -> bool:
                return await open_incidents(service) == []

            await until(over)
        assert [subject.split("]")[0] for subject in about(sink, POLICY)] == ["[WARNING", "[RESOLVED"]


async def test_a_policy_that_is_forgotten_is_no_trouble_any_more(make_settings, tmp_path):
    """The file has vanished, and that is meant."""
    path = tmp_path / "alertgate.toml"
    path.write_text(GOOD)
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), policy_file=path)
        async with serving(settings, clock=FakeClock()) as service:
            path.unlink()
            await service.gate.policies.reload()
            [mail] = await sink.received(1)
            assert "Policy file not used since 14:03: missing." in mail.text
            none = StoredPolicy("", digest(""), START)
            await service.gate.store.write(lambda connection: policies.save(connection, none))
            await service.gate.policies.follow()
            assert "[RESOLVED]" in (await sink.received(2))[1].mail["Subject"]
