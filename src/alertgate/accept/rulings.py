"""Apply the policy's `[[events]]` rules to an alert. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from alertgate.accept.intake import IntakeContext
from alertgate.accept.keys import incident_key
from alertgate.model import Alert, AlertStatus, Json, Signal, Source
from alertgate.policy.events import RuleReason, Ruling, apply_rules, sentence


class Understood(NamedTuple):
    """An alert, and what the first rule that matches it said; None if none does."""

    alert: Alert
    ruling: Ruling | None = None


class Said(NamedTuple):
    """What an alert says of itself, as the expressions of rules see it."""

    source: Source
    event: str
    data: Json
    device: str | None
    message: str | None
    statuses: Iterable[Json]
    severities: Iterable[Json]
    fields: dict[str, Json]


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


def key_parts(ruling: Ruling | None, event: str, part: tuple[str, ...]) -> tuple[str, ...]:
    """Return an event and its part as they stand in the incident key: the rule's, else those of the alert itself."""
    about = ruling.rule.about if ruling else None
    own_part = ("key", *ruling.part) if ruling and ruling.part else part
    return (about or event, *own_part)


def ruled(alert: Alert, ruling: Ruling | None) -> Understood:
    """Return an alert as its rule has it. If its rule failed to say whether it is over, it isn't."""
    if ruling is None:
        return Understood(alert)
    said = sentence(ruling)
    if ruling.reason is RuleReason.IGNORED:
        # A key and an identity of its own: it is no repeat, no all-clear and no sign of life of anything.
        key = incident_key("ignored", alert.id)
        return Understood(
            replace(
                alert,
                status=AlertStatus.IGNORED,
                incident_key=key,
                repeat_key=None,
                id_kind=None,
                content=None,
                reason=said,
            ),
            ruling,
        )
    own_words = Signal.FIRING if ruling.failed("resolved") else alert.signal
    reasons = [said, alert.reason if ruling.signal is None else None]
    decided = replace(
        alert,
        signal=ruling.signal or own_words,
        severity=ruling.severity or alert.severity,
        reason="; ".join(filter(None, reasons)) or None,
    )
    return Understood(decided, ruling)
