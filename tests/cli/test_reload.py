"""`alertgate reload` and `alertgate who`, as processes."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from alertgate.policy.load import digest
from alertgate.store.engine import Store
from alertgate.store.lock import claim, holder
from tests.cli.test_cli import GOOD, alertgate
from tests.conftest import API_BEARER
from tests.fakes import until
from tests.flow.process import process

PERSON = '[people.owner]\ncontacts = ["email:owner@example.org", "email:$CONTACT_OWNER"]\n'
PEOPLE = f'{PERSON}[[routes]]\nescalation = "everyone"\n'


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A policy where the commands look for it."""
    path = tmp_path / "alertgate.toml"
    path.write_text('[[events]]\nevent = "x"\n')
    return path


async def test_a_reload_asks_the_process_that_serves(tmp_path, policy):
    """It is found by the lock file, its policy is the new one, and the log counts people and routes."""
    env = {**GOOD, "DATA_DIR": str(tmp_path / "data")}
    async with process(tmp_path, contact_owner="hunter2") as running:
        assert holder(tmp_path / "data" / "alertgate.db") == running.child.pid
        policy.write_text(PEOPLE)
        done = await alertgate("reload", cwd=tmp_path, env=env | {"CONTACT_OWNER": "owner@example.net"})
        name = digest(PEOPLE)[:12]
        said = f"Asked process {running.child.pid} to read alertgate.toml. /health names the policy in force: {name}.\n"
        assert (done.returncode, done.stdout, done.stderr) == (0, said, "")
        unset = await alertgate("reload", cwd=tmp_path, env=env)
        assert unset.returncode == 1
        [_, found] = unset.stdout.splitlines()
        assert found.startswith("fail  policy: people.owner.contacts[2] is in $CONTACT_OWNER, which isn't set")

        async def in_force() -> bool:
            return (await running.client.get("/health")).json()["policy"] == name

        await until(in_force)
        await running.stop()
        loaded = [json.loads(line) for line in running.lines if "policy.loaded" in line][-1]
        assert (loaded["policy"], loaded["people"], loaded["routes"], loaded["event_rules"]) == (name, 1, 1, 0)
        unreachable = [json.loads(line)["key"] for line in running.lines if "policy.unreachable" in line]
        assert set(unreachable) == {"people.owner.contacts[2]"}
        assert "hunter2" not in "".join(running.lines)


async def test_a_reload_reads_the_addresses_again_that_the_file_only_names(tmp_path, policy):
    """From `.env`, as it is now; until then `/status` says who can't be reached."""
    policy.write_text(PERSON)
    settings = tmp_path / ".env"
    settings.write_text("")
    async with process(tmp_path) as running:

        async def degraded() -> list[str]:
            return (await running.client.get("/status", headers=API_BEARER)).json()["degraded"]

        [found] = await degraded()
        assert found.startswith("people.owner.contacts[2] is in $CONTACT_OWNER, which isn't set")
        settings.write_text("CONTACT_OWNER=owner@example.net\n")
        done = await alertgate("reload", cwd=tmp_path, env={**GOOD, "DATA_DIR": str(tmp_path / "data")})
        assert done.returncode == 0

        async def is_well() -> bool:
            return not await degraded()

        await until(is_well)


async def test_a_reload_of_a_bad_file_asks_nobody(tmp_path, policy):
    """Each problem is named, with exit code 2."""
    async with process(tmp_path) as running:
        policy.write_text("[people.owner]\n")
        done = await alertgate("reload", cwd=tmp_path, env={**GOOD, "DATA_DIR": str(tmp_path / "data")})
        assert done.returncode == 2
        assert "  - people.owner.contacts is missing: add it" in done.stderr
        assert (await running.client.get("/health")).json().get("degraded") is None


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({}, "No process is known to serve"),
        (
            {"DATABASE_URL": "postgresql://a:b@127.0.0.1:1/x"},
            "Which process serves a PostgreSQL database can't be known",
        ),
    ],
)
async def test_a_reload_without_a_known_process_says_how(tmp_path, policy, env, words):
    """With the ways that work, and nothing is made."""
    done = await alertgate("reload", cwd=tmp_path, env={**GOOD, **env})
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert "systemctl reload alertgate, docker compose kill -s HUP alertgate, or kill -HUP PID" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [policy.name]


