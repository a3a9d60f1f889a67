"""Which incident an alert belongs to, and what it does to it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alertgate.clock import AHEAD
from alertgate.group.decide import Decision, GroupReason, Known, decide, is_quiet, sentence
from alertgate.group.order import is_before, is_same, stamp
from alertgate.model import Alert, Incident, IncidentStatus, Resolution, Severity, Signal, Source
from alertgate.own_events import Hint
from alertgate.rules import GroupingRules
from alertgate.seen import Seen
from tests.builders import alert, incident
from tests.fakes import START

RULES = GroupingRules(timedelta(minutes=5), timedelta(minutes=30))
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
SOON = START + MINUTE
UNRESOLVED = [IncidentStatus.OPEN, IncidentStatus.ACKNOWLEDGED]


def decided(last: Incident | None, came: Alert, **known) -> Decision:
    """Decide with the rules above; an incident that opens is "incident-2"."""
    return decide(Known(last, **known), came, RULES, new_id="incident-2")


def firing(at=SOON, **changes) -> Alert:
    """A firing alert, received at a time."""
    return alert(**{"id": "alert-2", "received_at": at, **changes})


def all_clear(at=SOON, **changes) -> Alert:
    """An all-clear, received at a time."""
    return firing(at, signal=Signal.RESOLVED, **changes)


def one(**changes) -> Incident:
    """The incident that the first alert opened."""
    times = dict.fromkeys(("began_at", "last_firing_at", "changed_at"), START)
    return incident(**{**times, "last_alert_id": "alert-1", **changes})


def over(at=SOON, **changes) -> Incident:
    """The same, ended by its sender at a time that its all-clear tells."""
    ended = {"status": IncidentStatus.RESOLVED, "resolved_at": at, "ended_at": at, "resolution": Resolution.ALERT}
    ended["changed_at"] = at
    return one(**{**ended, "resolved_by": "alert-1", "alert_count": 2, "changes": 2, **changes})


def test_the_first_alert_opens_an_incident():
    """Where none is open, an alert opens one, with what it says."""
    opened = one(id="incident-2", severity=Severity.CRITICAL, opened_at=SOON, last_alert_at=SOON)
    expected = replace(opened, began_at=SOON, last_firing_at=None, changed_at=SOON, last_alert_id="alert-2")
    assert decided(None, firing(severity=Severity.CRITICAL)) == Decision(GroupReason.OPENED, expected)


@pytest.mark.parametrize("source", list(Source))
def test_an_all_clear_never_opens_an_incident(source):
    """Whatever it is about, and whoever says it: nobody is woken for it."""
    assert decided(None, all_clear(source=source)) == Decision(GroupReason.NOTHING_TO_RESOLVE, None)


@pytest.mark.parametrize("last", [None, over()], ids=["never open", "over"])
@pytest.mark.parametrize(
    ("shared", "reason"),
    [
        (None, GroupReason.NOTHING_TO_RESOLVE),
        (one(), GroupReason.SHARED_ALL_CLEAR),
        (one(status=IncidentStatus.ACKNOWLEDGED), GroupReason.SHARED_ALL_CLEAR),
        (over(), GroupReason.NOTHING_TO_RESOLVE),
    ],
)
def test_the_all_clear_of_a_part_ends_nothing_that_it_shares(last, shared, reason):
    """The shared incident may be open for another part, and stays as it is."""
    assert decided(last, all_clear(SOON + MINUTE), shared=shared) == Decision(reason, None)


def test_the_all_clear_of_a_part_ends_its_own():
    """Whatever further parts share."""
    assert decided(one(), all_clear(), shared=one(key="shared")).reason is GroupReason.RESOLVED


@pytest.mark.parametrize("resolution", [Resolution.ALERT, Resolution.PERSON])
def test_an_all_clear_of_what_is_over_changes_nothing(resolution):
    """It is sent again, a second template fires, or a person resolved first."""
    assert decided(over(resolution=resolution), all_clear()) == Decision(GroupReason.NOTHING_TO_RESOLVE, None)


def test_an_all_clear_after_a_silent_end_is_told_to_whoever_was_told_of_the_beginning():
    """The incident went quiet unsaid; now its sender has said it."""
    quiet = over(resolution=Resolution.SILENCE, resolved_by=None, ended_at=None, alert_count=1)
    late = SOON + timedelta(hours=1)
    said = replace(quiet, resolution=Resolution.ALERT, resolved_by="alert-2", resolved_at=late, changed_at=late)
    counted = replace(said, alert_count=2, last_alert_at=late, last_alert_id="alert-2")
    assert decided(quiet, all_clear(late)) == Decision(GroupReason.LATE_ALL_CLEAR, counted)
    again = decided(counted, all_clear(late + SECOND))
    assert again == Decision(GroupReason.NOTHING_TO_RESOLVE, None)


def test_an_incident_that_somebody_is_still_to_be_told_about_is_not_over():
    """While a notification waits, for a mail server that is down say, a later alert joins however quiet it was."""
    later = firing(START + RULES.resolve_after)
    assert decided(one(), later, telling=True).reason is GroupReason.JOINED
    assert decided(one(), later, telling=False).reason is GroupReason.OPENED_AFTER_SILENCE


@pytest.mark.parametrize("status", UNRESOLVED)
@pytest.mark.parametrize("severity", [Severity.WARNING, Severity.INFO])
def test_a_later_alert_joins(status, severity):
    """An alert that is no worse joins the incident, acknowledged or not: one more, and the latest."""
    joined = one(status=status, alert_count=2, last_alert_at=SOON, last_alert_id="alert-2")
    assert decided(one(status=status), firing(severity=severity)) == Decision(GroupReason.JOINED, joined)
    stamped = firing(severity=severity, published_at=SOON)
    expected = Decision(GroupReason.JOINED, replace(joined, last_firing_at=SOON))
    assert decided(one(status=status), stamped) == expected


@pytest.mark.parametrize("status", UNRESOLVED)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Severity.INFO, Severity.WARNING),
        (Severity.INFO, Severity.CRITICAL),
        (Severity.WARNING, Severity.CRITICAL),
    ],
)
def test_a_worse_alert_raises_the_incident(status, before, after):
    """An alert that is worse than all before raises it, whatever its time, and what was acknowledged is open again."""
    earlier = firing(severity=after, published_at=START - SECOND)
    raised = decided(one(status=status, severity=before), earlier)
    assert (raised.reason, raised.incident.severity, raised.incident.status) == (
        GroupReason.ROSE,
        after,
        IncidentStatus.OPEN,
    )


@pytest.mark.parametrize("status", UNRESOLVED)
@pytest.mark.parametrize("after", [timedelta(0), MINUTE, timedelta(days=9)])
def test_an_all_clear_ends_the_incident(status, after):
    """However long it was quiet; the kind of end and the alert stay on record."""
    at = START + after
    ended = over(at, alert_count=2, last_alert_at=at, last_alert_id="alert-2", resolved_by="alert-2", ended_at=None)
    assert decided(one(status=status), all_clear(at)) == Decision(GroupReason.RESOLVED, ended)
    stamped = decided(one(status=status), all_clear(at, published_at=at))
    assert stamped == Decision(GroupReason.RESOLVED, replace(ended, ended_at=at))


@pytest.mark.parametrize(
    ("published_at", "reason"),
    [
        (SOON - SECOND, GroupReason.STALE_ALL_CLEAR),  # published before the alarm that is here already
        (SOON, GroupReason.RESOLVED),
        (None, GroupReason.RESOLVED),  # without a time the order of commits counts
        (SOON - timedelta(hours=2), GroupReason.RESOLVED),  # two hours slow: no clock
        (SOON + timedelta(days=400), GroupReason.RESOLVED),  # a year ahead: no clock
        (SOON + 2 * SECOND, GroupReason.RESOLVED),  # a second ahead: it counts as received
    ],
)
def test_an_all_clear_that_was_published_before_the_newest_alarm_does_not_end_it(published_at, reason):
    """Alerts come in any order; a clock that can't be right doesn't count."""
    fired = one(last_firing_at=SOON)
    assert decided(fired, all_clear(SOON + SECOND, published_at=published_at)).reason is reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"device": None}, GroupReason.UNNAMED_ALL_CLEAR),
        ({"device": None, "data": {"dedup_key": "a"}}, GroupReason.RESOLVED),
        ({"device": None, "fields": {"dedup_key": 0}}, GroupReason.RESOLVED),
        *(
            ({"device": None, "data": {"dedup_key": no_key}}, GroupReason.UNNAMED_ALL_CLEAR)
            for no_key in (True, " ", {}, [1], None)
        ),
        (
            {"source": Source.GENERIC, "published_at": SOON - timedelta(minutes=6)},
            GroupReason.OLD_ALL_CLEAR,
        ),
        ({"source": Source.GENERIC, "published_at": SOON - timedelta(minutes=1)}, GroupReason.RESOLVED),
        ({"source": Source.GENERIC, "published_at": SOON + AHEAD}, GroupReason.RESOLVED),
        ({"source": Source.GENERIC, "published_at": SOON + AHEAD + SECOND}, GroupReason.EARLY_ALL_CLEAR),
        ({"source": Source.GENERIC, "published_at": SOON + timedelta(hours=1)}, GroupReason.EARLY_ALL_CLEAR),
        ({"source": Source.GENERIC, "published_at": None}, GroupReason.RESOLVED),
        ({"source": Source.GENERIC, "device": None}, GroupReason.RESOLVED),
    ],
)
def test_a_doubtful_all_clear_ends_nothing(changes, reason):
    """One that names no device may be about any; one of the generic webhook that is old may be replayed."""
    assert decided(one(), all_clear(**changes)).reason is reason


@pytest.mark.parametrize("published_at", [None, SOON - timedelta(minutes=10), SOON + timedelta(minutes=10)])
@pytest.mark.parametrize(
    ("said_at", "reason"),
    [
        (SOON - SECOND, GroupReason.STALE_ALL_CLEAR),
        (SOON, GroupReason.RESOLVED),
        (None, GroupReason.RESOLVED),  # most senders say no times
    ],
)
@pytest.mark.parametrize("last", [None, one(last_firing_at=None)], ids=["opened", "joined"])
def test_a_generic_alarm_without_a_right_time_counts_as_of_its_receipt(published_at, said_at, reason, last):
    """An all-clear from before that may be replayed; Particle's can't, and there the order of commits counts."""
    for source, expected in ((Source.GENERIC, reason), (Source.PARTICLE, GroupReason.RESOLVED)):
        fired = decided(last, firing(SOON, source=source, published_at=published_at)).incident
        came = all_clear(SOON + SECOND, source=source, published_at=said_at)
        assert decided(fired, came).reason is expected


def test_an_alert_soon_after_its_all_clear_reopens_the_incident():
    """Open, with this alert's severity, and acknowledged by nobody."""
    acknowledged = {"acknowledged_by": "Ada", "acknowledged_at": START, "acknowledged_changes": 1}
    again = decided(over(severity=Severity.CRITICAL, **acknowledged), firing(SOON + MINUTE))
    expected = one(alert_count=3, changes=3, last_alert_at=SOON + MINUTE)
    expected = replace(expected, changed_at=SOON + MINUTE, last_alert_id="alert-2")
    assert again == Decision(GroupReason.REOPENED, expected)


