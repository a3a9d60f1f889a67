"""Why a contact is told now, later or not, as a sentence for the trail. Pure."""

from datetime import datetime
from zoneinfo import ZoneInfo

from alertgate.contact_state import ContactState
from alertgate.local_time import clock_time
from alertgate.model import Incident
from alertgate.notify.plan import Choice, Expedite, Plan, PlanReason

PENDING_SAYS_IT = "; the pending notification will say it"


def sentence(choice: Choice, incident: Incident, state: ContactState, zone: ZoneInfo) -> str:
    """Return a choice as a sentence for the trail, with times in a zone."""

    def clock(at: datetime | None) -> str:
        return clock_time(at.astimezone(zone), "%H:%M:%S") if at else "an unknown time"

    match choice:
        case Plan(reason=PlanReason.FIRST_AFTER_FAILURE) | Expedite(reason=PlanReason.FIRST_AFTER_FAILURE):
            return f"due at {clock(choice.due_at)}, because a notification failed at {clock(state.failed_at)}"
        case Plan(reason=PlanReason.UPDATE_LATER) | Expedite(reason=PlanReason.UPDATE_LATER):
            return f"update due at {clock(choice.due_at)}, because told at {clock(state.told_at)}"
        case Plan(reason=PlanReason.UPDATE) | Expedite(reason=PlanReason.UPDATE):
            return f"last told at {clock(state.told_at)}, long enough ago"
        case Plan(reason=PlanReason.CHANGES_OFTEN):
            return f"changed {incident.changes} times; how it stands is due at {clock(choice.due_at)}"
        case Expedite(reason=PlanReason.RESOLVED):
            return f"resolved{PENDING_SAYS_IT}"
    return _SENTENCES[choice.reason].format(incident=incident)


_SENTENCES = {
    PlanReason.ROSE: "severity rose to {incident.severity}",
    PlanReason.REOPENED: "open again",
    PlanReason.CHANGES_OFTEN: "changed {incident.changes} times" + PENDING_SAYS_IT,
    PlanReason.ACKNOWLEDGED: "acknowledged by {incident.acknowledged_by}",
    PlanReason.FIRST: "nothing was said about this incident yet",
    PlanReason.PENDING_SAYS_IT: "the pending notification will say it",
    PlanReason.RESOLVED: "resolved",
    PlanReason.RESTS: "resolved; told if it stays so, because {incident.acknowledged_by} knew that it flaps",
    PlanReason.FIRED_BEFORE_END: "there is news from before its end",
    PlanReason.ALREADY_TOLD: "told about the incident and its end already",
    PlanReason.ENDED_BY_PERSON: "{incident.resolved_by} ended the incident",
    PlanReason.NEVER_TOLD: "never told about this incident",
    PlanReason.OVER_BEFORE: "over before its turn came",
    PlanReason.OVER_WHILE_SILENCED: "over before the silence ended, and nobody there believes that it is open",
    PlanReason.NOBODY_ACKNOWLEDGED: "nobody has acknowledged it",
    PlanReason.REMINDER: "still not acknowledged",
    PlanReason.NOBODY_ANSWERED: "nobody has answered; there are no more reminders",
    PlanReason.ACKNOWLEDGEMENT_OVER: "the acknowledgement by {incident.acknowledged_by} is over",
    PlanReason.HANDED_BACK: "handed back by {incident.handed_back_by}",
    PlanReason.SOMEBODY_HAS_IT: "acknowledged by {incident.acknowledged_by}",
    PlanReason.DEVICE_SILENCED: "its device was silenced",
}
