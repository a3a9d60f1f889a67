"""Claim what is due on a channel: hold what is silenced or untimely, let `flood` and `budget` choose, lease that.

All of it is one write transaction, and there is one at a time in the whole database, on PostgreSQL too: replicas count
each other's messages, and no two of them claim for one contact at the same time.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from alertgate.addresses import mask
from alertgate.channel_kinds import AS_MAIL
from alertgate.contact_state import Due, Recent
from alertgate.links import Links, fingerprint
from alertgate.marks import ANSWERED_BY_SERVICE, mark
from alertgate.model import ChannelName, Incident, Kind, Notification
from alertgate.notify.budget import PERIOD, Budget, DailyLimit, affordable, budget, limit_of
from alertgate.notify.context import SHOWN_ALERTS, Outgoing, Snapshot
from alertgate.notify.course import SAYS_COURSE, Course
from alertgate.notify.directory import Directory
from alertgate.notify.escalator import Escalator
from alertgate.notify.evidence import Tried
from alertgate.notify.flood import MINUTE, REMEMBERED, Dispatch, FloodRules, choose
from alertgate.notify.hours import may_hold, without_untimely
from alertgate.notify.missed import Untold, is_missed
from alertgate.notify.mute import in_force, without_silenced
from alertgate.policy.silences import by_link, lasting
from alertgate.silence import Silence
from alertgate.store import Connection, alerts, claims, escalations, incidents, leases, links, silences, untold, upkeep
from alertgate.store.claims import Since
from alertgate.store.escalations import StoredRun
from alertgate.store.leases import CLOCK_SKEW, Lease

LEASE = timedelta(seconds=60)

log = structlog.stdlib.get_logger("alertgate.deliver")


@dataclass(frozen=True, slots=True)
class Claim:
    """What one process claims: up to `slots` messages on one channel. With `probe`, one message to a paused channel."""

    channel: ChannelName
    slots: int
    now: datetime
    probe: bool = False
    without: frozenset[str] = frozenset()
    """Recipients that wait for a probe, or, for a probe, as their services asked."""
    paused_at: datetime | None = None
    """Since when the channel is paused in this process."""
    holds_own: bool = False
    """Whether what says that deliveries fail waits, because the channel is away in this process, or just was."""
    in_doubt: bool = False
    """Whether it isn't clear if the channel refuses us, a recipient or a message."""
    tried: tuple[Tried, ...] = ()
    """What failed since the channel last worked, the latest last: a probe prefers another recipient or message."""

    def eligible(self, going: Sequence[Dispatch]) -> list[Dispatch]:
        """Return what may be claimed; for a probe, what failed the longest time ago first."""
        if self.probe:
            return sorted(going, key=self._last_failures)
        return list(going)

    def alone(self, due: Sequence[Due]) -> list[Due]:
        """Return the members of the digests that were tried last, if it may be one of them alone that is refused.

        A probe in doubt tries these by themselves after it tried them together, in turns.
        """
        if not (self.probe and self.in_doubt):
            return []
        last = {each.address: each.message for each in self.tried}
        members = [each for each in due if each.digest_id and each.digest_id == last.get(each.address)]
        number = Counter(each.digest_id for each in members)
        return [each for each in members if number[each.digest_id] > 1]

    def _last_failures(self, dispatch: Dispatch) -> tuple[int, int]:
        first = dispatch.members[0]
        message = Tried(first.address, dispatch.digest_id or first.id)
        addresses = [each.address for each in self.tried]
        last = max((place for place, address in enumerate(addresses) if address == first.address), default=-1)
        return last, self.tried.index(message) if message in self.tried else -1


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """The claimed messages, the most severe first, and when something that waits may go."""

    messages: tuple[Outgoing, ...] = ()
    again_at: datetime | None = None
    works_elsewhere: bool = False
    """For a probe that found nothing: whether another process has sent something on the channel since the pause."""

    @property
    def nothing_to_probe_with(self) -> bool:
        """For a probe: whether there is neither a message nor another process that shows how the channel is."""
        return not self.messages and not self.works_elsewhere


