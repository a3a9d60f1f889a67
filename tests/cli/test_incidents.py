"""`alertgate list`, `ack`, `snooze`, `hand-back` and `resolve`, as processes beside a running service."""

import asyncio
import getpass
import os
import subprocess
import sys

import pytest

from tests.cli.test_cli import alertgate, which
from tests.cli.test_explain_and_retry import NOWHERE, beside, notification, without_variables
from tests.conftest import serving
from tests.fakes import until

__all__ = ["beside"]

PEOPLE = "".join(f'[people.{name}]\ncontacts = ["email:{name}@example.org"]\n' for name in ("Anna", "Ben"))


async def test_incidents_are_listed_acknowledged_and_resolved(make_settings, database, tmp_path, beside):
    """By an incident's id or an alert's, and it is recorded by whom; the running service tells of the end."""
    settings = make_settings(**database, recipient_email="anna@example.org")
    async with serving(settings) as service:
        answers = [await service.particle(event=event) for event in ("one", "two")]
        [one, two] = [answer.json()["incident"] for answer in answers]
        for answer in answers:
            await notification(service, answer.json()["id"], "sent", 1)

        async def run(*arguments: str):
            return await alertgate(*arguments, cwd=tmp_path, env={**beside, "SMTP_EMAIL": ""})  # the outbox, as above

        listed = await run("list")
        assert (listed.returncode, listed.stderr) == (0, f"Database: {which(beside)}\n")
        assert [line[:36] for line in listed.stdout.splitlines() if line[0] == "0"] == [two, one]
        assert without_variables(listed.stdout) == [
            "ID  [WARNING] two from Front door",
            "    open, 1 alert, opened DAY TIME, last DAY TIME",
            "ID  [WARNING] one from Front door",
            "    open, 1 alert, opened DAY TIME, last DAY TIME",
            "`alertgate ack ID` and `alertgate resolve ID` act on them; `alertgate explain ID` tells more.",
        ]
        assert "More aren't listed; --limit lists more." in (await run("list", "--limit", "1")).stdout
        acked = await run("ack", answers[0].json()["id"], "--by", "Anna")
        assert (acked.returncode, acked.stdout) == (0, f"Incident {one} is acknowledged by Anna.\n")
        unnamed = await run("ack", two.upper())
        assert (unnamed.returncode, unnamed.stdout) == (0, f"Incident {two} is acknowledged by {getpass.getuser()}.\n")
        again = await run("ack", one, "--by", "Bea")
        assert (again.returncode, again.stdout) == (
            0,
            f"Incident {one} stays as it was: it is already acknowledged by Anna.\n",
        )
        snoozed = await run("snooze", one, "--by", "Bea", "--for", "90m")
        assert (snoozed.returncode, snoozed.stdout.startswith(f"Incident {one} is snoozed by Bea until")) == (0, True)
        for wrong in ("0s", "8d", "soon"):
            done = await run("snooze", one, "--for", wrong)
            assert (done.returncode, "--for" in done.stderr) == (2, True)
        back = await run("hand-back", one, "--by", "Bea")
        assert (back.returncode, back.stdout) == (0, f"Incident {one} is handed back by Bea; 1 to be sent now.\n")
        unchanged = await run("hand-back", one)
        assert (unchanged.returncode, unchanged.stdout) == (0, f"Incident {one} stays as it was: it is already open.\n")
        resolved = await run("resolve", one)
        assert (resolved.returncode, resolved.stdout) == (
            0,
            f"Incident {one} is resolved by {getpass.getuser()}; 1 to be sent now.\n",
        )

        async def told():
            found = (await service.trail(answers[0].json()["id"]))["notifications"]
            return any((each["kind"], each["status"]) == ("resolution", "sent") for each in found)

        service.gate.deliverer.wake()
        await until(told)
        refused = await run("ack", one, NOWHERE)
        stays = f"Incident {one} stays as it was: it is resolved, and can no longer become acknowledged; its next"
        assert (refused.returncode, refused.stdout.startswith(stays)) == (1, True)
        assert f"There is no incident {NOWHERE}; `alertgate list` lists them." in refused.stdout
        left = (await run("list")).stdout
        assert (two in left, one in left) == (True, False)
        assert f"resolved by {getpass.getuser()}, 1 alert" in (await run("list", "--all")).stdout
        for incident_id, did in ((one, "resolved"), (two, "acknowledged")):
            explained = (await run("explain", incident_id)).stdout
            assert f'the incident was {did} by "{getpass.getuser()}" on the command line\n' in explained
        await run("resolve", two)
        assert (await run("list", "--all")).stdout.endswith("\n`alertgate explain ID` tells more.\n")
        nothing = (await run("list")).stdout
        assert nothing.startswith("No incident is unresolved; the newest alert is of ")


