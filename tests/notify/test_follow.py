"""What services say of messages afterwards, and what they are told: by a fake service, on both databases."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest

from alertgate.credential import Credential
from alertgate.group.actions import IncidentActions
from alertgate.group.answers import Answers
from alertgate.group.by_link import LinkAct
from alertgate.ids import new_id
from alertgate.marks import mark
from alertgate.metric_labels import LabelValues
from alertgate.metrics import Metrics
from alertgate.model import (
    Attempt,
    ChannelName,
    Incident,
    IncidentStatus,
    Kind,
    Notification,
    NotificationStatus,
    Resolution,
    Severity,
)
from alertgate.notify.attempt import Sender
from alertgate.notify.channels.base import Followed, Learned, Message, Outcome, Permanent, Reason, Sent, Transient
from alertgate.notify.directory import Directory
from alertgate.notify.follow import (
    MOST_TRIES,
    SENT_AGAIN_AFTER,
    SETTLE_AGAIN,
    SETTLED_WITHIN,
    SETTLES_FOR,
    FollowJob,
)
from alertgate.proof import Proof
from alertgate.states import NOT_BY_ITSELF, waits_for_another
from alertgate.store import (
    Connection,
    alerts,
    attempts,
    failures,
    follow,
    incidents,
    leases,
    notifications,
    tables,
    untold,
)
from alertgate.store.engine import Store
from alertgate.store.leases import Finish, Lease
from alertgate.store.rows import update_rows
from tests.builders import new_alert, new_incident, new_notification
from tests.fakes import START, FakeClock
from tests.scrape import scrape

SENT_AGAIN = ("status", "attempts", "finished_at", "receipt", "follow_at")
NOTHING_NEW = Learned(again_in=timedelta(seconds=10))
TAKEN, OVER = IncidentStatus.ACKNOWLEDGED, IncidentStatus.RESOLVED
PENDING, SENDING, SENT, FAILED, CANCELLED = (
    NotificationStatus.PENDING,
    NotificationStatus.SENDING,
    NotificationStatus.SENT,
    NotificationStatus.FAILED,
    NotificationStatus.CANCELLED,
)


@dataclass
class Service:
    """A channel whose service knows more afterwards: what it says next, what it was asked, what it was told."""

    name: ChannelName = ChannelName.PUSHOVER
    settles: bool = True
    capacity: int = 1
    repeats_safely: bool = False
    says: deque[Learned] = field(default_factory=deque)
    takes: deque[Outcome] = field(default_factory=deque)
    asked: list[Followed] = field(default_factory=list)
    told: list[tuple[str, Message]] = field(default_factory=list)
    before_it_answers: asyncio.Event | None = None
    is_asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, _message, _deadline):
        return Sent("ok")

    async def rehearse(self, _to, _deadline):
        return Sent("ok")

    async def ask(self, sent, _deadline):
        self.asked.append(sent)
        self.is_asked.set()
        if self.before_it_answers:
            await self.before_it_answers.wait()
        return self.says.popleft() if self.says else NOTHING_NEW

    async def settle(self, sent, message, _deadline):
        self.told.append((sent.receipt, message))
        return self.takes.popleft() if self.takes else Sent("cancelled")

    async def close(self):
        pass


@dataclass
class World:
    """A store with sent pushes, a service that knows of them, and the jobs of two processes."""

    store: Store
    clock: FakeClock
    service: Service
    metrics: Metrics
    first: FollowJob
    second: FollowJob
    woken: list[None]

    def sent(self, about: Incident | None = None, **changes) -> Notification:
        """Store a push that was sent and is to be asked about in ten seconds, and its incident."""
        incident = about or new_incident(key=new_id(START), opened_at=START)
        sent = {"channel": self.service.name, "address": "anna", "person": "Anna", "status": SENT, "attempts": 1}
        known = {
            "claimed_at": START,
            "finished_at": START,
            "told": incident.status,
            "shown": mark(incident),
            "proof": Proof.SENT,
        }
        follows = {"receipt": new_id(START), "proved_at": START, "follow_at": START + timedelta(seconds=10)}
        push = new_notification(incident, **{**sent, **known, **follows, **changes})
        with self.store.transaction() as connection:
            if not about:
                incidents.add(connection, [incident])
                alerts.add(connection, [new_alert(incident_id=incident.id, incident_key=incident.key)])
            notifications.add(connection, [push])
        return push

    def taken(self, one: Notification) -> None:
        """Store that the service took a push."""
        with self.store.transaction() as connection:
            attempts.add(connection, [Attempt(new_id(START), one.id, START, 0.1, "sent", Reason.SENT, "ok")])

    def now(self, one: Notification) -> Notification:
        return self.store.read_now(lambda c: notifications.get(c, one.id))

    def counted(self, name: str, **labels: str) -> float | None:
        text, _ = self.metrics.exposition()
        return scrape(text.decode())(f"alertgate_{name}", channel=self.service.name, **labels)

    def incident(self, one: Notification) -> Incident:
        return self.store.read_now(lambda c: incidents.get(c, one.incident_id))

    def becomes(self, one: Notification, status: IncidentStatus, **changes) -> None:
        """Have an incident acknowledged or resolved elsewhere."""
        done = {TAKEN: {"acknowledged_at": START, "acknowledged_by": "Bea"}, OVER: {"resolved_at": START}}
        with self.store.transaction() as connection:
            incidents.save(connection, [replace(self.incident(one), status=status, **done.get(status, {}), **changes)])

    def attempts(self, one: Notification) -> list[tuple[str, str, str]]:
        found = self.store.read_now(lambda c: attempts.of_notifications(c, [one.id]))
        return [(each.outcome, each.reason, each.reply) for each in found]

    async def later(self, job: FollowJob | None = None, **time: float) -> None:
        self.clock.move(**time)
        await (job or self.first).run()


@pytest.fixture
def world(store: Store, make_settings) -> World:
    """A world whose service settles."""
    return make_world(store, make_settings(), Service())


def make_world(store: Store, settings, service: Service) -> World:
    """Return a world with this service."""
    clock = FakeClock()
    metrics = Metrics("test", clock, LabelValues([service.name], (), Reason, (), (), ()))
    sender = Sender(store, settings, clock, metrics, new_id=new_id, chance=lambda: 0.5, zone=lambda: ZoneInfo("UTC"))
    actions = IncidentActions(Directory.of([]), timedelta(minutes=5), new_id)
    answers = Answers({LinkAct.ACKNOWLEDGE: actions.acknowledge})
    woken: list[None] = []

    async def acknowledge(told, by, now):
        await store.write(partial(answers.answer, told=told, credential=Credential.PUSHOVER, now=now, by=by))

    jobs = [
        FollowJob(
            store,
            [service],
            sender,
            acknowledge,
            clock,
            metrics,
            owner=owner,
            new_id=new_id,
            wake=lambda: woken.append(None),
        )
        for owner in ("one", "two")
    ]
    return World(store, clock, service, metrics, *jobs, woken)


@pytest.mark.parametrize("name", [ChannelName.TELEGRAM, ChannelName.PUSHOVER])
async def test_what_is_about_to_say_who_has_it_says_then_that_nobody_has(store, make_settings, name):
    """It was handed back meanwhile: an edited message is edited again, and what rings isn't asked about anew."""
    world = make_world(store, make_settings(), Service(name))
    push, now = world.sent(), world.clock.now()
    world.becomes(push, TAKEN)
    with store.transaction() as connection:
        [due] = follow.due(connection, now, 9, [name], [name])
        [taken] = follow.take(connection, [due], "another", now)
    world.becomes(push, IncidentStatus.OPEN, handed_back_at=now, handed_back_by="Bea")
    with store.transaction() as connection:
        follow.show_open_again(connection, [push.incident_id], now)
        follow.again(connection, taken.notification, None)
    await world.first.run()
    if name is ChannelName.PUSHOVER:
        assert (world.service.told, world.service.asked, world.now(push).follow_at) == ([], [], None)
        return
    [(receipt, message)] = world.service.told
    assert (receipt, "Bea can't after all: nobody has it." in message.text) == (push.receipt, True)
    assert world.now(push).follow_at == START + SETTLES_FOR
    await world.later(seconds=10)
    assert len(world.service.told) == 1
    world.becomes(push, TAKEN)
    await world.later(seconds=10)
    assert "Bea has it" in world.service.told[1][1].text


