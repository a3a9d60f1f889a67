"""What is looked at, and from which facts it follows that people are told."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alertgate.accept import audit_trouble, channel_trouble, disk_trouble, limit_trouble
from alertgate.accept.disk_trouble import Space
from alertgate.model import ChannelName, Severity, Target
from alertgate.notify.breaker import ChannelState
from alertgate.notify.channels.base import CHANNEL_WIDE, Reason
from alertgate.notify.evidence import Doubt, Evidence, Tried
from alertgate.prove.audit import Audit, AuditFinding
from alertgate.prove.cause_words import CAUSES
from alertgate.prove.troubles import Cause
from tests.fakes import START

EMAIL, SMS = ChannelName.EMAIL, ChannelName.SMS
UP = ChannelState()
PAUSED = ChannelState(
    failures=3, paused_at=START, probe_at=START, reason=Reason.CONNECTION, reply="no route to bob@example.org"
)
MINUTE = timedelta(minutes=1)


ME, YOU, TEXT = (EMAIL, "me@example.com"), (EMAIL, "you@example.org"), (SMS, "555@sms.example.net")


def doubting(*who: Target) -> ChannelState:
    """Return the state of a channel that is paused for these recipients alone."""
    doubts = tuple(Doubt(Tried(address, "message"), "words", START, START) for _, address in who)
    return replace(PAUSED, in_doubt=True, evidence=Evidence(doubts))


@pytest.mark.parametrize(
    ("email", "sms", "targets", "waiting", "severity"),
    [
        (PAUSED, UP, [ME, TEXT], Severity.CRITICAL, Severity.CRITICAL),
        (PAUSED, UP, [ME, TEXT], Severity.WARNING, Severity.WARNING),
        (PAUSED, UP, [ME, TEXT], None, Severity.INFO),
        (PAUSED, UP, [ME], Severity.INFO, Severity.CRITICAL),
        (PAUSED, PAUSED, [ME, TEXT], None, Severity.CRITICAL),
        (PAUSED, None, [ME], Severity.INFO, Severity.CRITICAL),
        (PAUSED, doubting(), [ME, TEXT], Severity.INFO, Severity.INFO),
        (PAUSED, doubting(TEXT), [ME, TEXT], Severity.INFO, Severity.CRITICAL),
        (doubting(ME), None, [ME, YOU], Severity.WARNING, Severity.WARNING),
        (doubting(ME), None, [ME], Severity.WARNING, Severity.CRITICAL),
        (doubting(ME, YOU), None, [ME, YOU], Severity.WARNING, Severity.CRITICAL),
        (doubting(ME, YOU), UP, [ME, YOU, TEXT], Severity.WARNING, Severity.WARNING),
    ],
)
def test_a_pause_is_as_bad_as_what_waits_and_critical_where_nobody_can_be_told(email, sms, targets, waiting, severity):
    """A channel that works and reaches nobody is none; one recipient in doubt isn't everybody, unless it is."""
    states = {EMAIL: email} | ({SMS: sms} if sms else {})
    pause = channel_trouble.judge(EMAIL, states, targets, waiting, START + MINUTE)
    assert pause == channel_trouble.Pause(Cause.CHANNEL_CONNECTION, severity, "no route to b***@example.org", START)


@pytest.mark.parametrize(("seconds", "told"), [(0, False), (59.9, False), (60, True), (1e6, True), (-1, True)])
def test_a_short_pause_is_not_told(seconds, told):
    """Nor is a channel that is up; a clock that was set back since doesn't hide a pause."""
    now = START + timedelta(seconds=seconds)
    assert (channel_trouble.judge(EMAIL, {EMAIL: PAUSED}, [ME], None, now) is not None) is told
    assert channel_trouble.judge(EMAIL, {EMAIL: UP}, [ME], None, now) is None


@pytest.mark.parametrize("reason", sorted(CHANNEL_WIDE))
def test_each_reason_that_pauses_a_channel_has_its_cause(reason):
    """With its own remedy."""
    states = {EMAIL: replace(PAUSED, reason=reason)}
    pause = channel_trouble.judge(EMAIL, states, [ME], None, START + MINUTE)
    assert pause
    assert pause.cause is channel_trouble.CAUSES[reason]


