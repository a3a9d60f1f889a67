"""alertgate as a child process that keeps its port over restarts."""

import asyncio
import os
import re
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from torture.load import TOKEN

API = "api-token-0123456789abcdefghijkl"
SETTINGS = {
    "particle_webhook_secret": TOKEN,
    "api_token": API,
    "rate_limit": "100000/minute",
    "particle_rate_limit": "1000000/minute",
    "group_interval": 1,
    "smtp_host": "127.0.0.1",
    "smtp_security": "none",
    "smtp_email": "alerts@example.net",
    "smtp_timeout": 2,
    "smtp_daily_limit": 0,
    "flood_limit": 0,  # each message must name its event, so that the oracle sees that none is lost
    "recipient_email": "me@example.com",
    "recipient_sms": "555@sms.example.net",
    "log_level": "warning",
}
MAIL_ADDRESS = "me@example.com"
ADDRESSES = (MAIL_ADDRESS, "555@sms.example.net")
"""Addresses that must be told of every incident."""


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Gate:
    """A gate in `directory`. `program` holds the arguments to Python: `alertgate` itself, or a variant of it."""

    directory: Path
    settings: dict[str, Any]
    program: tuple[str, ...] = ("-m", "alertgate")
    name: str = "gate"
    port: int = field(default_factory=free_port)
    child: asyncio.subprocess.Process | None = None
    started: float = 0.0

    @property
    def log(self) -> Path:
        """What it wrote to standard error, over all its runs."""
        return self.directory / f"{self.name}.log"

    @property
    def database(self) -> Path:
        """Its SQLite file."""
        return Path(self.settings.get("data_dir", self.directory / "data")) / "alertgate.db"

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.child
        return self.child.pid

    async def spawn(self, stderr: int | None = None) -> None:
        """Start it, without waiting until it serves."""
        with self.log.open("ab") as log:
            self.started = time.monotonic()
            self.child = await self._run("serve", "--port", str(self.port), stderr=log if stderr is None else stderr)

    async def retry_all(self) -> None:
        """Run `alertgate retry --all` beside it. Raises RuntimeError if that fails."""
        with self.log.open("ab") as log:
            child = await self._run("retry", "--all", stderr=log)
        if await child.wait():
            raise RuntimeError(f"`alertgate retry --all` ended with {child.returncode}: {self.said()[-2000:]}")

    async def _run(self, *arguments: str, stderr: IO[bytes] | int) -> asyncio.subprocess.Process:
        given = {**SETTINGS, "data_dir": self.directory / "data", **self.settings}
        environment = {name.upper(): str(value) for name, value in given.items()}
        root = Path(__file__).parent.parent
        return await asyncio.create_subprocess_exec(
            *(sys.executable, *self.program, *arguments),
            cwd=self.directory,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{root}:{root / 'src'}", **environment},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=stderr,
        )

    async def start(self, stderr: int | None = None) -> float:
        """Start it; return the seconds until it was healthy."""
        await self.spawn(stderr)
        return await self.healthy()

    async def healthy(self, within: float = 30.0) -> float:
        """Wait until /health answers 200; return the seconds since the start."""
        async with asyncio.timeout(within):
            while await self.status() != 200:
                assert self.child
                if self.child.returncode is not None:
                    raise RuntimeError(f"the gate ended with {self.child.returncode}: {self.said()[-2000:]}")
                await asyncio.sleep(0.01)
        return time.monotonic() - self.started

    async def status(self, path: str = "/health") -> int:
        """Return the status of an answer, 0 without one."""
        return (await self.get(path))[0]

    async def get(self, path: str) -> tuple[int, str]:
        """Return the status and body of an answer, 0 without one."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return 0, ""
        try:
            head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {API}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode())
            async with asyncio.timeout(10):
                answer = (await reader.read()).decode()
            return int(answer[9:12] or 0), answer.partition("\r\n\r\n")[2]
        except (OSError, TimeoutError, ValueError):
            return 0, ""
        finally:
            writer.close()

    def said(self) -> str:
        """Return its whole log."""
        return self.log.read_text(errors="replace")

    def last_words(self) -> str:
        """Return whether it runs, and how its log ends."""
        runs = self.child is not None and self.child.returncode is None
        return f"{'it runs' if runs else 'it ended'}; {self.said()[-3000:]}"

    def says(self, pattern: str) -> bool:
        """Return whether its log matches a pattern."""
        return re.search(pattern, self.said()) is not None

    async def signal(self, which: signal.Signals) -> None:
        """Send it a signal."""
        assert self.child
        if self.child.returncode is None:
            self.child.send_signal(which)

    async def kill(self) -> None:
        """End it with SIGKILL."""
        await self.signal(signal.SIGKILL)
        assert self.child
        await self.child.wait()

    async def stop(self, within: float = 60.0) -> int:
        """End it with SIGTERM; return its exit status, -9 if it took too long and was killed."""
        assert self.child
        await self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(within):
                return await self.child.wait()
        except TimeoutError:
            await self.kill()
            return -9
