"""The clock was set back: what escalations wait for counts from now, instead of standing still for as long.

Times that lie in the future are no proof, because a step that quiet hours hold counts from their end. But nothing is
planned, told or acknowledged in the future: an escalation is looked at whose incident has such a time.
"""

from dataclasses import replace
from datetime import datetime

from alertgate.model import Incident
from alertgate.store import Connection, escalations, incidents
from alertgate.store.escalations import StoredRun
from alertgate.store.leases import CLOCK_SKEW


def count_from_now(connection: Connection, now: datetime) -> int:
    """Have escalations that wait for a time of the clock before it was set back go on; return how many."""
    found = {run.incident_id: run for run in escalations.from_future(connection, now, now + CLOCK_SKEW)}
    about = incidents.by_id(connection, found)
    runs = [(run, run_from_now(run, now)) for run in found.values()]
    changed = [(about[run.incident_id], incident_from_now(about[run.incident_id], now)) for run in found.values()]
    behind = {before.incident_id for before, after in runs if before != after}
    behind |= {before.id for before, after in changed if before != after}
    incidents.save(connection, [after for before, after in changed if before != after])
    escalations.save(connection, [replace(after, next_at=now) for _, after in runs if after.incident_id in behind])
    return len(behind)


def run_from_now(run: StoredRun, now: datetime) -> StoredRun:
    """Return an escalation none of whose times is later than now. A hold stops the clock of its step all the same."""

    def counted(at: datetime | None) -> datetime | None:
        return now if at and at > now + CLOCK_SKEW else at

    begun_at = now - CLOCK_SKEW if run.begun_at > now + CLOCK_SKEW else run.begun_at  # what was sent since counts
    return replace(
        run,
        begun_at=begun_at,
        step_at=counted(run.step_at),
        reminded_at=counted(run.reminded_at),
        first_sent_at=counted(run.first_sent_at),
    )


def incident_from_now(incident: Incident, now: datetime) -> Incident:
    """Return an incident whose wait and whose acknowledgement count from now, if they began later than that."""
    latest = now + CLOCK_SKEW
    if (incident.first_firing_at or incident.opened_at) > latest:
        incident = replace(incident, first_firing_at=now)
    if incident.acknowledged_at and incident.acknowledged_at > latest:
        until = incident.snoozed_until and incident.snoozed_until - (incident.acknowledged_at - now)
        incident = replace(incident, acknowledged_at=now, snoozed_until=until)
    return incident
