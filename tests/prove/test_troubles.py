"""When alertgate reports a trouble of its own, and in which words."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from tools.settings_table import ROOT

from alertgate.model import Severity, Source
from alertgate.own_events import Hint
from alertgate.prove.cause_words import CAUSES
from alertgate.prove.hint_words import TITLES
from alertgate.prove.trouble_words import TROUBLES, message, title
from alertgate.prove.troubles import (
    MOST_SENDERS,
    OTHERS,
    Cause,
    Known,
    Step,
    Subject,
    Tally,
    Trouble,
    add_up,
    decide,
    decide_confirmed,
    decide_daily,
    is_news,
    once,
    read_tally,
)
from tests import builders
from tests.fakes import START

INTERVAL = timedelta(minutes=5)
GENERIC = Subject(Trouble.REFUSED, "generic webhook")
ONE = once(START, Cause.ADDRESS_LIMIT, "192.0.2.7")


def known(**changes) -> Known:
    """Return what a process knows that has refused one alert at the start, and hasn't reported it."""
    facts = {"last_at": START, "unsaid": ONE, "severity": Severity.WARNING, "uncovered": True, "cleared": False}
    return Known(**{**facts, **changes})


def at(seconds: float) -> datetime:
    """Return a time, in seconds after the start."""
    return START + timedelta(seconds=seconds)


OPEN = builders.incident(source=Source.ALERTGATE, severity=Severity.WARNING)
"""The incident, with its last report at the start."""


@pytest.mark.parametrize(
    ("facts", "incident", "seconds", "step"),
    [
        (known(), None, 0, Step.OPEN),
        (known(), None, 3600, Step.OPEN),
        (known(), OPEN, 1, Step.WAIT),
        (known(severity=Severity.CRITICAL), OPEN, 1, Step.WORSE),
        (known(unsaid=None, severity=Severity.CRITICAL), OPEN, 1, Step.WAIT),
        (known(last_at=at(239)), OPEN, 239, Step.WAIT),
        (known(last_at=at(100)), OPEN, 240, Step.GO_ON),
        (known(last_at=at(100), unsaid=None), OPEN, 240, Step.WAIT),
        (known(last_at=at(3)), OPEN, 240, Step.WAIT),
        (known(last_at=at(3)), OPEN, 302, Step.WAIT),
        (known(last_at=at(3)), OPEN, 303, Step.END),
        (known(last_at=at(3), unsaid=None), OPEN, 303, Step.END),
        (known(last_at=at(-3600)), OPEN, 299, Step.WAIT),
        (known(last_at=at(-3600)), OPEN, 300, Step.END),
        (known(cleared=True, unsaid=None), OPEN, 1, Step.END),
        (known(cleared=True), None, 1, Step.OPEN),
        (known(uncovered=False), None, 1, Step.WAIT),
        (known(uncovered=False), None, 300, Step.END),
        (known(uncovered=False, unsaid=None), None, 299, Step.WAIT),
        (known(uncovered=False, unsaid=None), None, 300, Step.FORGET),
        (known(cleared=True, unsaid=None), None, 1, Step.FORGET),
        (None, OPEN, 599, Step.WAIT),
        (None, OPEN, 600, Step.ABANDONED),
        (None, None, 600, Step.WAIT),
    ],
)
def test_each_step_follows_from_the_facts(facts, incident, seconds, step):
    """First at once, worse at once, again while it goes on, over after GROUP_INTERVAL, and otherwise nothing."""
    assert decide(facts, incident, at(seconds), INTERVAL) is step


@pytest.mark.parametrize(
    ("facts", "incident", "step"),
    [
        (known(), OPEN, Step.GO_ON),
        (known(), None, Step.OPEN),
        (known(uncovered=False), None, Step.END),
        (known(unsaid=None), OPEN, Step.WAIT),
    ],
)
def test_a_process_that_ends_says_what_it_knows(facts, incident, step):
    """What is unsaid is reported; an incident stays open, because it isn't over."""
    assert decide(facts, incident, at(1), INTERVAL, closing=True) is step


@pytest.mark.parametrize(
    ("facts", "incident", "seconds", "step"),
    [
        (known(), None, 0, Step.OPEN),
        (known(unsaid=None), OPEN, 1e7, Step.WAIT),
        (known(unsaid=None), None, 1e7, Step.WAIT),
        (known(unsaid=None, uncovered=False), None, 1e7, Step.WAIT),
        (known(), OPEN, 239, Step.WAIT),
        (known(), OPEN, 240, Step.GO_ON),
        (known(), OPEN, 1e7, Step.GO_ON),
        (known(unsaid=None, cleared=True), OPEN, 1, Step.END),
        (known(unsaid=None, cleared=True), None, 1, Step.FORGET),
        (None, OPEN, 1e7, Step.WAIT),
    ],
)
def test_a_trouble_that_lasts_is_over_when_it_is_cleared(facts, incident, seconds, step):
    """However long ago it began, and whoever reported it; a change is said after a while."""
    assert decide(facts, incident, at(seconds), INTERVAL, lasting=True) is step


