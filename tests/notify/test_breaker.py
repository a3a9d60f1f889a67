"""When a channel is paused, probed and resumed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alertgate.notify.breaker import PATIENCE, ChannelState, after
from alertgate.notify.channels.base import CHANNEL_WIDE, Permanent, Reason, Sent, Transient
from tests.fakes import START


def failing(reason: Reason, times: int, state: ChannelState | None = None) -> ChannelState:
    """Return the state after failures for one reason: one per second, then one per probe once the channel is paused."""
    state, at = state or ChannelState(), START
    for _ in range(times):
        state = after(state, Transient(reason, "words"), at, 0.5)
        at = state.probe_at or at + timedelta(seconds=1)
    return state


@pytest.mark.parametrize("reason", [Reason.CREDENTIALS, Reason.DAILY_LIMIT, Reason.SENDER_REFUSED])
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
    late = after(paused, Transient(reason, "again"), paused.failed_at + timedelta(seconds=1), 0.5)
    assert (late.probe_at, late.failures, late.reply) == (paused.probe_at, paused.failures, "again")


def test_a_probe_after_the_clock_was_set_back_counts():
    """The next probe is planned from the new time."""
    paused = failing(Reason.CONNECTION, PATIENCE)
    probed = after(paused, Transient(Reason.CONNECTION, "words"), START - timedelta(hours=1), 0.5)
    assert probed.probe_at == START - timedelta(hours=1) + timedelta(seconds=15)


def test_a_failed_probe_keeps_the_start_of_the_pause():
    """`paused_at` stays the time of the first failure that paused the channel."""
    assert failing(Reason.CREDENTIALS, 4).paused_at == START


def test_a_sent_message_resumes_the_channel():
    """Only the last error is kept."""
    state = after(failing(Reason.CREDENTIALS, 2), Sent("250 ok"), START + timedelta(hours=1), 0.5)
    assert (state.up, state.failures, state.probe_at) == (True, 0, None)
    assert (state.succeeded_at, state.reason) == (START + timedelta(hours=1), Reason.CREDENTIALS)


@pytest.mark.parametrize("reason", sorted(set(Reason) - CHANNEL_WIDE - {Reason.SENT, Reason.INTERNAL}))
def test_a_refusal_of_one_message_shows_that_the_channel_works(reason):
    """A server that refuses one recipient is alive."""
    for outcome in (Permanent(reason, "words"), Transient(reason, "words")):
        state = after(failing(Reason.CONNECTION, PATIENCE), outcome, START, 0.5)
        assert (state.up, state.failures, state.reason) == (True, 0, reason)


def test_a_defect_in_alertgate_does_not_change_the_channel():
    """An exception while rendering neither pauses nor resumes."""
    paused = failing(Reason.CONNECTION, PATIENCE)
    assert after(paused, Transient(Reason.INTERNAL, "oops"), START, 0.5) == paused


def test_a_paused_channel_has_one_slot_when_a_probe_is_due():
    """Before the probe's time there is no free slot, then one while nothing is being sent."""
    up = ChannelState()
    assert [up.free_slots(2, sending, START) for sending in (0, 1, 2, 3)] == [2, 1, 0, 0]
    paused = replace(up, paused_at=START, probe_at=START + timedelta(seconds=5))
    assert paused.free_slots(2, 0, START + timedelta(seconds=4)) == 0
    assert paused.free_slots(2, 0, START + timedelta(seconds=5)) == 1
    assert paused.free_slots(2, 1, START + timedelta(seconds=5)) == 0


def test_a_clock_that_is_set_back_doesnt_keep_a_channel_paused():
    """A probe planned an hour ahead by a clock that was wrong is due at once."""
    state = failing(Reason.CONNECTION, PATIENCE)
    assert state.free_slots(2, 0, START + timedelta(seconds=PATIENCE)) == 0
    assert state.free_slots(2, 0, START - timedelta(hours=1)) == 1
