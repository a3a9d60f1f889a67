"""Whether and when to notify a contact, and why. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from alertgate.contact_state import ContactState
from alertgate.model import FIRST_NEWS, Hold, Incident, IncidentStatus, Kind, Resolution, Severity

CHANGES_AT_ONCE = 3
"""How many changes of state (opened, resolved, reopened) a contact is told of at once within GROUP_INTERVAL."""
URGENT_WITHIN = timedelta(minutes=1)
"""How long a contact may believe that a critical incident is over, while it changes too often to tell each time."""
LONGEST_WAIT = timedelta(hours=1)
LONGEST_CRITICAL_WAIT = timedelta(minutes=15)
"""How far updates grow apart while nothing changes but the number of alerts."""


class PlanReason(StrEnum):
    """Why a contact is told now, later, or not about this alert."""

    FIRST = "first"  # the contact wasn't told about this incident yet
    FIRST_AFTER_FAILURE = "first_after_failure"  # the same, but a notification failed within the group interval
    UPDATE = "update"  # the contact was last told long enough ago
    UPDATE_LATER = "update_later"  # the contact was told lately: the update waits
    ROSE = "rose"  # the severity rose
    REOPENED = "reopened"  # the incident is open again
    CHANGES_OFTEN = "changes_often"  # the incident changed too often to tell each change at once
    RESOLVED = "resolved"  # the incident is resolved
    RESTS = "rests"  # it is resolved, and who acknowledged it knew that it flaps: told if it isn't reopened
    FIRED_BEFORE_END = "fired_before_end"  # there is news from before the incident's end
    ACKNOWLEDGED = "acknowledged"  # somebody acknowledged the incident
    PENDING_SAYS_IT = "pending_says_it"  # a pending notification will report it
    ALREADY_TOLD = "already_told"  # the contact knows of the incident and of its end
    ENDED_BY_PERSON = "ended_by_person"  # a person ended the incident that this alert is about
    NEVER_TOLD = "never_told"  # the contact was never told about this incident, so not about its end either
    OVER_BEFORE = "over_before"  # it is over before its turn came
    OVER_WHILE_SILENCED = "over_while_silenced"  # it is over, and the contact has no reason to believe that it is open
    NOBODY_ACKNOWLEDGED = "nobody_acknowledged"  # it is the turn of the next step's people
    REMINDER = "reminder"  # nobody has acknowledged yet
    NOBODY_ANSWERED = "nobody_answered"  # nobody has acknowledged, and reminders end
    ACKNOWLEDGEMENT_OVER = "acknowledgement_over"  # it was snoozed, or alerts go on long after the acknowledgement
    HANDED_BACK = "handed_back"  # whoever had it can't after all
    SILENCED = "silenced"  # a silence holds what would be said
    SOMEBODY_HAS_IT = "somebody_has_it"  # somebody else has acknowledged it
    DEVICE_SILENCED = "device_silenced"  # somebody else has silenced its device


@dataclass(frozen=True, slots=True)
class Plan:
    """Plan a new notification."""

    kind: Kind
    due_at: datetime
    reason: PlanReason
    hold: Hold | None = None
    """What it waits for until `due_at`."""


@dataclass(frozen=True, slots=True)
class Expedite:
    """Send the pending notification at `due_at`; None keeps its time, because it waits for a retry or is held."""

    due_at: datetime | None
    kind: Kind
    """The new kind of the pending notification, unless it is the first news of the incident."""
    reason: PlanReason
    hold: Hold | None = None
    """What it waits for until the new time."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel the pending notification."""

    reason: PlanReason


@dataclass(frozen=True, slots=True)
class Skip:
    """Plan nothing new."""

    reason: PlanReason


Choice = Plan | Expedite | Cancel | Skip


def is_due(choice: Choice, now: datetime) -> bool:
    """Return whether a choice makes a notification due now."""
    return isinstance(choice, Plan | Expedite) and choice.due_at is not None and choice.due_at <= now


