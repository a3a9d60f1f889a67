"""What stands on disk is for its owner alone, and the service comes back whatever ended it."""

import asyncio
import os
import stat
from configparser import ConfigParser
from pathlib import Path

import pytest

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
        (directory / "outbox").mkdir(parents=True, mode=0o755)
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
    assert was_open or stat.S_IMODE(directory.stat().st_mode) == 0o700


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
