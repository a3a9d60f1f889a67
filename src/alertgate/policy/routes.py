"""Which escalation an incident goes to: the first route that matches. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from alertgate.model import Source
from alertgate.own_events import WatchEvent
from alertgate.policy.escalations import AT_ONCE, EVERYONE, OPERATOR
from alertgate.policy.matchers import Matcher, Subject


class RouteReason(StrEnum):
    """Why an incident takes a route."""

    MATCHED = "matched"  # the first route that matches
    NO_ROUTES = "no_routes"  # there are none: everyone is told at once
    UNMATCHED = "unmatched"  # none matches, which a checked policy rules out: everyone is told at once
    OWN_TROUBLE = "own_trouble"  # it is alertgate's own: the operator is told


@dataclass(frozen=True, slots=True)
class Route:
    """Which incidents go to an escalation; with `wait`, only if they aren't over by then."""

    escalation: str
    matcher: Matcher = Matcher()  # noqa: RUF009  (frozen)
    wait: timedelta = AT_ONCE


@dataclass(frozen=True, slots=True)
class Routed:
    """The escalation of an incident, by name, and why; `number` counts the file's routes from 1."""

    escalation: str
    reason: RouteReason
    wait: timedelta = AT_ONCE
    number: int | None = None


def first(routes: Sequence[Route], subject: Subject) -> Routed:
    """Return where an incident goes. That many devices say nothing goes where the silence of one of them would, too."""
    if subject.source is Source.ALERTGATE:
        return Routed(OPERATOR, RouteReason.OWN_TROUBLE)
    for number, route in enumerate(routes, 1):
        if any(route.matcher.matches(each) for each in _as(subject)):
            return Routed(route.escalation, RouteReason.MATCHED, route.wait, number)
    return Routed(EVERYONE, RouteReason.UNMATCHED if routes else RouteReason.NO_ROUTES)


def _as(subject: Subject) -> tuple[Subject, ...]:
    """Return what an incident is matched as: a wide silence also as that of a device."""
    if subject.source is Source.WATCH and subject.event == WatchEvent.NO_WEBHOOKS:
        return subject, replace(subject, event=WatchEvent.SILENT)
    return (subject,)


def sentence(routed: Routed) -> str:
    """Return where an incident goes and why, for its trail."""
    match routed.reason:
        case RouteReason.MATCHED:
            return f"[[routes]] {routed.number} sends it to {routed.escalation}"
        case RouteReason.OWN_TROUBLE:
            return "alertgate's own trouble goes to the operator"
        case RouteReason.NO_ROUTES:
            return "there are no routes: everyone is told"
    return "no route matches: everyone is told"
