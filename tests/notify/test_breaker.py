"""When a channel is paused, probed and resumed."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alertgate.notify.breaker import PATIENCE, ChannelState, Room, after, rehearsed, trusted
from alertgate.notify.channels.base import CHANNEL_WIDE, Outcome, Permanent, Reason, Sent, Transient
from alertgate.notify.channels.hook import alone
from alertgate.notify.evidence import Evidence, Tried, weigh
from tests.fakes import START

ME, YOU = Tried("me@example.com", "to me"), Tried("you@example.org", "to you")
ALONE = Permanent(Reason.REFUSED, "words")


def attempted(state: ChannelState, outcome: Outcome, at: datetime, tried: Tried = ME) -> ChannelState:
    """Return the state after one attempt."""
    return after(state, weigh(state.evidence, tried, outcome, at), at, 0.5)


def failing(reason: Reason, times: int, state: ChannelState | None = None) -> ChannelState:
    """Return the state after failures for one reason: one per second, then one per probe once the channel is paused."""
    state, at = state or ChannelState(), START
    for _ in range(times):
        state = attempted(state, Transient(reason, "words"), at)
        at = state.probe_at or at + timedelta(seconds=1)
    return state


@pytest.mark.parametrize(
    "reason",
    [
        Reason.CREDENTIALS,
        Reason.DAILY_LIMIT,
        Reason.SENDER_REFUSED,
        Reason.RELAY_REFUSED,
        Reason.HOST_REFUSED,
    ],
)
def test_a_failure_of_the_account_pauses_at_once(reason):
    """One refused login is enough, and the first probe comes a minute later."""
    state = failing(reason, 1)
    assert (state.up, state.reason, state.paused_at) == (False, reason, START)
    assert state.probe_at == START + timedelta(minutes=1)


@pytest.mark.parametrize(
    "reason", [Reason.CONNECTION, Reason.TIMEOUT, Reason.TLS, Reason.TRY_LATER, Reason.TOO_MANY_LOGINS]
)
def test_other_channel_wide_failures_pause_after_three(reason):
    """The third failure pauses the channel, and the first probe comes 5 s later."""
    assert failing(reason, PATIENCE - 1).up is True
    state = failing(reason, PATIENCE)
    assert (state.up, state.failures) == (False, PATIENCE)
    assert state.probe_at == START + timedelta(seconds=PATIENCE - 1 + 5)


def test_probes_back_off_to_a_quarter_of_an_hour():
    """A server that stays dead is probed less and less often."""
    gaps = []
    for times in range(PATIENCE, PATIENCE + 8):
        state = failing(Reason.CONNECTION, times)
        assert state.failed_at
        assert state.probe_at
        gaps.append((state.probe_at - state.failed_at).total_seconds())
    assert gaps == [5, 15, 45, 120, 300, 900, 900, 900]


@pytest.mark.parametrize("reason", [Reason.CREDENTIALS, Reason.TIMEOUT])
def test_an_attempt_in_flight_when_the_channel_was_paused_is_no_probe(reason):
    """Its failure doesn't move the next probe."""
    paused = failing(reason, PATIENCE)
    assert paused.failed_at
    late = attempted(paused, Transient(reason, "again"), paused.failed_at + timedelta(seconds=1))
    assert (late.probe_at, late.failures, late.reply) == (paused.probe_at, paused.failures, "again")


def test_a_probe_after_the_clock_was_set_back_counts():
    """The next probe is planned from the new time."""
    paused = failing(Reason.CONNECTION, PATIENCE)
    probed = attempted(paused, Transient(Reason.CONNECTION, "words"), START - timedelta(hours=1))
    assert probed.probe_at == START - timedelta(hours=1) + timedelta(seconds=15)


def test_a_failed_probe_keeps_the_start_of_the_pause():
    """`paused_at` stays the time of the first failure that paused the channel."""
    assert failing(Reason.CREDENTIALS, 4).paused_at == START


