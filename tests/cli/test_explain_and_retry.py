"""`alertgate explain` and `alertgate retry`, as processes beside a running service."""

import re
from pathlib import Path
from typing import Any

import pytest

from alertgate.cli.failures import THEN
from alertgate.uuid7 import time_of
from tests.cli.test_cli import alertgate, which
from tests.conftest import DEVICE, PARTICLE, Running, serving
from tests.fakes import FakeClock, mail_sink, until

NOTHING = "No failed notification is outstanding. The newest alert is of "
NOWHERE = "01890000-0000-7000-8000-000000000000"
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "explain.md"
MAIL = {"smtp_host": "127.0.0.1", "smtp_security": "none", "smtp_email": "alerts@example.net"}


@pytest.fixture
def beside(database, tmp_path):
    """The environment of a command that uses the same database as the service."""
    return {
        "PARTICLE_WEBHOOK_SECRET": PARTICLE,
        "DATA_DIR": str(tmp_path / "data"),
        "DEVICES": f"{DEVICE}=Front door",
        "TIMEZONE": "Europe/Berlin",
        "RECIPIENT_EMAIL": "anna@example.org",
        "SMTP_EMAIL": "alerts@example.net",
        **{name.upper(): value for name, value in database.items()},
    }


async def notification(service: Running, alert_id: str, status: str, attempts: int) -> Any:
    """Wait until an alert's only notification has a status after so many attempts; return it."""

    async def found():
        [only] = (await service.trail(alert_id))["notifications"]
        return only if (only["status"], len(only["attempts"])) == (status, attempts) else None

    return await until(found)


def without_variables(output: str) -> list[str]:
    """Return the output's lines without what differs from run to run: ids, dates, times and durations."""
    for pattern, word in (
        (r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "ID"),
        (r"\d{4}-\d{2}-\d{2}", "DAY"),
        (r"\d{2}:\d{2}:\d{2}(\.\d{3})?", "TIME"),
        (r"\d+\.\d+ s\b", "SPAN"),
    ):
        output = re.sub(pattern, word, output)
    return output.strip().splitlines()


async def test_explain_prints_what_the_documentation_shows(make_settings, database, tmp_path, beside):
    """An alert that needed three attempts, two refused and one accepted; word for word as in docs/explain.md."""
    async with mail_sink() as sink:
        sink.answer("RCPT", *["450 4.7.1 Greylisted, please try again later"] * 2)
        settings = make_settings(**database, **MAIL, smtp_port=sink.port, recipient_email="anna@example.org")
        clock = FakeClock()
        async with serving(settings, clock=clock) as service:
            answer = await service.particle(data="Motion in the hall", published_at="2026-11-23T14:02:58.600Z")
            alert_id = answer.json()["id"]
            for attempts in (1, 2):
                await notification(service, alert_id, "pending", attempts)
                clock.move(seconds=20)
                service.gate.deliverer.wake()
            await notification(service, alert_id, "sent", 3)
            explained = await alertgate("explain", alert_id, cwd=tmp_path, env=beside)
    assert (explained.returncode, explained.stderr) == (0, f"Database: {which(beside)}\n")
    [shown] = re.findall(r"\$ alertgate explain \S+\n(.*?)```", DOCUMENTATION.read_text(encoding="utf-8"), re.DOTALL)
    assert without_variables(shown) == without_variables(explained.stdout)
    assert "15:03:40.000  attempt 3 of email to anna@example.org: sent in 0.00 s" in explained.stdout


async def test_explain_reports_an_unknown_alert(make_settings, database, tmp_path, beside):
    """The exit code is 1, and the error names the id and how new the database is."""
    async with serving(make_settings(**database)) as service:
        alert_id = (await service.particle()).json()["id"]
        done = await alertgate("explain", NOWHERE, cwd=tmp_path, env=beside)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"Database: {which(beside)}\nThere is no alert {NOWHERE} in this database, whose newest one is of "
        f"{time_of(alert_id):%Y-%m-%d %H:%M} UTC, and no incident or notification: it was never stored there, or "
        "retention deleted it.\n"
    )


