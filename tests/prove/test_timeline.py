"""The timeline of an alert, whose last line is the current state."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alertgate.credential import Credential
from alertgate.model import AlertStatus, Attempt, IncidentStatus, Kind, NotificationStatus, Resolution, Source
from alertgate.proof import Proof
from alertgate.prove.history import IncidentTrail, Told, Trail
from alertgate.prove.timeline import tell, tell_incident
from alertgate.silence import Silence
from alertgate.states import NOT_BY_ITSELF
from alertgate.store.escalations import StoredRun
from tests.builders import alert, incident, notification
from tests.fakes import START

BERLIN = ZoneInfo("Europe/Berlin")


def later(seconds: float) -> Any:
    """Return a time after the start."""
    return START + timedelta(seconds=seconds)


def attempt(seconds: float, outcome: str, reason: str, reply: str) -> Attempt:
    """Return an attempt that began `seconds` after the start and took 20 ms."""
    return Attempt(f"attempt-{seconds}", "notification-1", later(seconds), 0.02, outcome, reason, reply)


RETRY = f"`alertgate retry {notification().id}` sends it once the cause is fixed"
BUSY = attempt(1, "transient", "recipient_busy", "450 4.2.1 busy")
SENT = notification(status=NotificationStatus.SENT, finished_at=later(21))


def timeline(*told: Told, now: float = 60, name: str | None = None, **changes: Any) -> list[str]:
    """Return the lines of an alert's timeline."""
    trail = Trail(alert(incident_id="incident-1", **changes), incident(), told)
    return tell(trail, name, BERLIN, later(now)).splitlines()


def last(status: NotificationStatus, **changes: Any) -> str:
    """Return the last line of a timeline with one notification."""
    return timeline(Told(notification(status=status, **changes), ()))[-1]


def test_an_ignored_alert_says_by_which_rule():
    """It was received, and that is all."""
    ignored = alert(status=AlertStatus.IGNORED, reason="ignored by [[events]] 1 (heartbeat)")
    lines = tell(Trail(ignored, None, ()), None, BERLIN, later(60)).splitlines()
    assert lines[-4:] == [
        "15:03:00.000  received by the particle webhook",
        "15:03:00.000  ignored by [[events]] 1 (heartbeat)",
        "",
        "now (15:04:00): it belongs to no incident, and nobody is notified.",
    ]


def test_the_whole_timeline_of_an_alert_that_needed_two_attempts():
    """Published, received, grouped, planned, attempted, sent, in local time, oldest first; then the state."""
    told = Told(SENT, (BUSY, attempt(21, "sent", "sent", "250 OK queued as 1")))
    lines = timeline(
        told,
        name="Front door",
        published_at=later(-2.5),
        request_id="request-1",
        reason="opened the incident, because none was open for it",
    )
    assert lines == [
        "[WARNING] alarm/motion from Front door (3f002b000000000000000000)",
        "alert alert-1, incident incident-1",
        "content: motion in the hall",
        "",
        "2026-11-23 (CET)",
        "15:02:57.500  published, according to the sender",
        "15:03:00.000  received by the particle webhook, 2.50 s after it was published (request request-1)",
        "15:03:00.000  grouped: opened the incident, because none was open for it",
        "15:03:00.000  opening planned as email to me@example.com: nothing was said about this incident yet",
        (
            "15:03:01.000  attempt 1 of email to me@example.com: not accepted after 0.02 s (recipient_busy), "
            'answered "450 4.2.1 busy"'
        ),
        '15:03:21.000  attempt 2 of email to me@example.com: sent in 0.02 s, answered "250 OK queued as 1"',
        "",
        (
            "now (15:04:00): the incident (1 alert) is open; "
            "email to me@example.com was sent at 15:03:21, 21.0 s after receipt."
        ),
    ]