def on_alert(incident: Incident, state: ContactState, now: datetime, interval: timedelta) -> Choice:
    """Decide whether and when one contact is told about an alert that opened or joined `incident`.

    It takes the place of pending news of what somebody else has done, which may wait for the morning.
    """
    if incident.status is IncidentStatus.ACKNOWLEDGED:
        return Skip(PlanReason.ACKNOWLEDGED)
    if state.pending_id and (state.waits_for_retry or not state.is_about_others):
        return Skip(PlanReason.PENDING_SAYS_IT)
    return _instead(_update(incident, state, now, interval), state)


def _update(incident: Incident, state: ContactState, now: datetime, interval: timedelta) -> Plan:
    if state.told_at is None:
        return _first(state, now, interval)
    due_at = _told_at(state, now) + wait(incident.severity, state.updates, interval)
    if due_at <= now:
        return Plan(Kind.UPDATE, now, PlanReason.UPDATE)
    return Plan(Kind.UPDATE, due_at, PlanReason.UPDATE_LATER)


def unless_said_before(choice: Choice, state: ContactState) -> Choice:
    """Return a choice, but for an update that a silence holds until its contact has heard of the silence.

    That message has what is new, too.
    """
    match choice:
        case Expedite(datetime() as due_at, Kind.UPDATE, hold=Hold.SILENCED) if state.pending_kind is Kind.SILENCE:
            is_said = state.pending_due_at is not None and state.pending_due_at <= due_at
            return Skip(PlanReason.PENDING_SAYS_IT) if is_said else choice
    return choice


def wait(severity: Severity, updates: int, interval: timedelta) -> timedelta:
    """Return the time between two updates: twice as long after each, as only the number of alerts changes."""
    longest = LONGEST_CRITICAL_WAIT if severity is Severity.CRITICAL else LONGEST_WAIT
    doublings = min(updates, 16)  # enough to reach the longest wait from any interval, and too few to overflow
    return max(interval, min(interval * (1 << doublings), longest))


def on_rise(incident: Incident, state: ContactState, now: datetime, interval: timedelta) -> Choice:
    """Decide how one contact is told about a rise in severity: at once, if it wasn't told of as bad a one just now.

    What is held is judged anew in any case: quiet hours and silences may not hold what is as bad as it is now.
    """
    if not _is_worse_than_told(incident, state):
        if is_flapping(state):
            return _often(incident, state, now, interval)
        if not state.is_held:
            return on_alert(incident, state, now, interval)
    if state.pending_id:
        return _expedite(state, Kind.RISE, now, PlanReason.ROSE)
    return Plan(Kind.RISE, now, PlanReason.ROSE)


def on_reopening(incident: Incident, state: ContactState, now: datetime, interval: timedelta, *, worse: bool) -> Choice:
    """Decide how one contact is told that an incident is open again: at once, unless it changes too often.

    `worse`: its severity is higher than before its end, which is told at once as a rise is.
    """
    if incident.status is IncidentStatus.ACKNOWLEDGED:
        return Skip(PlanReason.ACKNOWLEDGED)
    told_now = Plan(Kind.REOPENING, now, PlanReason.REOPENED)
    return _on_change(told_now, incident, state, interval, worse=worse)


def on_end(incident: Incident, state: ContactState, now: datetime, interval: timedelta) -> Choice:
    """Decide how one contact is told about an all-clear: at once, unless the incident changes too often.

    If it was acknowledged by somebody who knew that, it is told only once no alert can reopen it any more.
    """
    if incident.known_to_flap:
        choice = on_resolution(state, now)
        return replace(choice, due_at=now + interval, reason=PlanReason.RESTS) if isinstance(choice, Plan) else choice
    if is_flapping(state):
        return _often(incident, state, now, interval)
    return on_resolution(state, now)


