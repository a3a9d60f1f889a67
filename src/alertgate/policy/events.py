"""What events mean, by the policy's `[[events]]` rules. Pure.

The first rule that matches an event decides alone. A rule whose expression fails leaves that decision to the alert's
own words and fields. But if `resolved` failed it fires, and if `key` failed it ends no incident: an all-clear is none
if nobody knows whether something is over, or what.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, StrictBool

from alertgate.characters import JOINERS
from alertgate.model import Json, Severity, Signal, Source
from alertgate.policy.bounds import EVENT_FIELDS, LARGEST_EVENT, did_you_mean, size
from alertgate.policy.devices import OF_THE_CLOUD
from alertgate.policy.expressions import Expression, Failure, Value, compile_expression, evaluate, type_name
from alertgate.setting_types import invisible
from alertgate.words import SEVERITY_WORDS, folded, read_severity

WEBHOOKS = (Source.PARTICLE, Source.GENERIC)
LONGEST_GLOB = 256
LONGEST_PART = 128
"""Characters of one part of a key."""
LARGEST_NUMBER = 2**53
"""Larger numbers aren't exact in every JSON parser, and Python may refuse to write them."""
MOST_PARTS = 8
"""Elements of a key that is a list."""


class RuleReason(StrEnum):
    """What a rule did to an alert."""

    IGNORED = "ignored"
    DECIDED = "decided"  # every expression of it gave a value
    FAILED = "failed"  # one of its expressions failed


def _text(value: Any) -> Any:
    if isinstance(value, str) and (name := invisible(value, harmless=JOINERS)):
        raise ValueError(f"holds an invisible character ({name}): type the value by hand")
    return value


