"""Apply what a person does about an incident, in one commit with the notifications that it cancels or plans."""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alertgate.contact_state import ContactState
from alertgate.credential import Credential
from alertgate.group.transitions import Transition, TransitionResult, acknowledge, hand_back, resolve, snooze
from alertgate.model import Incident, Target
from alertgate.notify import news
from alertgate.notify.batch import REMEMBERED, TOGETHER_WITHIN, NotificationBatch
from alertgate.notify.directory import Directory
from alertgate.notify.escalate import StepReason
from alertgate.notify.escalator import About, Chosen, Escalator
from alertgate.notify.plan import Choice, is_due, on_acknowledgement, on_resolution, on_silence
from alertgate.notify.recipients import Recipient
from alertgate.notify.runs import Runs
from alertgate.notify.tellings import held
from alertgate.notify.turns import TurnTaker
from alertgate.policy.escalations import Escalation
from alertgate.silence import Silence
from alertgate.store import Connection, escalations, holds, incidents, notifications

SNOOZE = timedelta(hours=1)
SAID_WITH_SILENCE = "told together with who has silenced its device"
"""Why what was pending is cancelled."""


@dataclass(frozen=True, slots=True)
class Action:
    """Who does something about which incident, with what credential, and when."""

    incident_id: str
    by: str
    credential: Credential
    now: datetime
    lasting: timedelta | None = None
    """How long it holds, if it ends by itself."""
    contact: Target | None = None
    """The contact whose message led to it; None if it came by the API."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What an action did."""

    transition: Transition
    cancelled: int = 0
    """How many notifications it cancelled."""
    due: int = 0
    """How many notifications it made due."""
    silence: Silence | None = None
    """The silence that it began, or made longer."""
    ended: tuple[Silence, ...] = ()
    """The silences that it ended."""