async def test_an_incident_is_explained_by_its_id_and_by_a_notifications(make_settings, database, tmp_path, beside):
    """As it stands in a mail, in `failures` or in the log: its alerts, who was told, and how it stands now."""
    async with serving(make_settings(**database), clock=FakeClock()) as service:
        answers = [await service.particle(data=data) for data in ("Motion in the hall", "Motion in the cellar")]
        incident_id, alert_ids = answers[0].json()["incident"], [answer.json()["id"] for answer in answers]

        async def sent():  # an update may wait beside it
            found = (await service.trail(alert_ids[0]))["notifications"]
            return next((each for each in found if each["status"] == "sent"), None)

        told = await until(sent)
        for given in (incident_id, told["id"].upper()):
            lines = (await alertgate("explain", given, cwd=tmp_path, env=beside)).stdout.splitlines()
            assert lines[:2] == [f"[WARNING] alarm/motion from Front door ({DEVICE})", f"incident {incident_id}"]
            shown = [line.partition("  ")[2] for line in lines]
            assert f"alert {alert_ids[0]} received: Motion in the hall" in shown
            assert f"alert {alert_ids[1]} received: Motion in the cellar" in shown
            assert "the incident (2 alerts) is open" in lines[-1]


async def test_retry_of_what_cannot_be_sent_any_more_says_so(make_settings, database, tmp_path, beside):
    """Its address was taken out of the settings: it isn't called due, the exit code is 1, and it stays as it was."""
    async with mail_sink() as sink:
        sink.answer("RCPT", "550 5.1.1 gone")
        mail = {**MAIL, "smtp_port": sink.port}
        async with serving(make_settings(**database, **mail, recipient_email="anna@example.org")) as service:
            alert_id = (await service.particle()).json()["id"]
            failed = (await notification(service, alert_id, "failed", 1))["id"]
            elsewhere = {**beside, "RECIPIENT_EMAIL": "bea@example.org"}
            done = await alertgate("retry", failed, cwd=tmp_path, env=elsewhere)
            assert (done.returncode, "can't be sent any more" in done.stdout) == (1, True)
            assert f"run `alertgate dismiss {failed}`" in done.stdout
            await notification(service, alert_id, "failed", 1)


async def test_retry_sends_one_failed_notification(make_settings, database, tmp_path, beside):
    """The command makes it pending, and the running service sends it; a second retry is refused."""
    async with mail_sink() as sink:
        sink.answer("RCPT", "550 5.1.1 gone")
        settings = make_settings(**database, **MAIL, smtp_port=sink.port, recipient_email="anna@example.org")
        async with serving(settings) as service:
            alert_id = (await service.particle()).json()["id"]
            failed = (await notification(service, alert_id, "failed", 1))["id"]
            done = await alertgate("retry", failed, cwd=tmp_path, env=beside)
            assert (done.returncode, done.stderr) == (0, f"Database: {which(beside)}\n")
            assert done.stdout == f"email  anna@example.org: Notification {failed} is pending again and due now.\n"
            await notification(service, alert_id, "sent", 2)
            again = await alertgate("retry", failed, cwd=tmp_path, env=beside)
            assert (again.returncode, "only a failed one can be retried" in again.stdout) == (1, True)
            missing = await alertgate("retry", NOWHERE, cwd=tmp_path, env=beside)
            assert (missing.returncode, missing.stdout.startswith("There is no notification")) == (1, True)


async def test_retry_sends_all_failed_notifications(make_settings, database, tmp_path, beside):
    """The output lists each of them; once none has failed, it says so."""
    async with mail_sink() as sink:
        sink.answer("RCPT", *["550 5.1.1 gone"] * 2)
        settings = make_settings(**database, **MAIL, smtp_port=sink.port, recipient_email="anna@example.org")
        async with serving(settings) as service:
            answers = [await service.particle(event=event) for event in ("one", "two")]
            ids = [answer.json()["id"] for answer in answers]
            for alert_id in ids:
                await notification(service, alert_id, "failed", 1)
            done = await alertgate("retry", "--all", cwd=tmp_path, env=beside)
            assert (done.returncode, done.stdout.count("is pending again and due now.")) == (0, 2)
            for alert_id in ids:
                await notification(service, alert_id, "sent", 2)
            nothing = await alertgate("retry", "--all", cwd=tmp_path, env=beside)
            newest = f"{time_of(ids[-1]):%Y-%m-%d %H:%M} UTC"
            assert (nothing.returncode, nothing.stdout) == (
                0,
                f"No failed notification is outstanding. The newest alert is of {newest}.\n",
            )


