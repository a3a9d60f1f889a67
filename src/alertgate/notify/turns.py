"""Takes the turns of the escalations that are due: load the facts, decide, and write, all in one transaction.

No lease is needed: nothing is done outside the transaction, and the database has one writer at a time. What a crash
interrupts wasn't done, and what a replica has done isn't due any more.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from alertgate.contact_state import ContactState
from alertgate.model import Incident, IncidentStatus, Notification
from alertgate.notify import plan
from alertgate.notify.batch import NotificationBatch
from alertgate.notify.escalate import StepReason
from alertgate.notify.escalator import About, Chosen, Escalator
from alertgate.notify.plan import Choice, is_due
from alertgate.notify.recipients import of_step
from alertgate.notify.run_clock import after_holds
from alertgate.notify.runs import Runs, run_of, stored_as
from alertgate.notify.turn import Announcement, Turn
from alertgate.store import Connection, escalations, follow, holds, incidents, notifications
from alertgate.store.escalations import StoredRun

AFTER_DEFECT = timedelta(minutes=1)
DEFECT = "this is a defect in alertgate; the others go on, and it is tried again in a minute"
TOGETHER = frozenset({StepReason.SILENCED, StepReason.NOBODY_KNOWS})
"""What begins for all of its incidents at one moment is one message to each contact."""
UNANSWERED = "nobody has answered; there are no more reminders"
log = structlog.stdlib.get_logger("alertgate.escalate")


@dataclass(frozen=True, slots=True)
class Taken:
    """What one escalation did now."""

    incident_id: str
    escalation: str
    turn: Turn
    due: int
    """How many notifications it made due."""


class TurnTaker:
    """Takes turns by the policy in force. `interval` is GROUP_INTERVAL; `new_id` returns an id for a time."""

    def __init__(self, escalator: Escalator, interval: timedelta, new_id: Callable[[datetime], str]) -> None:
        self._escalator = escalator
        self._interval = interval
        self._new_id = new_id

    def take(self, connection: Connection, now: datetime, most: int) -> list[Taken]:
        """Take the turns that are due, at most this many; return them."""
        due = escalations.due(connection, now, most)
        return self._take_all(connection, due, now) if due else []

    def take_one(self, connection: Connection, incident_id: str, now: datetime) -> list[Taken]:
        """Take the turn of one incident's escalation, if it is due."""
        run = escalations.get(connection, incident_id)
        is_due = run is not None and run.next_at is not None and run.next_at <= now
        return self._take_all(connection, [run], now) if run and is_due else []

    def _take_all(self, connection: Connection, due: Sequence[StoredRun], now: datetime) -> list[Taken]:
        silenced = [run for run in due if run.reason == StepReason.SILENCED]
        self._escalator.look(connection, min([now, *(run.step_at for run in silenced if run.step_at)]))
        ids = [run.incident_id for run in due]
        about = incidents.by_id(connection, ids)
        sent_at = escalations.first_sent(connection, [run.incident_id for run in due if run.first_sent_at is None])
        states = notifications.contact_states(connection, ids, now - self._interval)
        batch, runs = NotificationBatch(states, (), self._new_id), Runs({run.incident_id: run for run in due})
        held = defaultdict[str, list[Notification]](list)
        for each in holds.due(connection, ids, now):
            held[each.incident_id].append(each)
        policy, severity = self._escalator.policy, {each.id: each.severity for each in about.values()}
        due = [after_holds(policy, run, severity[run.incident_id], held[run.incident_id], now) for run in due]
        tried = [self._take(batch, runs, about, run, sent_at.get(run.incident_id), now) for run in due]
        taken = [each for each in tried if each]
        anew = [about[each.incident_id] for each in taken if each.turn.anew]
        incidents.save(connection, anew)
        follow.show_open_again(connection, [each.id for each in anew], now)
        batch.go_together([run.incident_id for run in due if run.reason in TOGETHER], now)
        batch.write(connection)
        runs.write(connection)
        return taken

    def _take(
        self,
        batch: NotificationBatch,
        runs: Runs,
        about: dict[str, Incident],
        stored: StoredRun,
        sent_at: datetime | None,
        now: datetime,
    ) -> Taken | None:
        """Take one turn; `about` gets the incident as it is afterwards."""
        incident, run = about[stored.incident_id], run_of(stored)
        run = replace(run, first_sent_at=run.first_sent_at or sent_at)
        try:
            if stored.reason == StepReason.SILENCED:
                run = self._escalator.resumed(incident, run, now)
            if stored.reason == StepReason.HANDED_BACK:
                taken = replace(self._escalator.start(incident, now), anew=StepReason.HANDED_BACK)
            else:
                taken = self._escalator.go_on(incident, run, now, is_known=stored.reason != StepReason.NOBODY_KNOWS)
        except Exception:
            log.exception("escalation.defect", detail=DEFECT, incident_id=incident.id, escalation=stored.escalation)
            runs.put(replace(stored, next_at=now + AFTER_DEFECT))
            return None
        if taken.anew:
            incident = replace(incident, status=IncidentStatus.OPEN, acknowledged_changes=None)
            about[incident.id] = incident
        runs.put(stored_as(incident, taken, stored, now))
        chosen = self._tell(batch, runs, incident, taken, now)
        return Taken(incident.id, taken.run.escalation, taken, sum(is_due(choice, now) for choice, _ in chosen))

    def _tell(
        self, batch: NotificationBatch, runs: Runs, incident: Incident, taken: Turn, now: datetime
    ) -> list[Chosen]:
        about = About(incident, self._escalator.escalation_of(incident, runs))
        if taken.anew:
            everybody = self._escalator.recipients(batch, incident, taken.announcements, now)

            def tell_all(state: ContactState) -> Choice:
                return plan.on_acknowledgement_over(incident, state, now, self._interval)

            return self._escalator.plan(batch, about, everybody, tell_all, now)
        if taken.gave_up:
            batch.cancel_reminders(incident, UNANSWERED, now)
        return [chosen for each in taken.announcements for chosen in self._announce(batch, about, each, now)]

    def _announce(self, batch: NotificationBatch, about: About, announced: Announcement, now: datetime) -> list[Chosen]:
        def choose(state: ContactState) -> Choice:
            return plan.on_step(announced.kind, state, now, self._interval)

        return self._escalator.plan(batch, about, of_step(self._escalator.directory, [announced]), choose, now)
