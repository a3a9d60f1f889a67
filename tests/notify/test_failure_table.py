"""The table of failures in docs/operations.md: each answer in it is produced or judged here, and has a remedy."""

import asyncio
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme
from tools.settings_table import ROOT

from alertgate.notify.channels.advice import advice
from alertgate.notify.channels.base import Outcome, Permanent, Reason, Transient
from alertgate.notify.channels.outbox import Outbox
from alertgate.notify.channels.replies import Stage, classify
from tests.conftest import MakeSettings
from tests.fakes import LATER, mail_sink, tcp_server
from tests.notify.test_advice import MAIL, MESSAGE, attempt, encrypted

OF_PHONES = {Reason.UNREACHABLE, Reason.FORMAT}
"""What no mail server says: the services' own tests have a table each."""


class Example(NamedTuple):
    """An answer in the table, and the reason that its row is about."""

    reason: Reason
    answer: str


def examples() -> list[Example]:
    """Return the answers of all rows but those of what succeeds and of defects."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    chapter = page.split("## What each failure looks like and what to do")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| .*? \| (.+?) \| .+? \|$", chapter, re.MULTILINE)
    found = [Example(Reason(name), answer) for name, cell in rows for answer in re.findall("`(.+?)`", cell)]
    return [each for each in found if each.reason not in {Reason.SENT, Reason.INTERNAL, *OF_PHONES}]


REPLIES = [each for each in examples() if re.match(r"[45]\d\d ", each.answer)]
OWN_WORDS = [each for each in examples() if each not in REPLIES]


def judged(answer: str, stage: Stage) -> set[Reason]:
    """Return what a reply is taken for at a stage, and if it turns out to be about one recipient alone."""
    outcome = classify(stage, int(answer[:3]), answer[4:])
    alone = outcome.if_alone if isinstance(outcome, Transient) else None
    return {outcome.reason, alone.reason} if alone else {outcome.reason}


@pytest.mark.parametrize("example", REPLIES, ids=lambda example: example.answer[:40])
def test_a_reply_in_the_table_is_judged_as_its_row_says(make_settings: MakeSettings, example: Example):
    """At a stage of the conversation at which servers say it; and there is advice for it."""
    assert example.reason in set().union(*(judged(example.answer, stage) for stage in Stage))
    assert advice(make_settings(**MAIL), Permanent(example.reason, example.answer))


async def failures(make_settings: MakeSettings, directory: Path) -> list[Outcome]:
    """Return the failures of servers that can't be used, and of an outbox that can't be written."""
    mail = {**MAIL, "smtp_host": "127.0.0.1", "smtp_security": "none", "smtp_timeout": 0.3}
    found = []
    async with mail_sink() as sink:
        found.append(await attempt(make_settings(**{**mail, "smtp_port": sink.port, "smtp_security": "starttls"})))
    found.append(await attempt(make_settings(**mail, smtp_port=sink.port)))
    async with mail_sink(tls=encrypted(trustme.CA(), "127.0.0.1")) as sink:
        secure = {"smtp_security": "starttls", "smtp_timeout": 5}
        found.append(await attempt(make_settings(**{**mail, **secure, "smtp_port": sink.port})))

    async def never(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def greets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        await reader.read()

    for speak in (never, greets):
        async with tcp_server(speak) as port:
            found.append(await attempt(make_settings(**mail, smtp_port=port)))
    with full_server() as port:
        found.append(await attempt(make_settings(**mail, smtp_port=port)))
    found.append(await attempt(make_settings(**{**mail, "smtp_host": "mail.example.invalid", "smtp_timeout": 5})))
    (directory / "outbox").touch()
    return [*found, await Outbox(directory / "outbox", "alerts@example.net").send(MESSAGE, LATER)]


@contextmanager
def full_server() -> Iterator[int]:
    """Listen on a port whose queue of connections is full, so that nothing answers there; give the port."""
    with ExitStack() as sockets:
        server, *others = (sockets.enter_context(socket.socket()) for _ in range(4))
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for each in others:
            each.setblocking(False)
            each.connect_ex(server.getsockname())
        yield server.getsockname()[1]


async def test_what_no_server_says_is_in_the_table_as_it_is_shown(make_settings: MakeSettings, tmp_path: Path):
    """Each such answer is the beginning of a real one, `…` aside, under the reason of its row."""
    made = await failures(make_settings, tmp_path)
    assert OWN_WORDS
    missing = [
        each
        for each in OWN_WORDS
        if not any(each.reason is one.reason and _pattern(each.answer).search(one.reply) for one in made)
    ]
    assert not missing, "\n".join(f"{each.reason}: {each.reply}" for each in made)
    assert {each.reason for each in made} == {each.reason for each in OWN_WORDS}


def _pattern(answer: str) -> re.Pattern[str]:
    """Return what an answer looks like; the table's hosts, addresses and seconds stand for any."""
    general = re.sub(r"mail\.example\.net|192\.0\.2\.1:\d+|\b\d+ s\b", "…", answer)
    return re.compile(".*".join(re.escape(part.strip()) for part in general.split("…")))