@pytest.mark.parametrize(
    ("facts", "incident", "seconds", "step"),
    [
        (known(unsaid=None, lasts=True, last_at=at(239)), OPEN, 239, Step.WAIT),
        (known(unsaid=None, lasts=True, last_at=at(240)), OPEN, 240, Step.CONFIRM),
        (known(unsaid=None, lasts=True, last_at=at(1e7)), OPEN, 1e7, Step.CONFIRM),
        (known(lasts=True, last_at=at(240)), OPEN, 240, Step.GO_ON),
        (known(unsaid=None, last_at=at(200)), OPEN, 240, Step.WAIT),
        (known(unsaid=None, last_at=at(200)), OPEN, 500, Step.END),
        (known(unsaid=None, lasts=True, last_at=at(240)), None, 240, Step.WAIT),
        (known(unsaid=None, last_at=at(-1)), OPEN, 599, Step.WAIT),
        (known(unsaid=None, last_at=at(-1)), OPEN, 600, Step.ABANDONED),
        (None, OPEN, 600, Step.ABANDONED),
    ],
)
def test_a_trouble_that_each_process_sees_is_confirmed_while_it_lasts(facts, incident, seconds, step):
    """Whoever saw it last ends it, or after ten minutes anybody; a person who ended it hears nothing more of it."""
    assert decide_confirmed(facts, incident, at(seconds)) is step


HOUR = 3600


@pytest.mark.parametrize(
    ("facts", "newest", "seconds", "step"),
    [
        (known(), None, 0, Step.OPEN),
        (known(), OPEN, 24 * HOUR - 1, Step.FORGET),
        (known(), OPEN, 24 * HOUR, Step.OPEN),
        (known(), OPEN, -1, Step.OPEN),
        (known(unsaid=None), None, 0, Step.FORGET),
        (None, OPEN, 48 * HOUR, Step.WAIT),
    ],
)
def test_a_daily_trouble_is_told_once_a_day(facts, newest, seconds, step):
    """Counted from the last incident, which may be over; one from the future doesn't count."""
    assert decide_daily(facts, newest, at(seconds)) is step


def test_only_another_cause_is_news():
    """What another process has said already isn't told again."""
    said, same = once(START, Cause.CHANNEL_LOGIN, "", "535"), once(at(9), Cause.CHANNEL_LOGIN, "", "535 again")
    other = once(at(9), Cause.CHANNEL_TLS, "")
    assert [is_news(said, each) for each in (same, other)] == [False, True]
    assert is_news(None, same)


SAID = Tally(3, START, START, {Cause.GAVE_UP: 3}, {"email a***": 3})


@pytest.mark.parametrize(
    ("now", "news"),
    [
        (SAID, False),
        (replace(SAID, count=5), False),
        (replace(SAID, count=6), True),
        (replace(SAID, count=1), False),
        (replace(SAID, causes={Cause.GAVE_UP: 1, Cause.RECIPIENT_REFUSED: 2}), True),
        (replace(SAID, senders={"email a***": 2, "sms b***": 1}), True),
        (replace(SAID, senders={}), False),
    ],
)
def test_of_what_lasts_only_news_are_said(now, news):
    """A new cause, a new contact, or twice as much; so what grows for days is said a few times."""
    assert is_news(SAID, now) is news
    facts, later = known(unsaid=now, severity=Severity.INFO), at(1e7)
    step = decide(facts, OPEN, later, INTERVAL, said=SAID, lasting=True)
    assert step is (Step.GO_ON if news else Step.SAID)
    worse = replace(facts, severity=Severity.CRITICAL)
    assert decide(worse, OPEN, later, INTERVAL, said=SAID, lasting=True) is Step.WORSE


def test_a_process_that_ends_leaves_open_what_lasts():
    """It has said it, and the next process will say whether it is over."""
    assert decide(known(unsaid=None), OPEN, at(1), INTERVAL, closing=True, lasting=True) is Step.WAIT


def test_a_trouble_that_lasts_begins_once_and_its_latest_cause_counts():
    """Others are counted."""
    first, second = once(START, Cause.POLICY_MISSING, ""), once(at(60), Cause.POLICY_INVALID, "")
    lasting = add_up(Trouble.POLICY, first, second)
    assert lasting == Tally(1, START, at(60), {Cause.POLICY_INVALID: 1}, {})
    counted = add_up(Trouble.REFUSED, ONE, ONE)
    assert counted
    assert counted.count == 2
    for trouble in Trouble:
        assert [add_up(trouble, None, None), add_up(trouble, ONE, None), add_up(trouble, None, ONE)] == [None, ONE, ONE]


