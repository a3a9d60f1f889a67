"""What is in the image, and what isn't."""

import json
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from tests_deploy.conftest import CANARY, measured
from tests_deploy.stack import NAME, both, podman, wait_for

MEGABYTE = 1_000_000
LOCKED_DOWN = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")  # noqa: S108


@pytest.fixture(scope="module")
def config(image: str) -> dict[str, Any]:
    """The image's configuration."""
    return json.loads(podman("image", "inspect", image))[0]


def inside(image: str, script: str) -> str:
    """Run a shell script in the image as its own user, locked down as in compose.yaml and without a network."""
    return podman("run", "--rm", "--network", "none", *LOCKED_DOWN, "--entrypoint", "sh", image, "-c", script)


def test_it_runs_as_a_numeric_user_without_rights(image):
    """User and group 10001, no capability, and no way to gain one through a set-user-id program."""
    assert inside(image, "id -u; id -g").split() == ["10001", "10001"]
    status = dict(line.split(":\t", 1) for line in inside(image, "cat /proc/self/status").splitlines() if ":\t" in line)
    assert {status["CapEff"], status["CapPrm"], status["CapBnd"], status["CapAmb"]} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"


def test_only_its_volume_and_tmp_can_be_written(image):
    """The root file system is read-only, the program included; /data and /tmp are writable."""
    places = ("/", "/etc", "/opt/alertgate", "/opt/alertgate/bin", "/usr/local", "/var", "/data", "/tmp")  # noqa: S108
    script = "; ".join(f"touch {place}/x 2>/dev/null && echo {place}" for place in places)
    assert inside(image, f"{script}; true").split() == ["/data", "/tmp"]  # noqa: S108


@pytest.mark.parametrize("user", ["10001", "0"])
def test_its_program_belongs_to_root_and_cannot_be_changed_by_its_user(image, user):
    """Nothing under /opt/alertgate belongs to the image's user or can be written by it."""
    found = podman(
        *("run", "--rm", "--network", "none", "--user", user, "--entrypoint", "sh", image),
        *("-c", "find /opt/alertgate ! -type l \\( -user 10001 -o -perm -o+w \\)"),
    )
    assert found == ""


def test_no_installer_and_no_compiler_is_in_it(image):
    """It has no installer, no downloader and no compiler, neither as a command nor as a Python module."""
    names = "pip pip3 easy_install uv conda gcc cc c++ g++ clang make ld as rustc cargo go git curl wget"
    assert inside(image, f"for name in {names}; do command -v $name; done; true") == ""
    modules = "pip, setuptools, ensurepip, wheel, hatchling, uv, pytest"
    script = f"import importlib.util as u; print([m for m in '{modules}'.split(', ') if u.find_spec(m)])"
    for python in ("/opt/alertgate/bin/python", "python"):
        assert inside(image, f'PATH=$PATH:/usr/local/bin:/usr/bin; {python} -c "{script}"') == "[]\n"
    left = "-name '*.whl' -o -path '*-packages/pip*' -o -path '*bin/pip*' -o -path '/build*'"
    assert inside(image, f"find / -xdev \\( {left} \\) 2>/dev/null; true") == ""


def test_it_is_compiled_and_writes_nothing_beside_its_modules(image):
    """Each module has its .pyc, so a start compiles nothing, and Python is set to write none."""
    script = (
        "import pathlib; root = pathlib.Path('/opt/alertgate/lib'); "
        "compiled = lambda path: any(path.parent.glob(f'__pycache__/{path.stem}.*.pyc')); "
        "print([str(path) for path in root.rglob('alertgate/**/*.py') if not compiled(path)])"
    )
    assert inside(image, f'python -c "{script}"; echo $PYTHONDONTWRITEBYTECODE').split("\n")[:2] == ["[]", "1"]


def test_the_postgresql_driver_is_in_it(image):
    """DATABASE_URL works without another image."""
    assert inside(image, "python -c 'import psycopg; print(psycopg.pq.__impl__)'") == "binary\n"


def test_its_configuration(image, config):
    """Health check, stop signal, volume, user, labels."""
    check = config["Healthcheck"]
    assert check["Test"] == ["CMD", "alertgate", "healthcheck"]
    assert check["StartPeriod"] <= 10e9
    assert config["Config"]["StopSignal"] in {"15", "SIGTERM"}
    assert config["User"] == "10001:10001"
    assert list(config["Config"]["Volumes"]) == ["/data"]
    version = podman("run", "--rm", image, "--version").split()[1]
    assert config["Labels"]["org.opencontainers.image.version"] == version
    assert config["Labels"]["org.opencontainers.image.licenses"] == "MIT"


def test_no_secret_is_in_any_layer_or_in_the_history(image, config, tmp_path):
    """The build context held a .env, a database and secrets; none of them is in a layer or in the history."""
    archive = tmp_path / "image.tar"
    podman("save", "--quiet", "--format", "docker-archive", "-o", str(archive), image)
    names, layers = [], 0
    with tarfile.open(archive) as outer:
        for member in outer:
            file = outer.extractfile(member)
            if not file:
                continue
            if not member.name.endswith(".tar"):
                assert CANARY.encode() not in file.read()
                continue
            layers += 1
            with tarfile.open(fileobj=file) as layer:
                for entry in layer:
                    names.append(entry.name)
                    if entry.isfile() and entry.size < MEGABYTE:
                        content = layer.extractfile(entry)
                        assert content
                        assert CANARY.encode() not in content.read(), entry.name
    assert layers > 1
    assert [name for name in names if Path(name).name in {".env", "alertgate.db", "api_token", ".git"}] == []
    secret = ("SECRET", "PASSWORD", "TOKEN", "DATABASE_URL")
    assert [line for line in config["Config"]["Env"] if any(word in line.split("=")[0] for word in secret)] == []


def test_its_size(config):
    """What alertgate adds to its base is measured, and less than 150 MB."""
    base = json.loads(podman("image", "inspect", f"localhost/{NAME}/alertgate-base"))[0]["Size"]
    added = config["Size"] - base
    measured["size of the image, unpacked"] = f"{config['Size'] / MEGABYTE:.0f} MB"
    measured["of that, what alertgate adds to its base"] = f"{added / MEGABYTE:.0f} MB"
    assert added < 150 * MEGABYTE


def test_it_starts_with_nothing_but_one_secret(image, tmp_path):
    """One secret as a file is enough: it listens within 20 s, and its health check exits with 0."""
    tmp_path.chmod(0o755)
    (tmp_path / "particle_webhook_secret").write_text("abcdefghijklmnopqrstuvwxyz0123456789")
    begin = time.monotonic()
    name = f"{NAME}-alone"
    podman("run", "-d", "--name", name, *LOCKED_DOWN, "-v", f"{tmp_path}:/run/secrets:ro", image)
    try:
        ask = "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health')"
        wait_for(lambda: "server.listening" in both(name), within=20, pause=0.05)
        measured["start of the container until it listens"] = f"{time.monotonic() - begin:.1f} s"
        podman("exec", name, "python", "-c", ask)
        assert '"status":"healthy"' in podman("exec", name, "alertgate", "healthcheck")
        memory = podman("stats", "--no-stream", "--format", "{{.MemUsage}}", name).split("/")[0].strip()
        measured["memory after the start"] = memory
    finally:
        podman("rm", "--force", "--volumes", "--time", "5", name)
