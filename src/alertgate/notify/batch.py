"""The notifications that one transaction plans or expedites: choices in, rows out."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from alertgate.contact_state import ContactState
from alertgate.model import (
    ABOUT_OTHERS,
    FIRST_NEWS,
    Hold,
    Incident,
    IncidentStatus,
    Kind,
    Notification,
    NotificationStatus,
    Severity,
    Target,
    worst,
)
from alertgate.notify.plan import Cancel, Choice, Expedite, Plan
from alertgate.notify.plan_words import PENDING_SAYS_IT
from alertgate.notify.recipients import Recipient
from alertgate.store import Connection, newer, notifications
from alertgate.store.notifications import CHANGES_OF_STATE, Expedited

QUIET = Severity.INFO
"""The severity of a notification that says what somebody else has done, however severe its incident is."""
UNKNOWN = "it couldn't be sent, because the CONTACT_… that holds the address wasn't set"
TOGETHER_WITHIN = timedelta(minutes=1)
"""After which what waits to go together goes by itself."""
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
        self._cancelled_alone: dict[str, tuple[str, datetime]] = {}

    def state(self, incident: Incident, target: Target) -> ContactState:
        """Return what a contact was told about an incident, including what this batch plans."""
        state = self._of(incident.id).get(target, ContactState())
        if state.pending_hold is Hold.DELAYED:
            others = [each for other, each in self._of(incident.id).items() if other != target]
            state = replace(state, is_last_hope=_is_last_hope(state, others))
        return replace(state, believes_open=True) if (incident.key, target) in self._believing_open else state

    def is_telling(self, incident: Incident, since: datetime) -> bool:
        """Return whether a contact is still to be told about an incident, or was told after `since`."""
        states = self._of(incident.id).values()
        return any(state.pending_id or (state.told_at and state.told_at > since) for state in states)

    def supersede_others(self, incident: Incident, now: datetime) -> None:
        """Cancel what is pending about older incidents with the same key, to the contacts that hear of this one.

        Sent after this one, it would say "over".
        """
        self._superseding[incident.key] = incident.id, now

    def cancel(self, incident: Incident, reason: str, now: datetime) -> None:
        """Cancel what is pending about an incident, stored or planned by this batch."""
        states = self._of(incident.id)
        for target, state in list(states.items()):
            if not state.pending_id:
                continue
            if planned := self._planned.get(state.pending_id):
                self._planned[planned.id] = _cancelled(planned, reason, now)
            else:
                self._cancelled[incident.id] = reason, now
            states[target] = _without_pending(state)

    def cancel_to(self, incident: Incident, target: Target, reason: str, now: datetime) -> None:
        """Cancel what is pending about an incident to one contact."""
        state = self.state(incident, target)
        if state.pending_id:
            self._cancel_one(state.pending_id, reason, now)
            self._of(incident.id)[target] = _without_pending(state)

    def knowing(self, incident: Incident) -> list[Target]:
        """Return the contacts that were told of an incident, are about to be, or couldn't be.

        Of one that is over also those who believe that an earlier one with its key is still open.
        """
        states = [target for target, state in self._of(incident.id).items() if state.knows]
        if incident.status is not IncidentStatus.RESOLVED:
            return states
        believing = (target for key, target in sorted(self._believing_open) if key == incident.key)
        return list(dict.fromkeys([*states, *believing]))

    def forget_pending(self, incident: Incident, target: Target) -> None:
        """Have what is pending to a contact not count, because its caller cancels it."""
        self._of(incident.id)[target] = _without_pending(self.state(incident, target))

    def cancel_reminders(self, incident: Incident, reason: str, now: datetime) -> None:
        """Cancel the pending reminders of an incident."""
        for target, state in list(self._of(incident.id).items()):
            if state.pending_id and state.pending_kind is Kind.REMINDER:
                self._cancel_one(state.pending_id, reason, now)
                self._of(incident.id)[target] = _without_pending(state)

    def add(self, incident: Incident, choice: Choice, recipient: Recipient, reason: str, now: datetime) -> None:
        """Apply the choice for one contact, which was made for `reason`; a Skip adds nothing."""
        target = recipient.target
        state = self.state(incident, target)
        if isinstance(choice, Plan):
            planned = _planned(self._new_id(now), incident, choice, recipient, reason, now)
            if recipient.unknown and state.failed_at:
                return
            self._planned[planned.id] = planned
            if planned.kind in FIRST_NEWS and incident.opened_at < now:
                self.supersede_others(incident, now)  # a later step's contact may wait for the end of an older one
            self._of(incident.id)[target] = _after_planning(state, planned)
        elif isinstance(choice, Cancel) and state.pending_id:
            self._cancel_one(state.pending_id, reason, now)
            self._of(incident.id)[target] = _without_pending(state)
        elif isinstance(choice, Expedite) and state.pending_id:
            self._expedite(state.pending_id, incident, choice, reason.removesuffix(PENDING_SAYS_IT))
            self._of(incident.id)[target] = _after_expediting(state, incident, choice)

    def go_together(self, incident_ids: Collection[str], now: datetime) -> None:
        """Have what this batch plans for now about these incidents wait for what else goes to the same contact now.

        `holds.Releaser.send` makes one digest of it; what it doesn't reach, because its process ends, goes by itself.
        """
        for each in list(self._planned.values()):
            if each.status is NotificationStatus.PENDING and each.due_at <= now and each.incident_id in incident_ids:
                self._planned[each.id] = replace(each, released_at=now, due_at=now + TOGETHER_WITHIN)

    def write(self, connection: Connection) -> None:
        """Store all notifications. Their incidents must already be stored."""
        for incident_id, (reason, now) in self._cancelled.items():
            notifications.cancel(connection, incident_id, reason, now)
        for notification_id, (reason, now) in self._cancelled_alone.items():
            notifications.cancel_one(connection, notification_id, reason, now)
        notifications.expedite(connection, list(self._expedited.values()))
        notifications.add(connection, list(self._planned.values()))
        for key, (incident_id, now) in self._superseding.items():
            newer.cancel_older(connection, key, incident_id, now)

    def _of(self, incident_id: str) -> dict[Target, ContactState]:
        """The states about one incident; a batch has hundreds of incidents."""
        return self._states.setdefault(incident_id, {})

    def _cancel_one(self, pending_id: str, reason: str, now: datetime) -> None:
        if planned := self._planned.get(pending_id):
            self._planned[pending_id] = _cancelled(planned, reason, now)
        else:
            self._cancelled_alone[pending_id] = reason, now

    def _expedite(self, pending_id: str, incident: Incident, choice: Expedite, reason: str) -> None:
        """Update severity, due time, and kind with its reason, of what is pending, stored or planned by this batch."""
        if planned := self._planned.get(pending_id):
            due_at = min(planned.due_at, choice.due_at or planned.due_at)
            hold = choice.hold if due_at == choice.due_at else planned.hold
            kind, reason = (planned.kind, planned.reason) if planned.kind in FIRST_NEWS else (choice.kind, reason)
            changed = replace(planned, severity=incident.severity, due_at=due_at, kind=kind, hold=hold, reason=reason)
            self._planned[pending_id] = changed
        else:
            expedited = Expedited(pending_id, incident.severity, choice.due_at, choice.kind, choice.hold, reason)
            self._expedited[pending_id] = expedited


def _planned(
    new_id: str, incident: Incident, choice: Plan, recipient: Recipient, reason: str, now: datetime
) -> Notification:
    """Return a notification as it is planned; without an address it has failed already, which people see."""
    channel, address = recipient.target
    return Notification(
        id=new_id,
        incident_id=incident.id,
        channel=channel,
        address=address,
        kind=choice.kind,
        status=NotificationStatus.FAILED if recipient.unknown else NotificationStatus.PENDING,
        severity=QUIET if choice.kind in ABOUT_OTHERS else incident.severity,
        reason=f"{reason}; {UNKNOWN}" if recipient.unknown else reason,
        created_at=now,
        retry_since=now,
        due_at=choice.due_at,
        finished_at=now if recipient.unknown else None,
        person=recipient.person.name,
        via=recipient.via,
        hold=None if recipient.unknown else choice.hold,
    )


def _is_last_hope(state: ContactState, others: Iterable[ContactState]) -> bool:
    """Return whether a person's first contacts were refused, so that they hear by this one or not at all."""
    same = [each for each in others if each.person and each.person == state.person]
    hears = (each.told_at or (each.pending_id and not each.waits_for_delay) for each in same)
    return any(each.failed_at for each in same) and not any(hears)


