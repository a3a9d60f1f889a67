"""Messages as the renderer makes them for apps, and deadlines."""

import asyncio
from dataclasses import replace
from typing import Any

from alertgate.model import Severity
from alertgate.notify.channels.base import Answer, Brief, Message, Picture
from tests.fakes import START

LINK = "https://alerts.example.org/a/AbCdEfGhIjKlMnOp"
FORM = "act=acknowledge&group=0123456789&seen=abcdef0123"
PICTURE = Picture("jpeg", b"\xff\xd8picture")


def brief(**changes: Any) -> Brief:
    """Return what is to know of an open critical incident, with changes."""
    answers = (Answer("I'm on it", "acknowledge", FORM), Answer("Snooze 1 h", "snooze", FORM.replace("ack", "sno")))
    made = Brief(
        "0198a1b2-0000-7000-8000-000000000001", "CRITICAL", Severity.CRITICAL, True, link=LINK, answers=answers
    )
    return replace(made, **changes)


def message(to: str, **changes: Any) -> Message:
    """Return a message about that incident, with changes; those of its brief by `brief`."""
    made = Message(
        to=to,
        text="Water in the cellar\nA new alert.",
        message_id="n@example.org",
        thread_id="incident.1@example.org",
        date=START,
        subject="[CRITICAL] leak at the cellar",
        urgent=True,
        brief=brief(),
    )
    return replace(made, **changes)


def soon() -> float:
    """Return a deadline."""
    return asyncio.get_running_loop().time() + 10
