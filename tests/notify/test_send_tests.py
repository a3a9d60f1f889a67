"""Test messages: what each service is given, what it says, and how far its proof got."""

from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from alertgate.model import ChannelName
from alertgate.notify.channels.base import Learned, Message, Outcome, Permanent, Reason, Sent, Transient
from alertgate.notify.channels.hook import alone
from alertgate.notify.test_send import send_tests
from alertgate.proof import Proof
from tests.fakes import FakeClock

TOLD = [(ChannelName.PUSHOVER, "anna")]
TAKEN = Sent("200 queued", receipt="r1", follow_in=timedelta(seconds=1))
UTC = ZoneInfo("UTC")


@dataclass
class Service:
    """A service that answers so, and then says that."""

    answers: Outcome = TAKEN
    says: deque[Learned] = field(default_factory=deque)
    name: ChannelName = ChannelName.PUSHOVER
    capacity: int = 1
    repeats_safely: bool = True
    settles: bool = True
    rings: bool = False
    sent: list[Message] = field(default_factory=list)
    asked: int = 0

    async def send(self, message, _deadline):
        self.sent.append(message)
        return self.answers

    async def rehearse(self, _to, _deadline):
        return self.answers

    async def ask(self, sent, _deadline):
        assert (sent.to, sent.receipt) == ("anna", "r1")
        self.asked += 1
        return self.says.popleft() if self.says else Learned(again_in=timedelta(seconds=5))

    async def settle(self, _sent, _message, _deadline):
        return self.answers

    async def close(self):
        pass


async def outcome_of(service: Service, make_settings, wait: float):
    """Send a test; return its result and for how long it paused."""
    paused: list[float] = []

    async def pause(seconds: float) -> None:
        paused.append(seconds)

    given = (make_settings(), TOLD, [service], UTC, FakeClock(), lambda _: "id")
    [result] = await send_tests(*given, wait=timedelta(seconds=wait), pause=pause)
    return result, sum(paused)


async def test_an_app_is_given_a_title_a_text_and_what_it_needs_to_know(make_settings):
    """As any message for it, so that the test tries what an alert would."""
    await outcome_of(service := Service(), make_settings, 0)
    [message] = service.sent
    assert message.subject == "[TEST] alertgate reaches you"
    assert message.text.startswith("Test of alertgate, 2026-11-23")
    assert message.brief is not None
    assert (message.brief.tag, message.brief.notification_id, message.brief.asks) == ("TEST", "id", False)
    assert message.brief.facts["kind"] == "test"
    assert not message.brief.is_quiet  # or nobody would hear whether the phone makes a sound
    assert service.asked == 0


@pytest.mark.parametrize(
    ("says", "proof", "text", "waited"),
    [
        ([Learned(Proof.DELIVERED, by="carrier")], Proof.DELIVERED, "its service says so (by carrier)", 1),
        ([Learned(again_in=timedelta(seconds=1)), Learned(Proof.SEEN)], Proof.SEEN, "its service says so", 2),
        ([], Proof.SENT, "its service didn't say more within 20 s", 20),
        ([Learned()], Proof.SENT, "its service says no more", 1),
    ],
)
async def test_the_proof_is_waited_for_as_long_as_may_be(make_settings, says, proof, text, waited):
    """A service that knows more later is asked for up to twenty seconds."""
    result, paused = await outcome_of(Service(says=deque(says)), make_settings, 20)
    assert (result.sent, result.text, result.proof, result.proof_text) == (True, "200 queued", proof, text)
    assert paused == waited


async def test_what_did_not_arrive_is_a_failure(make_settings):
    """Although the service had taken it."""
    service = Service(says=deque([Learned(failure=Permanent(Reason.REFUSED, "30004 blocked"))]))
    result, _ = await outcome_of(service, make_settings, 20)
    assert (result.sent, result.proof, result.proof_text) == (False, None, "didn't arrive: refused: 30004 blocked")
    assert result.advice


async def test_a_contact_whose_channel_is_not_there_is_named(make_settings):
    """Instead of ending the test of all others."""
    [result] = await send_tests(make_settings(), TOLD, [], UTC, FakeClock(), lambda _: "id")
    assert (result.sent, result.text) == (False, "not tried, because its channel isn't set up")


@pytest.mark.parametrize("is_alone", [True, False])
async def test_only_what_all_of_a_channel_would_meet_keeps_others_from_being_tried(make_settings, is_alone):
    """A program that is down says nothing about another program's address; a service that is down does."""
    failed = Transient(Reason.CONNECTION, "can't be reached")
    service = Service(answers=alone(failed) if is_alone else failed)
    told = [(service.name, "anna"), (service.name, "ben")]
    results = await send_tests(make_settings(), told, [service], UTC, FakeClock(), lambda _: "id")
    assert [each.to for each in service.sent] == (["anna", "ben"] if is_alone else ["anna"])
    assert ["not tried" in each.text for each in results] == [False, not is_alone]