def on_resolution(state: ContactState, now: datetime) -> Choice:
    """Decide whether one contact is told about the end: once, and only if it was or will be told of the beginning."""
    if state.is_needless_once_over:
        return Cancel(PlanReason.OVER_BEFORE)
    if state.pending_id:
        return _expedite(state, Kind.RESOLUTION, now, PlanReason.RESOLVED)
    if state.told_at is None and not state.believes_open:
        return Skip(PlanReason.NEVER_TOLD)
    return Plan(Kind.RESOLUTION, now, PlanReason.RESOLVED)


def on_news_from_before_end(
    incident: Incident, state: ContactState, now: datetime, interval: timedelta, *, worse: bool
) -> Choice:
    """Decide how one contact is told that a resolved incident was more, or worse, than was known."""
    told_now = Plan(Kind.RESOLUTION, now, PlanReason.FIRED_BEFORE_END)
    return _on_change(told_now, incident, state, interval, worse=worse)


def on_late_firing(incident: Incident, state: ContactState, now: datetime, interval: timedelta) -> Choice:
    """Decide whether one contact is told about an alert from the time of a resolved incident: if it knows of none."""
    if incident.resolution is Resolution.PERSON:
        return Skip(PlanReason.ENDED_BY_PERSON)
    if incident.acknowledged_at:
        return Skip(PlanReason.ACKNOWLEDGED)
    if state.pending_id:
        return Skip(PlanReason.PENDING_SAYS_IT)
    return Skip(PlanReason.ALREADY_TOLD) if state.told_at else _first(state, now, interval)


def on_step(kind: Kind, state: ContactState, now: datetime, interval: timedelta) -> Choice:
    """Decide how one contact is told what its incident's escalation does now, after the first notifications.

    An opening is for whoever doesn't know yet. A pending notification says whatever else there is to say: at once, if
    it waits for the time between two updates alone. But nobody is woken for news of what somebody else has done.
    """
    if state.pending_id and not state.is_about_others:
        if state.is_held or not (kind in FIRST_NEWS or state.waits_for_interval):
            return Skip(PlanReason.PENDING_SAYS_IT)
        is_summary = kind is Kind.REMINDER and state.pending_kind is Kind.CHANGES
        return _expedite(state, Kind.CHANGES if is_summary else kind, now, _STEP_REASONS[kind])
    return _instead(_by_step(kind, state, now, interval), state)


def _by_step(kind: Kind, state: ContactState, now: datetime, interval: timedelta) -> Plan | Skip:
    if kind is Kind.OPENING:
        if state.told_at is None:
            return _first(state, now, interval)
        if not state.may_believe_over:
            return Skip(PlanReason.ALREADY_TOLD)
        return Plan(Kind.REOPENING, now, PlanReason.REOPENED)
    return Plan(kind, now, _STEP_REASONS[kind])


def on_acknowledgement_over(incident: Incident, state: ContactState, now: datetime, interval: timedelta) -> Choice:
    """Decide how one contact is told that nobody has it any more: at once, or if it changes too often, soon."""
    reason = PlanReason.HANDED_BACK if incident.handed_back_at else PlanReason.ACKNOWLEDGEMENT_OVER
    due_at = max(now, _urgent_at(state, now, interval)) if is_flapping(state) else now
    if state.pending_id:
        return _expedite(state, Kind.REOPENING, due_at, reason)
    return Plan(Kind.REOPENING, due_at, reason) if state.told_at else _first(state, now, interval)


def on_acknowledgement(state: ContactState, now: datetime) -> Choice:
    """Decide how one contact is told that somebody else has it."""
    if state.pending_id:
        return Skip(PlanReason.PENDING_SAYS_IT)
    return Plan(Kind.ACKNOWLEDGEMENT, now, PlanReason.SOMEBODY_HAS_IT)


def on_silence(now: datetime) -> Choice:
    """Decide how one contact is told that somebody else has silenced the device. What was pending is in it."""
    return Plan(Kind.SILENCE, now, PlanReason.DEVICE_SILENCED)