async def handed_back(world: World, *pushes: Notification) -> None:
    """Have somebody take what these are about, and hand back the first; then what is due is done."""
    for each in pushes:
        world.becomes(each, TAKEN)
    await world.first.run()
    world.becomes(pushes[0], IncidentStatus.OPEN, handed_back_at=world.clock.now(), handed_back_by="Bea")
    with world.store.transaction() as connection:
        follow.show_open_again(connection, [pushes[0].incident_id], world.clock.now())
    await world.first.run()


async def test_what_was_on_its_way_when_somebody_took_it_is_edited_again_too(store, make_settings):
    """It arrived a second later, and says by now who has it."""
    world = make_world(store, make_settings(), Service(ChannelName.TELEGRAM))
    push = world.sent(claimed_at=START - timedelta(seconds=1), finished_at=START + timedelta(seconds=1))
    await handed_back(world, push)
    said = [message.text for _, message in world.service.told]
    assert ["Bea has it" in said[0], "Bea can't after all: nobody has it." in said[1]] == [True, True]


@pytest.mark.parametrize("name", [ChannelName.TELEGRAM, ChannelName.NTFY, ChannelName.PUSHOVER])
async def test_what_nobody_said_is_over_stays_to_be_heard(store, make_settings, name):
    """No more alerts came, and maybe nobody has noticed. Its service is told once its sender says that it is over."""
    world = make_world(store, make_settings(), Service(name))
    push = world.sent()
    world.becomes(push, OVER, resolution=Resolution.SILENCE)
    await world.later(seconds=10)
    assert world.service.told == []
    world.becomes(push, OVER, resolution=Resolution.ALERT)
    await world.later(seconds=1)
    assert [receipt for receipt, _ in world.service.told] == [push.receipt]