POLICY = Subject(Trouble.POLICY, "policy")


@pytest.mark.parametrize(
    ("over", "lines"),
    [
        (
            False,
            [
                "Policy file not used since 14:03: invalid.",
                "What was in force before stays in force; what the file says now doesn't count.",
                "What to do: Run `alertgate check`, which names each problem; fix the file, and send SIGHUP.",
            ],
        ),
        (
            True,
            [
                "Policy file not used from 14:03 to 14:05: invalid.",
                "A good policy is in force again, or it was forgotten on purpose.",
            ],
        ),
    ],
)
def test_a_trouble_that_lasts_is_said_with_its_beginning_and_its_end(over, lines):
    """It isn't counted."""
    told = Tally(1, START, at(120), {Cause.POLICY_INVALID: 1}, {})
    assert message(POLICY, told, at(180), over=over).splitlines() == lines


def test_failed_notifications_are_said_with_whom_they_did_not_reach():
    """How many, to whom, since when, why, and the commands that end it."""
    told = Tally(
        3, START, at(120), {Cause.RECIPIENT_REFUSED: 2, Cause.GAVE_UP: 1}, {"email a***@x": 2, "sms b***@y": 1}
    )
    failed = Subject(Trouble.FAILED, "notifications")
    first, meaning, remedies = message(failed, told, at(180), over=False).splitlines()
    assert first == (
        "3 notifications to email a***@x and sms b***@y not delivered since 14:03: refused for good (2), "
        "given up after GIVE_UP_AFTER (1)."
    )
    assert "`alertgate failures`" in meaning
    assert remedies.count("`alertgate retry --all`") == remedies.count("`alertgate dismiss ID`") == 2
    over = message(failed, told, at(180), over=True).splitlines()
    assert over[0].startswith("3 notifications to email a***@x and sms b***@y not delivered from 14:03 to 14:05: ")


def test_tallies_add_up():
    """Counts add, and the time spans both; senders beyond the first twenty are counted together."""
    tally = ONE
    for number in range(100):
        tally = tally.plus(once(at(number), Cause.TOO_LARGE, f"host-{number % 40}"))
    assert (tally.count, tally.first, tally.last) == (101, START, at(99))
    assert tally.causes == {Cause.ADDRESS_LIMIT: 1, Cause.TOO_LARGE: 100}
    assert len(tally.senders) == MOST_SENDERS + 1
    assert sum(tally.senders.values()) == 101
    assert tally.senders[OTHERS] == 101 - sum(n for name, n in tally.senders.items() if name != OTHERS)


def test_a_tally_is_read_back_from_an_alert():
    """What an alert's data says is the tally again; data in another form is none."""
    tally = ONE.plus(once(at(60), Cause.STORE_SLOW, "Front door"))
    assert read_tally(tally.as_json()) == tally
    assert [read_tally(data) for data in (None, {}, [1], "x", {**tally.as_json(), "causes": {"odd": 1}})] == [None] * 5


def tally(count: int = 41, senders: dict[str, int] | None = None, **causes: int) -> Tally:
    """Return a tally of two minutes."""
    by_cause = {Cause(name): number for name, number in causes.items()} or {Cause.ADDRESS_LIMIT: count}
    return Tally(count, START, at(120), by_cause, {"192.0.2.7": count} if senders is None else senders)


@pytest.mark.parametrize(
    ("told", "over", "first_line"),
    [
        (ONE, False, "1 alert from 192.0.2.7 refused at 14:03: over RATE_LIMIT."),
        (tally(), False, "41 alerts from 192.0.2.7 refused since 14:03: over RATE_LIMIT."),
        (tally(4100), True, "4,100 alerts from 192.0.2.7 refused from 14:03 to 14:05: over RATE_LIMIT."),
        (ONE, True, "1 alert from 192.0.2.7 refused at 14:03: over RATE_LIMIT."),
        (ONE.plus(ONE), True, "2 alerts from 192.0.2.7 refused at 14:03: over RATE_LIMIT."),
        (
            tally(5, {"a": 1, "b": 3}, too_large=2, store_slow=3),
            False,
            "5 alerts from b and a refused since 14:03: the database was too slow (3), larger than MAX_BODY_BYTES (2)",
        ),
        (tally(senders={}), False, "41 alerts refused since 14:03: over RATE_LIMIT."),
        (
            tally(senders=dict.fromkeys("abcd", 1)),
            False,
            "41 alerts from a, b, c and 1 more refused since 14:03: over ",
        ),
        (
            tally(senders={**dict.fromkeys("abcdefg", 1), OTHERS: 9}),
            False,
            "41 alerts from a, b, c and others refused since 14:03: over RATE_LIMIT.",
        ),
    ],
)
def test_the_first_line_says_what_happened(told, over, first_line):
    """How many, whose, since when, and why; the largest numbers first."""
    assert message(GENERIC, told, at(180), over=over).splitlines()[0].startswith(first_line)