@pytest.mark.usefixtures("policy")
async def test_a_process_that_is_not_alertgate_is_never_signalled(tmp_path):
    """As where the lock file is a container's, whose process ids mean others here, whatever they are called."""
    file = tmp_path / "data" / "alertgate.db"
    file.parent.mkdir()
    lock = claim(file)
    waiting = "import sys; sys.stdin.read()"
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", waiting, "alertgate", "serve", stdin=-1)
    try:
        lock.truncate(0)
        lock.write(str(other.pid))
        lock.flush()
        done = await alertgate("reload", cwd=tmp_path, env={**GOOD, "DATA_DIR": str(file.parent)})
        assert done.returncode == 1
        assert f"The service is process {other.pid}, which can't be asked from here" in done.stderr
        assert other.returncode is None
    finally:
        lock.close()
        await other.communicate(b"")
    assert other.returncode == 0


def test_the_lock_file_names_nobody_once_it_is_free(make_settings):
    """Also while another process looks at the store, and whatever the file holds."""
    settings = make_settings()
    file = settings.sqlite_file
    assert file is not None
    store = Store(settings)
    assert holder(file) is None
    store.open(exclusive=True)
    assert holder(file) is not None
    file.with_suffix(".lock").write_text("not a number")
    assert holder(file) is None
    store.close()
    assert holder(file) is None


async def test_who_would_be_told_by_the_file(tmp_path, policy):
    """In the file's zone, with masked addresses; what can't be read is refused."""
    policy.write_text(f'timezone = "Europe/Berlin"\n{PEOPLE}')
    ask = ("who", "--event", "leak/cellar", "--device", "Front door", "--severity", "critical", "--at")
    done = await alertgate(*ask, "2026-11-28 03:00", cwd=tmp_path, env=GOOD)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "leak/cellar from Front door, critical, on Sat 28 Nov 2026 03:00 CET",
        "[[routes]] 1 sends it to everyone",
        "Until somebody acknowledges it, or it is over:",
        "03:00  owner, by email:o***@example.org: step 1",
        "03:00  owner, by email:$CONTACT_OWNER: step 1",
    ]
    wrong = await alertgate(*ask, "0001-01-01T00:00+14:00", "--severity", "loud", cwd=tmp_path, env=GOOD)
    assert (wrong.returncode, "loud is no severity: write info, warning or critical" in wrong.stderr) == (2, True)
    wrong = await alertgate(*ask, "0001-01-01T00:00+14:00", cwd=tmp_path, env=GOOD)
    assert (wrong.returncode, "is more than 20 years away" in wrong.stderr) == (2, True)
    policy.write_text("[people.owner]")
    assert (await alertgate(*ask, "now", cwd=tmp_path, env=GOOD)).returncode == 2


async def test_check_names_what_is_wrong_with_people(tmp_path, policy):
    """What nothing can reach fails, what is doubtful warns, and the policy is counted."""
    policy.write_text(f'{PEOPLE}[schedules.oncall]\nweek = [{{ days = "mon", who = "owner" }}]\n')
    done = await alertgate("check", "--offline", cwd=tmp_path, env=GOOD)
    lines = [line for line in done.stdout.splitlines() if " policy: " in line]
    assert done.returncode == 1
    assert lines[0].startswith("fail  policy: people.owner.contacts[2] is in $CONTACT_OWNER, which isn't set")
    assert lines[1].startswith("warn  policy: schedules.oncall.week has nobody on call ")
    assert "has 0 [[events]] rules, 1 person and 1 [[routes]] (" in lines[2]
    (tmp_path / ".env").write_text("CONTACT_OWNER=owner@example.net\n")
    fine = await alertgate("check", "--offline", cwd=tmp_path, env={**GOOD, "SMTP_EMAIL": "gate@example.net"})
    assert (fine.returncode, "owner@example.net" in fine.stdout) == (0, False)


@pytest.mark.parametrize("people", [False, True])
async def test_a_mail_server_needs_somebody_to_tell(tmp_path, policy, people):
    """Recipients in the settings, or people in the policy; `check` and `serve` say so."""
    policy.write_text('[people.owner]\ncontacts = ["email:owner@example.org"]\n' if people else "")
    env = {**GOOD, "SMTP_EMAIL": "alerts@example.net", "SMTP_HOST": "127.0.0.1", "DATA_DIR": str(tmp_path / "data")}
    checked = await alertgate("check", "--offline", cwd=tmp_path, env=env)
    said = "none is set: nobody is told; set RECIPIENT_EMAIL or RECIPIENT_PUSH, or people in alertgate.toml"
    line = f"fail  recipients: {said}"
    assert (line in checked.stdout.splitlines()) is not people
    if people:
        async with process(tmp_path, smtp_email="alerts@example.net", smtp_host="127.0.0.1") as running:
            assert (await running.client.get("/health")).status_code == 200
    else:
        served = await alertgate("serve", "--port", "0", cwd=tmp_path, env=env)
        assert (served.returncode, "all empty: nobody would be notified" in served.stderr) == (2, True)
