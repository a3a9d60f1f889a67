"""What signals do to a real service: none kills it at once, and no mail goes twice."""

import asyncio
import errno
import json
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from alertgate.web.signals import Signals
from tests.cli.test_cli import GOOD, mail_env
from tests.conftest import BEARER
from tests.fakes import mail_sink, until
from tests.flow.process import process

HELD = [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2]
STOPPING = [signal.SIGTERM, signal.SIGQUIT, signal.SIGINT]


def mail(sink) -> dict[str, str]:
    """Settings for the test's mail server, with one recipient."""
    given = {name.lower(): value for name, value in mail_env(sink).items() if name != "RECIPIENT_SMS"}
    return {**given, "recipient_email": "me@example.com"}


async def send(running, event: str) -> None:
    """Raise an alert."""
    answer = await running.client.post("/webhook/particle", json={"event": event, "coreid": "d"}, headers=BEARER)
    assert answer.status_code == 202


@pytest.mark.parametrize("number", STOPPING, ids=lambda number: number.name)
async def test_a_stop_waits_for_the_mail_that_is_being_answered(tmp_path, number):
    """The server has the mail and hasn't answered yet: it goes once, also after the next start."""
    async with mail_sink() as sink:
        async with process(tmp_path, **mail(sink)) as running:
            sink.open.clear()
            await send(running, "first")
            await sink.talking.wait()
            running.child.send_signal(number)

            async def stopping() -> bool:
                with socket.socket() as caller:
                    return caller.connect_ex(("127.0.0.1", running.port)) == errno.ECONNREFUSED

            await until(stopping)
            sink.open.set()
            assert await running.child.wait() == 0
        async with process(tmp_path, **mail(sink)) as running:
            await send(running, "second")
            mails = await sink.received(2)
    assert [mail.mail["Subject"] for mail in mails] == ["[WARNING] d: first", "[WARNING] d: second"]
    assert not any("released" in line for line in running.lines)


@pytest.mark.parametrize("number", HELD, ids=lambda number: number.name)
async def test_other_signals_leave_the_service_and_its_mail_alone(tmp_path, number):
    """While a mail is being answered, and often."""
    async with mail_sink() as sink, process(tmp_path, **mail(sink)) as running:
        sink.open.clear()
        await send(running, "first")
        await sink.talking.wait()
        for _ in range(20):
            running.child.send_signal(number)
        assert (await running.client.get("/health")).status_code == 200
        sink.open.set()
        await send(running, "second")
        assert len(await sink.received(2)) == 2
        assert await running.stop() == 0
    assert not any("Traceback" in line or '"level": "error"' in line for line in running.lines)


async def test_sigusr1_logs_the_state(tmp_path):
    """What waits and what doesn't work, without a token."""
    async with mail_sink() as sink:
        sink.answer("EHLO", *["421 4.3.2 shutting down"] * 50)
        sink.answer("HELO", *["421 4.3.2 shutting down"] * 50)
        async with process(tmp_path, **mail(sink)) as running:
            for name in ("first", "second", "third"):  # the channel is paused by the third failure
                await send(running, name)

            async def logged(event: str) -> list[str]:
                return [line for line in running.lines if f'"event": "{event}"' in line]

            await until(lambda: logged("channel.paused"))
            running.child.send_signal(signal.SIGUSR1)
            [line] = await until(lambda: logged("service.state"))
    state = json.loads(line)
    assert state["checks"] == {"store": "ok", "delivery": "ok", "draining": "ok"}
    assert (state["channels"]["email"], state["waiting"]) == ("paused", {"email": 3})
    assert state["degraded"][0].startswith("channel email is paused")
    assert state["database"] == f"{tmp_path}/data/alertgate.db"


async def starting(directory: Path) -> asyncio.subprocess.Process:
    """Start a service, and return as soon as it has taken its signals over, long before it listens."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "alertgate", "serve", "--port", "0"),
        cwd=directory,
        env={"PATH": os.environ["PATH"], **GOOD},
        stderr=asyncio.subprocess.PIPE,
    )

    async def holds() -> bool:
        status = await asyncio.to_thread(Path(f"/proc/{child.pid}/status").read_text)
        ignored = int(status.split("SigIgn:")[1].split()[0], 16)
        return bool(ignored >> (signal.SIGUSR2 - 1) & 1)

    await until(holds)
    return child


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc, as Linux has it")
async def test_signals_during_the_start_kill_nothing(tmp_path):
    """From its first moment until it listens; a reload that was asked for is done."""
    child = await starting(tmp_path)
    assert child.stderr
    lines: list[str] = []
    collector = asyncio.create_task(_collect(child.stderr, lines))

    async def listening() -> bool:
        for number in HELD:
            child.send_signal(number)
        return any("server.listening" in line for line in lines)

    await until(listening)

    async def state() -> bool:
        return any("service.state" in line for line in lines)

    await until(state)
    child.terminate()
    assert await child.wait() == 0
    await collector


async def _collect(stream: asyncio.StreamReader, lines: list[str]) -> None:
    async for line in stream:
        lines += [line.decode()]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc, as Linux has it")
@pytest.mark.parametrize("number", STOPPING, ids=lambda number: number.name)
async def test_a_stop_during_the_start_is_a_success(tmp_path, number):
    """Without a traceback, and without a core file."""
    child = await starting(tmp_path)
    child.send_signal(number)
    _, errors = await child.communicate()
    assert (child.returncode, b"Traceback" in errors) == (0, False)


@pytest.fixture
def _own_signals():
    """The handlers as they were, after a test that sets its own."""
    before = {number: signal.getsignal(number) for number in HELD}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_own_signals")
async def test_what_is_asked_for_too_early_is_done_later():
    """A signal before the loop runs its acts waits; one after it has stopped does nothing."""
    done: list[str] = []

    async def reload() -> None:
        done.append("reload")

    async def state() -> None:
        done.append("state")

    signals = Signals()
    os.kill(os.getpid(), signal.SIGHUP)
    assert done == []
    signals.attach({signal.SIGHUP: reload, signal.SIGUSR1: state})

    async def has(count: int) -> bool:
        return len(done) == count

    await until(lambda: has(1))
    os.kill(os.getpid(), signal.SIGUSR1)
    await until(lambda: has(2))
    signals.detach()
    os.kill(os.getpid(), signal.SIGHUP)
    await asyncio.sleep(0)
    assert done == ["reload", "state"]