@pytest.mark.parametrize(
    ("changes", "severity", "status"),
    [
        (2, Severity.WARNING, IncidentStatus.OPEN),
        (3, Severity.WARNING, IncidentStatus.ACKNOWLEDGED),
        (3, Severity.CRITICAL, IncidentStatus.OPEN),  # worse than what was acknowledged
    ],
)
def test_an_acknowledgement_survives_a_reopening_if_it_was_given_after_the_third_change(changes, severity, status):
    """Whoever gave it knows that the thing flaps."""
    acknowledged = {"acknowledged_by": "Ada", "acknowledged_at": START, "acknowledged_changes": changes}
    again = decided(over(changes=4, **acknowledged), firing(SOON + MINUTE, severity=severity)).incident
    assert (again.status, again.changes) == (status, 5)
    assert (again.acknowledged_by == "Ada") == (status is IncidentStatus.ACKNOWLEDGED)


@pytest.mark.parametrize(
    ("ended", "after"),
    [(over(), timedelta(minutes=6)), (over(resolution=Resolution.PERSON), MINUTE), (over(resolution=None), MINUTE)],
)
def test_an_alert_later_or_after_a_person_opens_a_new_one(ended, after):
    """GROUP_INTERVAL after its all-clear an incident is over for good; a person's word ends it at once."""
    assert decided(ended, firing(SOON + after)).reason is GroupReason.OPENED


