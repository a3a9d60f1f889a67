"""Decide which incident an alert belongs to, and how it changes that incident. Pure.

Every rule errs towards telling: a doubtful alert is told, and a doubtful all-clear doesn't end anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from alertgate.clock import AHEAD
from alertgate.dedup import read_dedup_key
from alertgate.group.order import is_before, stamp
from alertgate.model import Alert, Incident, IncidentStatus, Resolution, Signal, Source, worst
from alertgate.rules import GroupingRules
from alertgate.seen import Seen


class GroupReason(StrEnum):
    """What an alert did to the incidents with its key, and why."""

    OPENED = "opened"  # no incident was open
    OPENED_AFTER_SILENCE = "opened_after_silence"  # the open one had no alert for RESOLVE_AFTER, so it is resolved
    OPENED_ALREADY_OVER = "opened_already_over"  # its all-clear is stored already: both are told in one notification
    REOPENED = "reopened"  # the last one was resolved by an alert within GROUP_INTERVAL
    FIRED_BEFORE_END = "fired_before_end"  # the last one is resolved, and this alert is news from before that
    LATE_FIRING = "late_firing"  # it happened while a resolved incident was open: whoever was told knows enough
    JOINED = "joined"  # one is open, and this alert is part of it
    UNACKNOWLEDGED = "unacknowledged"  # one was acknowledged so long ago that nobody has it any more
    ROSE = "rose"  # one is open, and this alert is more severe than all before
    RESOLVED = "resolved"  # this alert resolves the open one
    LATE_ALL_CLEAR = "late_all_clear"  # the last one had ended without an all-clear, and this is it
    STALE_ALL_CLEAR = "stale_all_clear"  # it was published before the newest firing alert, so it ends nothing
    OLD_ALL_CLEAR = "old_all_clear"  # its own time is older than GROUP_INTERVAL, so it may be replayed: it ends nothing
    EARLY_ALL_CLEAR = "early_all_clear"  # its own time is yet to come, so it may be replayed again and again
    UNNAMED_ALL_CLEAR = "unnamed_all_clear"  # it names no device and no dedup_key, so it ends nothing
    SHARED_ALL_CLEAR = "shared_all_clear"  # its part shares an incident, which may be open for another part
    NOTHING_TO_RESOLVE = "nothing_to_resolve"  # it says "resolved", and none is open


@dataclass(frozen=True, slots=True)
class Decision:
    """The incident after an alert, and why; `incident` is None if the alert belongs to none.

    `ended` is the previous incident, if the decision resolved it because it had no alert for RESOLVE_AFTER.
    """

    reason: GroupReason
    incident: Incident | None
    ended: Incident | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about an incident key when an alert comes."""

    last: Incident | None = None
    """Its newest incident, open or not."""
    telling: bool = False
    """Whether somebody is still to be told about `last`, or was told within RESOLVE_AFTER: it doesn't end unsaid."""
    all_clears: Sequence[Seen] = ()
    """Its all-clears of the last GROUP_INTERVAL that belong to no incident."""
    shared: Incident | None = None
    """The newest incident that the many parts of its device and event share."""


def decide(known: Known, alert: Alert, rules: GroupingRules, *, new_id: str) -> Decision:
    """Decide what `alert` does to the incidents with its key. `new_id` is the id of the incident that it may open."""
    last = known.last
    if alert.signal is Signal.RESOLVED:
        return _on_all_clear(known, alert, rules)
    if last is None or last.status is IncidentStatus.RESOLVED:
        return _on_firing_while_over(known, alert, rules, new_id)
    if is_quiet(last, alert.received_at, rules) and not known.telling:
        ended = replace(
            last, status=IncidentStatus.RESOLVED, resolved_at=alert.received_at, resolution=Resolution.SILENCE
        )
        return Decision(GroupReason.OPENED_AFTER_SILENCE, _opened(alert, rules, new_id), ended)
    if alert.severity.rank > last.severity.rank:
        # An acknowledged incident is open again: this is worse than what was acknowledged.
        worse = replace(_fired(last, alert, rules), status=IncidentStatus.OPEN, changed_at=alert.received_at)
        return Decision(GroupReason.ROSE, replace(worse, acknowledged_changes=None))
    return Decision(GroupReason.JOINED, _fired(last, alert, rules))


