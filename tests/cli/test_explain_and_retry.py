"""`alertgate explain` and `alertgate retry`, as processes beside a running service."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_cli import alertgate
from tests.conftest import DEVICE, PARTICLE, Running, serving
from tests.fakes import FakeClock, mail_sink, until

NOWHERE = "01890000-0000-7000-8000-000000000000"
STORY = Path(__file__).parents[2] / "docs" / "explain.md"
MAIL = {"smtp_host": "127.0.0.1", "smtp_security": "none", "smtp_email": "alerts@example.net"}


@pytest.fixture
def beside(database, tmp_path):
    """The environment of a command that works on the same database as the service."""
    return {
        "PARTICLE_WEBHOOK_SECRET": PARTICLE,
        "DATA_DIR": str(tmp_path / "data"),
        "DEVICES": f"{DEVICE}=Front door",
        "TIMEZONE": "Europe/Berlin",
        **{name.upper(): value for name, value in database.items()},
    }


async def message(service: Running, alert_id: str, status: str, tries: int) -> Any:
    """Wait until an alert's only message has a status after so many tries; return it."""

    async def found():
        [only] = (await service.trail(alert_id))["notifications"]
        return only if (only["status"], len(only["attempts"])) == (status, tries) else None

    return await until(found)


def words(story: str) -> list[str]:
    """Return a story's lines without what differs from run to run: ids, dates, times and spans."""
    for pattern, word in (
        (r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "ID"),
        (r"\d{4}-\d{2}-\d{2}", "DAY"),
        (r"\d{2}:\d{2}:\d{2}(\.\d{3})?", "TIME"),
        (r"\d+\.\d+ s\b", "SPAN"),
    ):
        story = re.sub(pattern, word, story)
    return story.strip().splitlines()


async def test_explain_tells_the_story_that_the_documentation_shows(make_settings, database, tmp_path, beside):
    """An alert that needed three tries: refused twice, then taken; word for word as in docs/explain.md."""
    async with mail_sink() as sink:
        sink.answer("RCPT", *["450 4.7.1 Greylisted, please try again later"] * 2)
        settings = make_settings(**database, **MAIL, smtp_port=sink.port, recipient_email="anna@example.org")
        clock = FakeClock()
        async with serving(settings, clock=clock) as service:
            answer = await service.particle(data="Motion in the hall", published_at="2026-11-23T14:02:58.600Z")
            alert_id = answer.json()["id"]
            for tries in (1, 2):
                await message(service, alert_id, "pending", tries)
                clock.move(seconds=20)
                service.gate.deliverer.wake()
            await message(service, alert_id, "sent", 3)
            told = await alertgate("explain", alert_id, cwd=tmp_path, env=beside)
    assert (told.returncode, told.stderr) == (0, "")
    [shown] = re.findall(r"\$ alertgate explain \S+\n(.*?)```", STORY.read_text(encoding="utf-8"), re.DOTALL)
    assert words(shown) == words(told.stdout)
    assert "15:03:40.000  attempt 3 of email to anna@example.org: sent in 0.00 s" in told.stdout


async def test_an_alert_that_is_not_there_has_no_story(tmp_path, beside):
    """Exit code 1 and a sentence."""
    done = await alertgate("explain", NOWHERE, cwd=tmp_path, env=beside)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"There is no alert {NOWHERE};")


async def test_retry_sends_one_failed_message(make_settings, database, tmp_path, beside):
    """The command makes it pending, the running service sends it; a second time there is nothing to do."""
    async with mail_sink() as sink:
        sink.answer("RCPT", "550 5.1.1 gone")
        settings = make_settings(**database, **MAIL, smtp_port=sink.port, recipient_email="anna@example.org")
        async with serving(settings) as service:
            alert_id = (await service.particle()).json()["id"]
            failed = (await message(service, alert_id, "failed", 1))["id"]
            done = await alertgate("retry", failed, cwd=tmp_path, env=beside)
            assert (done.returncode, done.stderr) == (0, "")
            assert done.stdout == f"email  anna@example.org: Notification {failed} is pending again and due now.\n"
            await message(service, alert_id, "sent", 2)
            again = await alertgate("retry", failed, cwd=tmp_path, env=beside)
            assert (again.returncode, "only a failed one can be retried" in again.stdout) == (1, True)
            missing = await alertgate("retry", NOWHERE, cwd=tmp_path, env=beside)
            assert (missing.returncode, missing.stdout.startswith("There is no notification")) == (1, True)


async def test_retry_sends_all_failed_messages(make_settings, database, tmp_path, beside):
    """Each is named; once nothing has failed, that is said."""
    async with mail_sink() as sink:
        sink.answer("RCPT", *["550 5.1.1 gone"] * 2)
        settings = make_settings(**database, **MAIL, smtp_port=sink.port, recipient_email="anna@example.org")
        async with serving(settings) as service:
            answers = [await service.particle(event=event) for event in ("one", "two")]
            ids = [answer.json()["id"] for answer in answers]
            for alert_id in ids:
                await message(service, alert_id, "failed", 1)
            done = await alertgate("retry", "--all", cwd=tmp_path, env=beside)
            assert (done.returncode, done.stdout.count("is pending again and due now.")) == (0, 2)
            for alert_id in ids:
                await message(service, alert_id, "sent", 2)
            nothing = await alertgate("retry", "--all", cwd=tmp_path, env=beside)
            assert (nothing.returncode, nothing.stdout) == (0, "No notification has failed.\n")


@pytest.mark.parametrize("arguments", [(), (NOWHERE, "--all")])
async def test_retry_wants_one_message_or_all(tmp_path, arguments):
    """Neither and both are a wrong use, with exit code 2."""
    done = await alertgate("retry", *arguments, cwd=tmp_path)
    assert (done.returncode, "--all" in done.stderr) == (2, True)