@pytest.mark.parametrize("name", [ChannelName.NTFY, ChannelName.PUSHOVER])
async def test_what_only_went_quiet_ends_once_it_begins_anew(store, make_settings, name):
    """Its contact hears of that instead, and has one thing to answer."""
    world = make_world(store, make_settings(), Service(name))
    push, at = world.sent(), START + timedelta(seconds=5)
    world.becomes(push, OVER, resolution=Resolution.SILENCE)
    again = new_incident(id=new_id(at), key=world.incident(push).key, opened_at=at)
    with store.transaction() as connection:
        incidents.add(connection, [again])
        notifications.add(connection, [new_notification(again, channel=name, address="bea")])
    await world.later(seconds=5)
    assert world.service.told == []
    with store.transaction() as connection:
        notifications.add(connection, [new_notification(again, channel=name, address=push.address)])
    await world.later(seconds=1)
    assert [receipt for receipt, _ in world.service.told] == [push.receipt]


async def test_a_digest_goes_on_to_tell_all_that_it_told(store, make_settings):
    """Nobody's answer is ever shown in it, so nothing is put in its place when one of its incidents is handed back."""
    world = make_world(store, make_settings(), Service(ChannelName.TELEGRAM))
    together = {"receipt": "42:7", "digest_id": new_id(START), "follow_at": None, "shown": None}
    pushes = [world.sent(**together), world.sent(**together)]
    await handed_back(world, *pushes)
    assert (world.service.told, world.service.asked, world.now(pushes[0]).follow_at) == ([], [], None)


async def test_the_news_of_a_silence_stays_what_it_is(store, make_settings):
    """Who silenced the device until when is still so, whoever has the incident."""
    world = make_world(store, make_settings(), Service(ChannelName.TELEGRAM))
    news = world.sent(kind=Kind.SILENCE, follow_at=None)
    await handed_back(world, news)
    assert (world.service.told, world.now(news).follow_at) == ([], None)


async def test_a_message_is_asked_about_when_it_is_due(world: World):
    """Not before, and after an answer without news in as long as the service wants."""
    push = world.sent()
    await world.later(seconds=9)
    assert world.service.asked == []
    await world.later(seconds=1)
    [asked] = world.service.asked
    assert (asked.to, asked.receipt, asked.sent_at, asked.proof) == ("anna", push.receipt, START, Proof.SENT)
    await world.later(seconds=9)
    await world.later(seconds=1)
    assert len(world.service.asked) == 2


