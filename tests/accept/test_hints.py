"""What alertgate says of itself because of an alert, and the rule that it proposes."""

import json
from typing import Any

import pytest

from alertgate.accept import generic, particle
from alertgate.accept.hints import Occasion, doubtful_all_clear, shared_part
from alertgate.accept.intake import IntakeContext
from alertgate.accept.parts import PartReason
from alertgate.accept.rulings import Understood
from alertgate.group.decide import Known
from alertgate.model import Alert, Severity, Signal, Source
from alertgate.own_events import Hint
from alertgate.policy.load import parse
from alertgate.prove.hint_words import PASTE
from alertgate.rules import SeverityRules
from alertgate.words import DOUBTFUL_WORDS, RESOLVED_WORDS
from tests import builders
from tests.fakes import START


def understood(body: dict[str, Any], rules: str = "") -> Understood:
    """Return a body of the generic webhook if it has a message, else of Particle's, under the rules of a file."""
    context = IntakeContext("alert-1", START, SeverityRules((), Severity.WARNING), rules=parse(rules).events)
    content = json.dumps(body).encode()
    if "message" in body:
        return generic.understand(content, None, context)
    return particle.understand(content, "application/json", context)


VALVE = {"event": "valve", "coreid": "d1", "data": {"status": "closed"}}
BACKUP = {"event": "valve", "source": "nas", "message": "m", "status": "Closed"}


@pytest.mark.parametrize(
    ("body", "rules", "word"),
    [
        (VALVE, "", "closed"),
        (BACKUP, "", "closed"),
        ({**VALVE, "data": {"status": " CLOSED\n"}}, "", "closed"),
        ({**VALVE, "data": {"status": "ok"}}, "", None),
        ({**VALVE, "data": {"status": "closed"}, "status": "resolved"}, "", None),
        ({**VALVE, "data": {"status": "open"}}, "", None),
        ({**VALVE, "data": "closed"}, "", None),
        ({**VALVE, "data": {"status": "ok", "smoke": True}}, "", None),
        (VALVE, '[[events]]\nevent = "valve"\nseverity = "critical"', "closed"),
        (VALVE, '[[events]]\nevent = "valve"\nresolved = true', None),
        (VALVE, '[[events]]\nevent = "valve"\nresolved = "data.gone"', None),
        (VALVE, '[[events]]\nevent = "valve"\nignore = true', None),
    ],
)
def test_a_word_is_doubtful_if_it_alone_makes_an_all_clear(body, rules, word):
    """Neither where a rule decided, nor where another word says the verdict."""
    assert understood(body, rules).doubtful_word == word


@pytest.mark.parametrize("word", sorted(RESOLVED_WORDS))
def test_words_that_say_that_all_is_well_are_not_doubtful(word):
    """`ok` of a valve can't be an alarm; `closed` can."""
    assert understood({**VALVE, "data": {"status": word}}).doubtful_word == (word if word in DOUBTFUL_WORDS else None)


@pytest.mark.parametrize(
    "known",
    [Known(builders.incident()), Known(shared=builders.incident())],
    ids=["own", "shared"],
)
def test_what_was_ever_open_is_understood(known):
    """The word has ended something, or could have: nobody is asked."""
    assert doubtful_all_clear(understood(VALVE), Known()) is not None
    assert doubtful_all_clear(understood(VALVE), known) is None


def hinted(body: dict[str, Any], rules: str = "") -> Alert:
    """Return the hint about an all-clear, or about a part, if it fires."""
    each = understood(body, rules)
    occasion = doubtful_all_clear(each, Known()) or shared_part(each, PartReason.SHARED)
    assert occasion
    return occasion.alert("hint-1", START, None)


OTHERS = '[[events]]\nevent = "v*"\nkey = "source"\nseverity = "critical"\n'


