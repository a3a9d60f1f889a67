"""No body stalls the event loop: everything that reads or shows one is quick, whatever it holds.

While one of these steps runs, no other request is answered and no other message is sent. Each is measured alone, by the
processor time of its thread, so that a busy machine makes no difference, and as the best of three, so that an interrupt
makes none. The limit is 50 ms; the factor is for Python's tracing under coverage and for a slower processor. What this
is to catch took ten times the limit: work for each of 128 KiB of characters, once for each alert that a mail shows.
"""

import asyncio
import base64
import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alertgate.accept import generic, particle
from alertgate.accept.credentials import hub_signature
from alertgate.accept.intake import IntakeContext
from alertgate.accept.particle import FORM
from alertgate.accept.rulings import Understood
from alertgate.errors import Rejected
from alertgate.ids import new_id
from alertgate.model import Alert, ChannelName, Json, Severity
from alertgate.notify.attempt import Sender
from alertgate.notify.channels.base import Message, Sent
from alertgate.notify.channels.mail import compose
from alertgate.notify.context import SHOWN_ALERTS, MessageContext, Outgoing, Snapshot
from alertgate.notify.flood import MOST
from alertgate.notify.render.message import render
from alertgate.notify.render.text import SEGMENT, gsm7, septets
from alertgate.prove.history import Trail
from alertgate.prove.timeline import tell
from alertgate.rules import SeverityRules
from alertgate.store.column_types import AnyText, JsonText
from alertgate.web.answers import show_trail
from alertgate.web.refusals import size_of
from tests.builders import incident, notification
from tests.conftest import SIGNING, sign
from tests.fakes import START, FakeClock

SIZE = 131_072
"""MAX_BODY_BYTES."""
LIMIT = 0.050
FACTOR = 4

LIGATURE = "\ufdfd"
"""One character that is a sentence of letters in GSM-7."""
TEXTS = {
    "ligatures": LIGATURE,
    "marks without letters": "\u0301",
    "bidirectional overrides": "\u202e",
    "invisible tags": "\U000e0041",
    "halves of flags": "\U0001f1e6",
    "joined emoji": "\U0001f469\u200d",
    "unassigned characters": "\ue000",
    "spaces": " ",
    "line breaks": "\\n",
    "escaped NULs": "\\u0000",
    "lone surrogates": "\\ud800",
    "digits": "9",
    "entities": "&amp;",
    "numeric entities": "&#65;",
    "ampersands": "&",
    "quotes": "'",
    "angle brackets": "<",
    "encoded words": "=?",
    "words of an all-clear": "closed ",
    "names of fields": "event:'",
    "device ids": "3f002b000000000000000000 ",
    "unfilled variables": "{{x}}",
    "percent escapes": "%41",
}


def _over(head: bytes) -> bytes:
    """Return the beginning of a body with a status that says resolved: then all of it is searched for alarms."""
    return head.replace(b'{"', b'{"status":"ok","', 1).replace(b"event=e", b"status=ok&event=e", 1)


