"""Whatever doors, people, nights and the policy do, in whatever order: nobody sleeping is woken, and nothing is lost.

A life is driven by chance, and what it says is held against sentences that must be true of all lives.
"""

from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import NamedTuple
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select

from alertgate.accept.record import Recorder
from alertgate.accept.rulings import Understood
from alertgate.credential import Credential
from alertgate.group.actions import Action, IncidentActions
from alertgate.group.silencing import Silencer
from alertgate.model import (
    ChannelName,
    Hold,
    Incident,
    IncidentStatus,
    Kind,
    Notification,
    NotificationStatus,
    Resolution,
    Severity,
    Signal,
)
from alertgate.notify.claim import Claim, Claimer
from alertgate.notify.directory import Directory
from alertgate.notify.escalator import Escalator
from alertgate.notify.flood import FloodRules
from alertgate.notify.holds import Releaser
from alertgate.notify.turns import TurnTaker
from alertgate.rules import GroupingRules
from alertgate.store import escalations, holds, incidents, leases
from alertgate.store.engine import Store
from alertgate.store.leases import Finish
from alertgate.store.tables import notifications
from alertgate.uuid7 import uuid7
from tests.builders import examples, for_any, new_alert, one_life
from tests.flow.household import MINUTE, escalation, person, policy, route, step

EVENING = datetime(2026, 11, 23, 21, 0, tzinfo=ZoneInfo("Europe/Berlin"))
RULES = GroupingRules(timedelta(minutes=5), timedelta(minutes=30))
DOORS = ["front", "back"]
OWNER, PARTNER = person("owner", "22:30-06:30"), person("partner", "23:00-07:00", unless=None)
NEIGHBOUR = person("neighbour", slow=3)
NAGS = escalation(
    "nags", step("owner"), step("partner", "neighbour", after=10), repeat_every=7 * MINUTE, stop_after=60 * MINUTE
)
CALM = escalation("calm", step("owner", "partner"), step("neighbour", after=20, min_severity=Severity.CRITICAL))
POLICIES = [
    policy((OWNER, PARTNER, NEIGHBOUR), (NAGS, CALM), (route("nags", min_severity=Severity.WARNING), route("calm"))),
    policy((OWNER, NEIGHBOUR), (escalation("nags", step("owner", "neighbour")),)),
    policy((PARTNER,), (escalation("other", step("partner")),)),
    policy((OWNER, PARTNER, NEIGHBOUR), (CALM,)),
]
AGAIN = frozenset({Kind.REMINDER, Kind.UNANSWERED, Kind.HANDOFF, Kind.SILENCE})
"""Kinds whose news isn't in their incident: it is that nobody reacts, or that somebody has silenced it."""


class Said(NamedTuple):
    """What one contact was told about one incident, and when."""

    address: str
    incident: Incident
    notification: Notification
    at: datetime