def is_quiet(incident: Incident, now: datetime, rules: GroupingRules) -> bool:
    """Return whether an unresolved incident has had no alert, and no person's act, for RESOLVE_AFTER.

    alertgate's own troubles never count as quiet: it watches them, and says when they are over.
    """
    if incident.status is IncidentStatus.RESOLVED or incident.is_watched:
        return False
    if incident.status is IncidentStatus.ACKNOWLEDGED and incident.acknowledged_at:
        return (
            now - max(incident.last_alert_at, incident.acknowledged_at) >= rules.resolve_after
            and now - incident.acknowledged_at >= rules.again_after_ack
        )
    return now - incident.last_alert_at >= rules.resolve_after


def _on_all_clear(known: Known, alert: Alert, rules: GroupingRules) -> Decision:
    """An all-clear never opens an incident."""
    last = known.last
    if reason := _distrust(alert, rules):
        return Decision(reason, None)
    if last is None:
        return Decision(_without_open(known), None)
    is_open = last.status is not IncidentStatus.RESOLVED
    ended_at = stamp(alert, rules)
    if ended_at and last.last_firing_at and is_before(ended_at, last.last_firing_at):
        return Decision(GroupReason.STALE_ALL_CLEAR, _counted(last, alert) if is_open else None)
    if not is_open and last.resolution is not Resolution.SILENCE:
        return Decision(_without_open(known), None)
    over = _counted(
        last,
        alert,
        status=IncidentStatus.RESOLVED,
        resolved_at=alert.received_at,
        resolution=Resolution.ALERT,
        resolved_by=alert.id,
        resolved_with=alert.credential,
        ended_at=ended_at,
        changes=last.changes + (1 if is_open else 0),
        changed_at=alert.received_at,
    )
    return Decision(GroupReason.RESOLVED if is_open else GroupReason.LATE_ALL_CLEAR, over)


def _without_open(known: Known) -> GroupReason:
    """Return why an all-clear ends nothing whose key has no open incident."""
    is_shared = known.shared is not None and known.shared.status is not IncidentStatus.RESOLVED
    return GroupReason.SHARED_ALL_CLEAR if is_shared else GroupReason.NOTHING_TO_RESOLVE


def _distrust(alert: Alert, rules: GroupingRules) -> GroupReason | None:
    """Return why an all-clear ends nothing, whatever is open, or None."""
    if _is_nameless(alert):
        return GroupReason.UNNAMED_ALL_CLEAR
    if alert.source is not Source.GENERIC or alert.published_at is None:
        return None
    # A hub signature signs no time, so whoever has seen such a request can send it again.
    if alert.received_at - alert.published_at > rules.interval:
        return GroupReason.OLD_ALL_CLEAR
    return GroupReason.EARLY_ALL_CLEAR if alert.published_at - alert.received_at > AHEAD else None


def _is_nameless(alert: Alert) -> bool:
    """Return whether an alert may be about any device. So may all others with its key."""
    return alert.source is Source.PARTICLE and not alert.device and not read_dedup_key(alert.data, alert.fields)


