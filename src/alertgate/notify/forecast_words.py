"""A forecast in words, for `alertgate who` and the API. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from alertgate.local_time import zone_name
from alertgate.notify.escalate import StepReason
from alertgate.notify.forecast import MOST_REMINDERS, Forecast, Foreseen
from alertgate.notify.tellings import TellReason
from alertgate.policy.policy import Policy
from alertgate.policy.routes import sentence
from alertgate.policy.written import show_duration

_WHAT: Mapping[StepReason, str] = {
    StepReason.FIRST_STEP: "step 1",
    StepReason.NEXT_STEP: "step {number}",
    StepReason.ALL_QUIET: "step {number} at once, because everybody of the step before has quiet hours",
    StepReason.NOBODY_ON_CALL: "step {number} at once, because nobody is on call for the step before",
    StepReason.STAND_IN: "instead of the steps, because nobody is on call for them",
    StepReason.REMINDER: "reminder {number}",
    StepReason.NOBODY_ANSWERED: "nobody has answered, so reminders end",
}
_WHEN: Mapping[TellReason, str] = {
    TellReason.DELAYED: " (this contact comes later)",
    TellReason.QUIET_HOURS: " (held until then by quiet hours)",
    TellReason.OUTSIDE_HOURS: " (held until then by the escalation's hours)",
}
NOBODY = "Nobody is told."
NO_PEOPLE = "Nobody is told: there are no recipients in the settings, and no people in alertgate.toml."


def line(foreseen: Foreseen) -> str:
    """Return who is told, how and why."""
    on_call = "" if foreseen.via == foreseen.person else f" (on call, {foreseen.via})"
    said = _WHAT.get(foreseen.reason, foreseen.reason).format(number=foreseen.number)
    return f"{foreseen.person}{on_call}, by {foreseen.contact}: {said}{_WHEN.get(foreseen.hold, '')}"


def lines(found: Forecast, policy: Policy) -> Iterator[str]:
    """Yield a forecast as a person reads it, in the policy's zone."""
    subject, zone = found.subject, policy.zone
    device = subject.device_name or subject.device
    origin = f" from {device}" if device else ""
    opens_at = found.opens_at.astimezone(zone)
    yield f"{subject.event}{origin}, {subject.severity}, on {opens_at:%a %d %b %Y %H:%M} {zone_name(opens_at)}"
    if not policy.people:
        yield NO_PEOPLE
        return
    yield where(found)
    if not found.told:
        yield NOBODY
        return
    yield "Until somebody acknowledges it, or it is over:"
    for each in found.told:
        yield f"{_moment(each.at, found.opens_at, zone)}  {line(each)}"
    if said := reminders(found, policy):
        yield said


def where(found: Forecast) -> str:
    """Return where the incident goes, why, and after what wait."""
    wait = f" after a wait of {show_duration(found.routed.wait)}" if found.routed.wait else ""
    return f"{sentence(found.routed)}{wait}"


def reminders(found: Forecast, policy: Policy) -> str:
    """Return how the reminders that aren't listed go on; empty if there are none."""
    escalation = policy.escalation(found.routed.escalation)
    if not found.told or escalation is None or escalation.repeat_every is None:
        return ""
    return _reminders(found, escalation.repeat_every, escalation.stop_after)


def _reminders(found: Forecast, repeat_every: timedelta, stop_after: timedelta) -> str:
    """Return how the reminders that aren't listed go on, and why they may end later than their time says."""
    first = min(each.at for each in found.told)
    ends = [each.at for each in found.told if each.reason is StepReason.NOBODY_ANSWERED]
    stood_still = bool(ends) and min(ends) - first > stop_after
    but = "; hours in which all are quiet, or the escalation is closed, don't count" if stood_still else ""
    every, stop = show_duration(repeat_every), f"{show_duration(stop_after)} after the first message{but}"
    if found.reminders is not None and found.reminders <= MOST_REMINDERS:
        return f"No {'other ' if found.reminders else ''}reminder comes: they end {stop}."
    more = f" ({found.reminders - MOST_REMINDERS} more)" if found.reminders else ""
    return f"Reminders come every {every}{more}, until {stop}."


def _moment(at: datetime, opens_at: datetime, zone: ZoneInfo) -> str:
    """Return a time of day, with the day where it is another one, and seconds where they count."""
    local = at.astimezone(zone)
    clock = f"{local:%H:%M:%S}".removesuffix(":00")
    return clock if local.date() == opens_at.astimezone(zone).date() else f"{local:%a} {clock}"
