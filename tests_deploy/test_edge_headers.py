"""What the edge makes of callers' headers, by the labels of compose.yaml in the real Traefik."""

import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import yaml

from tests_deploy.stack import ROOT, TOOLS, wait_for

MIDDLEWARE = "traefik.http.middlewares.alertgate-headers.headers."


class Upstream(BaseHTTPRequestHandler):
    """Answers with the request ids that it is sent."""

    def do_GET(self) -> None:
        body = ",".join(self.headers.get_all("X-Request-ID", [])).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def _headers() -> dict[str, object]:
    """Return the middleware of compose.yaml in the form of a file."""
    labels = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["alertgate"]["labels"]
    middleware: dict[str, object] = {}
    for name, value in labels.items():
        if name.startswith(MIDDLEWARE):
            place = middleware
            *path, last = name.removeprefix(MIDDLEWARE).split(".")
            for step in path:
                place = place.setdefault(step, {})  # type: ignore[assignment]
            place[last] = value
    return middleware


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[str]:
    """Traefik before an upstream; gives its URL."""
    upstream = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    servers = {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{upstream.server_port}"}]}}
    router = {"rule": "PathPrefix(`/`)", "service": "up", "middlewares": ["headers"]}
    middlewares = {"headers": {"headers": _headers()}}
    http = {"routers": {"all": router}, "services": {"up": servers}, "middlewares": middlewares}
    (tmp_path / "traefik.yaml").write_text(yaml.safe_dump({"http": http}))
    options = ("--global.checknewversion=false", "--global.sendanonymoususage=false")
    traefik = subprocess.Popen(
        [
            *(TOOLS / "traefik", f"--entrypoints.web.address=127.0.0.1:{port}"),
            *(f"--providers.file.filename={tmp_path / 'traefik.yaml'}", *options),
        ],
        stdout=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}/"
    try:
        wait_for(lambda: _answers(url))
        yield url
    finally:
        traefik.terminate()
        traefik.wait(20)
        upstream.shutdown()
        upstream.server_close()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Request-ID", "chosen")],
        [("x-request-id", "chosen"), ("X-Request-Id", "again")],
        [("X-Request-ID", "chosen"), ("Connection", "X-Request-ID")],
    ],
    ids=["one", "two", "for the connection"],
)
def test_the_edge_drops_the_request_ids_of_callers(edge: str, headers: list[tuple[str, str]]):
    """What Traefik sends is believed, so nobody outside may choose it."""
    answer = httpx.get(edge, headers=headers, trust_env=False)
    assert (answer.status_code, answer.text) == (200, "")
    assert answer.headers["x-frame-options"] == "DENY"
