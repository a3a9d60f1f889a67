"""The locked dependencies can be installed, today and when newer versions have been published."""

import re
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS = Path(__file__).parent.parent / "requirements"
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[([^\]]*)\])?==", re.MULTILINE)


def pins(file: str) -> dict[str, set[str]]:
    """Return the extras that a lock file names, by distribution."""
    return {canonicalize_name(name): set(filter(None, extras.split(","))) for name, extras in PIN.findall(file)}


@pytest.mark.parametrize("lock", ["base.txt", "postgres.txt", "dev.txt"])
def test_a_lock_names_the_extras_that_its_distributions_ask_for(lock: str):
    """Once a newer coverage is published, pip refuses `coverage==1` where `coverage[toml]` is asked for."""
    locked = pins((LOCKS / lock).read_text())
    missing = []
    for name, extras in locked.items():
        try:
            needs = [Requirement(line) for line in requires(name) or ()]
        except PackageNotFoundError:  # locked for another platform
            continue
        missing += [
            f"{name} needs {need}"
            for need in needs
            if need.extras - locked.get(canonicalize_name(need.name), need.extras)
            and (not need.marker or any(need.marker.evaluate({"extra": extra}) for extra in extras or {""}))
        ]
    assert missing == []


def test_a_stripped_extra_is_seen():
    """The check above can fail: the extras of a pin are read."""
    assert pins("coverage==1 \\\npsycopg[binary]==2 \\\n") == {"coverage": set(), "psycopg": {"binary"}}
