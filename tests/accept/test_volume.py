"""How much a webhook may store: what is too much is shortened, and refused only beyond what a disk can take."""

import json
import random

import pytest

from alertgate.accept.generic import understand as understand_generic
from alertgate.accept.intake import IntakeContext
from alertgate.accept.particle import FORM
from alertgate.accept.particle import understand as understand_particle
from alertgate.accept.volume import CONTENT, KEPT, Shortening, Volume, bytes_of, shorten, size_of
from alertgate.errors import TooMuchStored
from alertgate.model import Alert, Severity, Source
from alertgate.rules import SeverityRules
from tests.fakes import START, FakeClock

CONTEXT = IntakeContext("id-1", START, SeverityRules((), Severity.WARNING))
LARGE = 131_000


def _particle(body: bytes, form: str | None = None, query: bytes = b"") -> Alert:
    return understand_particle(body, form, CONTEXT, query).alert


def _generic(**fields: object) -> Alert:
    body = json.dumps({"event": "leak", "message": "Water", **fields}).encode()
    return understand_generic(body, None, CONTEXT).alert


MANY = {f"field {number}": "x" * 100 for number in range(1200)}
BODIES = {
    "unreadable": _particle(b"x" * LARGE),
    "unreadable, not UTF-8": _particle(b"\xff" * LARGE),
    "unreadable query": _particle(b"{", query=b"event=a&more=" + b"x" * LARGE),
    "text": _particle(json.dumps({"event": "leak", "data": "x" * LARGE}).encode()),
    "wide text": _particle(json.dumps({"event": "leak", "data": "\U0001f525" * (LARGE // 4)}).encode()),
    "lone surrogates": _particle(f"event=a&data={'%ff' * (LARGE // 3)}".encode(), FORM),
    "an object": _particle(json.dumps({"event": "leak", "data": MANY}).encode()),
    "a list": _particle(json.dumps({"event": "leak", "data": [1.5] * (LARGE // 4)}).encode()),
    "other fields": _particle(json.dumps({"event": "leak", **MANY}).encode()),
    "many small fields": _particle(
        json.dumps({"event": "leak", **{f"{number:x}": number for number in range(9000)}}).encode()
    ),
    "one other field": _particle(json.dumps({"event": "leak", "more": "x" * LARGE}).encode()),
    "the name of a field": _particle(json.dumps({"event": "leak", "x" * LARGE: 1}).encode()),
    "message": _generic(message="x" * LARGE),
    "details": _generic(details=MANY),
    "event": _generic(event="x" * LARGE),
}


def _volume(*, low: bool = False, **limits: int) -> tuple[Volume, FakeClock]:
    clock = FakeClock()
    return Volume(clock, lambda: low, **limits), clock


@pytest.mark.parametrize("alert", BODIES.values(), ids=BODIES)
def test_whatever_is_large_is_shortened_to_little(alert):
    """Wherever it stands; what identifies the alert stays, and its trail says why."""
    assert size_of(alert) > 100_000
    short = shorten(alert, Shortening.BUDGET)
    kept = [short.message, short.data, short.fields, (short.raw or b"").decode("latin-1")]
    assert all(len(str(part).encode()) <= 2 * KEPT for part in kept)
    assert size_of(short) < 10 * KEPT, "in the form that escapes most, too"
    assert short.reason
    assert "only the beginning was stored" in short.reason
    for name in ("id", "event", "severity", "signal", "incident_key", "repeat_key", "content", "errors"):
        assert getattr(short, name) == getattr(alert, name)


def test_what_is_small_stays_beside_what_is_large():
    """The beginning of texts, and the fields that fit."""
    short = shorten(
        _particle(json.dumps({"event": "leak", "data": "Cellar " * 1000, "big": "x" * LARGE, "room": "5"}).encode()),
        Shortening.DISK,
    )
    assert isinstance(short.data, str)
    assert short.data.startswith("Cellar Cellar")
    assert short.data.endswith("…")
    assert short.fields == {"room": "5"}
    small = _generic(details={"cm": 3})
    assert (shorten(small, Shortening.DISK).data, shorten(small, Shortening.DISK).message) == ({"cm": 3}, "Water")


def test_an_hours_large_content_is_kept_and_then_as_much_each_hour():
    """Small alerts are never shortened, nor do they count; the other webhook has a budget of its own."""
    volume, clock = _volume()
    large, small = BODIES["unreadable"], _particle(b'{"event": "door", "data": "open"}')
    whole = CONTENT // (size_of(large) - KEPT)
    assert [volume.fit(large).why for _ in range(whole + 2)] == [None] * whole + [Shortening.BUDGET] * 2
    assert volume.fit(small)[:3] == (small, None, 0)
    assert volume.fit(BODIES["details"]).why is None, "the generic webhook"
    clock.move(minutes=30)
    assert [volume.fit(large).why for _ in range(whole)].count(None) == pytest.approx(whole / 2, abs=1)


def test_on_a_disk_that_is_almost_full_only_the_beginning_is_kept():
    """Of the first one already; what is small isn't touched."""
    volume, _ = _volume(low=True)
    assert volume.fit(BODIES["unreadable"]).why is Shortening.DISK
    assert volume.fit(small := _particle(b'{"event": "door"}'))[:2] == (small, None)


def test_beyond_what_a_webhook_may_store_it_is_refused_until_there_is_room():
    """The refusal says when: then one passes again."""
    small = _particle(b'{"event": "door"}')
    volume, clock = _volume(stored=10 * bytes_of(small) - 1)
    for _ in range(9):
        volume.fit(small)
    with pytest.raises(TooMuchStored, match="try again in") as refused:
        volume.fit(small)
    clock.move(seconds=refused.value.retry_after - 1)
    with pytest.raises(TooMuchStored, match="try again in 1 s"):
        volume.fit(small)
    clock.move(seconds=1)
    assert volume.fit(small).alert.source is Source.PARTICLE


def test_what_is_stored_beside_an_alert_counts():
    """Its incident and its notifications, which are known only once it is stored."""
    small = _particle(b'{"event": "door"}')
    volume, _ = _volume(stored=10 * bytes_of(small))
    volume.fit(small)
    volume.count(small.source, 9 * bytes_of(small))
    with pytest.raises(TooMuchStored):
        volume.fit(small)


def test_names_count_wherever_they_are_stored():
    """In rows and indexes, and in the form in which the store can hold them."""
    named = _particle(json.dumps({"event": "e" * 256, "coreid": "d" * 128}).encode())
    wide = _particle(json.dumps({"event": "\u4e00" * 256, "coreid": "\u4e00" * 128}).encode())
    escaped = _particle(json.dumps({"event": "\0" * 256, "coreid": "\0" * 128}).encode())
    plain = bytes_of(_particle(b'{"event": "e", "coreid": "d"}'))
    assert plain + 3000 < bytes_of(named) < bytes_of(wide) < bytes_of(escaped)


@pytest.mark.parametrize("seconds", [0, 60, 7200])
def test_what_was_not_stored_after_all_is_not_counted(seconds):
    """However often one large alert is sent again, and whenever the store says so: all else is kept whole."""
    volume, clock = _volume(stored=3 * LARGE)
    large = BODIES["unreadable"]
    for _ in range(300):
        fitted = volume.fit(large)
        assert fitted.why is None
        clock.move(seconds=seconds)
        volume.give_back(fitted)
    assert [volume.fit(large).why for _ in range(2)] == [None, None]


def test_a_refused_alert_uses_up_nothing():
    """Nothing of the budget for large content either."""
    volume, _ = _volume(content=2 * LARGE, stored=LARGE // 2)
    for _ in range(10):
        with pytest.raises(TooMuchStored):
            volume.fit(BODIES["unreadable"])
    assert volume.fit(_particle(b"x" * (LARGE // 3))).why is None


@pytest.mark.parametrize("content", [2**16, 2**20])
def test_no_order_of_sizes_stores_more_than_two_hours_worth_in_an_hour(content):
    """Whatever a sender tries, within any hour: an hour's at once, and an hour's while it passes."""
    volume, clock = _volume(content=content)
    chance = random.Random(content)  # noqa: S311  (it only makes sizes)
    alerts = [_particle(b"x" * chance.choice([100, KEPT, KEPT + 1, 10_000, LARGE])) for _ in range(200)]
    beyond = 0
    for alert in alerts * 3:
        beyond += max(0, size_of(volume.fit(alert).alert) - size_of(shorten(alert, Shortening.BUDGET)))
        clock.move(seconds=6)
    assert beyond <= 2 * content