@pytest.mark.parametrize(
    ("ended", "published", "reason"),
    [
        (over(), SOON - SECOND, GroupReason.LATE_FIRING),
        (over(resolution=Resolution.PERSON, ended_at=None), SOON - SECOND, GroupReason.LATE_FIRING),
        (over(), START - SECOND, GroupReason.FIRED_BEFORE_END),  # before it began: news
        (over(severity=Severity.INFO), SOON - SECOND, GroupReason.FIRED_BEFORE_END),  # worse: news
        (over(), SOON, GroupReason.REOPENED),  # the same time: the order of commits counts
        (over(), None, GroupReason.REOPENED),
        (over(ended_at=None), SOON - SECOND, GroupReason.REOPENED),  # the end has no time of its own
        (over(severity=Severity.INFO, resolution=Resolution.PERSON, ended_at=None), SOON - SECOND, GroupReason.OPENED),
        (over(resolution=Resolution.SILENCE, ended_at=None), SOON - SECOND, GroupReason.OPENED),
    ],
)
def test_an_alert_from_before_an_end_that_somebody_said(ended, published, reason):
    """It came late: an incident that covers its time says enough, and anything else is told."""
    decision = decided(ended, firing(SOON + SECOND, published_at=published))
    assert decision.reason is reason
    if reason in (GroupReason.LATE_FIRING, GroupReason.FIRED_BEFORE_END):
        assert decision.incident.status is IncidentStatus.RESOLVED
        assert decision.incident.severity is Severity.WARNING
        assert decision.incident.alert_count == 3


