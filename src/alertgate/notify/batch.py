"""The notifications that one transaction plans or expedites: choices in, rows out."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from alertgate.model import ContactState, Incident, Kind, Notification, NotificationStatus, Target, worst
from alertgate.notify.plan import Choice, Expedite, Plan, sentence
from alertgate.store import Connection, notifications
from alertgate.store.notifications import CHANGES_OF_STATE, Expedited

REMEMBERED = timedelta(days=2)
"""How old an incident may be of which a contact still believes that it is open, while newer ones were not told."""


class NotificationBatch:
    """Collects planned and expedited notifications until `write` stores them.

    `states` is what each contact was told about each incident, and `believing_open` has the keys with the contacts that
    were last told that they are open. `new_id` returns an id for a time.
    """

    def __init__(
        self,
        states: Mapping[tuple[str, Target], ContactState],
        believing_open: Collection[tuple[str, Target]],
        new_id: Callable[[datetime], str],
    ) -> None:
        self._states: dict[str, dict[Target, ContactState]] = {}
        for (incident_id, target), state in states.items():
            self._of(incident_id)[target] = state
        self._believing_open = believing_open
        self._new_id = new_id
        self._planned: dict[str, Notification] = {}
        self._expedited: dict[str, Expedited] = {}
        self._superseding: dict[str, tuple[str, datetime]] = {}
        self._cancelled: dict[str, tuple[str, datetime]] = {}

    def state(self, incident: Incident, target: Target) -> ContactState:
        """Return what a contact was told about an incident, including what this batch plans."""
        state = self._of(incident.id).get(target, ContactState())
        return replace(state, believes_open=True) if (incident.key, target) in self._believing_open else state

    def is_telling(self, incident: Incident, since: datetime) -> bool:
        """Return whether a contact is still to be told about an incident, or was told after `since`."""
        states = self._of(incident.id).values()
        return any(state.pending_id or (state.told_at and state.told_at > since) for state in states)

    def supersede_others(self, incident: Incident, now: datetime) -> None:
        """Cancel what is pending about other incidents with the same key: sent after this one, it would say "over"."""
        self._superseding[incident.key] = incident.id, now

    def cancel(self, incident: Incident, reason: str, now: datetime) -> None:
        """Cancel what is pending about an incident, stored or planned by this batch."""
        states = self._of(incident.id)
        for target, state in list(states.items()):
            if not state.pending_id:
                continue
            if planned := self._planned.get(state.pending_id):
                cancelled = replace(planned, status=NotificationStatus.CANCELLED, finished_at=now, reason=reason)
                self._planned[planned.id] = cancelled
            else:
                self._cancelled[incident.id] = reason, now
            states[target] = replace(state, pending_id=None, pending_attempts=0)

    def add(self, incident: Incident, target: Target, choice: Choice, now: datetime) -> None:
        """Apply the choice for one contact; a Skip adds nothing."""
        state = self.state(incident, target)
        if isinstance(choice, Plan):
            planned = self._plan(incident, target, choice, now)
            self._planned[planned.id] = planned
            self._of(incident.id)[target] = _after_planning(state, planned)
        elif isinstance(choice, Expedite) and state.pending_id:
            self._expedite(state.pending_id, incident, choice)
            self._of(incident.id)[target] = replace(state, worst=worst(state.worst, incident.severity))

    def write(self, connection: Connection) -> None:
        """Store all notifications. Their incidents must already be stored."""
        for incident_id, (reason, now) in self._cancelled.items():
            notifications.cancel(connection, incident_id, reason, now)
        for key, (incident_id, now) in self._superseding.items():
            notifications.cancel_others(connection, key, incident_id, now)
        notifications.expedite(connection, list(self._expedited.values()))
        notifications.add(connection, list(self._planned.values()))

    def _of(self, incident_id: str) -> dict[Target, ContactState]:
        """The states about one incident; a batch has hundreds of incidents."""
        return self._states.setdefault(incident_id, {})

    def _plan(self, incident: Incident, target: Target, choice: Plan, now: datetime) -> Notification:
        channel, address = target
        return Notification(
            id=self._new_id(now),
            incident_id=incident.id,
            channel=channel,
            address=address,
            kind=choice.kind,
            status=NotificationStatus.PENDING,
            severity=incident.severity,
            reason=sentence(choice, incident, self.state(incident, target)),
            created_at=now,
            retry_since=now,
            due_at=choice.due_at,
        )

    def _expedite(self, pending_id: str, incident: Incident, choice: Expedite) -> None:
        """Update severity, due time and kind of a pending notification, stored or planned by this batch."""
        if planned := self._planned.get(pending_id):
            due_at = min(planned.due_at, choice.due_at or planned.due_at)
            kind = planned.kind if planned.kind is Kind.OPENING else choice.kind
            self._planned[pending_id] = replace(planned, severity=incident.severity, due_at=due_at, kind=kind)
        else:
            self._expedited[pending_id] = Expedited(pending_id, incident.severity, choice.due_at, choice.kind)


def _after_planning(state: ContactState, planned: Notification) -> ContactState:
    """Return a contact's state with a planned notification."""
    return replace(
        state,
        pending_id=planned.id,
        changes=state.changes + (planned.kind in CHANGES_OF_STATE),
        summaries=state.summaries + (planned.kind is Kind.CHANGES),
        worst=worst(state.worst, planned.severity),
    )
