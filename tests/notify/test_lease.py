"""Which messages are leased as they are planned, and how many are taken up ahead."""

from datetime import timedelta

import pytest

from alertgate.model import ChannelName, Kind, NotificationStatus, Severity
from alertgate.notify.lease import LEASE, MOST_AHEAD, Leases, ahead, pace_after
from tests.fakes import START
from tests.store.test_store import a_notification, an_incident

EMAIL, SMS = ChannelName.EMAIL, ChannelName.SMS


@pytest.mark.parametrize(
    ("capacity", "pace", "expected"),
    [
        (2, None, 0),  # nothing is known of the server
        (2, 0.5, 0),  # a far server: each message for itself
        (2, 0.05, 4),  # what two connections send in a tenth of a second
        (2, 0.001, MOST_AHEAD),
        (1, 0.0, 0),
    ],
)
def test_only_for_a_quick_server_are_messages_taken_up_ahead(capacity, pace, expected):
    """A critical message never waits for longer than a tenth of a second behind lesser ones."""
    assert ahead(capacity, pace) == expected


def test_the_pace_follows_the_server():
    """The first message sets it, later ones move it."""
    pace = pace_after(None, 1.0)
    assert pace == 1.0
    for _ in range(20):
        pace = pace_after(pace, 0.01)
    assert 0.01 < pace < 0.03


def planned(**changes):
    """A message that is due."""
    return a_notification(an_incident(), due_at=START, **changes)


def test_what_is_due_and_fits_is_leased():
    """A lease says whose it is, since when and until when; the message is otherwise as planned."""
    message = planned()
    [leased] = Leases("me", START, {EMAIL: 1}).grant([message])
    assert (leased.status, leased.lease_owner, leased.claimed_at, leased.lease_until, leased.id) == (
        NotificationStatus.SENDING,
        "me",
        START,
        START + LEASE,
        message.id,
    )


@pytest.mark.parametrize(
    ("leases", "changes"),
    [
        (Leases("me", START, {EMAIL: 0}), {}),
        (Leases("me", START, {SMS: 5}), {}),
        (Leases("me", START - timedelta(seconds=1), {EMAIL: 5}), {}),
        (Leases("me", START, {EMAIL: 5}, {EMAIL}), {"kind": Kind.UPDATE}),
        (Leases("me", START, {EMAIL: 5}), {"created_at": START - timedelta(milliseconds=1)}),
    ],
    ids=["no room", "another channel", "not due yet", "held back by the daily limit", "due since it was planned"],
)
def test_anything_else_stays_pending(leases, changes):
    """It is claimed in its turn."""
    messages = [planned(**changes)]
    assert leases.grant(messages) == messages


@pytest.mark.parametrize("changes", [{"kind": Kind.OPENING}, {"kind": Kind.UPDATE, "severity": Severity.CRITICAL}])
def test_the_daily_limit_lets_pressing_ones_pass(changes):
    """First messages and critical ones go out to the last."""
    [leased] = Leases("me", START, {EMAIL: 1}, {EMAIL}).grant([planned(**changes)])
    assert leased.status is NotificationStatus.SENDING


def test_the_most_severe_take_the_room():
    """Where not all fit, the most severe are leased; their order stays."""
    severities = [Severity.INFO, Severity.CRITICAL, Severity.WARNING, Severity.CRITICAL]
    granted = Leases("me", START, {EMAIL: 2}).grant([planned(severity=severity) for severity in severities])
    assert [each.severity for each in granted] == severities
    assert [each.status is NotificationStatus.SENDING for each in granted] == [False, True, False, True]
