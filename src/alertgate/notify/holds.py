"""What is held goes out at its hold's end, all that one contact gets as one digest; or it is held again.

Who is told is looked up anew: what was held for whoever is on call goes to who is on call now, and what was held for
somebody who is no longer in the policy is told to whom the policy names now. Nothing that was held is dropped, but for
what was planned within a silence about an incident that is over by then, to whom doesn't believe that it is open.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby

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
    Target,
)
from alertgate.notify import news, plan, plan_words
from alertgate.notify.batch import REMEMBERED, TOGETHER_WITHIN, NotificationBatch
from alertgate.notify.escalate import StepReason
from alertgate.notify.escalator import About, Escalator
from alertgate.notify.flood import MOST
from alertgate.notify.plan import Choice
from alertgate.notify.recipients import Recipient, of_step
from alertgate.notify.run_clock import after_holds
from alertgate.notify.runs import Runs
from alertgate.notify.tellings import Telling, TellReason, first_hold, release
from alertgate.notify.turn import Announcement
from alertgate.policy.silences import never
from alertgate.store import Connection, escalations, holds, incidents, notifications
from alertgate.store.notifications import superseded_by

AGAIN = timedelta(minutes=1)
"""After which it is tried again if there is nobody at all to tell."""
INSTEAD = "who is told has changed while it was held: others are told instead"
GONE = "whom it was held for isn't in the policy any more"
NOBODYS = "nobody is told by this address any more"


class Releaser:
    """Decides what becomes of held notifications. `interval` is GROUP_INTERVAL."""

    def __init__(self, escalator: Escalator, interval: timedelta, new_id: Callable[[datetime], str]) -> None:
        self._escalator = escalator
        self._interval = interval
        self._new_id = new_id

    def release(self, connection: Connection, now: datetime, most: int) -> int:
        """Decide about what is due about some incidents; return about how many notifications. Then call `send`."""
        ids = escalations.held_due(connection, now, most)
        return self.release_about(connection, ids, now) if ids else 0

    def release_about(self, connection: Connection, ids: Collection[str], now: datetime) -> int:
        """Do the same about these incidents."""
        about = incidents.by_id(connection, ids)
        held = sorted(holds.due(connection, ids, now), key=_group)
        self._escalator.look(connection, min([now, *(each.created_at for each in held if each.hold is Hold.SILENCED)]))
        states = notifications.contact_states(connection, ids, now - self._interval)
        batch = NotificationBatch(states, _believing_open(connection, about, now), self._new_id)
        runs = Runs(escalations.of_incidents(connection, ids))
        decided = self._needless(connection, batch, runs, about, held, now)
        ended = {each.id for each in decided}
        for each in held:
            self._count_from_release(runs, about[each.incident_id], each, now)
        for (incident_id, *_), group in groupby((each for each in held if each.id not in ended), _group):
            decided += self._decide(batch, runs, about[incident_id], list(group), now)
        decided = self._without_outdated(connection, decided, about, now)
        holds.save(connection, decided)
        batch.go_together(ids, now)
        batch.write(connection)
        runs.write(connection)
        return len(decided)

    def end_nobodys(
        self, connection: Connection, ids: Collection[str], addresses: Collection[str], now: datetime
    ) -> int:
        """Cancel these notifications, which wait for addresses by which nobody is told; return how many. Then `send`.

        Whoever the address was of is told by what they have now. What is over, and nobody else was told of, is told to
        whom the policy names now; it is held while it can't be told yet.
        """
        self._escalator.look(connection, now)
        waiting = sorted(holds.still_waiting(connection, ids), key=_group)
        about = incidents.by_id(connection, {each.incident_id for each in waiting})
        states = notifications.contact_states(connection, about, now - self._interval)
        reached = {
            id_
            for (id_, target), state in states.items()
            if target[1] not in addresses and (state.told_at or state.pending_id)
        }
        batch = NotificationBatch(states, _believing_open(connection, about, now), self._new_id)
        runs = Runs(escalations.of_incidents(connection, about))
        decided: list[Notification] = []
        for (incident_id, *_), group in groupby(waiting, _group):
            incident, some = about[incident_id], list(group)
            for each in some:
                batch.forget_pending(incident, (each.channel, each.address))
            instead = self._told_instead(runs, incident, some, now, is_told=incident_id in reached)
            if instead is None:
                hold = Hold.OUTSIDE_HOURS
                decided += [replace(each, hold=hold, due_at=now + AGAIN, digest_id=None) for each in some]
                continue
            self._plan(batch, runs, incident, instead, now)
            decided += [_cancelled(each, NOBODYS, now) for each in some]
        holds.save(connection, decided)
        batch.go_together(about, now)
        batch.write(connection)
        return sum(each.status is NotificationStatus.CANCELLED for each in decided)

    def _told_instead(
        self, runs: Runs, incident: Incident, gone: Sequence[Notification], now: datetime, *, is_told: bool
    ) -> Sequence[Announcement] | None:
        """Return who hears instead by an address that is gone; None if somebody is to, but nobody can yet.

        An incident that is open is routed anew besides, with the change of the policy, if nobody else knows of it.
        """
        first = next((each for each in gone if each.kind in FIRST_NEWS), None)
        if first is None or incident.status is IncidentStatus.ACKNOWLEDGED:
            return ()
        if incident.status is IncidentStatus.RESOLVED:
            if is_told:
                return ()
            announced = self._escalator.start(incident, now).announcements
            return announced if any(each.tellings for each in announced) else None
        escalation, silenced = self._escalator.escalation_of(incident, runs), self._escalator.silenced_until(incident)
        via = first.via or first.person or ""
        found = release(self._escalator.policy, escalation.name, via, incident.severity, now, silenced)
        return [Announcement(first.kind, found, 0, StepReason.FIRST_STEP)] if found else ()

    def send(self, connection: Connection, now: datetime) -> int:
        """Send what was released, once nothing is left to be: all that one contact gets as one digest; return how many.

        What is planned at this moment to the same contact goes with it.
        """
        released = holds.released(connection, now)
        targets = {(each.channel, each.address) for each in released}
        planned = holds.planned(connection, targets, now) if targets else []
        holds.save(connection, _in_digests([*released, *planned], self._new_id, now))
        return len(released)

    def _needless(
        self,
        connection: Connection,
        batch: NotificationBatch,
        runs: Runs,
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
            if not self._is_silences_own(each, incident, runs, state):
                continue
            choice = plan.on_silence_end(incident, state)
            if last.id != incident.id and _tells(last, states.get((last.id, target), ContactState())):
                found.append(_cancelled(each, superseded_by(last.id), now))
            elif isinstance(choice, plan.Cancel):
                zone = self._escalator.policy.readers_zone
                found.append(_cancelled(each, plan_words.sentence(choice, incident, state, zone), now))
        return found

    def _is_silences_own(self, held: Notification, incident: Incident, runs: Runs, state: ContactState) -> bool:
        """Return whether it may be dropped at a silence's end: not what somebody's night held before the silence began.

        Nor what would have been said before it to somebody who had heard nothing yet, if the channel had worked.
        """
        person, silenced = (
            self._escalator.policy.people.get(held.person or ""),
            self._escalator.silenced_until(incident),
        )
        if person is None:
            planned_in = TellReason.SILENCED if silenced(held.created_at) else None
        else:
            escalation = self._escalator.escalation_of(incident, runs)
            hold = first_hold(person, escalation, held.severity, held.created_at, silenced)
            planned_in = hold[1] if hold else None
        return planned_in is TellReason.SILENCED or (planned_in is None and state.told_at is not None)

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

    def _count_from_release(self, runs: Runs, incident: Incident, held: Notification, now: datetime) -> None:
        """Have the step that was held run from now on, if its hold has ended long ago."""
        stored = runs.get(incident.id)
        if stored is None or stored.next_at is None:
            return
        counted = after_holds(self._escalator.policy, stored, incident.severity, [held], now)
        if counted != stored:
            runs.put(replace(counted, next_at=now))

    def _decide(
        self,
        batch: NotificationBatch,
        runs: Runs,
        incident: Incident,
        held: Sequence[Notification],
        now: datetime,
    ) -> list[Notification]:
        """Decide about what is held about one incident and by one name of its steps, and is as urgent."""
        _, via, about_others = _group(held[0])
        urgency = news.SEVERITY if about_others else incident.severity
        escalation = self._escalator.escalation_of(incident, runs)
        silenced = never if held[0].kind is Kind.SILENCE else self._escalator.silenced_until(incident)
        found = release(self._escalator.policy, escalation.name, via, urgency, now, silenced)
        if found is None:
            return self._tell_others(batch, runs, incident, held, now)
        by_target = {self._escalator.directory.target(telling.contact): telling for telling in found}
        otherwise = GONE if about_others else INSTEAD
        decided = [_released(each, by_target.get((each.channel, each.address)), otherwise, now) for each in held]
        missing = [each for each in decided if each.status is NotificationStatus.CANCELLED]
        for each in missing:
            batch.forget_pending(incident, (each.channel, each.address))
        if missing and not about_others:
            run = runs.get(incident.id)
            instead = Announcement(missing[0].kind, found, run.step if run else 1, StepReason.FIRST_STEP)
            self._plan(batch, runs, incident, [instead], now)
        return decided

    def _tell_others(
        self, batch: NotificationBatch, runs: Runs, incident: Incident, held: Sequence[Notification], now: datetime
    ) -> list[Notification]:
        """Route an incident anew, because whom it was held for is gone; news of one that they knew is needless.

        If others know of it, its escalation decides again and goes on: begun anew, it would wait for a first message
        that nobody needs.
        """
        for each in held:
            batch.forget_pending(incident, (each.channel, each.address))
        if any(each.kind in FIRST_NEWS for each in held):
            taken = self._escalator.start(incident, now)
            if not any(announced.tellings for announced in taken.announcements):
                return [replace(each, due_at=now + AGAIN) for each in held]
            is_known = any(map(self._escalator.directory.people, batch.knowing(incident)))
            self._plan(batch, runs, incident, taken.announcements, now)
            if incident.status is IncidentStatus.OPEN and not is_known:
                self._escalator.keep(runs, incident, taken, now)
            elif incident.status is IncidentStatus.OPEN and (run := runs.get(incident.id)):
                runs.put(replace(run, next_at=now))
        return [_cancelled(each, GONE, now) for each in held]

    def _plan(
        self,
        batch: NotificationBatch,
        runs: Runs,
        incident: Incident,
        announcements: Sequence[Announcement],
        now: datetime,
    ) -> None:
        """Tell whoever doesn't know yet; who was told of what is over by now has heard that, too."""

        def choose(state: ContactState) -> Choice:
            if incident.status is IncidentStatus.RESOLVED and state.told_at and not state.pending_id:
                return plan.Skip(plan.PlanReason.ALREADY_TOLD)
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