def test_each_day_has_its_heading():
    """A timeline over midnight, or over a change to or from summer time, shows the date and the zone."""
    lines = timeline(Told(notification(created_at=later(9 * 3600)), ()), published_at=START - timedelta(days=60))
    assert [line for line in lines if line.startswith("2026-")] == [
        "2026-09-24 (CEST)",
        "2026-11-23 (CET)",
        "2026-11-24 (CET)",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-0.5, ", 0.50 s before its own time of publication"),
        (12.34, ", 12.3 s after it was published"),
        (125, ", 2 min 5 s after it was published"),
        (7265, ", 2 h 1 min after it was published"),
        (5 * 86400 + 3600, ", 5 d 1 h after it was published"),
    ],
)
def test_the_delay_is_shown_in_fitting_units(seconds, words):
    """From fractions of a second to days, and for a device whose clock is ahead."""
    lines = timeline(published_at=later(-seconds))
    assert any(line.endswith(f"received by the particle webhook{words}") for line in lines)


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ({"wet": True, "x": None, "zone": "Küche"}, '{"wet": true, "x": null, "zone": "Küche"}'),
        ([1, "a"], '[1, "a"]'),
        (0, "0"),
    ],
)
def test_data_is_shown_as_it_was_sent(data, shown):
    """As JSON, which whoever wrote the firmware knows, and nothing is left out for being zero."""
    assert timeline(message=None, data=data)[2] == f"content: {shown}"


def test_what_is_given_up_on_while_its_channel_is_away_is_not_over():
    """The log says the same: nobody has to retry it."""
    missed = notification(status=NotificationStatus.FAILED, finished_at=later(20), missed_since=START)
    [line] = [line for line in timeline(Told(missed, (BUSY,))) if "given up" in line]
    assert line.endswith(
        "was given up for now; it did not reach its recipient; it is sent by itself once its channel works"
    )


def test_what_its_service_refused_after_it_took_it_waits_for_a_retry_or_another_message():
    """Nothing else shows that the account works again."""
    refused = notification(
        status=NotificationStatus.FAILED, finished_at=later(20), missed_since=START, due_at=NOT_BY_ITSELF
    )
    told = Told(refused, (BUSY,))
    [line] = [line for line in timeline(told) if "failed for good" in line]
    assert line.endswith(
        f"it did not reach its recipient; `alertgate retry {refused.id}` sends it once the cause is fixed, or it is "
        "sent by itself once another message to its contact has arrived"
    )
    assert not any("once its channel works" in line for line in timeline(told))


def test_a_quarantined_alert_shows_the_reasons_and_its_body():
    """The unreadable body is shown as it was received."""
    lines = timeline(status=AlertStatus.QUARANTINED, data=None, raw=b'{"event": \xff', errors=("Invalid JSON", "at 1"))
    assert 'content: {"event": \\xff' in lines
    assert "15:03:00.000  quarantined, because it can't be read: Invalid JSON; at 1" in lines


def test_a_timeline_has_no_control_characters():
    """Control and bidirectional characters and lone surrogates are escaped; long data is cut."""
    lines = timeline(event="a\x1b[2Jb\u202e\udcff", data="x" * 500)
    assert lines[0] == "[WARNING] a\\x1b[2Jb\\u202e\\udcff from 3f002b000000000000000000"
    assert lines[2] == f"content: {'x' * 200}..."


def test_failures_and_manual_retries_are_shown():
    """A transient failure, a manual retry, and a permanent failure."""
    failed = notification(status=NotificationStatus.FAILED, retry_since=later(100), finished_at=later(101))
    gone = attempt(101, "permanent", "no_such_recipient", "550 5.1.1 no\r\nsuch user")
    lines = timeline(Told(failed, (BUSY, gone)), now=200)
    who = "email to me@example.com"
    assert lines[-6:] == [
        f'15:03:01.000  attempt 1 of {who}: not accepted after 0.02 s (recipient_busy), answered "450 4.2.1 busy"',
        f"15:04:40.000  {who} retried manually",
        (
            f"15:04:41.000  attempt 2 of {who}: not accepted after 0.02 s (no_such_recipient, permanent), "
            'answered "550 5.1.1 no such user"'
        ),
        f"15:04:41.000  {who} failed for good; it did not reach its recipient; {RETRY}",
        "",
        (
            f"now (15:06:20): the incident (1 alert) is open; {who} FAILED at 15:04:41: "
            "run `alertgate retry notification-1` to retry it, or `alertgate dismiss notification-1`."
        ),
    ]


def test_a_dismissal_is_shown():
    """When, and by whom; no command is left to run."""
    failed = notification(status=NotificationStatus.FAILED, finished_at=later(1))
    dismissed = replace(failed, dismissed_at=later(60), dismissed_by="Anna")
    lines = timeline(Told(dismissed, ()), now=200)
    assert lines[-4:] == [
        f"15:03:01.000  email to me@example.com failed for good; it did not reach its recipient; {RETRY}",
        "15:04:00.000  email to me@example.com dismissed by Anna",
        "",
        (
            "now (15:06:20): the incident (1 alert) is open; email to me@example.com FAILED at 15:03:01, and was "
            "dismissed at 15:04:00 by Anna."
        ),
    ]


