"""`alertgate explain --try`: what a body would mean, rule by rule. Pure."""

from collections.abc import Iterator, Sequence

from alertgate.accept import generic, particle
from alertgate.accept.intake import IntakeContext
from alertgate.accept.rulings import Understood, is_unclear
from alertgate.characters import escaped
from alertgate.model import ASIDE, Alert, AlertStatus
from alertgate.policy.events import EventRule, Outcome, Ruling, failure_sentence
from alertgate.policy.expressions import Expression, shown

KEYS = ("ignore", "vitals", "alarm", "about", "key", "resolved", "severity")
"""A rule's keys, in the order in which they count."""


def understand(body: bytes, context: IntakeContext, *, is_generic: bool) -> Understood:
    """Return what a body means. Particle's may be JSON or a form. Raises Malformed, Invalid for generic ones."""
    if is_generic:
        return generic.understand(body, None, context)
    body = body.rstrip(b"\r\n")  # a file ends with a line break, which a form would take as part of its last field
    is_json = body.lstrip().startswith((b"{", b"["))
    return particle.understand(body, None if is_json else particle.FORM, context)


def tell(understood: Understood, rules: Sequence[EventRule]) -> str:
    """Return the explanation."""
    alert, ruling = understood.alert, understood.ruling
    lines = [*_heading(alert), "", *_rules(alert, ruling, rules), *_meaning(alert, ruling)]
    return "\n".join(escaped(line) for line in lines)


def _heading(alert: Alert) -> Iterator[str]:
    yield f"{alert.event} from {alert.device or 'an unnamed device'}, by the {alert.source} webhook"
    if alert.status is AlertStatus.QUARANTINED:
        yield from (f"can't be read: {error}" for error in alert.errors)


def _rules(alert: Alert, ruling: Ruling | None, rules: Sequence[EventRule]) -> Iterator[str]:
    """Yield a line for each rule, and those of the rule that decides in full."""
    if alert.status is AlertStatus.QUARANTINED:
        return
    for number, rule in enumerate(rules, 1):
        name = f"[[events]] {number} ({rule.event})"
        if ruling and number == ruling.number:
            yield f"{name} decides:"
            yield from _keys(ruling)
        else:
            yield f"{name} " + ("isn't reached" if ruling and number > ruling.number else "doesn't match")
    if not rules:
        yield "There are no [[events]] rules."
    yield ""


def _keys(ruling: Ruling) -> Iterator[str]:
    outcomes = {outcome.name: outcome for outcome in ruling.outcomes}
    for key in KEYS:
        written = getattr(ruling.rule, key)
        if isinstance(written, Expression):
            result = _result(outcomes[key]) if key in outcomes else "isn't evaluated"
            yield f"  {key:8}  {written.text}  ->  {result}"
        elif written not in (None, False) or key in ruling.rule.model_fields_set:
            yield f"  {key:8}  {shown(written)}"


def _result(outcome: Outcome) -> str:
    if outcome.value.failure:
        return failure_sentence(outcome)
    value = outcome.value.value
    return shown(list(value) if isinstance(value, tuple) else value)


def _meaning(alert: Alert, ruling: Ruling | None) -> Iterator[str]:
    """Yield what the alert would be."""
    own = "its own words"
    by = f"[[events]] {ruling.number}" if ruling else own
    yield f"status    {alert.status}"
    if alert.status in ASIDE:
        yield f"reason    {alert.reason}; it is stored, and nobody is told"
        return
    if ruling and ruling.failed("resolved"):
        yield f"signal    {alert.signal} (because `resolved` failed)"
    else:
        yield f"signal    {alert.signal} (by {by if ruling and ruling.signal else own})"
    default = f"{own}, SEVERITY_RULES or DEFAULT_SEVERITY"
    yield f"severity  {alert.severity} (by {by if ruling and ruling.severity else default})"
    if ruling and is_unclear(alert.signal, ruling):
        yield "incident  none, because `key` failed: an all-clear ends nothing if nobody knows what is over"
    else:
        yield f"incident  {alert.incident_key}"
    if alert.reason:
        yield f"reason    {alert.reason}"