def _expression(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError('must be an expression in quotes, as in "data.zone"')  # noqa: TRY004  (pydantic wants it)
    return compile_expression(value)


def _condition(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise ValueError("must be true, false, or an expression in quotes, as in \"data.state == 'closed'\"")  # noqa: TRY004
    return compile_expression(value)


def _severity(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError('must be a severity such as "critical", or an expression in quotes')  # noqa: TRY004
    if severity := read_severity(value):
        return severity
    if value.isidentifier() and value not in EVENT_FIELDS:
        similar = did_you_mean(value.lower(), SEVERITY_WORDS)
        raise ValueError(f"is {value}, which is no severity{similar or ': write info, warning or critical'}")
    return compile_expression(value)


def _webhook(value: Any) -> Any:
    if value not in WEBHOOKS:  # alertgate's own alerts are what they say: no rule decides about them
        raise ValueError(f"must be {' or '.join(WEBHOOKS)}, the webhook that the rule is for")
    return value


EventName = Annotated[str, Field(min_length=1, max_length=LONGEST_GLOB), AfterValidator(_text)]
Compiled = Annotated[InstanceOf[Expression], BeforeValidator(_expression)]
Condition = Annotated[bool | InstanceOf[Expression], BeforeValidator(_condition)]
SeverityOrExpression = Annotated[Severity | InstanceOf[Expression], BeforeValidator(_severity)]


class EventRule(BaseModel):
    """One `[[events]]` table."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    event: EventName
    """A glob over the event's name, in which case matters, as in SEVERITY_RULES."""
    source: Annotated[Source, BeforeValidator(_webhook)] | None = None
    """The webhook; None for both."""
    about: EventName | None = None
    """Stands for the event in the incident key."""
    key: Compiled | None = None
    """What tells the parts of one device and event apart."""
    resolved: Condition | None = None
    """Whether the event is the end of its incident; None leaves that to the alert's own words."""
    severity: SeverityOrExpression | None = None
    ignore: Condition = False
    vitals: StrictBool = False
    """Whether the event is what a device says of itself: it goes to the device, and to no incident."""
    alarm: Condition | None = None
    """Which vitals are an alert too; None for none."""

    def matches(self, event: str, source: Source) -> bool:
        """Return whether the rule decides about an event."""
        return self.source in (None, source) and fnmatchcase(event, self.event)

    @property
    def expressions(self) -> Iterator[tuple[str, Expression]]:
        """The expressions, by their keys."""
        for name in ("ignore", "alarm", "key", "resolved", "severity"):
            if isinstance(value := getattr(self, name), Expression):
                yield name, value


class Outcome(NamedTuple):
    """What one key of a rule gave; `name` is `ignore`, `alarm`, `key`, `resolved` or `severity`."""

    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a rule says about an event; None where it says nothing, or where its expression failed."""

    number: int
    """The rule's place in the file, from 1."""
    rule: EventRule
    reason: RuleReason
    signal: Signal | None = None
    severity: Severity | None = None
    part: tuple[str, ...] | None = None
    alarm: bool | None = None
    outcomes: tuple[Outcome, ...] = ()

    @property
    def name(self) -> str:
        """The rule, as messages name it."""
        return f"[[events]] {self.number} ({self.rule.event})"

    def failed(self, name: str) -> bool:
        """Return whether this key's expression failed."""
        return any(outcome.name == name and outcome.value.failure for outcome in self.outcomes)


def apply_rules(rules: Sequence[EventRule], event: Mapping[str, Json], source: Source) -> Ruling | None:
    """Return what the first rule that matches says about an event, or None if none does.

    `event` has the fields of `bounds.EVENT_FIELDS`. Never raises.
    """
    found = next(((n, rule) for n, rule in enumerate(rules, 1) if rule.matches(event["event"], source)), None)
    if found is None:
        return None
    number, rule = found
    too_large = any(rule.expressions) and size(event) > LARGEST_EVENT
    ignore = _outcome("ignore", rule.ignore, event, too_large=too_large)
    if ignore.value == Value(value=True):
        return Ruling(number, rule, RuleReason.IGNORED, outcomes=(ignore,))
    alarm, key, resolved, severity = (
        _outcome(name, getattr(rule, name), event, too_large=too_large)
        for name in ("alarm", "key", "resolved", "severity")
    )
    outcomes = tuple(one for one in (ignore, alarm, key, resolved, severity) if one.value != _UNSAID)
    return Ruling(
        number,
        rule,
        RuleReason.FAILED if any(one.value.failure for one in outcomes) else RuleReason.DECIDED,
        signal=_signal(resolved.value.value, alarm.value.value),
        severity=severity.value.value,
        part=key.value.value,
        alarm=alarm.value.value,
        outcomes=outcomes,
    )


def _signal(resolved: Json, alarm: Json) -> Signal | None:
    """Return what a rule says: `resolved` first, and what is an alarm fires."""
    if resolved is None:
        return Signal.FIRING if alarm else None
    return Signal.RESOLVED if resolved else Signal.FIRING


def sentence(ruling: Ruling) -> str:
    """Return what a rule did, for an alert's trail."""
    if ruling.reason is RuleReason.IGNORED:
        return f"ignored by {ruling.name}"
    decided = [said for outcome in ruling.outcomes if (said := _said(outcome))]
    failed = [failure_sentence(outcome) for outcome in ruling.outcomes if outcome.value.failure]
    if ruling.rule.about:
        decided.append(f"about {ruling.rule.about}")
    return "; ".join(
        [f"{ruling.name} says: {', '.join(decided)}"] * bool(decided)
        + [f"{ruling.name}: {problem}" for problem in failed]
    )


def failure_sentence(outcome: Outcome) -> str:
    """Return why a key of a rule counts for nothing, and what that means."""
    return f"`{outcome.name}` failed, because {_cause(outcome.value)}; {_WITHOUT[outcome.name]}"


_WITHOUT: Mapping[str, str] = {
    "ignore": "so it isn't ignored",
    "alarm": "so it counts as an alarm",
    "key": "so its own fields say which part is firing, and it can't end an incident",
    "resolved": "so it fires, whatever its own words say",
    "severity": "so its own words decide how severe it is",
}
"""What happens if the expression of a key fails."""


def _cause(value: Value) -> str:
    match value.failure:
        case Failure.MISSING:
            return f"{value.detail or 'a value that it needs'} is missing or blank"
        case Failure.TOO_LARGE:
            return f"the event has more than {LARGEST_EVENT} values"
        case Failure.UNEXPECTED:
            return f"it gave {value.detail}"
    return f"of an error: {value.detail}"


def doubts(rules: Sequence[EventRule]) -> Iterator[tuple[str, str]]:
    """Yield what probably isn't meant as it is written, each with its key."""
    for number, rule in enumerate(rules, 1):
        for name, expression in rule.expressions:
            yield from ((f"events[{number}].{name}", doubt) for doubt in expression.doubts)
        yield from ((f"events[{number}].{key}", doubt) for key, doubt in _of_vitals(rule))
        if hiding := next((n for n, other in enumerate(rules[: number - 1], 1) if _hides(other, rule)), None):
            yield f"events[{number}].event", f"is never reached: rule {hiding} matches the same events, and comes first"


def _of_vitals(rule: EventRule) -> Iterator[tuple[str, str]]:
    """Yield what of a rule's vitals is for no event, each with its key."""
    if rule.vitals and rule.source is Source.GENERIC:
        yield "vitals", "counts for nothing: only Particle's events are about a device"
    if rule.alarm is not None and not rule.vitals and not any(rule.matches(e, Source.PARTICLE) for e in OF_THE_CLOUD):
        yield "alarm", "has no use without `vitals = true`: what isn't vitals is an alert anyway"


def _hides(earlier: EventRule, later: EventRule) -> bool:
    if earlier.source not in (None, later.source) or set("?[") & set(earlier.event):
        return False
    return fnmatchcase(later.event, earlier.event)


_UNSAID = Value(None)


def _outcome(name: str, said: Any, event: Mapping[str, Json], *, too_large: bool) -> Outcome:
    """Return what one key of a rule gives, as the type that its use needs."""
    if not isinstance(said, Expression):
        return Outcome(name, _UNSAID if said is None or (name == "ignore" and said is False) else Value(said))
    if too_large:
        return Outcome(name, Value(None, Failure.TOO_LARGE))
    value = evaluate(said, event)
    if value.failure:
        return Outcome(name, value)
    reader, wanted = _READERS[name]
    read = reader(value.value)
    if read is None:
        return Outcome(name, Value(None, Failure.UNEXPECTED, f"{type_name(value.value)}, and must give {wanted}"))
    return Outcome(name, Value(read))


def _read_boolean(value: Json) -> bool | None:
    return value if isinstance(value, bool) else None


def _read_key(value: Json) -> tuple[str, ...] | None:
    """Return the parts of a key, or None if one of them isn't a text or a number."""
    items = value if isinstance(value, list) else [value]
    parts = [_read_part(item) for item in items]
    if not 0 < len(parts) <= MOST_PARTS or not all(parts):
        return None
    return tuple(filter(None, parts))


def _read_part(value: Json) -> str | None:
    """Return a part of a key as text, in which case and white space don't matter and `3.0` is `3`."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if not isinstance(value, str):
        if not abs(value) <= LARGEST_NUMBER:  # also not a number at all
            return None
        value = int(value) if value == int(value) else value
    text = folded(str(value))
    return text if 0 < len(text) <= LONGEST_PART else None


_READERS: Mapping[str, Any] = {
    "ignore": (_read_boolean, "true or false"),
    "alarm": (_read_boolean, "true or false"),
    "resolved": (_read_boolean, "true or false"),
    "severity": (read_severity, "a word for a severity"),
    "key": (
        _read_key,
        f"a number, a text of up to {LONGEST_PART} characters, or a list of up to {MOST_PARTS} of them",
    ),
}


def _said(outcome: Outcome) -> str:
    if outcome.value.failure:
        return ""
    match outcome.name, outcome.value.value:
        case "alarm", value:
            return "an alarm" if value else "no alarm"
        case "resolved", value:
            return "resolved" if value else "firing"
        case "severity", value:
            return str(value)
        case "key", parts:
            return f"key {', '.join(parts)}"
    return ""
