"""An escalation beside an obvious model: one that looks at everything in each minute, and counts minutes."""

from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from alertgate.model import IncidentStatus, Severity
from alertgate.policy.escalations import Escalation
from alertgate.policy.policy import Policy
from alertgate.policy.routes import Route
from alertgate.policy.schedules import Schedule, Turn
from alertgate.policy.written import read_hours
from tests.builders import examples
from tests.policies import BERLIN, Story, at, escalation, person, policy, shown, step

MINUTE = timedelta(minutes=1)
QUIET = ("", "22:30-06:30", "23:00-05:00 except critical", "12:00-13:00", "fri 20:00-24:00, sat sun 00:00-24:00")
DESK = "mon-fri 09:00-17:00"
"""When somebody, who is never quiet, is on call."""
HOURS = ("", "mon-fri 08:00-18:00", "06:00-23:00")


class Model:
    """One incident, minute by minute. Nothing is computed ahead."""

    def __init__(self, rules: Policy, home: Escalation, wait: timedelta, story: Story) -> None:
        self.people, self.home, self.wait = rules.people, home, wait
        self.opens: dict[datetime, datetime] = {}
        self.now = self.first_firing_at = story.now
        self.severity, self.status = story.severity, IncidentStatus.OPEN
        self.acknowledged_at: datetime | None = None
        self.snoozed_until: datetime | None = None
        self.resolved_at: datetime | None = None
        self.said: list[str] = []
        self.held: dict[str, str] = {}
        self.begin()

    def begin(self) -> None:
        """Begin the first step anew."""
        self.step, self.stand_ins = 0, ()
        self.step_at = self.reminded_at = self.sent_at = None
        self.reminders, self.gave_up = 0, False

    # What is so in one minute

    def is_quiet(self, name: str, minute: datetime) -> bool:
        """Return whether a person is told nothing now."""
        quiet = self.people[name].quiet
        return bool(quiet and quiet.hold(self.severity) and quiet.hours.contain(minute, BERLIN))

    def is_open(self, minute: datetime) -> bool:
        """Return whether it is within the escalation's hours."""
        return self.home.hours is None or self.home.hours.contain(minute, BERLIN)

    def opening(self, minute: datetime) -> datetime:
        """Return this minute, or the next one within the hours."""
        if minute not in self.opens:
            later = minute
            while not self.is_open(later):
                later += MINUTE
            self.opens[minute] = later
        return self.opens[minute]

    def behind(self, names: tuple[str, ...], minute: datetime) -> tuple[str, ...]:
        """Return the people behind a step's names."""
        desk = ("desk",) if read_hours(DESK).contain(minute, BERLIN) else ()
        return tuple(person for name in names for person in (desk if name == "@desk" else (name,)))

    def somebody_hears(self, names: tuple[str, ...], minute: datetime) -> bool:
        """Return whether one of them is awake within the hours."""
        return self.is_open(minute) and (not names or any(not self.is_quiet(name, minute) for name in names))

    def minutes(self, start: datetime) -> list[datetime]:
        """Return all minutes since then, without this one."""
        return [start + number * MINUTE for number in range((self.now - start) // MINUTE)]

    def heard(self, names: tuple[str, ...], start: datetime, span: timedelta) -> datetime | None:
        """Return the minute at which they have heard for so long; None if it is still to come."""
        left = span
        for minute in [*self.minutes(start), self.now]:
            if left <= timedelta(0) and self.somebody_hears(names, minute):
                return minute
            left -= MINUTE * self.somebody_hears(names, minute)
        return None

    # What is due

    @property
    def audience(self) -> tuple[str, ...]:
        """All who were told by the steps so far; everybody, if nobody is behind them now and it is critical."""
        names = (name for each in self.home.steps[: self.step] for name in each.notify)
        told = self.behind(tuple(dict.fromkeys(names)), self.now) if self.step else self.stand_ins
        return told or (tuple(self.people) if self.step_at and self.severity is Severity.CRITICAL else ())

    def step_due(self) -> tuple[datetime, str, int, tuple[str, ...]] | None:
        """Return since when a step is due, which, and whom it tells."""
        due = self.first_left_due()
        if due is None:
            return None
        for number, each in enumerate(self.home.steps[self.step :], self.step + 1):
            if self.behind(each.notify, self.opening(self.now)):
                return due[0], due[1] if number == self.step + 1 else "nobody_on_call", number, each.notify
        if self.step_at is None and self.severity is Severity.CRITICAL:
            return due[0], "stand_in", 0, tuple(self.people)
        return None

    def first_left_due(self) -> tuple[datetime, str] | None:
        """Return since when the first step that is left is due."""
        if self.step == len(self.home.steps):
            return None
        after = self.home.steps[self.step].after
        if self.step == 0:
            due = self.step_at or self.first_firing_at + self.wait + after
            return (due, "first_step") if due <= self.now else None
        assert self.step_at is not None
        before = self.behind(self.home.steps[self.step - 1].notify, self.step_at)
        if not before:
            return self.step_at, "nobody_on_call"
        if self.severity is not Severity.CRITICAL:
            found = self.heard(before, self.step_at, after)
            return (found, "next_step") if found else None
        over = self.heard((), self.step_at, after)
        for minute in [*self.minutes(self.step_at), self.now]:
            if over and minute >= over:
                break
            if all(self.is_quiet(name, minute) for name in before):
                return minute, "all_quiet"
        return (over, "next_step") if over else None

    def reminder_due(self) -> datetime | None:
        """Return since when the next reminder is due."""
        every = self.home.repeat_every
        if every is None or self.gave_up or self.step_at is None or self.reminded_at is None or not self.audience:
            return None
        found = self.heard(self.audience, self.reminded_at, every)
        hears_since = self.step_at if self.step_at <= self.now else self.reminded_at
        due = max(found, hears_since + every / 2) if found else None
        return due if due and due <= self.now and self.somebody_hears(self.audience, self.now) else None

    def tell(self, names: tuple[str, ...], word: str, knowing: tuple[str, ...] = ()) -> None:
        """Tell those who are awake and don't know; the others hear it at the end of their quiet hours."""
        for name in names:
            for each in set(self.behind((name,), self.opening(self.now))).difference(knowing):
                if self.is_quiet(each, self.now) or not self.is_open(self.now):
                    self.held.setdefault(name, word)
                else:
                    self.say(each, word)

    def say(self, name: str, word: str) -> None:
        """Send one message."""
        over = ", over" if self.status is IncidentStatus.RESOLVED else ""
        self.held.pop(name, None)  # this message says it, too
        self.said.append(f"{shown(self.now)} {name}: {word}{over}")
        self.sent_at = self.sent_at or self.now

    def look(self) -> None:
        """Do what is due in this minute."""
        if self.snoozed_until and self.snoozed_until <= self.now:
            self.acknowledged_at = self.snoozed_until = None
            self.status = IncidentStatus.OPEN
            self.begin()
        while self.status is IncidentStatus.OPEN and (self.is_open(self.now) or self.step_at is None):
            reminder, step = self.reminder_due(), self.step_due()
            running = self.home.repeat_every and self.step_at and not self.gave_up and self.sent_at
            if running and self.audience and self.heard(self.audience, self.sent_at, self.home.stop_after):
                self.gave_up = True
                self.tell(self.audience, "nobody_answered")
            elif reminder and (step is None or reminder <= step[0]):
                self.reminders, self.reminded_at = self.reminders + 1, self.now
                awake = tuple(name for name in self.audience if not self.is_quiet(name, self.now))
                self.tell(awake, f"reminder {self.reminders}")
            elif step:
                first, knowing = self.step_at is None, self.stand_ins if self.step == 0 else ()
                _, word, self.step, names = step
                self.stand_ins = names if self.step == 0 else ()
                self.step_at = self.opening(self.now)
                waited_for = () if self.severity is Severity.CRITICAL else self.behind(names, self.step_at)
                while not self.somebody_hears(waited_for, self.step_at):
                    self.step_at += MINUTE
                self.reminded_at = self.step_at if first else self.reminded_at
                self.tell(names, word, knowing)
            else:
                break

    def until(self, end: datetime) -> None:
        """Let time pass."""
        while self.now < end:
            self.now += MINUTE
            self.look_at_holds()
            self.look()

    def look_at_holds(self) -> None:
        """Tell what was held to those who hear now."""
        for name, word in list(self.held.items()):
            heard_by = self.behind((name,), self.now)
            if heard_by and self.somebody_hears(heard_by, self.now):
                del self.held[name]
                for each in heard_by:
                    self.say(each, f"{word} (held)")


class EscalationMachine(RuleBasedStateMachine):
    """Alerts and people do what they like; the story must be the model's."""

    @initialize(
        quiet=st.tuples(*[st.sampled_from(QUIET)] * 3),
        steps=st.lists(
            st.tuples(
                st.sampled_from(["0s", "1m", "10m", "25m", "3h"]),
                st.sets(st.sampled_from("abc"), min_size=1) | st.just({"@desk"}) | st.just({"a", "@desk"}),
            ),
            min_size=1,
            max_size=3,
        ),
        every=st.sampled_from(["", "6m", "20m", "44m"]),
        hours=st.sampled_from(HOURS),
        wait=st.sampled_from([0, 7]),
        severity=st.sampled_from(Severity),
        begins=st.sampled_from(["mon 12:00", "mon 22:00", "fri 17:50", "sat 03:00"]),
    )
    def begin(self, quiet, steps, every, hours, wait, severity, begins):
        """Open an incident."""
        people = [*(person(name, hours) for name, hours in zip("abc", quiet, strict=True)), person("desk")]
        desk = Schedule("desk", (Turn(("desk",), frozenset(range(7)), read_hours(DESK)),), BERLIN)
        durations = {"repeat_every": every} if every else {}
        home = escalation(
            *(step(*sorted(names), after=after) for after, names in steps), hours=hours, stop_after="2h", **durations
        )
        rules = policy(people, [home], [Route("home", wait=wait * MINUTE)], [desk])
        self.story = Story(rules, begins, severity)
        self.model = Model(rules, home, wait * MINUTE, self.story)
        self.model.look()
        self.moment = at(begins)

    @rule(minutes=st.sampled_from([1, 10, 11, 60, 400]))
    def time_passes(self, minutes):
        """Let time pass, at most a few hours."""
        self.moment += minutes * MINUTE
        self.story.until(shown(self.moment), week=(self.moment - at("mon 00:00")).days // 7)
        self.model.until(self.moment)

    @precondition(lambda self: self.story.status is IncidentStatus.OPEN)
    @rule(snooze=st.booleans())
    def somebody_acknowledges(self, snooze):
        """Acknowledge, or snooze for an hour."""
        until = self.moment + 60 * MINUTE if snooze else None
        self.story.acknowledge()
        self.story.snoozed_until = self.model.snoozed_until = until
        self.story.decide()
        self.model.status, self.model.acknowledged_at = IncidentStatus.ACKNOWLEDGED, self.moment
        self.model.held.clear()

    @precondition(lambda self: self.story.status is IncidentStatus.OPEN)
    @rule()
    def it_is_over(self):
        """Let the device say so."""
        self.story.resolves()
        self.model.status, self.model.resolved_at = IncidentStatus.RESOLVED, self.moment

    @precondition(lambda self: self.story.status is IncidentStatus.RESOLVED)
    @rule()
    def it_fires_again(self):
        """Let the device reopen it."""
        self.story.fires()
        model = self.model
        steps = model.home.steps
        after = steps[model.step].after if model.step < len(steps) else timedelta(0)
        awaited = after if model.step_at else model.wait + after
        assert model.resolved_at is not None
        anew = model.acknowledged_at is not None or self.moment - model.resolved_at >= awaited
        model.status, model.acknowledged_at = IncidentStatus.OPEN, None
        if anew:
            model.first_firing_at = self.moment
            model.begin()
        model.look()

    @precondition(lambda self: self.story.severity is Severity.WARNING and self.story.status is IncidentStatus.OPEN)
    @rule()
    def it_becomes_critical(self):
        """Let the severity rise."""
        self.story.fires(Severity.CRITICAL)
        self.model.severity = Severity.CRITICAL
        self.model.begin()
        self.model.look()
        self.model.look_at_holds()

    @invariant()
    def the_story_is_the_models(self):
        """Everybody has heard the same, at the same minute."""
        if hasattr(self, "story"):
            # Nobody cares for the order within one minute.
            assert sorted(self.story.said) == sorted(self.model.said)
            assert {each.telling.via for each in self.story.pending} == set(self.model.held)


TestEscalation = EscalationMachine.TestCase
TestEscalation.settings = settings(deadline=None, max_examples=examples(80), stateful_step_count=12)
