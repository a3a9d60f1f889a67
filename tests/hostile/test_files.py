"""What stands on disk is for its owner alone, and the service comes back whatever ended it."""

import asyncio
import os
import stat
from configparser import ConfigParser
from pathlib import Path

import pytest

from alertgate.settings_load import doubts
from alertgate.store.private import make_private_dir, open_to_others
from tests.conftest import serving
from tests.flow.process import process

UNIT = Path(__file__).parent.parent.parent / "deploy" / "alertgate.service"


def _modes(directory: Path) -> dict[str, int]:
    return {str(path.relative_to(directory)): stat.S_IMODE(path.stat().st_mode) for path in directory.rglob("*")}


@pytest.fixture
def _generous_umask():
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_generous_umask")
@pytest.mark.parametrize("was_open", [False, True], ids=["fresh", "open before"])
async def test_what_is_stored_is_for_its_owner_alone(make_settings, tmp_path, was_open):
    """Each directory 0700, each file 0600: whatever the umask, and where others could read it before."""
    directory = tmp_path / "data"
    if was_open:
        for name in ("", "outbox", "outbox/new", "outbox/cur", "outbox/tmp"):
            (directory / name).mkdir(mode=0o777)
        for name in ("alertgate.db", "alertgate.lock"):
            (directory / name).touch(mode=0o644)
    configured = make_settings(data_dir=directory, recipient_email="me@example.com")
    async with serving(configured, template=False) as service:
        assert (await service.particle()).status_code == 202
        await service.settled()
        modes = _modes(directory)
    assert {"alertgate.db", "alertgate.db-wal", "alertgate.db-shm", "alertgate.lock"} <= set(modes)
    assert [name for name in modes if name.startswith("outbox/new/")]
    assert set(modes.values()) == {0o600, 0o700}
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


@pytest.mark.usefixtures("_generous_umask")
@pytest.mark.parametrize(
    ("before", "beside", "after", "told"),
    [
        (0o777, None, 0o700, None),
        (0o755, "alertgate.db", 0o700, None),
        (0o2770, "outbox", 0o2700, None),
        (0o777, "holiday.jpg", 0o755, "can enter it"),
        (0o750, "holiday.jpg", 0o750, "can enter it"),
        (0o1777, None, 0o1777, "can write in it"),
        (0o700, "holiday.jpg", 0o700, None),
    ],
)
def test_a_data_dir_from_before_is_closed_unless_it_is_others_too(tmp_path, before, beside, after, told):
    """Whoever names /srv or /tmp doesn't lose it, but nobody may change what is in a directory of ours; it is told."""
    directory = tmp_path / "data"
    directory.mkdir()
    if beside:
        (directory / beside).touch()
    directory.chmod(before)
    make_private_dir(directory)
    assert oct(stat.S_IMODE(directory.stat().st_mode)) == oct(after)
    doubt = open_to_others(directory)
    assert (told in doubt) if told else doubt is None


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, who can give a directory to somebody else")
def test_a_data_dir_of_somebody_else_is_told(tmp_path):
    """Its mode isn't ours to change."""
    tmp_path.chmod(0o755)
    os.chown(tmp_path, 12345, -1)
    make_private_dir(tmp_path)
    assert "can enter it" in open_to_others(tmp_path)
    assert open_to_others(tmp_path / "none") is None


@pytest.mark.parametrize(("mode", "told"), [(0o600, False), (0o640, False), (0o644, True), (0o604, True)])
def test_settings_that_everybody_can_read_are_told(tmp_path, mode, told):
    """By `check` and at each start; a group may be the service's own."""
    file = tmp_path / ".env"
    file.write_text("API_TOKEN=api-token-0123456789abcdefghijkl\n")
    file.chmod(mode)
    found = doubts(file, environment={}, secrets_dir=tmp_path / "none")
    assert [(doubt.name, doubt.is_wrong) for doubt in found] == [(str(file), False)] * told


@pytest.mark.usefixtures("_generous_umask")
async def test_the_process_gives_nothing_to_others(tmp_path):
    """Its umask is 077 however it was started, so that an image or a unit that doesn't set one makes no difference."""
    async with process(tmp_path) as service:
        status = await asyncio.to_thread(Path(f"/proc/{service.child.pid}/status").read_text)
    assert "Umask:\t0077\n" in status


def test_the_unit_never_gives_up():
    """It is restarted as often as it ends: five quick failures are what a full disk looks like."""
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(UNIT)
    assert (unit["Unit"]["StartLimitIntervalSec"], unit["Service"]["Restart"]) == ("0", "always")
    assert unit["Service"]["UMask"] == "0077"
