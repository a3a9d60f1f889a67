"""Processor time of whole process trees, from /proc."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
"""Clock ticks a second, the unit of /proc."""


@dataclass(frozen=True)
class Process:
    """One process in /proc/PID/stat, with its threads."""

    pid: int
    parent: int
    ticks: int
    """User and system time, its own and that of the children it has waited for."""


def parsed(stat: str) -> Process:
    """Parse the text of /proc/PID/stat (proc_pid_stat(5)); the name in it may hold spaces and brackets."""
    before, _, after = stat.rpartition(")")
    fields = after.split()
    return Process(pid=int(before.split()[0]), parent=int(fields[1]), ticks=sum(map(int, fields[11:15])))


def of_trees(processes: Iterable[Process], roots: Iterable[int]) -> int:
    """Return the ticks of these processes and of all their descendants."""
    known = {process.pid: process for process in processes}
    children: dict[int, list[int]] = {}
    for process in known.values():
        children.setdefault(process.parent, []).append(process.pid)
    total, waiting = 0, list(roots)
    while waiting:
        pid = waiting.pop()
        total += known[pid].ticks
        waiting += children.get(pid, [])
    return total


def seconds(*roots: int) -> float:
    """Return the processor seconds that these processes and all their descendants have used so far.

    A child that ends meanwhile still counts: its parent waits for it and takes over its time. Raises KeyError for a
    root that doesn't run.
    """
    return of_trees(_running(), roots) / TICKS


def _running() -> Iterable[Process]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            yield parsed(stat.read_text())
        except (FileNotFoundError, ProcessLookupError):  # it just ended
            continue
