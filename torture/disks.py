"""Faults of the disk, and of the database file on it."""

import asyncio
import os
import resource
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from torture.gate import Gate
from torture.oracle import missing
from torture.surroundings import Scene, scene
from torture.table import Row


@contextmanager
def _mounted(directory: Path, size: str) -> Iterator[None]:
    """Mount a small disk. Raises PermissionError if that isn't permitted."""
    directory.mkdir(parents=True)
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory], capture_output=True, check=False
        ).returncode
    ):
        raise PermissionError("mounting a disk isn't permitted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", directory], check=False)


async def full_disk(directory: Path) -> Row:
    """Fill the disk under load, then free the space."""
    row = Row("disk full")
    disk = directory / "disk"
    try:
        with _mounted(disk, "48m"):
            async with scene(row, directory, rate=200, data_dir=disk / "data") as run:
                with (disk / "filler").open("wb", buffering=0) as filler:
                    try:
                        while filler.write(bytes(65536)):
                            pass
                    except OSError:
                        pass
                await _hurt(run)
                (disk / "filler").unlink()
                await run.takes_again()
                run.expect("disk is full|disk I/O error")
    except PermissionError as error:
        row.skipped = str(error)
    return row


async def _hurt(run: Scene, hold: float = 4.0) -> None:
    """Check a store that fails: /health says so, and everything that was answered 2xx is stored."""
    await run.health_says()
    await asyncio.sleep(hold)
    run.row.lost += missing(run.load, run.books)


async def _healthy_only_if_it_takes(run: Scene) -> None:
    """Require for some seconds that where /health answers 200, an alert of then or soon after is answered 2xx."""
    for _ in range(10):
        asked_at = time.monotonic()
        status, _ = await run.gate.get("/health")
        await asyncio.sleep(0.5)
        taken = [200 <= answer.status < 300 for answer in run.load.answers if answer.at >= asked_at]
        if status == 200 and taken and not any(taken):
            run.row.lost.append(f"/health answered 200, and all of {len(taken)} alerts after it were refused")


async def disk_errors(directory: Path) -> Row:
    """Fail every write to a file, the log included, as a broken disk does."""
    row = Row("disk errors")
    async with scene(row, directory, rate=200) as run:
        with _files_of(run.gate, lambda: 0):
            await _hurt(run)
        await run.takes_again()
    return row


async def quota(directory: Path) -> Row:
    """Let files grow to half the size of the write-ahead log: small writes at its beginning fit, and few alerts do."""
    row = Row("disk errors (quota)")
    async with scene(row, directory, rate=200) as run:
        log = run.gate.database.with_name("alertgate.db-wal")
        with _files_of(run.gate, lambda: log.stat().st_size // 2):
            await _hurt(run)
            await _healthy_only_if_it_takes(run)
        await run.takes_again()
    return row


@contextmanager
def _files_of(gate: Gate, size: Callable[[], int]) -> Iterator[None]:
    """Limit the size of a gate's files."""
    _, hard = resource.prlimit(gate.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(gate.pid, resource.RLIMIT_FSIZE, (size(), hard))
    try:
        yield
    finally:
        resource.prlimit(gate.pid, resource.RLIMIT_FSIZE, (hard, hard))


async def read_only(directory: Path) -> Row:
    """Make the files unwritable under a running gate, even for root, as on a disk that went read-only."""
    row = Row("disk read-only")
    if not shutil.which("chattr"):
        row.skipped = "there is no chattr here"
        return row
    async with scene(row, directory, rate=200) as run:
        # Not the -shm: it is mapped into memory, where a write would raise SIGBUS, unlike on a read-only disk.
        files = [run.gate.database, run.gate.database.with_name("alertgate.db-wal")]
        if subprocess.run(["chattr", "+i", *files], capture_output=True, check=False).returncode:
            row.skipped = "chattr +i isn't permitted here"
        else:
            try:
                await _hurt(run)
            finally:
                subprocess.run(["chattr", "-i", *files], check=True)
            await run.takes_again()
            run.expect("readonly database|disk I/O error|unable to open")
    return row


async def locked(directory: Path) -> Row:
    """Hold the database's write lock in another process for longer than the gate waits."""
    row = Row("database locked")
    async with scene(row, directory) as run:
        with closing(sqlite3.connect(run.gate.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await _hurt(run, 7.0)
            other.execute("ROLLBACK")
        await run.takes_again()
        run.expect("database is locked")
    return row
