"""`alertgate silence`, `silences` and `unsilence`, as processes beside a running service."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from alertgate.cli.silences import _moment
from tests.cli.test_cli import alertgate, which
from tests.cli.test_explain_and_retry import beside  # noqa: F401  (a fixture)
from tests.conftest import serving
from tests.fakes import mail_sink
from tests.flow.test_nothing_is_lost import mail_settings

BERLIN = ZoneInfo("Europe/Berlin")
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "silences.md"


def plain(output: str) -> str:
    """Return output without ids and times."""
    output = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "ID", output)
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d CES?T", "TIME", output)


async def test_a_silence_begins_and_ends_beside_the_service(make_settings, database, tmp_path, beside):  # noqa: F811
    """As docs/silences.md shows it; what it held is told once it is ended, and `explain` says all of it."""
    async with mail_sink() as sink:
        settings = make_settings(**database, **mail_settings(sink.port))
        async with serving(settings) as service:
            await service.particle(event="door/front")
            await sink.received(1)
            asked = ["silence", "door/*", "--for", "2h", "--because", "carpenter", "--by", "Anna"]
            done = await alertgate(*asked, cwd=tmp_path, env=beside)
            assert (done.returncode, done.stderr) == (0, f"Database: {which(beside)}\n")
            [shown] = re.findall(r"\$ alertgate silence .*?\n(.*?)```", DOCUMENTATION.read_text(), re.DOTALL)
            assert plain(done.stdout) == plain(shown)
            alert = (await service.particle(event="door/back")).json()["id"]
            listed = await alertgate("silences", cwd=tmp_path, env=beside)
            assert plain(listed.stdout) == "".join(plain(done.stdout).splitlines(keepends=True)[:2])
            silence = done.stdout.split()[0]
            ended = await alertgate("unsilence", silence, "--by", "Ben", cwd=tmp_path, env=beside)
            assert (ended.returncode, ended.stdout) == (0, f"{silence} is ended; what it held is told now.\n")
            await sink.received(2)
            await service.settled()
            again = await alertgate("unsilence", silence, cwd=tmp_path, env=beside)
            assert (again.returncode, "was ended before, by Ben" in again.stdout) == (0, True)
            nothing = await alertgate("silences", cwd=tmp_path, env=beside)
            assert nothing.stdout.startswith("Nothing is silenced. The newest alert is of ")
            every = await alertgate("silences", "--all", cwd=tmp_path, env=beside)
            assert "carpenter; ended by Ben on the command line" in every.stdout
            explained = (await alertgate("explain", alert, cwd=tmp_path, env=beside)).stdout
    assert f"(carpenter), asked for on the command line: {silence}" in explained
    assert f'the silence {silence} was ended by "Ben" on the command line' in explained


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["door/*"], "say for how long: --for 2h, or --until 08:00"),
        (["door/*", "--for", "2h", "--until", "08:00"], "say for how long"),
        (["--for", "2h"], 'it says nothing of event, device or source; event "*" silences everything'),
        (["x", "--for", "soon"], "--for is no duration"),
        (["x", "--for", "91d"], "--for is more than 90 days after the beginning"),
        (["x", "--until", "tomorrow"], "--until is no time: write it as in"),
        (["x", "--until", "2020-01-01T00:00"], "--until is no time to come"),
        (["x\ny", "--for", "2h"], "event is blank, or holds a character that can't be shown"),
        (["x", "--for", "2h", "--by", " "], "--by is 1 to 128 characters"),
        (["x", "--for", "2h", "--because", "a\u202eb"], "--because is blank, or holds"),
    ],
)
async def test_what_cannot_be_silenced_is_a_usage_error(make_settings, tmp_path, beside, arguments, said):  # noqa: F811
    """The exit code is 2, and the option is named."""
    async with serving(make_settings()):
        done = await alertgate("silence", *arguments, cwd=tmp_path, env={**beside, "COLUMNS": "300"})
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("08:00", "2026-11-24 08:00"),
        ("23:30", "2026-11-23 23:30"),
        ("23:00", "2026-11-24 23:00"),
        ("24:00", "2026-11-24 00:00"),
        ("Sat 08:00", "2026-11-28 08:00"),
        ("2026-12-24T18:00", "2026-12-24 18:00"),
        ("2026-12-24T18:00Z", "2026-12-24 19:00"),
    ],
)
def test_a_time_of_day_is_the_next_one(text, expected):
    """In TIMEZONE, and after the beginning."""
    after = datetime(2026, 11, 23, 23, 0, tzinfo=BERLIN)
    moment = _moment(text, "--until", after, BERLIN)
    assert moment is not None
    assert f"{moment.astimezone(BERLIN):%Y-%m-%d %H:%M}" == expected


def test_the_night_of_a_clock_change_ends_by_the_clock():
    """08:00 is eight by the wall clock, though the night has an hour more."""
    evening = datetime(2026, 10, 24, 22, 0, tzinfo=BERLIN)
    moment = _moment("08:00", "--until", evening, BERLIN)
    assert moment is not None
    assert moment.timestamp() - evening.timestamp() == timedelta(hours=11).total_seconds()
