"""`alertgate devices`, beside a running service or without one."""

from datetime import UTC, datetime, timedelta

from typer.testing import CliRunner

from alertgate import gaps
from alertgate.cli.main import app
from alertgate.cli.policy import unheard
from alertgate.device import Device, DeviceState
from alertgate.notify.channels.base import Level
from alertgate.policy.load import read_file
from alertgate.policy.surroundings import Surroundings
from alertgate.store.engine import Store
from tests.web.test_devices import store_devices

DOOR, LEAK, SHED, VAN = (f"3f002b00000000000000000{number}" for number in range(4))
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def run(settings, *arguments: str) -> list[str]:
    """Run the command on a store; return what it says."""
    env = {"DATA_DIR": str(settings.data_dir), "POLICY_FILE": str(settings.policy_file), "DEVICES": f"{SHED}=Shed"}
    env |= {"DATABASE_URL": settings.database_url.get_secret_value()} if settings.database_url else {}
    file = settings.data_dir / "empty.env"
    file.parent.mkdir(exist_ok=True)
    file.touch()
    done = CliRunner().invoke(app, ["devices", "--env-file", str(file), *arguments], env=env)
    assert done.exit_code == 0, done.output
    return [line for line in done.stdout.splitlines() if not line.startswith("Database: ")]


def test_devices_are_a_table_with_the_silent_ones_first(make_settings, database, tmp_path):
    """Against what is expected of each; what isn't known is a dash."""
    policy = tmp_path / "alertgate.toml"
    policy.write_text(f'[devices."{LEAK}"]\nname = "Leak"\nexpect_every = "1d"\nbattery = 20\n[devices."{SHED}"]\n')
    settings, now = make_settings(policy_file=policy, **database), datetime.now(UTC)
    store = Store(settings)
    store.open(exclusive=True)
    counted = None
    for ago in reversed(range(15)):
        counted = gaps.add(counted, DAY, now - ago * DAY)
    silent = {"state": DeviceState.SILENT, "battery": 18.6, "battery_low": True, "strength": 71.4}
    store_devices(
        store,
        Device(DOOR, now - 20 * DAY, now, name="Front\x1b[31m door", state=DeviceState.FINE, gaps=counted),
        Device(LEAK, now - 20 * DAY, now - 50 * HOUR, **silent),
        Device(SHED, state=DeviceState.UNKNOWN),
        Device(VAN, now - DAY, now - 3 * HOUR, state=DeviceState.FINE),
    )
    store.close()
    heading, *rows = run(settings)
    assert heading.split() == ["DEVICE", "STATE", "LAST", "HEARD", "EXPECTED", "BATTERY", "SIGNAL", "ID"]
    assert [row.rsplit(maxsplit=1)[1] for row in rows] == [LEAK, SHED, DOOR, VAN]
    leak, shed, door, van = (" ".join(row.split()[:-1]) for row in rows)
    assert leak == "Leak silent 2 d 2 h ago every 1 d 19 % LOW 71 %"
    assert shed == "Shed unknown never - - -"
    assert door.startswith("Front\\x1b[31m door fine")
    assert van.startswith("- fine 3 h ago - - -")
    assert len(run(settings, "leak", "--state", "silent")) == 2
    assert run(settings, "--limit", "1")[-1] == "More aren't listed; --limit lists more."
    assert run(settings, "nothing") == ["No device is like that."]
    policy.write_text(policy.read_text() + '[devices."cellar*"]\nflaps = 3\n[devices."l?ak"]\nflaps = 3\n')
    around = Surroundings()
    found = list(unheard(read_file(policy, around), settings))
    assert [(each.level, each.text) for each in found] == [
        (Level.WARN, 'devices."cellar*" matches no device that was ever heard: compare `alertgate devices`')
    ]
    suggested = run(settings, "--suggest")
    assert f'[devices."{DOOR}"]\nexpect_every = "1d6h"' in "\n".join(suggested)
    assert "# 1 device left out: expected already." in suggested


def test_an_empty_register_says_so(make_settings):
    """With what fills it."""
    settings = make_settings()
    store = Store(settings)
    store.open(exclusive=True)
    store.close()
    assert run(settings) == ["No device was ever heard: each appears with its first event."]