def test_of_several_failures_the_outstanding_one_can_be_retried():
    """The earlier one says that a later one counts instead."""
    first = notification(id="n1", status=NotificationStatus.FAILED, finished_at=later(1), superseded_by="n2")
    second = notification(id="n2", status=NotificationStatus.FAILED, finished_at=later(400))
    lines = timeline(Told(first, ()), Told(second, ()), now=500)
    assert lines[-1].endswith("run `alertgate retry n2` to retry it, or `alertgate dismiss n2`.")
    assert any(line.endswith("it did not reach its recipient; n2 was planned instead") for line in lines)


def test_an_incident_shows_who_acknowledged_and_resolved_it():
    """Opened by an earlier alert, acknowledged, which cancels a notification, and resolved."""
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
            "now (15:04:00): the incident (2 alerts) is resolved by Bea; "
            "email to me@example.com was cancelled: acknowledged by Anna."
        ),
    ]


def test_the_last_line_shows_what_is_pending_or_being_sent():
    """A pending notification shows until when it waits."""
    who = "email to me@example.com"
    assert last(NotificationStatus.PENDING, due_at=later(300)).endswith(f"; {who} waits until 15:08:00.")
    assert last(NotificationStatus.SENDING).endswith(f"; {who} is being sent.")


def test_the_last_line_shows_for_each_address_the_notification_that_got_furthest():
    """A sent notification hides a failed one; one sent before the alert can't have included it."""
    failed = notification(status=NotificationStatus.FAILED, finished_at=later(1))
    before = notification(address="bea@example.com", status=NotificationStatus.SENT, finished_at=later(-1))
    stale = attempt(-2, "sent", "sent", "250 OK")
    assert timeline(Told(failed, ()), Told(SENT, ()), Told(before, (stale,)))[-1].endswith(
        "is open; email to me@example.com was sent at 15:03:21, 21.0 s after receipt; "
        "email to bea@example.com got no notification after this alert."
    )


def test_an_alert_without_an_incident_or_a_notification_says_so():
    """An alert that resolved nothing, and an incident without recipients."""
    alone = tell(Trail(alert(), None, ()), None, BERLIN, START).splitlines()
    assert alone[-1] == "now (15:03:00): it belongs to no incident, and nobody is notified."
    assert timeline()[-1] == "now (15:04:00): the incident (1 alert) is open; nobody is notified."


def test_an_own_alert_was_reported_by_alertgate_itself():
    """No webhook received it."""
    lines = timeline(source=Source.ALERTGATE, device="generic webhook", message="1 alert refused")
    assert "15:03:00.000  reported by alertgate itself" in lines
    assert not [line for line in lines if "received by" in line]


def test_a_digest_and_the_daily_limit_are_named():
    """Who asks why a notification came late, and with others, finds both."""
    held = notification(
        status=NotificationStatus.SENT, finished_at=later(21), digest_id="digest-1", held_until=later(20)
    )
    lines = timeline(Told(held, (attempt(21, "sent", "sent", "250 OK"),)))
    assert lines[-4:-2] == [
        "15:03:20.000  email to me@example.com was still held back by the mail account's daily limit",
        '15:03:21.000  attempt 1 of email to me@example.com in digest digest-1: sent in 0.02 s, answered "250 OK"',
    ]


def escalating(told: Told | None = None, **changes: Any) -> list[str]:
    """Return the lines of the timeline of an alert whose incident has an escalation."""
    run = StoredRun("incident-1", "home", "[[routes]] 1 sends it to home", START, 0, 1, START, 0, None, None, False, [])
    about = incident(**changes.pop("about", {}))
    trail = Trail(alert(incident_id="incident-1"), about, (told,) if told else (), replace(run, **changes))
    return tell(trail, None, BERLIN, later(60)).splitlines()


def test_an_escalation_says_why_it_began_and_when_it_is_decided_again():
    """Also if nobody was told yet."""
    lines = escalating(next_at=later(600), step=0)
    assert "15:03:00.000  escalation home began: [[routes]] 1 sends it to home" in lines
    assert lines[-1].endswith(
        "nobody is notified yet; escalation home (step 0) is decided again at 2026-11-23 15:13:00."
    )
    assert escalating(step=0)[-1].endswith("; nobody is notified.")


