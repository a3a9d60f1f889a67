"""Both readers, fed with what nobody thought of: Particle's always gives an alert, the other an alert or a refusal."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from alertgate.accept import generic, particle
from alertgate.accept.intake import IntakeContext
from alertgate.accept.particle import FORM
from alertgate.accept.record import Recorder
from alertgate.accept.repeats import SenderId
from alertgate.accept.rulings import Understood
from alertgate.errors import Rejected
from alertgate.id_kind import IdKind
from alertgate.ids import Ids
from alertgate.model import AlertStatus, ChannelName, Severity
from alertgate.notify.directory import Directory
from alertgate.policy.events import EventRule
from alertgate.rules import GroupingRules, SeverityRules
from alertgate.settings_load import load
from alertgate.store import alerts
from alertgate.store.engine import Store
from tests.builders import examples, for_any
from tests.conftest import BEARER, PARTICLE, Running, copy_template, sign
from tests.fakes import START

DEFECT = "reading it failed"
DIGITS = "9" * 4301
"""One more than Python turns into a number."""
PIECES = [
    *("event", "data", "coreid", "published_at", "event_id", "message", "severity", "status", "details", "timestamp"),
    *("dedup_key", "door", "smoke", "alarm_count", "resolved", "true", "null", "NaN", "{{{PARTICLE_EVENT_VALUE}}}"),
    *("&#", "&#x", f"&#{DIGITS}", f"&#{DIGITS};", f"&#x{DIGITS};", "&#0;", "&#xD800;", "&amp;", "&quot;", "&notin"),
    *("{", "}", "[", "]", '"', "'", ":", ",", "\\", "\\u", "\\ud800", "\\u0000", "\n", "\x00", "\x1a", "\x1a0000"),
    *("=", "&", ";", "%", "%u", "%ff", "%00", "%ED%A0%80", "+", "data:,", "data:;base64,", "data:application/json,{"),
    *(DIGITS, f"-{DIGITS}", f"1e{DIGITS}", "1e400", "-0.0", "1" * 20, "²", "١", "½", "೬", "Infinity", "1e-400"),
    *(
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "2026-02-30",
        "25:61",
        "1e308",
        "-1",
        "253370764799999",
    ),
    *("\ufeff", "\u202e", "\ufdfd", "\U0010ffff", "ß", "İ", "ﬃ", "\ud800", "[" * 250, '{"a":' * 250, "3f" * 12, "(?"),
]
"""What has broken parsers: of JSON, HTML, forms, numbers, times, and of letters that change their length."""

text: SearchStrategy[str] = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=6).map("".join)
numbers = st.integers() | st.floats() | st.integers(4290, 4302).map(lambda digits: _Number("9" * digits))
values = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=8,
)
names = st.sampled_from([piece for piece in PIECES if piece.replace("_", "").isalpha()]) | text
objects = st.dictionaries(names, values, max_size=6) | st.fixed_dictionaries(
    {"event": text, "message": text, "data": values}, optional={"details": values, "timestamp": values}
)


class _Number(str):
    """A number that Python can't write."""

    __slots__ = ()


def _json(value: object) -> str:
    """Return JSON with numbers of any length."""
    match value:
        case _Number():
            return value
        case dict():
            return f"{{{','.join(f'{json.dumps(name)}:{_json(item)}' for name, item in value.items())}}}"
        case list():
            return f"[{','.join(map(_json, value))}]"
    return json.dumps(value)


def _form(value: dict[str, object]) -> str:
    return urlencode(
        {name: item if isinstance(item, str) else _json(item) for name, item in value.items()}, errors="replace"
    )


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _cut(body: bytes, ends: tuple[int, int]) -> bytes:
    return body[: len(body) - ends[0] % 7] if ends[1] else body


whole = objects.map(_json) | objects.map(_form) | values.map(_json) | text
bodies = st.builds(_cut, whole.map(_bytes), st.tuples(st.integers(0, 6), st.integers(0, 1))) | st.binary(max_size=64)
kinds = st.sampled_from([None, "application/json", FORM, "text/plain", "\xff"])
queries = st.just(b"") | objects.map(_form).map(_bytes) | st.binary(max_size=32)

RULES = (
    EventRule.model_validate(
        {"event": "*", "key": "data.door", "resolved": "data.status", "severity": "data.severity"}
    ),
)


