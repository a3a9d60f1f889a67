"""`python -m torture [--short] [fault …]`, and `python -m torture soak --minutes 10 --rate 200`."""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from torture import crashes, disks, escalations, phones, replicas, soak, surroundings
from torture.postgres import Postgres, postgres
from torture.table import HEAD, Row

LONGEST = 20 * 60
"""Time limit for a whole run, in seconds."""

Faults = dict[str, Callable[[Path], Awaitable[Row]]]


def faults(server: Postgres, *, short: bool) -> list[Faults]:
    """Return every fault by name, in groups. Faults of one group barely affect each other, so they run concurrently."""

    async def steady(directory: Path) -> Row:
        return (await soak.soak(directory, 3, 200))[0]

    def mail(name: str) -> Callable[[Path], Awaitable[Row]]:
        return lambda directory: surroundings.mail(name, directory)

    def certificate(name: str) -> Callable[[Path], Awaitable[Row]]:
        return lambda directory: surroundings.certificates(name, directory)

    crash: Faults = {"kill-sqlite": lambda d: crashes.crashes("SIGKILL, SQLite", d, 3 if short else 100)}
    crash_postgres: Faults = {"kill-postgres": lambda d: crashes.on_postgres(server, d, 2 if short else 30)}
    cheats: Faults = {"cheats": lambda d: crashes.cheats(d, 10)}
    mails: Faults = {f"smtp-{name.replace(' ', '-').lower()}": mail(name) for name in surroundings.MAIL}
    more_mails: Faults = {
        "smtp-restarts": surroundings.mail_restarts,
        "smtp-bad-certificate": certificate("has a bad certificate"),
        "smtp-no-starttls": certificate("offers no STARTTLS"),
    }
    broken_disks: Faults = {
        "disk-full": disks.full_disk,
        "disk-errors": disks.disk_errors,
        "disk-quota": disks.quota,
        "disk-read-only": disks.read_only,
        "locked": disks.locked,
    }
    databases: Faults = {"postgres-restarts": lambda d: surroundings.postgres_restarts(server, d)}
    cuts: Faults = {"postgres-cut": lambda d: surroundings.postgres_cuts(server, d, 10 if short else 60)}
    others: Faults = {
        "clock": surroundings.clock_jumps,
        "clock-back": surroundings.clock_and_dead_server,
        "log": surroundings.log_closed,
    }
    aged: Faults = {"replicas": lambda d: replicas.replicas(server, d, rounds=1 if short else 5, patient=False)}
    nobody: Faults = {
        "escalations": lambda d: escalations.escalations("escalations, SQLite", d, 4 if short else 25),
        "escalations-replicas": lambda d: escalations.on_postgres(server, d, 4 if short else 25),
    }
    push: Faults = {"phones": lambda d: phones.phones(d, 3)}
    asleep: Faults = {"replicas-asleep": lambda d: replicas.replicas(server, d, rounds=1, patient=True)}
    if short:
        few = {name: mails[name] for name in ("smtp-refused", "smtp-hangs-at-data")}
        del others["clock-back"]  # its wait for a probe is long; it has its own test
        return [crash | crash_postgres, cheats, few | others | nobody, cuts | aged | {"locked": disks.locked}]
    every_mail = mails | more_mails
    names = list(every_mail)
    groups = [{name: every_mail[name] for name in names[at : at + 5]} for at in range(0, len(names), 5)]
    return [
        crash,
        crash_postgres,
        nobody,
        push,
        cheats,
        asleep | groups[0],
        *groups[1:-1],
        groups[-1] | others,
        broken_disks,
        databases,
        cuts,
        aged,
        {"soak": steady},
    ]


async def run(wanted: Sequence[str], *, short: bool, keep: bool = False) -> list[Row]:
    """Run the wanted faults (all by default), and print each row when it is done."""
    rows: list[Row] = []
    directory = Path(tempfile.mkdtemp(prefix="torture-"))
    directory.chmod(0o755)  # PostgreSQL runs as another user when this is root
    print(HEAD, flush=True)
    try:
        with postgres(directory) as server:
            async with asyncio.timeout(LONGEST):
                for group in faults(server, short=short):
                    chosen = {name: fault for name, fault in group.items() if not wanted or name in wanted}
                    tasks = [_one(name, fault, directory / name) for name, fault in chosen.items()]
                    for task in asyncio.as_completed(tasks):
                        rows.append(await task)
                        print(rows[-1].line(), flush=True)
                        for what in rows[-1].lost[:5]:
                            print(f"    lost: {what}", flush=True)
    finally:
        if not keep:
            shutil.rmtree(directory, ignore_errors=True)
    return rows


async def _one(name: str, fault: Callable[[Path], Awaitable[Row]], directory: Path) -> Row:
    if not directory.exists() and name in {"kill-sqlite", "kill-postgres", "cheats", "replicas", "replicas-asleep"}:
        directory.mkdir()
    try:
        return await fault(directory)
    except Exception as error:  # noqa: BLE001  (a defect in one fault mustn't hide the results of the others)
        return Row(name, lost=[f"the harness failed: {type(error).__name__}: {error}"])


async def only_soak(minutes: float, rate: float) -> list[Row]:
    """Run the soak alone."""
    directory = Path(tempfile.mkdtemp(prefix="soak-"))
    try:
        row, _ = await soak.soak(directory, minutes, rate)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(HEAD)
    print(row.line())
    for what in row.lost:
        print(f"    lost: {what}")
    return [row]


def main() -> int:
    """Return 1 if an alert was lost or a message was sent twice."""
    parser = argparse.ArgumentParser(prog="torture", description=__doc__)
    parser.add_argument("faults", nargs="*", help="faults to run (default: all)")
    parser.add_argument("--short", action="store_true", help="few rounds, at most 90 seconds")
    parser.add_argument("--keep", action="store_true", help="keep the databases and logs after the run")
    parser.add_argument("--minutes", type=float, help="with `soak`: run only the soak, this long")
    parser.add_argument("--rate", type=float, default=200, help="with --minutes: alerts a second (default: 200)")
    given = parser.parse_args()
    known = {name for group in faults(Postgres(Path()), short=given.short) for name in group}
    if unknown := set(given.faults) - known:
        parser.error(f"there is no fault {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    start = time.monotonic()
    if given.faults == ["soak"] and given.minutes:
        rows = asyncio.run(only_soak(given.minutes, given.rate))
    else:
        rows = asyncio.run(run(given.faults, short=given.short, keep=given.keep))
    print(
        f"{len(rows)} faults in {time.monotonic() - start:.0f} s; {sum(not row.good for row in rows)} not as promised"
    )
    return 0 if all(row.good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
