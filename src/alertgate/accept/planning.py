"""Who is told what an alert did: its incident is routed, and each contact's notification is planned."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from alertgate.contact_state import ContactState
from alertgate.group.decide import Decision, GroupReason
from alertgate.model import Incident, IncidentStatus
from alertgate.notify import plan
from alertgate.notify.batch import NotificationBatch
from alertgate.notify.escalate import StepReason
from alertgate.notify.escalator import About, Chosen, Escalator
from alertgate.notify.plan import Choice
from alertgate.notify.runs import Runs, run_of
from alertgate.notify.turn import Announcement, Turn
from alertgate.policy.routes import RouteReason, sentence
from alertgate.policy.silences import in_words

FIRES_AGAIN = frozenset({GroupReason.OPENED, GroupReason.OPENED_ALREADY_OVER, GroupReason.REOPENED})
"""What is pending about an earlier incident with the same key is older than these."""
OPENS = frozenset({GroupReason.OPENED, GroupReason.OPENED_AFTER_SILENCE, GroupReason.REOPENED})
FIRES_ON = frozenset({GroupReason.JOINED, GroupReason.REOPENED})
"""While it is acknowledged, each of these may find that the acknowledgement was forgotten."""
ENDS = frozenset({GroupReason.RESOLVED, GroupReason.LATE_ALL_CLEAR})


class AlertPlanner:
    """Plans the notifications about alerts; `interval` is GROUP_INTERVAL."""

    def __init__(self, escalator: Escalator, interval: timedelta) -> None:
        self._escalator = escalator
        self._interval = interval

    def judged(self, runs: Runs, decision: Decision, before: Incident | None, now: datetime) -> Decision:
        """Return a decision with what the escalation makes of it.

        An acknowledgement that is forgotten while alerts go on is over, and a short all-clear is none for the steps.
        """
        incident = decision.incident
        if incident is None or before is None:
            return decision
        if decision.reason in FIRES_ON and incident.status is IncidentStatus.ACKNOWLEDGED:
            run = runs.get(incident.id)
            taken = self._escalator.go_on(incident, run_of(run), now) if run else self._escalator.forgets(incident, now)
            if taken.anew is None:
                return decision
            opened = replace(incident, status=IncidentStatus.OPEN, acknowledged_changes=None)
            return replace(decision, reason=GroupReason.UNACKNOWLEDGED, incident=opened)
        if decision.reason in OPENS and incident.status is IncidentStatus.OPEN and before.id != incident.id:
            counts_on = self._escalator.counts_on(runs, before, now)
            since = before.first_firing_at or before.opened_at
            return replace(decision, incident=replace(incident, first_firing_at=since)) if counts_on else decision
        if decision.reason is GroupReason.REOPENED and not self._escalator.counts_on(runs, before, now):
            return replace(decision, incident=replace(incident, first_firing_at=now))
        return decision

    def plan(
        self, batch: NotificationBatch, runs: Runs, decision: Decision, before: Incident | None, now: datetime
    ) -> list[Chosen]:
        """Decide what each contact is sent, and add it; return each choice with its reason as a sentence."""
        incident = decision.incident
        if incident is None or decision.reason is GroupReason.STALE_ALL_CLEAR:
            return []
        if before and decision.reason in FIRES_AGAIN:
            batch.supersede_others(incident, now)
        if incident.status is IncidentStatus.ACKNOWLEDGED and decision.reason is GroupReason.REOPENED:
            batch.cancel(incident, f"acknowledged by {incident.acknowledged_by}", now)
        worse = before is not None and incident.severity.rank > before.severity.rank
        announcements, taken = self._announcements(runs, decision, before, now, worse=worse)
        recipients = self._escalator.recipients(batch, incident, announcements, now)
        if not recipients and _is_unheard(runs, decision):
            announcements, taken = self._begin(runs, incident, now)
            recipients = self._escalator.recipients(batch, incident, announcements, now)

        def chosen(state: ContactState) -> Choice:
            return choose(decision.reason, incident, state, now, self._interval, worse=worse)

        about = About(incident, self._escalator.escalation_of(incident, runs))
        planned = self._escalator.plan(batch, about, recipients, chosen, now)
        return [*planned, *_routing(taken, now, self._escalator.policy.readers_zone), *self._silence(incident, now)]

    def _silence(self, incident: Incident, now: datetime) -> list[Chosen]:
        """Return what silence holds all that would be said, for its alert's trail."""
        judged = self._escalator.silenced(incident, now)
        if judged.silence is None or judged.until is None:
            return []
        said = in_words(judged.silence, judged.until, now, self._escalator.policy.readers_zone)
        return [(plan.Skip(plan.PlanReason.SILENCED), f"{said}: what is to be said of it is held until then")]

    def _announcements(
        self, runs: Runs, decision: Decision, before: Incident | None, now: datetime, *, worse: bool
    ) -> tuple[tuple[Announcement, ...], Turn | None]:
        """Return whom the escalation tells, beside those who know already; and its turn, if it begins."""
        incident, reason = decision.incident, decision.reason
        if incident is None:
            return (), None
        run = runs.get(incident.id)
        if reason in ENDS:
            runs.end(incident.id, StepReason.RESOLVED)
        if reason in OPENS and incident.status is IncidentStatus.OPEN:
            if before and self._escalator.goes_on(runs, before, incident, now):
                return self._escalator.resume(runs, before, incident, now), None
            return self._begin(runs, incident, now)
        if reason is GroupReason.REOPENED:
            self._escalator.pause(runs, incident, now)
        if reason in {GroupReason.ROSE, GroupReason.UNACKNOWLEDGED}:
            return self._begin(runs, incident, now)
        if reason is GroupReason.OPENED_ALREADY_OVER or (reason is GroupReason.FIRED_BEFORE_END and worse):
            taken = self._escalator.start(incident, now)
            return taken.announcements, taken
        return (self._escalator.told_so_far(incident, None, now) if run is None else ()), None

    def _begin(self, runs: Runs, incident: Incident, now: datetime) -> tuple[tuple[Announcement, ...], Turn]:
        taken = self._escalator.start(incident, now)
        self._escalator.keep(runs, incident, taken, now)
        return taken.announcements, taken


