"""docs/devices.md: its three files are loaded and asked, expect what they promise, and its reference has every key."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from alertgate.own_events import WatchEvent
from alertgate.policy.devices import expected, name_of
from alertgate.policy.document import DeviceTable
from alertgate.policy.load import parse
from tests.cli.test_cli import alertgate

PAGE = (Path(__file__).parents[2] / "docs" / "devices.md").read_text(encoding="utf-8")
CHAPTERS = {text.partition("\n")[0]: text for text in PAGE.split("\n## ")[1:]}
FILES = {
    name: found[1] for name, text in CHAPTERS.items() if (found := re.search(r"```toml\n(.*?)```", text, re.DOTALL))
}
ASKED = [
    (name, command, output)
    for name, text in CHAPTERS.items()
    for command, output in re.findall(r"```\n\$ alertgate (.*?)\n(.*?)```", text, re.DOTALL)
]


def test_the_page_has_its_three_files():
    """Each of them is asked."""
    assert list(FILES) == ["A door contact on Wi-Fi", "A leak sensor that sleeps for a day", "A tracker on cellular"]
    assert [name for name, _, _ in ASKED] == list(FILES)


@pytest.mark.parametrize("name", FILES)
async def test_a_file_of_the_page_has_nothing_to_complain_about(tmp_path, name):
    """Neither problems nor doubts."""
    (tmp_path / "alertgate.toml").write_text(FILES[name], encoding="utf-8")
    done = await alertgate("check", "--offline", cwd=tmp_path, env={"TIMEZONE": "Europe/Berlin"})
    [line] = [line for line in done.stdout.splitlines() if " policy: " in line]
    assert line.startswith("ok    policy: alertgate.toml has ")


@pytest.mark.parametrize(("name", "command", "output"), ASKED, ids=[command for _, command, _ in ASKED])
async def test_who_answers_as_the_page_shows(tmp_path, name, command, output):
    """Word for word; devices are known by the names that the file gives them."""
    (tmp_path / "alertgate.toml").write_text(FILES[name], encoding="utf-8")
    words = [quoted or word for quoted, word in re.findall(r'"([^"]*)"|(\S+)', command)]
    done = await alertgate(*words, cwd=tmp_path)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", output)


@pytest.mark.parametrize(
    ("name", "device", "called", "within", "battery"),
    [
        ("A door contact on Wi-Fi", 1, "Front door", timedelta(minutes=25), None),
        ("A leak sensor that sleeps for a day", 2, "Leak cellar", timedelta(hours=28), 25),
        ("A tracker on cellular", 3, "Van 1", timedelta(hours=3), 20),
        ("A tracker on cellular", 4, "Van 2", timedelta(hours=3), 20),
    ],
)
def test_a_device_is_silent_when_the_page_says(name, device, called, within, battery):
    """And what the cloud says of each goes to the device."""
    rules, device_id = parse(FILES[name]).devices, f"3f002b00000000000000000{device}"
    assert name_of(rules, device_id) == called
    found = expected(rules, device_id, called)
    assert (found.within, found.battery, found.named) == (within, battery, True)


def test_the_first_lines_of_the_page_are_a_policy_too():
    """They are copied as well."""
    [first] = re.findall(r"```toml\n(.*?)```", PAGE.split("\n## ")[0], re.DOTALL)
    assert len(parse(first).devices) == 2


def test_every_key_and_every_event_is_documented():
    """Each in its table."""
    assert re.findall(r"^\| `(\w+)` \|", CHAPTERS["Reference"], re.MULTILINE) == list(DeviceTable.model_fields)
    assert re.findall(r"^\| `(\w+/[a-z-]+)` \|", PAGE, re.MULTILINE) == list(WatchEvent)