def test_an_alarm_that_its_own_all_clear_overtook_is_told_together_with_it():
    """A panic button whose `released` comes before `pressed`: one incident, over already."""
    before = Seen.of(all_clear(SOON, id="alert-0", published_at=SOON - SECOND))
    came = firing(SOON + SECOND, published_at=SOON - 2 * SECOND)
    decision = decided(None, came, all_clears=[before])
    assert decision.reason is GroupReason.OPENED_ALREADY_OVER
    told = decision.incident
    assert (told.status, told.resolution, told.resolved_by, told.ended_at) == (
        IncidentStatus.RESOLVED,
        Resolution.ALERT,
        "alert-0",
        SOON - SECOND,
    )
    assert decided(None, firing(SOON + SECOND), all_clears=[before]).reason is GroupReason.OPENED
    nameless = replace(came, device=None)
    assert decided(None, nameless, all_clears=[before]).reason is GroupReason.OPENED, "it may be of another device"


def test_a_worse_alert_from_before_the_end_is_news_to_whoever_acknowledged():
    """The next reopening is open again."""
    known = over(severity=Severity.INFO, acknowledged_by="Ada", acknowledged_at=START, acknowledged_changes=3)
    worse = decided(known, firing(SOON + SECOND, published_at=SOON - SECOND)).incident
    assert decided(worse, firing(SOON + 2 * SECOND)).incident.status is IncidentStatus.OPEN


def test_an_overtaken_alarm_soon_after_an_end_belongs_to_the_same_incident():
    """It fired and ended again: one more pair of changes of the incident, and no new one."""
    before = Seen.of(all_clear(SOON + 3 * SECOND, id="alert-0", published_at=SOON + 2 * SECOND))
    came = firing(SOON + 4 * SECOND, published_at=SOON + SECOND)
    decision = decided(over(), came, all_clears=[before])
    assert decision.reason is GroupReason.FIRED_BEFORE_END
    assert (decision.incident.status, decision.incident.changes, decision.incident.resolved_by) == (
        IncidentStatus.RESOLVED,
        4,
        "alert-0",
    )