def _is_unheard(runs: Runs, decision: Decision) -> bool:
    """Return whether an alert goes on that nobody hears, though nobody has its incident and nothing holds it."""
    incident = decision.incident
    if incident is None or incident.status is not IncidentStatus.OPEN:
        return False
    return decision.reason is GroupReason.JOINED and not runs.is_running(incident.id)


def _routing(taken: Turn | None, now: datetime, zone: ZoneInfo) -> list[Chosen]:
    """Return where an incident goes, for its alert's trail; nothing where everybody is told."""
    if taken is None or taken.routed is None or taken.routed.reason is not RouteReason.MATCHED:
        return []
    said = sentence(taken.routed)
    if taken.last.reason in _WAITS and not taken.announcements:
        until = (
            f" until {taken.next_at.astimezone(zone):%Y-%m-%d %H:%M:%S}"
            if taken.next_at and taken.next_at > now
            else ""
        )
        said = f"{said}, which waits{until}: {_WAITS[taken.last.reason]}"
    return [(plan.Skip(plan.PlanReason.FIRST), said)]


_WAITS = {
    StepReason.WAITING: "told only if it isn't over by then",
    StepReason.OUTSIDE_HOURS: "its hours haven't begun",
    StepReason.SILENCED: "it is silenced",
    StepReason.NOBODY_ON_CALL: "nobody is on call",
}


def choose(  # noqa: PLR0911  (one for each reason)
    reason: GroupReason,
    incident: Incident,
    state: ContactState,
    now: datetime,
    interval: timedelta,
    *,
    worse: bool,
) -> Choice:
    """Decide what one contact is told about what an alert did; `worse`: it raised its incident's severity."""
    match reason:
        case GroupReason.ROSE:
            return plan.on_rise(incident, state, now, interval)
        case GroupReason.UNACKNOWLEDGED:
            return plan.on_acknowledgement_over(incident, state, now, interval)
        case GroupReason.REOPENED:
            return plan.on_reopening(incident, state, now, interval, worse=worse)
        case GroupReason.RESOLVED | GroupReason.LATE_ALL_CLEAR:
            return plan.on_end(incident, state, now, interval)
        case GroupReason.FIRED_BEFORE_END:
            return plan.on_news_from_before_end(incident, state, now, interval, worse=worse)
        case GroupReason.LATE_FIRING:
            return plan.on_late_firing(incident, state, now, interval)
    return plan.on_alert(incident, state, now, interval)