def _filled(head: bytes, unit: bytes, tail: bytes) -> bytes:
    head = _over(head)
    return head + unit * ((SIZE - len(head) - len(tail)) // len(unit)) + tail


def _texts() -> Iterator[tuple[str, bytes]]:
    for name, text in TEXTS.items():
        unit = text.encode()
        yield f"{name} as data", _filled(b'{"event":"e","message":"m","data":"', unit, b'"}')
        yield f"{name} as the message", _filled(b'{"event":"e","message":"', unit, b'"}')
        yield f"{name} as the event", _filled(b'{"message":"m","event":"', unit, b'"}')
        yield f"{name} as a key", _filled(b'{"event":"e","message":"m","', unit, b'":1}')
        yield f"{name} without a form", _filled(b"event=e&", unit, b"")


def _listed(item: bytes) -> bytes:
    return _filled(b'{"event":"e","message":"m","data":[' + item, b"," + item, b"]}")


def _nested(opening: bytes, inner: bytes, closing: bytes, levels: int = 190) -> bytes:
    return _over(b'{"event":"e","message":"m","data":') + opening * levels + inner + closing * levels + b"}"


def _keys(place: bytes) -> bytes:
    keys = b",".join(b'"k%d":%d' % (number, number) for number in range(9000))
    return _over(b'{"event":"e","message":"m"') + place % keys + b"}"


def _short_keys(head: bytes, name: bytes) -> bytes:
    """Return a body with as many fields as there is room for, whose names are all different."""
    head, tail = _over(head), b"}}"
    fields = (name % number + b":0" for number in range(SIZE))
    kept, room = [], SIZE - len(head) - len(tail)
    while (room := room - len(field := next(fields)) - 1) > 0:
        kept.append(field)
    return head + b",".join(kept) + tail


def _encoded(media_type: bytes) -> bytes:
    content = base64.b64encode(Random(1).randbytes(97_000))  # noqa: S311  (a test needs the same bytes each time)
    return _over(b'{"event":"e","message":"m","data":"data:') + media_type + b";base64," + content + b'"}'


BODIES = {
    **dict(_texts()),
    "many lists": _listed(b"[]"),
    "many numbers": _listed(b"1"),
    "many numbers of 4,000 digits": _listed(b"9" * 4000),
    "many objects": _listed(b'{"a":1}'),
    "many all-clears": _listed(b'{"status":"closed"}'),
    "many alarms": _listed(b'{"smoke_alarm":false}'),
    "many empty texts": _listed(b'""'),
    "many data URLs": _listed(b'"data:,"'),
    "many buffers": _listed(b'{"_type":"buffer","_data":""}'),
    "many objects without names": _listed(b'{"":0}'),
    "many objects, and infinities": _filled(
        b'{"event":"\\ud800","message":"m","details":[NaN', b',{"a":0}', b'],"data":[NaN]}'
    ),
    "many lists, and infinities": _filled(b'{"event":"\\ud800","message":"m","data":[NaN', b",[]", b"]}"),
    "short keys": _short_keys(b'{"event":"e","message":"m","data":{', b'"%x"'),
    "short keys of several words": _short_keys(b'{"event":"e","message":"m","details":{', b'"aB%x"'),
    "short keys of alarms": _short_keys(b'{"event":"e","message":"m","fields":{', b'"gas%x"'),
    "one key of many words": _filled(b'{"event":"e","message":"m","data":{"', b"1a", b'":1}}'),
    "one field of many alarms": _filled(b'{"event":"e","message":"m","', b"haswaterx ", b'":1}'),
    "an event of many words": _filled(b'{"data":1,"message":"m","event":"', b"1a", b'"}'),
    "many deep lists": _listed(b"[" * 60 + b"]" * 60),
    "many keys in the data": _keys(b',"data":{%b}'),
    "many fields": _keys(b",%b"),
    "one key often": _filled(b'{"event":"e","message":"m"', b',"a":1', b"}"),
    "many spellings": _filled(b'{"event":"e","message":"m","Event":1', b',"E vent__":1', b"}"),
    "deep": _nested(b"[", b"", b"]"),
    "deep objects with long keys": _nested(b'{"' + b"k" * 600 + b'":', b"1", b"}"),
    "deep and wide": _nested(b"[", b",".join([b"[1]"] * 30_000), b"]", 180),
    "too deep": _filled(b'{"event":"e","data":', b"[", b""),
    "a form of empty fields": _filled(b"event=e", b"&a", b""),
    "a form of many fields": b"status=ok&event=e&"
    + b"&".join(b"k%d=%b" % (number, b"v" * 600) for number in range(190)),
    "a number without an end": _filled(b'{"event":"e","message":"m","data":', b"9", b"}"),
    "a picture": _encoded(b"image/png"),
    "base64 of no type": _encoded(b""),
    "broken base64": _filled(b'{"event":"e","message":"m","data":"data:;base64,', b"!", b'"}'),
    "a data URL of percent escapes": _filled(b'{"event":"e","message":"m","data":"data:,', b"%41", b'"}'),
    "a data URL of parameters": _filled(b'{"event":"e","message":"m","data":"data:a/b', b";a=b", b'"}'),
    "escaped JSON": _filled(b'{"event":"e","message":"m","data":"[', b"&quot;a&quot;,", b'1]"}'),
    "bytes that are no text": _filled(b'{"event":"', b"\xff", b'"}'),
}

CONTEXT = IntakeContext("01900000-0000-7000-8000-000000000001", START, SeverityRules((), Severity.WARNING))


def _generic(body: bytes) -> Understood | None:
    try:
        return generic.understand(body, None, CONTEXT)
    except Rejected:
        return None


READERS: dict[str, Callable[[bytes], Understood | None]] = {
    "particle": lambda body: particle.understand(body, "application/json", CONTEXT),
    "a form": lambda body: particle.understand(body, FORM, CONTEXT),
    "generic": _generic,
}


def _message(alert: Alert, channel: ChannelName, alerts: int) -> MessageContext:
    return MessageContext(
        notification=notification(channel=channel),
        incident=incident(event=alert.event, device=alert.device, alert_count=alerts),
        alerts=(alert,) * alerts,
        device_name=None,
        zone=ZoneInfo("UTC"),
        now=START,
        message_domain="example.net",
    )


def _stored(alert: Alert) -> None:
    for value in (alert.data, alert.fields):
        JsonText.to_database(value)
    for text in (alert.event, alert.message or "", alert.incident_key):
        AnyText.to_database(text)


SHOWN: dict[str, Callable[[Alert], Any]] = {
    "weighing it": size_of,
    "storing it": _stored,
    "a mail that shows many": lambda alert: render(_message(alert, ChannelName.EMAIL, SHOWN_ALERTS)),
    "composing that": lambda alert: compose(render(_message(alert, ChannelName.EMAIL, 1)), "gate@example.net"),
    "a text message": lambda alert: render(_message(alert, ChannelName.SMS, 1)),
    "the API": lambda alert: show_trail(Trail(alert, incident(), ()), START),
    "its timeline": lambda alert: tell(Trail(alert, incident(), ()), None, ZoneInfo("UTC"), START),
}


@pytest.fixture(autouse=True, scope="module")
def _frozen() -> Iterator[None]:
    """Let no collection of the test run's own objects fall into a step; the service freezes its own at start, too."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@contextmanager
def _untraced() -> Iterator[None]:
    """Keep what counts the covered lines out of the time: it takes longer than the lines."""
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracer)


def _seconds(step: Callable[[], object]) -> float:
    """Return the processor time of a step, the best of three unless the first one is good."""
    best = float("inf")
    for _ in range(3):
        with _untraced():
            before = time.thread_time()
            step()
            best = min(best, time.thread_time() - before)
        if best < LIMIT:
            break
    return best


@pytest.mark.parametrize("name", BODIES)
def test_no_body_stalls_the_loop(name):
    """Neither while it is checked and read, nor while it is stored, sent or shown."""
    body = BODIES[name][:SIZE]
    took = {"checking its signature": _seconds(lambda: hub_signature([sign(body)], body, [SIGNING]))}
    for webhook, read in READERS.items():
        took[webhook] = _seconds(lambda read=read: read(body))
        if understood := read(body):
            for step, show in SHOWN.items():
                took[f"{webhook}: {step}"] = _seconds(lambda show=show, alert=understood.alert: show(alert))
    assert {step: seconds for step, seconds in took.items() if seconds > LIMIT * FACTOR} == {}


@pytest.mark.parametrize("text", [LIGATURE, "a", "\u0301", " ", "\u202e", "^"])
def test_a_text_message_reads_no_more_than_it_shows(text):
    """A million characters cost what some thousand do, and what isn't shown is seen to be missing."""
    message = gsm7(f"Freezer: {text * 1_000_000}")
    assert septets(message) <= SEGMENT
    assert message.startswith("Freezer:")
    assert message.endswith("...")


@pytest.mark.parametrize("data", [{"a": LIGATURE * 8192}, [LIGATURE] * 8192, LIGATURE * 8192])
def test_the_ligatures_that_stalled_it_are_a_text_message(data: Json):
    """It is one segment and says what happened."""
    alert = replace(READERS["particle"](b'{"event":"e"}').alert, data=data)
    text = render(_message(alert, ChannelName.SMS, 1)).text
    assert septets(text) <= SEGMENT
    assert "e" in text


class Channel:
    """Takes what was rendered."""

    async def send(self, message: Message, deadline: float) -> Sent:  # noqa: ARG002
        self.sent = message
        return Sent("250 OK")


@pytest.mark.parametrize("text", [LIGATURE, "\u202e", "a"])
async def test_a_digest_of_thousands_does_not_stall_the_loop(make_settings, text):
    """It is rendered in a thread, whatever the events are called."""
    snapshots = tuple(
        Snapshot(
            notification(id=f"n{number}", digest_id="d", channel=ChannelName.EMAIL),
            incident(id=f"i{number}", event=f"{number} {text * 120}", device=f"{number} {text * 120}"),
        )
        for number in range(MOST)
    )
    channel, store, metrics = Channel(), Any, Any  # to send needs neither store nor metrics; to record would
    sender = Sender(
        store, make_settings(), FakeClock(), metrics, new_id=new_id, chance=lambda: 0.5, zone=lambda: ZoneInfo("UTC")
    )
    outgoing = Outgoing(snapshots)
    best = float("inf")
    for _ in range(3):
        with _untraced():
            before = time.thread_time()
            attempted = await sender.send(channel, outgoing, asyncio.get_running_loop().time() + 60)
            best = min(best, time.thread_time() - before)
    assert isinstance(attempted.outcome, Sent)
    assert "2,000" in channel.sent.text
    assert best < LIMIT * FACTOR
