"""compose.yaml as it stands, started by podman-compose, and a caller outside that sends requests to it."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
TOOLS = ROOT / ".venv" / "deploy" / "bin"
NAME = "alertgate-test"
IMAGE = f"localhost/{NAME}/alertgate"
HOST = "alerts.test"
HTTP, HTTPS = 18080, 18443
NETWORK, SUBNET, SUBNET6 = f"{NAME}-edge", "172.30.91.0/24", "fdac:1e50:91::/64"
OUTSIDE, OUTSIDE6 = "198.18.7.1", "2001:db8:7::1"
"""This machine, as the caller sees it (RFC 2544 and RFC 3849: addresses for tests and documentation)."""
CALLERS = [f"198.18.7.{last}" for last in range(2, 16)]
"""The edge limits each address: a test that floods it uses its own, and the smuggling tests use the last eight."""
HOME6 = [f"2001:db8:7:1:{last}::1" for last in range(6)]
NEIGHBOUR6 = "2001:db8:7:2::1"
"""IPv6 addresses of a caller, all of one /64, and of another caller."""
DEVICE = "3f002b000000000000000000"


def run(*command: str | Path, check: bool = True, within: float = 120, **options: Any) -> str:
    """Run a program; return its output. If it fails, print what it wrote."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=within, check=False, **options)
    if check and done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return done.stdout


def podman(*arguments: str, **options: Any) -> str:
    """Run podman."""
    return run("podman", *arguments, **options)


def wait_for(what: Callable[[], Any], within: float = 30, pause: float = 0.1) -> Any:
    """Call `what` until its result is true; return the result."""
    end = time.monotonic() + within
    while not (result := what()):
        assert time.monotonic() < end, f"not within {within} s"
        time.sleep(pause)
    return result


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: list[tuple[str, str]]
    body: str

    def all(self, name: str) -> list[str]:
        return [value for given, value in self.headers if given == name.lower()]


@dataclass
class Stack:
    """The services of compose.yaml, in a directory of their own with its secrets and its .env."""

    directory: Path
    profiles: str
    settings: dict[str, str]
    replicas: int = 1
    names_requests: bool = False
    """Whether the edge lets callers choose the ids of their requests, unlike compose.yaml's."""
    _over: threading.Event = field(default_factory=threading.Event)
    _prober: threading.Thread | None = None

    def prepare(self, authority: Path, socket: Path, smtp_password: str) -> None:
        """Follow docs/deploy.md, with the tests' own names, ports and certificates."""
        compose = (ROOT / "compose.yaml").read_text()
        if self.names_requests:
            compose = re.sub(r"(?m)^.*customrequestheaders\.X-Request-ID.*\n", "", compose)
        (self.directory / "compose.yaml").write_text(compose)
        shutil.copytree(ROOT / "deploy", self.directory / "deploy")
        option = ["--postgres"] if "postgres" in self.profiles else []
        run(self.directory / "deploy" / "init-secrets", *option)
        (self.secrets / "smtp_password").write_text(smtp_password)
        (self.secrets / "smtp_password").chmod(0o444)
        env = {
            "ALERTGATE_HOST": HOST,
            "COMPOSE_PROFILES": self.profiles,
            "ALERTGATE_REPLICAS": str(self.replicas),
            "ALERTGATE_IMAGE": IMAGE,
            "TRAEFIK_IMAGE": os.environ.get("TRAEFIK_IMAGE", f"localhost/{NAME}/traefik"),
            "POSTGRES_IMAGE": os.environ.get("POSTGRES_IMAGE", f"localhost/{NAME}/postgres:trixie"),
            "TRAEFIK_NETWORK": NETWORK,
            "TRUSTED_PROXIES": f"{SUBNET},{SUBNET6}",
            "ACME_SERVER": "https://127.0.0.1:1/none-in-this-test",
            "EDGE_HTTP_PORT": str(HTTP),
            "EDGE_HTTPS_PORT": str(HTTPS),
            "DOCKER_SOCKET": str(socket),
            **self.settings,
        }
        (self.directory / ".env").write_text("".join(f"{name}={value}\n" for name, value in env.items()))
        self._override(authority)

    def _override(self, authority: Path) -> None:
        """Write what the tests need besides compose.yaml: a ready-made certificate, and the mail server's name."""
        traefik = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["traefik"]
        command = [*traefik["command"], "--providers.file.filename=/authority/traefik.yaml"]
        override = {
            "services": {
                "alertgate": {
                    "extra_hosts": [f"mail.test:{OUTSIDE}"],
                    "volumes": [f"{authority}:/authority:ro"],
                },
                "traefik": {"command": command, "volumes": [f"{authority}:/authority:ro"]},
            }
        }
        text = yaml.safe_dump(override)
        # podman before 4.5 doesn't know the option; `_probe` does its work.
        reset = "  alertgate:\n    healthcheck:\n      start_interval: !reset null\n"
        (self.directory / "override.yaml").write_text(text.replace("  alertgate:\n", reset, 1))

    @property
    def secrets(self) -> Path:
        return self.directory / "secrets" / "alertgate"

    def secret(self, name: str) -> str:
        return (self.secrets / name).read_text()

    def compose(self, *arguments: str) -> str:
        files = ("-f", "compose.yaml", "-f", "override.yaml")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COMPOSE_")}
        return run(TOOLS / "podman-compose", "-p", NAME, *files, *arguments, cwd=self.directory, env=environment)

    def up(self) -> None:
        self.compose("up", "-d", "--no-build")
        self._prober = threading.Thread(target=self._probe, daemon=True)
        self._prober.start()
        wait_for(lambda: call("/health").status == 200, within=60)
        wait_for(lambda: all(health(name) == "healthy" for name in self.containers()), within=30)

    def down(self) -> None:
        self._over.set()
        if self._prober:
            self._prober.join()
        self.compose("down", "--volumes", "--timeout", "5")

    def containers(self) -> list[str]:
        """The names of alertgate's containers."""
        return [f"{NAME}_alertgate_{number}" for number in range(1, self.replicas + 1)]

    def _probe(self) -> None:
        """Run the health checks soon after a start. On a machine with systemd, podman has its timers do this.

        podman 4.3 sends a check's event when the check begins, so Traefik sees a change only at the next check.
        """
        shown: dict[str, str] = {}
        while not self._over.wait(0.3):
            for name in self.containers():
                if health(name) in {"", shown.get(name)}:
                    continue
                podman("healthcheck", "run", name, check=False)
                if (after := health(name)) == "healthy":
                    shown[name] = after
                    podman("healthcheck", "run", name, check=False)
                else:
                    shown.pop(name, None)
            shown = {name: state for name, state in shown.items() if health(name) == state}

    def particle(self, event: str, *, device: str = DEVICE, address: str = CALLERS[0], data: str = "hall") -> Answer:
        """Post an event as Particle Cloud does: its default form, with the bearer."""
        return call(
            "/webhook/particle",
            *("-H", f"Authorization: Bearer {self.secret('particle_webhook_secret')}"),
            *("-H", "User-Agent: ParticleBot/1.1 (https://docs.particle.io/webhooks)"),
            *("--data-urlencode", f"event={event}", "--data-urlencode", f"data={data}", "-d", f"coreid={device}"),
            address=address,
        )

    def log(self) -> list[dict[str, Any]]:
        """The lines that alertgate's containers have logged."""
        lines = [line for name in self.containers() for line in both(name).splitlines()]
        return [json.loads(line) for line in lines if line.startswith("{")]


