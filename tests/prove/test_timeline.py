"""A trail reads like a story, and its last line says how it stands."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alertgate.model import AlertStatus, Attempt, IncidentStatus, Kind, NotificationStatus, Resolution
from alertgate.prove.history import Told, Trail
from alertgate.prove.timeline import tell
from tests.builders import alert, incident, notification
from tests.fakes import START

BERLIN = ZoneInfo("Europe/Berlin")


def later(seconds: float) -> Any:
    """Return a time after the start."""
    return START + timedelta(seconds=seconds)


def attempt(seconds: float, outcome: str, reason: str, reply: str) -> Attempt:
    """Return an attempt that began so long after the start and took 20 ms."""
    return Attempt(f"attempt-{seconds}", "notification-1", later(seconds), 0.02, outcome, reason, reply)


BUSY = attempt(1, "transient", "recipient_busy", "450 4.2.1 busy")
SENT = notification(status=NotificationStatus.SENT, finished_at=later(21))


def story(*told: Told, now: float = 60, name: str | None = None, **changes: Any) -> list[str]:
    """Return the lines of the story of an alert."""
    trail = Trail(alert(incident_id="incident-1", **changes), incident(), told)
    return tell(trail, name, BERLIN, later(now)).splitlines()


def last(status: NotificationStatus, **changes: Any) -> str:
    """Return the last line of a story with one message."""
    return story(Told(notification(status=status, **changes), ()))[-1]


def test_the_whole_story_of_an_alert_that_needed_two_tries():
    """Published, received, grouped, planned, tried, sent; in the time zone, oldest first, and how it stands."""
    told = Told(SENT, (BUSY, attempt(21, "sent", "sent", "250 OK queued as 1")))
    lines = story(
        told,
        name="Front door",
        published_at=later(-2.5),
        request_id="request-1",
        reason="opened the incident, because none was open for it",
    )
    assert lines == [
        "[WARNING] alarm/motion from Front door (3f002b000000000000000000)",
        "alert alert-1, incident incident-1",
        "it says: motion in the hall",
        "",
        "2026-11-23 (CET)",
        "15:02:57.500  published, by its own time",
        "15:03:00.000  received by the particle webhook, 2.50 s after it was published (request request-1)",
        "15:03:00.000  grouped: opened the incident, because none was open for it",
        "15:03:00.000  opening planned as email to me@example.com: nothing was said about this incident yet",
        (
            "15:03:01.000  attempt 1 of email to me@example.com: not taken after 0.02 s (recipient_busy), "
            'answered "450 4.2.1 busy"'
        ),
        '15:03:21.000  attempt 2 of email to me@example.com: sent in 0.02 s, answered "250 OK queued as 1"',
        "",
        (
            "now (15:04:00): the incident, of 1 alert, is open; "
            "email to me@example.com was sent at 15:03:21, 21.0 s after receipt."
        ),
    ]


def test_each_day_has_its_heading():
    """A story that goes on after midnight, or over a change of the clocks, says so."""
    lines = story(Told(notification(created_at=later(9 * 3600)), ()), published_at=START - timedelta(days=60))
    assert [line for line in lines if line.startswith("2026-")] == [
        "2026-09-24 (CEST)",
        "2026-11-23 (CET)",
        "2026-11-24 (CET)",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-0.5, ", 0.50 s before the time that it says it was published"),
        (12.34, ", 12.3 s after it was published"),
        (125, ", 2 min 5 s after it was published"),
        (7265, ", 2 h 1 min after it was published"),
        (5 * 86400 + 3600, ", 5 d 1 h after it was published"),
    ],
)
def test_the_delay_is_said_in_units_that_a_person_uses(seconds, words):
    """From fractions of a second to days, and for a device whose clock is ahead."""
    lines = story(published_at=later(-seconds))
    assert any(line.endswith(f"received by the particle webhook{words}") for line in lines)


def test_a_quarantined_alert_says_why_and_shows_its_body():
    """What couldn't be read stands there as it came."""
    lines = story(status=AlertStatus.QUARANTINED, data=None, raw=b'{"event": \xff', errors=("Invalid JSON", "at 1"))
    assert 'it says: {"event": \\xff' in lines
    assert "15:03:00.000  quarantined, because it can't be read: Invalid JSON; at 1" in lines


