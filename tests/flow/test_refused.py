"""Alerts with a right credential that are refused: a person hears of it, once, and when it is over."""

import asyncio
import itertools
import json
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing

import pytest
import structlog
from sqlalchemy import text

from alertgate.accept.keys import PART_FIELDS
from alertgate.model import Severity
from alertgate.store import incidents
from tests.builders import incompressible
from tests.conftest import API_BEARER, BEARER, Running, serving, sign
from tests.fakes import FakeClock, MailSink, mail_sink, until
from tests.flow.test_nothing_is_lost import mail_settings
from tests.web.test_senders import BY_TOKEN, TOKEN

BIG = b"x" * 131_073
GENERIC, PARTICLE = "alerts refused (generic webhook)", "alerts refused (particle webhook)"
LASTS = "; its incident says why and what to do"


async def own_incidents(service: Running) -> list[dict]:
    """Return alertgate's own incidents, newest first, as the API shows them."""
    answer = await service.client.get("/api/incidents", params={"source": "alertgate"}, headers=API_BEARER)
    return answer.json()["items"]


async def degraded(service: Running) -> list[str]:
    """Return what /health says doesn't work."""
    return (await service.client.get("/health", headers=API_BEARER)).json().get("degraded", [])


async def own_mails(sink: MailSink, count: int) -> Sequence[str]:
    """Wait for as many mails about the gate itself; return their texts."""

    async def arrived():
        found = [each for each in sink.messages if "alertgate: alerts refused" in each.mail["Subject"]]
        return found if len(found) >= count else None

    found = await until(arrived)
    assert len(found) == count
    return [each.text.replace("\r\n", "\n") for each in found]


async def test_a_burst_over_the_limit_is_told_once_and_so_is_its_end(make_settings):
    """Of sixty signed alerts forty are refused: one incident and one mail that says so; five minutes later, its end."""
    clock = FakeClock()
    async with (
        mail_sink() as sink,
        serving(make_settings(rate_limit="20/hour", **mail_settings(sink.port)), clock=clock) as service,
    ):
        answers = await asyncio.gather(*(service.generic(severity="critical") for _ in range(60)))
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses == [202] * 20 + [429] * 40
        [text] = await own_mails(sink, 1)
        assert re.search(
            r"^(\d+) alerts? from 127.0.0.1 refused (since|at) 14:03: over RATE_LIMIT\.$", text, re.MULTILINE
        )
        assert "\nWhat to do: Find out why so much is sent from one address." in text
        [incident] = await own_incidents(service)
        assert (incident["event"], incident["severity"], incident["status"]) == (
            "alertgate/refused",
            "critical",
            "open",
        )
        assert await degraded(service) == [f"{GENERIC}: since 2026-11-23 14:03 UTC{LASTS}"]
        await service.settled()
        clock.move(minutes=5)
        text = (await own_mails(sink, 2))[1]
        assert "40 alerts from 127.0.0.1 refused at 14:03: over RATE_LIMIT." in text
        assert "It is over: resolved at 14:08. It began at 14:03." in text
        assert [each["status"] for each in await own_incidents(service)] == ["resolved"]
        assert await degraded(service) == []
        subjects = [each.mail["Subject"] for each in sink.messages if "refused" in each.mail["Subject"]]
        assert subjects == [f"[CRITICAL] alertgate: {GENERIC}", f"[RESOLVED] alertgate: {GENERIC}"]
        scraped = (await service.client.get("/metrics")).text
        assert 'alertgate_alerts_accepted_total{result="accepted",source="alertgate"} 2.0' in scraped


async def test_while_it_goes_on_there_are_updates_and_one_incident(make_settings):
    """A sender that never stops is an update each GROUP_INTERVAL, with the total."""
    clock = FakeClock()
    async with (
        mail_sink() as sink,
        serving(make_settings(rate_limit="1/hour", **mail_settings(sink.port)), clock=clock) as service,
    ):
        await service.generic()
        assert (await service.generic()).status_code == 429
        await own_mails(sink, 1)
        await service.settled()
        for _ in range(5):
            clock.move(seconds=60)
            assert (await service.generic()).status_code == 429
        text = (await own_mails(sink, 2))[1]
        assert "It goes on." in text
        assert re.search("[56] alerts from 127.0.0.1 refused since 14:03", text), "as the latest report says"
        assert len(await own_incidents(service)) == 1


