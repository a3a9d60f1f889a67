"""The Makefile: what a first `make run` installs, and what it says where Python's parts are missing."""

import subprocess
from pathlib import Path

import pytest
from tools.settings_table import ROOT

OLD = "#!/bin/sh\nexit 1\n"
WITHOUT_VENV = """#!/bin/sh
case "$2" in *ensurepip*) exit 1 ;; esac
exit 0
"""


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in this checkout."""
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def test_run_installs_only_what_running_needs(tmp_path: Path):
    """Neither the tests' requirements nor a build backend stay in its environment; `make test` has both sets."""
    run, test = (make("-n", target, f"VENV={tmp_path}/venv").stdout for target in ("run", "test"))
    assert "-r requirements/base.txt" in run
    assert "requirements/dev.txt" not in run
    assert run.index("requirements/build.txt") < run.rindex(f"rm -rf {tmp_path}/venv/build")
    assert "-r requirements/base.txt" in test
    assert "-r requirements/dev.txt" in test


@pytest.mark.parametrize(
    ("python", "said"),
    [
        (None, "apt-get install python3 python3-venv"),
        (OLD, "alertgate needs Python 3.11 or newer; name one: make PYTHON=python3.13 ..."),
        (WITHOUT_VENV, "has no venv; on Debian: apt-get install python3-venv"),
    ],
    ids=["no python", "an old one", "no venv"],
)
def test_what_python_lacks_is_named_with_its_package(tmp_path: Path, python: str | None, said: str):
    """The first line says it, and nothing is left that the next try would trip over."""
    program = tmp_path / "python"
    if python:
        program.write_text(python)
        program.chmod(0o755)
    done = make("run", f"VENV={tmp_path}/venv", f"PYTHON={program}")
    assert done.returncode != 0
    assert said in done.stdout
    assert not (tmp_path / "venv").exists()