def test_a_sent_message_resumes_the_channel():
    """Only the last error is kept."""
    state = attempted(failing(Reason.CREDENTIALS, 2), Sent("250 ok"), START + timedelta(hours=1))
    assert (state.up, state.failures, state.probe_at) == (True, 0, None)
    assert (state.succeeded_at, state.reason) == (START + timedelta(hours=1), Reason.CREDENTIALS)


@pytest.mark.parametrize("reason", sorted(set(Reason) - CHANNEL_WIDE - {Reason.SENT, Reason.INTERNAL}))
def test_a_refusal_of_one_message_shows_that_the_channel_works(reason):
    """A server that refuses one recipient is alive."""
    for outcome in (Permanent(reason, "words"), Transient(reason, "words")):
        state = attempted(failing(Reason.CONNECTION, PATIENCE), outcome, START)
        assert (state.up, state.failures, state.reason) == (True, 0, reason)


def test_a_defect_in_alertgate_does_not_change_the_channel():
    """An exception while rendering neither pauses nor resumes."""
    for state in (ChannelState(), failing(Reason.CONNECTION, PATIENCE)):
        defect = attempted(state, Transient(Reason.INTERNAL, "oops"), state.failed_at or START)
        assert (defect.paused_at, defect.probe_at, defect.reason) == (state.paused_at, state.probe_at, state.reason)


def test_a_defect_while_probing_doesnt_probe_at_once_again():
    """The next probe has a time of its own, and prefers another message."""
    paused = failing(Reason.CONNECTION, PATIENCE)
    assert paused.probe_at
    defect = attempted(paused, Transient(Reason.INTERNAL, "oops"), paused.probe_at, YOU)
    assert (defect.probe_at, defect.tried[-1]) == (paused.probe_at + timedelta(seconds=5), YOU)


def test_a_paused_channel_has_one_slot_when_a_probe_is_due():
    """Before the probe's time there is no room, then for one message while nothing is being sent."""
    up = ChannelState()
    assert [up.room(2, sending, START) for sending in (0, 1, 2, 3)] == [Room(2), Room(1), Room(0), Room(0)]
    paused = replace(up, paused_at=START, probe_at=START + timedelta(seconds=5))
    assert paused.room(2, 0, START + timedelta(seconds=4)) == Room(0)
    assert paused.room(2, 0, START + timedelta(seconds=5)) == Room(1, probe=True)
    assert paused.room(2, 1, START + timedelta(seconds=5)) == Room(0)


def test_a_clock_that_is_set_back_doesnt_keep_a_channel_paused():
    """A probe planned an hour ahead by a clock that was wrong is due at once."""
    state = failing(Reason.CONNECTION, PATIENCE)
    assert state.room(2, 0, START + timedelta(seconds=PATIENCE)) == Room(0)
    assert state.room(2, 0, START - timedelta(hours=1)) == Room(1, probe=True)


def doubtful(reason: Reason = Reason.UNCLEAR) -> Transient:
    """Return a refusal that may be about its recipient alone."""
    return Transient(reason, "550 words", ALONE)


@pytest.mark.parametrize(
    ("reason", "seconds"), [(Reason.UNCLEAR, 5), (Reason.SENDER_REFUSED, 60), (Reason.RELAY_REFUSED, 60)]
)
def test_a_doubtful_refusal_lets_its_recipient_alone_wait(reason, seconds):
    """The channel counts as paused, so that it is seen, but the others are sent as usual."""
    state = attempted(ChannelState(), doubtful(reason), START)
    assert (state.up, state.in_doubt, state.reason) == (False, True, reason)
    assert (state.admits(ME.address), state.admits(YOU.address)) == (False, True)
    assert state.room(4, 1, START) == Room(3, without=frozenset({ME.address}))
    assert state.room(4, 0, START + timedelta(seconds=seconds)) == Room(1, probe=True)


def test_the_same_words_for_another_domain_pause_the_whole_channel():
    """Then it is about us, and a third recipient waits for the probe too."""
    state = attempted(ChannelState(), doubtful(), START)
    state = attempted(state, doubtful(), START, YOU)
    assert (state.in_doubt, state.admits("third@example.net"), state.room(4, 0, START)) == (False, False, Room(0))


