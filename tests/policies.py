"""Builders of policies, and an escalation told as a story: what the store and the delivery do with what is decided."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from alertgate.model import ChannelName, IncidentStatus, Severity, Source
from alertgate.notify import escalate, run_clock
from alertgate.notify.tellings import Telling, TellReason, release
from alertgate.policy.escalations import Escalation, Step
from alertgate.policy.matchers import Subject
from alertgate.policy.people import Contact, Person
from alertgate.policy.policy import Policy
from alertgate.policy.routes import Route, first
from alertgate.policy.schedules import Schedule
from alertgate.policy.wall_clock import DAYS
from alertgate.policy.written import read_duration, read_hours, read_quiet_hours

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 11, 23, tzinfo=BERLIN)


def at(text: str, week: int = 0) -> datetime:
    """Return a time of one winter week in Berlin, such as `mon 23:00`, in UTC."""
    day, clock = text.split()
    hours, minutes, *seconds = map(int, clock.split(":"))
    local = MONDAY + timedelta(days=DAYS.index(day) + 7 * week, hours=hours, minutes=minutes, seconds=sum(seconds))
    return local.astimezone(UTC)


def shown(moment: datetime) -> str:
    """Return a time as `at` reads it; whole minutes without seconds."""
    local = moment.astimezone(BERLIN)
    return f"{DAYS[local.weekday()]} {local:%H:%M:%S}".removesuffix(":00")


def person(name: str, quiet: str = "", *, zone: ZoneInfo = BERLIN, after: str = "") -> Person:
    """Return a person with one mail address, and another one that is told `after` it."""
    contacts = [Contact(ChannelName.EMAIL, f"{name}@example.org")]
    if after:
        contacts.append(Contact(ChannelName.SMS, f"{name}@example.net", read_duration(after)))
    return Person(name, tuple(contacts), zone, read_quiet_hours(quiet) if quiet else None)


def step(*notify: str, after: str = "0s", least: Severity | None = None) -> Step:
    """Return a step."""
    return Step(notify, read_duration(after), least)


def escalation(*steps: Step, name: str = "home", hours: str = "", **durations: str) -> Escalation:
    """Return an escalation."""
    spans = {key: read_duration(text) for key, text in durations.items()}
    return Escalation(name, steps, BERLIN, hours=read_hours(hours) if hours else None, **spans)


def policy(
    people: Iterable[Person],
    escalations: Iterable[Escalation] = (),
    routes: Iterable[Route] = (),
    schedules: Iterable[Schedule] = (),
) -> Policy:
    """Return a policy."""
    return Policy(
        zone=BERLIN,
        people=MappingProxyType({one.name: one for one in people}),
        escalations=MappingProxyType({one.name: one for one in escalations}),
        routes=tuple(routes) or tuple(Route(one.name) for one in escalations)[:1],
        schedules=MappingProxyType({one.name: one for one in schedules}),
    )


@dataclass
class Pending:
    """A notification that isn't sent yet."""

    telling: Telling
    word: str