def test_an_incident_tells_of_its_escalation_and_its_silences():
    """Beside its latest alerts: when each began, who began it, and when it ended."""
    run = StoredRun(
        "incident-1", "home", "by the first route", START, 0, 1, None, 0, None, None, gave_up=False, told=()
    )
    nothing = {"event": None, "source": None, "min_severity": None, "unless": None, "note": None}
    times = {"begins_at": later(5), "ends_at": later(50), "created_at": later(5)}
    silence = Silence("s1", device="d", author="Anna", credential=Credential.LINK, **nothing, **times)
    trail = IncidentTrail(incident(), (alert(incident_id="incident-1"),), (), run, (silence,))
    told = tell_incident(trail, None, BERLIN, later(60))
    assert "15:03:00.000  escalation home began: by the first route" in told
    assert "15:03:05.000  silenced" in told
    assert "15:03:50.000  the silence s1 came to its end" in told


def test_that_it_was_handed_back_is_an_event():
    """And by whom, which needn't be who had it."""
    back = {"handed_back_at": later(60), "handed_back_by": "Ben", "handed_back_with": Credential.LINK}
    lines = escalating(Told(SENT, ()), about={"acknowledged_at": later(5), "acknowledged_by": "Anna", **back})
    said = """the incident was handed back by "Ben" with a message's link: nobody had it any more"""
    assert f"15:04:00.000  {said}" in lines


def test_a_snooze_and_the_end_of_a_hold_are_events():
    """Who snoozed it until when, and when what was held went out."""
    snoozed = {"acknowledged_at": later(5), "acknowledged_by": "Anna", "snoozed_until": later(3605)}
    lines = escalating(Told(replace(SENT, released_at=later(20)), ()), about=snoozed)
    assert "15:03:05.000  the incident was snoozed by Anna until 2026-11-23 16:03" in lines
    assert "15:03:20.000  email to me@example.com was held until now" in lines


def test_what_went_later_than_it_was_due_says_so():
    """A limit that held it is no riddle; what went at once, or was tried again, has no such line."""
    words = "15:03:00.000  email to me@example.com was due, and waited for 20.0 s: more than FLOOD_LIMIT allows"
    late = timeline(Told(SENT, (attempt(20, "sent", "sent", "250 OK"),)))
    assert any(line.startswith(words) for line in late)
    for attempts in ((attempt(1, "sent", "sent", "250 OK"),), (BUSY, attempt(21, "sent", "sent", "250 OK"))):
        assert not any("and waited for" in line for line in timeline(Told(SENT, attempts)))


def test_the_trail_says_how_far_it_is_proved_that_a_push_arrived():
    """And by whose word; the last line too."""
    proved = replace(SENT, proof=Proof.SEEN, proved_at=later(40), proved_by="Anna's\nphone")
    lines = timeline(Told(proved, (attempt(21, "sent", "sent", "queued"),)))
    assert '15:03:40.000  email to me@example.com was seen (by "Anna\'s phone"), as its service says' in lines
    assert lines[-1].endswith("; email to me@example.com was sent at 15:03:21, 21.0 s after receipt, and seen.")


def test_what_was_only_taken_by_its_service_is_not_called_more():
    """A mail server's answer proves nothing about a person."""
    lines = timeline(
        Told(replace(SENT, proof=Proof.SENT, proved_at=later(21)), (attempt(21, "sent", "sent", "250 OK"),))
    )
    assert lines[-1].endswith("21.0 s after receipt.")
    assert not [line for line in lines if "as its service says" in line]


def test_a_text_that_was_sent_and_did_not_arrive():
    """That is no attempt of its own, but what became of one; the next one follows."""
    undelivered = replace(attempt(1, "transient", "unreachable", "30003  off"), seconds=9)
    told = Told(SENT, (attempt(1, "sent", "sent", "queued"), undelivered, attempt(70, "sent", "sent", "queued")))
    lines, off = [line for line in timeline(told) if "attempt" in line], '"30003 off"'
    assert lines == [
        '15:03:01.000  attempt 1 of email to me@example.com: sent in 0.02 s, answered "queued"',
        f"15:03:10.000  attempt 1 of email to me@example.com didn't arrive (unreachable), as its service says: {off}",
        '15:04:10.000  attempt 2 of email to me@example.com: sent in 0.02 s, answered "queued"',
    ]
