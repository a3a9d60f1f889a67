"""The programs that are compared, each as its own process on loopback."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from torture.gate import Gate, free_port
from torture.load import TOKEN

ROOT = Path(__file__).parent.parent
TOOLS = ROOT / ".venv" / "bench" / "bin"
"""Flask, gunicorn and matplotlib, which alertgate doesn't need."""
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
QUIET = asyncio.subprocess.DEVNULL


@asynccontextmanager
async def process(*command: str | Path, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program until the block ends."""
    child = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env={**ENVIRONMENT, **environment}, stdout=QUIET, stderr=QUIET
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()


@asynccontextmanager
async def sink() -> AsyncIterator[int]:
    """Run Postfix's smtp-sink, which accepts and discards every mail; yield its port."""
    port = free_port()
    user = ("-u", "nobody") if os.geteuid() == 0 else ()
    async with process("/usr/sbin/smtp-sink", *user, f"127.0.0.1:{port}", "1000"):
        await listening(port)
        yield port


@asynccontextmanager
async def bare() -> AsyncIterator[tuple[int, int]]:
    """Run accept and discard; yield its port and process id."""
    port = free_port()
    async with process(sys.executable, "-m", "bench.bare", str(port)) as child:
        await listening(port)
        yield port, child.pid


@asynccontextmanager
async def inline(smtp_port: int) -> AsyncIterator[int]:
    """Run Flask on gunicorn; yield its port."""
    port = free_port()
    shape = ("--workers", "2", "--threads", "4", "--bind", f"127.0.0.1:{port}")
    async with process(TOOLS / "gunicorn", *shape, "bench.inline:app", TOKEN=TOKEN, SMTP_PORT=str(smtp_port)):
        await listening(port)
        yield port


@asynccontextmanager
async def gate(directory: Path, smtp_port: int, **settings: Any) -> AsyncIterator[Gate]:
    """Run alertgate with its defaults, except for limits that a benchmark would reach; it logs to a file."""
    directory.mkdir(parents=True, exist_ok=True)
    given = {"smtp_port": smtp_port, "log_level": "info", "group_interval": 300, **settings}
    served = Gate(directory, given)
    await served.start()
    try:
        yield served
    finally:
        await served.stop()


@asynccontextmanager
async def alertmanager(directory: Path, smtp_port: int) -> AsyncIterator[int]:
    """Run Prometheus Alertmanager with an email receiver that mails every alert at once; yield its port."""
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "alertmanager.yml"
    config.write_text(
        f"global: {{smtp_smarthost: '127.0.0.1:{smtp_port}', smtp_from: alerts@example.net, smtp_require_tls: false}}\n"
        "route: {receiver: mail, group_by: ['...'], group_wait: 0s, group_interval: 5m}\n"
        "receivers: [{name: mail, email_configs: [{to: me@example.com}]}]\n"
    )
    port = free_port()
    files = (f"--config.file={config}", f"--storage.path={directory}")
    addresses = (f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=")
    async with process("prometheus-alertmanager", *files, *addresses):
        await listening(port)
        yield port


async def listening(port: int, within: float = 20.0) -> None:
    """Wait until something listens. Raises OSError after `within` seconds."""
    end = time.monotonic() + within
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.005)
        else:
            writer.close()
            return


def resident(pid: int) -> float:
    """Return a process's resident memory in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20