def _on_firing_while_over(known: Known, alert: Alert, rules: GroupingRules, new_id: str) -> Decision:
    """No incident is open: open one, reopen the last one, or see that this alert is older than its all-clear."""
    last, now, happened = known.last, alert.received_at, stamp(alert, rules)
    if last and happened and _is_covered(last, alert, happened):
        return Decision(GroupReason.LATE_FIRING, _fired(last, alert, rules))
    if last and happened and last.ended_at and is_before(happened, last.ended_at):
        return Decision(GroupReason.FIRED_BEFORE_END, _worse_than_known(last, alert, rules))
    over_by = None
    if happened and not _is_nameless(alert):
        over_by = _last_all_clear_after(happened, known.all_clears, rules)
    reopens = (
        last is not None
        and last.resolution is Resolution.ALERT
        and last.resolved_at is not None
        and now - last.resolved_at <= rules.interval
    )
    if last and reopens:
        if over_by:
            again = replace(_fired(last, alert, rules), changes=last.changes + 2)
            return Decision(GroupReason.FIRED_BEFORE_END, _ended_by(over_by, again, now, rules))
        return Decision(GroupReason.REOPENED, _reopened(last, alert, rules))
    opened = _opened(alert, rules, new_id)
    if over_by:
        opened = replace(opened, status=IncidentStatus.RESOLVED, changes=2)
        return Decision(GroupReason.OPENED_ALREADY_OVER, _ended_by(over_by, opened, now, rules))
    return Decision(GroupReason.OPENED, opened)


def _worse_than_known(last: Incident, alert: Alert, rules: GroupingRules) -> Incident:
    """Return a resolved incident with news from before its end; who acknowledged it knew less."""
    worse = alert.severity.rank > last.severity.rank
    known = None if worse else last.acknowledged_changes
    return replace(_fired(last, alert, rules), changed_at=alert.received_at, acknowledged_changes=known)


def _is_covered(last: Incident, alert: Alert, happened: datetime) -> bool:
    """Return whether a firing alert adds nothing to an incident that an all-clear or a person has ended since."""
    end = last.resolved_at if last.resolution is Resolution.PERSON else last.ended_at
    if end is None or last.began_at is None or alert.severity.rank > last.severity.rank:
        return False
    return is_before(happened, end) and not is_before(happened, last.began_at)


def _last_all_clear_after(happened: datetime, all_clears: Sequence[Seen], rules: GroupingRules) -> Seen | None:
    """Return the all-clear that was published last, if that was after a firing alert."""
    stamped = [(at, each) for each in all_clears if (at := stamp(each, rules))]
    said_at, last = max(stamped, default=(happened, None))
    return last if is_before(happened, said_at) else None


def _ended_by(all_clear: Seen, incident: Incident, now: datetime, rules: GroupingRules) -> Incident:
    return replace(
        incident,
        resolved_at=now,
        resolution=Resolution.ALERT,
        resolved_by=all_clear.id,
        resolved_with=all_clear.credential,
        ended_at=stamp(all_clear, rules),
        changed_at=now,
    )


def _opened(alert: Alert, rules: GroupingRules, new_id: str) -> Incident:
    happened = stamp(alert, rules)
    return Incident(
        id=new_id,
        key=alert.incident_key,
        status=IncidentStatus.OPEN,
        source=alert.source,
        event=alert.event,
        device=alert.device,
        severity=alert.severity,
        opened_at=alert.received_at,
        last_alert_at=alert.received_at,
        alert_count=1,
        began_at=happened or alert.received_at,
        last_firing_at=_fired_at(alert, rules),
        last_alert_id=alert.id,
        changed_at=alert.received_at,
    )


def _reopened(last: Incident, alert: Alert, rules: GroupingRules) -> Incident:
    """Return the incident open again, with this alert's severity; a snooze that lasts ends when it was to end."""
    again = replace(
        _fired(last, alert, rules),
        status=IncidentStatus.OPEN,
        severity=alert.severity,
        changes=last.changes + 1,
        changed_at=alert.received_at,
        resolved_at=None,
        ended_at=None,
        resolution=None,
        resolved_by=None,
        resolved_with=None,
    )
    lasts = last.snoozed_until is None or last.snoozed_until > alert.received_at
    if last.known_to_flap and lasts and alert.severity.rank <= last.severity.rank:
        return replace(again, status=IncidentStatus.ACKNOWLEDGED)
    return replace(
        again,
        acknowledged_at=None,
        acknowledged_by=None,
        acknowledged_with=None,
        acknowledged_changes=None,
        snoozed_until=None,
        handed_back_at=None,
        handed_back_by=None,
        handed_back_with=None,
    )


