"""What is held goes out at its hold's end, all that one contact gets as one digest; or it is held again.

Who is told is looked up anew: what was held for whoever is on call goes to who is on call now, and what was held for
somebody who is no longer in the policy is told to whom the policy names now. Nothing that was held is dropped, but for
what a silence held of an incident that is over by then, to whom doesn't believe that it is open.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby

from alertgate.contact_state import ContactState
from alertgate.model import FIRST_NEWS, Hold, Incident, IncidentStatus, Kind, Notification, NotificationStatus, Target
from alertgate.notify import plan
from alertgate.notify.batch import REMEMBERED, NotificationBatch
from alertgate.notify.escalate import StepReason
from alertgate.notify.escalator import About, Escalator
from alertgate.notify.plan import Choice
from alertgate.notify.recipients import Recipient, of_step
from alertgate.notify.runs import Runs
from alertgate.notify.tellings import Telling, release
from alertgate.notify.turn import Announcement
from alertgate.store import Connection, escalations, holds, incidents, notifications
from alertgate.store.notifications import superseded_by

AGAIN = timedelta(minutes=1)
"""After which it is tried again if there is nobody at all to tell."""
INSTEAD = "who is told has changed while it was held: others are told instead"
GONE = "whom it was held for isn't in the policy any more"


class Releaser:
    """Decides what becomes of held notifications. `interval` is GROUP_INTERVAL."""

    def __init__(self, escalator: Escalator, interval: timedelta, new_id: Callable[[datetime], str]) -> None:
        self._escalator = escalator
        self._interval = interval
        self._new_id = new_id

    def release(self, connection: Connection, now: datetime, most: int) -> int:
        """Decide about what is due about some incidents; return how many notifications may be sent now."""
        ids = escalations.held_due(connection, now, most)
        if not ids:
            return 0
        about = incidents.by_id(connection, ids)
        held = sorted(holds.due(connection, ids, now), key=_group)
        self._escalator.look(connection, now)
        states = notifications.contact_states(connection, ids, now - self._interval)
        batch = NotificationBatch(states, _believing_open(connection, about, now), self._new_id)
        runs = Runs(escalations.of_incidents(connection, ids))
        decided = self._needless(connection, batch, about, held, now)
        ended = {each.id for each in decided}
        for (incident_id, via), group in groupby((each for each in held if each.id not in ended), _group):
            decided += self._decide(batch, runs, about[incident_id], via, list(group), now)
        decided = self._without_outdated(connection, decided, about, now)
        going = {(each.channel, each.address) for each in decided if _goes(each, now)}
        decided += holds.planned(connection, going, now) if going else []
        holds.save(connection, _in_digests(decided, self._new_id, now))
        batch.write(connection)
        runs.write(connection)
        return sum(each.released_at == now for each in decided)

    def _needless(
        self,
        connection: Connection,
        batch: NotificationBatch,
        about: Mapping[str, Incident],
        held: Sequence[Notification],
        now: datetime,
    ) -> list[Notification]:
        """Return what silences held and nobody needs to hear any more, cancelled."""
        newest = incidents.last(connection, {each.key for each in about.values()})
        newer = {each.id for each in newest.values()} - about.keys()
        states = notifications.contact_states(connection, [*newer, *about], now)
        found = []
        for each in held:
            incident, target = about[each.incident_id], (each.channel, each.address)
            if each.hold is not Hold.SILENCED or self._escalator.silenced(incident, now).until:
                continue
            state, last = batch.state(incident, target), newest[incident.key]
            choice = plan.on_silence_end(incident, state)
            if last.id != incident.id and _tells(last, states.get((last.id, target), ContactState())):
                found.append(_cancelled(each, superseded_by(last.id), now))
            elif isinstance(choice, plan.Cancel):
                found.append(
                    _cancelled(each, plan.sentence(choice, incident, state, self._escalator.policy.readers_zone), now)
                )
        return found

    def _without_outdated(
        self, connection: Connection, decided: Sequence[Notification], about: Mapping[str, Incident], now: datetime
    ) -> list[Notification]:
        """Cancel what would say "over" of something that fires again, where the contact hears of that already.

        What goes out now with the news of that, in one digest, stays.
        """
        newest = incidents.last(connection, {each.key for each in about.values()})
        ids = {newest[each.key].id for each in about.values() if newest[each.key].id != each.id}
        states = notifications.contact_states(connection, ids, now)
        going = {(each.incident_id, each.channel, each.address) for each in decided if each.released_at == now}
        found = []
        for each in decided:
            newer, target = newest[about[each.incident_id].key].id, (each.channel, each.address)
            knows = newer != each.incident_id and states.get((newer, target), ContactState()).knows
            outdated = each.released_at == now and knows and (newer, *target) not in going
            found.append(_cancelled(each, superseded_by(newer), now) if outdated else each)
        return found

    def _decide(
        self,
        batch: NotificationBatch,
        runs: Runs,
        incident: Incident,
        via: str,
        held: Sequence[Notification],
        now: datetime,
    ) -> list[Notification]:
        """Decide about what is held about one incident and by one name of its steps."""
        escalation = self._escalator.escalation_of(incident, runs)
        silenced = self._escalator.silenced_until(incident)
        found = release(self._escalator.policy, escalation.name, via, incident.severity, now, silenced)
        if found is None:
            return self._tell_others(batch, runs, incident, held, now)
        by_target = {self._escalator.directory.target(telling.contact): telling for telling in found}
        decided = [_released(each, by_target.get((each.channel, each.address)), now) for each in held]
        missing = [each for each in decided if each.status is NotificationStatus.CANCELLED]
        for each in missing:
            batch.forget_pending(incident, (each.channel, each.address))
        if missing:
            instead = Announcement(missing[0].kind, found, 0, StepReason.FIRST_STEP)
            self._plan(batch, runs, incident, [instead], now)
        return decided

    def _tell_others(
        self, batch: NotificationBatch, runs: Runs, incident: Incident, held: Sequence[Notification], now: datetime
    ) -> list[Notification]:
        """Route an incident anew, because whom it was held for is gone; news of one that they knew is needless."""
        for each in held:
            batch.forget_pending(incident, (each.channel, each.address))
        if any(each.kind in FIRST_NEWS for each in held):
            taken = self._escalator.start(incident, now)
            if not any(announced.tellings for announced in taken.announcements):
                return [replace(each, due_at=now + AGAIN) for each in held]
            self._plan(batch, runs, incident, taken.announcements, now)
            if incident.status is IncidentStatus.OPEN:
                self._escalator.keep(runs, incident, taken, now)
        return [_cancelled(each, GONE, now) for each in held]

    def _plan(
        self,
        batch: NotificationBatch,
        runs: Runs,
        incident: Incident,
        announcements: Sequence[Announcement],
        now: datetime,
    ) -> None:
        """Tell whoever doesn't know yet."""

        def choose(state: ContactState) -> Choice:
            return plan.on_step(Kind.OPENING, state, now, self._interval)

        about = About(incident, self._escalator.escalation_of(incident, runs))
        self._escalator.plan(batch, about, self._who(announcements), choose, now)

    def _who(self, announcements: Sequence[Announcement]) -> list[Recipient]:
        return of_step(self._escalator.directory, announcements)