async def test_what_others_send_unsigned_does_not_cost_a_good_sender_its_alerts(make_settings):
    """The limit of the generic webhook counts right credentials alone, with a signature as with a token."""
    async with serving(make_settings(rate_limit="3/minute", webhook_token=TOKEN), clock=FakeClock()) as service:
        noise = [
            await service.client.post("/webhook/generic", content=b"{}", headers=headers)
            for headers in ({"X-Hub-Signature-256": "sha256=" + "0" * 64}, {"Authorization": "Bearer wrong"})
        ]
        assert [answer.status_code for answer in noise] == [401, 401]
        by_token = await service.client.post(
            "/webhook/generic", content=b'{"event":"e","message":"m"}', headers=BY_TOKEN
        )
        signed = [await service.generic() for _ in range(3)]
        assert [answer.status_code for answer in (by_token, *signed)] == [202, 202, 202, 429]


async def test_who_has_no_right_credential_raises_nothing(make_settings):
    """401, 413 and 429 of strangers concern nobody."""
    async with serving(make_settings(rate_limit="2/minute"), clock=FakeClock()) as service:
        unsigned = [
            await service.client.post("/webhook/generic", content=BIG, headers={"X-Hub-Signature-256": sign(BIG)}),
            await service.client.post("/webhook/generic", content=b"{}"),
            await service.client.post("/webhook/particle", content=BIG),
            await service.client.post("/webhook/particle", content=BIG),
            await service.client.post("/webhook/generic", content=b"{}"),
        ]
        assert [answer.status_code for answer in unsigned] == [413, 401, 401, 429, 429]
        assert service.gate.own_alerts.degraded() == []
        await service.gate.own_alerts.run()
        assert await service.gate.store.read(incidents.own_unresolved) == []


async def test_a_body_over_the_cap_with_a_right_token_is_told(make_settings):
    """Both webhooks; what was never read counts as a warning."""
    async with (
        mail_sink() as sink,
        serving(make_settings(webhook_token=TOKEN, **mail_settings(sink.port)), clock=FakeClock()) as service,
    ):
        for path, headers in (("/webhook/particle", BEARER), ("/webhook/generic", BY_TOKEN)):
            assert (await service.client.post(path, content=BIG, headers=headers)).status_code == 413
        texts = await own_mails(sink, 2)
        assert all("1 alert from 127.0.0.1 refused at 14:03: larger than MAX_BODY_BYTES." in text for text in texts)
        found = {(each["device"], each["severity"]) for each in await own_incidents(service)}
        assert found == {("generic webhook", "warning"), ("particle webhook", "warning")}


async def test_a_device_over_its_limit_is_told_by_its_name(make_settings):
    """As severe as what it published."""
    settings = make_settings(particle_rate_limit="1/hour", devices="d1=Front door")
    async with serving(settings, clock=FakeClock()) as service:
        answers = [await service.particle(coreid="d1", severity="critical", data=str(n)) for n in range(2)]
        assert [answer.status_code for answer in answers] == [202, 429]
        [incident] = await until(lambda: own_incidents(service))
        trail = (await service.client.get(f"/api/incidents/{incident['id']}", headers=API_BEARER)).json()
        assert incident["severity"] == "critical"
        assert trail["alerts"][0]["message"].startswith(
            "1 alert from Front door refused at 14:03: over PARTICLE_RATE_LIMIT."
        )


REFUSE = {
    "sqlite": "CREATE TRIGGER refuse BEFORE INSERT ON alerts WHEN NEW.event = 'poison' "
    "BEGIN SELECT RAISE(ABORT, 'no room'); END",
    "postgresql": "CREATE INDEX small ON alerts (message)",
}
"""Makes a database refuse some alerts: PostgreSQL those with a message that its index has no room for."""


