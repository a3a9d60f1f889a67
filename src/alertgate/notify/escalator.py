"""Routes incidents, takes the turns of their escalations, and plans what contacts are told, within one transaction."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alertgate.contact_state import ContactState
from alertgate.model import Incident, IncidentStatus, Kind, Severity
from alertgate.notify import plan, plan_words, turn
from alertgate.notify.batch import NotificationBatch
from alertgate.notify.directory import Directory
from alertgate.notify.escalate import Facts, Run, StepReason, Wait, begin
from alertgate.notify.plan import Choice
from alertgate.notify.recipients import Recipient, in_time, merged, of_step, sentence, who_know
from alertgate.notify.run_clock import resumed, starts_anew
from alertgate.notify.runs import Runs, run_of, stored_as
from alertgate.notify.step_people import names_so_far
from alertgate.notify.tellings import tellings
from alertgate.notify.turn import Announcement, Turn
from alertgate.policy.escalations import EVERYONE, RESERVED, Escalation
from alertgate.policy.matchers import Subject
from alertgate.policy.policy import Policy
from alertgate.policy.routes import first
from alertgate.policy.silences import Judged, SilencedUntil, Silences
from alertgate.store import Connection
from alertgate.store import silences as silence_rows

Chosen = tuple[Choice, str]
"""What was chosen for one contact, and why, as a sentence."""


@dataclass(frozen=True, slots=True)
class About:
    """An incident as it is now, with how far its escalation is: what is planned is about it."""

    incident: Incident
    escalation: Escalation
    urgency: Severity | None = None
    """How severe it is to whoever is asleep; None: as severe as the incident."""


class Escalator:
    """Decides by the policy in force. `device_name` returns the name of a device's id, if it has one."""

    def __init__(self, directory: Directory, device_name: Callable[[str | None], str | None] = lambda _: None) -> None:
        self.directory = directory
        self._device_name = device_name
        self._silences = Silences()

    def look(self, connection: Connection, since: datetime) -> None:
        """Read the silences by which everything is decided in a transaction: those that aren't over since then."""
        self._silences = Silences(silence_rows.over_after(connection, since))

    def silenced(self, incident: Incident, now: datetime) -> Judged:
        """Return whether a silence holds what would be said about an incident now, and why."""
        return self._silences.judge(self._subject(incident), now)

    def silenced_until(self, incident: Incident) -> SilencedUntil:
        """Return until when an incident as it is now is silenced, as a function of the time."""
        return self._silences.until(self._subject(incident))

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self.directory.policy

    def start(self, incident: Incident, now: datetime) -> Turn:
        """Route an incident that is open, or was for a moment, and do what is due at once."""
        subject = self._subject(incident)
        routed = first(self.policy.routes, subject)
        facts = self._facts(incident, begin(routed), IncidentStatus.OPEN, now)
        return turn.take(facts, subject, now, routed)

    def go_on(self, incident: Incident, run: Run, now: datetime, *, is_known: bool = True) -> Turn:
        """Do what is due now; `is_known`: a contact of the policy knows of it."""
        facts = replace(self._facts(incident, run, incident.status, now), is_known=is_known)
        return turn.take(facts, self._subject(incident), now)

    def resumed(self, incident: Incident, run: Run, now: datetime) -> Run:
        """Return the run of an incident that was silenced until now."""
        stretch = self._silences.last_stretch(self._subject(incident), now)
        is_over = self.silenced(incident, now).until is None
        return resumed(run, *stretch) if stretch and is_over else run

    def forgets(self, incident: Incident, now: datetime) -> Turn:
        """Return whether an acknowledgement is over, as `anew`, of an incident without an escalation of its own."""
        return self.go_on(incident, Run(self._routed(incident).name), now)

    def keep(self, runs: Runs, incident: Incident, taken: Turn, now: datetime) -> None:
        """Store a turn, unless it is as if there were no escalation: all people were told at once, and that is all."""
        before = runs.get(incident.id)
        waits = any(telling.reason.holds for said in taken.announcements for telling in said.tellings)
        if before or waits or taken.next_at or taken.run.escalation not in RESERVED:
            runs.put(stored_as(incident, taken, before, now))

    def pause(self, runs: Runs, incident: Incident, now: datetime) -> None:
        """Decide again at the end of a snooze, or when an acknowledgement may count as forgotten, and not before."""
        if incident.snoozed_until:
            self._wait(runs, incident, incident.snoozed_until, StepReason.SNOOZED, now)
        elif runs.get(incident.id):  # else the next alert decides whether it is forgotten
            lasts_until = (incident.acknowledged_at or now) + self.escalation_of(incident, runs).again_after_ack
            self._wait(runs, incident, lasts_until, StepReason.ACKNOWLEDGED, now)

    def hand_back(self, runs: Runs, incident: Incident, now: datetime) -> None:
        """Start anew at the next turn, which is due now."""
        self._wait(runs, incident, now, StepReason.HANDED_BACK, now)

    def _wait(self, runs: Runs, incident: Incident, until: datetime, reason: StepReason, now: datetime) -> None:
        """Decide again at a time, also of an incident that has no escalation of its own yet."""
        run = runs.get(incident.id)
        if run is None:
            routed = first(self.policy.routes, self._subject(incident))
            run = stored_as(incident, Turn(begin(routed), Wait(until, reason), routed=routed), None, now)
        runs.put(replace(run, reason=reason, next_at=until))

    def counts_on(self, runs: Runs, before: Incident, now: datetime) -> bool:
        """Return whether an all-clear was too short to count: waits and steps count on if it fires again now."""
        run = runs.get(before.id)
        if run is None or before.resolved_at is None:
            return False
        over_for = now - before.resolved_at
        return not starts_anew(self.policy, run_of(run), over_for, dealt_with=before.is_dealt_with)

    def goes_on(self, runs: Runs, before: Incident, after: Incident, now: datetime) -> bool:
        """Return whether the escalation of an incident that is over goes on with the one that fires now.

        What is worse than before is told as a rise is. So is what its routes send elsewhere now: the old escalation's
        hours and steps aren't for it.
        """
        run = runs.get(before.id)
        if run is None or after.severity.rank > before.severity.rank:
            return False
        return self.counts_on(runs, before, now) and self._routed_to(after) == run.escalation

    def resume(self, runs: Runs, before: Incident, after: Incident, now: datetime) -> tuple[Announcement, ...]:
        """Have the escalation of an incident that is over go on with the incident that is open; return whom it told."""
        run = runs.get(before.id)
        if run is None:
            return ()
        runs.put(replace(run, incident_id=after.id, next_at=now))
        return self.told_so_far(after, run_of(run), now)

    def told_so_far(self, incident: Incident, run: Run | None, now: datetime) -> tuple[Announcement, ...]:
        """Return the people whom the steps so far tell; without an escalation of its own, those of a reserved one."""
        name = run.escalation if run else self._routed_to(incident)
        escalation = self.policy.escalation(name)
        if escalation is None or (run is None and name not in RESERVED):
            return ()
        step, stand_ins = (run.step, run.told) if run else (len(escalation.steps), ())
        names = names_so_far(escalation, step, stand_ins, incident.severity)
        people, silenced = self.policy.told(names, now), self.silenced_until(incident)
        told = tellings(people, escalation, incident.severity, now, silenced)
        return (Announcement(Kind.OPENING, told, step, StepReason.FIRST_STEP),)

    def escalation_of(self, incident: Incident, runs: Runs) -> Escalation:
        """Return the escalation that an incident has, or would have."""
        run = runs.get(incident.id)
        found = self.policy.escalation(run.escalation) if run else None
        return found or self._routed(incident)

    def plan(
        self,
        batch: NotificationBatch,
        about: About,
        recipients: Iterable[Recipient],
        choose: Callable[[ContactState], Choice],
        now: datetime,
    ) -> list[Chosen]:
        """Plan what `choose` says for each of these contacts; return the choices."""
        incident, chosen = about.incident, list[Chosen]()
        zone = self.policy.readers_zone
        silenced, urgency = self.silenced_until(incident), about.urgency or incident.severity
        for one in recipients:
            state = batch.state(incident, one.target)
            choice = in_time(_as_handoff(choose(state), one), one, about.escalation, urgency, silenced)
            choice = plan.unless_said_before(choice, state)
            said = plan_words.sentence(choice, incident, state, zone)
            reason = sentence(said, choice, one, about.escalation, now, zone) if self.policy.has_people else said
            batch.add(incident, choice, one, reason, now)
            chosen.append((choice, reason))
        return chosen

    def recipients(
        self, batch: NotificationBatch, incident: Incident, announcements: Sequence[Announcement], now: datetime
    ) -> list[Recipient]:
        """Return whom these announcements tell, and who knows of an incident already."""
        told = of_step(self.directory, announcements)
        return merged(told, who_know(self.directory, batch.knowing(incident), incident.severity, now))

    def _routed(self, incident: Incident) -> Escalation:
        return self.policy.escalation(self._routed_to(incident)) or Escalation(EVERYONE, (), self.policy.zone)

    def _routed_to(self, incident: Incident) -> str:
        return first(self.policy.routes, self._subject(incident)).escalation

    def _subject(self, incident: Incident) -> Subject:
        return Subject.of(incident, self._device_name(incident.device))

    def _facts(self, incident: Incident, run: Run, status: IncidentStatus, now: datetime) -> Facts:
        return Facts(
            policy=self.policy,
            run=run,
            severity=incident.severity,
            status=status,
            first_firing_at=incident.first_firing_at or incident.opened_at,
            last_firing_at=min(incident.last_alert_at, now),
            acknowledged_at=incident.acknowledged_at,
            snoozed_until=incident.snoozed_until,
            silenced_until=self.silenced(incident, now).until,
        )


def _as_handoff(choice: Choice, recipient: Recipient) -> Choice:
    """Return an opening of a later step as a handoff."""
    if isinstance(choice, plan.Plan) and choice.kind is Kind.OPENING and recipient.kind is Kind.HANDOFF:
        return replace(choice, kind=Kind.HANDOFF)
    return choice