def _tells(newer: Incident, state: ContactState) -> bool:
    """Return whether a newer incident says how things stand, instead of one with the same key that was held."""
    return newer.status is not IncidentStatus.RESOLVED or state.pending_id is not None


def _believing_open(connection: Connection, about: Mapping[str, Incident], now: datetime) -> set[tuple[str, Target]]:
    """Return who was last told that one of these, or an earlier one with its key, is open; however long ago."""
    since = min([now, *(incident.opened_at for incident in about.values())]) - REMEMBERED
    return notifications.believing_open(connection, {incident.key for incident in about.values()}, since)


def _group(held: Notification) -> tuple[str, str]:
    return held.incident_id, held.via or held.person or ""


def _released(held: Notification, telling: Telling | None, now: datetime) -> Notification:
    """Return a held notification as it is from now on: to be sent, held again, or cancelled for others."""
    if telling is None:
        return _cancelled(held, INSTEAD, now)
    if telling.reason.holds:
        return replace(held, due_at=telling.due_at, hold=Hold(telling.reason))
    return replace(held, due_at=now, hold=None, released_at=now)


def _cancelled(held: Notification, reason: str, now: datetime) -> Notification:
    return replace(held, status=NotificationStatus.CANCELLED, finished_at=now, reason=reason)


def _goes(decided: Notification, now: datetime) -> bool:
    """Return whether a notification is released, or was planned, to be sent now."""
    return decided.status is NotificationStatus.PENDING and now in (decided.released_at, decided.created_at)


def _in_digests(
    decided: Sequence[Notification], new_id: Callable[[datetime], str], now: datetime
) -> list[Notification]:
    """Return the same, with what goes to one contact now as one digest."""
    together: dict[Target, list[str]] = defaultdict(list)
    for each in decided:
        if _goes(each, now):
            together[each.channel, each.address].append(each.id)
    digests = {id_: digest for ids in together.values() if len(ids) > 1 for digest in [new_id(now)] for id_ in ids}
    return [replace(each, digest_id=digests.get(each.id, each.digest_id)) for each in decided]
