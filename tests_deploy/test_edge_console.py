"""The console behind the edge, by the labels of compose.yaml in the real Traefik, before the real alertgate."""

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import trustme
import yaml

from tests_deploy.labels import as_file, labels
from tests_deploy.stack import ROOT, TOOLS, wait_for

HOST = "localhost"
TOKEN, PARTICLE = "api-token-0123456789abcdefghijkl", "particle-token-0123456789abcdef"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
READ_TIMEOUT = 1
"""Seconds; compose.yaml gives a whole request 30, and an event stream outlives them."""
HEADERS = {
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
}
OURS = ["/", "/sign-in", "/static/console.css"]
OTHERS = {
    "/health": 200,
    "/docs": 200,
    "/openapi.json": 200,
    "/a/AAAAAAAAAAAAAAAA": 404,
    "/api/alerts": 401,
    "/webhook/particle": 401,
}
"""What alertgate itself answers to whoever has no credential."""
INSIDE = [
    "/metrics",
    "/status",
    "/incidents/../metrics",
    "/static/%2e%2e/status",
    "/incidentsx",
    "/people%2f..%2fstatus",
]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@contextmanager
def _running(*command: str | Path, **options: object) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, **options)  # type: ignore[call-overload]
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def _answers(client: httpx.Client, path: str) -> bool:
    try:
        return client.get(path).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def alertgate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The service, as it runs in its container, and its address."""
    directory, port = tmp_path_factory.mktemp("alertgate"), _free_port()
    environment = {
        "PARTICLE_WEBHOOK_SECRET": PARTICLE,
        "API_TOKEN": TOKEN,
        "METRICS_TOKEN": "metrics-token-0123456789abcdefgh",
        "DATA_DIR": str(directory / "data"),
        "PORT": str(port),
        "TRUSTED_PROXIES": "127.0.0.1",
        "PUBLIC_URL": f"https://{HOST}",
    }
    program = Path(sys.executable).parent / "alertgate"
    with (
        _running(program, "serve", env=environment, cwd=directory),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        wait_for(lambda: _answers(client, "/health"))
        yield f"http://127.0.0.1:{port}"


@dataclass(frozen=True)
class Edge:
    """Traefik, and how to call it."""

    port: int
    authority: Path

    @contextmanager
    def client(self) -> Iterator[httpx.Client]:
        url = f"https://{HOST}:{self.port}"
        trusting = ssl.create_default_context(cafile=self.authority)
        with httpx.Client(base_url=url, verify=trusting, trust_env=False, timeout=20) as client:
            yield client

    def curl(self, path: str, *options: str) -> list[str]:
        return [
            *("curl", "-sS", "--cacert", str(self.authority), "--path-as-is", *options),
            *("--resolve", f"{HOST}:{self.port}:127.0.0.1", f"https://{HOST}:{self.port}{path}"),
        ]

    def status(self, path: str, *options: str) -> int:
        written = ("-o", "/dev/null", "-w", "%{http_code}")
        return int(subprocess.check_output(self.curl(path, *written, *options)))


@contextmanager
def _edge(directory: Path, given: dict[str, str], upstream: str) -> Iterator[Edge]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(str(directory / "traefik.pem"))
    own = {"certFile": str(directory / "traefik.pem"), "keyFile": str(directory / "traefik.pem")}
    content = {"http": as_file(given, upstream), "tls": {"certificates": [own]}}
    (directory / "dynamic.yaml").write_text(yaml.safe_dump(content))
    edge = Edge(_free_port(), directory / "ca.pem")
    with (
        _running(
            *(TOOLS / "traefik", f"--entrypoints.websecure.address=127.0.0.1:{edge.port}", "--accesslog=true"),
            f"--accesslog.filepath={directory / 'access.log'}",
            f"--entrypoints.websecure.transport.respondingtimeouts.readtimeout={READ_TIMEOUT}s",
            f"--providers.file.filename={directory / 'dynamic.yaml'}",
            *("--global.checknewversion=false", "--global.sendanonymoususage=false"),
        ),
        edge.client() as client,
    ):
        wait_for(lambda: _answers(client, "/health"), within=10)
        yield edge


@pytest.fixture(scope="module")
def edge(alertgate: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """The edge as compose.yaml has it."""
    with _edge(tmp_path_factory.mktemp("edge"), labels(ALERTGATE_HOST=HOST), alertgate) as running:
        yield running


def _sign_in(client: httpx.Client) -> httpx.Response:
    return client.post("/sign-in", data={"token": TOKEN, "name": "Ada"}, headers=SAME_ORIGIN)


def test_somebody_signs_in_through_the_edge(edge: Edge):
    """Over https that ends at the edge: the cookie has the prefix that no other host can set, and it is enough."""
    with edge.client() as client:
        assert client.get("/").status_code == 401
        answer = _sign_in(client)
        [cookie] = answer.headers.get_list("set-cookie")
        assert (answer.status_code, cookie.partition("=")[0]) == (303, "__Host-alertgate")
        assert {"Secure", "HttpOnly", "Path=/"} <= {part.strip() for part in cookie.split(";")}
        page = client.get("/")
        assert (page.status_code, "Ada" in page.text) == (200, True)
        assert {name: page.headers.get_list(name) for name in HEADERS} == {n: [v] for n, v in HEADERS.items()}
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert client.post("/sign-out", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_the_consoles_pages_are_reached_and_what_is_inside_stays_there(edge: Edge):
    """No spelling of a path leads from the console's router to /metrics or /status."""
    assert {path: edge.status(path) for path in OURS} == {"/": 401, "/sign-in": 200, "/static/console.css": 200}
    assert {edge.status(path, "-H", f"Authorization: Bearer {TOKEN}") for path in INSIDE} <= {400, 404}


