"""Regenerate what README and docs/first-alert.md show of the first alert: `python -m tools.first_alert`.

It does what README says, with the command that `serve --first-steps` prints, in an empty directory. Ids and times are
replaced by fixed ones, and lines that are about this machine or this moment alone are left out.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.settings_table import README, ROOT

TRANSCRIPT = ROOT / "docs" / "first-alert.md"
PAGES = (README, TRANSCRIPT)
PORT = "127.0.0.1:8000"
HOME = "/home/you/alertgate"
WITHIN = 60.0
"""Seconds until what is waited for must be there."""
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIMES = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z"), "2026-11-23T17:11:46.400765Z"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"), "2026-11-23 17:11:46 UTC"),
    (re.compile(r"(?m)^Date: .*"), "Date: Mon, 23 Nov 2026 17:11:46 +0000"),
)
_SHOWN_HEADERS = ("HTTP/", "content-type:", "x-request-id:")
_MAIL_HEADERS = ("From:", "To:", "Subject:", "Date:", "Message-ID:", "References:", "Auto-Submitted:")


def run_first_alert() -> dict[str, str]:
    """Return what a first user sees: by the names that stand in the pages' markers."""
    with TemporaryDirectory() as temporary:
        directory = Path(temporary).resolve()
        init = _alertgate(directory, "init")
        with _serving(directory) as printed:
            curl = printed[printed.index("  curl ") :].rstrip("\n")
            answer = _output(["sh", "-c", curl], directory)
            mail = _mail(directory)
        shown = steady({"init": init, "log": printed, "answer": answer, "mail": mail}, directory)
    steps = shown["log"].index("\nalertgate listens")
    return {
        "curl": re.sub(r"(?m)^  ", "", shown["log"][shown["log"].index("  curl ") :]).strip("\n"),
        "answer": answer_shown(shown["answer"]),
        "mail": first_part(shown["mail"], ("Subject:",)),
        "run": f"$ alertgate init\n{shown['init']}$ alertgate serve --first-steps\n{shown['log'][:steps]}",
        "steps": shown["log"][steps:].strip("\n"),
        "whole mail": f"$ cat data/outbox/new/*\n{first_part(shown['mail'], _MAIL_HEADERS)}",
    }


def filled(page: str, shown: dict[str, str]) -> str:
    """Return a page with what stands between its markers made anew."""
    for name, text in shown.items():
        between = re.compile(rf"(<!-- made: {name} -->\n```\w*\n).*?(\n```\n)", re.DOTALL)
        page = between.sub(lambda found, text=text: f"{found[1]}{text.rstrip()}{found[2]}", page)
    return page


@contextmanager
def _serving(directory: Path) -> Iterator[str]:
    """Run the service as `make run` does, on a free port; give what it prints until it is ready."""
    command = [sys.executable, "-m", "alertgate", "serve", "--first-steps", "--port", "0"]
    with subprocess.Popen(  # noqa: S603  (it is this project's own command)
        command, cwd=directory, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as service:
        printed = ""
        while service.stdout and "coreid" not in printed:
            line = service.stdout.readline()
            if not line:
                raise SystemExit(f"the service ended:\n{printed}")
            printed += line
        try:
            yield printed
        finally:
            service.terminate()
            service.communicate(timeout=WITHIN)


def _environment() -> dict[str, str]:
    """Return the environment of a terminal, without this one's settings."""
    return {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "LOG_FORMAT": "console", "TZ": "UTC"}


def _alertgate(directory: Path, *arguments: str) -> str:
    return _output([sys.executable, "-m", "alertgate", *arguments], directory)


def _output(command: list[str], directory: Path) -> str:
    done = subprocess.run(  # noqa: S603  (the commands are those of this module)
        command, cwd=directory, env=_environment(), check=True, capture_output=True, text=True, timeout=WITHIN
    )
    return done.stdout


def _mail(directory: Path) -> str:
    """Return the mail in the outbox, once it is there."""
    end = time.monotonic() + WITHIN
    while not (mails := list((directory / "data" / "outbox" / "new").glob("*"))):
        if time.monotonic() > end:
            raise SystemExit("no mail came into the outbox")
        time.sleep(0.02)
    [mail] = mails
    return mail.read_text(encoding="ascii").replace("\r\n", "\n")


def steady(shown: dict[str, str], directory: Path) -> dict[str, str]:
    """Return texts with fixed ids, times and places. Each id has one for all the texts."""
    ids: dict[str, str] = {}

    def fixed(found: re.Match[str]) -> str:
        return ids.setdefault(found[0], f"01a20964-{0x6DFF + len(ids):04x}-72f5-b40c-6262530b7546")

    made = {}
    for name, text in shown.items():
        steady = _ID.sub(fixed, text).replace(str(directory), HOME)
        steady = re.sub(r"127\.0\.0\.1:\d+", PORT, re.sub(r"port=\d+", "port=8000", steady))
        for pattern, to in _TIMES:
            steady = pattern.sub(to, steady)
        made[name] = steady
    return made


def answer_shown(text: str) -> str:
    """Return an answer without its security headers, as the pages show it."""
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    json.loads(body)
    return "\n".join([*(line for line in head.splitlines() if line.startswith(_SHOWN_HEADERS)), "", body])


def first_part(mail: str, headers: tuple[str, ...]) -> str:
    """Return some headers of a mail and its plain text."""
    head, _, rest = mail.partition("\n\n")
    _, _, first = rest.partition("\n\n")
    text = first.split("\n--===")[0].rstrip()
    return "\n".join([*(line for line in head.splitlines() if line.startswith(headers)), "", text])


if __name__ == "__main__":
    outputs = run_first_alert()
    for path in PAGES:
        path.write_text(filled(path.read_text(encoding="utf-8"), outputs), encoding="utf-8")