class IncidentActions:
    """Acknowledges, snoozes, hands back and resolves incidents, and tells people of it.

    `interval` is GROUP_INTERVAL; `new_id` returns an id for a time.
    """

    def __init__(
        self,
        directory: Directory,
        interval: timedelta,
        new_id: Callable[[datetime], str],
        device_name: Callable[[str | None], str | None] = lambda _: None,
    ) -> None:
        self._directory = directory
        self._escalator = Escalator(directory, device_name)
        self._turns = TurnTaker(self._escalator, interval, new_id)
        self._new_id = new_id

    def acknowledge(self, connection: Connection, action: Action) -> Applied | None:
        """Acknowledge an incident and cancel its pending notifications; return None if there is no such incident."""
        return self._quieten(connection, action, None)

    def snooze(self, connection: Connection, action: Action) -> Applied | None:
        """Do the same for as long as the action lasts, an hour unless it says so; then its escalation starts anew."""
        until = action.now + (action.lasting or SNOOZE)
        return self._quieten(connection, action, until.astimezone(self._directory.policy.readers_zone))

    def hand_back(self, connection: Connection, action: Action) -> Applied | None:
        """End an acknowledgement now, as the end of a snooze does: its escalation starts anew, and all hear of it."""
        incident, now = incidents.get(connection, action.incident_id), action.now
        if incident is None:
            return None
        transition = hand_back(incident, action.by, action.credential, now)
        if transition.result is not TransitionResult.CHANGED:
            return Applied(transition)
        incidents.save(connection, [transition.incident])
        runs = Runs(escalations.of_incidents(connection, [incident.id]))
        self._escalator.hand_back(runs, transition.incident, now)
        runs.write(connection)
        taken = self._turns.take_one(connection, incident.id, now)
        return Applied(transition, due=sum(each.due for each in taken))

    def resolve(self, connection: Connection, action: Action) -> Applied | None:
        """Resolve an incident and notify the contacts that know of it; return None if there is no such incident."""
        incident = incidents.get(connection, action.incident_id)
        if incident is None:
            return None
        transition = resolve(incident, action.by, action.credential, action.now)
        if transition.result is not TransitionResult.CHANGED:
            return Applied(transition)
        self._escalator.look(connection, action.now)
        incidents.save(connection, [transition.incident])
        escalations.end(connection, incident.id, StepReason.RESOLVED)
        choices = self._plan_resolution(connection, transition.incident, action.now)
        return Applied(transition, due=sum(is_due(choice, action.now) for choice, _ in choices))

    def wait_for_rest(self, connection: Connection, incident_ids: Collection[str], now: datetime) -> None:
        """Have what was made due now about these incidents wait, at most a minute, for `go_together`."""
        going = holds.going_about(connection, incident_ids, [now])
        holds.send_at(connection, [each.id for each in going], now + TOGETHER_WITHIN)

    def go_together(self, connection: Connection, incident_ids: Collection[str], now: datetime) -> None:
        """Have what is due now about these incidents, or waits for the rest, go to each contact as one message."""
        together: dict[Target, list[str]] = defaultdict(list)
        for each in holds.going_about(connection, incident_ids, [now, now + TOGETHER_WITHIN]):
            together[each.channel, each.address].append(each.id)
        for members in together.values():
            holds.send_at(connection, members, now, self._new_id(now) if len(members) > 1 else None)

    def _quieten(self, connection: Connection, action: Action, until: datetime | None) -> Applied | None:
        incident, now = incidents.get(connection, action.incident_id), action.now
        if incident is None:
            return None
        who = (action.by, action.credential)
        decided = acknowledge(incident, *who, now) if until is None else snooze(incident, *who, until, now)
        if decided.result is not TransitionResult.CHANGED:
            return Applied(decided)
        after = decided.incident
        self._escalator.look(connection, now)
        incidents.save(connection, [after])
        self._pause(connection, after, now)
        cancelled = notifications.cancel(connection, incident.id, decided.reason, now)
        batch, recipients = self._others(connection, after, action)

        def choose(state: ContactState) -> Choice:
            return on_acknowledgement(state, now)

        told = self._plan_news(connection, batch, after, recipients, choose, now)
        return Applied(decided, cancelled=cancelled, due=sum(is_due(choice, now) for choice, _ in told))

    def _pause(self, connection: Connection, incident: Incident, now: datetime) -> None:
        """Have the escalation decide again at a snooze's end, or when the acknowledgement may count as forgotten."""
        runs = Runs(escalations.of_incidents(connection, [incident.id]))
        self._escalator.pause(runs, incident, now)
        runs.write(connection)

    def tell_silenced(self, connection: Connection, incident: Incident, action: Action) -> int:
        """Tell the others that somebody has silenced the device of an incident; return how many are told now.

        What was pending to them would be held by the silence, so it is told with that. But it waits for the silence's
        end itself where somebody's quiet hours hold that news for longer: they may hold nothing so severe.
        """
        now = action.now
        self._escalator.look(connection, now)
        batch, recipients = self._others(connection, incident, action)
        ends_at, escalation = self._escalator.silenced_until(incident)(now), self._escalation(connection, incident)

        def outlasts(one: Recipient) -> bool:
            return ends_at is not None and held(one.person, escalation, news.SEVERITY, now)[0] >= ends_at

        told = [each for each in recipients if not (batch.state(incident, each.target).pending_id and outlasts(each))]
        for each in told:
            batch.cancel_to(incident, each.target, SAID_WITH_SILENCE, now)
        chosen = self._plan_news(connection, batch, incident, told, lambda _: on_silence(now), now)
        return sum(is_due(choice, now) for choice, _ in chosen)

    def _others(
        self, connection: Connection, incident: Incident, action: Action
    ) -> tuple[NotificationBatch, Sequence[Recipient]]:
        """Return who else hears of what somebody has done."""
        batch = self._batch(connection, incident, action.now)
        if not (self._directory.policy.has_people or action.contact):
            return batch, []
        known = {target: batch.state(incident, target) for target in batch.knowing(incident)}
        sure = action.credential is not Credential.LINK
        return batch, news.others(self._directory, known, action.by, action.contact, action.now, sure=sure)

    def _plan_news(
        self,
        connection: Connection,
        batch: NotificationBatch,
        incident: Incident,
        recipients: Sequence[Recipient],
        choose: Callable[[ContactState], Choice],
        now: datetime,
    ) -> list[Chosen]:
        """Tell the others what somebody has done, once each; nobody is woken for it."""
        about = About(incident, self._escalation(connection, incident), news.SEVERITY)
        chosen = self._escalator.plan(batch, about, recipients, choose, now)
        batch.write(connection)
        return chosen

    def _plan_resolution(self, connection: Connection, incident: Incident, now: datetime) -> Sequence[Chosen]:
        """Plan the resolution's notification to each contact."""
        batch = self._batch(connection, incident, now)
        recipients = self._escalator.recipients(batch, incident, (), now)

        def choose(state: ContactState) -> Choice:
            return on_resolution(state, now)

        about = About(incident, self._escalation(connection, incident))
        chosen = self._escalator.plan(batch, about, recipients, choose, now)
        batch.write(connection)
        return chosen

    def _batch(self, connection: Connection, incident: Incident, now: datetime) -> NotificationBatch:
        states = notifications.contact_states(connection, [incident.id], now)
        believing_open = notifications.believing_open(connection, [incident.key], now - REMEMBERED)
        return NotificationBatch(states, believing_open, self._new_id)

    def _escalation(self, connection: Connection, incident: Incident) -> Escalation:
        return self._escalator.escalation_of(incident, Runs(escalations.of_incidents(connection, [incident.id])))