class Claimer:
    """Claims for the process `owner`. `daily_limits` are those of accounts; `new_id` returns an id for a time.

    `device_name` returns the name of a device's id, if it has one. By the `links` of messages people find what they are
    about, before the messages go out.

    What was given up on is told to contacts of the directory alone: others aren't in the policy any more, or not now.
    """

    def __init__(
        self,
        rules: FloodRules,
        daily_limits: Sequence[DailyLimit],
        directory: Directory,
        *,
        owner: str,
        new_id: Callable[[datetime], str],
        device_name: Callable[[str | None], str | None] = lambda _: None,
        links: Links | None = None,
    ) -> None:
        self._links = links
        self._device_name = device_name
        self._directory = directory
        self._escalator = Escalator(directory, device_name)
        self._rules = rules
        self._daily_limits = daily_limits
        self._owner = owner
        self._new_id = new_id

    def claim(self, connection: Connection, wanted: Claim) -> ClaimResult:
        """Lease what is to be sent now, and read what it is about."""
        shared = limit_of(wanted.channel, self._daily_limits)
        limit = shared.limit
        if wanted.probe and wanted.paused_at and not wanted.in_doubt:
            # What the upkeep notes every few seconds, too: the clock may have been set in between, by hours.
            upkeep.note_missed(connection, wanted.channel, wanted.paused_at, wanted.now)
        missed = untold.any_missed(connection, wanted.channel)
        silenced = in_force(connection, wanted.now)
        holds = silenced or may_hold(self._directory.policy, wanted.now)
        most = None if self._rules.limit or limit or missed or wanted.probe or holds else wanted.slots
        due = self._due(connection, wanted, missed=missed, most=most)
        due = without_silenced(connection, due, silenced, self._device_name, wanted.now)
        due = without_untimely(connection, due, self._escalator, wanted.now)
        due = self._without_own(connection, due, wanted)
        if wanted.probe and not due:
            since = wanted.paused_at or wanted.now
            if claims.works_elsewhere(connection, wanted.channel, since):
                return ClaimResult(works_elsewhere=True)
            # Better than no probe at all: it would never be seen that the channel works again.
            which: dict[str, Any] = {"probe": True, "with_own": True, "without": wanted.without}
            own = claims.due(connection, wanted.channel, wanted.now, most=most, **which)
            due = without_untimely(connection, own, self._escalator, wanted.now)
        if not due:
            return ClaimResult()
        used = claims.messages_sent(connection, shared.channels, wanted.now, PERIOD) if limit else 0
        rules = self._rules_for(wanted, budget(used, limit))
        alone = wanted.alone(due)
        ids = {each.id for each in alone}
        recent = self._recent(connection, wanted, due, rules)
        choice = choose((each for each in due if each.id not in ids), recent, wanted.now, rules)
        alone = [replace(each, digest_id=None, missed_since=None) for each in alone]
        going = wanted.eligible((*choice.going, *choose(alone, recent, wanted.now, rules).going))
        going = list(going if wanted.probe else affordable(going, used, limit))[: wanted.slots]
        return ClaimResult(self._lease(connection, going, wanted), choice.again_at)

    def _due(self, connection: Connection, wanted: Claim, *, missed: bool, most: int | None) -> list[Due]:
        """Return what is due, also if it was given up on, and may be claimed."""
        which: dict[str, Any] = {"probe": wanted.probe, "without": wanted.without}
        due = claims.due(connection, wanted.channel, wanted.now, most=most, with_own=not wanted.holds_own, **which)
        if missed:
            given_up = untold.given_up(connection, wanted.channel, wanted.now, **which)
            due += [each for each in given_up if self._directory.people((wanted.channel, each.address))]
        return due

    @staticmethod
    def _without_own(connection: Connection, due: list[Due], wanted: Claim) -> list[Due]:
        """Leave out what says that deliveries fail, if what was missed goes now or just went: it may be over then."""
        own = claims.about_delivery(connection, wanted.channel) if due else set()
        if not own.intersection(each.id for each in due):
            return due
        goes = any(is_missed(each.missed_since, wanted.now) for each in due if each.id not in own)
        if goes or untold.told_since(connection, wanted.channel, wanted.now - MINUTE):
            return [each for each in due if each.id not in own]
        return due

    def _rules_for(self, wanted: Claim, level: Budget) -> FloodRules:
        """Return the rules; a probe is one message in minutes, so only the last part of the daily limit stops it."""
        if wanted.probe:
            return replace(self._rules, limit=0, budget=Budget.PLENTY if level is Budget.LOW else level)
        return replace(self._rules, budget=level)

    @staticmethod
    def _recent(connection: Connection, wanted: Claim, due: Sequence[Due], rules: FloodRules) -> dict[str, Recent]:
        if not rules.limit and rules.budget is not Budget.LOW:
            return {}
        now = wanted.now
        since = Since(now - MINUTE, now - rules.interval, now - REMEMBERED, now + CLOCK_SKEW)
        return claims.recent(connection, wanted.channel, {each.address for each in due}, since)

    def _lease(self, connection: Connection, going: Sequence[Dispatch], wanted: Claim) -> tuple[Outgoing, ...]:
        """Lease what each message carries, and read what that is about."""
        lease = Lease(self._owner, wanted.now, wanted.now + LEASE)
        ids = [each.members[0].id for each in going if each.is_alone]
        leased = {each.id: each for each in leases.lease(connection, ids, lease)}
        messages = [
            [leased[each.members[0].id]] if each.is_alone else self._digest(connection, each, lease) for each in going
        ]
        if self._links:
            firsts = [members[0].id for members in messages]
            links.keep(connection, {each: fingerprint(self._links.token(each)) for each in firsts})
        before = [any(member.claimed_at for member in each.members) for each in going]
        read = with_contents(connection, messages)
        found = tuple(replace(each, claimed_before=was) for each, was in zip(read, before, strict=True))
        if wanted.channel in ANSWERED_BY_SERVICE:
            alone = [each.snapshots[0] for each in found if not each.is_digest]
            links.keep_shown(connection, {each.notification.id: mark(each.incident) for each in alone})
        return found

    def _digest(self, connection: Connection, dispatch: Dispatch, lease: Lease) -> list[Notification]:
        """Lease the members of a digest, the most severe first; those of a new one are sent together from now on."""
        digest_id = dispatch.digest_id or self._new_id(lease.now)
        if not dispatch.digest_id:
            log.info(
                "digest.claimed",
                detail="many notifications to one recipient go as one message",
                digest_id=digest_id,
                to=mask(dispatch.members[0].address),
                number=len(dispatch.members),
                reason=dispatch.reason,
            )
        members = leases.lease(connection, [each.id for each in dispatch.members], lease, digest_id)
        return sorted(members, key=lambda member: -member.severity.rank)