def _without_pending(state: ContactState) -> ContactState:
    return replace(
        state,
        pending_id=None,
        pending_attempts=0,
        pending_kind=None,
        pending_hold=None,
        pending_due_at=None,
        pending_claimed_at=None,
    )


def _cancelled(planned: Notification, reason: str, now: datetime) -> Notification:
    return replace(planned, status=NotificationStatus.CANCELLED, finished_at=now, reason=reason)


def _after_expediting(state: ContactState, incident: Incident, choice: Expedite) -> ContactState:
    """Return a contact's state with what is pending as it is afterwards: its time is the earlier one."""
    due_at, hold = state.pending_due_at, state.pending_hold
    if choice.due_at and not (due_at and due_at < choice.due_at):
        due_at, hold = choice.due_at, choice.hold
    return replace(
        state,
        pending_kind=state.pending_kind if state.pending_kind in FIRST_NEWS else choice.kind,
        pending_hold=hold,
        pending_due_at=due_at,
        worst=worst(state.worst, incident.severity),
    )


def _after_planning(state: ContactState, planned: Notification) -> ContactState:
    """Return a contact's state with a planned notification."""
    if planned.status is NotificationStatus.FAILED:
        return replace(state, failed_at=planned.finished_at, person=planned.person)
    return replace(
        state,
        person=planned.person,
        pending_id=planned.id,
        pending_kind=planned.kind,
        pending_hold=planned.hold,
        pending_due_at=planned.due_at,
        changes=state.changes + (planned.kind in CHANGES_OF_STATE),
        summaries=state.summaries + (planned.kind is Kind.CHANGES),
        worst=worst(state.worst, planned.severity),
    )
