"""The exit codes, as docs/operations.md has them: 0 done, 1 not done, 2 settings, policy or usage, 130 Ctrl-C."""

import asyncio
import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tools.settings_table import ROOT

from alertgate.cli.main import app
from tests.cli.test_cli import GOOD, alertgate, mail_env
from tests.conftest import serving
from tests.fakes import mail_sink, until

NOWHERE = "01890000-0000-7000-8000-000000000000"
ARGUMENTS = {
    "serve": ["serve", "--port", "0"],
    "init": ["init"],
    "check": ["check", "--offline"],
    "send-test": ["send-test"],
    "explain": ["explain", NOWHERE],
    "failures": ["failures"],
    "retry": ["retry", "--all"],
    "dismiss": ["dismiss", "--all"],
    "list": ["list"],
    "ack": ["ack", NOWHERE],
    "snooze": ["snooze", NOWHERE],
    "hand-back": ["hand-back", NOWHERE],
    "who": ["who", "--event", "leak"],
    "reload": ["reload"],
    "resolve": ["resolve", NOWHERE],
    "simulate": ["simulate", "--yes"],
    "silence": ["silence", "door/*", "--for", "2h"],
    "silences": ["silences"],
    "devices": ["devices"],
    "unsilence": ["unsilence", NOWHERE],
    "particle-template": ["particle-template", "--url", "https://gate.example.net", "--event", "x", "--show-secret"],
    "backup": ["backup", "copy.db"],
    "migrate": ["migrate"],
    "healthcheck": ["healthcheck"],
    "policy": ["policy", "forget"],
}
NO_SETTINGS = {"init"}
INTERRUPTIBLE = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background has it ignored
from alertgate.cli import main
main()
"""
CLOSED = {**GOOD, "PORT": "9", "DATA_DIR": "/dev/null/data"}
"""Nothing listens there, and nothing can be stored there: root can't either."""


def test_every_command_is_tried_here():
    """A new command needs its exit codes."""
    commands = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    assert {*commands, *(group.name for group in app.registered_groups)} == set(ARGUMENTS)


def test_the_codes_are_documented():
    """docs/operations.md lists them."""
    chapter = (ROOT / "docs" / "operations.md").read_text().split("## Exit codes")[1].split("\n## ")[0]
    assert re.findall(r"^\| (\d+) \|", chapter, re.MULTILINE) == ["0", "1", "2", "130"]


@pytest.mark.parametrize("command", ARGUMENTS)
async def test_a_usage_error_is_2(tmp_path, command):
    """An option that doesn't exist."""
    done = await alertgate(*ARGUMENTS[command], "--no-such-option", cwd=tmp_path, env=GOOD)
    assert (done.returncode, "No such option" in done.stderr) == (2, True)


@pytest.mark.parametrize("command", sorted({*ARGUMENTS} - NO_SETTINGS))
async def test_settings_that_cannot_be_used_are_2(tmp_path, command):
    """A .env with a mistyped name stops every command that reads it."""
    (tmp_path / ".env").write_text("RECIPENT_SMS=me@example.org\n")
    done = await alertgate(*ARGUMENTS[command], cwd=tmp_path, env=GOOD)
    assert (done.returncode, done.stdout) == (2, "")
    assert "  - RECIPENT_SMS on line 1 of .env isn't a setting of alertgate; did you mean RECIPIENT_SMS?" in done.stderr
    assert done.stderr.endswith("Fix them in the environment or in .env.\n"), "there is a .env to start from"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env"]


async def test_who_has_no_env_file_yet_is_told_what_writes_one(tmp_path):
    """Whoever has one would only be told that it is there already."""
    done = await alertgate("check", cwd=tmp_path, env={"API_TOKEN": "short"})
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2,
        "Fix them in the environment or in .env; `alertgate init` writes a .env to start from.",
    )


@pytest.mark.parametrize("command", ["serve", "check"])
async def test_a_policy_that_cannot_be_used_is_2(tmp_path, command):
    """At the first start, and in `check`."""
    (tmp_path / "alertgate.toml").write_text("[[events]]\n")
    done = await alertgate(*ARGUMENTS[command], cwd=tmp_path, env=GOOD)
    assert done.returncode == 2


@pytest.mark.parametrize("command", sorted({*ARGUMENTS} - {"init", "particle-template", "who", "reload"}))
async def test_what_could_not_be_done_is_1(tmp_path, command):
    """A directory that can't be written, a service that isn't there: a sentence and no traceback."""
    done = await alertgate(*ARGUMENTS[command], cwd=tmp_path, env=CLOSED)
    assert done.returncode == 1
    assert done.stderr or done.stdout
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