async def test_proof_is_raised_and_never_lowered(world: World):
    """With when and by what; a rung that comes late changes nothing."""
    push = world.sent()
    seen_at = START + timedelta(seconds=7)
    world.service.says.extend(
        [
            Learned(Proof.SEEN, by="read in the app", at=seen_at, again_in=timedelta(seconds=10)),
            Learned(Proof.DELIVERED, by="on the phone", again_in=timedelta(seconds=10)),
        ]
    )
    await world.later(seconds=10)
    await world.later(seconds=10)
    stored = world.now(push)
    assert (stored.proof, stored.proved_at, stored.proved_by) == (Proof.SEEN, seen_at, "read in the app")
    assert stored.status is SENT
    proved = {proof: world.counted("notifications_proved_total", proof=proof) for proof in Proof}
    assert proved == {Proof.SENT: 0, Proof.DELIVERED: 0, Proof.SEEN: 1, Proof.ACKNOWLEDGED: 0}


async def test_what_is_said_unasked_meanwhile_is_not_lowered(world: World):
    """A callback says more while the service is still being asked, whose older answer comes later."""
    push = world.sent()
    world.service.before_it_answers = asyncio.Event()
    world.service.says.append(Learned(Proof.DELIVERED))
    world.clock.move(seconds=10)
    asking = asyncio.create_task(world.first.run())
    await asyncio.wait_for(world.service.is_asked.wait(), 20)
    told = world.store.read_now(lambda c: follow.by_receipt(c, world.service.name, push.receipt))
    await world.second.learn(told, Learned(Proof.ACKNOWLEDGED, by="Anna"))
    world.service.before_it_answers.set()
    await asking
    assert (world.now(push).proof, world.now(push).proved_by) == (Proof.ACKNOWLEDGED, "Anna")


async def test_who_acknowledges_in_an_app_has_the_incident(world: World):
    """With their name and by what they were let in; what waits for others is cancelled, and nothing more is asked."""
    push = world.sent()
    waiting = new_notification(world.incident(push), address="bea@example.com")
    with world.store.transaction() as connection:
        notifications.add(connection, [waiting])
    world.service.says.append(Learned(Proof.ACKNOWLEDGED, by="Anna's phone"))
    await world.later(seconds=10)
    incident, stored = world.incident(push), world.now(push)
    assert (incident.status, incident.acknowledged_by, incident.acknowledged_with) == (
        TAKEN,
        "Anna's phone",
        Credential.PUSHOVER,
    )
    assert (stored.proof, stored.proved_by) == (Proof.ACKNOWLEDGED, "Anna's phone")
    assert world.now(waiting).status is CANCELLED
    await world.later(seconds=1)
    await world.later(days=3)
    assert (len(world.service.asked), world.now(push).follow_at) == (1, None)


async def test_an_acknowledgement_of_what_became_worse_is_kept_as_proof_alone(world: World):
    """Somebody saw the message; but it didn't say how bad it is now."""
    push = world.sent()
    world.becomes(push, IncidentStatus.OPEN, severity=Severity.CRITICAL)
    world.service.says.append(Learned(Proof.ACKNOWLEDGED, by="Anna"))
    await world.later(seconds=10)
    assert (world.incident(push).status, world.now(push).proof) == (IncidentStatus.OPEN, Proof.ACKNOWLEDGED)


async def test_what_did_not_arrive_for_a_while_is_sent_again_a_few_times(world: World):
    """Pending after a minute with what its service said in the trail, until it was tried as often as it may be."""
    push = world.sent()
    world.taken(push)
    failure = Transient(Reason.UNREACHABLE, "30003 the phone is off")
    for number in range(1, MOST_TRIES):
        world.service.says.append(Learned(failure=failure))
        await world.later(seconds=10)
        stored = world.now(push)
        assert (stored.status, stored.due_at) == (PENDING, world.clock.now() + SENT_AGAIN_AFTER)
        assert (stored.receipt, stored.proof, stored.proved_at, stored.follow_at) == (None, None, None, None)
        assert len(world.woken) == number
        again = replace(
            stored,
            status=SENT,
            attempts=number + 1,
            finished_at=world.clock.now(),
            receipt=new_id(START),
            follow_at=world.clock.now() + timedelta(seconds=10),
        )
        with world.store.transaction() as connection:
            update_rows(connection, tables.notifications, [again], SENT_AGAIN)
        world.taken(again)
    world.service.says.append(Learned(failure=failure))
    await world.later(seconds=10)
    assert (world.now(push).status, world.store.read_now(failures.ids)) == (FAILED, [push.id])
    failed = ("transient", "unreachable", "30003 the phone is off")
    assert [each for each in world.attempts(push) if each[0] != "sent"] == [failed] * MOST_TRIES
    assert world.counted("notifications_failed_total") == 1


