"""The zone of what people read: where the settings name none, it is that of alertgate.toml."""

import re
from pathlib import Path

import pytest

from alertgate.prove.history import trail
from alertgate.prove.timeline import tell
from tests.cli.test_cli import alertgate
from tests.conftest import serving
from tests.fakes import FakeClock, mail_sink
from tests.flow.test_nothing_is_lost import mail_settings
from tests.pages import LINKED, link_in, opened, pressed

HOUSE = """
timezone = "{zone}"
[people.owner]
contacts    = ["email:owner@example.com", "sms:owner@example.net after 3m"]
[people.dave]
contacts    = ["email:dave@example.com"]
timezone    = "America/New_York"
quiet_hours = "09:00-10:00"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A policy of Berlin."""
    path = tmp_path / "alertgate.toml"
    path.write_text(HOUSE.format(zone="Europe/Berlin"))
    return path


def clocks(text: str) -> list[str]:
    """Return the hours and minutes that a text names."""
    return re.findall(r"\b(\d\d:\d\d)(?::\d\d)?\b", text)


async def test_messages_pages_and_trails_are_in_the_files_zone(make_settings, file):
    """The wall clock of who reads, after a reload too; the person in another zone isn't an exception in the trail."""
    clock = FakeClock()  # 14:03 UTC in winter
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), **LINKED, flood_limit=0, policy_file=file)
        async with serving(settings, clock=clock) as service:
            alert = (await service.particle(event="leak")).json()["id"]
            [told] = await sink.received(1)
            assert "15:03" in told.text
            path = link_in(told.text)
            page = await pressed(service.client, path, await opened(service.client, path), "Snooze 1 h")
            assert "until 16:03" in page.text
            found = service.gate.store.read_now(lambda connection: trail(connection, alert, lambda _: None))
            zone = service.gate.directory.policy.readers_zone
            said = tell(found, None, zone, clock.now())
            assert "(CET)" in said
            assert {each[:2] for each in clocks(said)} <= {"15", "16"}
            assert "UTC" not in said
            file.write_text(HOUSE.format(zone="Asia/Tokyo"))
            await service.gate.policies.reload()
            await service.particle(event="smoke")
            assert "23:03" in (await sink.received(3))[-1].text


@pytest.mark.parametrize(("timezone", "shown"), [("", "CET"), ("America/New_York", "EST")])
async def test_commands_are_in_the_zone_of_messages(make_settings, database, tmp_path, file, timezone, shown):
    """That of the policy which is in force, whatever the file says meanwhile; TIMEZONE wins."""
    settings = make_settings(**database, policy_file=file)
    async with serving(settings):
        file.unlink()
        env = {"DATA_DIR": str(settings.data_dir), "TIMEZONE": timezone}
        env |= {name.upper(): value for name, value in database.items()}
        asked = ["leak", "--from", "2026-12-24 07:00", "--until", "2026-12-24 08:00"]
        done = await alertgate("silence", *asked, cwd=tmp_path, env=env)
        assert f"from 2026-12-24 07:00 until 2026-12-24 08:00 {shown}" in done.stdout, done.stderr