class Lives(RuleBasedStateMachine):
    """Two doors, three people, and nights."""

    store: Store
    """It is left as it was: each life is one transaction, which is rolled back."""

    def __init__(self) -> None:
        super().__init__()
        self.transaction = ExitStack()
        self.connection = self.transaction.enter_context(one_life(self.store))
        self.ids, self.now, self.policy, self.said = count(), EVENING, POLICIES[0], list[Said]()
        self.left: dict[str, datetime] = {}
        """When somebody was last taken out of the policy: what changed meanwhile isn't told to them."""
        directory = Directory(lambda: self.policy, {ChannelName.EMAIL})
        self.escalator = Escalator(directory)
        self.recorder = Recorder(RULES, directory, self.new_id)
        self.actions = IncidentActions(directory, RULES.interval, self.new_id)
        self.silencer = Silencer(self.new_id, tell=self.actions.tell_silenced)
        self.turns = TurnTaker(self.escalator, RULES.interval, self.new_id)
        self.releaser = Releaser(self.escalator, RULES.interval, self.new_id)
        self.claimer = Claimer(FloodRules(0, RULES.interval), (), directory, owner="me", new_id=self.new_id)

    @initialize(hours=st.sampled_from([0, 2]), severity=st.sampled_from([*Severity, None]))
    def begin(self, hours: int, severity: Severity | None) -> None:
        """Begin in the evening, or when people sleep; maybe with a door that has just been opened."""
        self.now += timedelta(hours=hours)
        if severity:
            self.publish("front", severity, is_alarm=True)

    @rule(door=st.sampled_from(DOORS), severity=st.sampled_from(Severity), is_alarm=st.booleans())
    def publish(self, door: str, severity: Severity, *, is_alarm: bool) -> None:
        """A door says something."""
        self.now += timedelta(seconds=1)
        signal = Signal.FIRING if is_alarm else Signal.RESOLVED
        alert = new_alert(signal=signal, severity=severity, incident_key=f"particle:{door}:e", device=door)
        alert = replace(alert, id=self.new_id(self.now), received_at=self.now)
        self.recorder.record(self.connection, [Understood(alert)])
        self.round()

    @rule(door=st.sampled_from(DOORS), act=st.sampled_from(["acknowledge", "snooze", "hand_back", "resolve"]))
    def act(self, door: str, act: str) -> None:
        """Somebody does something about it."""
        self.now += timedelta(seconds=1)
        key = f"particle:{door}:e"
        found = incidents.last(self.connection, [key]).get(key)
        if found and found.status is not IncidentStatus.RESOLVED:
            getattr(self.actions, act)(self.connection, Action(found.id, "partner", Credential.API_TOKEN, self.now))
            self.round()

    @rule(door=st.sampled_from(DOORS), minutes=st.sampled_from([4, 45, None]))
    def silence(self, door: str, minutes: int | None) -> None:
        """Somebody silences the door for an hour by a message's link, and may end that some minutes later."""
        self.now += timedelta(seconds=1)
        key = f"particle:{door}:e"
        if found := incidents.last(self.connection, [key]).get(key):
            pressed = ChannelName.EMAIL, "partner@example.com"
            action = Action(found.id, "partner", Credential.LINK, self.now, timedelta(hours=1), pressed)
            self.silencer.silence_device(self.connection, action)
            self.round()
            if minutes:
                self.wait(minutes)
                self.silencer.unsilence_device(self.connection, replace(action, now=self.now))
                self.round()

    @rule(minutes=st.sampled_from([1, 4, 11, 45, 240, 600]))
    def wait(self, minutes: int) -> None:
        """Time passes, and what becomes due is sent."""
        for pace in [1] * min(minutes, 12) + [15] * (max(minutes - 12, 0) // 15):
            self.now += timedelta(minutes=pace)
            self.round()
        incidents.resolve_quiet(self.connection, RULES, self.now)

    @rule(number=st.integers(0, len(POLICIES) - 1))
    def change(self, number: int) -> None:
        """The policy is read anew."""
        self.policy = POLICIES[number]
        self.now += timedelta(seconds=1)
        gone = {each.address for each in self.said if each.address.split("@")[0] not in self.policy.people}
        self.left |= dict.fromkeys(gone, self.now)
        escalations.look_again(self.connection, self.now)
        holds.look_again(self.connection, self.now)
        self.round()

    def round(self) -> None:
        """Do what the background jobs do at one time."""
        while self.turns.take(self.connection, self.now, 100):
            pass
        while self.releaser.release(self.connection, self.now, 100):
            pass
        self.releaser.send(self.connection, self.now)
        while messages := self.claimer.claim(self.connection, Claim(ChannelName.EMAIL, 100, self.now)).messages:
            for snapshot in (each for message in messages for each in message.snapshots):
                one, about = snapshot.notification, snapshot.incident
                self.said.append(Said(one.address, about, one, self.now))
                end = Finish(one, NotificationStatus.SENT, self.now, told=about.status)
                assert leases.finish(self.connection, [end]) == [True]
        self.check_reminded()

    def check_reminded(self) -> None:
        """Whoever has what is critical excepted from their night is told of it when others are to be reminded of it."""
        now = [each for each in self.said if each.at == self.now and each.notification.kind is Kind.REMINDER]
        for said in now:
            if said.incident.severity is Severity.CRITICAL:
                n = notifications.c
                waits = select(n.kind).where(n.status == "pending", n.hold == Hold.QUIET_HOURS)
                waits = waits.where(n.created_at < said.notification.created_at)
                owner = waits.where(n.address == "owner@example.com", n.incident_id == said.incident.id)
                assert self.connection.execute(owner).all() == [], said

    @invariant()
    def nobody_asleep_is_woken(self) -> None:
        """What was sent in somebody's quiet hours is so severe that they except it."""
        for said in self.said:
            asleep = {"owner@example.com": OWNER, "partner@example.com": PARTNER}.get(said.address)
            assert asleep is None or not asleep.quiet_until(said.at, said.notification.severity), said

    @invariant()
    def nothing_is_told_twice(self) -> None:
        """Each message about an incident has news, but for those that are sent because nobody reacts."""
        news = [(each.address, each.incident) for each in self.said if each.notification.kind not in AGAIN]
        assert [said for said, times in Counter(news).items() if times > 1] == []

    @invariant()
    def nobody_is_told_that_an_open_door_is_closed(self) -> None:
        """The last word about an incident isn't that it is over while it is open and nothing waits to say so."""
        last_said = {(each.address, each.incident.id): each for each in self.said}
        found = incidents.by_id(self.connection, {incident_id for _, incident_id in last_said})
        for (address, incident_id), said in last_said.items():
            last = found[incident_id]
            if said.incident.status is IncidentStatus.RESOLVED and last.status is IncidentStatus.OPEN:
                waits = self.waiting(address, last) or self.runs(last)
                was_gone = self.left.get(address, said.at) > said.at
                assert waits or was_gone, (said, last)

    def waiting(self, address: str, about: Incident) -> bool:
        """Return whether something waits to be told to a contact about an incident."""
        n = notifications.c
        pending = select(n.id).where(n.address == address, n.incident_id == about.id, n.status == "pending")
        return self.connection.execute(pending).first() is not None

    def runs(self, about: Incident) -> bool:
        """Return whether an incident's escalation goes on: the steps decide who hears of it."""
        found = escalations.get(self.connection, about.id)
        return found is not None and found.next_at is not None

    def teardown(self) -> None:
        """Let two days pass: then nothing waits, and of everything that a person didn't end somebody has heard."""
        try:
            for _ in range(2 * 48):
                self.now += timedelta(minutes=30)
                self.round()
            n = notifications.c
            left = select(n.id, n.kind, n.hold, n.due_at, n.reason).where(n.status == "pending", n.due_at <= self.now)
            assert self.connection.execute(left).all() == []
            heard = {each.incident.id for each in self.said}
            for door in DOORS:
                self.check_heard(f"particle:{door}:e", heard)
        finally:
            self.connection.get_transaction().rollback()
            self.transaction.close()

    def check_heard(self, key: str, heard: set[str]) -> None:
        """Whoever opened it, it was told; or nobody had to hear of it, because it was acknowledged or fired again."""
        from alertgate.store.tables import incidents as table  # noqa: PLC0415

        ids = self.connection.execute(select(table.c.id).where(table.c.key == key).order_by(table.c.id)).scalars().all()
        found = incidents.by_id(self.connection, ids)
        for place, incident_id in enumerate(ids):
            one = found[incident_id]
            known = one.acknowledged_at or one.resolution is Resolution.PERSON
            assert known or heard & set(ids[place:]), one

    def new_id(self, at: datetime) -> str:
        """Return an id, in order even within a microsecond, so that a failing life can be lived again."""
        return uuid7(at, next(self.ids).to_bytes(8, "big"))


def test_nobody_asleep_is_woken_and_nothing_is_lost(store):
    """In any order of alerts, people's acts, hours and changes of the policy."""
    machine = type("Machine", (Lives,), {"store": store})
    run_state_machine_as_test(machine, settings=settings(for_any, max_examples=examples(30), stateful_step_count=25))
