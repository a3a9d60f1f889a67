"""The edge's own limit, by the labels of compose.yaml in the real Traefik: an IPv6 caller is counted by its /64."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests_deploy.stack import ROOT, TOOLS, run, wait_for

NAMESPACE, PORT = "alertgate-limits", 18099
MIDDLEWARE = "traefik.http.middlewares.alertgate-rate.ratelimit."
HOME = ["2001:db8:0:7::1", "2001:db8:0:7:1::2", "2001:db8:0:7:ffff::3"]
"""Three addresses of one machine, whose network is a /64."""
NEIGHBOUR = "2001:db8:0:8::1"
FOUR, FOUR_TOO = "192.0.2.1", "192.0.2.2"


def _middleware() -> dict[str, object]:
    """Return the rate limit of compose.yaml in the form of a file; its numbers are small here."""
    labels = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["alertgate"]["labels"]
    given = {name.removeprefix(MIDDLEWARE): value for name, value in labels.items() if name.startswith(MIDDLEWARE)}
    middleware: dict[str, object] = {"average": 1, "burst": 3, "period": "60s"}
    for name in given.keys() - middleware.keys():
        place = middleware
        *path, last = name.split(".")
        for step in path:
            place = place.setdefault(step, {})  # type: ignore[assignment]
        place[last] = given[name]
    return middleware


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[None]:
    """Traefik in a network namespace that has all of the callers' addresses."""
    router = {"rule": "PathPrefix(`/`)", "service": "ping@internal", "middlewares": ["rate"]}
    http = {"routers": {"limited": router}, "middlewares": {"rate": {"rateLimit": _middleware()}}}
    (tmp_path / "traefik.yaml").write_text(yaml.safe_dump({"http": http}))
    inside = ("ip", "netns", "exec", NAMESPACE)
    run("ip", "netns", "del", NAMESPACE, check=False)
    run("ip", "netns", "add", NAMESPACE)
    try:
        run("ip", "-n", NAMESPACE, "link", "set", "lo", "up")
        for address in (*HOME, NEIGHBOUR, FOUR, FOUR_TOO):
            run("ip", "-n", NAMESPACE, "addr", "add", address, "dev", "lo")
        options = ("--global.checknewversion=false", "--global.sendanonymoususage=false")
        traefik = subprocess.Popen(
            [
                *(*inside, TOOLS / "traefik", f"--entrypoints.web.address=:{PORT}", "--ping", "--ping.manualrouting"),
                *(f"--providers.file.filename={tmp_path / 'traefik.yaml'}", *options),
            ],
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_for(lambda: _call("127.0.0.9", "127.0.0.1") == 200)
            yield
        finally:
            traefik.terminate()
            traefik.wait(20)
    finally:
        run("ip", "netns", "del", NAMESPACE)


def _call(caller: str, host: str) -> int:
    curl = ("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--interface", caller, f"http://{host}:{PORT}/")
    return int(run("ip", "netns", "exec", NAMESPACE, *curl, check=False) or 0)


def test_the_edge_counts_an_ipv6_caller_by_its_network(edge: None):  # noqa: ARG001
    """A new address for each request is the same caller; other networks, and IPv4 addresses, are others."""
    assert [_call(caller, "[::1]") for caller in (*HOME, *HOME)] == [200] * 3 + [429] * 3
    assert _call(NEIGHBOUR, "[::1]") == 200
    assert [_call(FOUR, "127.0.0.1") for _ in range(4)] == [200] * 3 + [429]
    assert _call(FOUR_TOO, "127.0.0.1") == 200
