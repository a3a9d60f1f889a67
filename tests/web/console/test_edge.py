"""The labels of compose.yaml let exactly the console's pages through its router."""

import re
from pathlib import Path

import yaml
from fastapi.routing import APIRoute

from alertgate.web.console.routes import ROUTERS

COMPOSE = Path(__file__).parents[3] / "compose.yaml"
FOR = "traefik.http.routers.alertgate-console.rule"
NOT_OURS = ("/metrics", "/status", "/health", "/docs", "/api/alerts", "/a/x", "/webhook/particle", "/incidentsx", "/x")


def _routed(path: str) -> bool:
    """Tell whether the console's rule takes a path, read as Traefik reads it."""
    rule = yaml.safe_load(COMPOSE.read_text())["services"]["alertgate"]["labels"][FOR]
    tests = re.findall(r"(Path|PathPrefix|PathRegexp)\(`([^`]*)`\)", rule)
    return any(
        {
            "Path": path == said,
            "PathPrefix": path.startswith(said),
            "PathRegexp": re.search(said.replace(r"\z", r"\Z"), path) is not None,
        }[kind]
        for kind, said in tests
    )


def test_every_page_of_the_console_is_routed_and_nothing_else_is():
    """A new page needs its word in compose.yaml."""
    paths = {route.path for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)}
    assert "/" in paths
    assert {path for path in paths if not _routed(re.sub(r"\{[^}]*\}", "x", path))} == set()
    assert {path for path in NOT_OURS if _routed(path)} == set()
