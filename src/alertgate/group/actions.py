"""What people say of incidents goes to the store in one commit, with the messages that it cancels or plans."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from alertgate.group.transitions import Transition, Verdict, acknowledge, resolve
from alertgate.model import Incident, Target
from alertgate.notify.batch import NotificationBatch
from alertgate.notify.plan import Expedite, Plan, on_resolution
from alertgate.store import Connection
from alertgate.store import incidents as incident_rows
from alertgate.store import notifications as notification_rows


@dataclass(frozen=True, slots=True)
class Action:
    """What somebody says of an incident, and when."""

    incident_id: str
    by: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a word, and to how many messages."""

    ruling: Transition
    cancelled: int = 0
    due: int = 0
    """How many messages became due with it."""


class IncidentActions:
    """Acknowledges and resolves incidents, and tells `targets` of it. `new_id` makes an id for a time."""

    def __init__(self, targets: Sequence[Target], new_id: Callable[[datetime], str]) -> None:
        self._targets = targets
        self._new_id = new_id

    def acknowledge(self, connection: Connection, words: Sequence[Action]) -> list[Applied | None]:
        """Acknowledge incidents and cancel what is pending of them; None where there is no such incident.

        A kind of work for the store's writer.
        """
        return [self._acknowledge(connection, word) for word in words]

    def resolve(self, connection: Connection, words: Sequence[Action]) -> list[Applied | None]:
        """Resolve incidents and tell those who were told of them; None where there is no such incident.

        A kind of work for the store's writer.
        """
        return [self._resolve(connection, word) for word in words]

    def _acknowledge(self, connection: Connection, word: Action) -> Applied | None:
        incident = incident_rows.get(connection, word.incident_id)
        if incident is None:
            return None
        ruling = acknowledge(incident, word.by, word.now)
        if ruling.verdict is not Verdict.CHANGED:
            return Applied(ruling)
        incident_rows.save(connection, [ruling.incident])
        return Applied(ruling, cancelled=notification_rows.cancel(connection, incident.id, ruling.because, word.now))

    def _resolve(self, connection: Connection, word: Action) -> Applied | None:
        incident = incident_rows.get(connection, word.incident_id)
        if incident is None:
            return None
        ruling = resolve(incident, word.by, word.now)
        if ruling.verdict is not Verdict.CHANGED:
            return Applied(ruling)
        incident_rows.save(connection, [ruling.incident])
        return Applied(ruling, due=self._say_resolved(connection, ruling.incident, word.now))

    def _say_resolved(self, connection: Connection, incident: Incident, now: datetime) -> int:
        draft = NotificationBatch(notification_rows.heard(connection, [incident.id]), self._new_id)
        due = 0
        for target in self._targets:
            choice = on_resolution(draft.heard(incident, target), now)
            draft.take(incident, target, choice, now)
            due += isinstance(choice, Plan | Expedite)
        draft.write(connection)
        return due
