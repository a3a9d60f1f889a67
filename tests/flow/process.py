"""alertgate as a process that a test can kill."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

import alertgate
from tests.conftest import API, PARTICLE, SIGNING

SOURCE = Path(alertgate.__file__).parent.parent
"""Where the alertgate that is tested is, also if another one is installed."""


@dataclass
class Process:
    """A running `alertgate serve`, the lines it logged, and a client for it."""

    child: asyncio.subprocess.Process
    port: int
    client: httpx.AsyncClient
    lines: list[str] = field(default_factory=list)

    async def kill(self) -> None:
        self.child.send_signal(signal.SIGKILL)
        await self.child.wait()

    async def stop(self) -> int:
        self.child.send_signal(signal.SIGTERM)
        return await self.child.wait()


@asynccontextmanager
async def process(directory: Path, **settings: object) -> AsyncIterator[Process]:
    """Run `alertgate serve` in `directory` until the block ends, with settings from the environment."""
    given = {
        "particle_webhook_secret": PARTICLE,
        "webhook_secret": SIGNING,
        "api_token": API,
        "data_dir": directory / "data",
        "rate_limit": "100000/minute",
        **settings,
    }
    environment = {name.upper(): str(value) for name, value in given.items()}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "alertgate", "serve", "--port", "0"),
        cwd=directory,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE), **environment},
        stderr=asyncio.subprocess.PIPE,
    )
    lines: list[str] = []
    port = await _port(child, lines)
    reader = asyncio.create_task(_collect(child, lines))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        try:
            yield Process(child, port, client, lines)
        finally:
            if child.returncode is None:
                child.send_signal(signal.SIGTERM)
                await child.wait()
            await reader


async def _port(child: asyncio.subprocess.Process, lines: list[str]) -> int:
    assert child.stderr
    async with asyncio.timeout(60):
        async for line in child.stderr:
            lines.append(line.decode())
            if found := re.search(rb"\] server\.listening .* port=(\d+)", line):
                return int(found[1])
            if line.startswith(b"{") and (entry := json.loads(line)).get("event") == "server.listening":
                return int(entry["port"])
    raise AssertionError("the service didn't start:\n" + "".join(lines))


async def _collect(child: asyncio.subprocess.Process, lines: list[str]) -> None:
    assert child.stderr
    async for line in child.stderr:
        lines += [line.decode()]