async def test_an_alert_that_the_database_refuses_fails_alone_and_is_told(make_settings, database):
    """Its neighbours in the batch are accepted; the sender gets a clear answer, and a person hears of it."""
    message = incompressible(8000)
    async with serving(make_settings(**database), clock=FakeClock()) as service:
        store = service.gate.store
        await store.write(lambda connection: connection.execute(text(REFUSE[store.dialect])))
        with structlog.testing.capture_logs() as logs:
            bad, *good = await asyncio.gather(
                service.generic(event="poison", message=message, severity="critical"),
                *(service.particle(coreid=f"d{number}") for number in range(20)),
            )
        assert [answer.status_code for answer in good] == [202] * 20
        assert (bad.status_code, bad.json()["type"]) == (503, "urn:alertgate:problem:not-storable")
        assert "would refuse it again" in bad.json()["detail"]
        assert "Retry-After" not in bad.headers
        [logged] = [entry for entry in logs if entry["event"] == "alert.refused"]
        assert (logged["event_name"], logged["severity"], logged["log_level"]) == ("poison", Severity.CRITICAL, "error")
        assert message[:10] not in str(logs)
        [incident] = await until(lambda: own_incidents(service))
        assert incident["severity"] == "critical"
        trail = (await service.client.get(f"/api/incidents/{incident['id']}", headers=API_BEARER)).json()
        told = trail["alerts"][0]["message"]
        assert "refused at 14:03: the database refused what they hold." in told
        assert "What to do: Look for alert.refused in the log" in told


PARTS = {field: incompressible(128, seed) for seed, field in enumerate(PART_FIELDS)}


@pytest.mark.parametrize("of", ["parts", "source", "details", "rule", "names"])
async def test_an_alert_with_long_names_is_stored_like_any_other(make_settings, database, tmp_path, of):
    """Whatever its keys are made of, an index has room for them; the same names are the same incident."""
    policy = tmp_path / "alertgate.toml"
    policy.write_text(f'[[events]]\nevent = "rule"\nabout = "{PARTS["zone"]}"\nkey = "data.[{", ".join(PARTS)}]"\n')
    async with serving(make_settings(policy_file=policy, **database), clock=FakeClock()) as service:
        number = itertools.count()

        async def send(**more: str):
            match of:
                case "parts":
                    return await service.particle(data={**PARTS, **more})
                case "source":
                    headers = {"Idempotency-Key": f"k{next(number)}"}
                    return await service.generic(headers=headers, source=PARTS["zone"] * 99, **more)
                case "details":
                    return await service.generic(source=PARTS["zone"], event=PARTS["door"], details={**PARTS, **more})
                case "names":
                    names = {"event": incompressible(256), "coreid": PARTS["zone"], "event_id": PARTS["door"]}
                    return await service.particle(**names, data=more)
            return await service.particle(event="rule", data={**PARTS, **more})

        answers = [await send(), await send(n="another"), await send(probe=f"{PARTS['probe'][:-1]}x")]
        assert [answer.status_code for answer in answers] == [202] * 3
        incidents = [answer.json()["incident"] for answer in answers]
        assert incidents[0] == incidents[1] != incidents[2]


async def test_a_devices_name_cannot_forge_a_line_or_a_header(make_settings):
    """Whatever its id contains, it stays a name within a sentence."""
    name = "x\r\nBcc: evil@example.org\r\n\r\nWhat to do: nothing"
    async with (
        mail_sink() as sink,
        serving(make_settings(particle_rate_limit="1/hour", **mail_settings(sink.port)), clock=FakeClock()) as service,
    ):
        answers = [await service.particle(coreid=name, data=str(n)) for n in range(2)]
        assert [answer.status_code for answer in answers] == [202, 429]
        [text] = await own_mails(sink, 1)
        [mail] = [each.mail for each in sink.messages if "refused" in each.mail["Subject"]]
        assert (mail["Bcc"], mail["Subject"]) == (None, f"[WARNING] alertgate: {PARTICLE}")
        lines = [line for line in text.splitlines() if line.startswith(("Bcc:", "What to do:"))]
        assert [line.split(".")[0] for line in lines] == ["What to do: Find out why the device publishes so often"]


async def test_a_lost_all_clear_is_a_warning(make_settings):
    """It is no alarm that nobody heard."""
    async with serving(make_settings(rate_limit="1/hour"), clock=FakeClock()) as service:
        await service.generic(severity="critical")
        assert (await service.generic(severity="critical", status="resolved")).status_code == 429
        [incident] = await until(lambda: own_incidents(service))
        assert incident["severity"] == Severity.WARNING


async def test_a_rule_says_how_bad_it_is_that_an_alert_was_refused(make_settings, tmp_path):
    """The policy counts for what is refused as for what is stored, by either webhook."""
    rules = tmp_path / "alertgate.toml"
    rules.write_text('[[events]]\nevent = "leak"\nseverity = "critical"\n')
    settings = make_settings(rate_limit="1/hour", particle_rate_limit="1/hour", policy_file=rules)
    async with serving(settings, clock=FakeClock()) as service:
        for send in (service.generic, service.particle):
            assert [(await send(event="leak")).status_code for _ in range(2)] == [202, 429]

        async def both():
            return found if len(found := await own_incidents(service)) == 2 else None

        severities = {each["device"]: each["severity"] for each in await until(both)}
        assert severities == dict.fromkeys(("generic webhook", "particle webhook"), Severity.CRITICAL)