def test_the_edge_limits_the_console_by_itself(edge: Edge):
    """Who loads pages in a loop is refused by the edge, and webhooks aren't."""
    urls = [edge.curl("/sign-in")[-1]] * 150
    shown = edge.curl("/sign-in", "-Z", "-o", "/dev/null", "-w", "%{http_code}\n")[:-1]
    outputs = ["-o", "/dev/null"] * (len(urls) - 1)
    statuses = subprocess.check_output([*shown, *outputs, *urls], text=True).split()
    assert set(statuses) == {"200", "429"}
    assert 40 <= statuses.count("200") < 140
    assert edge.status("/webhook/particle", "-d", "event=x", "-H", f"Authorization: Bearer {PARTICLE}") == 202


def test_only_those_whom_env_names_reach_the_console(alertgate: str, tmp_path: Path):
    """EDGE_CONSOLE_FROM keeps everybody else from the console alone."""
    with _edge(
        tmp_path, labels(ALERTGATE_HOST=HOST, EDGE_CONSOLE_FROM="192.0.2.0/24,2001:db8::/32"), alertgate
    ) as edge:
        assert {path: edge.status(path) for path in OURS} == dict.fromkeys(OURS, 403)
        assert {path: edge.status(path) for path in OTHERS} == OTHERS
    with _edge(tmp_path, labels(ALERTGATE_HOST=HOST, EDGE_CONSOLE_FROM="127.0.0.0/8"), alertgate) as edge:
        assert edge.status("/sign-in") == 200


class Authelia(BaseHTTPRequestHandler):
    """Lets in whoever has its cookie, and sends everybody else to its portal."""

    def do_GET(self) -> None:
        is_known = "authelia=known" in self.headers.get("Cookie", "")
        self.send_response(200 if is_known else 302)
        if not is_known:
            self.send_header("Location", "https://auth.example.org/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_a_portal_stands_before_the_console_alone(alertgate: str, tmp_path: Path):
    """With the labels that docs/deploy.md gives for Authelia; webhooks, links and the API don't pass it."""
    portal = ThreadingHTTPServer(("127.0.0.1", 0), Authelia)
    threading.Thread(target=portal.serve_forever, daemon=True).start()
    override = _documented("compose.override.yaml")
    address = "traefik.http.middlewares.authelia.forwardauth.address"
    assert override[address].startswith("http://authelia:9091/api/authz/forward-auth")
    given = {**labels(ALERTGATE_HOST=HOST), **override, address: f"http://127.0.0.1:{portal.server_port}/"}
    try:
        with _edge(tmp_path, given, alertgate) as edge:
            assert {path: edge.status(path) for path in OURS} == dict.fromkeys(OURS, 302)
            assert {path: edge.status(path) for path in OTHERS} == OTHERS
            with edge.client() as client:
                client.cookies.set("authelia", "known")
                assert _sign_in(client).status_code == 303
                assert client.get("/").status_code == 200
    finally:
        portal.shutdown()
        portal.server_close()


def _documented(name: str) -> dict[str, str]:
    """Return the labels of a file that docs/deploy.md shows."""
    text = (ROOT / "docs" / "deploy.md").read_text()
    block = text.split(f"`{name}`", 1)[1].split("```yaml\n", 1)[1].split("```", 1)[0]
    return yaml.safe_load(block)["services"]["alertgate"]["labels"]


class Stream(BaseHTTPRequestHandler):
    """Sends an event, and another after more than a whole request's time."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        is_stream = self.path == "/live"
        self.send_header("Content-Type", "text/event-stream" if is_stream else "text/csv")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._send(b"data: first\n\n")
        if self.path != "/health":
            self.server.may_go_on.wait(20)  # type: ignore[attr-defined]
            self._send(b"data: second\n\n")
        self._send(b"")

    def _send(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("path", ["/live", "/incidents.csv"])
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_the_edge_neither_keeps_back_nor_cuts_a_stream(tmp_path: Path, path: str, version: str):
    """Each event passes at once, and the stream lives longer than a request may take to arrive."""
    upstream = ThreadingHTTPServer(("127.0.0.1", 0), Stream)
    upstream.may_go_on = threading.Event()  # type: ignore[attr-defined]
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    try:
        with _edge(tmp_path, labels(ALERTGATE_HOST=HOST), f"http://127.0.0.1:{upstream.server_port}") as edge:
            command = edge.curl(path, "-N", version)
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as reading:
                assert reading.stdout is not None
                assert reading.stdout.readline() == "data: first\n"
                threading.Timer(3 * READ_TIMEOUT, upstream.may_go_on.set).start()  # type: ignore[attr-defined]
                rest = reading.communicate(timeout=20)
                assert (rest[0].strip(), rest[1], reading.returncode) == ("data: second", "", 0)
    finally:
        upstream.may_go_on.set()  # type: ignore[attr-defined]
        upstream.shutdown()
        upstream.server_close()


def test_what_is_opened_of_the_console_is_in_no_access_log(alertgate: str, tmp_path: Path):
    """A link to sign in by is a secret; alertgate's own log has a line without it."""
    with _edge(tmp_path, labels(ALERTGATE_HOST=HOST), alertgate) as edge:
        for path in ("/sign-in", "/sign-in/a-secret", "/health"):
            edge.status(path)
        wait_for((tmp_path / "access.log").read_text)
    logged = (tmp_path / "access.log").read_text()
    assert "/health" in logged
    assert "a-secret" not in logged
    assert "sign-in" not in logged