def on_silence_end(incident: Incident, state: ContactState) -> Choice:
    """Decide what becomes of what a silence held for one contact: it is told, unless it would say what isn't news.

    What is still open is told. Of what is over, only those hear whose last word is that it is open.
    """
    if incident.status is IncidentStatus.RESOLVED and not state.believes_open:
        return Cancel(PlanReason.OVER_WHILE_SILENCED)
    return Skip(PlanReason.PENDING_SAYS_IT)


_STEP_REASONS = {
    Kind.OPENING: PlanReason.FIRST,
    Kind.HANDOFF: PlanReason.NOBODY_ACKNOWLEDGED,
    Kind.REMINDER: PlanReason.REMINDER,
    Kind.UNANSWERED: PlanReason.NOBODY_ANSWERED,
}


def is_flapping(state: ContactState) -> bool:
    """Return whether a contact was told of as many changes within the group interval as are told at once."""
    return state.changes >= CHANGES_AT_ONCE or state.summaries > 0


def _is_worse_than_told(incident: Incident, state: ContactState) -> bool:
    """Return whether an incident is worse than anything that the contact was told about it within the interval.

    What falls and rises again is no news, or each flap of it would be.
    """
    return state.worst is None or incident.severity.rank > state.worst.rank


def _on_change(told_now: Plan, incident: Incident, state: ContactState, interval: timedelta, *, worse: bool) -> Choice:
    """Return `told_now`, unless it changes too often, or the contact is about to be told, or knows nothing of it."""
    now = told_now.due_at
    if is_flapping(state) and not (worse and _is_worse_than_told(incident, state)):
        return _often(incident, state, now, interval)
    if state.pending_id:
        return _expedite(state, told_now.kind, now, told_now.reason)
    return told_now if state.told_at else _first(state, now, interval)


def _often(incident: Incident, state: ContactState, now: datetime, interval: timedelta) -> Choice:
    """Plan one notification after the group interval, which says how an incident stands that changes often.

    Whoever may believe that it is over hears of a critical one within a minute.
    """
    if state.told_at is None and not state.pending_id:
        is_over = incident.status is IncidentStatus.RESOLVED
        return Skip(PlanReason.NEVER_TOLD) if is_over else _first(state, now, interval)
    is_bad = incident.severity is Severity.CRITICAL and incident.status is IncidentStatus.OPEN
    urgent = is_bad and state.may_believe_over
    due_at = max(now, _urgent_at(state, now, interval) if urgent else _told_at(state, now) + interval)
    if state.pending_id:
        return Expedite(None if state.waits_for_retry else due_at, Kind.CHANGES, PlanReason.CHANGES_OFTEN)
    return Plan(Kind.CHANGES, due_at, PlanReason.CHANGES_OFTEN)


def _urgent_at(state: ContactState, now: datetime, interval: timedelta) -> datetime:
    """Return from when a contact may be told once more of what is urgent, though it changes too often."""
    return _told_at(state, now) + min(interval, URGENT_WITHIN)


def _told_at(state: ContactState, now: datetime) -> datetime:
    return min(state.told_at or now, now)  # the clock may have been set back since


def _first(state: ContactState, now: datetime, interval: timedelta) -> Plan:
    """Plan the first notification. After a failure it waits, so that not every alert attempts a failing contact."""
    if state.failed_at and state.failed_at + interval > now:
        return Plan(Kind.OPENING, state.failed_at + interval, PlanReason.FIRST_AFTER_FAILURE)
    return Plan(Kind.OPENING, now, PlanReason.FIRST)


def _instead(choice: Plan | Skip, state: ContactState) -> Choice:
    """Return what becomes of a choice if something is pending that it may take the place of."""
    if isinstance(choice, Plan) and state.pending_id:
        return _expedite(state, choice.kind, choice.due_at, choice.reason)
    return choice


def _expedite(state: ContactState, kind: Kind, now: datetime, reason: PlanReason) -> Expedite:
    # What waits for a retry keeps its time, so that a failing server isn't hammered. A hold is judged anew.
    return Expedite(None if state.waits_for_retry else now, kind, reason)