async def test_what_one_command_does_to_several_is_one_message(make_settings, database, tmp_path, beside):
    """The others who were told hear once who has them, as if a page's button had done it."""
    policy = tmp_path / "alertgate.toml"
    policy.write_text(PEOPLE)
    settings = make_settings(**database, recipient_email="", policy_file=policy)
    env = {**beside, "SMTP_EMAIL": "", "RECIPIENT_EMAIL": "", "POLICY_FILE": str(policy)}
    async with serving(settings) as service:
        answers = [(await service.particle(event=event)).json() for event in ("one", "two")]
        await service.settled()
        acked = await alertgate("ack", *(each["incident"] for each in answers), "--by", "Anna", cwd=tmp_path, env=env)
        assert (acked.returncode, acked.stdout.count("is acknowledged by Anna")) == (0, 2), acked.stderr
        await service.settled()
        trails = [(await service.trail(each["id"]))["notifications"] for each in answers]
        news = [each for trail in trails for each in trail if each["kind"] == "acknowledgement"]
        assert [(each["person"], each["status"]) for each in news] == [("Ben", "sent")] * 2
        assert len({each["digest_id"] for each in news}) == 1
        assert news[0]["digest_id"]


async def test_what_a_command_did_before_it_failed_is_told_at_once(make_settings, database, tmp_path, beside):
    """Its output is a pipe that nobody reads, so that it ends after the first of two."""
    policy = tmp_path / "alertgate.toml"
    policy.write_text(PEOPLE)
    env = {**beside, "SMTP_EMAIL": "", "RECIPIENT_EMAIL": "", "POLICY_FILE": str(policy), "PATH": os.environ["PATH"]}
    async with serving(make_settings(**database, recipient_email="", policy_file=policy)) as service:
        answers = [(await service.particle(event=event)).json() for event in ("one", "two")]
        await service.settled()
        program = [sys.executable, "-m", "alertgate", "ack", *(each["incident"] for each in answers), "--by", "Anna"]
        nobody, pipe = os.pipe()
        os.close(nobody)
        with os.fdopen(pipe, "wb") as output:
            options = {"stdout": output, "stderr": subprocess.DEVNULL, "check": False}
            done = await asyncio.to_thread(subprocess.run, program, cwd=tmp_path, env=env, **options)
        assert done.returncode != 0
        await service.settled()
        trails = [(await service.trail(each["id"]))["notifications"] for each in answers]
        news = [[each["status"] for each in trail if each["kind"] == "acknowledgement"] for trail in trails]
        assert news == [["sent"], []]


@pytest.mark.parametrize("command", ["ack", "snooze", "hand-back", "resolve"])
async def test_a_name_that_cannot_be_shown_does_nothing(tmp_path, command):
    """The usage error says which names can be used."""
    done = await alertgate(command, NOWHERE, "--by", "two\nlines", cwd=tmp_path)
    assert (done.returncode, "--by is 1 to 128 characters" in done.stderr) == (2, True)
