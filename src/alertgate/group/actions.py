"""Apply what a person does about an incident, in one commit with the notifications that it cancels or plans."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from alertgate.credential import Credential
from alertgate.group.transitions import Transition, TransitionResult, acknowledge, resolve
from alertgate.model import Incident, Target
from alertgate.notify.batch import REMEMBERED, NotificationBatch
from alertgate.notify.plan import is_due, on_resolution
from alertgate.store import Connection, incidents, notifications


@dataclass(frozen=True, slots=True)
class Action:
    """Who does something about which incident, with what credential, and when."""

    incident_id: str
    by: str
    credential: Credential
    now: datetime


@dataclass(frozen=True, slots=True)
class Applied:
    """What an action did."""

    transition: Transition
    cancelled: int = 0
    """How many notifications it cancelled."""
    due: int = 0
    """How many notifications it made due."""


class IncidentActions:
    """Acknowledges and resolves incidents, and notifies `targets`. `new_id` returns an id for a time."""

    def __init__(self, targets: Sequence[Target], new_id: Callable[[datetime], str]) -> None:
        self._targets = targets
        self._new_id = new_id

    def acknowledge(self, connection: Connection, action: Action) -> Applied | None:
        """Acknowledge an incident and cancel its pending notifications; return None if there is no such incident."""
        incident = incidents.get(connection, action.incident_id)
        if incident is None:
            return None
        transition = acknowledge(incident, action.by, action.credential, action.now)
        if transition.result is not TransitionResult.CHANGED:
            return Applied(transition)
        incidents.save(connection, [transition.incident])
        cancelled = notifications.cancel(connection, incident.id, transition.reason, action.now)
        return Applied(transition, cancelled=cancelled)

    def resolve(self, connection: Connection, action: Action) -> Applied | None:
        """Resolve an incident and notify the contacts that know of it; return None if there is no such incident."""
        incident = incidents.get(connection, action.incident_id)
        if incident is None:
            return None
        transition = resolve(incident, action.by, action.credential, action.now)
        if transition.result is not TransitionResult.CHANGED:
            return Applied(transition)
        incidents.save(connection, [transition.incident])
        return Applied(transition, due=self._plan_resolution(connection, transition.incident, action.now))

    def _plan_resolution(self, connection: Connection, incident: Incident, now: datetime) -> int:
        """Plan the resolution's notification to each contact; return how many notifications became due."""
        states = notifications.contact_states(connection, [incident.id], now)
        believing_open = notifications.believing_open(connection, [incident.key], now - REMEMBERED)
        batch = NotificationBatch(states, believing_open, self._new_id)
        choices = []
        for target in self._targets:
            choice = on_resolution(batch.state(incident, target), now)
            batch.add(incident, target, choice, now)
            choices.append(choice)
        batch.write(connection)
        return sum(is_due(choice, now) for choice in choices)
