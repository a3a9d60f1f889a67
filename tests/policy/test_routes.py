"""Which route an incident takes, what matchers match, and who is on call."""

from datetime import datetime, time

import pytest

from alertgate.model import Severity, Source
from alertgate.policy.escalations import EVERYONE, OPERATOR
from alertgate.policy.matchers import Matcher
from alertgate.policy.routes import Route, Routed, RouteReason, first, sentence
from alertgate.policy.schedules import OnCall, OnCallReason, Override, Schedule, Turn, on_call
from alertgate.policy.written import read_days, read_hours
from tests.policies import BERLIN, anything, at


@pytest.mark.parametrize(
    ("matcher", "changes", "matches"),
    [
        (Matcher(), {}, True),
        (Matcher(event="door/*"), {}, True),
        (Matcher(event="Door/*"), {}, False),
        (Matcher(event="door"), {}, False),
        (Matcher(device="3F002B*"), {}, True),
        (Matcher(device="front *"), {}, True),
        (Matcher(device="front *"), {"device_name": None}, False),
        (Matcher(device="*"), {"device": None, "device_name": None}, False),
        (Matcher(source="particle"), {}, True),
        (Matcher(source="generic"), {}, False),
        (Matcher(source="Backup"), {"source": Source.GENERIC, "device": "backup", "device_name": None}, True),
        (Matcher(source="3f002b*"), {}, False),
        (Matcher(min_severity=Severity.WARNING), {}, True),
        (Matcher(min_severity=Severity.CRITICAL), {}, False),
        (Matcher(event="door/*", min_severity=Severity.CRITICAL), {"severity": Severity.CRITICAL}, True),
        (Matcher(event="door/*", device="cellar"), {}, False),
    ],
)
def test_all_that_a_matcher_names_must_match(matcher, changes, matches):
    """Case matters in events alone; a generic sender's name is a source, and a Particle device isn't."""
    assert matcher.matches(anything(**changes)) is matches


def test_the_first_route_that_matches_decides():
    """Its number is the file's, and alertgate's own troubles go to the operator whatever the routes are."""
    routes = [Route("a", Matcher(event="leak")), Route("b", Matcher(event="door/*")), Route("c")]
    assert first(routes, anything()) == Routed("b", RouteReason.MATCHED, number=2)
    assert sentence(first(routes, anything(event="x"))) == "[[routes]] 3 sends it to c"
    own = first(routes, anything(source=Source.ALERTGATE))
    assert (own.escalation, sentence(own)) == (OPERATOR, "alertgate's own trouble goes to the operator")
    alone, none = first([], anything()), first(routes[:1], anything())
    assert (alone.escalation, sentence(alone)) == (EVERYONE, "there are no routes: everyone is told")
    assert (none.escalation, sentence(none)) == (EVERYONE, "no route matches: everyone is told")


WEEK = (Turn(("owner",), read_days("mon-thu")), Turn(("partner", "helper"), read_days("fri-sun")))
HANDOVER = Schedule("oncall", WEEK, BERLIN, time(8))
DAYTIME = Schedule(
    "day",
    (
        Turn(("owner",), read_days("mon-fri"), read_hours("mon-fri 08:00-18:00")),
        Turn(("guard",), read_days("fri"), read_hours("fri 22:00-06:00")),
    ),
    BERLIN,
    otherwise=("partner",),
    overrides=(Override(("boss",), datetime.fromisoformat("2026-11-24T12:00"), datetime.fromisoformat("2026-11-25")),),
)


@pytest.mark.parametrize(
    ("schedule", "when", "who", "reason"),
    [
        (HANDOVER, "mon 08:00", ("owner",), OnCallReason.TURN),
        (HANDOVER, "mon 07:59:59", ("partner", "helper"), OnCallReason.TURN),
        (HANDOVER, "fri 07:59", ("owner",), OnCallReason.TURN),
        (HANDOVER, "fri 08:00", ("partner", "helper"), OnCallReason.TURN),
        (DAYTIME, "mon 17:59", ("owner",), OnCallReason.TURN),
        (DAYTIME, "mon 18:00", ("partner",), OnCallReason.OTHERWISE),
        (DAYTIME, "sat 05:59", ("guard",), OnCallReason.TURN),
        (DAYTIME, "sat 06:00", ("partner",), OnCallReason.OTHERWISE),
        (DAYTIME, "tue 11:59", ("owner",), OnCallReason.TURN),
        (DAYTIME, "tue 12:00", ("boss",), OnCallReason.OVERRIDE),
        (DAYTIME, "tue 23:59", ("boss",), OnCallReason.OVERRIDE),
        (DAYTIME, "wed 00:00", ("partner",), OnCallReason.OTHERWISE),
        (Schedule("x", WEEK[:1], BERLIN), "sat 12:00", (), OnCallReason.NOBODY),
    ],
)
def test_who_is_on_call(schedule, when, who, reason):
    """From handover to handover, within hours, over midnight, by an override, and otherwise."""
    assert on_call(schedule, at(when)) == OnCall(who, reason)


@pytest.mark.parametrize(
    ("schedule", "gaps"),
    [
        (HANDOVER, ""),
        (Schedule("x", WEEK[:1], BERLIN, time(8)), "fri 08:00-24:00, sat sun 00:00-24:00, mon 00:00-08:00"),
        (DAYTIME, "mon-thu 18:00-08:00, fri 18:00-22:00, sat 06:00-24:00, sun 00:00-24:00, mon 00:00-08:00"),
    ],
)
def test_gaps_are_the_hours_that_are_nobodys_turn(schedule, gaps):
    """Those of the week, whether or not somebody is on call otherwise."""
    assert schedule.gaps == (read_hours(gaps) if gaps else type(schedule.gaps)(()))