def both(name: str) -> str:
    """Standard output and standard error of a container."""
    done = subprocess.run(["podman", "logs", name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.stdout.decode()


def health(name: str) -> str:
    """A running container's health; empty if it doesn't run."""
    form = "{{.State.Status}} {{.State.Healthcheck.Status}}"
    status, _, state = podman("inspect", "--format", form, name, check=False).strip().partition(" ")
    return state if status == "running" else ""


def call(path: str, *options: str, address: str = CALLERS[0], scheme: str = "https") -> Answer:
    """Call the edge from outside, over verified TLS. Status 0: no answer."""
    port = HTTPS if scheme == "https" else HTTP
    text = _curl(address, port, "-i", *options, f"{scheme}://{HOST}:{port}{path}")
    while (head := re.match(r"HTTP/[\d.]+ (\d{3})[^\n]*\n(.*?)\r?\n\r?\n", text, re.DOTALL)) and head[1] == "100":
        text = text[head.end() :]
    if not head:
        return Answer(0, [], "")
    pairs = [line.partition(":") for line in head[2].splitlines()]
    return Answer(int(head[1]), [(name.lower(), value.strip()) for name, _, value in pairs], text[head.end() :])


def flood(path: str, count: int, *options: str, address: str) -> list[Answer]:
    """Call `count` times at once; return the answers, without their bodies."""
    url = f"https://{HOST}:{HTTPS}{path}?[1-{count}]"
    parallel = ("-Z", "--parallel-immediate", "--parallel-max", str(count), "-o", "/dev/null")
    text = _curl(address, HTTPS, *parallel, "-w", "%{http_code} %{header_json}END", *options, url)
    answers = []
    for part in text.split("END")[:-1]:
        status, _, headers = part.partition(" ")
        pairs = [(name, value) for name, values in json.loads(headers).items() for value in values]
        answers.append(Answer(int(status), pairs, ""))
    return answers


def _curl(address: str, port: int, *options: str) -> str:
    """Run curl outside, from one of the caller's addresses, trusting only the tests' own authority."""
    here = f"[{OUTSIDE6}]" if ":" in address else OUTSIDE
    return run(
        *("ip", "netns", "exec", NAME, "curl", "-sS", "--path-as-is", "--max-time", "20", "--interface", address),
        *("--cacert", os.environ["AUTHORITY"], "--resolve", f"{HOST}:{port}:{here}", *options),
        check=False,
    )
