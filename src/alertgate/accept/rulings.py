"""Apply the policy's `[[events]]` rules to an alert. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from alertgate.accept.device_signs import Sign
from alertgate.accept.intake import IntakeContext
from alertgate.accept.keys import EventKey, event_key, incident_key
from alertgate.accept.vitals import SENTENCES, decide_vitals
from alertgate.model import ASIDE, Alert, AlertStatus, Json, Severity, Signal, Source
from alertgate.policy.events import RuleReason, Ruling, apply_rules, sentence
from alertgate.words import DOUBTFUL_WORDS, read_word


class Said(NamedTuple):
    """What an alert says of itself, as the expressions of rules see it."""

    source: Source
    event: str
    data: Json
    device: str | None
    message: str | None
    statuses: Sequence[Json]
    severities: Sequence[Json]
    fields: dict[str, Json]


class Understood(NamedTuple):
    """An alert, and how it was understood."""

    alert: Alert
    ruling: Ruling | None = None
    """What the first rule that matches it said; None if none does."""
    said: Said | None = None
    """What it says of itself; None for one that can't be read or is ignored, and for alertgate's own."""
    whole: str | None = None
    """The incident key of its device and event as a whole, if its own key names a part."""
    sign: Sign | None = None
    """What it says of its device; None if it has none."""

    @property
    def is_aside(self) -> bool:
        """Whether it was never meant for an incident."""
        return self.alert.status in ASIDE

    @property
    def doubtful_word(self) -> str | None:
        """The word that alone makes it an all-clear, if it could as well be the state that is an alarm."""
        if self.said is None or self.alert.signal is not Signal.RESOLVED or (self.ruling and self.ruling.signal):
            return None
        words = [word for status in self.said.statuses if (word := read_word(status))]
        return next(iter(words), None) if DOUBTFUL_WORDS.issuperset(words) else None


def find_ruling(said: Said, context: IntakeContext) -> Ruling | None:
    """Return what the rules say about an alert."""
    if not context.rules:
        return None
    event = {
        **{name: getattr(said, name) for name in ("source", "event", "data", "device", "message", "fields")},
        "status": next(iter(said.statuses), None),
        "severity": next(iter(said.severities), None),
    }
    return apply_rules(context.rules, event, said.source)


def ruled_key(kind: str, device: str, event: str, part: tuple[str, ...], ruling: Ruling | None) -> EventKey:
    """Return an incident key with the event and the part that the rule names, else with those of the alert itself."""
    about = ruling.rule.about if ruling else None
    return event_key(kind, device, about or event, ("key", *ruling.part) if ruling and ruling.part else part)


def is_unclear(signal: Signal, ruling: Ruling) -> bool:
    """Return whether it is an all-clear of which nobody knows what is over, because the rule's `key` failed."""
    return signal is Signal.RESOLVED and ruling.failed("key")


def ruled(alert: Alert, said: Said, ruling: Ruling | None, whole: str | None, *, named: bool = False) -> Understood:
    """Return an alert as its rule has it; `named`: [devices] has its device's id.

    If the rule failed to say whether it is over, it isn't. If it failed to say which part it is about, an all-clear
    ends nothing.
    """
    what = sentence(ruling) if ruling else ""
    if ruling and ruling.reason is RuleReason.IGNORED:
        return Understood(_aside(alert, AlertStatus.IGNORED, what), ruling)
    device = alert.device if alert.source is Source.PARTICLE else None
    if why := SENTENCES.get(decide_vitals(alert.event, device, ruling, named=named)):
        return Understood(_aside(alert, AlertStatus.VITALS, "; ".join(filter(None, (what, why)))), ruling)
    if ruling is None:
        return Understood(alert, None, said, whole)
    own_words = Signal.FIRING if ruling.failed("resolved") else alert.signal
    reasons = [what, alert.reason if ruling.signal is None else None]
    signal = ruling.signal or own_words
    unclear = is_unclear(signal, ruling)
    decided = replace(
        alert,
        signal=signal,
        # A key of its own: it ends no incident, now or when a firing alert comes that was published before it.
        incident_key=incident_key("unclear", alert.id) if unclear else alert.incident_key,
        severity=ruling.severity or alert.severity,
        reason="; ".join(filter(None, reasons)) or None,
    )
    return Understood(decided, ruling, said, None if unclear else whole)


def _aside(alert: Alert, status: AlertStatus, reason: str) -> Alert:
    """Return an alert that is kept without an incident.

    Its key and identity are its own: in no incident it is a repeat, an all-clear or a sign of life of anything. It is
    `info`, as nobody is told of it: a fleet that reports its batteries isn't a day full of warnings.
    """
    key = incident_key(status.value, alert.id)
    kept = replace(alert, status=status, severity=Severity.INFO, reason=reason)
    return replace(kept, incident_key=key, repeat_key=None, id_kind=None, content=None)
