"""`python -m bench [figure …]`: measure and print; a run of all figures also writes docs/benchmarks.md and its plot."""

import asyncio
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from bench import sides, stages
from bench.figure import HEAD, Figure
from bench.figures import FIGURES

LONGEST = 15 * 60
"""Time limit for a whole run, in seconds."""
PAGE = sides.ROOT / "docs" / "benchmarks.md"
NEEDED = {"wrk": "wrk", "/usr/sbin/smtp-sink": "postfix", "prometheus-alertmanager": "prometheus-alertmanager"}
PACKAGES = ("fastapi", "uvicorn", "uvloop", "h11", "pydantic", "sqlalchemy", "aiosmtplib")


async def run(wanted: Sequence[str]) -> list[Figure]:
    """Measure the wanted figures (all by default), one after the other."""
    found: list[Figure] = []
    directory = Path(tempfile.mkdtemp(prefix="bench-"))
    directory.chmod(0o755)
    print(HEAD, flush=True)
    try:
        async with asyncio.timeout(LONGEST):
            for name, measure in FIGURES.items():
                if wanted and name not in wanted:
                    continue
                for figure in await measure(directory / name):
                    found.append(figure)
                    print(figure.line(), flush=True)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return found


def machine() -> str:
    """Describe the machine and the versions that are measured."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{os.cpu_count()} cores ({model[1] if model else platform.machine()}), {memory:.0f} GiB; "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, {versions}"
    )


def write(found: Sequence[Figure], seconds: float) -> None:
    """Write the tables between their markers in docs/benchmarks.md, and the plot beside it."""
    table = "\n".join([HEAD, *(figure.line() for figure in found)])
    made = f"{time.strftime('%Y-%m-%d')}, `make bench`, {seconds:.0f} s. {machine()}."
    text = PAGE.read_text()
    text = _between(text, "figures", f"{made}\n\n{table}")
    PAGE.write_text(_between(text, "stages", stages.table()))
    data = [{"label": figure.label, "score": figure.score} for figure in found if figure.goal]
    subprocess.run(
        [sides.TOOLS / "python", "-m", "bench.plot", PAGE.with_suffix(".png")],
        input=json.dumps(data),
        text=True,
        check=True,
        cwd=sides.ROOT,
    )


def _between(text: str, name: str, inner: str) -> str:
    """Replace the text between a pair of markers."""
    start, end = text.index(f"<!-- {name} -->"), text.index(f"<!-- end of {name} -->")
    return f"{text[:start]}<!-- {name} -->\n{inner}\n{text[end:]}"


def main() -> int:
    """Return 1 if a required program is missing. A missed goal is printed, but isn't an error."""
    missing = [package for program, package in NEEDED.items() if not shutil.which(program)]
    if missing or not (sides.TOOLS / "gunicorn").exists():
        print(f"Install Debian's {', '.join(missing)} first." if missing else "Run `make bench`, which sets up Flask.")
        return 1
    begun = time.monotonic()
    found = asyncio.run(run(sys.argv[1:]))
    if not sys.argv[1:]:
        write(found, time.monotonic() - begun)
    missed = [figure.name for figure in found if "no" in figure.reached]
    print(f"\n{len(found)} figures in {time.monotonic() - begun:.0f} s; not reached: {', '.join(missed) or 'none'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
