"""The parts of a gate that are made of several others."""

import random
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from alertgate import __version__
from alertgate.accept.device_reports import DeviceReporter
from alertgate.accept.device_turn import Turn
from alertgate.accept.device_watch_job import DeviceWatch
from alertgate.accept.record import Recorder, Result
from alertgate.accept.watch import DiskUsage, Watched
from alertgate.answers import Verdict
from alertgate.clock import Clock
from alertgate.config import Settings
from alertgate.credential import Credential
from alertgate.group.actions import IncidentActions
from alertgate.group.answers import Answers
from alertgate.group.by_link import LinkAct
from alertgate.group.portions import Doer
from alertgate.group.silencing import Silencer
from alertgate.ids import Ids
from alertgate.metric_labels import LabelValues
from alertgate.metrics import Metrics
from alertgate.model import ChannelName, Notification, Target
from alertgate.notify import linking
from alertgate.notify.attempt import Sender
from alertgate.notify.budget import Budget, channels_at, daily_limits
from alertgate.notify.channels.base import Channel, Reason
from alertgate.notify.channels.telegram_bot import Bot
from alertgate.notify.claim import Claimer
from alertgate.notify.deliver import Deliverer
from alertgate.notify.directory import Directory
from alertgate.notify.escalation_job import EscalationJob
from alertgate.notify.escalator import Escalator
from alertgate.notify.flood import FloodRules
from alertgate.notify.follow import FollowJob
from alertgate.notify.holds import Releaser
from alertgate.notify.lane import DeliveryTimes
from alertgate.notify.telegram_answers import TelegramAnswers
from alertgate.notify.telegram_poll import TelegramPoll
from alertgate.notify.test_send import TestSend, send_tests
from alertgate.notify.tester import Tester
from alertgate.notify.turns import TurnTaker
from alertgate.notify.upkeep import NotificationUpkeep
from alertgate.periodic import Job
from alertgate.policy.device_names import DeviceNames
from alertgate.policy.keeper import PolicyKeeper
from alertgate.prove.audit import AuditFinding, Auditor
from alertgate.prove.outstanding import FailureWatch
from alertgate.session import Session
from alertgate.store import Connection
from alertgate.store.engine import Store
from alertgate.topic import Topic
from alertgate.web.acts import log_act
from alertgate.web.console.lookout import Lookout
from alertgate.web.guards import Guard
from alertgate.web.limits import RateBudget


def doers(actions: IncidentActions, silencer: Silencer) -> dict[LinkAct, Doer]:
    """Return what people can do by the links of messages."""
    return {
        LinkAct.ACKNOWLEDGE: actions.acknowledge,
        LinkAct.SNOOZE: actions.snooze,
        LinkAct.RESOLVE: actions.resolve,
        LinkAct.SILENCE: silencer.silence_device,
        LinkAct.UNSILENCE: silencer.unsilence_device,
        LinkAct.HAND_BACK: actions.hand_back,
    }


def metrics(channels: Sequence[Channel], clock: Clock) -> Metrics:
    """Return the metrics, with every label value that there can be."""
    labels = LabelValues(
        channels=[channel.name for channel in channels],
        results=Result,
        reasons=Reason,
        findings=AuditFinding,
        guards=Guard,
        budgets=RateBudget,
    )
    return Metrics(__version__, clock, labels)


def auditor(store: Store, deliverer: Deliverer, settings: Settings, clock: Clock, metrics: Metrics) -> Auditor:
    """Return what looks whether everybody was told."""
    limits = daily_limits(settings)
    return Auditor(
        store,
        clock,
        metrics,
        working=lambda: [name for name, state in deliverer.states.items() if state.up],
        held=lambda: channels_at(limits, deliverer.budgets, Budget.RESERVE),
        stopped=lambda: channels_at(limits, deliverer.budgets, Budget.EXHAUSTED),
        interval=settings.grouping.interval,
    )


def watched(
    settings: Settings,
    policies: PolicyKeeper,
    directory: Directory,
    deliverer: Deliverer,
    auditor: Auditor,
    failures: FailureWatch,
    disk_usage: DiskUsage,
) -> Watched:
    """Return what the gate watches of itself."""
    is_on_disk = settings.sqlite_file is not None or settings.mail_host is None  # the database, or the outbox
    return Watched(
        policies=policies,
        states=lambda: deliverer.states,
        directory=directory,
        failures=failures,
        usage=lambda: deliverer.usage,
        latest_audit=lambda: auditor.latest,
        disk=settings.data_dir if is_on_disk else None,
        disk_usage=disk_usage,
    )


def lookout(
    store: Store,
    clock: Clock,
    metrics: Metrics,
    deliverer: Deliverer,
    auditor: Auditor,
    policies: PolicyKeeper,
    directory: Directory,
) -> Lookout:
    """Return what tells those who look at the console what has changed."""

    def states() -> dict[Topic, object]:
        channels = [(name, state.paused_at, state.reason, state.reply) for name, state in deliverer.states.items()]
        found = auditor.latest.found if auditor.latest else None
        return {Topic.CHANNELS: (channels, found), Topic.PEOPLE: policies.current.digest}

    def lets_in(session: Session) -> bool:  # API_TOKEN, by which the others were let in, is the same until a restart
        return session.person is None or session.person in directory.policy.people

    return Lookout(store, clock, metrics, states, lets_in)


