"""Proxy variables of the environment: this machine is never called through one, and a bad one stops nothing."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from alertgate.outbound import is_local
from tests.cli.test_cli import GOOD, alertgate
from tests.conftest import PARTICLE
from tests.fakes import until
from tests.flow.process import process

UNUSABLE = ["socks://user:hunter2@h:1", "socks5://127.0.0.1:9", "http://h:port", "://", "ftp://h"]
BOTH_CASES = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"]


@asynccontextmanager
async def proxy():
    """A server that records the first line of whatever is sent to it, and then hangs up."""
    heard: list[str] = []

    async def record(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append((await reader.readline()).decode())
        writer.close()

    async with await asyncio.start_server(record, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heard


async def test_the_own_service_is_not_called_through_a_proxy(tmp_path):
    """The health check passes, the event arrives, and the proxy hears of neither; nor does it see a plain bearer."""
    async with proxy() as (url, heard), process(tmp_path) as running:
        env = {**GOOD, "PORT": str(running.port), **dict.fromkeys(BOTH_CASES, url)}
        checked = await alertgate("healthcheck", cwd=tmp_path, env=env)
        sent = await alertgate("simulate", cwd=tmp_path, env=env)
        by_url = await alertgate("simulate", "--url", f"http://localhost:{running.port}", cwd=tmp_path, env=env)
        assert (checked.returncode, json.loads(checked.stdout)["status"]) == (0, "healthy")
        for done in (sent, by_url):
            assert (done.returncode, "1 x 202 accepted" in done.stdout) == (0, True)
        for closed in ("https://127.0.0.1:9", "https://gate.localhost:9", "http://gate.invalid"):
            assert (await alertgate("simulate", "--yes", "--url", closed, cwd=tmp_path, env=env)).returncode == 1
    assert heard == []


async def test_a_service_elsewhere_is_called_through_the_proxy_if_that_cannot_read_the_bearer(tmp_path):
    """Over https the proxy is asked for a tunnel alone, and a failure names the variable."""
    async with proxy() as (url, heard):
        env = {**GOOD, "HTTPS_PROXY": url}
        done = await alertgate("simulate", "--yes", "--url", "https://alerts.example.org", cwd=tmp_path, env=env)
    assert [line.strip() for line in heard] == ["CONNECT alerts.example.org:443 HTTP/1.1"]
    assert done.returncode == 1
    assert done.stderr.endswith("The environment names a proxy in HTTPS_PROXY; NO_PROXY excludes hosts from it.\n")


@pytest.mark.parametrize("value", UNUSABLE)
async def test_a_proxy_that_cannot_be_used_is_a_sentence(tmp_path, value):
    """For a call that needs it, without the proxy's password; the own service's health doesn't depend on it."""
    env = {**GOOD, "ALL_PROXY": value}
    done = await alertgate("simulate", "--yes", "--url", "https://alerts.example.org", cwd=tmp_path, env=env)
    assert done.returncode == 1
    assert done.stderr.strip().startswith("A proxy that the environment names in ALL_PROXY can't be used: only http://")
    assert "hunter2" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "env", [*({"ALL_PROXY": value} for value in UNUSABLE[:3]), {"SSL_CERT_FILE": "/no/such/file"}], ids=str
)
async def test_a_bad_variable_keeps_neither_the_service_from_starting_nor_its_check_from_passing(tmp_path, env):
    """The heartbeat goes without it, and the log says so once."""
    async with process(
        tmp_path, **env, heartbeat_url="http://127.0.0.1:9/x", heartbeat_fail_url="https://e.invalid"
    ) as on:
        checked = await alertgate("healthcheck", cwd=tmp_path, env={**env, "PORT": str(on.port)})
        sent = await alertgate("simulate", cwd=tmp_path, env={**GOOD, **env, "PORT": str(on.port)})

        async def logged():
            return [line for line in on.lines if "heartbeat.direct" in line]

        [line] = await until(logged)
    assert (checked.returncode, sent.returncode) == (0, 0)
    assert next(iter(env)) in line
    assert "hunter2" not in "".join(on.lines)


async def test_a_heartbeat_goes_through_the_proxy_of_the_environment(tmp_path):
    """Unless it stays on this machine; the log names the variable when nobody answers."""
    async with proxy() as (url, heard):
        env = {"http_proxy": url, "heartbeat_interval": 0.1}
        async with process(tmp_path, **env, heartbeat_url="http://hc.example.org/secret") as running:

            async def logged():
                return [line for line in running.lines if "heartbeat.unheard" in line]

            [line] = await until(logged)
        assert json.loads(line)["proxies"] == "HTTP_PROXY"
        assert heard[0].startswith("GET http://hc.example.org/secret ")
        heard.clear()
        async with process(tmp_path, **env, heartbeat_url="http://localhost:9/secret") as running:
            assert "proxies" not in json.loads((await until(logged))[0])
        assert heard == []


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:8000", True),
        ("http://LOCALHOST./x", True),
        ("https://gate.localhost", True),
        ("http://127.0.0.1", True),
        ("http://127.8.9.1", True),
        ("http://[::1]:80", True),
        ("http://[::ffff:127.0.0.1]", True),
        ("http://0.0.0.0:8000", True),
        ("http://[::]:8000", True),
        ("http://10.0.0.1", False),
        ("http://localhost.example.org", False),
        ("http://127.0.0.1.example.org", False),
    ],
)
def test_what_stays_on_this_machine(url, local):
    """By name or by address, in all of their forms."""
    assert is_local(url) is local


@pytest.mark.parametrize("command", ["simulate", "healthcheck"])
@pytest.mark.parametrize("url", ["http://h:port", "http://h:8000:1"])
async def test_a_url_that_is_none_is_a_usage_error(tmp_path, command, url):
    """With exit code 2, and no traceback."""
    done = await alertgate(command, "--url", url, cwd=tmp_path, env={"PARTICLE_WEBHOOK_SECRET": PARTICLE})
    assert (done.returncode, "Invalid value for --url" in done.stderr) == (2, True)
    assert "Traceback" not in done.stderr