async def test_init_that_cannot_write_is_1(tmp_path):
    """Where a file is in the way of the directory, and where the .env exists."""
    for place in ("/dev/null/.env", "no/such/.env"):
        done = await alertgate("init", place, cwd=tmp_path)
        assert (done.returncode, f"{place} can't be written" in done.stderr) == (1, True)


async def test_what_was_done_is_0(tmp_path, make_settings):
    """Every command beside a running service."""
    async with mail_sink() as sink, serving(make_settings()) as service:
        alert_id = (await service.particle()).json()["id"]
        env = {**GOOD, **mail_env(sink), "PORT": str(service.port)}
        silence = ""
        for command, arguments in ARGUMENTS.items():
            known = silence if command == "unsilence" else alert_id
            given = [known if argument == NOWHERE else argument for argument in arguments]
            if command not in {"serve", "reload"}:  # that signals the process that serves: tests/cli/test_reload.py
                done = await alertgate(*given, cwd=tmp_path, env=env)
                silence = done.stdout.split()[0] if command == "silence" else silence
                assert (command, done.returncode, done.stderr.count("Traceback")) == (command, 0, 0), done.stderr


@asynccontextmanager
async def silent_server():
    """A server that takes connections and says nothing."""
    connected = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(wait, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], connected


@pytest.mark.parametrize("command", ["simulate", "send-test", "check"])
async def test_ctrl_c_is_130(tmp_path, command):
    """While a server keeps the command waiting; without a traceback."""
    async with silent_server() as (port, connected):
        mail = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port), "SMTP_EMAIL": "a@b.org", "RECIPIENT_EMAIL": "a@b.org"}
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", INTERRUPTIBLE, command),
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], **GOOD, "PORT": str(port), **(mail if command != "simulate" else {})},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        await connected.wait()
        child.send_signal(signal.SIGINT)
        _, errors = await child.communicate()
    assert (child.returncode, b"Traceback" in errors) == (130, False)


async def test_ctrl_c_during_the_start_of_a_command_is_130(tmp_path):
    """While its modules are imported, which takes most of its time."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", INTERRUPTIBLE, "check"), cwd=tmp_path, env=GOOD, stderr=asyncio.subprocess.PIPE
    )

    async def importing() -> bool:
        maps = await asyncio.to_thread(Path(f"/proc/{child.pid}/maps").read_text)
        return "pydantic_core" in maps  # a library of its own, loaded early

    await until(importing)
    child.send_signal(signal.SIGINT)
    _, errors = await child.communicate()
    assert (child.returncode, b"Traceback" in errors) == (130, False)


async def piped(command: list[str], output: int, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a command whose output goes to a descriptor."""
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "alertgate", *command],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], **GOOD},
        stdout=output,
        stderr=subprocess.PIPE,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("command", ["check", "particle-template", "healthcheck"])
async def test_output_that_nobody_reads_is_1(tmp_path, make_settings, command):
    """As `| head` leaves it, and as a full disk does; never a traceback."""
    async with serving(make_settings()) as service:
        arguments = [*ARGUMENTS[command]]
        arguments += ["--url", f"http://127.0.0.1:{service.port}"] if command == "healthcheck" else []
        reading, writing = os.pipe()
        os.close(reading)
        done = await piped(arguments, writing, tmp_path)
        os.close(writing)
        assert (done.returncode, done.stderr) == (1, b"")
        full = os.open("/dev/full", os.O_WRONLY)
        done = await piped(arguments, full, tmp_path)
        os.close(full)
    assert done.returncode == 1
    assert done.stderr == b"The output can't be written: No space left on device. Free some space, then run it again.\n"


async def test_completion_is_offered_and_help_stays_readable(tmp_path):
    """A shell's script, the names that it completes, and no option without a help."""
    # Which shell it is, is asked of the processes above: here it must be bash, whatever runs the tests.
    command = ["bash", "-c", f"{shlex.quote(sys.executable)} -m alertgate --show-completion; exit $?"]
    shown = await asyncio.to_thread(subprocess.run, command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "complete -o default -F _alertgate_completion alertgate" in shown.stdout
    complete = {"_ALERTGATE_COMPLETE": "complete_bash", "COMP_WORDS": "alertgate re", "COMP_CWORD": "1"}
    done = await alertgate(cwd=tmp_path, env=complete)
    assert done.stdout.split() == ["resolve", "retry", "reload"]
    options = re.findall(r"^│ (--\S+)", (await alertgate("--help", cwd=tmp_path)).stdout, re.MULTILINE)
    assert options == ["--version", "--install-completion", "--show-completion", "--help"]