@pytest.mark.parametrize("severity", list(Severity))
def test_an_alert_after_a_long_silence_opens_a_new_incident(severity):
    """After RESOLVE_AFTER without an alert the old incident is over, whatever comes."""
    now = START + timedelta(minutes=30)
    ended = {"resolved_at": now, "resolution": Resolution.SILENCE}
    decision = decided(one(), firing(now, severity=severity))
    assert (decision.reason, decision.ended) == (
        GroupReason.OPENED_AFTER_SILENCE,
        one(status=IncidentStatus.RESOLVED, **ended),
    )
    assert (decision.incident.id, decision.incident.severity) == ("incident-2", severity)


@pytest.mark.parametrize(
    ("published_at", "expected"),
    [
        (None, None),
        (SOON - SECOND, SOON - SECOND),
        (SOON - RULES.interval, SOON - RULES.interval),
        (SOON - RULES.interval - SECOND, None),
        (SOON + SECOND, SOON),
        (SOON + AHEAD, SOON),
        (SOON + AHEAD + SECOND, None),
    ],
)
def test_a_time_of_publication_counts_if_it_can_be_right(published_at, expected):
    """Never later than receipt, and no earlier than GROUP_INTERVAL before it."""
    assert stamp(firing(published_at=published_at), RULES) == expected


@pytest.mark.parametrize(
    ("one_digits", "other_digits", "before", "same"),
    [
        (0, 0, False, True),
        (0, 700_000, False, True),  # whole seconds say nothing about the milliseconds
        (100_000, 200_000, True, False),
        (100_000, 100_001, False, True),  # nor do milliseconds about microseconds
        (100_001, 100_002, True, False),
    ],
)
def test_times_are_compared_in_the_digits_that_both_have(one_digits, other_digits, before, same):
    """Not every template renders milliseconds."""
    earlier, later = (START.replace(microsecond=digits) for digits in (one_digits, other_digits))
    assert (is_before(earlier, later), is_same(earlier, later)) == (before, same)
    assert not is_before(later, earlier)
    assert is_before(earlier, later + SECOND)


@pytest.mark.parametrize(
    ("status", "silence", "quiet"),
    [
        (IncidentStatus.OPEN, timedelta(minutes=30), True),
        (IncidentStatus.OPEN, timedelta(minutes=30) - SECOND, False),
        (IncidentStatus.OPEN, timedelta(minutes=-5), False),
        (IncidentStatus.ACKNOWLEDGED, timedelta(hours=4, minutes=10), True),
        (
            IncidentStatus.ACKNOWLEDGED,
            timedelta(hours=4, minutes=9),
            False,
        ),  # acknowledged four hours ago, less a minute
        (IncidentStatus.ACKNOWLEDGED, timedelta(0), False),
        (IncidentStatus.RESOLVED, timedelta(days=1), False),
    ],
)
def test_only_an_unresolved_incident_is_quiet(status, silence, quiet):
    """No alert for RESOLVE_AFTER, an acknowledgement that is four hours old, and no trouble of alertgate's own."""
    acknowledged_at = START + 10 * MINUTE if status is IncidentStatus.ACKNOWLEDGED else None
    one_of = incident(status=status, acknowledged_at=acknowledged_at)
    assert is_quiet(one_of, START + silence, RULES) is quiet
    assert not is_quiet(replace(one_of, source=Source.ALERTGATE), START + silence, RULES)
    hints = [replace(one_of, source=Source.ALERTGATE, event=hint.value) for hint in Hint]
    assert [is_quiet(hint, START + silence, RULES) for hint in hints] == [quiet] * len(Hint)


def test_each_reason_has_a_sentence():
    """The trail says what an alert did to its incident, and why."""
    said = {reason: sentence(Decision(reason, one(id="i2"), one(id="i1")), RULES) for reason in GroupReason}
    assert len(set(said.values())) == len(GroupReason)
    assert said[GroupReason.OPENED_AFTER_SILENCE] == "opened a new incident, because i1 had no alert for 30 min"
    assert said[GroupReason.ROSE] == "joined incident i2 and raised it to warning"