def _context() -> IntakeContext:
    return IntakeContext("alert-1", START, SeverityRules((), Severity.WARNING), "request-1", rules=RULES)


def _read_generic(body: bytes, sender_id: SenderId | None = None) -> Understood | None:
    try:
        return generic.understand(body, sender_id, _context())
    except Rejected as refused:
        if any(DEFECT in each.message for each in refused.errors):
            raise
        return None


@settings(for_any, max_examples=examples(200))
@given(bodies, kinds, queries)
def test_every_particle_body_is_an_alert(body, kind, query):
    """Readable or quarantined with reasons and its raw bytes; none of the reasons is a defect of the reader."""
    alert = particle.understand(body, kind, _context(), query).alert
    assert alert.status in {AlertStatus.ACCEPTED, AlertStatus.QUARANTINED, AlertStatus.IGNORED}
    if alert.status is AlertStatus.QUARANTINED:
        assert alert.errors
        assert alert.raw == (body or query)
        assert not any(DEFECT in error for error in alert.errors)


@settings(for_any, max_examples=examples(200))
@given(bodies, st.none() | st.builds(SenderId, st.sampled_from(IdKind), text))
def test_every_generic_body_is_an_alert_or_refused(body, sender_id):
    """With a stated reason, never an exception of another kind."""
    _read_generic(body, sender_id)


new_id = Ids(None)
"""One for all examples: hypothesis makes randomness the same in each."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store for all examples."""
    configured = load(None, particle_webhook_secret=PARTICLE, data_dir=tmp_path_factory.mktemp("readers"))
    copy_template(configured)
    store = Store(configured)
    store.open(exclusive=True)
    yield store
    store.close()


@settings(for_any, max_examples=examples(60))
@given(bodies, kinds, queries)
def test_whatever_was_read_is_stored(filled, body, kind, query):
    """By both readers: no database refuses what a reader lets through, and it can be read again."""
    read = [particle.understand(body, kind, _context(), query), _read_generic(body)]
    for understood in filter(None, read):
        _record(filled, understood)


def _record(store: Store, understood: Understood) -> None:
    rules = GroupingRules(timedelta(minutes=5), timedelta(minutes=30))
    recorder = Recorder(rules, Directory.of([(ChannelName.EMAIL, "me@example.com")]), new_id)
    fresh = understood._replace(alert=replace(understood.alert, id=new_id(START)))
    recorded = asyncio.run(store.write_batch(recorder.record, fresh))
    assert store.read_now(lambda connection: alerts.get(connection, recorded.alert_id)) is not None


class _Broken(tuple):
    """Rules that fail as no rule should."""

    __slots__ = ()

    def __iter__(self):
        raise KeyError("a defect")


def test_a_defect_of_the_reader_costs_particle_nothing():
    """Whatever exception it is, the body is kept and told; the other reader refuses with a reason."""
    context = replace(_context(), rules=_Broken([1]))
    body = b'{"event":"leak","message":"m","coreid":"%s"}' % (b"3f" * 12)
    alert = particle.understand(body, "application/json", context).alert
    assert (alert.status, alert.event, alert.device, alert.raw) == (AlertStatus.QUARANTINED, "leak", "3f" * 12, body)
    assert alert.errors == ("reading it failed: KeyError",)
    with pytest.raises(Rejected, match="a defect in it; nothing was stored"):
        generic.understand(body, None, context)


@pytest.mark.parametrize("escape", [f"&#{DIGITS}", f"&#{DIGITS};", f"&#x{'F' * 4301};", "&#" * 8_000])
async def test_an_escape_that_python_cannot_convert_loses_no_alert(service: Running, escape):
    """In the data of both webhooks, in a form, and in an unreadable body: never a 500."""
    fields = {"event": "a", "message": "m", "data": escape, "details": escape}
    readable, form = json.dumps(fields).encode(), urlencode(fields).encode()
    for body, kind in ((readable, "application/json"), (form, FORM), (readable[:-1], "application/json")):
        headers = {**BEARER, "Content-Type": kind}
        answer = await service.client.post("/webhook/particle", content=body, headers=headers)
        assert answer.status_code == 202, (kind, answer.text)
    signed = {"X-Hub-Signature-256": sign(readable)}
    assert (await service.client.post("/webhook/generic", content=readable, headers=signed)).status_code == 202