def _fired(last: Incident, alert: Alert, rules: GroupingRules) -> Incident:
    """Return the incident with one more firing alert."""
    happened = stamp(alert, rules)
    fired_at = happened or alert.received_at
    return _counted(
        last,
        alert,
        severity=worst(last.severity, alert.severity),
        began_at=min(last.began_at or fired_at, fired_at),
        last_firing_at=max(filter(None, (last.last_firing_at, _fired_at(alert, rules))), default=None),
    )


def _fired_at(alert: Alert, rules: GroupingRules) -> datetime | None:
    """Return when a firing alert happened, so that no all-clear from before that ends its incident.

    On the generic webhook that is its receipt if it has no time that can be right: an all-clear from before then may
    be replayed.
    """
    return stamp(alert, rules) or (alert.received_at if alert.source is Source.GENERIC else None)


def _counted(last: Incident, alert: Alert, **also: Any) -> Incident:
    """Return the incident with one more alert, and with what else that changes."""
    return replace(
        last,
        alert_count=last.alert_count + 1,
        last_alert_at=max(last.last_alert_at, alert.received_at),
        last_alert_id=alert.id,
        **also,
    )


def sentence(decision: Decision, rules: GroupingRules) -> str:
    """Return a sentence about a decision, for an alert's trail."""
    incident, ended = decision.incident, decision.ended
    return _SENTENCES[decision.reason].format(
        id=incident.id if incident else "",
        severity=incident.severity if incident else "",
        ended=ended.id if ended else "",
        quiet=f"{rules.resolve_after.total_seconds() / 60:g}",
        interval=f"{rules.interval.total_seconds() / 60:g}",
        ahead=f"{AHEAD.total_seconds() / 60:g}",
    )


_SENTENCES = {
    GroupReason.OPENED: "opened the incident, because none was open for it",
    GroupReason.OPENED_AFTER_SILENCE: "opened a new incident, because {ended} had no alert for {quiet} min",
    GroupReason.OPENED_ALREADY_OVER: "opened an incident that is over already, because its all-clear came first",
    GroupReason.REOPENED: "reopened incident {id}, because it was over for less than {interval} min",
    GroupReason.FIRED_BEFORE_END: "belongs to incident {id}, which is over: it was published before the end",
    GroupReason.LATE_FIRING: "belongs to incident {id}, which is over: it was published while that was open",
    GroupReason.JOINED: "joined incident {id}",
    GroupReason.UNACKNOWLEDGED: "belongs to incident {id}, whose acknowledgement is over: alerts go on",
    GroupReason.ROSE: "joined incident {id} and raised it to {severity}",
    GroupReason.RESOLVED: "resolved incident {id}",
    GroupReason.LATE_ALL_CLEAR: "is the late all-clear of incident {id}, which had ended without one",
    GroupReason.STALE_ALL_CLEAR: "resolves nothing: a firing alert was published after it",
    GroupReason.OLD_ALL_CLEAR: "resolves nothing: its own time is more than {interval} min old",
    GroupReason.EARLY_ALL_CLEAR: "resolves nothing: its own time is more than {ahead} min in the future",
    GroupReason.UNNAMED_ALL_CLEAR: "resolves nothing: it names neither a device nor a dedup_key",
    GroupReason.SHARED_ALL_CLEAR: "resolves nothing: its part shares an incident with others, which may not be over",
    GroupReason.NOTHING_TO_RESOLVE: "says resolved, but no incident is open for it; nobody is told",
}