async def test_a_wait_that_the_service_wants_is_heeded(world: World):
    """As for any other failure."""
    push = world.sent()
    world.service.says.append(Learned(failure=Transient(Reason.UNREACHABLE, "busy", retry_in=timedelta(minutes=9))))
    await world.later(seconds=10)
    assert world.now(push).due_at == world.clock.now() + timedelta(minutes=9)


async def test_what_can_never_arrive_has_failed_and_is_outstanding(world: World):
    """So that somebody hears of it, although its service had taken it."""
    push = world.sent()
    world.service.says.append(Learned(failure=Permanent(Reason.NO_SUCH_RECIPIENT, "30005 unknown")))
    await world.later(seconds=10)
    assert (world.now(push).status, world.now(push).finished_at) == (FAILED, world.clock.now())
    assert world.store.read_now(failures.ids) == [push.id]
    assert world.attempts(push) == [("permanent", "no_such_recipient", "30005 unknown")]


async def test_what_can_never_arrive_is_not_sent_again_as_after_an_outage(world: World):
    """It was missed once, and sent when its channel worked again; that it didn't arrive is about itself."""
    push = world.sent(missed_since=START)
    world.service.says.append(Learned(failure=Permanent(Reason.NO_SUCH_RECIPIENT, "30005 unknown")))
    await world.later(seconds=10)
    assert world.now(push).status is FAILED
    assert not world.store.read_now(lambda c: untold.any_missed(c, world.service.name))


async def test_what_did_not_arrive_because_of_us_is_told_once_something_arrives(world: World):
    """The sender wasn't registered. Once it is, the next message to its contact shows it."""
    push, other = world.sent(), world.sent(address="ben")
    for _ in (push, other):
        world.service.says.append(Learned(failure=Permanent(Reason.SENDER_REFUSED, "failed 30034")))
    await world.later(seconds=10)
    failed_at = world.clock.now()
    for each in (push, other):
        stored = world.now(each)
        assert (stored.status, stored.missed_since, stored.due_at) == (FAILED, each.due_at, NOT_BY_ITSELF)
    woken = len(world.woken)
    world.sent(follow_at=failed_at + timedelta(seconds=10))
    world.service.says.append(Learned(Proof.DELIVERED, "the carrier's receipt"))
    await world.later(seconds=10)
    assert (world.now(push).due_at, len(world.woken)) == (world.clock.now(), woken + 1)
    assert waits_for_another(world.now(other))


@pytest.mark.parametrize(("resolution", "status"), [(Resolution.ALERT, CANCELLED), (Resolution.SILENCE, PENDING)])
async def test_what_is_over_is_sent_again_only_if_nobody_says_so(world: World, resolution, status):
    """An incident that ended without an all-clear is news to whom the first message didn't reach."""
    push = world.sent(follow_at=START)
    world.service.says.append(Learned(failure=Transient(Reason.UNREACHABLE, "off")))
    world.service.before_it_answers = asyncio.Event()
    asking = asyncio.create_task(world.first.run())
    await asyncio.wait_for(world.service.is_asked.wait(), 20)
    world.becomes(push, OVER, resolution=resolution)
    world.service.before_it_answers.set()
    await asking
    assert world.now(push).status is status


@pytest.mark.parametrize("failure", [Transient(Reason.UNREACHABLE, "off"), Permanent(Reason.REFUSED, "blocked")])
async def test_what_nobody_needs_to_hear_any_more_is_not_sent_again(world: World, failure):
    """Somebody has it meanwhile: the phone isn't rung once more for it, and nobody has to deal with a failure."""
    push = world.sent(follow_at=START)
    world.service.says.append(Learned(failure=failure))
    world.service.before_it_answers = asyncio.Event()
    asking = asyncio.create_task(world.first.run())
    await asyncio.wait_for(world.service.is_asked.wait(), 20)
    world.becomes(push, TAKEN)
    world.service.before_it_answers.set()
    await asking
    assert (world.now(push).status, world.now(push).reason) == (CANCELLED, "acknowledged by Bea")
    assert world.store.read_now(failures.ids) == []