def test_an_accepted_message_ends_the_doubt():
    """The next refusal of the first recipient doesn't pause the channel any more."""
    state = attempted(ChannelState(), doubtful(), START)
    state = attempted(state, Sent("250 ok"), START, YOU)
    assert state.up
    assert attempted(state, doubtful(), START + timedelta(seconds=5)).up


def test_a_full_mailbox_doesnt_end_the_doubt_about_another_recipient():
    """Otherwise the two would wake each other for ever."""
    state = attempted(ChannelState(), doubtful(), START)
    busy = attempted(state, Transient(Reason.MAILBOX_FULL, "452 full"), START, YOU)
    assert (busy.up, busy.in_doubt, busy.reason, busy.probe_at) == (False, True, Reason.UNCLEAR, state.probe_at)


def test_a_probe_that_hits_a_full_mailbox_is_followed_by_the_next_one_later():
    """It tells nothing about the doubt, but isn't repeated at once."""
    state = attempted(ChannelState(), doubtful(), START)
    assert state.probe_at
    probed = attempted(state, Transient(Reason.MAILBOX_FULL, "452 full"), state.probe_at, YOU)
    assert probed.probe_at == state.probe_at + timedelta(seconds=5)
    assert probed.tried == (ME, YOU)


def test_a_failure_of_the_account_turns_a_doubt_into_a_pause_for_all():
    """A refused login stops everybody's messages."""
    state = attempted(ChannelState(), doubtful(), START)
    state = attempted(state, Transient(Reason.CREDENTIALS, "535 no"), START, YOU)
    assert (state.in_doubt, state.admits(YOU.address), state.reason) == (False, False, Reason.CREDENTIALS)


HERE, THERE = Tried("https://nas.example/hook", "to here"), Tried("https://chat.example/hook", "to there")
DAY = timedelta(days=1)


def dead(asked: timedelta | None = None) -> tuple[ChannelState, datetime]:
    """Return the state of a channel of which one receiver has been away for a while, and when it was tried last."""
    state, at = ChannelState(), START
    for _ in range(PATIENCE + 6):
        at = state.probe_at or at + timedelta(seconds=1)
        state = attempted(state, alone(Transient(Reason.TRY_LATER, "503 later", retry_in=asked)), at, HERE)
    return state, at


HICCUP = alone(Transient(Reason.CONNECTION, "webhook: can't be reached: reset"))


@pytest.mark.parametrize("asked", [None, DAY])
def test_one_failure_of_another_receiver_does_not_make_it_wait_for_the_dead_one(asked):
    """It is tried again as soon as its message would be anyway, and the answer then ends the pause."""
    state, at = dead(asked)
    assert state.probe_at == at + (asked or timedelta(minutes=15))
    at += timedelta(seconds=10)
    state = attempted(state, HICCUP, at, THERE)
    assert (state.in_doubt, state.admits(THERE.address), state.probe_at) == (True, False, at + timedelta(seconds=5))
    assert state.tried == (THERE, HERE)  # so that the probe is its message
    assert attempted(state, Sent("200"), state.probe_at, THERE).up


@pytest.mark.parametrize(("asked", "without"), [(None, frozenset()), (DAY, frozenset({HERE.address}))])
def test_who_joins_begins_to_wait_anew_and_no_receiver_is_tried_before_it_asked_to_be(asked, without):
    """Both are tried in turns then, unless one of them asked to wait."""
    state, at = dead(asked)
    waits = []
    for _ in range(4):
        at = state.probe_at if waits else at + timedelta(seconds=10)
        state = attempted(state, HICCUP, at, THERE)
        waits.append(state.probe_at - at)
        assert state.room(4, 0, state.probe_at) == Room(1, probe=True, without=without)
    assert waits == [timedelta(seconds=seconds) for seconds in (5, 15, 45, 120)]
    assert state.tried == (HERE, THERE)
    assert state.suspect(at) == THERE.address


