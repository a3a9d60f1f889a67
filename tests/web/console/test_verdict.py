"""Whether all is well, in one line: a table of what is known and what is said."""

from datetime import timedelta

import pytest

from alertgate.model import Severity, Source
from alertgate.prove.audit import Audit, AuditFinding
from alertgate.prove.going_on import MOST_COUNTED
from alertgate.web.console.verdict import Facts, Known, Level, Reason, Verdict, judge
from tests.fakes import START

AUDITED = Audit(START - timedelta(seconds=8))
HEARD = (Source.PARTICLE, START)


def known(
    number: int = 0, untaken: int = 0, worst: Severity | None = None, silent: int = 0, heard=HEARD, silenced: int = 0
) -> Known:
    """Return what the database knows."""
    return Known(number, untaken, worst, silent, heard, silenced)


def facts(**changes) -> Facts:
    """Return the facts of a time at which all is well, with changes."""
    return Facts(**{"audit": AUDITED, "known": known(), **changes})


@pytest.mark.parametrize(
    ("changes", "reason", "said"),
    [
        ({}, Reason.WELL, "Nothing is going on, and all that was due was told: the auditor looked just now."),
        ({"audit": None}, Reason.UNAUDITED, "The auditor hasn't looked yet"),
        ({"audit": Audit(START - timedelta(minutes=3))}, Reason.AUDIT_OLD, "The auditor last looked 3 min ago"),
        (
            {"audit": Audit(START, {AuditFinding.NOBODY_TOLD: ["one"]})},
            Reason.AUDIT_FOUND,
            "The auditor found nobody_told: 1 (nobody was or will be notified about an incident",
        ),
        ({"failures": None}, Reason.UNCOUNTED, "Whether messages have failed isn't known yet."),
        ({"failures": ["outstanding failures: 2"]}, Reason.FAILURES, "Outstanding failures: 2."),
        ({"known": None}, Reason.UNREADABLE, "The database can't be read, so what is going on isn't known."),
        ({"stored": "the disk is full"}, Reason.UNWRITABLE, "No alert can be stored: the disk is full."),
        ({"delivery": "it hasn't run"}, Reason.STUCK, "Nothing is sent: it hasn't run."),
        ({"can_tell": False}, Reason.NOBODY, "Nobody can be told of anything: there are no recipients."),
        (
            {"can_tell": False, "unsent": ["a***@example.org"]},
            Reason.NOBODY,
            "Nobody is told of anything: no mail server is set, so messages are only written to the outbox.",
        ),
        (
            {"unsent": ["ann", "bob"]},
            Reason.UNSENT,
            "No mail server is set: mails to ann and bob are only written to the outbox, which tells nobody.",
        ),
        ({"paused": ["channel email is paused: x"]}, Reason.PAUSED, "Channel email is paused: x."),
        ({"policy": ["alertgate.toml is gone"]}, Reason.POLICY, "Alertgate.toml is gone."),
        ({"limits": ["SMTP_DAILY_LIMIT is near"]}, Reason.LIMIT, "SMTP_DAILY_LIMIT is near."),
        ({"own": ["the disk is almost full"]}, Reason.OWN_TROUBLE, "The disk is almost full."),
        ({"known": known(silent=1)}, Reason.SILENT, "1 device is silent for longer than expected."),
        ({"known": known(silent=2000)}, Reason.SILENT, "2,000 devices are silent for longer than expected."),
        ({"known": known(heard=None)}, Reason.UNHEARD, "No webhook has come yet, so nothing is known of any device."),
        (
            {"known": known(1, 0)},
            Reason.GOING_ON,
            "1 incident is going on, and somebody has it.",
        ),
        (
            {"known": known(3, 0, silenced=1)},
            Reason.GOING_ON,
            "3 incidents are going on, and somebody has each of them, or has silenced it.",
        ),
        (
            {"known": known(1, 1, Severity.WARNING)},
            Reason.NOBODY_HAS_IT,
            "1 incident is going on, and nobody has it.",
        ),
        (
            {"known": known(3, 3, Severity.CRITICAL)},
            Reason.CRITICAL,
            "3 incidents are going on, and nobody has any of them.",
        ),
        (
            {"known": known(MOST_COUNTED, 2, Severity.INFO)},
            Reason.NOBODY_HAS_IT,
            "More than 10,000 incidents are going on, and nobody has at least 2 of them.",
        ),
    ],
)
def test_what_is_so_is_said_with_its_reason(changes, reason, said):
    """Each by itself is the verdict; only where there is nothing else is all well."""
    [found] = judge(facts(**changes), START)
    assert found.reason is reason
    assert found.sentence.startswith(said)


def test_the_worst_is_the_verdict_and_nothing_is_left_out():
    """What stops everything comes first, then a leak that nobody has, then what stops some, and what only goes on."""
    everything = facts(
        stored="x",
        delivery="x",
        paused=["a", "b"],
        audit=None,
        failures=None,
        known=known(2, 1, Severity.CRITICAL, silent=3, heard=None),
    )
    assert [each.reason for each in judge(everything, START)] == [
        Reason.UNWRITABLE,
        Reason.STUCK,
        Reason.CRITICAL,
        Reason.PAUSED,
        Reason.PAUSED,
        Reason.UNAUDITED,
        Reason.UNCOUNTED,
        Reason.SILENT,
        Reason.UNHEARD,
    ]


def test_only_one_reason_is_well_and_what_is_worse_comes_first():
    """Every reason has a level, and none but WELL reads as good news."""
    levels = [Verdict(reason, "").level for reason in Reason]
    assert [reason for reason, level in zip(Reason, levels, strict=True) if level is Level.WELL] == [Reason.WELL]
    assert levels.index(Level.WARNING) > max(at for at, level in enumerate(levels) if level is Level.CRITICAL)