async def test_what_is_sent_again_says_what_waits_for_its_contact(world: World):
    """One message, not two: the later one is part of it."""
    push = world.sent()
    waiting = new_notification(
        world.incident(push), channel=push.channel, address=push.address, kind=Kind.RISE, severity=Severity.CRITICAL
    )
    with world.store.transaction() as connection:
        notifications.add(connection, [waiting])
    world.service.says.append(Learned(failure=Transient(Reason.UNREACHABLE, "off")))
    await world.later(seconds=10)
    assert (world.now(push).status, world.now(push).severity) == (PENDING, Severity.CRITICAL)
    assert world.now(waiting).status is CANCELLED


@pytest.mark.parametrize("status", [TAKEN, OVER])
async def test_a_service_hears_at_once_that_nobody_needs_to_answer(world: World, status):
    """Whoever did it, wherever: it isn't asked any more, and the message says how it stands."""
    push = world.sent(follow_at=START + timedelta(hours=1))
    await world.later(seconds=1)
    assert world.service.told == []
    world.becomes(push, status)
    await world.later(seconds=1)
    [(receipt, message)] = world.service.told
    assert (receipt, message.to) == (push.receipt, "anna")
    assert message.brief is not None
    assert (message.brief.asks, message.brief.over) == (False, status is OVER)
    await world.later(days=1)
    assert (len(world.service.told), world.service.asked) == (1, [])


async def test_a_service_that_needs_not_hear_it_is_asked_further(store: Store, make_settings):
    """A text message can't be called back, but whether it arrived is still of interest."""
    world = make_world(store, make_settings(), Service(ChannelName.TWILIO, settles=False))
    push = world.sent()
    world.becomes(push, OVER)
    await world.later(seconds=1)
    assert (world.service.told, world.service.asked) == ([], [])
    world.service.says.append(Learned(Proof.DELIVERED))
    await world.later(seconds=9)
    assert (world.now(push).proof, world.now(push).follow_at) == (Proof.DELIVERED, None)


async def test_what_is_not_asked_any_more_is_still_told_of_the_end(world: World):
    """As a chat whose buttons are taken away; for two days, after which no service changes a message."""
    early, late = world.sent(), world.sent()
    world.service.says.extend([Learned(Proof.DELIVERED), Learned(Proof.DELIVERED)])
    await world.later(seconds=10)
    await world.later(hours=20)
    assert len(world.service.asked) == 2
    world.becomes(early, TAKEN)
    await world.later(seconds=1)
    assert [receipt for receipt, _ in world.service.told] == [early.receipt]
    world.service.says.append(Learned())
    await world.later(seconds=SETTLES_FOR.total_seconds())
    world.becomes(late, TAKEN)
    await world.later(seconds=1)
    assert (len(world.service.told), world.now(late).follow_at) == (1, None)


async def test_a_service_that_cannot_be_told_now_is_told_again(world: World):
    """Every minute, for some hours; then the log says that it may ring on."""
    push = world.sent(follow_at=START + timedelta(hours=1))
    world.becomes(push, TAKEN)
    world.service.takes.extend([Transient(Reason.CONNECTION, "no route")] * 3)
    await world.later(seconds=1)
    await world.later(seconds=SETTLE_AGAIN.total_seconds() - 1)
    assert len(world.service.told) == 1
    await world.later(seconds=1)
    assert len(world.service.told) == 2
    await world.later(seconds=SETTLED_WITHIN.total_seconds())
    await world.later(hours=1)
    assert (len(world.service.told), world.now(push).follow_at) == (3, None)


def lost(connection: Connection, leased: Notification, now: datetime) -> None:
    """An attempt isn't answered, and another one is to follow."""
    leases.finish(connection, [Finish(leased, PENDING, now, unsure=True)])


def given_up(connection: Connection, leased: Notification, now: datetime) -> None:
    """None is to follow."""
    leases.finish(connection, [Finish(leased, FAILED, now, unsure=True)])


def killed(connection: Connection, leased: Notification, now: datetime) -> None:
    """The process dies before it records what it sent."""
    leases.release_expired(connection, now + timedelta(minutes=1), (), unsure=[leased.channel])


def restarted(connection: Connection, leased: Notification, now: datetime) -> None:
    """As at the next start."""
    leases.release_all(connection, now, unsure=[leased.channel])


def cut_off(connection: Connection, leased: Notification, now: datetime) -> None:
    """The process ends while it sends."""
    leases.release_owned(connection, leased.lease_owner or "", now, unsure=[leased.id])