async def test_an_unreadable_body_over_the_limit_is_refused_like_any_other(make_settings):
    """429, not 400, and counted as a warning."""
    async with serving(make_settings(rate_limit="1/hour"), clock=FakeClock()) as service:
        headers = {"X-Hub-Signature-256": sign(b"{")}
        answers = [await service.client.post("/webhook/generic", content=b"{", headers=headers) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [400, 429]
        [incident] = await until(lambda: own_incidents(service))
        assert incident["severity"] == Severity.WARNING


async def test_what_a_store_in_trouble_refused_is_told_once_it_is_back(make_settings, tmp_path):
    """503 while another process holds the database; afterwards one mail says how many, and of whom."""
    clock = FakeClock()
    async with (
        mail_sink() as sink,
        serving(make_settings(**mail_settings(sink.port)), clock=clock) as service,
    ):
        with service.gate.store.transaction() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=50")
        with closing(sqlite3.connect(tmp_path / "data" / "alertgate.db", isolation_level=None)) as lock:
            lock.execute("BEGIN IMMEDIATE")
            answers = [await service.particle(coreid=f"d{n}", severity="critical") for n in range(3)]
            assert [answer.status_code for answer in answers] == [503, 503, 503]
            await service.gate.own_alerts.run()
            assert len(service.gate.own_alerts.degraded()) == 1, "the gate's own report raises no other"
            lock.execute("ROLLBACK")
        clock.move(minutes=90)
        [text] = await own_mails(sink, 1)
        assert "3 alerts from d0, d1 and d2 refused since 14:03: the database couldn't be used." in text
        assert sink.messages[0].mail["Subject"] == f"[CRITICAL] alertgate: {PARTICLE}"


@pytest.mark.postgres
async def test_two_replicas_tell_once(make_settings, postgres_database):
    """Each refuses alerts of its own; there is one incident, with one opening, the total, and one end."""
    clock = FakeClock()
    async with mail_sink() as sink:
        settings = make_settings(rate_limit="1/hour", database_url=postgres_database, **mail_settings(sink.port))
        async with serving(settings, clock=clock) as one, serving(settings, clock=clock) as two:
            for service in (one, two):
                answers = [(await service.generic()).status_code for _ in range(4)]
                assert answers == [202, 429, 429, 429]
            await own_mails(sink, 1)
            await one.settled()
            clock.move(minutes=5)

            async def over():
                return [each["status"] for each in await own_incidents(one)] == ["resolved"]

            await until(over)
            last = (await own_mails(sink, 2))[1]
            assert "It is over" in last
            assert len(await own_incidents(two)) == 1


async def test_a_stop_tells_what_was_just_refused(make_settings):
    """The last report comes before the end; after a restart the incident is there, and is over in time."""
    clock = FakeClock()
    settings = make_settings(rate_limit="1/hour")
    async with serving(settings, clock=clock) as service:
        await service.generic()
        assert (await service.generic()).status_code == 429
    async with serving(settings, clock=clock) as service:
        [incident] = await own_incidents(service)
        assert incident["status"] == "open"
        await until(lambda: degraded(service))
        clock.move(minutes=10)

        async def over():
            return (await own_incidents(service))[0]["status"] == "resolved"

        await until(over)


async def test_the_trail_says_that_alertgate_reported_it(make_settings):
    """The API shows the message and the counts, and `resolve_quiet` never ends it."""
    async with serving(make_settings(rate_limit="1/hour", resolve_after=60), clock=FakeClock()) as service:
        await service.generic()
        await service.generic()
        [incident] = await until(lambda: own_incidents(service))
        answer = await service.client.get(f"/api/incidents/{incident['id']}", headers=API_BEARER)
        [alert] = answer.json()["alerts"]
        assert alert["source"] == "alertgate"
        assert alert["message"].startswith("1 alert from 127.0.0.1 refused at 14:03: over RATE_LIMIT.")
        assert json.loads(json.dumps(alert["data"])) == {
            "count": 1,
            "first": "2026-11-23T14:03:00Z",
            "last": "2026-11-23T14:03:00Z",
            "causes": {"address_limit": 1},
            "senders": {"127.0.0.1": 1},
        }
