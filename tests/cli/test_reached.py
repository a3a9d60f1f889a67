"""Commands that ask whom a service reaches, where alertgate.toml names people."""

from tests.cli.test_cli import GOOD, alertgate, mail_env
from tests.conftest import API_BEARER, serving
from tests.fakes import mail_sink, until
from tests.flow.test_nothing_is_lost import mail_settings

RULES = """
[people.anna]
contacts = ["email:anna@example.org", "email:$CONTACT_ANNA after 2m"]
"""
SECRET = {"CONTACT_ANNA": "anna@work.example"}
NO_RECIPIENTS = {"RECIPIENT_EMAIL": "", "RECIPIENT_SMS": ""}


async def test_people_of_the_policy_are_tested_and_checked(tmp_path):
    """By each contact, in place of the recipients of the settings; secret addresses aren't shown."""
    (tmp_path / "alertgate.toml").write_text(RULES, encoding="utf-8")
    async with mail_sink() as sink:
        env = {**GOOD, **mail_env(sink), **NO_RECIPIENTS, **SECRET}
        sent = await alertgate("send-test", cwd=tmp_path, env=env)
        checked = await alertgate("check", cwd=tmp_path, env=env)
    assert sent.returncode == 0
    assert [mail.to for mail in sink.messages] == ["anna@example.org", "anna@work.example"]
    said = [line for line in checked.stdout.splitlines() if " recipient " in line]
    assert "anna@work" not in sent.stdout + checked.stdout
    assert [line.split(": ")[0] for line in said] == [
        "ok    recipient anna@example.org",
        "ok    recipient a***@work.example",
    ]


async def test_simulated_alerts_ask_before_people_of_the_policy_are_told(tmp_path):
    """Nobody is there to answer, so nothing is sent."""
    (tmp_path / "alertgate.toml").write_text(RULES, encoding="utf-8")
    env = {**GOOD, "SMTP_EMAIL": "gate@example.org", **NO_RECIPIENTS, **SECRET}
    done = await alertgate("simulate", cwd=tmp_path, env=env)
    assert done.returncode == 1
    assert "1 alert tells real people (email a***@example.org, email a***@work.example)" in done.stderr


async def test_what_failed_to_reach_somebody_of_the_policy_is_retried(make_settings, tmp_path):
    """The API sends a test and a retry to who is in the policy in force."""
    (tmp_path / "alertgate.toml").write_text(RULES, encoding="utf-8")
    async with mail_sink() as sink:
        settings = make_settings(
            **{**mail_settings(sink.port), "recipient_email": "", "policy_file": tmp_path / "alertgate.toml"}
        )
        sink.answer("RCPT", "550 5.1.1 gone")
        async with serving(settings, secrets_of_contacts=lambda: SECRET) as service:
            answer = (await service.particle(event="leak")).json()

            async def status() -> str:
                return (await service.trail(answer["id"]))["notifications"][0]["status"]

            async def failed() -> bool:
                return await status() == "failed"

            await until(failed)
            failure = (await service.trail(answer["id"]))["notifications"][0]
            retried = await service.client.post(f"/api/notifications/{failure['id']}/retry", headers=API_BEARER)
            assert retried.status_code == 200

            async def sent() -> bool:
                return await status() == "sent"

            await until(sent)
            tested = await service.client.post("/api/send-test", headers=API_BEARER)
            assert [each["address"] for each in tested.json()["items"]] == ["anna@example.org", "anna@work.example"]


async def test_who_was_not_told_for_want_of_an_address_is_named_and_told_by_a_retry(make_settings, tmp_path):
    """The mail about it says whose address is missing, and what it tells to do works without a restart."""
    (tmp_path / "alertgate.toml").write_text(RULES.replace(" after 2m", ""), encoding="utf-8")
    known: dict[str, str] = {}
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), policy_file=tmp_path / "alertgate.toml")
        async with serving(settings, secrets_of_contacts=lambda: dict(known)) as service:
            alert = (await service.particle(event="leak")).json()["id"]

            async def said() -> str:
                return "\n".join(mail.text for mail in sink.messages)

            async def is_said() -> bool:
                await service.gate.watch.run()
                await service.gate.own_alerts.run()
                return "not delivered" in await said()

            await until(is_said)
            assert "1 notification to anna (email $CONTACT_ANNA) not delivered" in await said()
            assert "alertgate reload" in await said()
            known |= SECRET
            await service.gate.policies.reload()
            [failure] = [each for each in (await service.trail(alert))["notifications"] if each["status"] == "failed"]
            retried = await service.client.post(f"/api/notifications/{failure['id']}/retry", headers=API_BEARER)
            assert retried.status_code == 200

            async def is_told() -> bool:
                return "anna@work.example" in {mail.to for mail in sink.messages}

            await until(is_told)


async def test_recipients_of_the_settings_whom_people_replace_are_named(tmp_path):
    """Nobody who was told yesterday is silently told nothing; who is somebody's contact is told."""
    (tmp_path / "alertgate.toml").write_text(RULES, encoding="utf-8")
    env = {**GOOD, **SECRET, "RECIPIENT_EMAIL": "boss@example.org, anna@example.org", "RECIPIENT_SMS": "5@gate.example"}
    env["RECIPIENT_PUSH"] = "ntfy:alarm1"
    done = await alertgate("check", "--offline", cwd=tmp_path, env=env)
    assert [line for line in done.stdout.splitlines() if " RECIPIENT_" in line] == [
        f"warn  {name}: {who} isn't told, because alertgate.toml has people: make it a contact of one, or take it out "
        f"of {name}"
        for name, who in (
            ("RECIPIENT_EMAIL", "b***@example.org"),
            ("RECIPIENT_SMS", "5***@gate.example"),
            ("RECIPIENT_PUSH", "a***"),
        )
    ]
    (tmp_path / "alertgate.toml").unlink()
    without = await alertgate("check", "--offline", cwd=tmp_path, env=env)
    assert " RECIPIENT_" not in without.stdout