def test_all_that_were_asked_to_wait_are_waited_for():
    """The first of them that may be tried is the next probe."""
    state, at = dead(DAY)
    hour = alone(Transient(Reason.TRY_LATER, "429 slow down", retry_in=timedelta(hours=1)))
    state = attempted(state, hour, at, THERE)
    assert state.probe_at == at + timedelta(hours=1)
    assert state.room(4, 0, state.probe_at).without == {HERE.address}
    state = attempted(state, Transient(Reason.INTERNAL, "oops"), state.probe_at, THERE)
    assert state.room(4, 0, at - timedelta(hours=1)) == Room(1, probe=True)  # the clock was set back


@pytest.mark.parametrize("works", [trusted, lambda state, at: rehearsed(state, Sent("it answers"), at, 0.5)])
@pytest.mark.parametrize("failed", [HICCUP, Transient(Reason.CONNECTION, "no network")])
def test_that_a_channel_works_does_not_end_the_pause_of_who_asked_to_wait(failed, works):
    """It works elsewhere, or nothing waits any more for who failed beside it, and a rehearsal is answered."""
    state = ChannelState()
    for _ in range(PATIENCE):
        state = attempted(state, HICCUP, START, THERE)
    state = attempted(state, alone(Transient(Reason.TRY_LATER, "429 slow down", retry_in=DAY)), START, HERE)
    state = attempted(state, failed, START, THERE)
    at = START + timedelta(minutes=1)
    assert state.room(4, 0, at).without == {HERE.address}
    state = works(state, at)
    assert (state.up, state.in_doubt, state.probe_at) == (False, True, START + DAY)
    assert (state.admits(HERE.address), state.admits(THERE.address)) == (False, True)
    joined = attempted(state, HICCUP, at, THERE)
    assert (joined.admits(THERE.address), joined.probe_at) == (False, at + timedelta(seconds=5))
    assert attempted(state, Sent("200"), START + DAY, HERE).up


def test_who_was_in_doubt_before_does_not_join_again():
    """What it was refused is forgotten after an hour, but not that it was refused: the pauses stay as long."""
    state, at = dead()
    state = attempted(state, HICCUP, at, THERE)
    for _ in range(6):
        state = attempted(state, HICCUP, state.probe_at, THERE)
    later = state.probe_at - timedelta(seconds=1)
    state = replace(state, evidence=Evidence())
    assert attempted(state, HICCUP, later, THERE).probe_at == state.probe_at


@pytest.mark.parametrize(
    "failed", [alone(Transient(Reason.TRY_LATER, "503 later")), Transient(Reason.TRY_LATER, "429 global")]
)
def test_a_doubt_that_turns_out_to_be_about_us_does_not_wait_for_whom_it_was_about(failed):
    """All wait now, so it is seen soon whether that is right."""
    state, at = dead(DAY)
    state = attempted(state, failed, at, THERE)
    assert (state.up, state.in_doubt, state.probe_at) == (False, False, at + timedelta(seconds=5))
    assert state.room(4, 0, state.probe_at) == Room(1, probe=True, without=frozenset({HERE.address}))


def test_what_failed_last_is_remembered_until_the_channel_works():
    """The order tells the next probe whom to prefer."""
    state = ChannelState()
    for tried in (ME, YOU, ME):
        state = attempted(state, Transient(Reason.CONNECTION, "gone"), START, tried)
    assert state.tried == (YOU, ME)
    assert attempted(state, Sent("250 ok"), START).tried == ()


REFUSED = Transient(Reason.CREDENTIALS, "535 5.7.8 refused")


def test_rehearsals_back_off_as_probes_do():
    """Whoever logs in again and again with a refused password is banned."""
    state, minutes = failing(Reason.CREDENTIALS, 1), []
    for _ in range(4):
        at = state.probe_at or START
        state = rehearsed(state, REFUSED, at, 0.5)
        minutes.append(((state.probe_at or at) - at) / timedelta(minutes=1))
    assert minutes == [5, 15, 15, 15]
    assert (state.paused_at, state.reply) == (START, REFUSED.reply)