@pytest.mark.parametrize("command", ["retry", "dismiss"])
@pytest.mark.parametrize("arguments", [(), (NOWHERE, "--all")])
async def test_retry_and_dismiss_require_ids_or_all(tmp_path, command, arguments):
    """Neither or both is a usage error, with exit code 2, and it says which command lists them."""
    done = await alertgate(command, *arguments, cwd=tmp_path)
    assert (done.returncode, "--all" in done.stderr, "alertgate failures" in done.stderr) == (2, True, True)


async def test_failures_are_listed_and_dismissed(make_settings, database, tmp_path, beside):
    """Each with what it was about, to whom, and the server's words; what was dismissed isn't retried with --all."""
    async with mail_sink() as sink:
        sink.refused["anna@example.org"] = "550 5.1.1 gone"
        settings = make_settings(**database, **MAIL, smtp_port=sink.port, recipient_email="anna@example.org")
        async with serving(settings, clock=FakeClock()) as service:
            answers = [await service.particle(event=event) for event in ("one", "two", "three", "four")]
            ids = [(await notification(service, answer.json()["id"], "failed", 1))["id"] for answer in answers]

            async def all_failed():  # those, and the message about them
                found = service.gate.failures.latest
                return found and found.total == 5

            await until(all_failed)
            listed = await alertgate("failures", cwd=tmp_path, env=beside)
            assert (listed.returncode, listed.stdout.splitlines()[-1]) == (
                0,
                f"5 outstanding. {THEN}",
            )
            line = f"{ids[0]}  email to anna@example.org, 2026-11-23 15:03:00: [WARNING] one from Front door\n"
            remedy = "    What to do: there is no such mailbox: correct the address in RECIPIENT_EMAIL"
            assert f"{line}    no_such_recipient: 550 5.1.1 gone\n{remedy}" in listed.stdout
            short = await alertgate("failures", "--limit", "1", cwd=tmp_path, env=beside)
            assert len(short.stdout.splitlines()) == 4
            assert "5 outstanding (4 aren't listed; --limit lists more)." in short.stdout
            some = await alertgate("dismiss", ids[0], ids[1].upper(), "--by", "Anna", cwd=tmp_path, env=beside)
            assert (some.returncode, some.stdout.count("is dismissed; only a retry would send it.")) == (0, 2)
            again = await alertgate("dismiss", ids[0], "--by", "Bea", cwd=tmp_path, env=beside)
            assert (again.returncode, "was dismissed before, by Anna." in again.stdout) == (0, True)
            missing = await alertgate("dismiss", NOWHERE, ids[2], cwd=tmp_path, env=beside)
            assert (missing.returncode, missing.stdout.count("There is no notification")) == (1, 1)
            del sink.refused["anna@example.org"]
            # The fourth is still outstanding, so the gate's own message, the latest, isn't needless yet.
            rest = await alertgate("retry", "--all", cwd=tmp_path, env=beside)
            assert rest.stdout.count("is pending again and due now.") == 2
            assert rest.stdout.splitlines()[-1].endswith(f"Notification {ids[3]} is pending again and due now.")
            nothing = await alertgate("failures", cwd=tmp_path, env=beside)
            assert (nothing.returncode, nothing.stdout.startswith(NOTHING)) == (0, True)
            for command in ("retry", "dismiss"):
                done = await alertgate(command, "--all", cwd=tmp_path, env=beside)
                assert (done.returncode, done.stdout.startswith(NOTHING)) == (0, True)
            explained = await alertgate("explain", answers[0].json()["id"], cwd=tmp_path, env=beside)
            assert "15:03:00" in explained.stdout
            assert 'dismissed by "Anna"' in explained.stdout


@pytest.mark.parametrize("by", ["", "  ", "x" * 129, "two\nlines"])
async def test_a_wrong_name_dismisses_nothing(tmp_path, by):
    """The usage error says which names can be used."""
    done = await alertgate("dismiss", "--all", "--by", by, cwd=tmp_path)
    assert (done.returncode, "--by is 1 to 128 characters" in done.stderr) == (2, True)
