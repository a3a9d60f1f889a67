"""Which contacts are told, when, and what holds them; and what becomes of what was held."""

import pytest

from alertgate.model import Severity
from alertgate.notify.tellings import TellReason, release, tellings
from alertgate.policy.policy import Policy
from tests.policies import BERLIN, at, escalation, held, person, policy, shown, step

HOME = escalation(step("owner"))
NIGHT = "22:30-06:30 except critical"


def told(quiet: str, when: str, *, hours: str = "", severity: Severity = Severity.WARNING) -> tuple[str, TellReason]:
    """Return when a person with these quiet hours is told of what is due now, and why."""
    rules = policy([person("owner", quiet)])
    found = tellings(rules.told(["owner"], at(when)), escalation(step("owner"), hours=hours), severity, at(when))
    return held(found)["owner"]


@pytest.mark.parametrize(
    ("quiet", "hours", "when", "due", "reason"),
    [
        ("", "", "mon 03:00", "mon 03:00", TellReason.AT_ONCE),
        ("22:30-06:30", "", "mon 22:29:59", "mon 22:29:59", TellReason.AT_ONCE),
        ("22:30-06:30", "", "mon 22:30", "tue 06:30", TellReason.QUIET_HOURS),
        ("22:30-06:30", "", "tue 06:29:59", "tue 06:30", TellReason.QUIET_HOURS),
        ("22:30-06:30", "", "tue 06:30", "tue 06:30", TellReason.AT_ONCE),
        ("fri 20:00-24:00, sat sun 00:00-24:00", "", "fri 21:00", "mon 00:00", TellReason.QUIET_HOURS),
        ("", "mon-fri 08:00-18:00", "fri 18:00", "mon 08:00", TellReason.OUTSIDE_HOURS),
        ("22:30-09:00", "mon-fri 08:00-18:00", "fri 18:00", "mon 09:00", TellReason.QUIET_HOURS),
        ("06:00-07:00", "mon-fri 08:00-18:00", "tue 06:30", "tue 08:00", TellReason.OUTSIDE_HOURS),
    ],
)
def test_holds_follow_each_other(quiet, hours, when, due, reason):
    """At the end of one the next is asked, and the last one is the reason."""
    assert told(quiet, when, hours=hours) == (due, reason)


@pytest.mark.parametrize(
    ("severity", "due"),
    [(Severity.INFO, "tue 06:30"), (Severity.WARNING, "tue 06:30"), (Severity.CRITICAL, "tue 03:00")],
)
def test_quiet_hours_except_what_they_say(severity, due):
    """By default nothing; with `except critical` what is critical."""
    assert told(NIGHT, "tue 03:00", severity=severity)[0] == due
    assert told("22:30-06:30", "tue 03:00", severity=severity)[0] == "tue 06:30"


def test_a_delayed_contact_counts_from_the_hold_and_may_be_held_again():
    """Ten minutes after the first; ten minutes before the night that is the morning."""
    rules = policy([person("owner", "22:30-06:30", after="10m")])

    def told(when: str) -> list[tuple[str, TellReason]]:
        found = tellings(rules.told(["owner"], at(when)), HOME, Severity.INFO, at(when))
        return [(shown(each.due_at), each.reason) for each in found]

    at_night, late, evening = told("tue 03:00"), told("tue 12:00"), told("mon 22:25")
    assert at_night == [("tue 06:30", TellReason.QUIET_HOURS), ("tue 06:40", TellReason.QUIET_HOURS)]
    assert late == [("tue 12:00", TellReason.AT_ONCE), ("tue 12:10", TellReason.DELAYED)]
    assert evening == [("mon 22:25", TellReason.AT_ONCE), ("tue 06:30", TellReason.QUIET_HOURS)]
    assert {reason for reason in TellReason if not reason.holds} == {TellReason.AT_ONCE, TellReason.DELAYED}


def rules(*quiet: str) -> Policy:
    """Return a policy whose person has these quiet hours; without any there is nobody called owner."""
    people = [person("owner", quiet[0])] if quiet else [person("partner")]
    return policy(people, [escalation(step(people[0].name))])


@pytest.mark.parametrize(
    ("policy", "due"),
    [
        (rules("22:30-06:30"), "tue 06:30"),
        (rules("22:30-07:30"), "tue 07:30"),
        (rules(""), "tue 06:30"),
        (rules(), None),
        (Policy(zone=BERLIN), None),
    ],
)
def test_a_hold_asks_the_policy_again_at_its_end(policy, due):
    """The quiet hours may have changed meanwhile, and the person may be gone: then the incident is routed anew."""
    found = release(policy, "home", "owner", Severity.WARNING, at("tue 06:30"))
    assert (held(found)["owner"][0] if found else None) == due


def test_nobody_is_told_twice_by_one_step():
    """A person who is on call and named is told as who is named first."""
    one = policy([person("owner"), person("partner")])
    found = one.told(["partner", "owner", "partner", "nobody", "@nothing"], at("mon 12:00"))
    assert [(each.person.name, each.via) for each in found] == [("partner", "partner"), ("owner", "owner")]