class Story:
    """One incident; `said` has a line for each message: when, who, and what it is."""

    def __init__(self, rules: Policy, begins: str, severity: Severity = Severity.WARNING, event: str = "leak") -> None:
        self.policy, self.severity, self.event = rules, severity, event
        self.now = self.first_firing_at = self.last_firing_at = at(begins)
        self.status = IncidentStatus.OPEN
        self.run = escalate.begin(first(rules.routes, self.subject))
        self.said: list[str] = []
        self.reasons: list[str] = []
        self.pending: list[Pending] = []
        self.next_at: datetime | None = None
        self.acknowledged_at: datetime | None = None
        self.snoozed_until: datetime | None = None
        self.resolved_at: datetime | None = None
        self.silenced_until: datetime | None = None
        self.decide()

    @property
    def subject(self) -> Subject:
        """What routes look at."""
        return Subject(self.event, self.severity, Source.PARTICLE, "3f002b000000000000000000", "Front door")

    @property
    def facts(self) -> escalate.Facts:
        """What is known now."""
        return escalate.Facts(
            self.policy,
            self.run,
            self.severity,
            self.status,
            self.first_firing_at,
            self.last_firing_at,
            self.acknowledged_at,
            self.snoozed_until,
            self.silenced_until,
        )

    def decide(self) -> escalate.Next:
        """Do all that is due now; return why nothing more is."""
        while True:
            found = escalate.next_step(self.facts, self.now)
            match found:
                case escalate.Tell() | escalate.Remind() | escalate.GiveUp():
                    self._do(found)
                case escalate.RouteAnew() | escalate.StartAnew():
                    self.reasons.append(found.reason)
                    self.pending = [each for each in self.pending if self._finds(each.telling)]
                    if isinstance(found, escalate.StartAnew):
                        self.status, self.acknowledged_at, self.snoozed_until = IncidentStatus.OPEN, None, None
                    self.run = escalate.begin(first(self.policy.routes, self.subject))
                case _:
                    self.next_at = found.until if isinstance(found, escalate.Wait) else None
                    return found

    def _do(self, found: escalate.Tell | escalate.Remind | escalate.GiveUp) -> None:
        if isinstance(found, escalate.GiveUp):
            self.pending = [each for each in self.pending if not each.word.startswith("reminder")]
        word = {"reminder": f"reminder {getattr(found, 'number', 0)}"}.get(found.reason, found.reason.value)
        said_now = {each.contact for each in found.tellings if each.due_at <= self.now}
        self.pending = [each for each in self.pending if each.telling.contact not in said_now]  # one message says both
        self.pending += [Pending(telling, word) for telling in found.tellings]
        self.run = escalate.advance(self.run, found, self.now)
        self._send()

    def _send(self) -> None:
        """Send what is due. What was held asks again, because the policy may have changed meanwhile."""
        due = [each for each in self.pending if each.telling.due_at <= self.now]
        self.pending = [each for each in self.pending if each.telling.due_at > self.now]
        released: set[str] = set()
        for each in due:
            telling = each.telling
            if not telling.reason.holds:
                self._sent(telling, each.word)
            elif telling.via not in released:
                released.add(telling.via)
                self._release(telling.via, each.word)

    def _finds(self, telling: Telling) -> bool:
        """Return whether the policy still has whom a message is for; if not, the new run tells others instead."""
        return bool(self.policy.told([telling.via], self.now))

    def _release(self, via: str, word: str) -> None:
        found = release(self.policy, self.run.escalation, via, self.severity, self.now)
        if found is None:
            self._tell_others(word)
            return
        for telling in found:
            if telling.due_at <= self.now:
                self._sent(telling, f"{word} (held)")
            else:
                self.pending.append(Pending(telling, word))

    def _tell_others(self, word: str) -> None:
        """Route anew, because whom it was held for is gone; one that is over is told by its first step alone."""
        self.reasons.append("routed anew")
        self.run = escalate.begin(first(self.policy.routes, self.subject))
        if self.status is not IncidentStatus.RESOLVED:
            return
        opened = replace(self.facts, status=IncidentStatus.OPEN, run=replace(self.run, wait=timedelta(0)))
        found = escalate.next_step(opened, self.now)
        assert isinstance(found, escalate.Tell)
        self.pending += [Pending(telling, word) for telling in found.tellings]
        self._send()

    def _sent(self, telling: Telling, word: str) -> None:
        if self.status is IncidentStatus.RESOLVED:
            word += ", over"
        channel = "" if telling.contact.channel is ChannelName.EMAIL else f" by {telling.contact.channel}"
        self.said.append(f"{shown(self.now)} {telling.person}{channel}: {word}")
        self.run = replace(self.run, first_sent_at=self.run.first_sent_at or self.now)

    def until(self, text: str, week: int = 0) -> "Story":
        """Let time pass."""
        end = at(text, week)
        while True:
            times = [each.telling.due_at for each in self.pending]
            following = min(filter(None, [*times, self.next_at]), default=None)
            if following is None or following > end:
                self.now = end
                return self
            self.now = max(self.now, following)
            self._send()
            self.decide()

    def fires(self, severity: Severity | None = None) -> "Story":
        """Let the device report it again; a rise is routed anew."""
        over_for = self.now - self.resolved_at if self.resolved_at else timedelta(0)
        reopens = self.status is IncidentStatus.RESOLVED
        rises = severity is not None and severity.rank > self.severity.rank
        self.severity = severity if severity and rises else self.severity
        self.last_firing_at = self.now
        if rises or reopens:
            acknowledged = self.acknowledged_at is not None
            anew = run_clock.starts_anew(self.policy, self.run, over_for, dealt_with=acknowledged)
            self.status, self.acknowledged_at, self.resolved_at = IncidentStatus.OPEN, None, None
            if rises or anew:
                self.run = escalate.begin(first(self.policy.routes, self.subject))
            if reopens and anew:
                self.first_firing_at = self.now
        self.decide()
        if rises:
            self._judge_holds()
        return self

    def _judge_holds(self) -> None:
        """Ask again about all that is held."""
        waiting = [each for each in self.pending if each.telling.reason.holds]
        self.pending = [each for each in self.pending if each not in waiting]
        for via, word in {each.telling.via: each.word for each in reversed(waiting)}.items():
            self._release(via, word)

    def resolves(self) -> "Story":
        """Let the device say that it is over: what isn't held is cancelled."""
        self.status, self.resolved_at = IncidentStatus.RESOLVED, self.now
        self.pending = [each for each in self.pending if each.telling.reason.holds]
        self.decide()
        return self

    def acknowledge(self, snoozed_until: str | None = None) -> "Story":
        """Let a person acknowledge: everything that isn't sent is cancelled."""
        self.status, self.acknowledged_at = IncidentStatus.ACKNOWLEDGED, self.now
        self.snoozed_until = at(snoozed_until) if snoozed_until else None
        self.pending = []
        self.decide()
        return self

    def change(self, rules: Policy) -> "Story":
        """Put another policy in force."""
        self.policy = rules
        self.decide()
        return self


def held(tellings: Iterable[Telling]) -> dict[str, tuple[str, TellReason]]:
    """Return when each person is told, and why then."""
    return {each.person: (shown(each.due_at), each.reason) for each in tellings}


def anything(**changes: Any) -> Subject:
    """Return what a route or silence may match."""
    return replace(
        Subject("door/front", Severity.WARNING, Source.PARTICLE, "3f002b000000000000000000", "Front door"), **changes
    )