def test_nothing_in_a_story_can_command_a_terminal():
    """Control characters, bidirectional tricks and lone surrogates are shown as escapes; long data is cut."""
    lines = story(event="a\x1b[2Jb\u202e\udcff", data="x" * 500)
    assert lines[0] == "[WARNING] a\\x1b[2Jb\\u202e\\udcff from 3f002b000000000000000000"
    assert lines[2] == f"it says: {'x' * 200}..."


def test_failing_and_starting_afresh_are_told():
    """Given up on, started afresh by hand, and refused for good."""
    message = notification(status=NotificationStatus.FAILED, retry_since=later(100), finished_at=later(101))
    gone = attempt(101, "permanent", "no_such_recipient", "550 5.1.1 no\r\nsuch user")
    lines = story(Told(message, (BUSY, gone)), now=200)
    who = "email to me@example.com"
    assert lines[-6:] == [
        f'15:03:01.000  attempt 1 of {who}: not taken after 0.02 s (recipient_busy), answered "450 4.2.1 busy"',
        f"15:04:40.000  {who} started afresh by hand",
        (
            f"15:04:41.000  attempt 2 of {who}: not taken after 0.02 s (no_such_recipient, which won't pass), "
            'answered "550 5.1.1 no such user"'
        ),
        f"15:04:41.000  given up on {who}; this notification did not reach it",
        "",
        (
            f"now (15:06:20): the incident, of 1 alert, is open; {who} FAILED at 15:04:41: "
            "`alertgate retry notification-1` sends it after all."
        ),
    ]


def test_an_incident_that_people_dealt_with_says_who():
    """Opened by an earlier alert, acknowledged, what that cancelled, and resolved."""
    cancelled = notification(
        status=NotificationStatus.CANCELLED, kind=Kind.UPDATE, reason="acknowledged by Anna", finished_at=later(30)
    )
    closed = incident(
        status=IncidentStatus.RESOLVED,
        opened_at=later(-60),
        alert_count=2,
        acknowledged_at=later(30),
        acknowledged_by="Anna",
        resolved_at=later(40),
        resolution=Resolution.PERSON,
        resolved_by="Bea",
    )
    lines = tell(Trail(alert(incident_id=closed.id), closed, (Told(cancelled, ()),)), None, BERLIN, later(60))
    assert lines.splitlines()[4:] == [
        "2026-11-23 (CET)",
        "15:02:00.000  the incident was opened by an earlier alert",
        "15:03:00.000  received by the particle webhook",
        "15:03:00.000  update planned as email to me@example.com",
        "15:03:30.000  the incident was acknowledged by Anna",
        "15:03:30.000  email to me@example.com cancelled: acknowledged by Anna",
        "15:03:40.000  the incident was resolved by Bea",
        "",
        (
            "now (15:04:00): the incident, of 2 alerts, is resolved by Bea; "
            "email to me@example.com was cancelled: acknowledged by Anna."
        ),
    ]


def test_the_last_line_says_what_is_still_to_come():
    """A message that waits says until when; one under way says so."""
    who = "email to me@example.com"
    assert last(NotificationStatus.PENDING, due_at=later(300)).endswith(f"; {who} waits until 15:08:00.")
    assert last(NotificationStatus.SENDING).endswith(f"; {who} is being sent.")


def test_the_last_line_speaks_of_every_address_by_what_got_furthest():
    """A failed message doesn't matter where a later one was sent; one from before the alert can't have told of it."""
    failed = notification(status=NotificationStatus.FAILED, finished_at=later(1))
    before = notification(address="bea@example.com", status=NotificationStatus.SENT, finished_at=later(-1))
    stale = attempt(-2, "sent", "sent", "250 OK")
    assert story(Told(failed, ()), Told(SENT, ()), Told(before, (stale,)))[-1].endswith(
        "is open; email to me@example.com was sent at 15:03:21, 21.0 s after receipt; "
        "email to bea@example.com was told of the incident before this alert, and hears no more of it."
    )


def test_an_alert_without_an_incident_or_a_message_says_so():
    """Nothing was open to be resolved; and nobody was there to be told."""
    alone = tell(Trail(alert(), None, ()), None, BERLIN, START).splitlines()
    assert alone[-1] == "now (15:03:00): it belongs to no incident, and nobody is to be told."
    assert story()[-1] == "now (15:04:00): the incident, of 1 alert, is open; nobody is to be told."