@pytest.mark.parametrize(
    ("reason", "outcome", "after_hours", "up"),
    [
        (Reason.CREDENTIALS, Sent("250 OK"), 0, True),
        (Reason.CONNECTION, Sent("250 OK"), 0, True),
        (Reason.RELAY_REFUSED, Sent("250 OK"), 0, True),
        (Reason.RELAY_REFUSED, Permanent(Reason.NO_SUCH_RECIPIENT, "550 5.1.1"), 0, True),
        (Reason.CREDENTIALS, Transient(Reason.INTERNAL, "a defect"), 48, False),
        (Reason.SENDER_REFUSED, Sent("250 OK"), 1, False),
        (Reason.DAILY_LIMIT, Sent("250 OK"), 1, False),
        (Reason.DAILY_LIMIT, Sent("250 OK"), -1, False),
        (Reason.UNCLEAR, Sent("250 OK"), 23, False),
        (Reason.UNCLEAR, Sent("250 OK"), 25, True),
    ],
)
def test_a_rehearsal_ends_only_a_pause_that_it_can_judge(reason, outcome, after_hours, up):
    """Some servers refuse senders, and count messages, only after the content, which a rehearsal doesn't have."""
    at = START + timedelta(hours=after_hours)
    state = rehearsed(failing(reason, PATIENCE), outcome, at, 0.5)
    assert state.up is up
    assert up or (state.probe_at is not None and state.probe_at > at and not state.is_probe_due(at))


@pytest.mark.parametrize(("asked", "wait"), [(timedelta(hours=2), timedelta(hours=2)), (None, timedelta(minutes=5))])
def test_a_wait_that_a_service_asked_for_counts_once(asked, wait):
    """After a rehearsal the next probe waits as long as that was asked to, and not as long as the failure before it."""
    spent = Transient(Reason.DAILY_LIMIT, "none left", retry_in=timedelta(hours=9))
    state = attempted(ChannelState(), spent, START)
    assert state.probe_at == (at := START + timedelta(hours=9))
    said = replace(spent, retry_in=asked) if asked else Sent("100 are left")
    assert rehearsed(state, said, at, 0.5).probe_at == at + wait


@pytest.mark.parametrize(
    ("failed", "up"),
    [
        (Transient(Reason.TRY_LATER, "429 Too Many Requests", retry_in=timedelta(minutes=5)), False),
        (Transient(Reason.TRY_LATER, "429 Too Many Requests", retry_in=timedelta(seconds=59)), True),
        (Transient(Reason.TOO_MANY_LOGINS, "429", retry_in=timedelta(minutes=1)), False),
        (alone(Transient(Reason.TRY_LATER, "429 slow down", retry_in=timedelta(hours=1))), True),
    ],
)
def test_a_service_that_asks_all_of_us_to_wait_for_long_is_believed_at_once(failed, up):
    """Whoever goes on asking is kept out for longer. A short wait is over before anybody misses something."""
    state = attempted(ChannelState(), failed, START)
    assert state.up is up
    assert up or state.probe_at == START + failed.retry_in


def test_a_rehearsal_changes_nothing_once_the_channel_works():
    """A message was sent while it ran."""
    state = attempted(failing(Reason.CREDENTIALS, 1), Sent("250 OK"), START)
    assert rehearsed(state, REFUSED, START, 0.5) is state


def test_a_channel_that_works_elsewhere_is_paused_by_one_more_failure():
    """Another process may reach the server, and this one may not."""
    state = trusted(failing(Reason.CONNECTION, PATIENCE), START)
    assert (state.up, state.in_doubt, state.holds_own(START)) == (True, False, True)
    assert not failing(Reason.CONNECTION, 1, state).up


def test_a_rehearsal_is_about_who_is_in_doubt():
    """And else about who failed last."""
    assert ChannelState().suspect(START) is None
    assert failing(Reason.CONNECTION, PATIENCE).suspect(START) == ME.address
    state = attempted(attempted(ChannelState(), doubtful(), START), Transient(Reason.MAILBOX_FULL, ""), START, YOU)
    assert (state.in_doubt, state.suspect(START)) == (True, ME.address)
