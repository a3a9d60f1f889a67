"""README followed to the letter on an empty Debian: clone, `make run`, the first alert, its mail, and the rest."""

import json
import os
import pty
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests_deploy.conftest import measured
from tests_deploy.stack import NAME, ROOT, podman, run, wait_for
from tools.first_alert import HOME, answer_shown, first_part, steady

EMPTY = f"localhost/{NAME}/debian:trixie"
MACHINE = f"{NAME}-new-machine"
REPOSITORY = "/alertgate.bundle"
README = (ROOT / "README.md").read_text(encoding="utf-8")
LISTENS = "alertgate listens on http://127.0.0.1:8000"


def commands(heading: str) -> list[str]:
    """Return what README lets one type under a heading, up to the next."""
    [text] = re.findall(rf"(?m)^## {heading}\n((?:(?!^## ).*\n)*)", README)
    return re.findall(r"```(?:sh|bash)\n(.*?)\n```", text, re.DOTALL)


def shown(name: str) -> str:
    """Return an output that README shows."""
    [text] = re.findall(rf"<!-- made: {name} -->\n```\n(.*?)\n```", README, re.DOTALL)
    return text


class Terminal:
    """A terminal of the machine in which something runs that doesn't end by itself."""

    def __init__(self, script: str) -> None:
        self._end, theirs = pty.openpty()
        command = ["podman", "exec", "-it", "--user", "you", "--workdir", "/home/you", MACHINE, "bash", "-c", script]
        self.program = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        self.shows = ""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while some := os.read(self._end, 65_536):
                self.shows += some.decode(errors="replace")
        except OSError:  # the other side is closed
            return

    def wait_until_it_shows(self, text: str, within: float) -> None:
        """Fail with all that it shows if the program ends, or the time is over, before it shows a text."""
        end = time.monotonic() + within
        while text not in self.shows:
            assert self.program.poll() is None, self.shows
            assert time.monotonic() < end, self.shows
            time.sleep(0.1)

    def press_ctrl_c(self) -> None:
        """End what runs, as a person does."""
        os.write(self._end, b"\x03")
        self.program.wait(30)


def type_(script: str, within: float = 60, check: bool = True) -> str:
    """Run what README says in another terminal, in alertgate's directory; return what it prints."""
    options = ("--user", "you", "--env", f"PATH={HOME}/.venv/bin:/usr/bin:/bin")
    return podman("exec", *options, MACHINE, "bash", "-c", f"cd {HOME}\n{script}", within=within, check=check)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An empty Debian with a user who may use sudo, and this checkout as a repository that can be cloned."""
    bundle = bundled(tmp_path_factory.mktemp("checkout"))
    podman("rm", "--force", "--time", "0", "--ignore", MACHINE)
    podman("run", "--detach", "--name", MACHINE, "--volume", f"{bundle}:{REPOSITORY}:ro", EMPTY, "sleep", "infinity")
    try:
        podman("exec", MACHINE, "useradd", "--create-home", "--shell", "/bin/bash", "you")
        podman("exec", MACHINE, "sh", "-c", "echo 'you ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/you")
        yield
    finally:
        podman("rm", "--force", "--time", "0", MACHINE)


def bundled(directory: Path) -> Path:
    """Return this checkout as it stands, as a repository in one file."""
    work, bundle = directory / "alertgate", directory / "alertgate.bundle"
    for name in run("git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if name and (ROOT / name).is_file():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, work / name)
    git = ("git", "-C", work, "-c", "user.name=you", "-c", "user.email=you@example.org")
    run(*git, "init", "--quiet", "--initial-branch=main")
    run(*git, "add", "--all", "--force")
    run(*git, "commit", "--quiet", "--message=As it stands")
    run(*git, "bundle", "create", bundle, "HEAD", "main")
    directory.chmod(0o755)
    bundle.chmod(0o644)
    return bundle


def megabytes(path: str) -> int:
    """Return the size of a directory of the machine on its disk, without what apt keeps for later."""
    left_out = ("--exclude=/var/lib/apt", "--exclude=/var/cache/apt")
    return int(podman("exec", MACHINE, "du", "-sx", "--block-size=1MB", *left_out, path).split()[0])


@pytest.mark.usefixtures("machine")
def test_readme_followed_to_the_letter_on_an_empty_debian():
    """What it lets one type works as printed, and what it shows is what comes."""
    packages, start, token = commands("Start")
    empty, began = megabytes("/"), time.monotonic()
    podman("exec", "--user", "you", MACHINE, "bash", "-euc", packages, within=400)
    measured["README: Debian's packages"] = f"{time.monotonic() - began:.0f} s, {megabytes('/') - empty} MB"
    began = time.monotonic()
    terminal = Terminal(start.replace("REPOSITORY", REPOSITORY))
    terminal.wait_until_it_shows(LISTENS, within=400)
    number = type_("ls -d .venv/lib/python3*/site-packages/*.dist-info | wc -l").strip()
    measured["README: from git clone until it listens"] = (
        f"{time.monotonic() - began:.0f} s; .venv: {megabytes(f'{HOME}/.venv')} MB, {number} Python packages"
    )
    _the_first_alert()
    _what_else_it_lets_one_type()
    _the_sign_in(token)
    terminal.press_ctrl_c()
    assert "Traceback" not in terminal.shows


def _the_sign_in(token: str) -> None:
    """To the console, with what the command prints."""
    fields = f"--data-urlencode token={type_(token).strip()}"
    sent = f"curl -s -o /dev/null -w '%{{http_code}} %{{redirect_url}}' -H 'Sec-Fetch-Site: same-origin' {fields}"
    assert type_(f"{sent} http://127.0.0.1:8000/sign-in") == "303 http://127.0.0.1:8000/"


def _the_first_alert() -> None:
    """The answer and the mail are those that README shows, but for ids and times; then it says how to end it."""
    curl, cat = commands("The first alert")
    answer = type_(curl)
    mail = wait_for(lambda: type_(cat, check=False))
    came = steady({"answer": answer, "mail": mail}, Path(HOME))
    assert answer_shown(came["answer"]) == shown("answer")
    assert first_part(came["mail"], ("Subject:",)) == shown("mail")
    assert "Add `-d status=resolved` to the `curl`, and a second mail says that it is over." in README
    type_(f"{curl} -d status=resolved")
    wait_for(lambda: "Subject: [RESOLVED" in type_(cat))


def _what_else_it_lets_one_type() -> None:
    """The signed request of a shell, and the template with the secret that `make run` made."""
    [signed] = commands("Anything else that sends JSON")
    assert type_(signed).startswith("HTTP/1.1 202 ")
    [command] = re.findall(r"(?m)^alertgate particle-template .*$", README)
    template = json.loads(type_(command))
    secret = type_("sed -n 's/^PARTICLE_WEBHOOK_SECRET=//p' .env").strip()
    assert template["headers"]["Authorization"] == f"Bearer {secret}"
