"""A forecast in words, for `alertgate who` and the API. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from alertgate.local_time import zone_name
from alertgate.notify.escalate import StepReason
from alertgate.notify.forecast import Forecast, Foreseen
from alertgate.notify.tellings import TellReason
from alertgate.policy.policy import Policy
from alertgate.policy.routes import sentence
from alertgate.policy.written import show_duration

_WHAT: Mapping[StepReason, str] = {
    StepReason.FIRST_STEP: "step 1",
    StepReason.NEXT_STEP: "step {number}",
    StepReason.ALL_QUIET: "step {number} at once, because everybody of the step before has quiet hours",
    StepReason.NOBODY_ON_CALL: "step {number} at once, because nobody is on call for the step before",
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
    wait = f" after a wait of {show_duration(found.routed.wait)}" if found.routed.wait else ""
    yield f"{sentence(found.routed)}{wait}"
    if not found.told:
        yield NOBODY
        return
    yield "Until somebody acknowledges it, or it is over:"
    for each in found.told:
        yield f"{_moment(each.at, found.opens_at, zone)}  {line(each)}"
    escalation = policy.escalation(found.routed.escalation)
    if escalation and escalation.repeat_every:
        every, stop = show_duration(escalation.repeat_every), show_duration(escalation.stop_after)
        paused = _PAUSED if _ends(found) - found.told[0].at > escalation.stop_after else ""
        yield f"Reminders come every {every}, until {stop} after the first message{paused}."


_PAUSED = ", not counting hours in which nobody who was told may be reminded"


def _ends(found: Forecast) -> datetime:
    """Return when reminders end; of a forecast in which they don't, when the first message is sent."""
    ends = (each.at for each in found.told if each.reason is StepReason.NOBODY_ANSWERED)
    return next(ends, found.told[0].at)


def _moment(at: datetime, opens_at: datetime, zone: ZoneInfo) -> str:
    """Return a time of day, with the day where it is another one, and seconds where they count."""
    local = at.astimezone(zone)
    clock = f"{local:%H:%M:%S}".removesuffix(":00")
    return clock if local.date() == opens_at.astimezone(zone).date() else f"{local:%a} {clock}"