def sender(
    store: Store,
    directory: Directory,
    settings: Settings,
    clock: Clock,
    metrics: Metrics,
    ids: Ids,
    device_name: DeviceNames,
) -> Sender:
    """Return what renders and sends messages."""
    return Sender(
        store,
        settings,
        clock,
        metrics,
        new_id=ids,
        chance=random.random,
        zone=lambda: directory.policy.readers_zone,
        device_name=device_name,
        links=linking.links_of(settings),
        escalation=lambda name: directory.policy.escalation(name),  # noqa: PLW0108  (of the policy in force by then)
    )


def deliverer(
    store: Store,
    channels: Sequence[Channel],
    directory: Directory,
    settings: Settings,
    clock: Clock,
    metrics: Metrics,
    ids: Ids,
    times: DeliveryTimes,
    sends: Sender,
    device_name: DeviceNames,
) -> Deliverer:
    """Return what delivers on all channels."""
    owner, made = secrets.token_hex(8), linking.links_of(settings)
    names = [channel.name for channel in channels]
    rules = FloodRules(settings.flood_limit, settings.grouping.interval)
    return Deliverer(
        store,
        channels,
        Claimer(
            rules,
            daily_limits(settings),
            directory,
            owner=owner,
            new_id=ids,
            device_name=device_name,
            links=made,
        ),
        sends,
        NotificationUpkeep(
            store,
            settings,
            clock,
            metrics,
            channels=names,
            directory=directory,
            owner=owner,
            unsure=[channel.name for channel in channels if not channel.repeats_safely],
        ),
        clock,
        metrics,
        owner=owner,
        chance=random.random,
        times=times,
    )


def escalations(
    store: Store,
    directory: Directory,
    settings: Settings,
    clock: Clock,
    metrics: Metrics,
    ids: Ids,
    device_name: DeviceNames,
) -> EscalationJob:
    """Return what takes the turns of escalations."""
    escalator, interval = Escalator(directory, device_name), settings.grouping.interval
    turns, releaser = TurnTaker(escalator, interval, ids), Releaser(escalator, interval, ids)
    return EscalationJob(store, escalator, turns, releaser, clock, metrics)


def device_watch(
    store: Store,
    recorder: Recorder,
    directory: Directory,
    settings: Settings,
    clock: Clock,
    ids: Ids,
    metrics: Metrics,
    device_name: DeviceNames,
    wake: Callable[[], None],
) -> DeviceWatch:
    """Return what watches the devices."""
    reporter = DeviceReporter(recorder, directory, ids, settings.severities, device_name.configured)
    turn = Turn(reporter, _owner(store), settings.grouping.interval, ids)
    return DeviceWatch(store, turn, directory, clock, metrics=metrics, wake=wake, names=settings.devices)


def follower(
    store: Store,
    channels: Sequence[Channel],
    sends: Sender,
    answers: Answers,
    clock: Clock,
    metrics: Metrics,
    ids: Ids,
    wake: Callable[[], None],
    device_name: Callable[[str | None], str | None],
) -> FollowJob:
    """Return what asks services what became of messages."""

    async def acknowledge(told: Notification, by: str | None, now: datetime) -> None:
        credential = ANSWERED_WITH[told.channel]
        answered = await store.write(lambda connection: answers.answer(connection, told, credential, now, by=by))
        if answered.done:
            log_act(*answered.done)
            wake()

    return FollowJob(
        store,
        channels,
        sends,
        acknowledge,
        clock,
        metrics,
        owner=secrets.token_hex(8),
        new_id=ids,
        wake=wake,
        device_name=device_name,
    )


def listeners(
    store: Store,
    directory: Directory,
    answers: Answers,
    settings: Settings,
    clock: Clock,
    wake: Callable[[], None],
    pace: float,
    names: DeviceNames,
) -> list[Job]:
    """Return what hears people's answers from services that must be asked for them."""
    if settings.telegram_token is None:
        return []

    def act(
        connection: Connection, told: Notification, by: str | None, act: str, now: datetime
    ) -> tuple[Verdict, Callable[[], None]]:
        answered = answers.answer(connection, told, ANSWERED_WITH[told.channel], now, by=by, act=LinkAct(act))

        def then() -> None:
            if answered.done:
                log_act(*answered.done)
                wake()

        return answered.verdict, then

    heard = TelegramAnswers(act, lambda target: bool(directory.people(target)), names)
    token = settings.telegram_token.get_secret_value()
    return [TelegramPoll(Bot(settings), store, heard, clock, token=token, owner=_owner(store), pace=pace)]


def _owner(store: Store) -> str:
    """Return what this process is called in a lease.

    Of SQLite's one process at a time each takes over from the last one at once, also after a crash.
    """
    return secrets.token_hex(8) if store.dialect == "postgresql" else "the only process"


ANSWERED_WITH = {
    ChannelName.PUSHOVER: Credential.PUSHOVER,
    ChannelName.TELEGRAM: Credential.TELEGRAM,
    ChannelName.TWILIO: Credential.TWILIO,
    ChannelName.CALL: Credential.TWILIO,
}
"""By what whoever answers on a channel is let in."""


PROOF_WAIT = timedelta(seconds=5)
"""For how long a service that knows more later is asked how far a test got, while somebody waits for the page."""


def tester(channels: Sequence[Channel], directory: Directory, settings: Settings, clock: Clock, ids: Ids) -> Tester:
    """Return what sends test messages at somebody's request."""

    async def send(targets: Sequence[Target]) -> Sequence[TestSend]:
        zone = directory.policy.readers_zone
        return await send_tests(settings, targets, channels, zone, clock, ids, wait=PROOF_WAIT)

    return Tester(send, clock)