def unanswered(world: World, ended: Callable[[Connection, Notification, datetime], None], **changes) -> Notification:
    """Store a push whose attempt ended so, before anybody knew what became of it."""
    now = world.clock.now()
    leased = {"status": SENDING, "lease_owner": "one", "lease_until": now + timedelta(minutes=1), "claimed_at": now}
    unknown = {"finished_at": None, "told": None, "proof": None, "receipt": None, "follow_at": None}
    push = world.sent(**{**leased, **unknown, "severity": Severity.CRITICAL, **changes})
    with world.store.transaction() as connection:
        ended(connection, push, now)
    return push


def cancelled_by_tag(world: World) -> list[str]:
    """Return which notifications' messages the service was told of without knowing what it calls them."""
    return [message.brief.notification_id for receipt, message in world.service.told if not receipt]


@pytest.mark.parametrize("ended", [lost, given_up, killed, restarted, cut_off])
async def test_what_may_ring_unseen_ends_once_somebody_has_its_incident(world: World, ended):
    """Nobody heard that it was sent; each is told of by itself, as long as it may ring."""
    first, second = unanswered(world, ended), unanswered(world, ended)
    await world.later(seconds=1)
    assert world.service.told == []
    world.becomes(first, TAKEN)
    with world.store.transaction() as connection:
        notifications.cancel(connection, first.incident_id, "acknowledged by Bea", world.clock.now())
    world.service.takes.append(Transient(Reason.CONNECTION, "no route"))
    await world.later(seconds=1)
    await world.later(minutes=1)
    await world.later(minutes=1)
    assert cancelled_by_tag(world) == [first.id, first.id]
    assert (world.now(first).follow_at, world.now(second).follow_at is None) == (None, False)


async def test_what_may_ring_unseen_ends_though_it_is_sent_as_something_quiet(world: World):
    """By then it is over, and the message that says so doesn't ring in place of the first."""
    push = unanswered(world, lost)
    world.becomes(push, OVER)
    with world.store.transaction() as connection:
        lease = Lease("one", world.clock.now(), world.clock.now() + timedelta(minutes=1))
        [leased] = leases.lease(connection, [push.id], lease)
        leases.finish(connection, [Finish(leased, SENT, world.clock.now(), told=OVER)])
    await world.later(seconds=1)
    assert (cancelled_by_tag(world), world.now(push).follow_at) == ([push.id], None)


@pytest.mark.parametrize(
    "changes", [{"digest_id": "d1"}, {"severity": Severity.WARNING}, {"channel": ChannelName.TELEGRAM}]
)
async def test_what_cannot_ring_is_not_followed_without_an_answer(world: World, changes):
    """A digest, a warning, or what goes by a channel whose messages never do."""
    assert world.now(unanswered(world, lost, **changes)).follow_at is None


@pytest.mark.parametrize("kind", ["sent", "unanswered"])
async def test_a_later_message_rings_in_place_of_the_earlier_one(world: World, kind):
    """Whichever process sent either: one incident rings once on a phone, and of another one, or elsewhere, it rings on.

    Not before the later one rings: it may fail.
    """
    now = world.clock.now()
    earlier = world.sent() if kind == "sent" else unanswered(world, given_up)
    about, later = world.incident(earlier), now + timedelta(seconds=9)
    world.sent()
    elsewhere = world.sent(about, address="bea", claimed_at=later)
    failed = world.sent(about, status=FAILED, claimed_at=later, receipt=None, follow_at=None)
    quiet = world.sent(about, claimed_at=later, receipt=None, follow_at=None)
    await world.later(seconds=9)
    assert world.service.told == []
    reminder = world.sent(about, claimed_at=later)
    await world.later(world.second, seconds=0)
    [(receipt, message)] = world.service.told
    assert (receipt, message.brief.notification_id) == (earlier.receipt or "", earlier.id)
    followed = [world.now(each).follow_at is not None for each in (earlier, elsewhere, failed, quiet, reminder)]
    assert followed == [False, True, False, False, True]
    assert world.incident(earlier).status is IncidentStatus.OPEN


async def test_what_rang_before_the_clock_was_set_back_does_not_replace_what_rings_since(world: World):
    """It only seems to be later. The reminder rings in its place, also once the clock has caught up."""
    before = world.sent(claimed_at=START + timedelta(hours=2))
    reminder = world.sent(world.incident(before), claimed_at=START + timedelta(seconds=9))
    for time in ({"seconds": 9}, {"hours": 2}):
        await world.later(**time)
        assert [message.brief.notification_id for _, message in world.service.told] == [before.id]
    assert (world.now(before).follow_at is None, world.now(reminder).follow_at is None) == (True, False)