@pytest.mark.parametrize("rules", ["", OTHERS], ids=["no rule", "a rule that says nothing of its end"])
@pytest.mark.parametrize(
    "body",
    [
        VALVE,
        BACKUP,
        {**VALVE, "event": '[v*] "1" \\ ?'},
        {**VALVE, "event": "v\x01\u2028\x7f\u200b"},
        {**BACKUP, "event": "v" * 400},
        {"event": "valve", "data": {"status": "closed"}},
    ],
    ids=["particle", "generic", "odd characters", "invisible characters", "long", "no device"],
)
def test_the_proposed_rule_makes_the_same_body_an_alarm(body, rules):
    """Pasted before all other rules; what these say otherwise stays."""
    message = hinted(body, rules).message or ""
    proposed = message[message.index("[[events]]\nevent") :]
    before, after = understood(body, rules).alert, understood(body, f"{proposed}\n{rules}").alert
    assert (before.signal, after.signal) == (Signal.RESOLVED, Signal.FIRING)
    assert (after.severity, after.incident_key) == (before.severity, before.incident_key)


def test_the_hint_says_what_happened_and_what_to_do():
    """The first line fits into a text message; the rule comes last."""
    hint = hinted(VALVE)
    assert (hint.source, hint.event, hint.severity, hint.device) == (
        Source.ALERTGATE,
        "alertgate/all-clear",
        Severity.INFO,
        "valve from d1",
    )
    assert (hint.message or "").splitlines() == [
        '"closed" was taken for an all-clear, so nobody was told.',
        "Nothing was ever open that it could end: it may be an alarm. This is said once for this event and device.",
        f"What to do: nothing, if it is an all-clear. If it is an alarm, {PASTE}:",
        "",
        "[[events]]",
        'event = "valve"',
        'source = "particle"',
        "resolved = false  # or what says that it is over, as in \"status == 'open'\"",
    ]


PROBE = {"event": "temp", "coreid": "d1", "data": {"probe": "North", "zone": "Hall"}}


def test_a_hint_about_parts_proposes_to_make_them_one():
    """The rule gives all of them the same key."""
    hint = hinted(PROBE)
    message = hint.message or ""
    assert message.startswith(
        "More than 32 parts within a day: new ones share one incident. The latest is zone hall probe north.\n"
    )
    proposed = message[message.index("[[events]]\nevent") :]
    keys = {understood({**PROBE, "data": {"probe": name}}, proposed).alert.incident_key for name in ("North", "South")}
    assert (hint.severity, keys) == (Severity.WARNING, {'particle:["d1","temp","key","all"]'})


def test_a_rule_that_tells_parts_apart_is_named():
    """A second rule would only hide it."""
    message = hinted(PROBE, '[[events]]\nevent = "temp"\nkey = "data.probe"').message or ""
    assert message.endswith("What to do: let the `key` of [[events]] 1 (temp) name a part, not a reading.")


def test_a_hint_is_one_for_each_event_device_and_kind():
    """Whichever part it is about."""

    def key(hint: Hint, **changes: Any) -> str:
        each = understood({**VALVE, **changes})
        assert each.said
        return Occasion(hint, each, each.said).key

    closed = {"status": "closed"}
    same = {key(Hint.ALL_CLEAR), key(Hint.ALL_CLEAR, data={**closed, "zone": "a"})}
    parts = {key(Hint.PARTS, data={"zone": zone}) for zone in "ab"}
    others = {key(Hint.ALL_CLEAR, event="v"), key(Hint.ALL_CLEAR, coreid="d2"), key(Hint.PARTS, coreid="d2")}
    assert (len(same), len(parts), len(same | parts | others)) == (1, 1, 5)


def test_what_nobody_has_read_gives_no_hint():
    """Quarantined alerts, and alertgate's own."""
    for each in (particle.understand(b"{", None, IntakeContext("a", START, SeverityRules((), Severity.INFO))),):
        assert (each.doubtful_word, doubtful_all_clear(each, Known())) == (None, None)
    own = Understood(builders.alert(source=Source.ALERTGATE, signal=Signal.RESOLVED))
    assert doubtful_all_clear(own, Known()) is None