def test_a_reason_without_a_cause_is_told_all_the_same():
    """With the advice to read the server's answer."""
    states = {EMAIL: replace(PAUSED, reason=None)}
    pause = channel_trouble.judge(EMAIL, states, [ME], None, START + MINUTE)
    assert pause
    assert pause.cause is Cause.CHANNEL_REFUSED


LIMIT = limit_trouble.Level


@pytest.mark.parametrize(
    ("sent", "levels"),
    [
        ([0, 399, 400, 399, 350, 349, 399], "room room near near near room room"),
        ([399, 400], "unknown near"),
        ([399, 349], "unknown room"),
        ([400, 475, 500, 475, 400, 350, 349], "near near reached reached reached reached room"),
        ([900], "reached"),
    ],
)
def test_the_daily_limit_is_near_from_80_percent_until_below_70(sent, levels):
    """It gets worse but not better before it is over; between both, a new process leaves what was told as it is."""
    level, found = LIMIT.UNKNOWN, []
    for each in sent:
        level = limit_trouble.after(level, each, 500)
        found.append(level.name.lower())
    assert " ".join(found) == levels


def test_without_a_limit_there_is_room():
    """Also if a former process has told that it is near."""
    assert limit_trouble.after(LIMIT.NEAR, 0, 0) is LIMIT.ROOM


MB, GB = 10**6, 10**9


@pytest.mark.parametrize(
    ("total", "free", "levels"),
    [
        (32 * GB, [GB, 499 * MB, 501 * MB, 749 * MB, 750 * MB], "room low low low room"),
        (4 * GB, [300 * MB, 199 * MB, 19 * MB, 299 * MB, 300 * MB], "room low full full room"),
        (2000 * GB, [600 * MB, 400 * MB], "unknown low"),
        (4 * GB, [250 * MB, 400 * MB], "unknown room"),
        (0, [0], "room"),
    ],
)
def test_a_disk_is_almost_full_below_a_twentieth_or_500_mb(total, free, levels):
    """The smaller of both; it is over at half as much again."""
    level, found = disk_trouble.Level.UNKNOWN, []
    for each in free:
        level = disk_trouble.after(level, Space(total, total - each, each))
        found.append(level.name.lower())
    assert " ".join(found) == levels


def test_free_space_is_said_with_its_unit():
    """Of a card of 16 GB."""
    assert disk_trouble.say(Space(16 * GB, 0, 312 * MB)) == "312 MB of 16.0 GB"


def audited(seconds: float, **found: list[str]) -> Audit:
    """Return an audit some seconds after the start."""
    return Audit(START + timedelta(seconds=seconds), {AuditFinding(name): ids for name, ids in found.items()})


def test_a_finding_must_last_a_minute():
    """A restart of the database is over by then; what disappears in between begins anew."""
    since, lasting = {}, []
    for audit in (
        audited(0, unreadable=["away"], overdue=["n"], nobody_told=[]),
        audited(45, unreadable=[], overdue=["n"]),
        audited(60, unreadable=["away"], overdue=["n"]),
        audited(105, unreadable=["away"]),
        audited(120, unreadable=["away"]),
    ):
        since = audit_trouble.found_since(since, audit)
        lasting.append([str(each) for each in audit_trouble.lasting(since, audit)])
    assert lasting == [[], [], ["overdue"], [], ["unreadable"]]


def test_each_finding_has_its_cause():
    """A new one can't be forgotten."""
    assert set(audit_trouble.CAUSES) == set(AuditFinding)
    assert set(audit_trouble.CAUSES.values()) < set(CAUSES)


def test_a_finding_is_as_bad_as_the_worst_that_it_holds_up():
    """It names how many, and the first of them; what is about alertgate alone is none."""
    severities = {"d": Severity.INFO, "a": Severity.CRITICAL, "c": Severity.INFO, "b": Severity.WARNING}
    assert audit_trouble.weigh(severities) == (Severity.CRITICAL, "4 (a, b, c, …)")
    assert audit_trouble.weigh({"a": Severity.INFO}) == (Severity.INFO, "1 (a)")
    assert audit_trouble.weigh({}) is None