async def test_who_answered_just_before_a_later_message_came_is_heard(world: World):
    """They see the later one ring, and have done enough."""
    earlier = world.sent()
    world.sent(world.incident(earlier), claimed_at=START + timedelta(seconds=5))
    world.service.says.append(Learned(Proof.ACKNOWLEDGED))
    await world.later(seconds=5)
    assert world.incident(earlier).status is TAKEN
    await world.later(seconds=5)
    assert len(world.service.told) == 2


async def test_two_processes_share_what_is_to_be_asked(world: World):
    """Each message is asked about once, whoever looks first."""
    pushes = [world.sent(address=f"person {number}") for number in range(5)]
    world.clock.move(seconds=10)
    await asyncio.gather(world.first.run(), world.second.run())
    assert sorted(each.receipt for each in world.service.asked) == sorted(push.receipt or "" for push in pushes)


async def test_a_process_that_dies_while_it_asks_is_replaced(world: World):
    """After a minute another one asks; the late answer of the first one still counts, as proof is never lowered."""
    push = world.sent()
    world.service.before_it_answers = asyncio.Event()
    world.service.says.extend([Learned(Proof.SEEN), Learned(Proof.DELIVERED)])
    world.clock.move(seconds=10)
    hanging = asyncio.create_task(world.first.run())
    await asyncio.wait_for(world.service.is_asked.wait(), 20)
    await world.later(world.second, seconds=59)
    assert len(world.service.asked) == 1
    world.service.is_asked.clear()
    world.clock.move(seconds=1)
    other = asyncio.create_task(world.second.run())
    await asyncio.wait_for(world.service.is_asked.wait(), 20)
    world.service.before_it_answers.set()
    await asyncio.gather(hanging, other)
    assert (len(world.service.asked), world.now(push).proof) == (2, Proof.SEEN)


async def test_the_members_of_a_digest_are_one_message(world: World):
    """It is asked about once; what is proved of it is proved of each, and its failure is each one's."""
    members = [world.sent(receipt="r1", digest_id="d1", shown=None) for _ in range(3)]
    world.service.says.extend(
        [
            Learned(Proof.DELIVERED, again_in=timedelta(seconds=10)),
            Learned(failure=Permanent(Reason.REFUSED, "blocked")),
        ]
    )
    await world.later(seconds=10)
    assert (len(world.service.asked), {world.now(each).proof for each in members}) == (1, {Proof.DELIVERED})
    await world.later(seconds=10)
    assert {world.now(each).status for each in members} == {FAILED}
    assert [len(world.attempts(each)) for each in members] == [1, 1, 1]


async def test_a_digest_rings_until_all_that_it_tells_is_dealt_with(world: World):
    """One of its incidents that somebody has doesn't end the alarm of another."""
    first, second = (world.sent(receipt="r1", digest_id="d1", shown=None) for _ in range(2))
    world.becomes(first, TAKEN)
    await world.later(seconds=1)
    assert world.service.told == []
    world.becomes(second, OVER)
    await world.later(seconds=1)
    assert [receipt for receipt, _ in world.service.told] == ["r1"]


async def test_a_process_without_a_channel_leaves_what_was_sent_on_it_to_others(world: World):
    """Its token is set in another replica alone, or was taken out for a moment: who answers is still heard then."""
    push = world.sent(channel=ChannelName.TELEGRAM)
    await world.later(seconds=10)
    assert (world.service.asked, world.now(push).follow_at) == ([], push.follow_at)


async def test_messages_of_two_chats_are_not_confused(world: World):
    """A service may number the messages of each chat by themselves."""
    anna, bea = world.sent(receipt="7"), world.sent(receipt="7", address="bea")
    world.becomes(anna, TAKEN)
    await world.later(seconds=1)
    assert [message.to for _, message in world.service.told] == ["anna"]
    assert world.now(bea).follow_at is not None


async def test_without_followers_nothing_is_read(world: World):
    """A gate that only mails asks nothing of its database for this."""
    idle = FollowJob(
        None,
        [],
        None,
        None,
        world.clock,
        world.metrics,
        owner="three",
        new_id=new_id,
        wake=lambda: None,
    )
    await idle.run()