def _group(held: Notification) -> tuple[str, str, str]:
    """Return what is decided together; last its kind if it says what others did, which wakes nobody."""
    return held.incident_id, held.via or held.person or "", held.kind if held.kind in ABOUT_OTHERS else ""


def _released(held: Notification, telling: Telling | None, otherwise: str, now: datetime) -> Notification:
    """Return a held notification as it is from now on: to be sent, held again, or cancelled because of `otherwise`."""
    if telling is None:
        return _cancelled(held, otherwise, now)
    if telling.reason.holds:
        return replace(held, due_at=telling.due_at, hold=Hold(telling.reason))
    return replace(held, due_at=now + TOGETHER_WITHIN, hold=None, released_at=now, digest_id=None)


def _cancelled(held: Notification, reason: str, now: datetime) -> Notification:
    return replace(held, status=NotificationStatus.CANCELLED, finished_at=now, reason=reason)


def _in_digests(going: Sequence[Notification], new_id: Callable[[datetime], str], now: datetime) -> list[Notification]:
    """Return these as they are sent now: to each contact one alone, or one digest."""
    together: dict[Target, list[Notification]] = defaultdict(list)
    for each in going:
        together[each.channel, each.address].append(each)
    found = []
    for members in together.values():
        for some in (members[start : start + MOST] for start in range(0, len(members), MOST)):
            digest_id = new_id(now) if len(some) > 1 else None
            found += [replace(each, due_at=now, digest_id=digest_id, released_at=now) for each in some]
    return found
