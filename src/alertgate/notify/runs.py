"""The escalations that one transaction reads and changes."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from alertgate.model import Incident
from alertgate.notify.escalate import Run
from alertgate.notify.turn import Turn
from alertgate.policy.routes import sentence
from alertgate.store import Connection, escalations
from alertgate.store.escalations import StoredRun

MICROSECOND = timedelta(microseconds=1)


class Runs:
    """Collects changed escalations until `write` stores them; `known` are the stored ones, by incident."""

    def __init__(self, known: Mapping[str, StoredRun]) -> None:
        self._known = dict(known)
        self._changed: set[str] = set()

    def get(self, incident_id: str) -> StoredRun | None:
        """Return how far the escalation of an incident is, or None if it has none."""
        return self._known.get(incident_id)

    def is_running(self, incident_id: str) -> bool:
        """Return whether an escalation does something more without a change."""
        found = self._known.get(incident_id)
        return found is not None and found.next_at is not None

    def put(self, run: StoredRun) -> None:
        """Add an escalation as it is now."""
        self._known[run.incident_id] = run
        self._changed.add(run.incident_id)

    def end(self, incident_id: str, reason: str) -> None:
        """Have an escalation do nothing more, because its incident is over."""
        if found := self._known.get(incident_id):
            self.put(replace(found, next_at=None, reason=reason))

    def write(self, connection: Connection) -> None:
        """Store what has changed. The incidents must already be stored."""
        escalations.save(connection, [self._known[each] for each in sorted(self._changed)])


def run_of(stored: StoredRun) -> Run:
    """Return a stored escalation as decisions take it."""
    return Run(
        escalation=stored.escalation,
        wait=stored.wait * MICROSECOND,
        step=stored.step,
        step_at=stored.step_at,
        reminders=stored.reminders,
        reminded_at=stored.reminded_at,
        first_sent_at=stored.first_sent_at,
        gave_up=stored.gave_up,
        told=frozenset(stored.told),
    )


def stored_as(incident: Incident, turn: Turn, before: StoredRun | None, now: datetime) -> StoredRun:
    """Return a decided escalation as the store takes it; `before` is how it was."""
    run = turn.run
    # After a change of the policy it counts on from what was sent before.
    is_new = before is None or (turn.routed is not None and run.first_sent_at is None)
    return StoredRun(
        incident_id=incident.id,
        escalation=run.escalation,
        route=sentence(turn.routed) if turn.routed else before.route if before else "",
        begun_at=now if is_new or before is None else before.begun_at,
        wait=run.wait // MICROSECOND,
        step=run.step,
        step_at=run.step_at,
        reminders=run.reminders,
        reminded_at=run.reminded_at,
        first_sent_at=run.first_sent_at,
        gave_up=run.gave_up,
        told=sorted(run.told),
        reason=turn.last.reason,
        next_at=turn.next_at,
    )