def test_the_other_lines_say_what_it_means_and_what_to_do():
    """A remedy for each cause, the most frequent first."""
    lines = message(GENERIC, tally(5, too_large=2, device_limit=3), at(180), over=False).splitlines()
    meaning, remedies = lines[1:]
    assert meaning == "Nobody is told of a refused alert unless its sender sends it again."
    assert remedies == (
        "What to do: Find out why the device publishes so often. If that is right, raise PARTICLE_RATE_LIMIT. "
        "Send less in one alert, or raise MAX_BODY_BYTES."
    )


def test_times_are_those_of_the_reader_with_the_date_unless_it_is_today():
    """A trouble that began before midnight says on which day."""
    told = Tally(2, START, START + timedelta(hours=10), {Cause.STORE_UNAVAILABLE: 2}, {})
    now = (START + timedelta(hours=11)).astimezone(ZoneInfo("Europe/Berlin"))
    assert "refused since 2026-11-23 15:03: " in message(GENERIC, told, now, over=False)
    assert "refused from 2026-11-23 15:03 to 01:03: " in message(GENERIC, told, now, over=True)


def test_without_a_tally_the_message_still_makes_sense():
    """An incident of another version may hold none that can be read."""
    assert message(GENERIC, None, START, over=True).startswith("None was refused since.")
    assert message(GENERIC, None, START, over=False).startswith("Nobody is told")


@pytest.mark.parametrize(("channel", "page"), [("pushover", "pushover"), ("call", "twilio"), ("webhook", "webhook")])
def test_a_paused_service_has_a_page_and_none_of_the_mail_servers_settings(channel, page):
    """Whoever reads that Pushover refuses the login at night must not look for the mail account's password."""
    told = once(START, Cause.CHANNEL_LOGIN, "", "401 application token is invalid")
    said = message(Subject(Trouble.CHANNEL, channel), told, at(180), over=False)
    assert "SMTP" not in said
    assert f"docs/channels/{page}.md" in said
    assert (ROOT / "docs" / "channels" / f"{page}.md").exists()
    assert "SMTP_PASSWORD" in message(Subject(Trouble.CHANNEL, "email"), told, at(180), over=False)


OF = {
    Trouble.POLICY: ("policy_", "policy"),
    Trouble.CHANNEL: ("channel_", "outbox"),
    Trouble.CREDENTIALS: ("credential_", "particle webhook"),
    Trouble.LIMIT: ("limit_", "mail"),
    Trouble.DISK: ("disk_", "DATA_DIR"),
    Trouble.AUDIT: ("audit_", "lease expired"),
}
"""How the causes of a trouble begin, and what it is about."""


@pytest.mark.parametrize("cause", [each for each in Cause if any(each.startswith(p) for p, _ in OF.values())])
def test_each_cause_is_said_in_full(cause):
    """What happened, the detail, what it means and what to do; what happened fits into a text message."""
    trouble, about = next((trouble, about) for trouble, (prefix, about) in OF.items() if cause.startswith(prefix))
    sender = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff" if trouble is Trouble.CREDENTIALS else ""
    told = once(START, cause, sender, "" if trouble is Trouble.POLICY else "402 of 500")
    lines = message(Subject(trouble, about), told, at(180), over=False).splitlines()
    tag = "WARNING" if trouble is Trouble.CREDENTIALS else "CRITICAL"
    assert len(f"{tag} alertgate: {title(trouble, about)} - {lines[0]}") <= 160
    assert ["402 of 500" in line for line in lines] == [False, *([True] if told.detail else []), False, False]
    assert lines[-1].startswith("What to do: ")
    assert all("{" not in line for line in lines)
    over = message(Subject(trouble, about), told, at(180), over=True).splitlines()
    assert over == [lines[0].replace(" since 14:03", " from 14:03 to 14:03").replace("from 14:03 to", "at"), over[1]]


def test_every_trouble_and_cause_has_its_words():
    """No trouble can be raised that has no sentence, nor one whose title doesn't fit into a text message."""
    assert (set(TROUBLES), set(CAUSES)) == (set(Trouble), set(Cause))
    assert title(*GENERIC) == "alerts refused (generic webhook)"
    assert all(len(words.title) <= 24 for words in TROUBLES.values())
    assert title("alertgate/unknown", None) == "alertgate/unknown"


def test_every_hint_has_its_title():
    """It fits into a text message too."""
    assert set(TITLES) == set(Hint)
    assert title(Hint.PARTS, "temp from Cellar") == "too many parts (temp from Cellar)"
    assert all(len(words) <= 24 for words in TITLES.values())
