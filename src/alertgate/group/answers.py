"""What a person does by answering in an app, a chat or a call: an act on the incident as the message showed it.

A message may be older than what it is about. Where that has become worse since, or open again, nothing is done.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from alertgate.answers import Verdict
from alertgate.credential import Credential
from alertgate.group.actions import SNOOZE, Action, Applied
from alertgate.group.by_link import LinkAct
from alertgate.group.portions import Doer
from alertgate.group.transitions import TransitionResult
from alertgate.marks import mark
from alertgate.model import Incident, IncidentStatus, Notification, Resolution
from alertgate.notify.news import holder
from alertgate.proof import Proof
from alertgate.store import Connection, incidents

ACTS = frozenset({LinkAct.ACKNOWLEDGE, LinkAct.SNOOZE})
"""What can be answered without a page that asks first."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of an answer; `done` is what to log, and to wake the delivery for."""

    verdict: Verdict
    incident: Incident | None = None
    done: tuple[Action, Applied] | None = None

    @property
    def proof(self) -> Proof:
        """How far it proves that its message arrived: what did nothing is no acknowledgement."""
        return Proof.ACKNOWLEDGED if self.verdict is Verdict.DONE else Proof.SEEN


class Answers:
    """Does what people answer. `doers` are the acts that there are."""

    def __init__(self, doers: Mapping[LinkAct, Doer]) -> None:
        self._doers = doers

    def answer(
        self,
        connection: Connection,
        told: Notification,
        credential: Credential,
        now: datetime,
        *,
        by: str | None = None,
        act: LinkAct = LinkAct.ACKNOWLEDGE,
    ) -> Answered:
        """Do an act to the incident of a message that was sent; `by` is who answered, else whom the message tells.

        A digest can't be answered so: its members have no mark.
        """
        incident = incidents.get(connection, told.incident_id)
        verdict = judge(incident, told, act)
        if incident is None or verdict is not Verdict.DONE:
            return Answered(verdict, incident)
        lasting: timedelta | None = SNOOZE if act is LinkAct.SNOOZE else None
        contact = (told.channel, told.address)
        action = Action(incident.id, by or holder(told), credential, now, lasting, contact)
        applied = self._doers[act](connection, action)
        if applied is None or applied.transition.result is TransitionResult.REFUSED:
            return Answered(Verdict.REFUSED, incident)
        return Answered(Verdict.DONE, applied.transition.incident, (action, applied))


def judge(incident: Incident | None, told: Notification, act: LinkAct = LinkAct.ACKNOWLEDGE) -> Verdict:
    """Decide what becomes of an answer to a message about an incident. Pure."""
    if incident is None or incident.status is IncidentStatus.RESOLVED:
        return Verdict.QUIET if incident and incident.resolution is Resolution.SILENCE else Verdict.OVER
    if incident.status is IncidentStatus.ACKNOWLEDGED and not (incident.is_snoozed and act is LinkAct.ACKNOWLEDGE):
        return Verdict.ALREADY
    return Verdict.DONE if told.shown == mark(incident) else Verdict.CHANGED
