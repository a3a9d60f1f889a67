"""The messages that one transaction plans: choices in, rows out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from alertgate.model import ContactState, Incident, Kind, Notification, NotificationStatus, Target
from alertgate.notify.context import SHOWN_ALERTS, Snapshot
from alertgate.notify.lease import Grant
from alertgate.notify.plan import Choice, Expedite, Plan
from alertgate.store import Connection, alerts, notifications
from alertgate.store.notifications import Expedited


def snapshots_of(
    connection: Connection, messages: Sequence[Notification], about: Mapping[str, Incident]
) -> list[Snapshot]:
    """Return what messages about these incidents, which are given by id, have to say."""
    ids = {message.incident_id for message in messages}
    latest = {id_: tuple(alerts.latest(connection, id_, SHOWN_ALERTS)) for id_ in ids}
    return [Snapshot(each, about[each.incident_id], latest[each.incident_id]) for each in messages]


class NotificationBatch:
    """Messages that are planned or hurried, until `write` stores them.

    `heard` is what each address has heard of each incident; `new_id` makes an id for a time.
    """

    def __init__(self, heard: Mapping[tuple[str, Target], ContactState], new_id: Callable[[datetime], str]) -> None:
        self._heard = dict(heard)
        self._new_id = new_id
        self._planned: dict[str, Notification] = {}
        self._raises: dict[str, Expedited] = {}

    def heard(self, incident: Incident, target: Target) -> ContactState:
        """Return what an address has heard of an incident, or is about to hear with this draft."""
        return self._heard.get((incident.id, target), ContactState())

    def waiting(self, incident: Incident) -> bool:
        """Tell whether a message about an incident is still to come."""
        return any(heard.pending_id for (incident_id, _), heard in self._heard.items() if incident_id == incident.id)

    def take(self, incident: Incident, target: Target, choice: Choice, now: datetime) -> None:
        """Draft what was chosen for one address."""
        heard = self.heard(incident, target)
        if isinstance(choice, Plan):
            planned = self._plan(incident, target, choice, now)
            self._planned[planned.id] = planned
            self._heard[incident.id, target] = replace(heard, pending_id=planned.id)
        elif isinstance(choice, Expedite) and heard.pending_id:
            self._expedite(heard.pending_id, incident, choice)

    def write(self, connection: Connection, grant: Grant | None = None) -> list[Notification]:
        """Store it all, and return what was granted a lease. The incidents must be there."""
        planned = list(self._planned.values())
        if grant and planned:
            planned = grant(planned)
        notifications.expedite(connection, list(self._raises.values()))
        notifications.add(connection, planned)
        return [each for each in planned if each.status is NotificationStatus.SENDING]

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
            reason=choice.because,
            created_at=now,
            retry_since=now,
            due_at=choice.due_at,
        )

    def _expedite(self, pending_id: str, incident: Incident, choice: Expedite) -> None:
        """Make a pending message more pressing, whether it is stored or still in the draft."""
        if planned := self._planned.get(pending_id):
            due_at = min(planned.due_at, choice.due_at or planned.due_at)
            kind = choice.kind if planned.kind is Kind.UPDATE else planned.kind
            self._planned[pending_id] = replace(planned, severity=incident.severity, due_at=due_at, kind=kind)
        else:
            self._raises[pending_id] = Expedited(pending_id, incident.severity, choice.due_at, choice.kind)
