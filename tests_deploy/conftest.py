"""Fixtures around the stack: image, network, a caller outside, a mail server. All are removed at the end."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from tests_deploy import stack as parts
from tests_deploy.mail import PASSWORD, USER, Mail
from tests_deploy.stack import (
    CALLERS,
    HOME6,
    HOST,
    IMAGE,
    NAME,
    NEIGHBOUR6,
    NETWORK,
    OUTSIDE,
    OUTSIDE6,
    ROOT,
    SUBNET,
    SUBNET6,
    Stack,
    podman,
    run,
)

CANARY = "canary-that-no-layer-may-hold-7f3a91c2"
measured: dict[str, str] = {}


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what was measured."""
    for what, value in measured.items():
        terminalreporter.write_line(f"measured: {what}: {value}")


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image, built by buildah from a directory that also holds files that must not get in."""
    context = tmp_path_factory.mktemp("context") / "alertgate"
    leave_out = shutil.ignore_patterns(
        ".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "data", "secrets", ".env"
    )
    shutil.copytree(ROOT, context, ignore=leave_out)
    for place in (".env", "data/alertgate.db", "secrets/alertgate/api_token", ".git/config"):
        (context / place).parent.mkdir(parents=True, exist_ok=True)
        (context / place).write_text(CANARY)
    start = time.monotonic()
    base = os.environ["BASE"]
    run(
        *("buildah", "bud", "--isolation", "chroot", "--format", "docker", "--build-arg", f"BASE={base}"),
        *("--no-cache", "-t", IMAGE, str(context)),
        within=400,
    )
    measured["build of the image"] = f"{time.monotonic() - start:.0f} s"
    yield IMAGE
    podman("image", "rm", "--force", IMAGE)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that only these tests trust."""
    return trustme.CA()


@pytest.fixture(scope="session")
def authority_dir(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The authority's certificate, and Traefik's own with its key, as files."""
    directory = tmp_path_factory.mktemp("authority")
    certificate = authority.issue_cert(HOST)
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    certificate.private_key_and_cert_chain_pem.write_to_path(str(directory / "traefik.pem"))
    entry = {"certFile": "/authority/traefik.pem", "keyFile": "/authority/traefik.pem"}
    (directory / "traefik.yaml").write_text(yaml.safe_dump({"tls": {"certificates": [entry]}}))
    directory.chmod(0o755)
    os.environ["AUTHORITY"] = str(directory / "ca.pem")
    return directory


@pytest.fixture(scope="session")
def caller() -> Iterator[None]:
    """A caller on another machine: a network namespace with its own addresses, one hop away."""
    _remove_caller()
    run("ip", "netns", "add", NAME)
    try:
        run("ip", "link", "add", "agtest0", "type", "veth", "peer", "name", "agtest1", "netns", NAME)
        run("ip", "addr", "add", f"{OUTSIDE}/24", "dev", "agtest0")
        run("ip", "addr", "add", f"{OUTSIDE6}/48", "dev", "agtest0", "nodad")
        run("ip", "link", "set", "agtest0", "up")
        for address in CALLERS:
            run("ip", "-n", NAME, "addr", "add", f"{address}/24", "dev", "agtest1")
        for address in (*HOME6, NEIGHBOUR6):
            run("ip", "-n", NAME, "addr", "add", f"{address}/48", "dev", "agtest1", "nodad")
        run("ip", "-n", NAME, "link", "set", "agtest1", "up")
        run("ip", "-n", NAME, "link", "set", "lo", "up")
        run("ip", "-n", NAME, "route", "add", "default", "via", OUTSIDE)
        yield
    finally:
        _remove_caller()


def _remove_caller() -> None:
    run("ip", "netns", "del", NAME, check=False)
    run("ip", "link", "del", "agtest0", check=False)


@pytest.fixture(scope="session")
def mail(authority: trustme.CA, caller: None) -> Iterator[Mail]:  # noqa: ARG001
    """The mail server."""
    server = Mail(authority, OUTSIDE)
    yield server
    server.close()


@pytest.fixture(scope="session")
def socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The Docker-compatible socket of podman, for Traefik."""
    path = tmp_path_factory.mktemp("socket") / "podman.sock"
    service = subprocess.Popen(
        ["podman", "system", "service", "--time=0", f"unix://{path}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    parts.wait_for(path.exists)
    yield path
    service.terminate()
    service.wait(20)


@pytest.fixture(scope="session")
def network() -> Iterator[str]:
    """The external network, created as in docs/deploy.md."""
    for name in podman("ps", "-aq", "--filter", f"label=io.podman.compose.project={NAME}").split():
        podman("rm", "--force", "--time", "1", name)
    for volume in ("data", "postgres", "acme"):  # a killed run leaves them behind
        podman("volume", "rm", "--force", f"{NAME}_{volume}", check=False)
    podman("network", "rm", "--force", f"{NAME}_database", check=False)
    podman("network", "rm", "--force", NETWORK, check=False)
    podman("network", "create", "--ipv6", "--subnet", SUBNET, "--subnet", SUBNET6, NETWORK)
    yield NETWORK
    podman("network", "rm", NETWORK)


@pytest.fixture(scope="session")
def surroundings(image: str, network: str, caller: None, authority_dir: Path, socket: Path) -> tuple[Path, Path]:  # noqa: ARG001
    """Everything that a stack needs."""
    return authority_dir, socket


@pytest.fixture(scope="session")
def stacks(
    tmp_path_factory: pytest.TempPathFactory, surroundings: tuple[Path, Path], mail: Mail
) -> Iterator[Callable[..., Stack]]:
    """Return a function that gives a stack with these options: the running one if it has them, else a new one.

    Only one runs at a time, because all use the same names and ports.
    """
    running: dict[str, Stack] = {}

    def stop() -> None:
        while running:
            running.popitem()[1].down()

    def having(**options: Any) -> Stack:
        if repr(options) not in running:
            stop()
            running[repr(options)] = start(tmp_path_factory.mktemp("stack"), surroundings, mail, **options)
        return running[repr(options)]

    yield having
    stop()


@pytest.fixture(scope="module")
def stack(stacks: Callable[..., Stack]) -> Stack:
    """The stack on SQLite, with the profile traefik; modules share it."""
    return stacks(profiles="traefik")


def start(directory: Path, surroundings: tuple[Path, Path], mail: Mail, **options: Any) -> Stack:
    """Start compose.yaml with a mail server to send to."""
    settings = {
        "SMTP_HOST": "mail.test",
        "SMTP_PORT": str(mail.sink.port),
        "SMTP_EMAIL": USER,
        "SMTP_CA_FILE": "/authority/ca.pem",
        "SMTP_DAILY_LIMIT": "0",
        "FLOOD_LIMIT": "0",  # these tests look for the mail of each event
        "RECIPIENT_EMAIL": "me@example.com",
        "DEVICES": f"{parts.DEVICE}=Front door",
    }
    stack = Stack(directory, settings=settings, **options)
    stack.prepare(*surroundings, PASSWORD)
    try:
        stack.up()
    except BaseException:
        for name in podman("ps", "-a", "--format", "{{.Names}}").split():
            if name.startswith(NAME):
                print(name, parts.both(name)[-3000:], sep="\n")  # noqa: T201  (pytest shows it with the failure)
        stack.down()
        raise
    return stack