def with_contents(connection: Connection, messages: Sequence[Sequence[Notification]]) -> tuple[Outgoing, ...]:
    """Return the messages with what they report. A digest shows no alerts; that of what was missed counts them."""
    about = incidents.by_id(connection, {each.incident_id for members in messages for each in members})
    begun = _begun([each for members in messages for each in members], connection)
    found = [Outgoing(tuple(_snapshot(each, about, begun) for each in members)) for members in messages]
    showing = [each for each in found if each.missed_since or not each.is_digest]
    ids = [notification.id for outgoing in showing for notification in outgoing.notifications]
    earlier = {id_: Untold(*what) for id_, what in untold.earlier(connection, ids).items()}
    alone = [each for each in found if not each.is_digest]
    courses, running = _courses(connection, alone), _running(connection, alone)
    return tuple(_with_alerts(connection, outgoing, earlier, courses, running) for outgoing in found)


def _snapshot(notification: Notification, about: Mapping[str, Incident], begun: Sequence[Silence]) -> Snapshot:
    incident = about[notification.incident_id]
    if notification.kind is not Kind.SILENCE:
        return Snapshot(notification, incident)
    return Snapshot(notification, incident, silence=lasting(by_link(begun, incident), notification.created_at))


def _begun(notifications: Sequence[Notification], connection: Connection) -> list[Silence]:
    """Return the silences that these may tell of."""
    since = [each.created_at for each in notifications if each.kind is Kind.SILENCE]
    return silences.over_after(connection, min(since)) if since else []


def _courses(connection: Connection, alone: Sequence[Outgoing]) -> dict[str, Course]:
    """Return how far the escalation has come of each incident whose message says so."""
    ids = {each.first.incident_id for each in alone if each.first.kind in SAYS_COURSE}
    if not ids:
        return {}
    runs, people = escalations.of_incidents(connection, ids), escalations.people_told(connection, ids)
    found = {}
    for incident_id in ids:
        told = people.get(incident_id, [])
        reached = tuple(name for name, is_sent in told if is_sent)
        unreached = tuple(name for name, is_sent in told if not is_sent)
        run = runs.get(incident_id)
        found[incident_id] = Course(reached, unreached, run.reminders if run else 0)
    return found


def _running(connection: Connection, alone: Sequence[Outgoing]) -> dict[str, StoredRun]:
    """Return the escalation of each incident whose message isn't a mail: a service may ring as often as it says."""
    ids = {each.first.incident_id for each in alone if each.first.channel not in AS_MAIL}
    return escalations.of_incidents(connection, ids) if ids else {}


def _with_alerts(
    connection: Connection,
    outgoing: Outgoing,
    earlier: Mapping[str, Untold],
    courses: Mapping[str, Course],
    running: Mapping[str, StoredRun],
) -> Outgoing:
    if outgoing.missed_since:
        news = untold.news(connection, [each.id for each in outgoing.notifications])
        counted = (
            replace(each, news=news.get(each.notification.id, 0), earlier=earlier.get(each.notification.id))
            for each in outgoing.snapshots
        )
        return Outgoing(tuple(counted))
    if outgoing.is_digest:
        return outgoing
    [snapshot] = outgoing.snapshots
    latest = alerts.latest(connection, snapshot.incident.id, SHOWN_ALERTS)
    first = alerts.first(connection, snapshot.incident.id) if len(latest) == SHOWN_ALERTS else None
    run = running.get(snapshot.incident.id)
    shown = replace(
        snapshot,
        alerts=tuple(latest),
        first=first,
        earlier=earlier.get(snapshot.notification.id),
        course=courses.get(snapshot.incident.id),
        escalation=run.escalation if run else None,
        first_sent_at=run.first_sent_at if run else None,
    )
    return Outgoing((shown,))
