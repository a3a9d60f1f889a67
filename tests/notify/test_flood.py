"""Which notifications to one contact go alone, which as a digest, and which wait."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.contact_state import Due, Recent
from alertgate.model import Kind, Severity
from alertgate.notify.budget import Budget
from alertgate.notify.flood import (
    GATHER,
    MINUTE,
    MOST,
    REMEMBERED,
    Choice,
    Dispatch,
    FloodReason,
    FloodRules,
    choose,
    decide,
)
from alertgate.notify.missed import MISSED_AFTER
from alertgate.notify.parts import part_ids
from tests.builders import for_any
from tests.fakes import START

ME = "me@example.com"
RULES = FloodRules(limit=5, interval=timedelta(minutes=5))
CRITICAL, WARNING, INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO


def seconds(number: float) -> datetime:
    """Return the time so many seconds after the start."""
    return START + timedelta(seconds=number)


def due(number: int, severity: Severity = WARNING, kind: Kind = Kind.OPENING, **changes) -> Due:
    """Return a notification that is due at the start, with changes."""
    return replace(Due(f"n{number}", ME, severity, kind, START), **changes)


def many(count: int, severity: Severity = WARNING, kind: Kind = Kind.OPENING, **changes) -> list[Due]:
    """Return so many of them."""
    return [due(number, severity, kind, **changes) for number in range(count)]


def sizes(choice: Choice) -> list[tuple[int, FloodReason]]:
    """Return the number of members of each message that goes, and why it goes."""
    return [(len(each.members), each.reason) for each in choice.going]


FEW, ALONE = (1, FloodReason.FEW), (1, FloodReason.CRITICAL)
LAST_WEEK = Recent()
FLOODED_BEFORE = Recent(digest_at=START - timedelta(hours=20))
DIGEST_A_MINUTE_AGO = Recent(messages=1, digest_at=START - timedelta(seconds=61))


@pytest.mark.parametrize(
    ("waiting", "recent", "now", "going", "waits"),
    [
        pytest.param([], LAST_WEEK, 0, [], None, id="nothing is due"),
        pytest.param(many(5), LAST_WEEK, 0, [FEW] * 5, None, id="five go alone"),
        pytest.param(many(7), LAST_WEEK, 0, [FEW] * 5, (FloodReason.GATHERING, 3), id="the rest is gathered"),
        pytest.param(many(7), LAST_WEEK, 2.9, [FEW] * 5, (FloodReason.GATHERING, 3), id="for three seconds"),
        pytest.param(many(7), Recent(messages=5), 3, [(7, FloodReason.MANY)], None, id="and is one digest then"),
        pytest.param(many(9), LAST_WEEK, 9, [FEW] * 5 + [(4, FloodReason.MANY)], None, id="after a pause all goes"),
        pytest.param(
            many(2), DIGEST_A_MINUTE_AGO, 5, [], (FloodReason.DIGEST_WAS_SENT, 239), id="one digest an interval"
        ),
        pytest.param(
            [*many(2), due(9, CRITICAL, Kind.UPDATE)],
            DIGEST_A_MINUTE_AGO,
            3,
            [(3, FloodReason.MANY)],
            None,
            id="one a minute while something critical waits, which takes the rest along",
        ),
        pytest.param(many(200), FLOODED_BEFORE, 0, [], (FloodReason.GATHERING, 3), id="all returns are gathered"),
        pytest.param(many(200), FLOODED_BEFORE, 3, [(200, FloodReason.MANY)], None, id="and are one message"),
        pytest.param(many(1), FLOODED_BEFORE, 3, [(1, FloodReason.ONLY_ONE)], None, id="one alone is no digest"),
        pytest.param(
            many(1), Recent(messages=5), 3, [], (FloodReason.MINUTE_IS_FULL, 60), id="the sixth alone waits a minute"
        ),
        pytest.param(many(1), Recent(messages=5), 60, [(1, FloodReason.ONLY_ONE)], None, id="but no longer"),
        pytest.param(many(5, CRITICAL), DIGEST_A_MINUTE_AGO, 0, [ALONE] * 5, None, id="critical openings don't wait"),
        pytest.param(
            many(5, CRITICAL, Kind.RISE), Recent(messages=9), 0, [ALONE] * 5, None, id="nor do critical rises"
        ),
        pytest.param(
            many(1, CRITICAL, Kind.RESOLUTION), FLOODED_BEFORE, 0, [], (FloodReason.GATHERING, 3), id="critical ends do"
        ),
        pytest.param(
            many(7, CRITICAL), Recent(critical=4), 0, [ALONE, *[FEW] * 4], (FloodReason.GATHERING, 3), id="up to five"
        ),
        pytest.param(
            [*many(5), due(9, CRITICAL)],
            Recent(messages=5),
            0,
            [ALONE],
            (FloodReason.GATHERING, 3),
            id="critical first",
        ),
        pytest.param(
            many(6, claimed_at=START - timedelta(seconds=59)),
            Recent(messages=6),
            0,
            [(1, FloodReason.AGAIN)] * 6,
            None,
            id="a retry within the minute is counted already",
        ),
        pytest.param(many(MOST + 6), FLOODED_BEFORE, 3, [(MOST, FloodReason.MANY)], None, id="a digest has a limit"),
    ],
)
def test_what_goes_and_what_waits(waiting, recent, now, going, waits):
    """Each rule, at its edge."""
    choice = decide(waiting, recent, seconds(now), RULES)
    assert sizes(choice) == going
    assert choice.again_at == (seconds(waits[1]) if waits else None)
    assert [wait.reason for wait in choice.waits] == ([waits[0]] if waits else [])


IN_D1 = {"digest_id": "d1", "claimed_at": START - timedelta(minutes=2)}


@pytest.mark.parametrize(
    ("digest_at", "now", "going"),
    [
        (START - timedelta(minutes=2), 0, [(3, FloodReason.AGAIN)]),
        (START - timedelta(minutes=1), 0, []),
        (START - timedelta(minutes=1), 240, [(3, FloodReason.AGAIN)]),
    ],
    ids=["it was the last", "another went since", "and that is an interval ago"],
)
def test_a_digest_goes_again_as_it_was(digest_at, now, going):
    """With its members, neither fewer nor more, but not at once after another one."""
    waiting = [*many(3, **IN_D1), due(7), due(8)]
    choice = decide(waiting, Recent(digest_at=digest_at), seconds(now), RULES)
    assert sizes(choice) == going
    assert {each.digest_id for each in choice.going} <= {"d1"}
    assert all(member.digest_id == "d1" for each in choice.going for member in each.members)


LONG_AGO = START - timedelta(hours=6)
MISSED = {"missed_since": LONG_AGO, "due_at": LONG_AGO}
JUST_NOW = {"missed_since": START - MISSED_AFTER + timedelta(seconds=1)}


@pytest.mark.parametrize(
    ("waiting", "recent", "going"),
    [
        pytest.param(many(2, **MISSED), LAST_WEEK, [(2, FloodReason.MISSED)], id="two are a digest already"),
        pytest.param(many(150, CRITICAL, **MISSED), LAST_WEEK, [(150, FloodReason.MISSED)], id="also critical ones"),
        pytest.param(many(1, **MISSED), LAST_WEEK, [FEW], id="one is a message of its own"),
        pytest.param(
            [*many(1, **MISSED), due(7, CRITICAL)], LAST_WEEK, [FEW, ALONE], id="also beside what begins to be critical"
        ),
        pytest.param(many(3, **JUST_NOW), LAST_WEEK, [FEW] * 3, id="a short failure is a retry"),
        pytest.param(
            [*many(1, **MISSED), due(7), due(8, CRITICAL, Kind.RESOLUTION)],
            LAST_WEEK,
            [(3, FloodReason.MISSED)],
            id="what else is due joins it",
        ),
        pytest.param(
            [*many(2, **MISSED), due(7), due(8, CRITICAL), due(9, CRITICAL, Kind.REOPENING, **JUST_NOW)],
            LAST_WEEK,
            [(3, FloodReason.MISSED), ALONE, ALONE],
            id="but what begins to be critical now",
        ),
        pytest.param(many(9, **MISSED), DIGEST_A_MINUTE_AGO, [(9, FloodReason.MISSED)], id="it waits for no interval"),
        pytest.param(
            [*many(3, **MISSED, **IN_D1), due(7, **MISSED)], LAST_WEEK, [(4, FloodReason.MISSED)], id="nor in a digest"
        ),
        pytest.param(many(MOST + 9, **MISSED), LAST_WEEK, [(MOST, FloodReason.MISSED)], id="a digest has a limit"),
    ],
)
def test_what_was_missed_is_one_message(waiting, recent, going):
    """However little it is, and whatever FLOOD_LIMIT is: never a message for each."""
    for rules in (RULES, replace(RULES, limit=0)):
        found = decide(waiting, recent, START, rules)
        assert sorted(sizes(found), reverse=True) == going
        [missed, *_] = [each for each in found.going if each.reason is FloodReason.MISSED] or [None]
        assert missed is None or missed.members[0].severity is max(
            (each.severity for each in missed.members), key=_rank
        )


def _rank(severity: Severity) -> int:
    return severity.rank


@pytest.mark.parametrize(
    ("waiting", "digest_id"),
    [
        (many(3, **MISSED, **IN_D1), "d1"),
        ([*many(3, **MISSED, **IN_D1), due(7)], None),
        ([*many(3, **MISSED, **IN_D1), due(7, **MISSED, digest_id="d2")], None),
    ],
    ids=["nothing came since", "something came since", "so did another digest"],
)
def test_what_was_missed_is_the_same_digest_while_nothing_comes(waiting, digest_id):
    """The same words have the same id, and a new digest takes the place of those that failed."""
    [digest] = decide(waiting, LAST_WEEK, START, RULES).going
    assert (len(digest.members), digest.digest_id) == (len(waiting), digest_id)


@pytest.mark.parametrize(
    ("level", "severity", "going"),
    [
        (Budget.LOW, INFO, 1),
        (Budget.RESERVE, INFO, 0),
        (Budget.RESERVE, CRITICAL, 1),
        (Budget.EXHAUSTED, CRITICAL, 0),
    ],
)
def test_near_the_daily_limit_what_was_missed_is_still_one_message(level, severity, going):
    """It saves many; of the reserve it may use one if something in it is critical."""
    waiting = [*many(20, **MISSED), due(99, severity, **MISSED)]
    choice = decide(waiting, LAST_WEEK, START, replace(RULES, budget=level))
    assert sizes(choice) == [(21, FloodReason.MISSED)] * going
    assert [wait.reason for wait in choice.waits] == [FloodReason.RESERVED] * (1 - going)
    assert all(each.saves for each in choice.going)


def test_two_digests_that_failed_do_not_go_together():
    """The older one goes, and the other one an interval later, and nothing new before."""
    older = many(2, digest_id="d1", claimed_at=START - timedelta(hours=2))
    newer = [due(n, digest_id="d2", claimed_at=START - timedelta(hours=1)) for n in (7, 8)]
    recent = Recent(digest_at=START - timedelta(hours=1))
    choice = decide([*newer, *older, due(9)], recent, seconds(10), RULES)
    assert [each.digest_id for each in choice.going] == ["d1"]
    assert choice.again_at == seconds(10) + RULES.interval


@pytest.mark.parametrize(
    ("level", "waiting", "recent", "going", "again"),
    [
        (Budget.LOW, many(3), LAST_WEEK, [], 3),
        (Budget.LOW, many(3, due_at=seconds(-3)), LAST_WEEK, [(3, FloodReason.MANY)], None),
        (Budget.LOW, many(3, due_at=seconds(-9)), Recent(1, ordinary_at=seconds(-60)), [], 240),
        (Budget.LOW, [due(1, CRITICAL, Kind.UPDATE)], Recent(1, ordinary_at=seconds(-60)), [FEW], None),
        (Budget.RESERVE, many(3, due_at=seconds(-999)), LAST_WEEK, [], None),
        (Budget.RESERVE, [*many(3), due(9, CRITICAL)], LAST_WEEK, [ALONE], None),
        (Budget.RESERVE, many(3, **IN_D1), LAST_WEEK, [], None),
        (Budget.RESERVE, [due(1, CRITICAL, **IN_D1), due(2, **IN_D1)], LAST_WEEK, [(2, FloodReason.AGAIN)], None),
        (Budget.EXHAUSTED, many(9, CRITICAL), LAST_WEEK, [], None),
        (Budget.EXHAUSTED, [], LAST_WEEK, [], None),
    ],
)
def test_near_the_daily_limit(level, waiting, recent, going, again):
    """Digests take the place of single messages, then only what is critical goes, then nothing."""
    choice = decide(waiting, recent, START, replace(RULES, budget=level))
    assert sizes(choice) == going
    assert choice.again_at == (seconds(again) if again else None)
    unlimited = decide(waiting, recent, START, FloodRules(0, RULES.interval, budget=level))
    assert sizes(unlimited) == going


def test_without_a_limit_everything_goes_alone():
    """FLOOD_LIMIT=0 means no digests."""
    waiting = [*many(20), *(due(n, CRITICAL) for n in range(20, 40))]
    choice = decide(waiting, Recent(99, 99, START), START, FloodRules(0, RULES.interval))
    assert sizes(choice) == [ALONE] * 20 + [FEW] * 20


def test_contacts_do_not_share_a_limit():
    """Each contact is counted for itself, and the most severe goes first over all of them."""
    waiting = [due(n, address=f"{n % 3}@x.y", due_at=seconds(-n)) for n in range(12)]
    waiting.append(due(99, CRITICAL, address="2@x.y"))
    choice = choose(waiting, {"0@x.y": Recent(messages=5)}, START, RULES)
    going = [[member.id for member in each.members] for each in choice.going]
    digest = ["n9", "n6", "n3", "n0"]
    assert going == [["n99"], ["n11"], ["n10"], digest, *([f"n{n}"] for n in (8, 7, 5, 4, 2, 1))]


@dataclass
class Contact:
    """One contact about whose messages is decided each second, with a slow and obvious account of what went to it."""

    rules: FloodRules
    now: datetime = START
    waiting: list[Due] = field(default_factory=list)
    sent: list[tuple[datetime, Dispatch]] = field(default_factory=list)

    def recent(self) -> Recent:
        minute = [each for at, each in self.sent if at > self.now - MINUTE]
        digests = [at for at, each in self.sent if not each.is_alone and at > self.now - REMEMBERED]
        return Recent(len(minute), sum(map(_is_critical_beginning, minute)), max(digests, default=None))

    def round(self) -> None:
        choice = decide(self.waiting, self.recent(), self.now, self.rules)
        self.sent += [(self.now, each) for each in choice.going]
        gone = {member.id for each in choice.going for member in each.members}
        self.waiting = [each for each in self.waiting if each.id not in gone]
        assert not self.waiting or (choice.again_at and choice.again_at > self.now)


def _is_critical_beginning(message: Dispatch) -> bool:
    return message.is_alone and message.severity is CRITICAL and _begins(message.members[0])


def _begins(each: Due) -> bool:
    return each.kind in {Kind.OPENING, Kind.RISE}


arrivals = st.lists(
    st.tuples(
        st.integers(0, 600),
        st.integers(1, 12),
        st.sampled_from([CRITICAL, WARNING, INFO]),
        st.sampled_from([Kind.OPENING, Kind.UPDATE, Kind.RISE, Kind.RESOLUTION]),
    ),
    max_size=25,
)


@for_any
@given(arrivals=arrivals, limit=st.integers(1, 5), interval=st.sampled_from([20, 60, 300]))
def test_no_contact_gets_too_much_and_nothing_waits_for_ever(arrivals, limit, interval):
    """Whatever comes whenever: the limits of a minute and of digests hold, each is sent once, and within its time."""
    contact = Contact(FloodRules(limit, timedelta(seconds=interval)))
    number = 0
    for second in range(600 + interval + 130):
        contact.now = seconds(second)
        for at, count, severity, kind in arrivals:
            if at == second:
                contact.waiting += [due(number + n, severity, kind, due_at=contact.now) for n in range(count)]
                number += count
        contact.round()
    assert contact.waiting == []
    members = [member.id for _, each in contact.sent for member in each.members]
    assert sorted(members) == sorted(f"n{n}" for n in range(number))
    _check_minutes(contact, limit)
    _check_digests(contact)
    _check_waits(contact, limit)


def _most_in_a_minute(times: list[datetime]) -> int:
    return max((sum(end - MINUTE < at <= end for at in times) for end in times), default=0)


def _check_minutes(contact: Contact, limit: int) -> None:
    """At most `limit` alone in a minute, one more that waited, and as many beginnings of what is critical."""
    critical = [at for at, each in contact.sent if each.reason is FloodReason.CRITICAL]
    others = [at for at, each in contact.sent if each.is_alone and each.reason is not FloodReason.CRITICAL]
    assert _most_in_a_minute(critical) <= limit
    assert _most_in_a_minute(others) <= limit + 1


def _check_digests(contact: Contact) -> None:
    """A digest follows another one after an interval, or after a minute if something in it is critical."""
    digests = [(at, each) for at, each in contact.sent if not each.is_alone]
    for (before, _), (after, digest) in pairwise(digests):
        interval = contact.rules.interval
        assert after - before >= (min(MINUTE, interval) if digest.severity is CRITICAL else interval)


def _check_waits(contact: Contact, limit: int) -> None:
    """Nothing waits longer than an interval or a minute; what begins to be critical only behind as many others."""
    for at, message in contact.sent:
        for member in message.members:
            longest = MINUTE if member.severity is CRITICAL else max(MINUTE, contact.rules.interval)
            assert at - member.due_at <= longest + GATHER
            if at > member.due_at and member.severity is CRITICAL and _begins(member):
                since = member.due_at - MINUTE
                before = [each for when, each in contact.sent if since < when <= member.due_at]
                assert sum(map(_is_critical_beginning, before)) >= limit


PARTS = sorted({*part_ids("a", "xy").values(), *part_ids("b", "xy").values()})


def test_the_parts_of_a_refused_digest_stay_as_they_are():
    """What was missed besides doesn't join them, and they don't wait for each other."""
    long_ago = {"missed_since": START, "claimed_at": START + timedelta(hours=1)}
    parts = [due(number, digest_id=PARTS[number // 2], **long_ago) for number in range(6)]
    others = [due(number, missed_since=START) for number in range(6, 9)]
    choice = decide([*parts, *others], Recent(digest_at=START + timedelta(hours=1)), seconds(3601), RULES)
    assert sorted(sizes(choice)) == [*[(2, FloodReason.AGAIN)] * 3, (3, FloodReason.MISSED)]
    assert {each.digest_id for each in choice.going} == {*PARTS[:3], None}


def test_what_was_missed_is_found_without_comparing_each_with_each():
    """After a weekend there are thousands."""

    class Compared(Due):
        __slots__ = ()
        __hash__ = None  # type: ignore[assignment]
        times = 0

        def __eq__(self, other: object) -> bool:
            Compared.times += 1
            return super().__eq__(other)

    waiting = [
        Compared(f"n{number}", ME, CRITICAL, Kind.OPENING, START, missed_since=START if number % 2 else None)
        for number in range(50)
    ]
    assert (25, FloodReason.MISSED) in sizes(decide(waiting, LAST_WEEK, seconds(3600), RULES))
    assert Compared.times == 0
